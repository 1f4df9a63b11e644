//! The system call that a thread sleeps in, and what can end it: time, other
//! processes of its family, or the world outside.

use std::os::unix::ffi::OsStrExt;

use rustc_hash::FxHashSet;

use super::awaited::awaited_descriptors;
use super::maps::mapping_at;
use super::streams::{Wakers, wakers_of};
use super::{Syscall, is_64_bit};
use crate::kernel::{Abi, Tgid, Tid, syscall_name};

/// What limits the time of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
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
enum For {
    /// Children, signals, other threads of the family.
    Family,
    /// Descriptors that become readable.
    Input,
    /// A descriptor that becomes writable.
    Output,
    /// Another thread that shares the memory.
    Futex,
    /// Something that is not looked at: a connection, a message, a lock.
    Outside,
    /// The exec or the end of a vfork child; or a fork that is under way, on a
    /// machine that has no memory or time for it at the moment.
    Creation,
}

use For::{Creation, Family, Futex, Input, Output, Outside};
use Limit::{Always, Millis, Never, Pointer};

/// The 64-bit calls that a hang may be in.
const CALLS: &[(&str, Limit, For)] = &[
    ("read", Never, Input),
    ("readv", Never, Input),
    ("write", Never, Output),
    ("writev", Never, Output),
    ("poll", Millis(2), Input),
    ("ppoll", Pointer(2), Input),
    ("select", Pointer(4), Input),
    ("pselect6", Pointer(4), Input),
    ("epoll_wait", Millis(3), Input),
    ("epoll_pwait", Millis(3), Input),
    ("epoll_pwait2", Pointer(3), Input),
    ("pause", Never, Family),
    ("rt_sigsuspend", Never, Family),
    ("rt_sigtimedwait", Pointer(2), Family),
    ("wait4", Never, Family),
    ("waitid", Never, Family),
    ("clone", Never, Creation),
    ("vfork", Never, Creation),
    ("clone3", Never, Creation),
    ("futex", Pointer(3), Futex),
    ("accept", Never, Outside),
    ("accept4", Never, Outside),
    ("connect", Never, Outside),
    ("recvfrom", Never, Outside),
    ("recvmsg", Never, Outside),
    ("flock", Never, Outside),
    ("fcntl", Never, Outside),
    ("semop", Never, Outside),
    ("msgrcv", Never, Outside),
    ("nanosleep", Always, Family),
    ("clock_nanosleep", Always, Family),
];

/// What a thread sleeps in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asleep {
    /// The call's name.
    pub(crate) call: &'static str,
    /// Its first argument.
    pub(crate) first: u64,
    /// Whether time ends it.
    pub(crate) is_timed: bool,
    syscall: Syscall,
    waits_for: For,
}

impl Asleep {
    /// What a thread sleeps in; `None` if it runs, or in a call that is not
    /// known here.
    pub(crate) fn read(tgid: Tgid, tid: Tid) -> Option<Asleep> {
        let syscall = Syscall::read(tgid, tid)?;
        if !is_64_bit(tgid) {
            return None;
        }
        let name = syscall_name(Abi::NATIVE, syscall.number)?;
        let (call, limit, waits_for) = CALLS.iter().find(|(call, ..)| *call == name)?;
        Some(Asleep {
            call,
            first: syscall.args[0],
            is_timed: limit.is_set(&syscall),
            syscall,
            waits_for: *waits_for,
        })
    }

    /// The pid or descriptor that it waits for, if it names one.
    pub(crate) fn argument(&self) -> Option<i64> {
        let is_named = matches!(self.call, "read" | "readv" | "write" | "writev" | "wait4");
        is_named.then(|| i64::from(((self.first & 0xffff_ffff) as u32).cast_signed()))
    }

    /// Whether it is a plain sleep, not a wait that gives up after a time.
    pub(crate) fn is_plain_sleep(&self) -> bool {
        matches!(self.call, "nanosleep" | "clock_nanosleep")
    }

    /// How long it sleeps at most, in milliseconds, where the call's argument says so.
    pub(crate) fn limit_millis(&self) -> Option<u32> {
        let (_, limit, _) = CALLS.iter().find(|(call, ..)| *call == self.call)?;
        let Millis(index) = limit else {
            return None;
        };
        let millis = self.syscall.args.get(*index)? & 0xffff_ffff;
        u32::try_from(millis).ok().filter(|_| self.is_timed)
    }

    /// What can wake the thread, as far as it can be known.
    pub(crate) fn wakers(&self, tgid: Tgid, tid: Tid, family: &FxHashSet<Tgid>) -> Wakers {
        if self.is_timed {
            return Wakers::Time;
        }
        match self.waits_for {
            Family => Wakers::Family,
            Creation | Outside => Wakers::World,
            Futex => futex_wakers(tgid, &self.syscall),
            Output => {
                let fd = i32::try_from(self.first).ok();
                fd.map_or(Wakers::World, |fd| wakers_of(tgid, &[fd], true, family))
            }
            Input => match awaited_descriptors(tgid, tid) {
                Some(fds) => wakers_of(tgid, &fds, false, family),
                None => Wakers::World,
            },
        }
    }
}

impl Limit {
    fn is_set(self, call: &Syscall) -> bool {
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

/// Who can wake a thread that waits for a futex: its own family if the futex is
/// private, or lies in memory that has no name for others.
fn futex_wakers(tgid: Tgid, call: &Syscall) -> Wakers {
    const PRIVATE: u64 = 128;
    const OPERATION: u64 = 0x7f;
    /// `FUTEX_WAIT`, `FUTEX_LOCK_PI`, `FUTEX_WAIT_BITSET`, `FUTEX_WAIT_REQUEUE_PI`,
    /// `FUTEX_LOCK_PI2`.
    const WAITS: [u64; 5] = [0, 6, 9, 11, 13];
    let [addr, operation, ..] = call.args;
    if !WAITS.contains(&(operation & OPERATION)) {
        return Wakers::World;
    }
    if operation & PRIVATE != 0 || lies_in_unnamed_memory(tgid, addr) {
        Wakers::Family
    } else {
        Wakers::World
    }
}

/// Whether no other process can map the memory at this address by a name.
fn lies_in_unnamed_memory(tgid: Tgid, addr: u64) -> bool {
    let Ok(maps) = std::fs::read(format!("/proc/{tgid}/maps")) else {
        return false;
    };
    mapping_at(&maps, addr).is_some_and(|mapping| {
        let name = mapping.name;
        name.is_empty() || name.starts_with(b"[") || name.ends_with(b"(deleted)")
    })
}

/// Whether a process has made timers (`timer_create`), armed or not.
pub(crate) fn has_posix_timers(tgid: Tgid) -> bool {
    let timers = std::fs::read(format!("/proc/{tgid}/timers"));
    timers.is_ok_and(|timers| !timers.is_empty())
}

/// Whether a process has a descriptor of this kind, by its link.
pub(crate) fn has_descriptor(tgid: Tgid, kinds: &[&[u8]]) -> bool {
    let Ok(fds) = std::fs::read_dir(format!("/proc/{tgid}/fd")) else {
        return false;
    };
    fds.flatten().any(|entry| {
        let link = std::fs::read_link(entry.path());
        link.is_ok_and(|link| {
            let link = link.as_os_str().as_bytes();
            kinds.iter().any(|kind| link.starts_with(kind))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
