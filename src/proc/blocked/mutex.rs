//! Which thread holds a mutex that another sleeps on, by the number that the mutex has.
//!
//! The number is a tid in the pid namespace of the thread that locked it. It may be that
//! of no thread of the waiter's: a fork copies locked mutexes, and shared memory has
//! mutexes of several processes.

use std::fs;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::event::MutexHolder;
use crate::kernel::{Tgid, Tid};
use crate::proc::maps::{Mapping, mapping_at, mappings};
use crate::proc::{Stat, Status, status};

/// How far up an ancestor that locked a mutex is looked for.
const MOST_ANCESTORS: usize = 16;

/// The threads of a process, each with its number in its own pid namespace.
pub(super) fn numbered(tgid: Tgid, threads: &[Tid]) -> Vec<(u32, Tid)> {
    let is_nested = status(tgid.leader()).is_some_and(|status| is_nested(&status));
    let numbered = threads.iter().filter_map(|tid| {
        let number = if is_nested {
            number(&status(*tid)?)?
        } else {
            u32::try_from(tid.raw()).ok()?
        };
        Some((number, *tid))
    });
    numbered.collect()
}

/// Whether it is in a pid namespace below that of `/proc`.
fn is_nested(status: &Status) -> bool {
    status.ns_pids.len() > 1
}

fn number(status: &Status) -> Option<u32> {
    u32::try_from(status.ns_pids.last()?.raw()).ok()
}

/// Who holds a mutex that no other process can reach; `threads` are those of the waiter's.
pub(super) fn holder_within(tgid: Tgid, owner: u32, threads: &[(u32, Tid)]) -> Option<MutexHolder> {
    if let Some((_, tid)) = threads.iter().find(|(number, _)| *number == owner) {
        let is_dead = Stat::of_thread(tgid, *tid).is_none_or(|stat| b"ZX".contains(&stat.state));
        return Some(if is_dead {
            MutexHolder::Dead(*tid)
        } else {
            MutexHolder::Thread(tgid, *tid)
        });
    }
    copied_from(tgid, owner).or_else(|| dead(tgid, owner))
}

/// The ancestor that had locked a mutex when the process, or one between them, was forked:
/// one with a thread of this number that is older. None of the process can have had it.
fn copied_from(tgid: Tgid, owner: u32) -> Option<MutexHolder> {
    let own = Stat::read(tgid)?;
    let mut ancestor = own.parent;
    for _ in 0..MOST_ANCESTORS {
        let threads = crate::proc::threads(ancestor.leader());
        let threads = numbered(ancestor, &threads);
        let thread = threads.iter().find(|(number, _)| *number == owner);
        if let Some((_, tid)) = thread {
            let started = Stat::of_thread(ancestor, *tid)?.started;
            return (started <= own.started).then_some(MutexHolder::Ancestor(ancestor, *tid));
        }
        ancestor = Stat::read(ancestor)?.parent;
    }
    None
}

/// No thread has this number.
fn dead(tgid: Tgid, owner: u32) -> Option<MutexHolder> {
    if is_nested(&status(tgid.leader())?) {
        return None;
    }
    let owner = i32::try_from(owner).ok()?;
    let is_gone = kill(Pid::from_raw(owner), None) == Err(Errno::ESRCH);
    is_gone.then_some(MutexHolder::Dead(Tid::new(owner)))
}

/// A mutex in memory that several processes may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SharedMutex {
    owner: u32,
    /// Where it is mapped from.
    file: File,
    waiter: Tgid,
}

/// What is known of the holder of a shared mutex.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Candidates {
    threads: Vec<(Tgid, Tid)>,
    /// Some process that may have it is in another pid namespace, whose numbers are not
    /// unique here.
    is_open: bool,
}

impl SharedMutex {
    /// The mutex at this address; `None` if the memory there is the process's own.
    pub(super) fn at(tgid: Tgid, address: u64, owner: u32) -> Option<SharedMutex> {
        let maps = fs::read(format!("/proc/{tgid}/maps")).ok()?;
        Some(SharedMutex {
            owner,
            file: shared_file(&maps, address)?,
            waiter: tgid,
        })
    }

    /// Adds the threads of a process that may hold it.
    pub(super) fn add_holders(&self, tgid: Tgid, found: &mut Candidates) {
        let Ok(maps) = fs::read(format!("/proc/{tgid}/maps")) else {
            // One whose numbers are ours has not this one, if none of ours has.
            found.is_open |= status(tgid.leader()).is_some_and(|status| is_nested(&status));
            return;
        };
        if !mappings(&maps).any(|mapping| File::of(&mapping) == self.file) {
            return;
        }
        found.is_open |= status(tgid.leader()).is_none_or(|status| is_nested(&status));
        let threads = numbered(tgid, &crate::proc::threads(tgid.leader()));
        let holders = threads.iter().filter(|(number, _)| *number == self.owner);
        found.threads.extend(holders.map(|(_, tid)| (tgid, *tid)));
    }

    /// The holder; `is_all`: every process was looked at.
    pub(super) fn holder(&self, found: &Candidates, is_all: bool) -> Option<MutexHolder> {
        match found.threads.as_slice() {
            [(tgid, tid)] => Some(MutexHolder::Thread(*tgid, *tid)),
            [] if is_all && !found.is_open => dead(self.waiter, self.owner),
            _ => None,
        }
    }
}

/// A file that several processes may have mapped: its device, as `/proc/PID/maps` spells
/// it, and its inode.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File(Vec<u8>, u64);

impl File {
    fn of(mapping: &Mapping<'_>) -> File {
        File(mapping.device.to_vec(), mapping.inode)
    }
}

/// The file of the mapping that has this address, if that is shared.
fn shared_file(maps: &[u8], address: u64) -> Option<File> {
    let mapping = mapping_at(maps, address)?;
    (mapping.rights[3] == b's').then(|| File::of(&mapping))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_mapping_is_known_by_its_file() {
        let maps = b"55d0a000-55d0b000 rw-p 00000000 fe:00 11 /bin/x\n\
            7f2c4a000000-7f2c4a001000 rw-s 00000000 00:01 2052                       /dev/zero (deleted)\n\
            7f2c4a001000-7f2c4a002000 rw-p 00000000 00:00 0 \n";
        let file = File(b"00:01".to_vec(), 2052);
        assert_eq!(shared_file(maps, 0x7f2c_4a00_0010), Some(file));
        for own in [0x55d0_a000, 0x7f2c_4a00_1000, 0x10] {
            assert_eq!(shared_file(maps, own), None);
        }
    }

    #[test]
    fn a_shared_mutex_has_a_holder_where_one_thread_alone_may_be_it() {
        let mutex = SharedMutex {
            owner: u32::MAX >> 2,
            file: File(b"00:01".to_vec(), 2052),
            waiter: Tgid::new(i32::try_from(std::process::id()).unwrap()),
        };
        let held_by = |threads: &[i32], is_open| {
            let named = threads.iter().map(|tid| (Tgid::new(7), Tid::new(*tid)));
            let found = Candidates {
                threads: named.collect(),
                is_open,
            };
            assert!(!threads.is_empty() || mutex.holder(&found, false).is_none());
            mutex.holder(&found, true)
        };
        let holder = MutexHolder::Thread(Tgid::new(7), Tid::new(8));
        assert_eq!(held_by(&[8], true), Some(holder));
        assert_eq!(held_by(&[8, 9], false), None);
        assert_eq!(held_by(&[], true), None);
        let dead = MutexHolder::Dead(Tid::new(i32::MAX >> 1));
        assert_eq!(held_by(&[], false), Some(dead), "more than any pid");
    }
}
