//! Starting the root.

use super::engine::{Root, RootEnd, Tracer};
use super::refusal;
use super::scheduler::Scheduler;
use super::tasks::{Kind, Task};
use crate::kernel::{Signal, Tgid};
use crate::sys::spawn::{Failure, Program, spawn};

impl<S: Scheduler> Tracer<S> {
    /// Launch `program` under trace. Its first event comes when it has been
    /// executed; if it never is, [`Tracer::root_end`] says why.
    ///
    /// # Errors
    /// The operation that failed, and its errno.
    pub(crate) fn launch(&mut self, program: &Program) -> Result<(), (&'static str, String)> {
        let kind = Kind {
            launched: true,
            filtered: program.filter.is_some(),
        };
        let spawned = match spawn(program, self.options(kind)) {
            Ok(spawned) => spawned,
            Err(Failure::Cannot(operation, errno)) => return Err((operation, errno.to_string())),
            Err(Failure::Refused(errno)) => {
                return Err(("trace the new process", refusal::of_launch(errno)));
            }
            Err(Failure::Killed(status)) => {
                self.root = Some(Root {
                    tgid: Tgid::new(0),
                    launching: None,
                    ignores_sigchld: false,
                    end: Some(RootEnd::Ended(status)),
                    output: [None, None],
                });
                return Ok(());
            }
        };
        self.filter.clone_from(&program.filter);
        let tgid = Tgid::new(spawned.tid.raw());
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let ns = self.ns_pids(tgid).map(std::sync::Arc::new);
        self.tasks.add_process(tgid, Some(Tgid::new(own)), ns);
        self.tasks.add_task(spawned.tid, Task::new(tgid, kind));
        self.root = Some(Root {
            tgid,
            launching: Some(spawned),
            ignores_sigchld: program.start.ignores(Signal::CHLD.raw()),
            end: None,
            output: [None, None],
        });
        Ok(())
    }

    /// Whether this exec is the root's first: the launch is done then.
    pub(super) fn launched_now(&mut self, tgid: Tgid) -> FirstExec {
        let root = self.root.as_mut().filter(|root| root.tgid == tgid);
        let Some(mut launching) = root.and_then(|root| root.launching.take()) else {
            return FirstExec::No;
        };
        if let Some(root) = &mut self.root {
            root.output = crate::proc::output_of(tgid);
        }
        // It ran, so all it can have said is that the filter was refused.
        if launching.report().is_none() {
            return FirstExec::Yes;
        }
        self.filter = None;
        if let Some(task) = self.tasks.by_tid.get_mut(&tgid.leader()) {
            task.kind.filtered = false;
        }
        FirstExec::WithoutFilter
    }
}

/// Whether an exec is the root's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstExec {
    /// It is not.
    No,
    /// It is.
    Yes,
    /// It is, and the seccomp filter could not be installed.
    WithoutFilter,
}
