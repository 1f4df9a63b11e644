//! Births, deaths and adoptions: how the table of tasks changes.

use std::sync::Arc;

use super::engine::{RootEnd, Tracer};
use super::scheduler::Scheduler;
use super::stop::{Creation, Stop, StopKind};
use super::tasks::Task;
use super::world::World;
use crate::event::{self, Created, Event, EventKind, Moment, NsPids, SigchldAction};
use crate::kernel::{
    CLONE_NEWPID, CLONE_PARENT, CLONE_THREAD, CSIGNAL, CloneCall, NsPid, Signal, Tgid, Tid,
    WaitStatus,
};
use crate::proc;
use crate::sys::ptrace::Stopped;
use crate::sys::spawn::Report;

impl<S: Scheduler> Tracer<S> {
    /// fork, vfork or clone is about to return in the creator.
    pub(super) fn created(
        &mut self,
        stop: Stop,
        creation: Creation,
        child: Tid,
        events: &mut Vec<Event>,
    ) {
        let (at, tid) = (stop.at, stop.tid());
        let Some(task) = self.tasks.by_tid.get(&tid) else {
            return;
        };
        let tgid = task.tgid;
        let options = clone_options(&stop.tracee);
        let is_thread = is_thread(options, stop.kind, tid);
        let flags = options.map_or(0, |options| options.flags);
        let exit_signal = match options {
            Some(options) => options.exit_signal,
            None => (creation == Creation::Fork).then_some(Signal::CHLD),
        };
        let process = self.tasks.processes.get(&tgid);
        let known_parent = process.and_then(|process| process.parent);
        let is_sibling = flags & u64::from(CLONE_PARENT) != 0;
        let parent = is_sibling.then(|| self.parent_of(child).or(known_parent));
        let parent = parent.flatten();
        if !is_thread {
            self.stop_at_calls(parent.unwrap_or(tgid), Some(tid), at, events);
        }
        let process = self.tasks.processes.get(&tgid);
        let ns_may_differ = flags & u64::from(CLONE_NEWPID) != 0
            || process.is_some_and(|process| process.moved || process.ns.is_some());
        let child_tgid = if is_thread {
            tgid
        } else {
            Tgid::new(child.raw())
        };
        let ns = (ns_may_differ && !is_thread)
            .then(|| self.ns_pids(child_tgid))
            .flatten()
            .map(Arc::new);
        let stack = (!is_thread).then(|| self.take_stack(&stop.tracee, tgid));
        self.go_on(stop);
        let stack = stack.flatten().and_then(|stack| self.unwind(stack, false));
        if let (false, Some(stacks)) = (is_thread, &mut self.stacks) {
            stacks.fork(tgid, child_tgid);
        }
        let process = (!is_thread).then(|| (parent.unwrap_or(tgid), ns.clone()));
        self.enter_child(tid, child, process);
        self.stats.children += u64::from(!is_thread);
        let how = match creation {
            _ if is_thread => event::How::Thread,
            Creation::Fork => event::How::Fork,
            Creation::Vfork => event::How::Vfork,
            Creation::Clone => event::How::Clone,
        };
        let created = Created {
            child,
            how,
            parent,
            ns,
            exit_signal,
            stack,
        };
        events.push(self.event(at, tid, tgid, EventKind::Created(created)));
        if let Some(status) = self.pending.take_ended(child) {
            self.ended(child, status, events);
        } else if let Some((tracee, first)) = self.pending.take_stopped(child) {
            self.stopped(tracee, first, events);
        }
    }

    /// A new task is under trace: a thread, or a process with this parent and these pids.
    /// It may be known already, by a first stop that came early.
    fn enter_child(
        &mut self,
        creator: Tid,
        child: Tid,
        process: Option<(Tgid, Option<Arc<NsPids>>)>,
    ) {
        let Some(by) = self.tasks.by_tid.get(&creator) else {
            return;
        };
        let (tgid, kind, is_free) = (by.tgid, by.kind, by.is_free);
        if self.tasks.by_tid.contains_key(&child) {
            return;
        }
        let Some((parent, ns)) = process else {
            let mut task = Task::new(tgid, kind);
            task.is_free = is_free;
            self.tasks.add_task(child, task);
            return;
        };
        let child_tgid = Tgid::new(child.raw());
        let sigchld = self.sigchld_of(tgid);
        self.tasks.add_process(child_tgid, Some(parent), ns);
        if let Some(process) = self.tasks.processes.get_mut(&child_tgid) {
            process.sigchld = sigchld;
        }
        let mut task = Task::new(child_tgid, kind);
        task.is_free = self.begin_free(child_tgid, kind);
        task.is_new = task.is_free;
        self.tasks.add_task(child, task);
        self.tasks.inherit_handler(creator, child);
    }

    fn sigchld_of(&self, tgid: Tgid) -> Option<SigchldAction> {
        self.tasks.processes.get(&tgid)?.sigchld
    }

    /// The real parent of a new child, whose creator's may have died.
    fn parent_of(&self, child: Tid) -> Option<Tgid> {
        let status = self.sees_proc().then(|| proc::status(child)).flatten();
        status?.parent.filter(|parent| parent.raw() != 0)
    }

    /// A thread, or with its last thread a process, is dead.
    pub(super) fn ended(&mut self, tid: Tid, status: WaitStatus, events: &mut Vec<Event>) {
        let (at, usage) = (self.now(), self.usage.take());
        (self.latest, self.last_stop) = (at, at);
        self.stats.ends += 1;
        self.held.remove(&tid);
        self.chosen_pids.remove(&tid);
        if let Some(stacks) = &mut self.stacks {
            stacks.leaves_call(tid);
        }
        let Some(task) = self.tasks.remove_task(tid) else {
            // A stranger, or a task whose creator's event is still to come.
            self.ended_early(tid, status);
            return;
        };
        let tgid = task.tgid;
        let process = S::IS_ACTIVE.then(|| self.tasks.processes.get(&tgid));
        let parent = process.flatten().and_then(|process| process.parent);
        if task.is_awaited {
            self.has_come_over(tgid);
        }
        let is_process = tgid.leader() == tid;
        if let (true, Some(stacks)) = (is_process, &mut self.stacks) {
            stacks.forget(tgid);
        }
        if is_process && self.killing.is_some() && status.raw() & 0x7f == Signal::KILL.raw() {
            let own = Tgid::new(i32::try_from(std::process::id()).unwrap_or(0));
            let (target, signal) = (NsPid::new(tgid.raw()), Signal::KILL);
            let kind = EventKind::Kills { target, signal };
            events.push(self.event(at, own.leader(), own, kind));
        }
        let ran = !is_process || self.root_ended(tgid, status);
        if is_process {
            // After an exec that failed past its point of no return, no stop
            // tells that the thread which called it took the leader's place.
            for replaced in self.tasks.threads_left(tgid) {
                self.tasks.remove_task(replaced);
                events.push(self.event(at, replaced, tgid, EventKind::Ended { status }));
            }
        }
        if ran {
            if let Some(usage) = usage.filter(|_| is_process) {
                events.push(self.event(at, tid, tgid, EventKind::Used(usage)));
            }
            events.push(self.event(at, tid, tgid, EventKind::Ended { status }));
        }
        if is_process {
            self.release_children(tgid);
            let orphans = self.tasks.remove_process(tgid);
            if self.capture.kinship {
                self.adoptions(tgid, &orphans, at, events);
            }
        }
        self.end_with_last_thread(tgid, status, events);
        if S::IS_ACTIVE {
            let world = World::new(&self.tasks, &self.held);
            self.scheduler.ended(tid, parent, &world);
        }
    }

    /// The children of a dead process have a new parent now that it is reaped;
    /// there is no stop for it, so it is looked up.
    fn adoptions(&mut self, from: Tgid, orphans: &[Tgid], at: Moment, events: &mut Vec<Event>) {
        for child in orphans.iter().copied() {
            let status = proc::status(child.leader());
            let Some(parent) = status.and_then(|status| status.parent) else {
                continue;
            };
            if parent == from {
                continue;
            }
            self.tasks.reparent(child, parent);
            self.stop_at_calls(parent, Some(child.leader()), at, events);
            let comm = proc::comm(parent.leader()).unwrap_or_default();
            let kind = EventKind::Adopted { child, from, comm };
            events.push(self.event(at, parent.leader(), parent, kind));
        }
    }

    /// Note the root's end; whether its program ever ran.
    fn root_ended(&mut self, tgid: Tgid, status: WaitStatus) -> bool {
        let Some(root) = self.root.as_mut().filter(|root| root.tgid == tgid) else {
            return true;
        };
        let mut end = RootEnd::Ended(status);
        let mut ran = true;
        if let Some(mut launching) = root.launching.take() {
            ran = false;
            let reports = std::iter::from_fn(|| launching.report());
            let fatal = reports.filter(|report| !matches!(report, Report::NoFilter(_)));
            if let Some(report) = fatal.last() {
                end = RootEnd::NeverRan(report);
            }
        }
        root.end = Some(end);
        ran
    }
}

/// What a call that creates a task asks for.
#[derive(Clone, Copy)]
pub(super) struct CloneOptions {
    flags: u64,
    exit_signal: Option<Signal>,
}

/// Whether a call that asks for this creates a thread of its caller's.
pub(super) fn is_thread(options: Option<CloneOptions>, kind: StopKind, caller: Tid) -> bool {
    match (options, kind) {
        (Some(options), _) => options.flags & u64::from(CLONE_THREAD) != 0,
        // An ABI whose registers we cannot read, or memory gone.
        (None, StopKind::NewChild { creation, child }) => {
            creation == Creation::Clone && proc::threads(caller).contains(&child)
        }
        (None, _) => false,
    }
}

/// What the call asks for that a task is making, by its registers; clone3's
/// arguments lie in memory. `None` if that is not known.
pub(super) fn clone_options(stopped: &Stopped) -> Option<CloneOptions> {
    let (call, first) = stopped.registers().ok()?.creating_call()?;
    let (flags, signal) = match call {
        CloneCall::Fork | CloneCall::Vfork => (0, u64::from(Signal::CHLD.raw().unsigned_abs())),
        CloneCall::Clone => (first, first & CSIGNAL),
        CloneCall::Clone3 => {
            // struct clone_args: flags is the first word, exit_signal the fifth.
            let mut words = [0u8; 40];
            stopped.read(first, &mut words).ok()?;
            let (flags, signal) = (words.first_chunk()?, words.last_chunk()?);
            (u64::from_ne_bytes(*flags), u64::from_ne_bytes(*signal))
        }
    };
    let signal = i32::try_from(signal).ok().filter(|signal| *signal != 0);
    Some(CloneOptions {
        flags,
        exit_signal: signal.map(Signal::from_raw),
    })
}
