//! Children that get the pid of a dead process.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Explorer;
use super::calls::Call;
use super::passed::Made;
use crate::explore::schedule::Point;
use crate::kernel::{Tgid, Tid};
use crate::proc;
use crate::tracer::scheduler::Decision;
use crate::tracer::{Stop, World};

/// How many of the last dead processes are kept.
const MOST_DEAD: usize = 8;

/// The pids of processes that the command created.
#[derive(Debug, Default)]
pub(super) struct Pids {
    living: FxHashSet<Tid>,
    /// The last one comes last.
    dead: VecDeque<Tid>,
    /// What calls were made to use.
    chosen: FxHashMap<Tid, Tid>,
}

impl Pids {
    fn born(&mut self, pid: Tid) {
        self.living.insert(pid);
        self.dead.retain(|dead| *dead != pid);
    }

    /// A task is dead, but perhaps not reaped by its parent.
    pub(super) fn ended(&mut self, tid: Tid) {
        self.chosen.remove(&tid);
        if !self.living.remove(&tid) {
            return;
        }
        if self.dead.len() == MOST_DEAD {
            self.dead.pop_front();
        }
        self.dead.push_back(tid);
    }

    /// The last one that no process has.
    fn free(&self, is_in_use: impl Fn(Tid) -> bool) -> Option<Tid> {
        let mut last_first = self.dead.iter().rev();
        last_first.find(|pid| !is_in_use(**pid)).copied()
    }
}

impl Explorer {
    /// What is done with a call that may use a pid again; `None` if nothing is.
    pub(super) fn reuse(
        &mut self,
        stop: &Stop,
        (call, made): (Call, Made),
        tgid: Tgid,
        world: &World<'_>,
    ) -> Option<Decision> {
        if !self.schedule.has(Point::PidReuse) || call != Call::Fork || stop.creates_thread() {
            return None;
        }
        let tid = stop.tid();
        let pid = self.reusable(tid, tgid, world)?;
        let (is_wanted, _) = self.reach(Point::PidReuse, tgid, "");
        is_wanted.then(|| {
            // Where it fails the call is made again as it was.
            self.passed.note(tid, made);
            self.pids.chosen.insert(tid, pid);
            Decision::ChoosePid(pid)
        })
    }

    /// A process was created.
    pub(super) fn uses_pid(&mut self, creator: Tid, child: Tid, tgid: Tgid, world: &World<'_>) {
        let chosen = self.pids.chosen.remove(&creator);
        if chosen.is_some() {
            self.passed.forget(creator);
        }
        if chosen == Some(child) {
            self.applied += 1;
            self.forced.next(Point::PidReuse);
        } else if !self.schedule.has(Point::PidReuse)
            && self.reusable(creator, tgid, world).is_some()
        {
            self.count(Point::PidReuse, tgid, "");
        }
        self.pids.born(child);
    }

    /// The pid that a new child could have: a process may choose that of another with a
    /// capability, and in our own namespace only is it the number that we know.
    fn reusable(&self, tid: Tid, tgid: Tgid, world: &World<'_>) -> Option<Tid> {
        let free = self.pids.free(proc::is_there)?;
        let may_choose = || proc::status(tid).is_some_and(|status| status.may_choose_pids());
        (world.shares_our_pids(tgid) && may_choose()).then_some(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pid_that_nobody_has_is_used_again() {
        let mut pids = Pids::default();
        let all = [1, 2, 3].map(Tid::new);
        let [first, second, third] = all;
        for pid in all {
            pids.born(pid);
        }
        assert_eq!(pids.free(|_| false), None);
        pids.ended(first);
        pids.ended(second);
        // A thread, or a process from before.
        pids.ended(Tid::new(9));
        assert_eq!(pids.free(|_| false), Some(second));
        // Not reaped by its parent.
        assert_eq!(pids.free(|pid| pid == second), Some(first));
        pids.born(second);
        assert_eq!(pids.free(|_| false), Some(first));
        pids.ended(third);
        for pid in (10..).map(Tid::new).take(2 * MOST_DEAD) {
            pids.born(pid);
            pids.ended(pid);
        }
        assert_eq!(pids.dead.len(), MOST_DEAD);
    }
}
