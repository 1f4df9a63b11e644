//! Execs: the calls and threads that end with them, and what runs now.

use std::sync::Arc;

use super::engine::Tracer;
use super::handler::HandlerFrame;
use super::image;
use super::last_eintr::LastEintr;
use super::launch::FirstExec;
use super::scheduler::Scheduler;
use super::stop::Stop;
use super::tasks::Task;
use crate::event::{Event, EventKind, Found, Image, SigchldAction};
use crate::kernel::{Tgid, Tid};
use crate::proc;
use crate::sys::ptrace::{How, Stopped};

impl<S: Scheduler> Tracer<S> {
    /// A thread that executed a program goes on with the leader's tid, which we never
    /// saw if the leader was dead before we attached.
    pub(super) fn enter_new_leader(&mut self, tid: Tid, former: Tid) {
        if former != tid {
            self.turns.forget(tid);
        }
        if self.tasks.by_tid.contains_key(&tid) {
            return;
        }
        let caller = self.tasks.by_tid.get(&former);
        if let Some((tgid, kind)) = caller.map(|task| (task.tgid, task.kind)) {
            self.tasks.add_task(tid, Task::new(tgid, kind));
        }
    }

    /// A program was executed. Where a thread that was not the leader called
    /// exec, it goes on under the leader's tid: the leader is gone without an
    /// exit of its own, and so are calls that were open.
    pub(super) fn executed(&mut self, stop: Stop, former: Tid, events: &mut Vec<Event>) {
        let (at, tid) = (stop.at, stop.tid());
        let former = Some(former).filter(|former| *former != tid);
        let mut how = How::Syscall;
        let mut tgid = Tgid::new(tid.raw());
        if let Some(task) = self.tasks.by_tid.get_mut(&tid) {
            task.call = None;
            task.suspended.clear();
            task.sigaction = None;
            task.exec = None;
            task.made_again = None;
            task.last_eintr = LastEintr::None;
            task.interrupted = false;
            task.stepping = None;
            task.interrupted_at = None;
            tgid = task.tgid;
            how = task.how();
        }
        if let Some(former) = former {
            self.tasks.remove_task(former);
        }
        // All other threads are gone.
        self.release_children(tgid);
        self.look_up_inherited(tgid, at, events);
        self.begin_anew(tgid);
        how = self.tasks.by_tid.get(&tid).map_or(how, Task::how);
        if let Some(process) = self.tasks.processes.get_mut(&tgid) {
            process.handler_frame = HandlerFrame::None;
            // Only ignoring it outlives an exec.
            process.sigchld = process.sigchld.map(|action| match action {
                SigchldAction::Ignore => action,
                _ => SigchldAction::Default,
            });
        }
        if let Some(stacks) = &mut self.stacks {
            stacks.forget(tgid);
        }
        let image = Arc::new(self.image(&stop.tracee, tgid));
        let first = self.launched_now(tgid);
        if first == FirstExec::WithoutFilter {
            // Every call must stop from here on.
            how = How::Syscall;
        }
        self.resume(stop, how, None);
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

    /// What a process has just executed, if that is wanted.
    fn image(&mut self, stopped: &Stopped, tgid: Tgid) -> Image {
        if !self.capture.images {
            return Image::default();
        }
        let image = image::of_new_program(stopped, &mut self.stack);
        let by_proc = || self.sees_proc().then(|| proc::image(tgid));
        image.or_else(by_proc).unwrap_or_default()
    }
}
