//! System calls of 64-bit code that a thread may be blocked in: what limits their time, and
//! what they wait for. One row each, for all who ask.

use super::Syscall;

/// What limits the time of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// Nothing.
    Never,
    /// It is a sleep of a given time.
    Always,
    /// Milliseconds in this argument; negative for no limit.
    Millis(usize),
    /// A pointer in this argument; null for no limit.
    Pointer(usize),
}

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// That there is something to read from the descriptor in the first argument.
    Input,
    /// That it can be written to.
    Output,
    /// A connection from it, or to it.
    Accept,
    Connect,
    /// Something else of it.
    Descriptor,
    /// A lock of it.
    Lock,
    /// One of descriptors: an array whose length is the second argument, sets whose size is
    /// the first, or those of an epoll instance.
    Poll,
    Select,
    Epoll,
    /// Another thread that shares the memory.
    Futex,
    /// The other end of a named pipe, whose path is this argument, or a file system.
    Open(usize),
    /// A child; its pid is this argument.
    Child(usize),
    /// A signal that is handled.
    Signal,
    /// One of a set of signals.
    SignalOf,
    Time,
    /// The exec or the end of a vfork child; or a fork that is under way, on a machine that
    /// has no memory or time for it at the moment.
    Creation,
    /// A message, a semaphore.
    Outside,
}

use For::{
    Accept, Child, Connect, Creation, Descriptor, Epoll, Futex, Input, Lock, Open, Output, Outside,
    Poll, Select, Signal, SignalOf, Time,
};
use Limit::{Always, Millis, Never, Pointer};

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockingCall {
    pub(super) name: &'static str,
    pub(super) limit: Limit,
    pub(super) waits_for: For,
}

const CALLS: &[(&str, Limit, For)] = &[
    ("read", Never, Input),
    ("readv", Never, Input),
    ("pread64", Never, Input),
    ("preadv", Never, Input),
    ("preadv2", Never, Input),
    ("recvfrom", Never, Input),
    ("recvmsg", Never, Input),
    ("recvmmsg", Pointer(4), Input),
    ("write", Never, Output),
    ("writev", Never, Output),
    ("pwrite64", Never, Output),
    ("pwritev", Never, Output),
    ("pwritev2", Never, Output),
    ("sendto", Never, Output),
    ("sendmsg", Never, Output),
    ("sendmmsg", Never, Output),
    ("sendfile", Never, Output),
    ("accept", Never, Accept),
    ("accept4", Never, Accept),
    ("connect", Never, Connect),
    ("ioctl", Never, Descriptor),
    ("fsync", Never, Descriptor),
    ("fdatasync", Never, Descriptor),
    ("getdents64", Never, Descriptor),
    ("close", Never, Descriptor),
    ("flock", Never, Lock),
    ("fcntl", Never, Lock),
    ("poll", Millis(2), Poll),
    ("ppoll", Pointer(2), Poll),
    ("select", Pointer(4), Select),
    ("pselect6", Pointer(4), Select),
    ("epoll_wait", Millis(3), Epoll),
    ("epoll_pwait", Millis(3), Epoll),
    ("epoll_pwait2", Pointer(3), Epoll),
    ("futex", Pointer(3), Futex),
    ("open", Never, Open(0)),
    ("openat", Never, Open(1)),
    ("openat2", Never, Open(1)),
    ("wait4", Never, Child(0)),
    ("waitid", Never, Child(1)),
    ("pause", Never, Signal),
    ("rt_sigsuspend", Never, Signal),
    ("rt_sigtimedwait", Pointer(2), SignalOf),
    ("nanosleep", Always, Time),
    ("clock_nanosleep", Always, Time),
    ("clone", Never, Creation),
    ("vfork", Never, Creation),
    ("clone3", Never, Creation),
    ("semop", Never, Outside),
    ("semtimedop", Pointer(3), Outside),
    ("msgrcv", Never, Outside),
    ("msgsnd", Never, Outside),
];

/// The call with this name, if a thread may be blocked in it.
pub(super) fn blocking(name: &str) -> Option<BlockingCall> {
    let (name, limit, waits_for) = *CALLS.iter().find(|(known, ..)| *known == name)?;
    Some(BlockingCall {
        name,
        limit,
        waits_for,
    })
}

impl For {
    /// Whether it is no wait for others, but work of a file system or driver, as a rule.
    pub(super) fn may_be_work(self) -> bool {
        matches!(self, Descriptor | Open(_))
    }

    /// Whether the first argument is a descriptor that it is about.
    pub(super) fn is_of_descriptor(self) -> bool {
        matches!(self, Input | Output | Accept | Connect | Descriptor | Lock)
    }
}

impl Limit {
    pub(super) fn is_set(self, call: &Syscall) -> bool {
        let argument = |index: usize| call.args.get(index).copied().unwrap_or(1);
        match self {
            Never => false,
            Always => true,
            // An int: the upper half of the register is undefined.
            Millis(index) => argument(index) & 0x8000_0000 == 0,
            Pointer(index) => argument(index) != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::native_number;

    #[test]
    fn a_time_limit_is_seen_in_each_form() {
        let call = |args| Syscall { number: 0, args };
        let minus_one = 0xffff_ffff;
        assert!(!Millis(2).is_set(&call([0, 0, minus_one, 0, 0, 0])));
        assert!(!Millis(2).is_set(&call([0, 0, u64::MAX, 0, 0, 0])));
        assert!(Millis(2).is_set(&call([0, 0, 100, 0, 0, 0])));
        assert!(Pointer(4).is_set(&call([0, 0, 0, 0, 0x7ffc, 0])));
        assert!(!Pointer(4).is_set(&call([9, 9, 9, 9, 0, 9])));
        assert!(Always.is_set(&call([0; 6])) && !Never.is_set(&call([1; 6])));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn each_call_is_there_once_and_has_a_number() {
        for (name, ..) in CALLS {
            assert!(native_number(name).is_some(), "{name}");
            let rows = CALLS.iter().filter(|(known, ..)| known == name);
            assert_eq!(rows.count(), 1, "{name}");
        }
    }
}
