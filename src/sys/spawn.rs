//! Launches the root: fork, seize, then exec.
//!
//! The child waits on a pipe until it is traced, so that nothing it does is missed and no
//! artificial SIGSTOP is needed. If its program cannot be started, the reason comes back
//! over a close-on-exec pipe.
#![expect(
    unsafe_code,
    reason = "fork(2), and the async-signal-safe steps between fork and exec"
)]

use std::cell::Cell;
use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::unistd::pipe2;

use super::ptrace;
use super::seccomp::Filter;
use super::startup::Inherited;
use crate::kernel::{Errno, Signal, Tid, WaitStatus};

/// The user to run the program as (`-u`).
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) uid: libc::uid_t,
    pub(crate) gid: libc::gid_t,
    pub(crate) groups: Vec<libc::gid_t>,
}

/// A program to launch, with everything that the child needs allocated in advance.
#[derive(Debug)]
pub(crate) struct Program {
    /// The paths to try, in the order of `PATH`.
    pub(crate) candidates: Vec<CString>,
    pub(crate) argv: Vec<CString>,
    pub(crate) env: Vec<CString>,
    pub(crate) identity: Option<Identity>,
    pub(crate) filter: Option<Filter>,
    /// Its signal dispositions and mask, and which standard files are closed.
    pub(crate) start: Inherited,
    /// Its standard files if they are not ours; none is one of our standard descriptors
    /// ([`above_standard`]).
    pub(crate) files: [Option<OwnedFd>; 3],
    /// Its working directory, if not ours.
    pub(crate) directory: Option<CString>,
}

/// What a child reports that has not executed its program, as one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The filter could not be installed; the program runs without it.
    NoFilter(Errno),
    /// `setgroups`, `setgid` or `setuid` failed.
    Identity(Errno),
    /// `chdir` failed.
    Directory(Errno),
    /// No candidate could be executed.
    Exec(Errno),
}

/// A root that is seized and about to exec.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) tid: Tid,
    reports: File,
}

impl Spawned {
    /// The next report; `None` if there is none. The child has sent all of its reports when it
    /// has executed its program or is dead. Never blocks: another process forked from
    /// this one may hold the pipe open.
    pub(crate) fn report(&mut self) -> Option<Report> {
        let mut message = [0u8; 8];
        self.reports.read_exact(&mut message).ok()?;
        let [a, b, c, d, rest @ ..] = message;
        let errno = Errno::from_raw(i32::from_ne_bytes(rest));
        match i32::from_ne_bytes([a, b, c, d]) {
            NO_FILTER => Some(Report::NoFilter(errno)),
            IDENTITY => Some(Report::Identity(errno)),
            DIRECTORY => Some(Report::Directory(errno)),
            _ => Some(Report::Exec(errno)),
        }
    }
}

const NO_FILTER: i32 = 1;
const IDENTITY: i32 = 2;
const EXEC: i32 = 3;
const DIRECTORY: i32 = 4;

/// Why there is no child to trace.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    /// The operation that failed, and its errno. The child is gone.
    Cannot(&'static str, Errno),
    /// The child cannot be traced. It is gone.
    Refused(Errno),
    /// The child was killed before it was traced.
    Killed(WaitStatus),
}

/// Forks a child, seizes it with `options`, and lets it execute `program`.
///
/// # Errors
/// Why there is no child.
pub(crate) fn spawn(program: &Program, options: libc::c_int) -> Result<Spawned, Failure> {
    let (go_read, go_write) = pipe()?;
    let (report_read, report_write) = pipe()?;
    fcntl(&report_read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
        .map_err(|errno| cannot("make a pipe", errno))?;
    let pointers = Pointers::new(program);
    // The child must not run our handlers, which it has until it execs.
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let mask = mask.map_err(|errno| cannot("block signals", errno))?;
    // SAFETY: the child calls only async-signal-safe functions until it execs
    // or exits; all that it uses was allocated before.
    let pid = unsafe { libc::fork() };
    let failed = super::last_errno();
    if pid != 0 {
        // It cannot fail with a mask that the kernel returned.
        let _ = mask.thread_set_mask();
    }
    if pid < 0 {
        return Err(Failure::Cannot("fork", failed));
    }
    if pid == 0 {
        // The child would otherwise hold its own pipe open after our death.
        // SAFETY: the descriptor is ours and not used again in this process.
        unsafe { libc::close(go_write.as_raw_fd()) };
        child(
            program,
            &pointers,
            go_read.as_raw_fd(),
            report_write.as_raw_fd(),
        );
    }
    drop((go_read, report_write));
    let tid = Tid::new(pid);
    if let Err(errno) = ptrace::seize(tid, options) {
        // A zombie cannot be seized; a child that still waits on the pipe is killed.
        let dead = reap(pid, libc::WNOHANG);
        if dead.is_none() {
            ptrace::kill(pid, Signal::KILL);
            reap(pid, 0);
        }
        return Err(dead.map_or(Failure::Refused(errno), Failure::Killed));
    }
    // If the child was killed meanwhile, a wait will report it.
    let _ = File::from(go_write).write_all(&[1]);
    Ok(Spawned {
        tid,
        reports: File::from(report_read),
    })
}

/// Reaps our own, untraced child.
fn reap(pid: i32, options: libc::c_int) -> Option<WaitStatus> {
    let mut status = 0;
    loop {
        // SAFETY: writes one int.
        let reaped = unsafe { libc::waitpid(pid, &raw mut status, options) };
        if reaped >= 0 || super::last_errno() != Errno::INTR {
            return (reaped == pid).then(|| WaitStatus::from_raw(status));
        }
    }
}

fn cannot(operation: &'static str, errno: nix::errno::Errno) -> Failure {
    Failure::Cannot(operation, Errno::from_raw(errno as i32))
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Failure> {
    let both = pipe2(OFlag::O_CLOEXEC);
    let both = both.and_then(|(read, write)| Ok((above_standard(read)?, above_standard(write)?)));
    both.map_err(|errno| cannot("make a pipe", errno))
}

/// The same file on a descriptor above 2: if standard files are closed, a new file may get
/// their numbers, which the child's own need.
pub(crate) fn above_standard(fd: OwnedFd) -> nix::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    let number = fcntl(&fd, FcntlArg::F_DUPFD_CLOEXEC(3))?;
    // SAFETY: F_DUPFD_CLOEXEC has made it, and nothing else uses it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// NULL-terminated vectors for execve.
struct Pointers {
    argv: Vec<*const libc::c_char>,
    env: Vec<*const libc::c_char>,
    /// `/bin/sh` and room for the path, for a script without `#!`.
    shell: Vec<Cell<*const libc::c_char>>,
}

impl Pointers {
    fn new(program: &Program) -> Pointers {
        let list = |strings: &[CString]| -> Vec<*const libc::c_char> {
            let pointers = strings.iter().map(|string| string.as_ptr());
            pointers.chain([ptr::null()]).collect()
        };
        let argv = list(&program.argv);
        let shell = [SHELL.as_ptr(), ptr::null()]
            .into_iter()
            .chain(argv.iter().copied().skip(1))
            .map(Cell::new)
            .collect();
        Pointers {
            shell,
            argv,
            env: list(&program.env),
        }
    }
}

const SHELL: &std::ffi::CStr = c"/bin/sh";

/// The child's side: only async-signal-safe calls until exec.
fn child(program: &Program, pointers: &Pointers, go: i32, reports: i32) -> ! {
    let mut byte = 0u8;
    loop {
        // SAFETY: reads one byte into a local.
        match unsafe { libc::read(go, (&raw mut byte).cast(), 1) } {
            1 => break,
            -1 if super::last_errno() == Errno::INTR => {}
            // The tracer died before it was ready.
            _ => exit(127),
        }
    }
    program.start.restore_dispositions();
    for (fd, closed) in (0..).zip(program.start.closed) {
        if closed {
            // SAFETY: the runtime opened it on /dev/null; the program shall
            // find it closed, as we did.
            unsafe { libc::close(fd) };
        }
    }
    for (fd, file) in (0..).zip(&program.files) {
        if let Some(file) = file {
            // SAFETY: a copy of the process affects only itself. The copy
            // of the file is not close-on-exec.
            unsafe { libc::dup2(file.as_raw_fd(), fd) };
        }
    }
    if let Some(directory) = &program.directory {
        // SAFETY: a C string that outlives the call.
        if unsafe { libc::chdir(directory.as_ptr()) } < 0 {
            tell(reports, DIRECTORY, super::last_errno());
            exit(127);
        }
    }
    // Before the identity changes: root needs no NO_NEW_PRIVS for it.
    if let Some(filter) = &program.filter
        && let Err(errno) = filter.install()
    {
        tell(reports, NO_FILTER, errno);
    }
    if let Some(identity) = &program.identity
        && let Err(errno) = assume(identity)
    {
        tell(reports, IDENTITY, errno);
        exit(127);
    }
    program.start.restore_mask();
    let errno = execute(program, pointers);
    tell(reports, EXEC, errno);
    exit(127)
}

/// Tries the candidates as a shell does: a path that does not exist is skipped, "permission
/// denied" is remembered, any other error ends the search.
fn execute(program: &Program, pointers: &Pointers) -> Errno {
    let mut found = Errno::NOENT;
    for path in &program.candidates {
        // SAFETY: all three are NULL-terminated and outlive the call.
        unsafe { libc::execve(path.as_ptr(), pointers.argv.as_ptr(), pointers.env.as_ptr()) };
        match super::last_errno() {
            Errno::NOENT | Errno::NOTDIR => {}
            Errno::ACCES => found = Errno::ACCES,
            Errno::NOEXEC => return execute_as_script(path, pointers),
            errno => return errno,
        }
    }
    found
}

/// A text file without `#!` is a shell script, as for a shell and execvp.
fn execute_as_script(path: &CString, pointers: &Pointers) -> Errno {
    if let Some(room) = pointers.shell.get(1) {
        room.set(path.as_ptr());
    }
    // A cell has the memory layout of its content.
    let argv = pointers.shell.as_ptr().cast();
    // SAFETY: all three are NULL-terminated and outlive the call.
    unsafe { libc::execve(SHELL.as_ptr(), argv, pointers.env.as_ptr()) };
    Errno::NOEXEC
}

fn assume(identity: &Identity) -> Result<(), Errno> {
    let count = identity.groups.len();
    // Raw, since glibc's wrappers signal all threads of the process, which do not exist in
    // this copy of it.
    // SAFETY: `groups` holds `count` ids; the others take numbers.
    let failed = unsafe {
        libc::syscall(libc::SYS_setgroups, count, identity.groups.as_ptr()) < 0
            || libc::syscall(
                libc::SYS_setresgid,
                identity.gid,
                identity.gid,
                identity.gid,
            ) < 0
            || libc::syscall(
                libc::SYS_setresuid,
                identity.uid,
                identity.uid,
                identity.uid,
            ) < 0
            || (identity.uid != 0 && !drop_capabilities())
    };
    if failed {
        return Err(super::last_errno());
    }
    Ok(())
}

/// Drops all capabilities, including those that an exec would pass on: a change of the user
/// keeps the inheritable ones, and with `SECBIT_NO_SETUID_FIXUP` all.
fn drop_capabilities() -> bool {
    // _LINUX_CAPABILITY_VERSION_3, this task; effective, permitted and
    // inheritable, 64 bits each in two words.
    let (head, none) = ([0x2008_0522_u32, 0], [0u32; 6]);
    // Ambient capabilities are always permitted and inheritable, so they are dropped with
    // them.
    // SAFETY: the kernel reads a head of 8 bytes and data of 24.
    unsafe { libc::syscall(libc::SYS_capset, head.as_ptr(), none.as_ptr()) == 0 }
}

fn tell(reports: i32, what: i32, errno: Errno) {
    let [a, b, c, d] = what.to_ne_bytes();
    let [e, f, g, h] = errno.raw().to_ne_bytes();
    let message = [a, b, c, d, e, f, g, h];
    // SAFETY: writes 8 bytes of a local.
    unsafe { libc::write(reports, message.as_ptr().cast(), message.len()) };
}

fn exit(code: i32) -> ! {
    // SAFETY: ends this copy of the process without running its destructors.
    unsafe { libc::_exit(code) }
}
