//! The system call that a thread sleeps in, and what can end it: time, other
//! processes of its family, or the world outside.

use rustc_hash::FxHashSet;

use super::awaited::awaited_descriptors;
use super::calls::{For, Limit, blocking};
use super::maps::mapping_at;
use super::streams::{Wakers, wakers_of};
use super::{Syscall, is_64_bit};
use crate::kernel::{Abi, Tgid, Tid, syscall_name};

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
    limit: Limit,
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
        let call = blocking(name).filter(|call| !call.waits_for.may_be_work())?;
        Some(Asleep {
            call: call.name,
            first: syscall.args[0],
            is_timed: call.limit.is_set(&syscall),
            syscall,
            limit: call.limit,
            waits_for: call.waits_for,
        })
    }

    /// The pid or descriptor that it waits for, if it names one.
    pub(crate) fn argument(&self) -> Option<i64> {
        let is_named = self.waits_for.is_of_descriptor() || self.waits_for == For::Child(0);
        is_named.then(|| i64::from(((self.first & 0xffff_ffff) as u32).cast_signed()))
    }

    /// Whether it is a plain sleep, not a wait that gives up after a time.
    pub(crate) fn is_plain_sleep(&self) -> bool {
        self.waits_for == For::Time
    }

    /// How long it sleeps at most, in milliseconds, where the call's argument says so.
    pub(crate) fn limit_millis(&self) -> Option<u32> {
        let Limit::Millis(index) = self.limit else {
            return None;
        };
        let millis = self.syscall.args.get(index)? & 0xffff_ffff;
        u32::try_from(millis).ok().filter(|_| self.is_timed)
    }

    /// What can wake the thread, as far as it can be known.
    pub(crate) fn wakers(&self, tgid: Tgid, tid: Tid, family: &FxHashSet<Tgid>) -> Wakers {
        if self.is_timed {
            return Wakers::Time;
        }
        match self.waits_for {
            For::Child(_) | For::Signal | For::SignalOf | For::Time => Wakers::Family,
            For::Futex => futex_wakers(tgid, &self.syscall),
            For::Output => {
                let fd = i32::try_from(self.first).ok();
                fd.map_or(Wakers::World, |fd| wakers_of(tgid, &[fd], true, family))
            }
            For::Input | For::Poll | For::Select | For::Epoll => {
                match awaited_descriptors(tgid, tid) {
                    Some(fds) => wakers_of(tgid, &fds, false, family),
                    None => Wakers::World,
                }
            }
            // A connection, a lock, a message are not looked at.
            For::Accept
            | For::Connect
            | For::Descriptor
            | For::Lock
            | For::Open(_)
            | For::Creation
            | For::Outside => Wakers::World,
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
