//! The ledger's record of one process.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::namespaces::Levels;
use super::sigchld::Sigchld;
use super::waits::{BlockedTime, NO_WAITS, ReapKind, WaitHistory, Waits};
use crate::event::{FailedExec, How, Image, Moment, NsPids, Stack};
use crate::kernel::{Errno, Signal, Status, Tgid, Tid, Usage, WaitStatus};

/// Unique process id; unlike a pid, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub(super) u64);

#[cfg(test)]
impl ProcessId {
    /// For tests.
    pub(crate) fn from_number(number: u64) -> ProcessId {
        ProcessId(number)
    }
}

/// A parent. Its pid may belong to another process by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParentId {
    /// Its pid in the tracer's namespace.
    pub tgid: Tgid,
    /// Its unique id; `None` if it is not traced.
    pub id: Option<ProcessId>,
}

impl ParentId {
    /// A process that is known by its pid alone.
    pub(super) fn untraced(tgid: Tgid) -> ParentId {
        ParentId { tgid, id: None }
    }
}

/// A process: alive, a zombie, or reaped a while ago.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its unique id.
    pub id: ProcessId,
    /// Its pid in the tracer's namespace.
    pub tgid: Tgid,
    /// Its real parent, if known; `None` after the parent's death until the
    /// adopting process is known.
    pub parent: Option<ParentId>,
    /// When it was created, or its trace began.
    pub born: Stamp,
    /// The thread that created it, and the kind of call, if observed.
    pub creator: Option<(Tid, How)>,
    /// Call stack of the creator (`-k`).
    pub created_at: Option<Arc<Stack>>,
    /// The process that created it, if observed; unlike its parent it never
    /// changes.
    pub created_by: Option<ParentId>,
    /// The process that created it, if its parent is another (`CLONE_PARENT`).
    pub cloned_by: Option<ParentId>,
    /// The program that it runs.
    pub image: Arc<Image>,
    /// Its last execs, the latest last, each with the program before.
    pub execs: Vec<(Stamp, Arc<Image>)>,
    /// Its execs that failed since the last that succeeded, and since it last had a child.
    pub failed_execs: Option<Box<FailedExecs>>,
    /// Its process group, when last looked up.
    pub group: Option<i32>,
    /// The signal that its end sends to its parent.
    pub exit_signal: Option<Signal>,
    /// When and how it ended.
    pub ended: Option<End>,
    /// Its reap.
    pub reaped: Option<Reap>,
    /// When its current parent adopted it, and the parent before.
    pub adopted: Option<(Stamp, ParentId)>,
    /// When its last parent died, if its current one is not known.
    pub(super) orphaned: Option<(Stamp, ParentId)>,
    /// Its disposition of SIGCHLD.
    pub sigchld: Sigchld,
    /// In a group-stop: since when, and by which signal.
    pub stopped: Option<(Stamp, Signal)>,
    /// Children until whose exec or exit a thread of it is suspended; the oldest first.
    pub(super) vforks: Vec<(Stamp, Tgid)>,
    /// Its events are observed. If false, it is only known as a child.
    pub is_traced: bool,
    /// Its dead children that were not reaped.
    pub zombies: FxHashSet<Tgid>,
    /// How many unreaped children it has, alive or zombie.
    pub children: u32,
    /// The waits that it made; boxed, as most processes make none.
    pub(super) waits: Option<Box<Waits>>,
    /// What it has used, with the children that it reaped; from its end on, if known.
    pub usage: Option<Usage>,
    /// What waits reported of it.
    pub history: WaitHistory,
    pub(super) busy: BlockedTime,
    pub(super) ns: Option<Arc<NsPids>>,
    pub(super) levels: Levels,
}

/// The position of an event in the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Its number.
    pub seq: u64,
    /// Its time.
    pub at: Moment,
    /// It happened before an attach, and no event shows when: number and time are
    /// those of the attach.
    pub is_before_attach: bool,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// When the tracer reaped it, after which its parent could.
    pub when: Stamp,
    /// How.
    pub status: WaitStatus,
    /// How long its parent had been unable to reap until then.
    pub(super) parent_busy: BlockedTime,
}

/// The reap of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reap {
    /// The end of the call; for a reap by the kernel, the death.
    pub when: Stamp,
    /// The thread that called; for a reap by the kernel, the parent's leader.
    pub by: Tid,
    /// Its process; its pid may belong to another by now.
    pub by_process: ParentId,
    /// The kind of wait.
    pub way: ReapKind,
    /// The call passed a place for the status.
    pub took_status: bool,
    /// The process had no other child, alive or dead.
    pub was_only_child: bool,
}

/// Execs of one process that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedExecs {
    /// When the last did.
    pub when: Stamp,
    /// How many.
    pub count: u64,
    /// The last.
    pub last: FailedExec,
    /// The last that failed otherwise than by there being no such file: a search of `PATH`
    /// goes on after it, and reports it in the end.
    pub telling: Option<FailedExec>,
}

/// How many execs of a process are remembered.
const MOST_EXECS: usize = 8;

impl FailedExecs {
    /// The one that says most.
    #[must_use]
    pub fn most_telling(&self) -> &FailedExec {
        self.telling.as_ref().unwrap_or(&self.last)
    }
}

impl Process {
    /// This process as the parent of another.
    #[must_use]
    pub fn as_parent(&self) -> ParentId {
        ParentId {
            tgid: self.tgid,
            id: Some(self.id),
        }
    }

    /// Whether it has made a wait call.
    #[must_use]
    pub(crate) fn has_waited(&self) -> bool {
        self.waits.is_some()
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
        self.failed_execs = None;
        self.exit_signal = Some(Signal::CHLD);
        self.sigchld.execute();
        while let Some((_, child)) = self.vforking() {
            // The thread that was suspended is gone.
            self.end_vfork(child, when.at);
        }
        self.waits = None;
        self.busy.leave_all(when.at);
    }

    /// A thread of it is suspended: since when, and until which child execs or exits.
    #[must_use]
    pub fn vforking(&self) -> Option<(Stamp, Tgid)> {
        self.vforks.first().copied()
    }

    /// A thread of it is suspended no longer.
    pub(super) fn end_vfork(&mut self, child: Tgid, now: Moment) {
        let of_child = |(_, suspender): &(Stamp, Tgid)| *suspender == child;
        let Some(place) = self.vforks.iter().position(of_child) else {
            return;
        };
        let (since, _) = self.vforks.remove(place);
        if place == 0 {
            // From the next on the time of that one counts.
            let until = self.vforks.first().map_or(now, |(next, _)| next.at);
            self.busy.suspended = self.busy.suspended.saturating_add(until.since(since.at));
        }
    }

    pub(super) fn exec_failed(&mut self, when: Stamp, failed: &FailedExec) {
        let before = self.failed_execs.take();
        let (count, telling) = before.map_or((0, None), |before| (before.count, before.telling));
        let is_no_file = matches!(failed.errno, Errno::NOENT | Errno::NOTDIR);
        let telling = if is_no_file {
            telling
        } else {
            Some(failed.clone())
        };
        self.failed_execs = Some(Box::new(FailedExecs {
            when,
            count: count + 1,
            last: failed.clone(),
            telling,
        }));
    }

    /// The waits that its current program made.
    #[must_use]
    pub fn waits(&self) -> &Waits {
        self.waits.as_deref().unwrap_or(&NO_WAITS)
    }

    /// Its pid in its own pid namespace, if that is not the tracer's.
    #[must_use]
    pub fn ns_pid(&self) -> Option<i32> {
        let innermost = self.ns.as_ref()?.chain.last()?;
        Some(innermost.raw())
    }

    /// Whether it has ended and was not reaped, as far as known.
    #[must_use]
    pub fn is_zombie(&self) -> bool {
        self.ended.is_some() && self.reaped.is_none()
    }

    /// Whether it is PID 1 of a pid namespace below the tracer's.
    #[must_use]
    pub fn is_namespace_init(&self) -> bool {
        let chain = self.ns.as_ref().map(|ns| ns.chain.as_slice());
        chain
            .and_then(<[_]>::last)
            .is_some_and(|pid| pid.raw() == 1)
    }

    /// Its pid namespace, if that is below the tracer's.
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

    /// How long it was unable to reap between the end of a child and `now`.
    #[must_use]
    pub fn blocked_between(&self, end: &End, now: Moment) -> BlockedTime {
        self.blocked_until(now).since(end.parent_busy)
    }

    /// How long it has been unable to reap, up to `now` or its end: a process that is
    /// killed while it is stopped was stopped to its end.
    #[must_use]
    pub(super) fn blocked_until(&self, now: Moment) -> BlockedTime {
        let now = self.ended.map_or(now, |end| now.min(end.when.at));
        let mut busy = self.busy;
        if let Some((since, _)) = self.stopped {
            busy.stopped = busy.stopped.saturating_add(now.since(since.at));
        }
        if let Some((since, _)) = self.vforking() {
            busy.suspended = busy.suspended.saturating_add(now.since(since.at));
        }
        if busy.blocked_threads > 0 {
            busy.waiting = busy.waiting.saturating_add(now.since(busy.blocked_since));
        }
        busy
    }
}
