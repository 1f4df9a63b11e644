//! The ends of threads and processes of a record, and how long the dead are remembered.

use super::waits::Child;
use super::{Dead, Process, ProcessTree};
use crate::event::{EventKind, Moment};
use crate::kernel::WaitStatus;

/// How many of the dead are remembered.
const MOST_DEAD: usize = 1 << 16;

impl ProcessTree {
    /// A thread has ended; with the last one the process, as this one did.
    /// A leader's end is its process's.
    pub(in crate::records) fn ended(
        &mut self,
        tid: i32,
        at: Moment,
        status: WaitStatus,
        is_last: bool,
    ) {
        self.coverage.ends = true;
        self.give_up_waits_of(tid);
        let Some(tgid) = self.tasks.get(&tid).map(|task| task.tgid) else {
            return;
        };
        let Some(process) = self.processes.get_mut(&tgid) else {
            return;
        };
        process.threads.retain(|thread| *thread != tid);
        process.leader_ended |= tid == tgid;
        let is_over = is_last || (process.leader_ended && process.threads.is_empty());
        if tid != tgid {
            self.push(tid, EventKind::Ended { status });
            self.tasks.remove(&tid);
        }
        if is_over {
            self.over(tgid, at, status);
        }
    }

    /// A child has ended, as a signal to its parent says.
    pub(in crate::records) fn died(&mut self, child: i32, status: WaitStatus) {
        self.coverage.unfollowed += 1;
        self.over(child, self.at, status);
    }

    /// A wait reported the end of a child that the record has no end of.
    pub(in crate::records) fn gone(&mut self, child: i32, status: WaitStatus) {
        let process = self.processes.remove(&child).unwrap_or_default();
        for tid in process.threads.iter().chain([&child]) {
            self.tasks.remove(tid);
        }
        self.bury(child, &process, self.at, status, true);
    }

    fn over(&mut self, tgid: i32, at: Moment, status: WaitStatus) {
        let process = self.processes.remove(&tgid).unwrap_or_default();
        for tid in &process.threads {
            self.push(*tid, EventKind::Ended { status });
            self.tasks.remove(tid);
        }
        self.push(tgid, EventKind::Ended { status });
        self.tasks.remove(&tgid);
        self.bury(tgid, &process, at, status, false);
    }

    /// A process is one of the dead.
    fn bury(
        &mut self,
        tgid: i32,
        process: &Process,
        at: Moment,
        status: WaitStatus,
        is_reaped: bool,
    ) {
        self.deaths += 1;
        let dead = Dead {
            status,
            habits: process.habits,
            inner: process.inner,
            at,
            is_reaped,
            number: self.deaths,
        };
        self.dead.insert(tgid, dead);
        self.order.push_back((tgid, self.deaths));
        if self.order.len() > MOST_DEAD {
            self.forget_oldest();
        }
        self.settle_waits_for(Child::Here(tgid));
        if let Some(inner) = process.inner {
            self.settle_waits_for(Child::There(inner));
        }
    }

    /// A task is traced no more, or its end is known otherwise: its pid may be
    /// another's.
    pub(in crate::records) fn forget(&mut self, tid: i32) {
        if self.tasks.remove(&tid).is_none_or(|task| task.tgid == tid) {
            self.processes.remove(&tid);
        }
    }

    /// The one that has been dead for longest is forgotten.
    fn forget_oldest(&mut self) {
        let Some((tgid, number)) = self.order.pop_front() else {
            return;
        };
        if self
            .dead
            .get(&tgid)
            .is_none_or(|dead| dead.number != number)
        {
            // Another lived under its pid.
            return;
        }
        let inner = self.dead.remove(&tgid).and_then(|dead| dead.inner);
        if let Some(inner) = inner.filter(|inner| self.inner.get(inner) == Some(&tgid)) {
            self.inner.remove(&inner);
        }
    }
}
