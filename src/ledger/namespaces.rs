//! Translation between pid namespaces: the same number means different processes
//! to different tracees.

use rustc_hash::FxHashMap;

use crate::event::NsPids;
use crate::kernel::{NsPid, Tgid};

/// The inodes of the namespaces that a process is in, below the tracer's, outermost
/// first; 0 for an unknown one.
pub(super) type Levels = Vec<u64>;

/// Which process has which pid in which namespace below the tracer's.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    by_pid: FxHashMap<(u64, NsPid), Tgid>,
}

impl Namespaces {
    /// Adds a process; returns the namespaces it is in. It shares the outer ones with
    /// its parent, whose namespaces are `parent`.
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

    /// Removes a process, unless its pids now belong to another.
    pub(super) fn leave(&mut self, tgid: Tgid, ns: &NsPids, levels: &[u64]) {
        for (inode, pid) in levels.iter().zip(ns.chain.iter().skip(1)) {
            let key = (*inode, *pid);
            if self.by_pid.get(&key) == Some(&tgid) {
                self.by_pid.remove(&key);
            }
        }
    }

    /// The process that a task in these namespaces calls `pid`.
    pub(super) fn find(&self, levels: &[u64], pid: NsPid) -> Option<Tgid> {
        let inode = levels.last()?;
        self.by_pid.get(&(*inode, pid)).copied()
    }
}
