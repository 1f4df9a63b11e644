//! The end of processes, and what follows: orphans, adoption, reaps.

use super::process::{End, ParentId, Process, Reap, Stamp};
use super::processes::Ledger;
use super::waits::{BlockedTime, ReapKind};
use crate::event::{Event, ZombieProbe};
use crate::kernel::{NsPid, Signal, Tgid, WaitStatus};

/// How many reaped processes are remembered: a wait may name one that another wait
/// reaped a while ago.
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
        let has_children = process.children > 0;
        self.orphans.remove(&tgid);
        let (as_parent, parent, exit_signal) =
            (process.as_parent(), process.parent, process.exit_signal);
        self.end_vfork(tgid);
        let living = parent.and_then(|parent| self.parent_mut(parent));
        let living = living.filter(|parent| parent.ended.is_none());
        let parent_busy = living.as_ref().map(|parent| parent.blocked_until(now.at));
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
            self.bury(tgid, ReapKind::Kernel);
        } else if !is_watched {
            self.bury(tgid, ReapKind::Unseen);
        }
        if has_children {
            self.orphan_children(as_parent);
        }
    }

    /// The children of a dead process get another parent, which later events or a
    /// probe show, if anything does. The pid may be reused soon.
    fn orphan_children(&mut self, parent: ParentId) {
        let now = self.now;
        let mut zombies = Vec::new();
        for child in self.processes.values_mut() {
            if child.parent != Some(parent) || child.reaped.is_some() {
                continue;
            }
            child.parent = None;
            child.orphaned = Some((now, parent));
            if child.is_zombie() {
                zombies.push((child.id, child.tgid));
            } else {
                self.orphans.insert(child.tgid);
            }
        }
        zombies.sort_unstable();
        let zombies = zombies.into_iter().map(|(_, tgid)| tgid);
        self.orphaned.extend(zombies);
        if let Some(dead) = self.parent_mut(parent) {
            dead.zombies.clear();
            dead.children = 0;
        }
    }

    /// A process gets the signal of a crash from another process. If that is its parent,
    /// the parent expects the crash.
    pub(super) fn crash_sent(&mut self, tgid: Tgid, sender: NsPid) {
        let sender = self.existing(tgid, sender).map(Process::as_parent);
        if let Some(process) = self.processes.get_mut(&tgid) {
            process.history.crash_was_sent |= sender.is_some() && process.parent == sender;
        }
    }

    /// SIGCHLD reports the end of a child that is not traced.
    pub(super) fn untraced_child_died(&mut self, parent: Tgid, pid: NsPid, status: WaitStatus) {
        let by = self.parent_id(parent);
        let child = self
            .recall(parent, pid)
            .filter(|child| !child.is_traced && child.ended.is_none() && child.parent == Some(by));
        let child = child.map(|child| child.tgid);
        if let Some(child) = child.filter(|_| status.is_end()) {
            self.untraced_child_ended(parent, child, status, self.now);
        }
    }

    /// A child that is not traced is a zombie.
    pub(super) fn untraced_child_ended(
        &mut self,
        parent: Tgid,
        child: Tgid,
        status: WaitStatus,
        when: Stamp,
    ) {
        let mut parent_busy = BlockedTime::default();
        if let Some(parent) = self.processes.get_mut(&parent) {
            parent.zombies.insert(child);
            parent_busy = parent.blocked_until(when.at);
        }
        if let Some(child) = self.processes.get_mut(&child) {
            child.ended = Some(End {
                when,
                status,
                parent_busy,
            });
        }
    }

    /// A probe of `/proc` completes what no event has shown.
    pub(super) fn looked_at(&mut self, probe: &ZombieProbe) {
        let child = self.processes.get(&probe.child);
        let Some(child) = child.filter(|child| child.is_zombie()) else {
            return;
        };
        let (known, tgid, orphaned) = (child.parent, child.tgid, child.orphaned);
        let is_traced = child.is_traced;
        let Some(owner) = probe.zombie else {
            let parent = known.and_then(|parent| self.parent_mut(parent));
            let lives = parent.is_some_and(|parent| parent.is_traced && parent.ended.is_none());
            self.counts.reaped_unobserved += u64::from(is_traced && lives);
            self.bury(tgid, ReapKind::Unseen);
            return;
        };
        for (tgid, group) in [(tgid, owner.child_group), (owner.parent, owner.group)] {
            if let Some(process) = self.processes.get_mut(&tgid) {
                process.group = Some(group);
            }
        }
        let now = self.parent_id(owner.parent);
        if known == Some(now) {
            return;
        }
        if now.id.is_some() {
            // It was orphaned when its parent died, not when it was probed.
            let from = orphaned.map(|(_, from)| from).or(known);
            self.adopted(tgid, from.map_or(tgid, |from| from.tgid), owner.parent);
            if let Some(child) = self.processes.get_mut(&tgid) {
                child.adopted = orphaned.or(child.adopted);
            }
        } else {
            self.bury(tgid, ReapKind::Unseen);
        }
    }

    /// A process is gone, but no wait that reaped it was observed.
    pub(super) fn bury(&mut self, tgid: Tgid, way: ReapKind) {
        let process = self.processes.get(&tgid);
        let by_process = process
            .and_then(|process| process.parent)
            .unwrap_or(ParentId::untraced(tgid));
        self.reap(
            tgid,
            Reap {
                when: self.now,
                by: by_process.tgid.leader(),
                by_process,
                way,
                took_status: false,
                was_only_child: false,
            },
        );
    }

    /// A process is reaped; it is remembered for a while.
    pub(super) fn reap(&mut self, tgid: Tgid, reap: Reap) {
        let Some(process) = self.processes.get_mut(&tgid) else {
            return;
        };
        let was_known = process.reaped.replace(reap).is_some();
        let (id, parent) = (process.id, process.parent);
        if was_known {
            return;
        }
        self.leave_parent(tgid, parent);
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
        self.orphans.remove(&tgid);
        if let Some(process) = self.processes.remove(&tgid) {
            if process.reaped.is_none() {
                self.leave_parent(tgid, process.parent);
            }
            if let Some(ns) = &process.ns {
                self.namespaces.leave(tgid, ns, &process.levels);
            }
            self.spare = Some(process);
        }
    }
}
