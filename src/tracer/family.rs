//! Forks, execs, deaths and adoptions: how the family of tasks changes.

use std::sync::Arc;

use super::engine::{RootEnd, Tracer};
use super::image;
use super::launch::FirstExec;
use super::stop::Creation;
use super::tasks::{Process, Task};
use crate::event::{self, Created, Event, EventKind, Found, Image, Moment, SigchldAction};
use crate::kernel::{
    CLONE_NEWPID, CLONE_PARENT, CLONE_THREAD, CloneCall, Signal, Tgid, Tid, WaitStatus,
};
use crate::proc;
use crate::sys::ptrace::{How, Stopped};
use crate::sys::spawn::Report;

impl Tracer {
    /// fork, vfork or clone is about to return in the creator.
    pub(super) fn created(
        &mut self,
        stopped: Stopped,
        creation: Creation,
        at: Moment,
        events: &mut Vec<Event>,
    ) {
        let tid = stopped.tid();
        let Some(task) = self.tasks.by_tid.get(&tid) else {
            return;
        };
        let (tgid, kind, resume) = (task.tgid, task.kind, task.how());
        let Ok(child) = stopped.event_tid() else {
            // Most likely killed in its stop; its death follows.
            let _ = stopped.resume(resume, None);
            return;
        };
        let wish = clone_wish(&stopped);
        let is_thread = match wish {
            Some(wish) => wish.flags & u64::from(CLONE_THREAD) != 0,
            // An ABI whose registers we cannot read, or memory gone.
            None => creation == Creation::Clone && proc::threads(tid).contains(&child),
        };
        let flags = wish.map_or(0, |wish| wish.flags);
        let exit_signal = match wish {
            Some(wish) => wish.exit_signal,
            None => (creation == Creation::Fork).then_some(Signal::CHLD),
        };
        let process = self.tasks.processes.get(&tgid);
        let parent = (flags & u64::from(CLONE_PARENT) != 0)
            .then(|| process.and_then(|process| process.parent))
            .flatten();
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
        let stack = (!is_thread).then(|| self.take_stack(&stopped, tgid));
        let _ = stopped.resume(resume, None);
        let stack = stack.flatten().and_then(|stack| self.unwind(stack));
        if let (false, Some(stacks)) = (is_thread, &mut self.stacks) {
            stacks.fork(tgid, child_tgid);
        }

        if !self.tasks.by_tid.contains_key(&child) {
            if !is_thread {
                let parent = parent.unwrap_or(tgid);
                self.tasks.add_process(child_tgid, Some(parent), ns.clone());
            }
            self.tasks.add_task(child, Task::new(child_tgid, kind));
            if !is_thread {
                self.tasks.inherit_handler(tid, child);
            }
        }
        self.tally.children += u64::from(!is_thread);
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
        if let Some((stopped, first)) = self.early.take_stopped(child) {
            self.stopped(stopped, first, events);
        }
        if let Some(status) = self.early.take_ended(child) {
            self.ended(child, status, events);
        }
    }

    /// A thread whose leader was dead before we attached is the leader after
    /// its exec, under a tid that we never saw.
    pub(super) fn enter_new_leader(&mut self, stopped: &Stopped) {
        let tid = stopped.tid();
        if self.tasks.by_tid.contains_key(&tid) {
            return;
        }
        let former = stopped.event_tid().ok();
        let former = former.and_then(|former| self.tasks.by_tid.get(&former));
        if let Some((tgid, kind)) = former.map(|task| (task.tgid, task.kind)) {
            self.tasks.add_task(tid, Task::new(tgid, kind));
        }
    }

    /// A program was executed. Where a thread that was not the leader called
    /// exec, it goes on under the leader's tid: the leader is gone without an
    /// exit of its own, and so are calls that were open.
    pub(super) fn executed(&mut self, stopped: Stopped, at: Moment, events: &mut Vec<Event>) {
        let tid = stopped.tid();
        let former = self.former_tid(&stopped);
        let mut resume = How::Syscall;
        let mut tgid = Tgid::new(tid.raw());
        if let Some(task) = self.tasks.by_tid.get_mut(&tid) {
            task.call = None;
            task.suspended.clear();
            task.sigaction = None;
            task.interrupted = false;
            task.stepping = None;
            task.interrupted_at = None;
            tgid = task.tgid;
            resume = task.how();
        }
        if let Some(former) = former {
            self.tasks.remove_task(former);
        }
        if let Some(process) = self.tasks.processes.get_mut(&tgid) {
            process.has_plain_handler = false;
        }
        if let Some(stacks) = &mut self.stacks {
            stacks.forget(tgid);
        }
        let image = Arc::new(self.image(&stopped, tgid));
        let first = self.launched_now(tgid);
        if first == FirstExec::WithoutFilter {
            // Every call must stop from here on.
            resume = How::Syscall;
        }
        let _ = stopped.resume(resume, None);
        if first != FirstExec::No {
            let root = self.root.as_ref();
            let ignores = root.is_some_and(|root| root.ignores_sigchld);
            let found = Found {
                parent: None,
                image: None,
                ns: None,
                comm: None,
                sigchld: Some(if ignores {
                    SigchldAction::Ignore
                } else {
                    SigchldAction::Default
                }),
            };
            events.push(self.event(at, tid, tgid, EventKind::Found(found)));
        }
        events.push(self.event(at, tid, tgid, EventKind::Executed { image, former }));
    }

    /// The tid that a thread had which has taken its leader's place. Where the
    /// leader was the only thread, it is not asked for.
    fn former_tid(&self, stopped: &Stopped) -> Option<Tid> {
        let tid = stopped.tid();
        let process = self.tasks.processes.get(&Tgid::new(tid.raw()));
        if process.is_some_and(Process::is_single_threaded) {
            return None;
        }
        stopped.event_tid().ok().filter(|former| *former != tid)
    }

    /// What a process has just executed, if anybody wants to know.
    fn image(&mut self, stopped: &Stopped, tgid: Tgid) -> Image {
        if !self.capture.images {
            return Image::default();
        }
        let image = image::of_new_program(stopped, &mut self.stack);
        let by_proc = || self.sees_proc().then(|| proc::image(tgid));
        image.or_else(by_proc).unwrap_or_default()
    }

    /// A thread, or with its last thread a process, is dead.
    pub(super) fn ended(&mut self, tid: Tid, status: WaitStatus, events: &mut Vec<Event>) {
        let at = self.now();
        self.latest = at;
        self.tally.ends += 1;
        let Some(task) = self.tasks.remove_task(tid) else {
            // A stranger, or a task whose creator's stop is still to come.
            self.ended_early(tid, status);
            return;
        };
        let tgid = task.tgid;
        let is_process = tgid.leader() == tid;
        if let (true, Some(stacks)) = (is_process, &mut self.stacks) {
            stacks.forget(tgid);
        }
        let ran = !is_process || self.root_ended(tgid, status);
        if is_process {
            // Of an exec that failed past its point of no return nobody tells
            // that the thread which called it took the leader's place.
            for ghost in self.tasks.threads_left(tgid) {
                self.tasks.remove_task(ghost);
                events.push(self.event(at, ghost, tgid, EventKind::Ended { status }));
            }
        }
        if ran {
            events.push(self.event(at, tid, tgid, EventKind::Ended { status }));
        }
        if is_process
            && let Some(process) = self.tasks.remove_process(tgid)
            && process.children > 0
            && self.capture.kinship
        {
            self.adoptions(tgid, at, events);
        }
        self.end_with_last_thread(tgid, status, events);
    }

    /// The children of a dead process have a new parent now that it is reaped;
    /// there is no stop for it, so it is looked up.
    fn adoptions(&mut self, from: Tgid, at: Moment, events: &mut Vec<Event>) {
        let orphans = self.tasks.processes.iter();
        let orphans: Vec<Tgid> = orphans
            .filter(|(_, process)| process.parent == Some(from))
            .map(|(tgid, _)| *tgid)
            .collect();
        for child in orphans {
            let status = proc::status(child.leader());
            let Some(parent) = status.and_then(|status| status.parent) else {
                continue;
            };
            if parent == from {
                continue;
            }
            self.tasks.reparent(child, parent);
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
struct Wish {
    flags: u64,
    exit_signal: Option<Signal>,
}

/// What the call asks for that a task is making, by its registers; clone3's
/// arguments lie in memory. `None` if it cannot be told.
fn clone_wish(stopped: &Stopped) -> Option<Wish> {
    /// The signal in clone's flags (`CSIGNAL`).
    const SIGNAL_BITS: u64 = 0xff;
    let (call, first) = stopped.registers().ok()?.creating_call()?;
    let (flags, signal) = match call {
        CloneCall::Fork | CloneCall::Vfork => (0, u64::from(Signal::CHLD.raw().unsigned_abs())),
        CloneCall::Clone => (first, first & SIGNAL_BITS),
        CloneCall::Clone3 => {
            // struct clone_args: flags is the first word, exit_signal the fifth.
            let mut words = [0u8; 40];
            stopped.read(first, &mut words).ok()?;
            let (flags, signal) = (words.first_chunk()?, words.last_chunk()?);
            (u64::from_ne_bytes(*flags), u64::from_ne_bytes(*signal))
        }
    };
    let signal = i32::try_from(signal).ok().filter(|signal| *signal != 0);
    Some(Wish {
        flags,
        exit_signal: signal.map(Signal::from_raw),
    })
}
