//! What the library does to the process that it lives in, which is nothing,
//! and what that process may do to it. Each test has a process for itself.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    unsafe_code,
    reason = "a test that cannot go on has failed; signals and forks of a host are raw"
)]

use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};
use wait4_strace::{Input, Launch, Trace};

/// Run this test once more in a process of its own; whether this is it.
fn is_alone(name: &str) -> bool {
    if std::env::var_os("ALONE").is_some() {
        return true;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    let outcome = again.env("ALONE", "1").output().unwrap();
    let said = String::from_utf8_lossy(&outcome.stdout);
    let (why, passed) = (String::from_utf8_lossy(&outcome.stderr), "1 passed");
    assert!(
        outcome.status.success() && said.contains(passed),
        "{said}{why}"
    );
    false
}

/// A shell's script under trace; long enough is a machine's that is busy.
fn trace(script: &str) -> Trace {
    let launch = Launch::new("sh").args(["-c", script]);
    let trace = launch.timeout(Duration::from_secs(120)).record().unwrap();
    assert!(!trace.timed_out());
    trace
}

extern "C" fn count(_: i32) {
    CALLS.fetch_add(1, SeqCst);
}

static CALLS: AtomicUsize = AtomicUsize::new(0);

fn handle(signal: Signal, handler: SigHandler) {
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handlers here count an atomic up.
    unsafe { sigaction(signal, &action) }.unwrap();
}

/// Masks and dispositions as the kernel tells them, of this thread.
fn signals() -> Vec<String> {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let masks = ["SigBlk", "SigIgn", "SigCgt"];
    let lines = status.lines();
    let lines = lines.filter(|line| masks.iter().any(|mask| line.starts_with(mask)));
    lines.map(str::to_owned).collect()
}

fn names(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_trace_leaves_masks_dispositions_descriptors_and_threads_as_they_were() {
    if !is_alone("a_trace_leaves_masks_dispositions_descriptors_and_threads_as_they_were") {
        return;
    }
    let state = || (signals(), names("/proc/self/fd"), names("/proc/self/task"));
    let before = state();
    for _ in 0..3 {
        trace("true & wait; echo");
        Launch::new("no-such-command").record().unwrap_err();
        drop(Launch::new("sleep").arg("100").start().unwrap());
        let silent = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let panics = || Launch::new("true").for_each(|_, _| panic!("enough"));
        std::panic::catch_unwind(panics).unwrap_err();
        std::panic::set_hook(silent);
    }
    assert_eq!(state(), before);
    // Nobody is left to be reaped.
    let none = waitpid(None, None).unwrap_err();
    assert_eq!(none, nix::errno::Errno::ECHILD);
}

#[test]
fn a_command_starts_as_std_would_start_it() {
    if !is_alone("a_command_starts_as_std_would_start_it") {
        return;
    }
    SigSet::from_iter([Signal::SIGUSR1, Signal::SIGTERM])
        .thread_block()
        .unwrap();
    handle(Signal::SIGUSR2, SigHandler::SigIgn);
    handle(Signal::SIGHUP, SigHandler::Handler(count));
    let words = [
        "-c",
        "grep -E '^Sig(Blk|Ign)' /proc/self/status; pwd; env; ls /proc/self/fd",
    ];
    let ours = Launch::new("sh").args(words).record().unwrap();
    let std = Command::new("sh").args(words).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // glibc's posix_spawn lets one of its own two signals be ignored.
    let std_text = text(&std.stdout).replace("SigIgn:\t00000001", "SigIgn:\t00000000");
    assert_eq!(text(ours.stdout()), std_text);
    assert!(text(&std.stdout).contains("SigBlk:\t0000000000000000\n"));
}

#[test]
fn a_host_may_ignore_sigchld() {
    if !is_alone("a_host_may_ignore_sigchld") {
        return;
    }
    handle(Signal::SIGCHLD, SigHandler::SigIgn);
    for _ in 0..10 {
        assert_eq!(trace("exit 5").status().unwrap().code(), Some(5));
    }
}

#[test]
fn a_host_may_handle_sigchld_and_the_highest_real_time_signal() {
    if !is_alone("a_host_may_handle_sigchld_and_the_highest_real_time_signal") {
        return;
    }
    handle(Signal::SIGCHLD, SigHandler::Handler(count));
    // SAFETY: the struct is whole, and the handler counts an atomic up.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as *const () as usize;
        libc::sigaction(libc::SIGRTMAX(), &raw const action, std::ptr::null_mut());
    }
    let before = signals();
    let launch = Launch::new("sh").args(["-c", "sleep 100"]);
    let limit = Duration::from_millis(200);
    assert!(launch.timeout(limit).record().unwrap().timed_out());
    assert!(CALLS.load(SeqCst) > 0, "stops send SIGCHLD too");
    assert_eq!(signals(), before);
}

#[test]
fn standard_files_may_be_closed() {
    if !is_alone("standard_files_may_be_closed") {
        return;
    }
    let saved = [0, 1, 2].map(|fd| {
        // SAFETY: it is open until it is closed below.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        fd.try_clone_to_owned().unwrap()
    });
    for fd in 0..3 {
        // SAFETY: nobody else uses them here before they are restored.
        unsafe { libc::close(fd) };
    }
    let launch = Launch::new("sh").args(["-c", "cat; echo err >&2"]);
    let trace = launch.stdin("text").record();
    let inherits = Launch::new("true").stdin(Input::Inherit).record();
    for (fd, file) in (0..).zip(&saved) {
        // SAFETY: as above.
        unsafe { libc::dup2(file.as_raw_fd(), fd) };
    }
    let trace = trace.unwrap();
    assert_eq!(
        (trace.stdout(), trace.stderr()),
        (&b"text"[..], &b"err\n"[..])
    );
    assert!(inherits.unwrap().status().unwrap().success());
}

#[test]
fn forks_of_the_host_may_hold_its_descriptors_for_ever() {
    if !is_alone("forks_of_the_host_may_hold_its_descriptors_for_ever") {
        return;
    }
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let forks = scope.spawn(|| {
            let mut children = Vec::new();
            while !over.load(SeqCst) && children.len() < 500 {
                // SAFETY: the child calls alarm and pause alone.
                match unsafe { fork() }.unwrap() {
                    ForkResult::Parent { child } => children.push(child),
                    ForkResult::Child => {
                        nix::unistd::alarm::set(300);
                        loop {
                            nix::unistd::pause();
                        }
                    }
                }
                thread::sleep(Duration::from_millis(1));
            }
            children
        });
        for _ in 0..20 {
            assert_eq!(trace("cat; echo $0").stdout(), b"sh\n");
        }
        over.store(true, SeqCst);
        for child in forks.join().unwrap() {
            kill(child, Signal::SIGKILL).unwrap();
            waitpid(child, None).unwrap();
        }
    });
}

#[test]
fn a_process_group_of_the_host_may_be_signalled() {
    if !is_alone("a_process_group_of_the_host_may_be_signalled") {
        return;
    }
    nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0)).unwrap();
    handle(Signal::SIGTERM, SigHandler::Handler(count));
    let tracing = Launch::new("sh")
        .args(["-c", "sleep 100 & wait"])
        .start()
        .unwrap();
    kill(Pid::from_raw(0), Signal::SIGTERM).unwrap();
    let trace = tracing.wait().unwrap();
    assert_eq!(trace.status().unwrap().signal(), Some(15));
    assert_eq!(CALLS.load(SeqCst), 1);
}
