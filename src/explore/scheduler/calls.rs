//! The calls that a schedule deals with, of 64-bit code, by their names.

use crate::explore::schedule::{Point, Schedule};
use crate::kernel::{Abi, Signal, Tgid, native_number, syscall_name};
use crate::proc;

/// A call, as far as schedules tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// It may sleep until a signal or an event.
    Sleep,
    /// It reads from this descriptor, and sleeps if that is a stream.
    Read(i32),
    /// It waits for a child: for this pid alone, if there is one.
    Wait {
        pid: Option<i32>,
        /// It does not sleep.
        polls: bool,
    },
    /// It creates a process or a thread.
    Fork,
    /// It executes a program.
    Exec,
    /// It sends a signal to this target.
    Kill(i32),
    /// `alarm` with so many seconds.
    Alarm(u64),
    /// `setitimer` of real time with its new value at this address.
    SetTimer(u64),
    /// It opens a pidfd.
    OpenPidfd,
    /// One that may fail.
    MayFail,
    /// Any other.
    Other,
}

/// Calls that may sleep.
const SLEEPS: [&str; 14] = [
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "pause",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "nanosleep",
    "clock_nanosleep",
    "accept",
    "accept4",
];
const READS: [&str; 4] = ["read", "readv", "recvfrom", "recvmsg"];
/// Other calls that may fail, and after which a program looks at errno.
const MAY_FAIL: [&str; 113] = [
    "write",
    "writev",
    "pwrite64",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "recvmmsg",
    "pread64",
    "open",
    "openat",
    "openat2",
    "creat",
    "close",
    "access",
    "faccessat",
    "faccessat2",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "statfs",
    "readlink",
    "readlinkat",
    "chdir",
    "fchdir",
    "getcwd",
    "mkdir",
    "mkdirat",
    "rmdir",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "mknod",
    "mknodat",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "lchown",
    "fchown",
    "fchownat",
    "truncate",
    "ftruncate",
    "fallocate",
    "utimensat",
    "getxattr",
    "lgetxattr",
    "setxattr",
    "lseek",
    "ioctl",
    "fcntl",
    "flock",
    "dup",
    "dup2",
    "dup3",
    "pipe2",
    "getdents64",
    "mmap",
    "mprotect",
    "mlock",
    "socket",
    "connect",
    "bind",
    "listen",
    "shutdown",
    "getsockopt",
    "setsockopt",
    "getpeername",
    "getsockname",
    "kill",
    "tkill",
    "tgkill",
    "pidfd_send_signal",
    "setpgid",
    "getpgid",
    "setsid",
    "getsid",
    "prctl",
    "setpriority",
    "getpriority",
    "setrlimit",
    "prlimit64",
    "setuid",
    "setgid",
    "setresuid",
    "setresgid",
    "setgroups",
    "sched_setaffinity",
    "sched_setscheduler",
    "execve",
    "execveat",
    "shmget",
    "shmat",
    "semget",
    "semop",
    "semtimedop",
    "msgget",
    "msgsnd",
    "msgrcv",
    "mount",
    "umount2",
    "unshare",
    "setns",
    "inotify_add_watch",
    "epoll_ctl",
    "timerfd_settime",
];
const FORKS: [&str; 4] = ["fork", "vfork", "clone", "clone3"];
const EXECS: [&str; 2] = ["execve", "execveat"];

/// The numbers of the calls that stop while a schedule is searched or replayed, beside
/// those of any trace.
pub(crate) fn wanted(schedule: &Schedule) -> Vec<u32> {
    // All waits, also where a trace shows some of them.
    let mut names = vec!["alarm", "setitimer", "pidfd_open", "wait4", "waitid"];
    names.extend(SLEEPS);
    names.extend(READS);
    if schedule.has(Point::Skew) {
        names.extend(MAY_FAIL);
    }
    if schedule.has_faults() || schedule.has(Point::PidReuse) {
        names.extend(FORKS);
    }
    if schedule.has_faults() {
        names.extend(EXECS);
        names.push("kill");
    }
    // Newer architectures lack some.
    let numbers = names.into_iter().filter_map(native_number);
    numbers.collect()
}

impl Call {
    /// What a call is.
    pub(super) fn of(arch: u32, nr: u64, args: [u64; 6]) -> Call {
        let abi = Abi::from_audit(arch, nr).filter(|abi| *abi == Abi::NATIVE);
        let Some(name) = abi.and_then(|abi| syscall_name(abi, nr)) else {
            return Call::Other;
        };
        let [first, second, third, fourth, ..] = args;
        let int = |word: u64| ((word & 0xffff_ffff) as u32).cast_signed();
        match name {
            // Without a time they do not sleep.
            "poll" if int(third) == 0 => Call::MayFail,
            "epoll_wait" | "epoll_pwait" if int(fourth) == 0 => Call::MayFail,
            name if SLEEPS.contains(&name) => Call::Sleep,
            name if READS.contains(&name) => Call::Read(int(first)),
            "wait4" => Call::Wait {
                pid: Some(int(first)).filter(|pid| *pid > 0),
                polls: int(third) & libc::WNOHANG != 0,
            },
            "waitid" => Call::Wait {
                pid: (int(first) == 1).then(|| int(second)),
                polls: int(fourth) & libc::WNOHANG != 0,
            },
            "kill" => Call::Kill(int(first)),
            "alarm" => Call::Alarm(first),
            // Those of CPU time wake no one who sleeps.
            "setitimer" if int(first) == libc::ITIMER_REAL => Call::SetTimer(second),
            "pidfd_open" => Call::OpenPidfd,
            name if FORKS.contains(&name) => Call::Fork,
            name if EXECS.contains(&name) => Call::Exec,
            name if MAY_FAIL.contains(&name) => Call::MayFail,
            _ => Call::Other,
        }
    }

    /// What a call that sleeps waits for, in a word.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Call::Wait { .. } => "wait",
            Call::Read(_) => "read",
            _ => "sleep",
        }
    }

    /// Whether the call may sleep.
    pub(super) fn may_sleep(self, tgid: Tgid) -> bool {
        match self {
            Call::Sleep => true,
            Call::Wait { polls, .. } => !polls,
            Call::Read(fd) => is_stream(tgid, fd),
            _ => false,
        }
    }
}

/// Whether a descriptor is a pipe or a socket, which may have nothing to read.
fn is_stream(tgid: Tgid, fd: i32) -> bool {
    let link = proc::fd_link(tgid, fd);
    link.is_some_and(|link| link.starts_with(b"pipe:") || link.starts_with(b"socket:"))
}

/// Signals that a thread has a handler for, does not block, and that are no
/// faults of its own or the library's.
pub(super) fn deliverable(status: &proc::Status) -> u64 {
    /// QUIT, ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS and glibc's own two.
    const NOT_FOR_US: [u32; 10] = [3, 4, 5, 6, 7, 8, 11, 31, 32, 33];
    let none = NOT_FOR_US.iter().fold(0u64, |set, n| set | 1 << (n - 1));
    status.caught & !status.blocked & !none
}

/// What a process without children sleeps in, whatever call it is.
pub(in crate::explore) const ALONE: &str = "sleep without children";

/// Whether a process has a handler for a signal that means what programs agree on: it may
/// wait for the word of its parent, or of another process.
pub(super) fn awaits_word(status: &proc::Status) -> bool {
    let words = Signal::USR1.bit() | Signal::USR2.bit();
    deliverable(status) & words != 0
}

/// The signals among those that are pending now.
pub(super) fn pending(status: &proc::Status) -> u64 {
    (status.pending | status.own_pending) & deliverable(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_known_by_their_numbers_and_arguments() {
        let arch = Abi::NATIVE.audit_arch();
        let call = |name, args| Call::of(arch, native_number(name).unwrap().into(), args);
        assert_eq!(call("rt_sigsuspend", [0; 6]), Call::Sleep);
        assert_eq!(call("epoll_pwait", [5, 0, 1, 0, 0, 0]), Call::MayFail);
        assert_eq!(call("epoll_pwait", [5, 0, 1, u64::MAX, 0, 0]), Call::Sleep);
        assert_eq!(call("read", [5, 0, 9, 0, 0, 0]), Call::Read(5));
        let any = Call::Wait {
            pid: None,
            polls: true,
        };
        assert_eq!(call("wait4", [0xffff_ffff, 0, 1, 0, 0, 0]), any);
        let one = Call::Wait {
            pid: Some(12),
            polls: false,
        };
        assert_eq!(call("wait4", [12, 0, 0, 0, 0, 0]), one);
        assert_eq!(call("waitid", [1, 12, 0, 4, 0, 0]), one);
        assert_eq!(call("clone", [0; 6]), Call::Fork);
        assert_eq!(call("execve", [0; 6]), Call::Exec);
        assert_eq!(call("mkdirat", [0; 6]), Call::MayFail);
        assert_eq!(call("setitimer", [0, 8, 0, 0, 0, 0]), Call::SetTimer(8));
        assert_eq!(call("setitimer", [1, 8, 0, 0, 0, 0]), Call::Other);
        assert_eq!(call("kill", [u64::MAX, 15, 0, 0, 0, 0]), Call::Kill(-1));
        // pause of i386, and of x32.
        assert_eq!(Call::of(0x4000_0003, 29, [0; 6]), Call::Other);
        assert_eq!(Call::of(0xc000_003e, 0x4000_0022, [0; 6]), Call::Other);
    }

    #[test]
    fn every_architecture_has_the_calls_that_matter_most() {
        let all = wanted(&"skew@1,exec-fail".parse().unwrap());
        for name in [
            "ppoll",
            "epoll_pwait",
            "rt_sigsuspend",
            "read",
            "clone",
            "execve",
        ] {
            assert!(all.contains(&native_number(name).unwrap()), "{name}");
        }
    }

    #[test]
    fn faults_of_a_program_are_no_signals_to_wait_for() {
        let status = proc::Status {
            caught: 1 << 16 | 1 << 10 | 1 << 9,
            blocked: 1 << 9,
            pending: 1 << 16 | 1 << 10,
            ..proc::Status::default()
        };
        assert_eq!(deliverable(&status), 1 << 16);
        assert_eq!(pending(&status), 1 << 16);
    }

    #[test]
    fn who_has_a_handler_for_a_users_signal_may_wait_for_a_word() {
        let with = |caught| proc::Status {
            caught,
            ..proc::Status::default()
        };
        assert!(awaits_word(&with(Signal::USR1.bit())));
        assert!(!awaits_word(&with(Signal::INT.bit() | Signal::CHLD.bit())));
        let blocked = proc::Status {
            blocked: Signal::USR2.bit(),
            ..with(Signal::USR2.bit())
        };
        assert!(!awaits_word(&blocked));
    }
}
