//! What a scheduler may know of the tasks under trace.

use rustc_hash::FxHashMap;

use super::scheduler::Held;
use super::tasks::{Process, Tasks};
use crate::kernel::{Signal, Tgid, Tid};

/// The tasks under trace, as of now.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    tasks: &'a Tasks,
    held: &'a FxHashMap<Tid, Held>,
}

impl<'a> World<'a> {
    #[inline]
    pub(super) fn new(tasks: &'a Tasks, held: &'a FxHashMap<Tid, Held>) -> World<'a> {
        World { tasks, held }
    }

    /// All tasks, with their processes.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = (Tid, Tgid)> + 'a {
        self.tasks
            .by_tid
            .iter()
            .map(|(tid, task)| (*tid, task.tgid))
    }

    /// The process of a task.
    pub(crate) fn process_of(&self, tid: Tid) -> Option<Tgid> {
        self.tasks.by_tid.get(&tid).map(|task| task.tgid)
    }

    /// Whether a process is alive and under trace.
    pub(crate) fn lives(&self, tgid: Tgid) -> bool {
        self.process(tgid).is_some()
    }

    /// The parent of a process, as far as it is known.
    pub(crate) fn parent_of(&self, tgid: Tgid) -> Option<Tgid> {
        self.process(tgid)?.parent
    }

    /// Whether a process has children that are alive.
    pub(crate) fn has_children(&self, tgid: Tgid) -> bool {
        self.process(tgid)
            .is_some_and(|process| process.children > 0)
    }

    /// Whether a process lives in our own pid namespace, so that the pids that
    /// it passes to calls are the ones that we know.
    pub(crate) fn shares_our_pids(&self, tgid: Tgid) -> bool {
        self.process(tgid)
            .is_some_and(|process| process.ns.is_none() && !process.moved)
    }

    /// The threads of a process.
    pub(crate) fn threads_of(&self, tgid: Tgid) -> Vec<Tid> {
        self.tasks.threads_of(tgid)
    }

    /// Whether a process is another's child, or a child's child, and so on.
    pub(crate) fn descends_from(&self, tgid: Tgid, ancestor: Tgid) -> bool {
        let mut next = Some(tgid);
        // A parent's pid may be another process's by now: no endless circle.
        for _ in 0..64 {
            match next {
                Some(tgid) if tgid == ancestor => return true,
                Some(tgid) => next = self.parent_of(tgid),
                None => return false,
            }
        }
        false
    }

    /// Whether a task is held in a stop.
    pub(crate) fn is_held(&self, tid: Tid) -> bool {
        self.held.contains_key(&tid)
    }

    /// Whether a task is in a group-stop.
    pub(crate) fn is_stopped(&self, tid: Tid) -> bool {
        self.stopped_by(tid).is_some()
    }

    /// The signal of the group-stop that a task is in.
    pub(crate) fn stopped_by(&self, tid: Tid) -> Option<Signal> {
        self.tasks.by_tid.get(&tid)?.group_stopped
    }

    fn process(&self, tgid: Tgid) -> Option<&'a Process> {
        self.tasks.processes.get(&tgid)
    }
}
