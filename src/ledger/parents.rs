//! Whose child a process is, and how that changes: a parent that is attached to later,
//! and adoption.

use std::collections::hash_map::Entry;

use super::process::ParentId;
use super::processes::Ledger;
use crate::kernel::Tgid;

impl Ledger {
    /// A process is attached to of which children are known already.
    pub(super) fn claim_children(&mut self, tgid: Tgid) {
        let Some(unclaimed) = self.unclaimed.remove(&tgid) else {
            return;
        };
        let parent = self.parent_id(tgid);
        let mut zombies = Vec::new();
        let mut children = 0;
        for child in unclaimed {
            let child = self.processes.get_mut(&child).filter(|child| {
                child.parent == Some(ParentId::untraced(tgid)) && child.reaped.is_none()
            });
            if let Some(child) = child {
                child.parent = Some(parent);
                children += 1;
                zombies.extend(child.is_zombie().then_some(child.tgid));
            }
        }
        if let Some(parent) = self.parent_mut(parent) {
            parent.children += children;
            parent.zombies.extend(zombies);
        }
    }

    /// A child has this parent from now on.
    pub(super) fn join_parent(&mut self, child: Tgid, parent: ParentId) {
        if parent.id.is_none() {
            self.unclaimed.entry(parent.tgid).or_default().insert(child);
        } else if let Some(parent) = self.parent_mut(parent) {
            parent.children += 1;
        }
    }

    pub(super) fn leave_parent(&mut self, child: Tgid, parent: Option<ParentId>) {
        let Some(parent) = parent else {
            return;
        };
        if parent.id.is_none() {
            if let Entry::Occupied(mut unclaimed) = self.unclaimed.entry(parent.tgid) {
                unclaimed.get_mut().remove(&child);
                if unclaimed.get().is_empty() {
                    unclaimed.remove();
                }
            }
        } else if let Some(parent) = self.parent_mut(parent) {
            parent.zombies.remove(&child);
            parent.children = parent.children.saturating_sub(1);
        }
    }

    pub(super) fn adopted(&mut self, child: Tgid, from: Tgid, parent: Tgid) {
        let (now, new) = (self.now, self.parent_id(parent));
        let before = self.processes.get(&child).and_then(|child| {
            let orphaned = child.orphaned.map(|(_, before)| before);
            orphaned
                .or(child.parent)
                .filter(|before| before.tgid == from)
        });
        let from = before.unwrap_or(ParentId {
            tgid: from,
            id: None,
        });
        let Some(process) = self.processes.get(&child) else {
            return;
        };
        self.leave_parent(child, process.parent);
        let Some(process) = self.processes.get_mut(&child) else {
            return;
        };
        process.parent = Some(new);
        process.adopted = Some((now, from));
        let is_zombie = process.is_zombie();
        self.join_parent(child, new);
        let Some(parent) = self.parent_mut(new).filter(|_| is_zombie) else {
            return;
        };
        parent.zombies.insert(child);
        let busy = parent.blocked_until(now.at);
        let end = self.processes.get_mut(&child);
        if let Some(end) = end.and_then(|child| child.ended.as_mut()) {
            end.parent_busy = busy;
        }
    }
}
