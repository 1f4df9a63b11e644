//! Interrupting tracees, and undoing what that does to the calls they sleep in.
//!
//! A tracee that sleeps is woken by our interrupt, and by a signal that it
//! ignores, which untraced would not even be queued. The kernel restarts most
//! calls then; some fail with EINTR ([`Abi::fails_when_woken`]). At the stop
//! that follows, EINTR is replaced by ERESTARTNOHAND: the kernel then decides as
//! it does for `pause`. If a handler is about to run, the call fails with EINTR
//! after all, as it would untraced; if none is, the call is made again. No
//! window is left in which a signal could be lost, and it holds for a tracee
//! that is detached in that stop as well. A time-out of the call starts anew.

use super::engine::Tracer;
use super::scheduler::Scheduler;
use crate::kernel::{Abi, Errno, Signal, Tid};
use crate::proc;
use crate::sys::ptrace::{self, Stopped};

impl<S: Scheduler> Tracer<S> {
    /// Make a running task stop. Its stop is an answer to us.
    pub(super) fn interrupt(&mut self, tid: Tid) {
        if let Some(task) = self.tasks.by_tid.get_mut(&tid) {
            task.asked_to_stop = true;
        }
        ptrace::interrupt(tid);
    }

    /// A signal is about to be delivered; if the task ignores it, let the call
    /// go on that it has woken. A continuation comes after a stop, which wakes
    /// untraced tasks as well.
    pub(super) fn undo_wake_up_by(&self, signal: Signal, tracee: &Stopped) {
        let ignores = || {
            let status = proc::status(tracee.tid());
            status.is_some_and(|status| status.disregards(signal))
        };
        if signal != Signal::CONT && self.sees_proc() && tracee.has_eintr() && ignores() {
            undo_wake_up(tracee);
        }
    }
}

/// How often in a row one call is made again: there may be other reasons for
/// its EINTR, a file system's or a filter's.
const MOST_REPEATS: u8 = 8;

impl<S: Scheduler> Tracer<S> {
    /// A call ends. With EINTR it may have been woken by a signal that the
    /// process ignores and that another of its threads takes: then no delivery
    /// follows here at which that could be undone. A stop of our own does.
    pub(super) fn doubt_eintr(&mut self, tid: Tid, result: Result<i64, i64>) {
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        if result != Err(-i64::from(Errno::INTR.raw())) {
            task.repeats = 0;
        } else if task.repeats < MOST_REPEATS && !task.asked_to_stop {
            task.repeats += 1;
            self.interrupt(tid);
        }
    }
}

/// Let the call go on that the tracee was woken from.
pub(super) fn undo_wake_up(tracee: &Stopped) {
    if !tracee.has_eintr() {
        return;
    }
    let Ok(info) = tracee.syscall_info() else {
        // Killed in its stop.
        return;
    };
    let can_be_made_again = |nr| {
        let abi = Abi::from_audit(info.arch, nr);
        abi.is_some_and(|abi| abi.fails_when_woken(nr))
    };
    let _ = tracee.restart_unless_handled(can_be_made_again);
}
