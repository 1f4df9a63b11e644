//! How processes end, and what becomes of the dead.

use super::process::{End, Reap, Stamp};
use super::processes::Ledger;
use super::waits::{Busy, Way};
use crate::event::{Corpse, Event};
use crate::kernel::{NsPid, Signal, Tgid, WaitStatus};

/// How many reaped processes are remembered: a wait may come for one that
/// somebody else took a while ago.
const MOST_REMEMBERED: usize = 4096;

impl Ledger {
    pub(super) fn ended(&mut self, event: &Event, status: WaitStatus) {
        self.departed.push(event.tid);
        self.leave_wait(event.tid);
        if event.tgid.leader() == event.tid {
            self.process_ended(event.tgid, status);
        }
    }

    fn process_ended(&mut self, tgid: Tgid, status: WaitStatus) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(&tgid) else {
            return;
        };
        process.stopped = None;
        let mut orphans: Vec<Tgid> = process.zombies.drain().collect();
        let (parent, exit_signal) = (process.parent, process.exit_signal);
        self.end_vfork(parent, tgid);
        let living = parent.and_then(|parent| self.processes.get_mut(&parent));
        let living = living.filter(|parent| parent.ended.is_none());
        let parent_busy = living.as_ref().map(|parent| parent.busy_until(now.at));
        let by_kernel = living.as_ref().is_some_and(|parent| {
            exit_signal == Some(Signal::CHLD) && parent.sigchld.reaps_for_us() == Some(true)
        });
        let is_watched = living.is_some();
        if let Some(parent) = living {
            parent.zombies.insert(tgid);
        }
        if let Some(process) = self.processes.get_mut(&tgid) {
            process.ended = Some(End {
                when: now,
                status,
                parent_busy: parent_busy.unwrap_or_default(),
            });
        }
        if by_kernel {
            self.bury(tgid, Way::Kernel);
        } else if !is_watched {
            self.bury(tgid, Way::Unseen);
        }
        orphans.sort_unstable_by_key(|tgid| self.processes.get(tgid).map(|orphan| orphan.id));
        for orphan in &orphans {
            if let Some(orphan) = self.processes.get_mut(orphan) {
                // Whoever has it now is looked up, if it stays.
                orphan.parent = None;
                orphan.orphaned = Some((now, tgid));
            }
        }
        self.orphaned.extend(orphans);
    }

    /// SIGCHLD tells of the end of a child that is not traced.
    pub(super) fn kin_died(&mut self, parent: Tgid, pid: NsPid, status: WaitStatus) {
        let child = self.recall(parent, pid).filter(|child| {
            !child.is_traced && child.ended.is_none() && child.parent == Some(parent)
        });
        let child = child.map(|child| child.tgid);
        if let Some(child) = child.filter(|_| super::is_end(status)) {
            self.kin_ended(parent, child, status, self.now);
        }
    }

    /// A child that is not traced is a zombie.
    pub(super) fn kin_ended(&mut self, parent: Tgid, child: Tgid, status: WaitStatus, when: Stamp) {
        let mut parent_busy = Busy::default();
        if let Some(parent) = self.processes.get_mut(&parent) {
            parent.zombies.insert(child);
            parent_busy = parent.busy_until(when.at);
        }
        if let Some(child) = self.processes.get_mut(&child) {
            child.ended = Some(End {
                when,
                status,
                parent_busy,
            });
        }
    }

    /// What `/proc` says of a zombie settles what no event told.
    pub(super) fn looked_at(&mut self, corpse: &Corpse) {
        let child = self.processes.get(&corpse.child);
        let Some(child) = child.filter(|child| child.is_zombie()) else {
            return;
        };
        let (known, tgid, orphaned) = (child.parent, child.tgid, child.orphaned);
        let Some(owner) = corpse.zombie else {
            self.bury(tgid, Way::Unseen);
            return;
        };
        for (tgid, group) in [(tgid, owner.child_group), (owner.parent, owner.group)] {
            if let Some(process) = self.processes.get_mut(&tgid) {
                process.group = Some(group);
            }
        }
        if known == Some(owner.parent) {
            return;
        }
        let is_traced = self
            .processes
            .get(&owner.parent)
            .is_some_and(|parent| parent.ended.is_none());
        if is_traced {
            // It was orphaned when its parent died, not when we looked.
            self.adopted(tgid, known.unwrap_or(tgid), owner.parent);
            if let Some(child) = self.processes.get_mut(&tgid) {
                child.adopted = orphaned.or(child.adopted);
            }
        } else {
            self.bury(tgid, Way::Unseen);
        }
    }

    /// A process is gone by other means than a wait that was seen.
    pub(super) fn bury(&mut self, tgid: Tgid, way: Way) {
        let by = self.processes.get(&tgid).and_then(|process| process.parent);
        let by = by.unwrap_or(tgid);
        self.reap(
            tgid,
            Reap {
                when: self.now,
                by: by.leader(),
                by_process: by,
                way,
                took_status: false,
            },
        );
    }

    /// A process is gone; it is remembered for a while.
    pub(super) fn reap(&mut self, tgid: Tgid, reap: Reap) {
        let Some(process) = self.processes.get_mut(&tgid) else {
            return;
        };
        let was_known = process.reaped.replace(reap).is_some();
        let (id, parent) = (process.id, process.parent);
        if was_known {
            return;
        }
        if let Some(parent) = parent.and_then(|parent| self.processes.get_mut(&parent)) {
            parent.zombies.remove(&tgid);
            parent.children = parent.children.saturating_sub(1);
        }
        self.remembered.push_back((tgid, id));
        if self.remembered.len() > MOST_REMEMBERED
            && let Some((oldest, id)) = self.remembered.pop_front()
            && self.processes.get(&oldest).is_some_and(|old| old.id == id)
        {
            self.forgot = true;
            self.forget(oldest);
        }
    }

    pub(super) fn forget(&mut self, tgid: Tgid) {
        if let Some(process) = self.processes.remove(&tgid) {
            if let Some(ns) = &process.ns {
                self.namespaces.leave(tgid, ns, &process.levels);
            }
            self.spare = Some(process);
        }
    }
}
