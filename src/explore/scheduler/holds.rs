//! Tasks that are held, and what they wait for.

use std::time::{Duration, Instant};

use super::calls;
use super::quiet::Quiet;
use crate::event::{HoldEnd, HoldPoint};
use crate::explore::schedule::Point;
use crate::kernel::{Tgid, Tid};
use crate::proc;
use crate::tracer::World;
use crate::tracer::scheduler::{Account, Command};

/// How long a hold lasts at most: programs that poll never get quiet.
pub(super) const LIMIT: Duration = Duration::from_millis(200);

/// How long a creator waits for the child that it has made, which may have much to do
/// before it sleeps: a server that starts. So long waits a thread for a child, too.
const LONG: Duration = Duration::from_secs(1);
/// And where it is the only one of its kind: it goes on as soon as the child sleeps, which
/// takes long on a busy machine.
const LONGEST: Duration = Duration::from_secs(3);

/// A task that is held.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    pub(super) tid: Tid,
    pub(super) tgid: Tgid,
    pub(super) point: HoldPoint,
    pub(super) until: Until,
    pub(super) since: Instant,
    /// No other occurrence of its point is forced in this run.
    pub(super) is_only: bool,
}

/// What a held task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// This child has ended, or it and its descendants sleep.
    ChildEnded(Tgid),
    /// This process sleeps; or it has ended, and nothing else goes on.
    Asleep(Tgid),
    /// A signal is pending for the task, or nothing else goes on; with a signal
    /// its call is made again.
    Signalled,
    /// Its parent sleeps in its sleep of this number, or in any.
    ParentInSleep(Tgid, Option<u32>),
    /// This child of its process was taken by another thread.
    Taken(Tgid),
    /// This child of its process was taken by another thread, while a sibling is held
    /// at its exit.
    SiblingTaken(Tgid),
    /// A child of its process is about to exit.
    ChildExits,
    /// Nothing else goes on.
    Quiet,
    /// The deaths of its group have come.
    Group,
}

/// Which sleep each process is in, or was in last.
pub(super) type Sleeps = rustc_hash::FxHashMap<Tgid, u32>;

impl Hold {
    /// What is to be done with it now.
    pub(super) fn verdict(
        &self,
        now: Instant,
        world: &World<'_>,
        quiet: &Quiet,
        sleeps: &Sleeps,
    ) -> Option<Command> {
        let lasted = now - self.since;
        let account = |until| Account {
            point: self.point,
            until,
            lasted,
        };
        let release = |until| Some(Command::Release(self.tid, account(until)));
        if !world.is_held(self.tid) && self.point != HoldPoint::Death {
            // Killed in its stop.
            return None;
        }
        let rest_is_quiet = || quiet.are_quiet(now, |_, _| true);
        let met = match self.until {
            // Its group lets it go before its limit.
            Until::Group => None,
            Until::ChildEnded(child) if !world.lives(child) => release(HoldEnd::Ended(child)),
            Until::ChildEnded(child) => {
                let are_its = |_, tgid| world.descends_from(tgid, child);
                let sleeps = quiet.are_quiet(now, are_its) && quiet.is_asleep(now, child);
                sleeps.then(|| Command::Release(self.tid, account(HoldEnd::Asleep(child))))
            }
            // Who waited for its creator goes on first.
            Until::Asleep(other) if !world.lives(other) => {
                let account = account(HoldEnd::Ended(other));
                rest_is_quiet().then_some(Command::Release(self.tid, account))
            }
            Until::Asleep(other) => {
                let sleeps = quiet.are_quiet(now, |_, tgid| tgid == other);
                let account = account(HoldEnd::Asleep(other));
                sleeps.then_some(Command::Release(self.tid, account))
            }
            Until::Signalled => self.signalled(&account).or_else(|| {
                let account = account(HoldEnd::Quiet);
                rest_is_quiet().then_some(Command::Release(self.tid, account))
            }),
            Until::ParentInSleep(parent, number) => {
                let last = sleeps.get(&parent).copied();
                let is_there = last.is_some() && number.is_none_or(|n| last == Some(n));
                let is_past = number.is_some_and(|n| last.is_some_and(|last| last > n));
                if !world.lives(parent) {
                    release(HoldEnd::Ended(parent))
                } else if is_there && quiet.is_asleep(now, parent) {
                    release(HoldEnd::Asleep(parent))
                } else if is_past || rest_is_quiet() {
                    release(HoldEnd::Quiet)
                } else {
                    None
                }
            }
            Until::Taken(child) | Until::SiblingTaken(child) if !proc::is_there(child.leader()) => {
                release(HoldEnd::Ended(child))
            }
            // A child that sleeps for a time will end by itself.
            Until::Taken(_) | Until::SiblingTaken(_) | Until::ChildExits => {
                let is_quiet = quiet.are_quiet_for(now, self.limit(), |_, _| true);
                is_quiet.then_some(Command::Release(self.tid, account(HoldEnd::Quiet)))
            }
            Until::Quiet => {
                rest_is_quiet().then_some(Command::Release(self.tid, account(HoldEnd::Quiet)))
            }
        };
        let too_long = || (lasted >= self.limit()).then(|| account(HoldEnd::TooLong));
        met.or_else(|| too_long().map(|account| Command::Release(self.tid, account)))
    }

    /// The point whose order of events comes about with the end of this hold.
    pub(super) fn forces(&self, end: &Command) -> Option<Point> {
        match (self.until, end) {
            (Until::Signalled, Command::Rewind(..)) => Some(Point::Before),
            (Until::ParentInSleep(..), Command::Release(_, account)) => {
                matches!(account.until, HoldEnd::Asleep(_)).then_some(Point::Eintr)
            }
            (Until::Taken(_), Command::Release(_, account)) => {
                matches!(account.until, HoldEnd::Ended(_)).then_some(Point::Steal)
            }
            _ => None,
        }
    }

    /// How long this hold lasts at most.
    fn limit(&self) -> Duration {
        match self.until {
            Until::ChildEnded(_) if self.is_only => LONGEST,
            Until::ChildEnded(_) | Until::Taken(_) | Until::SiblingTaken(_) => LONG,
            Until::Group => LIMIT * 2,
            _ => LIMIT,
        }
    }

    fn signalled(&self, account: &impl Fn(HoldEnd) -> Account) -> Option<Command> {
        let status = proc::status(self.tid)?;
        let is_pending = calls::pending(&status) != 0;
        is_pending.then(|| Command::Rewind(self.tid, account(HoldEnd::Signalled)))
    }
}
