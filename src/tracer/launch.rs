//! Starting the root.

use super::engine::{Root, Tracer};
use super::tasks::{Kind, Task};
use crate::kernel::{Errno, Tgid, Tid};
use crate::sys::spawn::{Program, Report, spawn};

impl Tracer {
    /// Launch `program` under trace. Its first event comes when it has been
    /// executed; if it never is, [`Tracer::root_end`] says why.
    pub(crate) fn launch(&mut self, program: &Program) -> Result<(), (&'static str, Errno)> {
        let kind = Kind {
            launched: true,
            filtered: program.filter.is_some(),
        };
        let spawned = spawn(program, self.options(kind))?;
        let tgid = Tgid::new(spawned.tid.raw());
        self.tasks.by_tid.insert(spawned.tid, Task::new(tgid, kind));
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let ns = self.ns_pids(tgid).map(std::sync::Arc::new);
        self.tasks.add_process(tgid, Some(Tgid::new(own)), ns);
        self.root = Some(Root {
            tgid,
            launching: Some(spawned),
            end: None,
        });
        Ok(())
    }

    /// Whether this exec is the root's first: the launch is done then. Inside,
    /// what the child had to say, which cannot be fatal.
    pub(super) fn launched_now(&mut self, tgid: Tgid) -> Option<Option<Report>> {
        let root = self.root.as_mut().filter(|root| root.tgid == tgid)?;
        let mut launching = root.launching.take()?;
        Some(launching.report())
    }

    /// The filter could not be installed in the root: every call stops.
    pub(super) fn without_filter(&mut self, tid: Tid, _why: Report) {
        if let Some(task) = self.tasks.by_tid.get_mut(&tid) {
            task.kind.filtered = false;
        }
    }
}
