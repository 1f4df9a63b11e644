//! Signal-delivery-stops, and what a handler does to the wait that it
//! interrupts.

use super::engine::Tracer;
use super::handler::{HandlerFrame, Interrupted};
use super::scheduler::Scheduler;
use super::stop::Stop;
use super::tasks::Stepping;
use crate::event::{Comm, Event, EventKind, Moment};
use crate::kernel::{NsPid, SigInfo, Signal, Tgid};
use crate::proc;
use crate::sys::ptrace::How;

/// A sender's name is looked up again after so many nanoseconds.
const STORM: u64 = 100_000_000;

impl<S: Scheduler> Tracer<S> {
    /// A signal is about to be delivered: deliver it, whichever it is.
    pub(super) fn signal_stop(&mut self, stop: Stop, signal: Signal, events: &mut Vec<Event>) {
        let (at, tid) = (stop.at, stop.tid());
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        let stepping = task.stepping.take();
        if let Some(step) = stepping.filter(|_| signal == Signal::TRAP) {
            self.stepped(stop, step, events);
            return;
        }
        let (tgid, is_free) = (task.tgid, task.is_free);
        let process = self.tasks.processes.get(&tgid);
        // Seen to be set, and since then all of its calls were.
        let is_handled = task.kind.launched
            && signal == Signal::CHLD
            && process.is_some_and(|process| process.handler_frame == HandlerFrame::Here);
        if !task.interrupted && !is_handled {
            self.undo_wake_up_by(signal, &stop.tracee);
        }
        self.keep_eintr_for(signal, &stop.tracee);
        if signal == Signal::CHLD
            && let Some(process) = self.tasks.processes.get(&tgid)
            && process.handler_frame != HandlerFrame::None
            && let Some(task) = self.tasks.by_tid.get_mut(&tid)
        {
            task.interrupted_at = Interrupted::at(&stop.tracee);
        }
        let wants_info = self.capture.siginfo || signal == Signal::STOP;
        let info = wants_info.then(|| stop.tracee.siginfo().ok()).flatten();
        let info = info.and_then(|bytes| SigInfo::from_native(&bytes));
        let is_of_child =
            signal == Signal::CHLD && is_free && info.is_none_or(|info| info.child().is_some());
        if is_of_child {
            // Of one that was not seen: adopted, or untraced by its creator.
            self.stop_at_calls(tgid, Some(tid), at, events);
        }
        let sender = info.filter(|_| self.capture.peers);
        let sender = sender.and_then(|info| self.peer(tgid, info.pid()?));
        let dropped = self.is_dropped(tgid, signal, info.as_ref());
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        // EINTR or restart is decided as the handler is entered, so one step
        // into it tells. Without a handler the call restarts.
        let is_caught = self.capture.restart_outcomes
            && task.interrupted
            && proc::status(tid).is_some_and(|status| status.catches(signal));
        let how = if is_caught {
            task.interrupted = false;
            let from = stop.tracee.before_handler();
            task.stepping = Some(Stepping { signal, from });
            How::SingleStep
        } else {
            task.how()
        };
        // Of a tracee the kernel drops all but SIGSTOP itself.
        let passed_on = (!dropped || signal != Signal::STOP).then_some(signal);
        self.resume(stop, how, passed_on);
        let stranger = info.and_then(|info| self.stranger(at, tgid, info.sender()?));
        let sender = sender.or(stranger);
        let kind = EventKind::Signalled {
            signal,
            info,
            sender,
            dropped,
        };
        events.push(self.event(at, tid, tgid, kind));
    }

    /// Whether the kernel drops a signal: the first process of a pid namespace gets those
    /// that it has a handler for, and from outside those that kill or stop it
    /// (`sig_task_ignored` and `get_signal` in kernel/signal.c). What a fault of its own
    /// raises is not judged: a tracer changes what comes of it.
    fn is_dropped(&self, tgid: Tgid, signal: Signal, info: Option<&SigInfo>) -> bool {
        let first = NsPid::new(1);
        let ns = self
            .tasks
            .processes
            .get(&tgid)
            .and_then(|it| it.ns.as_ref());
        let is_first =
            tgid.raw() == first.raw() || ns.is_some_and(|ns| ns.chain.last() == Some(&first));
        let sender = info.and_then(SigInfo::sender);
        let may_be = match signal {
            // From outside the sender's pid is 0.
            Signal::STOP => sender.is_some_and(|sender| sender.raw() != 0),
            _ => sender.is_some() || !signal.is_crash(),
        };
        // A tracee that the kernel stopped, and would not, is disturbed: that is judged
        // whatever is captured.
        let matters = is_first || signal == Signal::STOP;
        matters
            && may_be
            // Of the leader: another thread is not the first of its namespace.
            && proc::status(tgid.leader()).is_some_and(|status| {
                status.is_init() && !status.catches(signal) && !status.disregards(signal)
            })
    }

    /// The name of a process that sent a signal and is none of ours, whose names are
    /// known; it may be gone soon. Of a storm of signals one is looked up.
    fn stranger(&mut self, at: Moment, receiver: Tgid, sender: NsPid) -> Option<Comm> {
        let is_ours = self.tasks.processes.contains_key(&Tgid::new(sender.raw()));
        if is_ours || !self.capture.images {
            return None;
        }
        if let Some((before, pid, name)) = self.last_stranger
            && pid == sender
            && at.since(before) < STORM
        {
            return name;
        }
        let name = self.peer(receiver, sender);
        self.last_stranger = Some((at, sender, name));
        name
    }

    /// A task made its step into a handler: the frame holds what the wait that
    /// was interrupted will return there.
    fn stepped(&mut self, stop: Stop, step: Stepping, events: &mut Vec<Event>) {
        let (at, tid) = (stop.at, stop.tid());
        let saved = stop.tracee.saved_eintr(step.from);
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        let tgid = task.tgid;
        let eintr = saved.ok().flatten();
        if eintr != Some(false) {
            // It will not be restarted, or that is not known: a retry of the
            // program's own must not pass for the kernel's.
            task.suspended.pop();
        }
        self.go_on(stop);
        if let Some(eintr) = eintr {
            let by = step.signal;
            events.push(self.event(at, tid, tgid, EventKind::RestartOutcome { by, eintr }));
        }
    }
}
