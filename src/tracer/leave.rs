//! Detaching and killing: how the trace ends before the tracees do.

use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;

use super::engine::Tracer;
use super::scheduler::Scheduler;
use super::stop::{Stop, StopKind};
use super::tasks::Task;
use crate::event::{Event, EventKind, Moment};
use crate::kernel::{Errno, Signal, Tgid, Tid};
use crate::sys::ptrace::{self, How, Stopped};
use crate::sys::syscall_info::Phase;

/// How long a tracee may take to stop for its detach. One that cannot (it
/// sleeps in a vfork or in the disk) is let go by the kernel when we end,
/// which needs no stop.
const GRACE: Duration = Duration::from_secs(1);
/// How often it is looked whether all have left.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);

impl<S: Scheduler> Tracer<S> {
    /// Let all attached tasks go: each is detached at its next stop. All are
    /// interrupted first: one by one, a process would wait for its vfork child
    /// and we for the process.
    pub(crate) fn detach_all(&mut self) {
        if self.leaving.is_some() {
            return;
        }
        self.leaving = Some(Instant::now() + GRACE);
        self.waker.wake_after(POLL_INTERVAL);
        let held: Vec<Tid> = self.held.keys().copied().collect();
        for tid in held {
            self.release(tid);
        }
        for (tid, task) in &mut self.tasks.by_tid {
            if !task.kind.launched {
                task.asked_to_stop = true;
                ptrace::interrupt(*tid);
            }
        }
    }

    /// Kill every process that is launched, or with `everyone` every one under
    /// trace. Their deaths are reported by later steps. It is repeated until
    /// none is left, as a process may have had a child at that moment.
    /// Returns how many processes were killed now.
    pub(crate) fn kill_all(&mut self, everyone: bool) -> usize {
        let everyone = everyone || self.killing == Some(true);
        self.killing = Some(everyone);
        self.waker.wake_after(POLL_INTERVAL);
        // By any of its threads: the leader may have been dead at the attach.
        let tasks = self.tasks.by_tid.values();
        let condemned = tasks.filter(|task| everyone || task.kind.launched);
        let condemned: FxHashSet<Tgid> = condemned.map(|task| task.tgid).collect();
        // Parents first, mostly: one that sees its child die would go on.
        let root = self.root.as_ref().map(|root| root.tgid);
        let mut condemned: Vec<Tgid> = condemned.into_iter().collect();
        condemned.sort_unstable_by_key(|tgid| (Some(*tgid) != root, tgid.raw()));
        for tgid in &condemned {
            ptrace::kill(tgid.raw(), Signal::KILL);
        }
        condemned.len()
    }

    /// How many launched processes are left.
    pub(crate) fn launched_processes(&self) -> usize {
        self.launched().len()
    }

    fn launched(&self) -> FxHashSet<Tgid> {
        let tasks = self.tasks.by_tid.values();
        let launched = tasks.filter(|task| task.kind.launched);
        launched.map(|task| task.tgid).collect()
    }

    /// Send a signal to every launched process, to the root first: one that sees its child
    /// end would go on.
    pub(crate) fn signal_launched(&self, signal: Signal) {
        let root = self.root.as_ref().map(|root| root.tgid);
        let mut launched: Vec<Tgid> = self.launched().into_iter().collect();
        launched.sort_unstable_by_key(|tgid| (Some(*tgid) != root, tgid.raw()));
        for tgid in launched {
            ptrace::kill(tgid.raw(), signal);
        }
    }

    /// Let launched processes go too, which must not be under a filter. Returns how
    /// many there are.
    pub(crate) fn let_launched_go(&mut self) -> usize {
        let count = self.launched_processes();
        for task in self.tasks.by_tid.values_mut() {
            task.kind.launched = false;
        }
        self.attaches = true;
        self.detach_all();
        count
    }

    /// Pass a signal on to the root.
    pub(crate) fn forward(&self, signal: Signal) {
        if let Some(root) = self.root.as_ref().filter(|root| root.end.is_none()) {
            ptrace::kill(root.tgid.raw(), signal);
        }
    }

    /// We were continued after a stop as a job: so shall be the root. The shell
    /// continued our process group; a root that made one of its own (a shell,
    /// as a rule) was not meant to be left out.
    pub(crate) fn continue_root(&self) {
        let Some(root) = self.root.as_ref().filter(|root| root.end.is_none()) else {
            return;
        };
        let pid = nix::unistd::Pid::from_raw(root.tgid.raw());
        if let Ok(group) = nix::unistd::getpgid(Some(pid))
            && group != nix::unistd::getpgrp()
        {
            ptrace::kill(-group.as_raw(), Signal::CONT);
        }
    }

    /// Detach from a stopped task. Only a signal that was about to be
    /// delivered goes with it; a group-stopped task stays stopped.
    pub(super) fn let_go(&mut self, stop: Stop, events: &mut Vec<Event>) {
        let (at, tid) = (stop.at, stop.tid());
        let Some(task) = self.tasks.by_tid.get(&tid) else {
            return;
        };
        let mut signal = None;
        match stop.kind {
            StopKind::Syscall if task.asked_to_stop => match result(&stop.tracee) {
                // What it has reaped counts.
                Some(Ok(value)) if task.call.is_some() => {
                    self.exit(stop, Ok(value), events);
                    return;
                }
                // Whatever the kernel restarts, it restarts without us.
                Some(result) if result != Err(-i64::from(Errno::INTR.raw())) => {}
                // It was interrupted again, for a stop that is none of a call.
                _ => {
                    stop.tracee.resume(How::Cont, None);
                    return;
                }
            },
            StopKind::Plain if task.asked_to_stop && task.group_stopped.is_none() => {
                self.undo_wake_up(&stop.tracee);
            }
            // The stop of our own step is no signal of the tracee's.
            StopKind::Signal(Signal::TRAP) if task.stepping.is_some() => {}
            StopKind::Signal(delivered) => {
                self.undo_wake_up_by(delivered, &stop.tracee);
                self.keep_eintr_for(delivered, &stop.tracee);
                signal = Some(delivered);
            }
            // The child is under trace already: its first stop is still to come.
            StopKind::NewChild { child, .. } => self.expect_child(tid, child),
            // The thread that called exec goes on under this tid.
            StopKind::Executed { former } if former != tid => self.forget(former, at, events),
            _ => {}
        }
        // One that was killed in its stop has an end like any.
        if stop.tracee.detach(signal) {
            self.forget(tid, at, events);
        }
    }

    /// Enter the child that a creator's stop tells of, to be let go in turn.
    fn expect_child(&mut self, creator: Tid, child: Tid) {
        if let Some((first_stop, _)) = self.pending.take_stopped(child) {
            first_stop.detach(None);
        } else if self.pending.take_ended(child).is_none() {
            let tgid = Tgid::new(child.raw());
            if let Some(creator) = self.tasks.by_tid.get(&creator) {
                let task = Task::new(tgid, creator.kind);
                self.tasks.by_tid.insert(child, task);
            }
        }
    }

    fn forget(&mut self, tid: Tid, at: Moment, events: &mut Vec<Event>) {
        let Some(task) = self.tasks.remove_task(tid) else {
            return;
        };
        self.report_detached(tid, &task, at, events);
    }

    fn report_detached(&mut self, tid: Tid, task: &Task, at: Moment, events: &mut Vec<Event>) {
        if self.gave_up {
            // It was reported when we gave up.
            return;
        }
        let tgid = task.tgid;
        let known = self.tasks.processes.contains_key(&tgid);
        if tgid.leader() == tid {
            self.tasks.remove_process(tgid);
        }
        // A child that was not reported ends its trace in silence too.
        if known || tgid.leader() != tid {
            events.push(self.event(at, tid, tgid, EventKind::Detached));
        }
    }

    /// The grace is over: the rest is detached by the kernel as we end, or at
    /// its next stop if launched tasks keep us here.
    pub(super) fn give_up_leaving(&mut self, events: &mut Vec<Event>) {
        if self.gave_up {
            return;
        }
        let at = self.now();
        let attached = self.tasks.by_tid.iter();
        let attached = attached.filter(|(_, task)| !task.kind.launched);
        let mut rest: Vec<(Tid, Tgid)> = attached.map(|(tid, task)| (*tid, task.tgid)).collect();
        // Leaders last: with them a process is gone from the table.
        rest.sort_by_key(|(tid, tgid)| tgid.leader() == *tid);
        for (tid, tgid) in rest {
            events.push(self.event(at, tid, tgid, EventKind::Detached));
        }
        self.gave_up = true;
    }

    /// Whether all that is left is attached tasks that we gave up.
    pub(super) fn only_given_up(&self) -> bool {
        self.gave_up && self.tasks.by_tid.values().all(|task| !task.kind.launched)
    }
}

/// The result of the call at whose exit a task is.
fn result(tracee: &Stopped) -> Option<Result<i64, i64>> {
    match tracee.syscall_info().ok()?.phase {
        Phase::Exit { value, is_error } => Some(if is_error { Err(value) } else { Ok(value) }),
        _ => None,
    }
}
