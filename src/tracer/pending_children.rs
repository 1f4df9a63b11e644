//! Tasks that stop or end before their creator's event.
//!
//! A child's first stop may be handed out before its creator's fork event. It
//! stays stopped until that event names it, so that events come in order. But
//! the creator may have been killed between making the child and its event: then
//! the child is taken up without it, after [`HELD_AT_MOST`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::engine::Tracer;
use super::scheduler::Scheduler;
use super::tasks::{Kind, Task};
use crate::event::{Event, EventKind, Found};
use crate::kernel::{Tgid, Tid, WaitStatus};
use crate::proc;
use crate::sys::ptrace::Stopped;

/// How long a child waits for its creator's event.
pub(super) const HELD_AT_MOST: Duration = Duration::from_millis(20);

/// A task's first stop, of whatever kind: one that is created while its
/// process is being stopped begins with a group-stop.
pub(super) type First = (Stopped, WaitStatus);

/// The tasks that wait for their creator's event, and since when.
#[derive(Debug, Default)]
pub(super) struct PendingChildren {
    stopped: FxHashMap<Tid, (Instant, First)>,
    ended: FxHashMap<Tid, (Instant, WaitStatus)>,
}

impl PendingChildren {
    /// Whether a task is kept stopped.
    pub(super) fn holds(&self, tid: Tid) -> bool {
        self.stopped.contains_key(&tid)
    }

    /// Whether any task waits for its creator's event.
    pub(super) fn has_any(&self) -> bool {
        !self.stopped.is_empty() || !self.ended.is_empty()
    }

    /// The first stop of a task whose creator's event has come.
    pub(super) fn take_stopped(&mut self, tid: Tid) -> Option<First> {
        self.stopped.remove(&tid).map(|(_, first)| first)
    }

    /// The end of a task whose creator's event has come. It was reaped, so a
    /// task that is alive under this tid is a later one.
    pub(super) fn take_ended(&mut self, tid: Tid) -> Option<WaitStatus> {
        let (_, status) = self.ended.remove(&tid)?;
        let is_alive = self.holds(tid) || proc::is_there(tid);
        (!is_alive).then_some(status)
    }
}

impl<S: Scheduler> Tracer<S> {
    /// Keep a task in its first stop, until its creator's event.
    pub(super) fn await_creator(&mut self, tracee: Stopped, status: WaitStatus) {
        let (tid, since) = (tracee.tid(), Instant::now());
        self.pending.stopped.insert(tid, (since, (tracee, status)));
        self.waker.wake_after(HELD_AT_MOST);
    }

    /// Remember the end of a task, or of a stranger: a child that is ours but
    /// not traced.
    pub(super) fn ended_early(&mut self, tid: Tid, status: WaitStatus) {
        self.pending.stopped.remove(&tid);
        self.pending.ended.insert(tid, (Instant::now(), status));
        self.waker.wake_after(HELD_AT_MOST);
    }

    /// Take up the tasks whose creator's event will not come any more.
    pub(super) fn release_overdue(&mut self, events: &mut Vec<Event>) {
        let now = Instant::now();
        let is_overdue = |since: &Instant| now - *since >= HELD_AT_MOST;
        self.pending
            .ended
            .retain(|_, (since, _)| !is_overdue(since));
        let overdue = self
            .pending
            .stopped
            .extract_if(|_, (since, _)| is_overdue(since));
        let overdue: Vec<First> = overdue.map(|(_, (_, first))| first).collect();
        for first in overdue {
            self.take_up_orphan(first, events);
        }
        if self.pending.has_any() {
            self.waker.wake_after(HELD_AT_MOST);
        }
    }

    fn take_up_orphan(&mut self, (tracee, first): First, events: &mut Vec<Event>) {
        if !self.follow {
            // CLONE_PTRACE gave it to us unasked.
            tracee.detach(None);
            return;
        }
        let (at, tid) = (self.now(), tracee.tid());
        let status = proc::status(tid);
        let tgid = status.as_ref().and_then(|status| status.tgid);
        let tgid = tgid.unwrap_or(Tgid::new(tid.raw()));
        let parent = status.and_then(|status| status.parent);
        let kind = self.inherited_kind(tgid, parent);
        let ns = self.ns_pids(tgid).map(Arc::new);
        if tgid.leader() == tid {
            self.tasks.add_process(tgid, parent, ns.clone());
        }
        if self.capture.namespaces
            && proc::children_are_elsewhere(tid)
            && let Some(process) = self.tasks.processes.get_mut(&tgid)
        {
            process.moved = true;
        }
        let mut task = Task::new(tgid, kind);
        if tgid.leader() == tid {
            task.is_free = self.begin_free(tgid, kind);
        }
        self.tasks.add_task(tid, task);
        if let Some(parent) = parent {
            self.stop_at_calls(parent, Some(tid), at, events);
        }
        let found = Found {
            parent,
            image: None,
            ns,
            comm: proc::comm(tid),
            sigchld: None,
        };
        events.push(self.event(at, tid, tgid, EventKind::Found(found)));
        self.stopped(tracee, first, events);
    }

    /// What kind of task one is whose creator is not known: its process's or
    /// parent's, else that of any (all are of one kind unless `-p` and a
    /// command were given).
    fn inherited_kind(&self, tgid: Tgid, parent: Option<Tgid>) -> Kind {
        let of = |tgid: Tgid| self.tasks.by_tid.get(&tgid.leader());
        let known = of(tgid).or_else(|| parent.and_then(of));
        let any = known.or_else(|| self.tasks.by_tid.values().next());
        any.map_or(
            Kind {
                launched: self.root.is_some(),
                filtered: false,
            },
            |task| task.kind,
        )
    }
}
