//! Whether a process sleeps until a signal arrives, with no timeout or descriptor.

use super::calls::{For, Limit, blocking};
use super::{Status, Syscall};
use crate::kernel::{Abi, Signal, Tgid, syscall_name};

/// What ends a call that sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sleep {
    /// Only a signal.
    Suspend,
    /// Descriptors (none if the second argument is 0), or a timeout: the third
    /// argument, in milliseconds.
    Poll,
    /// Descriptors (none if the first of these arguments is 0), or a timeout: its
    /// address is the second of these arguments, 0 for none.
    Timed(usize, usize),
}

use Sleep::{Poll, Suspend, Timed};

/// sigsuspend, `rt_sigsuspend`, pause, poll, ppoll, `_newselect`, pselect6, and the
/// last three with 64-bit times, of i386.
const X86_32: &[(u64, Sleep)] = &[
    (72, Suspend),
    (179, Suspend),
    (29, Suspend),
    (168, Poll),
    (309, Timed(1, 2)),
    (142, Timed(0, 4)),
    (308, Timed(0, 4)),
    (414, Timed(1, 2)),
    (413, Timed(0, 4)),
];

/// The same, of arm.
const ARM: &[(u64, Sleep)] = &[
    (72, Suspend),
    (179, Suspend),
    (29, Suspend),
    (168, Poll),
    (336, Timed(1, 2)),
    (142, Timed(0, 4)),
    (335, Timed(0, 4)),
    (414, Timed(1, 2)),
    (413, Timed(0, 4)),
];

/// Whether the only thread of a process sleeps until a signal arrives, with no
/// timeout and no descriptor, and only SIGCHLD or a request to end can be that
/// signal: a process that handles others has other work.
pub(crate) fn awaits_child_signal(tgid: Tgid) -> bool {
    let alone = || super::threads(tgid.leader()).len() == 1;
    let call = Syscall::read(tgid, tgid.leader());
    call.is_some_and(|call| ends_by_signal(&call, super::is_64_bit(tgid)))
        && alone()
        && super::status(tgid.leader()).is_some_and(|status| only_for_children(&status))
}

/// How the call of a thread sleeps.
fn sleep_of(call: &Syscall, is_64_bit: bool) -> Option<Sleep> {
    if is_64_bit {
        let call = blocking(syscall_name(Abi::NATIVE, call.number)?)?;
        return match (call.waits_for, call.limit) {
            (For::Signal, _) => Some(Suspend),
            (For::Poll, Limit::Millis(_)) => Some(Poll),
            (For::Poll, Limit::Pointer(time)) => Some(Timed(1, time)),
            (For::Select, Limit::Pointer(time)) => Some(Timed(0, time)),
            _ => None,
        };
    }
    let calls = if cfg!(any(target_arch = "x86_64", target_arch = "x86")) {
        X86_32
    } else {
        ARM
    };
    let found = calls.iter().find(|(number, _)| *number == call.number)?;
    Some(found.1)
}

fn ends_by_signal(call: &Syscall, is_64_bit: bool) -> bool {
    let argument = |index: usize| call.args.get(index).copied();
    match sleep_of(call, is_64_bit) {
        Some(Suspend) => true,
        // The timeout is an int: the upper half of the register is undefined.
        Some(Poll) => {
            argument(1) == Some(0) && argument(2).is_some_and(|time| time & 0x8000_0000 != 0)
        }
        Some(Timed(count, time)) => argument(count) == Some(0) && argument(time) == Some(0),
        None => false,
    }
}

/// Whether a process handles no signals but SIGCHLD, requests to end, and its own
/// faults.
fn only_for_children(status: &Status) -> bool {
    /// Reserved by glibc, for `pthread_cancel` and setuid.
    const OF_THE_LIBRARY: [i32; 2] = [32, 33];
    let usual = [
        Signal::CHLD,
        Signal::INT,
        Signal::QUIT,
        Signal::TERM,
        Signal::PIPE,
        Signal::CONT,
    ];
    (1..=64)
        .map(Signal::from_raw)
        .filter(|signal| status.catches(*signal))
        .all(|signal| {
            usual.contains(&signal) || signal.is_crash() || OF_THE_LIBRARY.contains(&signal.raw())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::native_number;

    fn call(number: u64, args: [u64; 6]) -> Syscall {
        Syscall { number, args }
    }

    #[test]
    fn a_sleep_that_a_time_or_a_descriptor_ends_is_none() {
        let sleeps = |name, args| {
            let number = native_number(name).map(u64::from);
            number.is_some_and(|number| ends_by_signal(&call(number, args), true))
        };
        assert!(sleeps("rt_sigsuspend", [0x7ffc_0000, 8, 0, 0, 0, 0]));
        assert!(sleeps("ppoll", [0; 6]));
        assert!(!sleeps("ppoll", [0, 0, 0x7ffc_0000, 0, 0, 0]));
        assert!(!sleeps("pselect6", [4, 0, 0, 0, 0, 0]));
        assert!(!sleeps("clock_nanosleep", [0; 6]));
        assert!(!sleeps("wait4", [0; 6]));
        // Newer architectures lack these.
        if native_number("poll").is_some() {
            assert!(sleeps("pause", [7; 6]));
            assert!(sleeps("poll", [0x7ffc_0000, 0, 0xffff_ffff, 0, 0, 0]));
            assert!(!sleeps("poll", [0x7ffc_0000, 1, 0xffff_ffff, 0, 0, 0]));
            assert!(!sleeps("poll", [0, 0, 1000, 0, 0, 0]));
            assert!(sleeps("select", [0; 6]));
        }
    }

    #[test]
    fn a_process_that_handles_other_signals_has_more_to_do() {
        let handles = |signals: &[i32]| Status {
            caught: signals.iter().map(|signal| 1 << (signal - 1)).sum(),
            ..Status::default()
        };
        assert!(only_for_children(&handles(&[])));
        assert!(only_for_children(&handles(&[2, 3, 11, 15, 17, 32, 33])));
        for signal in [1, 10, 14, 28, 29, 34, 64] {
            assert!(!only_for_children(&handles(&[17, signal])), "{signal}");
        }
    }
}
