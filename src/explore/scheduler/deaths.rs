//! Children that are held at their exit: to end together, or while their parent
//! sleeps, or to be reaped later.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::Explorer;
use super::holds::{Hold, LIMIT, Until};
use crate::event::{HoldEnd, HoldPoint};
use crate::explore::advice::AtPlay;
use crate::explore::schedule::Point;
use crate::kernel::{Signal, Tgid, Tid};
use crate::proc;
use crate::tracer::scheduler::{Command, Decision};
use crate::tracer::{Stop, World};

/// How long a group gathers, and how long each later step of it may take.
const GATHERING: Duration = Duration::from_millis(150);
const A_STEP: Duration = Duration::from_millis(20);

/// Children of one process that end together.
#[derive(Debug)]
struct Group {
    /// Those that are held at their exit, or die now.
    children: Vec<Tid>,
    phase: Phase,
    since: Instant,
    begun: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Children that come to their exit are held.
    Gathers,
    /// The parent is made to stand still.
    Stops,
    /// The children end; their parent is stopped meanwhile.
    Ends,
}

/// The groups, by parent.
#[derive(Debug, Default)]
pub(super) struct Groups(FxHashMap<Tgid, Group>);

impl Groups {
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether a process is held in whatever stop it makes.
    pub(super) fn stands_still(&self, tgid: Tgid) -> bool {
        let group = self.0.get(&tgid);
        group.is_some_and(|group| group.phase != Phase::Gathers)
    }

    pub(super) fn ended(&mut self, tid: Tid) {
        for group in self.0.values_mut() {
            group.children.retain(|child| *child != tid);
        }
    }
}

impl Explorer {
    /// A task is about to exit. Of a process its leader is held: its death waits
    /// for that one.
    pub(super) fn exiting(&mut self, stop: &Stop, world: &World<'_>) -> Decision {
        let tid = stop.tid();
        let tgid = world.process_of(tid).filter(|tgid| tgid.leader() == tid);
        let parent = tgid.and_then(|tgid| world.parent_of(tgid));
        let Some((tgid, parent)) = tgid.zip(parent.filter(|parent| world.lives(*parent))) else {
            return Decision::Resume;
        };
        if self.is_over {
            return Decision::Resume;
        }
        let (is_wanted, _) = self.reach(Point::HoldDeaths, parent, "");
        // Of one parent there is one group at a time.
        if let Some(group) = self.groups.0.get_mut(&parent) {
            group.children.push(tid);
            if group.phase == Phase::Ends {
                // It dies with the others, before its parent goes on.
                return Decision::Resume;
            }
            return self.hold(stop, world, HoldPoint::Exit, Until::Group);
        }
        if is_wanted {
            let now = Instant::now();
            let group = Group {
                children: vec![tid],
                phase: Phase::Gathers,
                since: now,
                begun: now,
            };
            self.groups.0.insert(parent, group);
            return self.hold(stop, world, HoldPoint::Exit, Until::Group);
        }
        if self.schedule.has(Point::Eintr) && self.may_hold() && catches_sigchld(parent) {
            let number = self.schedule.number(Point::Eintr);
            let until = Until::ParentInSleep(parent, number);
            return self.hold(stop, world, HoldPoint::Exit, until);
        }
        if let Some(taken) = self.awaited_by_thief(tgid, parent) {
            return self.hold(stop, world, HoldPoint::Exit, Until::SiblingTaken(taken));
        }
        if self.skews(tid, parent, world) {
            return self.hold(stop, world, HoldPoint::Exit, Until::Quiet);
        }
        self.eof_first(tid, tgid, parent);
        if self.chance() {
            return self.hold(stop, world, HoldPoint::Exit, Until::Quiet);
        }
        Decision::Resume
    }

    /// The child that a thread of its parent is held for, until another thread has taken
    /// it, if that is another one than this. A thread that waits for any child until
    /// its own came takes no other after that.
    fn awaited_by_thief(&self, child: Tgid, parent: Tgid) -> Option<Tgid> {
        let mut own = self.holds.iter().filter(|hold| hold.tgid == parent);
        let awaited = own.find_map(|hold| match hold.until {
            Until::Taken(awaited) => Some(awaited),
            _ => None,
        });
        awaited.filter(|awaited| *awaited != child && self.may_hold())
    }

    fn eof_first(&mut self, tid: Tid, tgid: Tgid, parent: Tgid) {
        if self.knows_pidfds || proc::has_descriptor(parent, &[b"anon_inode:[pidfd]", b"pidfd:"]) {
            return;
        }
        // One with threads is dead with the last of them.
        if proc::threads(tid).len() != 1 {
            return;
        }
        if self.reach(Point::EofFirst, parent, "").0 && self.unreaped.is_none() {
            self.unreaped = Some(tid);
            self.forced.next(Point::EofFirst);
            self.add_hold(tid, tgid, HoldPoint::Death, Until::Quiet);
        }
    }

    /// Bring every group on.
    pub(super) fn serve_groups(&mut self, now: Instant, world: &World<'_>) {
        let mut groups = std::mem::take(&mut self.groups.0);
        groups.retain(|parent, group| self.serve_group(*parent, group, now, world));
        self.groups.0 = groups;
    }

    /// Bring a group on; whether there is more to do.
    fn serve_group(
        &mut self,
        parent: Tgid,
        group: &mut Group,
        now: Instant,
        world: &World<'_>,
    ) -> bool {
        let waited = now - group.since;
        if !world.lives(parent) {
            self.release_all(&group.children, HoldEnd::Quiet);
            return false;
        }
        match group.phase {
            Phase::Gathers => {
                if !self.quiet.are_quiet(now, |_, _| true) && waited < GATHERING {
                    return true;
                }
                if group.children.len() < 2 {
                    self.release_all(&group.children, HoldEnd::Quiet);
                    return false;
                }
                for tid in world.threads_of(parent) {
                    if !world.is_held(tid) && !world.is_stopped(tid) {
                        self.commands.push_back(Command::Interrupt(tid));
                    }
                }
                (group.phase, group.since) = (Phase::Stops, now);
                true
            }
            Phase::Stops => {
                let threads = world.threads_of(parent);
                let stand_still = threads.iter().all(|tid| world.is_held(*tid));
                if stand_still || waited >= A_STEP {
                    let count = u32::try_from(group.children.len()).unwrap_or(u32::MAX);
                    self.forced.next(Point::HoldDeaths);
                    if catches_sigchld(parent) {
                        self.at_play.note(Point::HoldDeaths, AtPlay::Handler);
                    }
                    self.release_all(&group.children, HoldEnd::Together(count));
                    (group.phase, group.since) = (Phase::Ends, now);
                }
                true
            }
            Phase::Ends => {
                if !group.children.is_empty() && waited < A_STEP * 2 && now - group.begun < LIMIT {
                    return true;
                }
                let threads = world.threads_of(parent);
                self.release_all(&threads, HoldEnd::Quiet);
                false
            }
        }
    }

    /// Release those of these tasks that are held for their group.
    fn release_all(&mut self, tids: &[Tid], until: HoldEnd) {
        let of_group = |hold: &Hold| hold.until == Until::Group && tids.contains(&hold.tid);
        self.end_holds(of_group, until);
    }
}

/// Whether a process has a handler for SIGCHLD, so that a death can interrupt its
/// calls.
pub(super) fn catches_sigchld(tgid: Tgid) -> bool {
    let status = proc::status(tgid.leader());
    status.is_some_and(|status| status.catches(Signal::CHLD))
}
