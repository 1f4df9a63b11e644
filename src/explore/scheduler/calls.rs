//! The calls that a schedule deals with, by their numbers of `asm/unistd_64.h`.

use crate::kernel::Tgid;
use crate::proc;

/// `AUDIT_ARCH_X86_64`
const X86_64: u32 = 0xc000_003e;

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
    /// One that often fails.
    MayFail,
    /// Any other.
    Other,
}

/// Calls that may sleep.
const SLEEPS: [u32; 14] = [
    7, 271, 23, 270, 232, 281, 441, 34, 130, 128, 35, 230, 43, 288,
];
/// `read`, `readv`, `recvfrom`, `recvmsg`
const READS: [u32; 4] = [0, 19, 45, 47];
/// Other calls that often fail, and after which a program looks at errno:
/// `write`, `open`, `stat`, `lstat`, `ioctl`, `writev`, `access`, `connect`,
/// `sendto`, `sendmsg`, `fcntl`, `unlink`, `openat`, `unlinkat`.
const MAY_FAIL: [u32; 14] = [1, 2, 4, 6, 16, 20, 21, 42, 44, 46, 72, 87, 257, 263];
/// `fork`, `vfork`, `clone`, `clone3`
const FORKS: [u32; 4] = [57, 58, 56, 435];
/// `execve`, `execveat`
const EXECS: [u32; 2] = [59, 322];
const ALARM: u32 = 37;
const SETITIMER: u32 = 38;
const PIDFD_OPEN: u32 = 434;
const KILL: u32 = 62;
const WAIT4: u32 = 61;
const WAITID: u32 = 247;

/// The calls that stop while a schedule is searched or replayed, beside those of
/// any trace.
pub(crate) fn wanted(faults: bool, failures: bool) -> Vec<u32> {
    let mut all = vec![ALARM, SETITIMER, PIDFD_OPEN];
    all.extend(SLEEPS);
    all.extend(READS);
    if failures {
        all.extend(MAY_FAIL);
    }
    if faults {
        all.extend(FORKS);
        all.extend(EXECS);
        all.push(KILL);
    }
    all
}

impl Call {
    /// What a call is.
    pub(super) fn of(arch: u32, nr: u64, args: [u64; 6]) -> Call {
        let Some(nr) = u32::try_from(nr).ok().filter(|_| arch == X86_64) else {
            return Call::Other;
        };
        let [first, second, third, fourth, ..] = args;
        let int = |word: u64| ((word & 0xffff_ffff) as u32).cast_signed();
        match nr {
            // Without a time they do not sleep: poll, epoll_wait, epoll_pwait.
            7 if int(third) == 0 => Call::MayFail,
            232 | 281 if int(fourth) == 0 => Call::MayFail,
            nr if SLEEPS.contains(&nr) => Call::Sleep,
            nr if READS.contains(&nr) => Call::Read(int(first)),
            WAIT4 => Call::Wait {
                pid: Some(int(first)).filter(|pid| *pid > 0),
                polls: int(third) & libc::WNOHANG != 0,
            },
            WAITID => Call::Wait {
                pid: (int(first) == 1).then(|| int(second)),
                polls: int(fourth) & libc::WNOHANG != 0,
            },
            KILL => Call::Kill(int(first)),
            ALARM => Call::Alarm(first),
            // Those of CPU time wake no one who sleeps.
            SETITIMER if int(first) == libc::ITIMER_REAL => Call::SetTimer(second),
            PIDFD_OPEN => Call::OpenPidfd,
            nr if MAY_FAIL.contains(&nr) => Call::MayFail,
            nr if FORKS.contains(&nr) => Call::Fork,
            nr if EXECS.contains(&nr) => Call::Exec,
            _ => Call::Other,
        }
    }

    /// Whether it is a call that makes no event.
    pub(super) fn has_no_meaning_to_rules(self) -> bool {
        matches!(self, Call::Sleep | Call::Read(_) | Call::MayFail)
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

/// The signals among those that are pending now.
pub(super) fn pending(status: &proc::Status) -> u64 {
    (status.pending | status.own_pending) & deliverable(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_known_by_their_numbers_and_arguments() {
        let call = |nr, args| Call::of(X86_64, nr, args);
        assert_eq!(call(34, [0; 6]), Call::Sleep);
        assert_eq!(call(7, [0, 1, 0, 0, 0, 0]), Call::MayFail);
        assert_eq!(call(7, [0, 1, u64::MAX, 0, 0, 0]), Call::Sleep);
        assert_eq!(call(0, [5, 0, 9, 0, 0, 0]), Call::Read(5));
        let any = Call::Wait {
            pid: None,
            polls: true,
        };
        assert_eq!(call(61, [0xffff_ffff, 0, 1, 0, 0, 0]), any);
        let one = Call::Wait {
            pid: Some(12),
            polls: false,
        };
        assert_eq!(call(61, [12, 0, 0, 0, 0, 0]), one);
        assert_eq!(call(247, [1, 12, 0, 4, 0, 0]), one);
        assert_eq!(call(56, [0; 6]), Call::Fork);
        assert_eq!(call(38, [0, 8, 0, 0, 0, 0]), Call::SetTimer(8));
        assert_eq!(call(38, [1, 8, 0, 0, 0, 0]), Call::Other);
        assert_eq!(call(62, [u64::MAX, 15, 0, 0, 0, 0]), Call::Kill(-1));
        assert_eq!(Call::of(0x4000_0003, 34, [0; 6]), Call::Other);
        assert_eq!(call(0x4000_0022, [0; 6]), Call::Other);
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
}
