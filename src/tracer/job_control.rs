//! Group-stops and continuations, and the shell that waits for ours.

use std::time::{Duration, Instant};

use super::engine::Tracer;
use super::scheduler::Scheduler;
use super::stop::Stop;
use super::tasks::Task;
use crate::event::{Event, EventKind};
use crate::kernel::{Signal, Tgid, Tid};
use crate::sys::ptrace::How;
use crate::sys::streams;

/// How long a family whose root was stopped as a job must have been quiet
/// before we stop as well, and how long it gets for that.
const JOB_QUIET: Duration = Duration::from_millis(20);
const JOB_AT_MOST: Duration = Duration::from_millis(200);

/// The root is stopped as a job.
#[derive(Clone, Copy, Debug)]
pub(super) struct JobStop {
    since: Instant,
    quiet_since: Instant,
}

impl JobStop {
    fn now() -> JobStop {
        let now = Instant::now();
        JobStop {
            since: now,
            quiet_since: now,
        }
    }

    /// Something else happened in the family.
    pub(super) fn disturbed(&mut self) {
        self.quiet_since = Instant::now();
    }
}

impl<S: Scheduler> Tracer<S> {
    /// All threads of the process are stopped: this one stays so until the
    /// process is continued.
    pub(super) fn group_stop(&mut self, stop: Stop, signal: Signal, events: &mut Vec<Event>) {
        let (at, tid) = (stop.at, stop.tid());
        stop.tracee.listen();
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        task.group_stopped = Some(signal);
        task.asked_to_stop = false;
        let tgid = task.tgid;
        self.mirror(tgid, tid, signal);
        events.push(self.event(at, tid, tgid, EventKind::GroupStopped { signal }));
    }

    /// A first stop, an answer to an interrupt, or the end of a group-stop.
    pub(super) fn plain_stop(&mut self, stop: Stop, events: &mut Vec<Event>) {
        let (at, tid) = (stop.at, stop.tid());
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        let tgid = task.tgid;
        let is_new = std::mem::take(&mut task.is_new);
        let is_continued = task.group_stopped.take().is_some();
        // A group-stop wakes untraced tasks too.
        if std::mem::take(&mut task.asked_to_stop) && !is_continued {
            self.undo_wake_up(&stop.tracee);
        }
        // A call that is made again is one whose exit is wanted.
        let how = self.tasks.by_tid.get(&tid).map_or(How::Cont, Task::how);
        if is_new && self.must_wait_for_parent(tid) {
            self.hold(stop, how, None);
        } else {
            self.resume(stop, how, None);
        }
        if is_continued {
            self.job_stop = None;
            events.push(self.event(at, tid, tgid, EventKind::Resumed));
        }
    }

    /// Whether the root's stop should stop us too, as a shell that runs us as
    /// a job waits for *our* stop. A SIGSTOP is a job's only if no other task
    /// is left that could continue the root.
    fn mirror(&mut self, tgid: Tgid, tid: Tid, signal: Signal) {
        let is_root = self.root.as_ref().is_some_and(|root| root.tgid == tgid);
        if !self.stops_as_job || !is_root || tgid.leader() != tid {
            return;
        }
        let by_terminal = signal != Signal::STOP;
        if (by_terminal || self.tasks.by_tid.len() == 1) && streams::is_shell_job() {
            self.job_stop = Some(JobStop::now());
            self.waker.wake_after(JOB_QUIET);
        }
    }

    /// Whether it is time to stop as the root has: the key that stopped it
    /// stops the whole family, and each of them needs us for that.
    pub(super) fn job_has_stopped(&mut self) -> bool {
        let Some(stop) = self.job_stop else {
            return false;
        };
        if stop.quiet_since.elapsed() < JOB_QUIET && stop.since.elapsed() < JOB_AT_MOST {
            self.waker.wake_after(JOB_QUIET);
            return false;
        }
        self.job_stop = None;
        true
    }
}
