//! The points where a task is held because of a stop that it makes: at its fork,
//! at its start, at a call that sleeps. Those of deaths are in `deaths`.

use rustc_hash::FxHashMap;

use super::calls::{self, Call};
use super::holds::Until;
use super::{Explorer, alarms};
use crate::event::HoldPoint;
use crate::explore::schedule::Point;
use crate::kernel::{Signal, Tgid, Tid};
use crate::proc;
use crate::tracer::scheduler::Decision;
use crate::tracer::{Creation, Stop, World};

/// Creators that wait until a child of `vfork` has executed a program or ended, by child.
#[derive(Debug, Default)]
pub(super) struct Vforks(FxHashMap<Tid, Tid>);

impl Vforks {
    /// The creator waits from now on.
    pub(super) fn created(&mut self, child: Tid, creator: Tid) {
        self.0.insert(child, creator);
    }

    /// The child has executed a program or is dead.
    pub(super) fn over(&mut self, child: Tid) {
        self.0.remove(&child);
    }

    /// Whether a task waits so.
    pub(super) fn has_creator(&self, tid: Tid) -> bool {
        self.0.values().any(|creator| *creator == tid)
    }
}

/// A process that has not made its first stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewChild {
    /// It may be dead by then.
    creator: Tgid,
    /// Which occurrence of `parent-first`; 0 is none.
    number: u32,
    /// Its creator is suspended until it execs.
    is_vforked: bool,
}

impl Explorer {
    /// A process was created.
    pub(super) fn created(
        &mut self,
        stop: &Stop,
        (creation, child): (Creation, Tid),
        world: &World<'_>,
    ) -> Decision {
        let tid = stop.tid();
        if stop.creates_thread() {
            return Decision::Resume;
        }
        let tgid = world.process_of(tid).unwrap_or(Tgid::new(tid.raw()));
        self.uses_pid(tid, child, tgid, world);
        let (is_wanted, _) = self.reach(Point::ChildFirst, tgid, "");
        let is_vforked = creation == Creation::Vfork;
        if is_vforked {
            self.vforks.created(child, tid);
        }
        let number = if is_vforked {
            0
        } else {
            self.count(Point::ParentFirst, tgid, "")
        };
        let new = NewChild {
            creator: tgid,
            number,
            is_vforked,
        };
        self.new.insert(child, new);
        // With errors they are counted as they are tried.
        if !self.schedule.has_faults() {
            self.count(Point::ForkFail, tgid, "");
        }
        let until = Until::ChildEnded(Tgid::new(child.raw()));
        if is_wanted {
            self.forced.next(Point::ChildFirst);
        }
        if is_wanted || self.chance() {
            return self.hold(stop, world, HoldPoint::Fork, until);
        }
        Decision::Resume
    }

    /// A new task's first stop, or the answer to an interrupt of ours.
    pub(super) fn plain(&mut self, stop: &Stop, world: &World<'_>) -> Decision {
        let tid = stop.tid();
        if let Some(new) = self.new.remove(&tid) {
            let is_wanted = self.schedule.wants(Point::ParentFirst, new.number);
            let is_wanted = is_wanted && self.may_hold() || self.chance();
            if is_wanted && !new.is_vforked {
                self.forced.next(Point::ParentFirst);
                return self.hold(stop, world, HoldPoint::Start, Until::Asleep(new.creator));
            }
            return Decision::Resume;
        }
        let tgid = world.process_of(tid);
        if tgid.is_some_and(|tgid| self.groups.stands_still(tgid)) {
            return self.hold(stop, world, HoldPoint::Sleep, Until::Group);
        }
        Decision::Resume
    }

    /// A call that may sleep: of a process with children, or of one that may wait for the
    /// word of another process.
    pub(super) fn sleep(
        &mut self,
        stop: &Stop,
        call: Call,
        tgid: Tgid,
        world: &World<'_>,
    ) -> Decision {
        let Some(status) = proc::status(stop.tid()) else {
            return Decision::Resume;
        };
        let has_children = world.has_children(tgid);
        if !has_children && !calls::awaits_word(&status) {
            return Decision::Resume;
        }
        let mut is_held = None;
        if calls::deliverable(&status) != 0 {
            let kind = if has_children {
                call.kind()
            } else {
                calls::ALONE
            };
            let (is_wanted, number) = self.reach(Point::Before, tgid, kind);
            self.sleeps.insert(tgid, number);
            if is_wanted && calls::pending(&status) == 0 {
                is_held = Some(Until::Signalled);
            }
        }
        if let Call::Wait { pid: Some(pid), .. } = call
            && world.threads_of(tgid).len() > 1
            && world.shares_our_pids(tgid)
            && self.reach(Point::Steal, tgid, "").0
        {
            is_held = Some(Until::Taken(Tgid::new(pid)));
        }
        if self.groups.stands_still(tgid) {
            is_held = Some(Until::Group);
        } else if is_held.is_none() && self.chance() {
            is_held = Some(Until::Signalled);
        }
        match is_held {
            Some(until) => self.hold(stop, world, HoldPoint::Call, until),
            None => Decision::Resume,
        }
    }

    /// Note what tells whether a sleep can end by itself.
    pub(super) fn note(&mut self, call: Call, tgid: Tgid, stop: &Stop) {
        match call {
            Call::OpenPidfd => self.knows_pidfds = true,
            Call::Alarm(seconds) => self.alarms.set_seconds(tgid, seconds),
            Call::SetTimer(address) if address != 0 => {
                let mut timer = [0; alarms::ITIMERVAL];
                let is_filled = proc::are_filled(tgid, address, alarms::ITIMERVAL as u64);
                let is_read = is_filled && stop.tracee().read(address, &mut timer).is_ok();
                self.alarms.set_timer(tgid, is_read.then_some(timer));
            }
            _ => {}
        }
    }

    /// SIGALRM may be that of a timer.
    pub(super) fn note_alarm(&mut self, stop: &Stop, signal: Signal, world: &World<'_>) {
        let tgid = world.process_of(stop.tid());
        if let Some(tgid) = tgid.filter(|_| signal == Signal::ALRM) {
            self.alarms.fired(tgid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creator_waits_until_its_vfork_child_is_over() {
        let [creator, child, other] = [1, 2, 3].map(Tid::new);
        let mut vforks = Vforks::default();
        vforks.created(child, creator);
        assert!(vforks.has_creator(creator) && !vforks.has_creator(child));
        vforks.over(other);
        assert!(vforks.has_creator(creator));
        vforks.over(child);
        assert!(!vforks.has_creator(creator));
    }
}
