//! Translation between pid namespaces: the same number means different
//! processes to different tracees.

use rustc_hash::FxHashMap;

use crate::event::NsPids;
use crate::kernel::{NsPid, Tgid};

/// The inodes of the namespaces that a process is in, from the one inside
/// ours inwards; 0 for one that was never seen.
pub(super) type Levels = Vec<u64>;

/// Which process has which pid in which namespace inside ours.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    by_pid: FxHashMap<(u64, NsPid), Tgid>,
}

impl Namespaces {
    /// Enter a process; returns the namespaces it is in. It shares the outer
    /// ones with its parent, whose levels are `parent`.
    pub(super) fn enter(&mut self, tgid: Tgid, ns: &NsPids, parent: &[u64]) -> Levels {
        let depth = ns.chain.len().saturating_sub(1);
        let mut levels: Levels = parent.iter().copied().take(depth).collect();
        levels.resize(depth, 0);
        if let Some(own) = levels.last_mut() {
            *own = ns.inode;
        }
        for (inode, pid) in levels.iter().zip(ns.chain.iter().skip(1)) {
            if *inode != 0 {
                self.by_pid.insert((*inode, *pid), tgid);
            }
        }
        levels
    }

    /// Forget a process, unless its pids were given to another meanwhile.
    pub(super) fn leave(&mut self, tgid: Tgid, ns: &NsPids, levels: &[u64]) {
        for (inode, pid) in levels.iter().zip(ns.chain.iter().skip(1)) {
            let key = (*inode, *pid);
            if self.by_pid.get(&key) == Some(&tgid) {
                self.by_pid.remove(&key);
            }
        }
    }

    /// Whom a task in these namespaces calls `pid`.
    pub(super) fn find(&self, levels: &[u64], pid: NsPid) -> Option<Tgid> {
        let inode = levels.last()?;
        self.by_pid.get(&(*inode, pid)).copied()
    }
}
