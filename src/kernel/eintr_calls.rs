//! Calls that fail with EINTR whenever they are woken, be it by a stop of the
//! tracer's: the kernel restarts none of them by itself (signal(7),
//! "Interruption of system calls and library functions by stop signals", and
//! the kernel's sources: whatever returns a plain `-EINTR` or, on sockets with
//! a time-out, `sock_intr_errno`).
//!
//! None has done anything by then, so each can be made again. A call whose
//! descriptor is gone with its EINTR (`close`) is not here.

use super::abi::x32;
use super::{Abi, Errno};

/// How long a call sleeps at most, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeOut {
    /// The argument with this index, an int of milliseconds; negative: for ever.
    Milliseconds(usize),
    /// The argument with this index points to a `struct timespec`; null: for ever.
    Timespec(usize),
}

/// `read`, `write`, `readv`, `writev`: of a socket with a time-out, or of
/// inotify. Then `epoll_wait`, `epoll_pwait`, `epoll_pwait2`, `rt_sigtimedwait`,
/// `semop`, `semtimedop`, `msgsnd`, `msgrcv`, `io_getevents`, `io_pgetevents`,
/// `io_uring_enter`.
const X86_64: [u32; 15] = [
    0, 1, 19, 20, 232, 281, 441, 128, 65, 220, 69, 70, 208, 333, 426,
];
/// `connect`, `accept`, `accept4`, `sendto`, `recvfrom`, `sendmsg`, `recvmsg`,
/// `sendmmsg`, `recvmmsg`.
const X86_64_SOCKETS: [u32; 9] = [42, 43, 288, 44, 45, 46, 47, 307, 299];

/// The same, where x32 has numbers of its own.
const X32_OWN: [u32; 8] = [515, 516, 523, 517, 518, 519, 538, 537];

/// As on x86-64; of epoll, signals, semaphores and asynchronous I/O also the
/// calls with 64-bit times; `ipc` for semaphores and messages.
const I386: [u32; 17] = [
    3, 4, 145, 146, 256, 319, 441, 177, 421, 117, 420, 400, 401, 247, 385, 416, 426,
];
/// As on x86-64, with `socketcall`, and `recvmmsg` with 64-bit times.
const I386_SOCKETS: [u32; 10] = [102, 362, 364, 369, 371, 370, 372, 345, 337, 417];

/// As on x86-64, of the calls that aarch64 has.
const AARCH64: [u32; 14] = [
    63, 64, 65, 66, 22, 441, 137, 193, 192, 189, 188, 4, 292, 426,
];
/// As on x86-64.
const AARCH64_SOCKETS: [u32; 9] = [203, 202, 242, 206, 207, 211, 212, 269, 243];

/// As on x86-64; of signals, semaphores and asynchronous I/O also the calls with 64-bit
/// times.
const ARM: [u32; 18] = [
    3, 4, 145, 146, 252, 346, 441, 177, 421, 298, 312, 420, 301, 302, 245, 399, 416, 426,
];
/// As on x86-64, with `send` and `recv`, and `recvmmsg` with 64-bit times.
const ARM_SOCKETS: [u32; 12] = [283, 285, 366, 289, 290, 291, 292, 296, 297, 374, 365, 417];

impl Abi {
    /// Whether the call with this number fails with EINTR whenever it is woken
    /// before its time, and can be made again as if nothing had been. `false`
    /// for an architecture on which that is not done.
    #[must_use]
    pub fn fails_when_woken(self, nr: u64) -> bool {
        let has = |calls: &[u32]| calls.iter().any(|call| u64::from(*call) == nr);
        match self {
            Abi::X86_64 => has(&X86_64) || has(&X86_64_SOCKETS),
            Abi::X32 => {
                let is_own = X32_OWN.iter().any(|call| u64::from(x32(*call)) == nr);
                let common = nr.checked_sub(u64::from(x32(0)));
                is_own || common.is_some_and(|nr| nr < 512 && Abi::X86_64.fails_when_woken(nr))
            }
            Abi::I386 => has(&I386) || has(&I386_SOCKETS),
            Abi::Aarch64 => has(&AARCH64) || has(&AARCH64_SOCKETS),
            Abi::Arm => has(&ARM) || has(&ARM_SOCKETS),
            Abi::Riscv64 => false,
        }
    }
}

impl Abi {
    /// Where a call of those that fail when they are woken has its time-out, and
    /// what it returns when that is over. `None` if it has none, or the ABI is neither
    /// x86-64 nor aarch64.
    #[must_use]
    pub fn time_out(self, nr: u64) -> Option<(TimeOut, Result<(), Errno>)> {
        match (self, nr) {
            // epoll_wait, epoll_pwait
            (Abi::X86_64, 232 | 281) | (Abi::Aarch64, 22) => {
                Some((TimeOut::Milliseconds(3), Ok(())))
            }
            // epoll_pwait2
            (Abi::X86_64 | Abi::Aarch64, 441) => Some((TimeOut::Timespec(3), Ok(()))),
            // rt_sigtimedwait
            (Abi::X86_64, 128) | (Abi::Aarch64, 137) => {
                Some((TimeOut::Timespec(2), Err(Errno::AGAIN)))
            }
            // semtimedop
            (Abi::X86_64, 220) | (Abi::Aarch64, 192) => {
                Some((TimeOut::Timespec(3), Err(Errno::AGAIN)))
            }
            // io_getevents, io_pgetevents
            (Abi::X86_64, 208 | 333) | (Abi::Aarch64, 4 | 292) => {
                Some((TimeOut::Timespec(4), Ok(())))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_of_signal_7_are_made_again_in_each_abi() {
        // epoll_wait, epoll_pwait, rt_sigtimedwait, semtimedop, io_getevents.
        for (abi, numbers) in [
            (Abi::X86_64, [232, 281, 128, 220, 208]),
            (Abi::X32, [x32(232), x32(281), x32(523), x32(220), x32(208)]),
            (Abi::I386, [256, 319, 177, 117, 247]),
            // epoll_pwait, epoll_pwait2, of those that aarch64 has.
            (Abi::Aarch64, [22, 441, 137, 192, 4]),
            (Abi::Arm, [252, 346, 177, 312, 245]),
        ] {
            for nr in numbers {
                assert!(abi.fails_when_woken(nr.into()), "{abi:?} {nr}");
            }
        }
    }

    #[test]
    fn only_calls_that_fail_when_woken_have_a_time_out_to_keep() {
        for nr in 0..512 {
            for abi in [Abi::X86_64, Abi::Aarch64] {
                if abi.time_out(nr).is_some() {
                    assert!(abi.fails_when_woken(nr), "{abi:?} {nr}");
                }
            }
            assert_eq!(Abi::I386.time_out(nr), None);
        }
        let epoll_wait = Some((TimeOut::Milliseconds(3), Ok(())));
        assert_eq!(Abi::X86_64.time_out(232), epoll_wait);
    }

    #[test]
    fn a_call_that_the_kernel_restarts_or_that_has_done_something_is_let_be() {
        // close, poll, select, pause, nanosleep, wait4, futex, waitid.
        for nr in [3, 7, 23, 34, 35, 61, 202, 247] {
            assert!(!Abi::X86_64.fails_when_woken(nr), "{nr}");
        }
        // close, waitpid, wait4, waitid, futex.
        for nr in [6, 7, 114, 284, 240] {
            assert!(!Abi::I386.fails_when_woken(nr), "{nr}");
        }
        // close, ppoll, pselect6, clock_nanosleep, nanosleep, futex, waitid, wait4.
        for nr in [57, 73, 72, 115, 101, 98, 95, 260] {
            assert!(!Abi::Aarch64.fails_when_woken(nr), "{nr}");
        }
        // close, wait4, waitid, futex, poll.
        for nr in [6, 114, 280, 240, 168] {
            assert!(!Abi::Arm.fails_when_woken(nr), "{nr}");
        }
        // epoll_wait's number in another ABI, and no number at all.
        assert!(!Abi::I386.fails_when_woken(232));
        assert!(!Abi::X86_64.fails_when_woken(u64::MAX));
        assert!(!Abi::X32.fails_when_woken(232));
    }
}
