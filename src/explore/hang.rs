//! Whether a run can never end: every task sleeps in a call without a time
//! limit, no timer is armed, and nothing outside can wake one of them. And whether
//! it has stalled: the command itself sleeps so, and others of its processes may be woken
//! from outside, by what has never done so.

use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};

use super::scheduler::Explorer;
use crate::event::Comm;
use crate::kernel::{Signal, Tgid, Tid};
use crate::proc::{self, Asleep, Wakers};
use crate::tracer::World;

/// How long nothing must have been scheduled.
const STILL: Duration = Duration::from_millis(100);

/// A sleep with such a time limit is as good as one without, in milliseconds.
const LONG: u32 = 60_000;

/// What a task is in that a signal has stopped.
pub const STOPPED: &str = "a stop";

/// A run that can never end, or that has stalled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hang {
    /// The tasks that sleep, the root first.
    pub sleepers: Vec<Sleeper>,
}

impl Hang {
    /// The programs and the calls that they sleep in, each once.
    pub(super) fn calls(&self) -> Vec<(Comm, &'static str)> {
        let sleepers = self.sleepers.iter();
        let mut calls: Vec<_> = sleepers.map(|one| (one.comm, one.call)).collect();
        calls.sort_unstable_by(|a, b| (a.0.as_bytes(), a.1).cmp(&(b.0.as_bytes(), b.1)));
        calls.dedup();
        calls
    }
}

/// A task that nothing wakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sleeper {
    /// The thread.
    pub tid: Tid,
    /// Its process.
    pub tgid: Tgid,
    /// Its name.
    pub comm: Comm,
    /// The call that it sleeps in, or [`STOPPED`].
    pub call: &'static str,
    /// What it waits for: a pid or a descriptor, where that matters.
    pub first: Option<i64>,
    /// A process outside the command may wake it, or a long time does.
    pub may_be_woken: bool,
}

/// Looks for hangs, at each of its calls.
#[derive(Debug, Default)]
pub(crate) struct HangWatch {
    seen: FxHashMap<Tid, u64>,
    since: Option<Instant>,
    /// This stillness was judged, and is no hang.
    is_judged: bool,
}

impl HangWatch {
    /// How often to look.
    pub(crate) const INTERVAL: Duration = Duration::from_millis(20);

    /// The hang that the tasks are in, if they are in one.
    pub(crate) fn look(
        &mut self,
        world: &World<'_>,
        scheduler: &Explorer,
        root: Tgid,
    ) -> Option<Hang> {
        let now = Instant::now();
        let Some(switches) = all_asleep(world, scheduler) else {
            *self = HangWatch::default();
            return None;
        };
        if switches.is_empty() || scheduler.holds_any() || self.seen != switches {
            self.seen = switches;
            (self.since, self.is_judged) = (Some(now), false);
            return None;
        }
        let since = *self.since.get_or_insert(now);
        if self.is_judged || now - since < STILL {
            return None;
        }
        self.is_judged = true;
        judge(world, scheduler, root)
    }

    /// Who sleeps in a run that has stalled: nothing was scheduled for `limit`, and the
    /// command itself waits for its own processes alone.
    pub(super) fn stalled(
        &self,
        world: &World<'_>,
        scheduler: &Explorer,
        root: Tgid,
        limit: Duration,
    ) -> Option<Hang> {
        if self.still_for() < limit || scheduler.holds_any() {
            return None;
        }
        let sleepers = sleepers(world, scheduler)?;
        let mut own = sleepers.iter().filter(|sleeper| sleeper.tgid == root);
        let is_stuck = own.clone().next().is_some() && own.all(|sleeper| !sleeper.may_be_woken);
        is_stuck.then(|| in_order(sleepers, root))
    }

    /// How long nothing was scheduled.
    pub(super) fn still_for(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// How often each task was scheduled, if all sleep.
fn all_asleep(world: &World<'_>, scheduler: &Explorer) -> Option<FxHashMap<Tid, u64>> {
    let mut switches = FxHashMap::default();
    for (tid, _) in world.tasks() {
        let status = proc::status(tid)?;
        let awaits_vfork = || scheduler.awaits_vfork(tid);
        if !is_at_rest(status.state, world.is_stopped(tid), awaits_vfork) {
            return None;
        }
        switches.insert(tid, status.sleeps.wrapping_add(status.preemptions));
    }
    Some(switches)
}

/// Whether a task in this state does not go on by itself: one that waits for a disk or for
/// memory does, and sleeps as the creator of a vfork child does, which has to wait.
fn is_at_rest(state: u8, is_stopped: bool, awaits_vfork: impl FnOnce() -> bool) -> bool {
    match state {
        b'S' | b'Z' => true,
        b't' => is_stopped,
        b'D' => awaits_vfork(),
        _ => false,
    }
}

/// Whether the user may continue what this signal has stopped: a terminal sends all of them
/// but SIGSTOP.
fn may_be_continued(signal: Signal) -> bool {
    signal != Signal::STOP
}

fn judge(world: &World<'_>, scheduler: &Explorer, root: Tgid) -> Option<Hang> {
    let sleepers = sleepers(world, scheduler)?;
    let is_certain = !sleepers.is_empty() && sleepers.iter().all(|one| !one.may_be_woken);
    is_certain.then(|| in_order(sleepers, root))
}

fn in_order(mut sleepers: Vec<Sleeper>, root: Tgid) -> Hang {
    sleepers.sort_by_key(|sleeper| (sleeper.tgid != root, sleeper.tgid, sleeper.tid));
    Hang { sleepers }
}

/// All tasks that are no zombies, if nothing but the world outside can wake them; a
/// time limit does not, unless it is a long one.
fn sleepers(world: &World<'_>, scheduler: &Explorer) -> Option<Vec<Sleeper>> {
    let family: FxHashSet<Tgid> = world.tasks().map(|(_, tgid)| tgid).collect();
    let mut sleepers = Vec::new();
    for (tid, tgid) in world.tasks() {
        if proc::status(tid).is_some_and(|status| status.state == b'Z') {
            continue;
        }
        if let Some(signal) = world.stopped_by(tid) {
            // No timer ends a stop.
            sleepers.push(Sleeper {
                tid,
                tgid,
                comm: proc::comm(tid).unwrap_or_default(),
                call: STOPPED,
                first: None,
                may_be_woken: may_be_continued(signal),
            });
            continue;
        }
        let has_timer = scheduler.has_alarm(tgid) || proc::has_posix_timers(tgid);
        let asleep = Asleep::read(tgid, tid).filter(|_| !has_timer)?;
        let may_be_woken = match asleep.wakers(tgid, tid, &family) {
            _ if scheduler.awaits_vfork(tid) => false,
            Wakers::Family => false,
            Wakers::World => true,
            Wakers::Time if asleep.limit_millis().is_some_and(|limit| limit >= LONG) => true,
            Wakers::Time => return None,
        };
        sleepers.push(Sleeper {
            tid,
            tgid,
            comm: proc::comm(tid).unwrap_or_default(),
            call: asleep.call,
            first: asleep.argument(),
            may_be_woken,
        });
    }
    Some(sleepers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_task_and_one_that_waits_for_its_vfork_child_are_at_rest() {
        for state in [b'S', b'Z'] {
            assert!(is_at_rest(state, false, || false));
        }
        // A stop of the tracer's is over soon.
        assert!(is_at_rest(b't', true, || false) && !is_at_rest(b't', false, || false));
        assert!(is_at_rest(b'D', false, || true) && !is_at_rest(b'D', false, || false));
        assert!(!is_at_rest(b'R', true, || true));
    }

    #[test]
    fn a_stop_by_the_terminal_may_be_ended_by_its_user() {
        assert!(!may_be_continued(Signal::STOP));
        for signal in [Signal::TSTP, Signal::TTIN, Signal::TTOU] {
            assert!(may_be_continued(signal));
        }
    }
}
