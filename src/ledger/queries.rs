//! Queries of the ledger.

use super::process::{ParentId, Process, ProcessId};
use super::processes::{Counts, Ledger};
use super::waits::{CompletedWait, Waiting};
use crate::event::{Comm, Moment};
use crate::kernel::{NsPid, Signal, Status, Tgid, Tid};

/// How many ancestors of a process are examined.
const MOST_GENERATIONS: usize = 1000;

impl Ledger {
    /// The process with this pid in the tracer's namespace, including a reaped one
    /// that is still remembered.
    #[must_use]
    pub fn process(&self, tgid: Tgid) -> Option<&Process> {
        self.processes.get(&tgid).map(Box::as_ref)
    }

    /// A process, unless it was dropped and its pid reused.
    #[must_use]
    pub fn parent(&self, parent: ParentId) -> Option<&Process> {
        self.process(parent.tgid)
            .filter(|process| Some(process.id) == parent.id)
    }

    /// The parent of a process, if it is known.
    #[must_use]
    pub fn parent_of(&self, child: &Process) -> Option<&Process> {
        self.parent(child.parent?)
    }

    /// The process that has this pid now, as a parent.
    pub(super) fn parent_id(&self, tgid: Tgid) -> ParentId {
        let process = self.existing_or_none(tgid);
        let process = process.filter(|process| process.ended.is_none());
        ParentId {
            tgid,
            id: process.map(|process| process.id),
        }
    }

    pub(super) fn parent_mut(&mut self, parent: ParentId) -> Option<&mut Process> {
        let process = self.processes.get_mut(&parent.tgid)?;
        (Some(process.id) == parent.id).then_some(process)
    }

    pub(super) fn existing_or_none(&self, tgid: Tgid) -> Option<&Process> {
        self.process(tgid)
            .filter(|process| process.reaped.is_none())
    }

    /// How many tasks are under trace, including one that the current event ended.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.threads.len()
    }

    /// Whether a thread lives.
    #[must_use]
    pub fn has_thread(&self, tid: Tid) -> bool {
        self.threads.contains_key(&tid) && !self.departed.contains(&tid)
    }

    /// The threads of a process and the waits that they are in.
    pub fn waits_of(&self, tgid: Tgid) -> impl Iterator<Item = (Tid, &Waiting)> {
        let threads = self.threads.iter();
        let threads = threads.filter(move |(_, thread)| thread.tgid == tgid);
        threads.filter_map(|(tid, thread)| Some((*tid, thread.waiting.as_ref()?)))
    }

    /// How many threads of a process live.
    #[must_use]
    pub fn threads_of(&self, tgid: Tgid) -> usize {
        let threads = self.threads.values();
        threads.filter(|thread| thread.tgid == tgid).count()
    }

    /// The process of a thread, and the wait that the thread is in.
    #[must_use]
    pub fn waiting(&self, tid: Tid) -> Option<(Tgid, &Waiting)> {
        let thread = self.threads.get(&tid)?;
        Some((thread.tgid, thread.waiting.as_ref()?))
    }

    /// A thread's name; empty if it is not known.
    #[must_use]
    pub fn comm(&self, tid: Tid) -> Comm {
        let thread = self.threads.get(&tid);
        let own = thread.and_then(|thread| thread.comm);
        let tgid = thread.map_or(Tgid::new(tid.raw()), |thread| thread.tgid);
        own.or_else(|| Some(self.process(tgid)?.image.comm))
            .unwrap_or_default()
    }

    /// The process that a task of process `caller` calls `pid`, including processes
    /// that were reaped a while ago.
    #[must_use]
    pub fn recall(&self, caller: Tgid, pid: NsPid) -> Option<&Process> {
        let levels = self.processes.get(&caller).map(|caller| &caller.levels);
        match levels.filter(|levels| !levels.is_empty()) {
            Some(levels) => self.process(self.namespaces.find(levels, pid)?),
            None => self.process(Tgid::new(pid.raw())),
        }
    }

    /// The process that a task of process `caller` calls `pid`. A dead process is
    /// found until its reap has been reported.
    #[must_use]
    pub fn translate(&self, caller: Tgid, pid: NsPid) -> Option<&Process> {
        self.recall(caller, pid).filter(|process| {
            process
                .reaped
                .is_none_or(|reap| reap.when.seq == self.now.seq)
        })
    }

    /// The same, but only of a process that still exists: not one that the current
    /// event reaped.
    #[must_use]
    pub fn existing(&self, caller: Tgid, pid: NsPid) -> Option<&Process> {
        self.recall(caller, pid)
            .filter(|process| process.reaped.is_none())
    }

    /// Whether a process is in another pid namespace than the tracer.
    #[must_use]
    pub fn is_in_inner_namespace(&self, tgid: Tgid) -> bool {
        self.process(tgid)
            .is_some_and(|process| process.ns.is_some())
    }

    /// The dead children of `parent` that were not reaped before the current event, as
    /// far as known.
    pub fn unreaped(&self, parent: Tgid) -> impl Iterator<Item = &Process> {
        let parent = self.process(parent);
        let zombies = parent.into_iter().flat_map(|parent| parent.zombies.iter());
        zombies.filter_map(|tgid| self.process(*tgid))
    }

    /// The dead children that lost their parent by the current event.
    #[must_use]
    pub fn orphaned(&self) -> &[Tgid] {
        &self.orphaned
    }

    /// The process that the current event found reaped, if any.
    #[must_use]
    pub fn just_reaped(&self) -> Option<&Process> {
        let (tgid, id) = self.remembered.back()?;
        let last = self.process(*tgid).filter(|process| process.id == *id)?;
        let is_new = last
            .reaped
            .is_some_and(|reap| reap.when.seq == self.now.seq);
        is_new.then_some(last)
    }

    /// Whether an exec was seen: some records have none.
    #[must_use]
    pub fn saw_exec(&self) -> bool {
        self.saw_exec
    }

    /// The launched command, dead or alive; `None` if none was launched.
    #[must_use]
    pub fn root(&self) -> Option<ParentId> {
        self.root
    }

    /// Living processes whose parent has died.
    pub fn orphans(&self) -> impl Iterator<Item = &Process> {
        self.orphans.iter().filter_map(|tgid| self.process(*tgid))
    }

    /// Whether `ancestor` created the process, directly or by others, as far as those
    /// in between are remembered.
    #[must_use]
    pub fn descends_from(&self, process: &Process, ancestor: ProcessId) -> bool {
        let creator = |process: &&Process| self.parent(process.created_by?);
        let creators = std::iter::successors(creator(&process), creator);
        // A corrupt record may hold a cycle.
        let mut creators = creators.take(MOST_GENERATIONS);
        creators.any(|creator| creator.id == ancestor)
    }

    /// The wait that a handler of this thread interrupted and that the kernel restarts
    /// after it, with the one process that it is for.
    #[must_use]
    pub fn restarts(&self, tid: Tid) -> Option<(&CompletedWait, Option<Tgid>)> {
        let (completed, target) = self.threads.get(&tid)?.restarts.as_ref()?;
        Some((completed, *target))
    }

    /// Every process that is remembered.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.values().map(Box::as_ref)
    }

    /// Whether a process was attached to.
    #[must_use]
    pub fn was_attached(&self, tgid: Tgid) -> bool {
        let process = self.process(tgid);
        process.is_some_and(|process| process.is_traced && process.born.is_before_attach)
    }

    /// The processes that SIGKILL ended and that no observed call sent it to, the oldest first.
    #[must_use]
    pub(crate) fn killed_unseen(&self) -> Vec<(Tgid, Comm)> {
        let is_killed = |process: &&Process| {
            let status = process.ended.map(|end| end.status.decode());
            matches!(status, Some(Status::Signaled { signal, .. }) if signal == Signal::KILL)
        };
        let killed = self.processes().filter(is_killed);
        let unseen = killed.filter(|dead| dead.is_traced && dead.history.kill_sent_by.is_none());
        let mut unseen: Vec<&Process> = unseen.collect();
        unseen.sort_by_key(|process| process.id);
        let named = unseen.iter();
        named.map(|dead| (dead.tgid, dead.image.comm)).collect()
    }

    /// The process that sent SIGKILL to a group a moment before now. Whether a process was
    /// in that group is not known.
    #[must_use]
    pub(crate) fn group_killer(&self) -> Option<Tgid> {
        /// Nanoseconds from a kill to the ends that it causes.
        const AT_MOST: u64 = 1_000_000_000;
        let (when, sender) = self.group_kill?;
        (self.now.at.since(when.at) <= AT_MOST).then_some(sender)
    }

    /// The children of a process that were not reaped.
    pub fn children(&self, parent: Tgid) -> impl Iterator<Item = &Process> {
        let by = self.parent_id(parent);
        let all = self.processes();
        all.filter(move |child| child.parent == Some(by) && child.reaped.is_none())
    }

    /// The time of the current event.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now.at
    }

    /// Totals so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether a pid that is not known here was never a child of this process: no
    /// process was dropped, and none is older than the trace.
    #[must_use]
    pub fn knows_all(&self) -> bool {
        !self.forgot && self.attached.is_none()
    }
}
