//! Locks of files: which one a process waits for (`/proc/locks`), and who holds it
//! (`/proc/PID/fdinfo`, since a lock of flock outlives the process that took it).

use std::fs;

use crate::event::PipeSide;
use crate::kernel::Tgid;
use crate::proc::descriptors::{descriptors, fd_info};

/// A lock that a process waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lock {
    /// The file, as links in `/proc/PID/fd` show it.
    pub(super) path: Vec<u8>,
    /// Device and inode, as `/proc/locks` spells them; `None` if it is not there.
    inode: Option<String>,
    /// The process that took it, which may be dead.
    taker: Option<Tgid>,
}

/// The lock of this file that a process waits for.
pub(super) fn awaited(tgid: Tgid, path: Vec<u8>) -> Lock {
    let text = fs::read_to_string("/proc/locks").unwrap_or_default();
    let (inode, taker) = blocker(&text, tgid).unzip();
    Lock {
        path,
        inode: inode.map(str::to_owned),
        taker: taker.flatten(),
    }
}

/// The lock that keeps this process: its inode, and who took it.
///
/// ```text
/// 1: FLOCK  ADVISORY  WRITE 983 fe:00:10011067 0 EOF
/// 1: -> FLOCK  ADVISORY  WRITE 1004 fe:00:10011067 0 EOF
/// ```
fn blocker(text: &str, waiter: Tgid) -> Option<(&str, Option<Tgid>)> {
    let lines = text.lines().filter_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let waits = rest.trim_start().strip_prefix("->");
        let mut words = waits.unwrap_or(rest).split_ascii_whitespace().skip(3);
        let pid: i32 = words.next()?.parse().ok()?;
        Some((number, waits.is_some(), pid, words.next()?))
    });
    let lines: Vec<_> = lines.collect();
    let waits = lines
        .iter()
        .find(|(_, waits, pid, _)| *waits && *pid == waiter.raw())?;
    let held = lines
        .iter()
        .find(|(number, waits_too, ..)| *number == waits.0 && !waits_too);
    // An open file description's lock is nobody's: -1.
    let taker = held.map(|(_, _, pid, _)| *pid).filter(|pid| *pid > 0);
    Some((waits.3, taker.map(Tgid::new)))
}

impl Lock {
    /// Who holds it: these, by their descriptors, or else who took it.
    pub(super) fn holders(&self, sides: &[PipeSide], waiter: Tgid) -> Vec<PipeSide> {
        let mut holders = sides.to_vec();
        if holders.is_empty()
            && let Some(taker) = self.taker.filter(|taker| *taker != waiter)
            && let Some(comm) = crate::proc::comm(taker.leader())
        {
            holders.push(PipeSide {
                tgid: taker,
                comm,
                fd: -1,
            });
        }
        holders
    }

    /// Whether a descriptor's `fdinfo` shows that it holds the lock.
    fn is_held_by(&self, info: &str) -> bool {
        let locks = info.lines().filter_map(|line| line.strip_prefix("lock:"));
        locks
            .filter(|lock| !lock.contains("->"))
            .any(|lock| self.inode.as_ref().is_none_or(|inode| lock.contains(inode)))
    }
}

/// Adds what one process holds of these locks.
pub(super) fn add_holders(locks: &[Lock], tgid: Tgid, found: &mut [Vec<PipeSide>]) {
    if locks.is_empty() {
        return;
    }
    for (fd, link) in descriptors(tgid).into_iter().flatten() {
        if locks.iter().all(|lock| lock.path != link) {
            continue;
        }
        let info = fd_info(tgid, fd).unwrap_or_default();
        for (lock, sides) in locks.iter().zip(&mut *found) {
            if lock.path == link && lock.is_held_by(&info) {
                let comm = crate::proc::comm(tgid.leader()).unwrap_or_default();
                sides.push(PipeSide { tgid, comm, fd });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_is_kept_by_the_lock_of_the_same_number() {
        let text = "1: POSIX  ADVISORY  WRITE 11 fe:00:7 0 EOF\n\
            2: FLOCK  ADVISORY  WRITE 983 fe:00:10011067 0 EOF\n\
            2: -> FLOCK  ADVISORY  WRITE 1004 fe:00:10011067 0 EOF\n\
            2:  -> FLOCK  ADVISORY  WRITE 1005 fe:00:10011067 0 EOF\n\
            3: OFDLCK ADVISORY  READ -1 00:1c:5 0 EOF\n\
            3: -> OFDLCK ADVISORY  WRITE 7 00:1c:5 0 EOF\n";
        let found = |pid| blocker(text, Tgid::new(pid));
        let first = Some(("fe:00:10011067", Some(Tgid::new(983))));
        assert_eq!(found(1004), first);
        assert_eq!(found(1005), first);
        assert_eq!(found(7), Some(("00:1c:5", None)));
        assert_eq!(found(11), None);
    }

    #[test]
    fn a_descriptor_holds_the_lock_of_its_inode() {
        let lock = Lock {
            path: Vec::new(),
            inode: Some("fe:00:7".to_owned()),
            taker: None,
        };
        let held = "pos:\t0\nlock:\t1: FLOCK  ADVISORY  WRITE 983 fe:00:7 0 EOF\n";
        assert!(lock.is_held_by(held));
        assert!(!lock.is_held_by("pos:\t0\n"));
        assert!(!lock.is_held_by(&held.replace(":7", ":8")));
    }
}
