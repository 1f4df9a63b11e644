//! The tracer's own standard files and its place in job control.
#![expect(unsafe_code, reason = "dup2 onto a descriptor by its number")]

use std::fs::OpenOptions;
use std::os::fd::AsRawFd;

use nix::sys::signal::{Signal, raise};
use nix::unistd::{getpgid, getpgrp, getppid, getsid};

/// Closes standard input and output, so that a pipe ends when the *program* closes it.
/// Standard error is kept for messages.
pub(crate) fn release(stdout_too: bool) {
    let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") else {
        return;
    };
    for fd in 0..=i32::from(stdout_too) {
        // SAFETY: both are open descriptors; in this process only std's handles use 0 and 1,
        // and they then use /dev/null.
        unsafe { libc::dup2(null.as_raw_fd(), fd) };
    }
}

/// Whether wait4-strace runs as a job of an interactive shell: such a shell is in the same
/// session, puts each job into a process group of its own, and there is a terminal.
/// Without such a shell no process would continue us.
pub(crate) fn is_shell_job() -> bool {
    let parent = Some(getppid());
    let same_session = getsid(parent).is_ok_and(|session| Ok(session) == getsid(None));
    let other_group = getpgid(parent).is_ok_and(|group| group != getpgrp());
    same_session && other_group && OpenOptions::new().read(true).open("/dev/tty").is_ok()
}

/// Whether we adopt orphans: as PID 1 of a namespace, or as a subreaper (kept across exec).
pub(crate) fn inherits_orphans() -> bool {
    std::process::id() == 1 || nix::sys::prctl::get_child_subreaper().unwrap_or(false)
}

/// Stops this process as a job, until it is continued.
pub(crate) fn stop_myself() {
    let _ = raise(Signal::SIGSTOP);
}
