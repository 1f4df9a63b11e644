//! Errors that the kernel may return at any time: a fork or an exec that fails.

use crate::explore::schedule::Point;
use crate::kernel::{Errno, Tgid, Tid};
use crate::tracer::scheduler::{Decision, Rewrite};
use crate::tracer::{Stop, World};

use super::Explorer;
use super::calls::Call;

/// What became of the errors.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// The process that tried to signal every process there is.
    pub(super) kills_all: Option<Tgid>,
    /// Tasks whose exec was made to fail.
    pub(super) failed_execs: Vec<Tid>,
    /// The process that went on as its parent after that.
    pub(super) ran_on: Option<Tgid>,
}

impl Faults {
    /// A program was executed after all.
    pub(super) fn executed(&mut self, tid: Tid) {
        self.failed_execs.retain(|failed| *failed != tid);
    }

    /// The task is dead; its tid may be another's from now on.
    pub(super) fn ended(&mut self, tid: Tid) {
        self.failed_execs.retain(|failed| *failed != tid);
    }
}

impl Explorer {
    /// What is done with a call where errors are injected; `None` if nothing is.
    pub(super) fn fault(
        &mut self,
        stop: &Stop,
        call: Call,
        tgid: Tgid,
        world: &World<'_>,
    ) -> Option<Decision> {
        if !self.schedule.has_faults() {
            return None;
        }
        let tid = stop.tid();
        match call {
            Call::Kill(-1) => {
                // It must not reach the machine.
                self.faults.kills_all = Some(tgid);
                Some(Decision::Rewrite(Rewrite::Fail(Errno::PERM)))
            }
            Call::Wait { .. } => {
                self.goes_on(tid, tgid, world);
                None
            }
            Call::Fork if !stop.creates_thread() => {
                self.goes_on(tid, tgid, world);
                self.fail(Point::ForkFail, tgid, Errno::AGAIN)
            }
            // The tracer's own, of the command itself.
            Call::Exec if !self.is_begun => None,
            Call::Exec => {
                let failed = self.fail(Point::ExecFail, tgid, Errno::NOMEM);
                if failed.is_some() {
                    self.faults.failed_execs.push(tid);
                }
                failed
            }
            _ => None,
        }
    }

    /// A child whose exec failed does what its parent does: it forks or waits.
    fn goes_on(&mut self, tid: Tid, tgid: Tgid, world: &World<'_>) {
        let is_child = world
            .parent_of(tgid)
            .is_some_and(|parent| world.lives(parent));
        if is_child && self.faults.failed_execs.contains(&tid) {
            self.faults.ran_on = Some(tgid);
        }
    }

    fn fail(&mut self, point: Point, tgid: Tgid, errno: Errno) -> Option<Decision> {
        let (is_wanted, _) = self.reach(point, tgid, "");
        is_wanted.then(|| {
            self.applied += 1;
            self.forced.next(point);
            Decision::Rewrite(Rewrite::Fail(errno))
        })
    }
}
