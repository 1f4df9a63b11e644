//! What the ledger keeps of one process.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::namespaces::Levels;
use super::sigchld::Sigchld;
use super::waits::{BlockedTime, NO_WAITS, ReapKind, WaitHistory, Waits};
use crate::event::{How, Image, Moment, NsPids, Stack};
use crate::kernel::{Signal, Status, Tgid, Tid, WaitStatus};

/// A process for good: pids are used again, this is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub(super) u64);

#[cfg(test)]
impl ProcessId {
    /// One that is as good as any.
    pub(crate) fn from_number(number: u64) -> ProcessId {
        ProcessId(number)
    }
}

/// A parent. Its pid may be another process's by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParentId {
    /// Its pid in the tracer's namespace.
    pub tgid: Tgid,
    /// Which process that is; `None` for one that is not traced.
    pub id: Option<ProcessId>,
}

/// A process: alive, a zombie, or reaped a while ago.
#[derive(Clone, Debug)]
pub struct Process {
    /// Who it is, whatever becomes of its pid.
    pub id: ProcessId,
    /// Its pid in the tracer's namespace.
    pub tgid: Tgid,
    /// Its real parent, as far as it is known; `None` once that is dead, until
    /// it is known which process adopted it.
    pub parent: Option<ParentId>,
    /// When it came into being, or under trace.
    pub born: Stamp,
    /// The thread that created it, and by which kind of call, if that was seen.
    pub creator: Option<(Tid, How)>,
    /// Where its creator called, if that was asked for (`-k`).
    pub created_at: Option<Arc<Stack>>,
    /// The process that created it, if that was seen; unlike its parent, that
    /// never changes.
    pub created_by: Option<ParentId>,
    /// The process that created it, where its parent is another
    /// (`CLONE_PARENT`).
    pub cloned_by: Option<Tgid>,
    /// What it executes.
    pub image: Arc<Image>,
    /// Its last execs, the latest last, each with what it was before.
    pub execs: Vec<(Stamp, Arc<Image>)>,
    /// Its process group, when that was last looked up.
    pub group: Option<i32>,
    /// The signal that its end sends to its parent.
    pub exit_signal: Option<Signal>,
    /// When and how it ended.
    pub ended: Option<End>,
    /// When and by whom it was reaped.
    pub reaped: Option<Reap>,
    /// When its present parent adopted it, and the parent before.
    pub adopted: Option<(Stamp, ParentId)>,
    /// When its last parent died; its present one is not known.
    pub(super) orphaned: Option<(Stamp, ParentId)>,
    /// What happens to it at SIGCHLD.
    pub sigchld: Sigchld,
    /// In a group-stop: since when, and by which signal.
    pub stopped: Option<(Stamp, Signal)>,
    /// A thread of it is suspended until this child execs or exits.
    pub vforking: Option<(Stamp, Tgid)>,
    /// Its events are seen; else it lived before the attach.
    pub is_traced: bool,
    /// Its dead children that nobody reaped.
    pub zombies: FxHashSet<Tgid>,
    /// How many children it has, alive or dead, that are not reaped.
    pub children: u32,
    /// The waits that it made; most processes make none.
    pub(super) waits: Option<Box<Waits>>,
    /// What waits told of it.
    pub history: WaitHistory,
    pub(super) busy: BlockedTime,
    pub(super) ns: Option<Arc<NsPids>>,
    pub(super) levels: Levels,
}

/// The place of an event in the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Its number.
    pub seq: u64,
    /// Its time.
    pub at: Moment,
    /// It happened earlier, before an attach, and no event tells when: number
    /// and time are those of the attach.
    pub is_before_attach: bool,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// When the tracer reaped it, and so its parent could.
    pub when: Stamp,
    /// How.
    pub status: WaitStatus,
    /// What its parent had been busy with until then.
    pub(super) parent_busy: BlockedTime,
}

/// Who reaped a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reap {
    /// The end of the call; of the kernel's reap, the death.
    pub when: Stamp,
    /// The thread that called; the leader of the parent for the kernel's reap.
    pub by: Tid,
    /// Its process.
    pub by_process: Tgid,
    /// By which kind of wait.
    pub way: ReapKind,
    /// The call passed a place for the status.
    pub took_status: bool,
    /// The process had no other child, alive or dead.
    pub was_only_child: bool,
}

/// How many execs of a process are remembered.
const MOST_EXECS: usize = 8;

impl Process {
    /// This process as the parent of another.
    #[must_use]
    pub fn as_parent(&self) -> ParentId {
        ParentId {
            tgid: self.tgid,
            id: Some(self.id),
        }
    }

    /// Whether it is a child of this process.
    #[must_use]
    pub fn is_child_of(&self, parent: &Process) -> bool {
        self.parent == Some(parent.as_parent())
    }

    /// Its parent's pid.
    #[must_use]
    pub fn parent_pid(&self) -> Option<Tgid> {
        self.parent.map(|parent| parent.tgid)
    }

    /// It executes another program.
    pub(super) fn execute(&mut self, when: Stamp, image: &Arc<Image>) {
        let before = std::mem::replace(&mut self.image, Arc::clone(image));
        if self.execs.len() == MOST_EXECS {
            self.execs.remove(0);
        }
        self.execs.push((when, before));
        self.exit_signal = Some(Signal::CHLD);
        self.sigchld.execute();
        self.waits = None;
        self.busy.leave_all(when.at);
    }

    /// The waits that its present program made.
    #[must_use]
    pub fn waits(&self) -> &Waits {
        self.waits.as_deref().unwrap_or(&NO_WAITS)
    }

    /// Its pid in its own pid namespace, where that is not the tracer's.
    #[must_use]
    pub fn ns_pid(&self) -> Option<i32> {
        let innermost = self.ns.as_ref()?.chain.last()?;
        Some(innermost.raw())
    }

    /// Whether it has ended and nobody reaped it, as far as we know.
    #[must_use]
    pub fn is_zombie(&self) -> bool {
        self.ended.is_some() && self.reaped.is_none()
    }

    /// Whether it is the first process of a pid namespace inside ours.
    #[must_use]
    pub fn is_namespace_init(&self) -> bool {
        let chain = self.ns.as_ref().map(|ns| ns.chain.as_slice());
        chain
            .and_then(<[_]>::last)
            .is_some_and(|pid| pid.raw() == 1)
    }

    /// The pid namespace that it lives in, where that is inside ours.
    #[must_use]
    pub fn namespace(&self) -> Option<u64> {
        self.levels.last().copied().filter(|inode| *inode != 0)
    }

    /// Whether a wait for a child of this exit signal needs `__WALL` or
    /// `__WCLONE`.
    #[must_use]
    pub fn is_clone_child(&self) -> bool {
        self.exit_signal != Some(Signal::CHLD)
    }

    /// How long it has been dead, in nanoseconds.
    #[must_use]
    pub fn dead_for(&self, now: Moment) -> Option<u64> {
        Some(now.since(self.ended?.when.at))
    }

    /// The signal that killed it.
    #[must_use]
    pub fn killed_by(&self) -> Option<Signal> {
        match self.ended?.status.decode() {
            Status::Signaled { signal, .. } => Some(signal),
            _ => None,
        }
    }

    /// What kept it from reaping, between the end of a child and `now`.
    #[must_use]
    pub fn busy_between(&self, end: &End, now: Moment) -> BlockedTime {
        self.busy_until(now).since(end.parent_busy)
    }

    /// What it has been busy with, up to `now` or its end: a process that is
    /// killed while it is stopped was stopped to its end.
    #[must_use]
    pub(super) fn busy_until(&self, now: Moment) -> BlockedTime {
        let now = self.ended.map_or(now, |end| now.min(end.when.at));
        let mut busy = self.busy;
        if let Some((since, _)) = self.stopped {
            busy.stopped = busy.stopped.saturating_add(now.since(since.at));
        }
        if let Some((since, _)) = self.vforking {
            busy.suspended = busy.suspended.saturating_add(now.since(since.at));
        }
        if busy.blocked_threads > 0 {
            busy.waiting = busy.waiting.saturating_add(now.since(busy.blocked_since));
        }
        busy
    }
}
