//! Execs that fail, of which no ptrace event tells.
//!
//! That one succeeds is known by its event, which comes before its exit stop: a task is
//! resumed from the event without asking for that stop.

use super::engine::Tracer;
use super::image;
use super::scheduler::Scheduler;
use super::stop::Stop;
use crate::event::{Event, EventKind, FailedExec};
use crate::kernel::{Abi, Errno, RuleCall, Tgid};
use crate::proc;
use crate::sys::ptrace::Stopped;

/// An exec that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenExec {
    /// Where its path lies.
    path: u64,
    /// The descriptor that an empty path stands for.
    dirfd: Option<i32>,
}

impl OpenExec {
    pub(super) fn new(abi: Abi, call: RuleCall, args: [u64; 6]) -> Option<OpenExec> {
        let [first, second, ..] = args.map(|word| abi.argument(word));
        match call {
            RuleCall::Execve => Some(OpenExec {
                path: first,
                dirfd: None,
            }),
            RuleCall::Execveat => Some(OpenExec {
                path: second,
                dirfd: Some(((first & 0xffff_ffff) as u32).cast_signed()),
            }),
            _ => None,
        }
    }
}

impl<S: Scheduler> Tracer<S> {
    pub(super) fn exec_entry(&mut self, stop: Stop, exec: OpenExec) {
        // The launch says itself why it failed.
        let is_launch = |tgid: Tgid| {
            let root = self.root.as_ref();
            root.is_some_and(|root| root.tgid == tgid && root.launching.is_some())
        };
        let task = self.tasks.by_tid.get_mut(&stop.tid());
        let task = task.filter(|task| self.capture.rules && !is_launch(task.tgid));
        if let Some(task) = task {
            task.exec = Some(exec);
        }
        self.go_on(stop);
    }

    pub(super) fn exec_exit(
        &mut self,
        stop: Stop,
        exec: OpenExec,
        result: Result<i64, i64>,
        events: &mut Vec<Event>,
    ) {
        let (at, tid) = (stop.at, stop.tid());
        let tgid = self.tasks.by_tid.get(&tid).map(|task| task.tgid);
        let errno = result.err().and_then(|value| i32::try_from(-value).ok());
        // What is interrupted by a signal is restarted.
        let errno = errno
            .map(Errno::from_raw)
            .filter(|errno| !errno.is_restart());
        let failed = tgid.zip(errno).map(|(tgid, errno)| {
            let path = self.path(&stop.tracee, tgid, exec, errno);
            (tgid, FailedExec { path, errno })
        });
        self.go_on(stop);
        if let Some((tgid, failed)) = failed {
            events.push(self.event(at, tid, tgid, EventKind::ExecFailed(failed)));
        }
    }

    /// What was to be executed. The kernel has read the path, so no page of it is still to
    /// come, unless it could not.
    fn path(&self, stopped: &Stopped, tgid: Tgid, exec: OpenExec, errno: Errno) -> Option<Vec<u8>> {
        if errno == Errno::FAULT {
            return None;
        }
        let path = image::string(stopped, exec.path).ok()?;
        match exec.dirfd {
            Some(fd) if path.is_empty() => self.sees_proc().then(|| proc::fd_link(tgid, fd))?,
            _ => Some(path),
        }
    }
}
