//! Signal-delivery-stops, and what a handler does to the wait that it
//! interrupts.

use super::engine::Tracer;
use super::handler::{HandlerFrame, Interrupted};
use super::scheduler::Scheduler;
use super::stop::Stop;
use crate::event::{Event, EventKind};
use crate::kernel::{Errno, SigInfo, Signal};
use crate::proc;
use crate::sys::ptrace::How;

impl<S: Scheduler> Tracer<S> {
    /// A signal is about to be delivered: deliver it, whichever it is.
    pub(super) fn signal_stop(&mut self, stop: Stop, signal: Signal, events: &mut Vec<Event>) {
        let (at, tid) = (stop.at, stop.tid());
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        let stepping = task.stepping.take();
        if let Some(by) = stepping.filter(|_| signal == Signal::TRAP) {
            self.stepped(stop, by, events);
            return;
        }
        let (tgid, is_free) = (task.tgid, task.is_free);
        if !task.interrupted {
            self.undo_wake_up_by(signal, &stop.tracee);
        }
        if signal == Signal::CHLD
            && let Some(process) = self.tasks.processes.get(&tgid)
            && process.handler_frame != HandlerFrame::None
            && let Some(task) = self.tasks.by_tid.get_mut(&tid)
        {
            task.interrupted_at = Interrupted::at(&stop.tracee);
        }
        let wants_info = self.capture.siginfo;
        let info = wants_info.then(|| stop.tracee.siginfo().ok()).flatten();
        let info = info.and_then(|bytes| SigInfo::from_native(&bytes));
        let is_of_child =
            signal == Signal::CHLD && is_free && info.is_none_or(|info| info.child().is_some());
        if is_of_child {
            // Of one that was not seen: adopted, or untraced by its creator.
            self.stop_at_calls(tgid, tid, at, events);
        }
        let sender = info.filter(|_| self.capture.peers);
        let sender = sender.and_then(|info| self.peer(tgid, info.pid()?));
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
            task.stepping = Some(signal);
            How::SingleStep
        } else {
            task.how()
        };
        self.resume(stop, how, Some(signal));
        let kind = EventKind::Signalled {
            signal,
            info,
            sender,
        };
        events.push(self.event(at, tid, tgid, kind));
    }

    /// A task made its step into a handler: the frame holds what the wait that
    /// was interrupted will return there.
    fn stepped(&mut self, stop: Stop, by: Signal, events: &mut Vec<Event>) {
        let (at, tid) = (stop.at, stop.tid());
        let saved = stop.tracee.saved_result();
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        let tgid = task.tgid;
        let eintr = match saved {
            Ok(Some(value)) => Some(value == -i64::from(Errno::INTR.raw())),
            Ok(None) | Err(_) => None,
        };
        if eintr != Some(false) {
            // It will not be restarted, or that is not known: a retry of the
            // program's own must not pass for the kernel's.
            task.suspended.pop();
        }
        self.go_on(stop);
        if let Some(eintr) = eintr {
            events.push(self.event(at, tid, tgid, EventKind::RestartOutcome { by, eintr }));
        }
    }
}
