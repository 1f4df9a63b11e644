//! Attached processes that are children of our own process: other threads of it
//! started them, and want to reap them.
//!
//! To the kernel, parent and tracer are then the same process, and the tracer's
//! wait for a dead tracee reaps it for good. So such a child is let go when it is
//! about to exit, with its status known, and dies a child like any other. Only a
//! second SIGKILL, in that very moment, is faster.

use super::engine::Tracer;
use super::scheduler::Scheduler;
use super::stop::Stop;
use crate::event::Event;
use crate::kernel::{Tgid, WaitStatus};
use crate::sys::ptrace::options;

/// Whether a process with this parent is one of ours.
pub(super) fn is_own(parent: Option<Tgid>) -> bool {
    let own = i32::try_from(std::process::id()).ok();
    own.is_some() && own == parent.map(Tgid::raw)
}

/// What such a process is seized with, beside what all are.
pub(super) fn options(is_own: bool) -> libc::c_int {
    if is_own { options::EXIT } else { 0 }
}

impl<S: Scheduler> Tracer<S> {
    /// A task is about to exit. The option is inherited by all that such a
    /// child starts: they, and threads, go on to their deaths.
    pub(super) fn exiting(&mut self, stop: Stop, status: WaitStatus, events: &mut Vec<Event>) {
        let tid = stop.tid();
        let Some(task) = self.tasks.by_tid.get(&tid) else {
            return;
        };
        let (tgid, how) = (task.tgid, task.how());
        let process = self.tasks.processes.get_mut(&tgid);
        let Some(process) = process.filter(|process| process.is_own && tgid.leader() == tid) else {
            self.resume(stop, how, None);
            return;
        };
        if stop.tracee.detach(None) {
            process.has_left = true;
            self.end_with_last_thread(tgid, status, events);
        }
    }

    /// A process whose leader was let go ends with the last of its threads.
    pub(super) fn end_with_last_thread(
        &mut self,
        tgid: Tgid,
        status: WaitStatus,
        events: &mut Vec<Event>,
    ) {
        let process = self.tasks.processes.get(&tgid);
        let has_left = process.is_some_and(|process| process.has_left);
        if has_left && self.tasks.threads_left(tgid).is_empty() {
            self.ended(tgid.leader(), status, events);
        }
    }
}
