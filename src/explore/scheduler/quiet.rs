//! Whether tasks have got as far as they can: all sleep, and none was scheduled
//! for a moment.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::kernel::{Tgid, Tid};
use crate::proc::{self, Asleep};
use crate::tracer::World;

/// How long a task must have slept without being scheduled.
const STILL: Duration = Duration::from_millis(2);
/// How long one whose sleep has a time limit counts as going on.
const TIMED: Duration = Duration::from_millis(60);

/// What was seen of each task.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    tasks: FxHashMap<Tid, Seen>,
    /// A wait that gives up after a time was seen to end during a hold.
    pub(super) saw_time_out: bool,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    tgid: Tgid,
    /// How often it was scheduled.
    switches: u64,
    since: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It runs, or is about to.
    Busy,
    /// It sleeps; whether a time ends that is not known yet.
    Sleeps,
    /// It sleeps until something else happens.
    Waits,
    /// It sleeps for a time.
    Naps,
    /// It waits for something, but gives up after a time.
    GivesUp,
}

impl Quiet {
    /// Look at all tasks that are not held. `unreaped` is dead, and kept so.
    pub(super) fn look(&mut self, world: &World<'_>, unreaped: Option<Tid>, now: Instant) {
        let mut seen = FxHashMap::default();
        for (tid, tgid) in world.tasks() {
            if world.is_held(tid) {
                continue;
            }
            let last = self.tasks.get(&tid).copied();
            let is_ending = unreaped != Some(tid) && is_alone(tgid, world);
            if let Some(look) = look_at(tid, tgid, last, is_ending, world, now) {
                let was_limited = last.is_some_and(|last| last.state == State::GivesUp);
                if was_limited && last.is_some_and(|last| last.switches != look.switches) {
                    self.saw_time_out = true;
                }
                seen.insert(tid, look);
            }
        }
        self.tasks = seen;
    }

    /// A child of this process has died: it is about to hear of it, and was seen asleep
    /// before that.
    pub(super) fn stir(&mut self, tgid: Tgid, now: Instant) {
        let own = self.tasks.values_mut().filter(|seen| seen.tgid == tgid);
        own.for_each(|seen| seen.since = now);
    }

    /// Whether all these tasks, as far as they are not held, have got as far as
    /// they can.
    pub(super) fn are_quiet(&self, now: Instant, which: impl Fn(Tid, Tgid) -> bool) -> bool {
        self.are_quiet_for(now, TIMED, which)
    }

    /// The same, where one that sleeps for a time goes on for so long.
    pub(super) fn are_quiet_for(
        &self,
        now: Instant,
        nap: Duration,
        which: impl Fn(Tid, Tgid) -> bool,
    ) -> bool {
        let tasks = self.tasks.iter();
        let mut those = tasks.filter(|(tid, seen)| which(**tid, seen.tgid));
        those.all(|(_, seen)| seen.is_quiet(now, nap))
    }

    /// Whether a task of this process sleeps, until a time or not.
    pub(super) fn is_asleep(&self, now: Instant, tgid: Tgid) -> bool {
        let mut own = self.tasks.values().filter(|seen| seen.tgid == tgid);
        own.any(|seen| seen.state != State::Busy && now - seen.since >= STILL)
    }
}

impl Seen {
    fn is_quiet(&self, now: Instant, nap: Duration) -> bool {
        let still = now - self.since;
        match self.state {
            State::Busy | State::Sleeps => false,
            State::Waits => still >= STILL,
            State::Naps => still >= nap,
            State::GivesUp => still >= TIMED,
        }
    }
}

/// Whether a process has one thread. A leader whose other threads live stays dead.
fn is_alone(tgid: Tgid, world: &World<'_>) -> bool {
    world.threads_of(tgid).len() <= 1
}

fn look_at(
    tid: Tid,
    tgid: Tgid,
    last: Option<Seen>,
    is_ending: bool,
    world: &World<'_>,
    now: Instant,
) -> Option<Seen> {
    let status = proc::status(tid)?;
    let switches = status.sleeps.wrapping_add(status.preemptions);
    let last = last.filter(|last| last.switches == switches && last.tgid == tgid);
    let since = last.map_or(now, |last| last.since);
    let known = last.map(|last| last.state);
    let state = match status.state {
        // The tracer is about to see its end, and its parent to hear of it; on a slow machine
        // that takes a while.
        b'Z' | b'X' if is_ending => State::Busy,
        b'T' | b'Z' | b'X' => State::Waits,
        b't' if world.is_stopped(tid) => State::Waits,
        // A vfork sleeps so; else it is a disk.
        b'S' | b'D' => match known {
            Some(known @ (State::Waits | State::Naps | State::GivesUp)) => known,
            _ if now - since < STILL => State::Sleeps,
            _ => sleep_of(tid, tgid, &status),
        },
        _ => State::Busy,
    };
    Some(Seen {
        tgid,
        switches,
        since,
        state,
    })
}

/// What a task sleeps in that seems to sleep. In the kernel a task that is about to look
/// whether it has to sleep is marked so already, and may be preempted there: to read what it
/// sleeps in lasts until it has run.
fn sleep_of(tid: Tid, tgid: Tgid, before: &proc::Status) -> State {
    let asleep = Asleep::read(tgid, tid);
    match proc::status(tid) {
        Some(now) if is_as_before(before, &now) => as_far_as_known(asleep, now.state),
        _ => State::Busy,
    }
}

/// Whether a task has not run between these.
fn is_as_before(before: &proc::Status, now: &proc::Status) -> bool {
    let all = |status: &proc::Status| (status.state, status.sleeps, status.preemptions);
    all(before) == all(now)
}

fn as_far_as_known(asleep: Option<Asleep>, state: u8) -> State {
    match asleep {
        Some(asleep) if asleep.is_plain_sleep() => State::Naps,
        Some(asleep) if asleep.is_timed => State::GivesUp,
        Some(_) => State::Waits,
        None if state == b'S' => State::Waits,
        None => State::Busy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_while_it_was_looked_at_did_not_sleep() {
        let seen = proc::Status {
            state: b'S',
            sleeps: 7,
            preemptions: 2,
            ..proc::Status::default()
        };
        assert!(is_as_before(&seen, &seen.clone()));
        let stopped = proc::Status {
            state: b't',
            ..seen.clone()
        };
        let slept_again = proc::Status {
            sleeps: 8,
            ..seen.clone()
        };
        assert!(!is_as_before(&seen, &stopped) && !is_as_before(&seen, &slept_again));
        // A call that is not known is one that it waits in.
        assert_eq!(as_far_as_known(None, b'S'), State::Waits);
        assert_eq!(as_far_as_known(None, b'D'), State::Busy);
    }

    #[test]
    fn who_has_just_lost_a_child_has_not_got_as_far_as_it_can() {
        let [parent, other] = [1, 2].map(Tgid::new);
        let begun = Instant::now();
        let mut quiet = Quiet::default();
        for tgid in [parent, other] {
            let seen = Seen {
                tgid,
                switches: 5,
                since: begun,
                state: State::Waits,
            };
            quiet.tasks.insert(tgid.leader(), seen);
        }
        let now = begun + STILL * 5;
        assert!(quiet.are_quiet(now, |_, _| true) && quiet.is_asleep(now, parent));
        quiet.stir(parent, now);
        assert!(!quiet.are_quiet(now, |_, _| true) && !quiet.is_asleep(now, parent));
        assert!(quiet.are_quiet(now, |_, tgid| tgid == other));
        assert!(quiet.are_quiet(now + STILL, |_, _| true));
    }
}
