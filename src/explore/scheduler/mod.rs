//! The scheduler that forces a schedule: it holds tasks at the points that the
//! schedule names, until others have got as far as they can.
//!
//! | file | subject |
//! |---|---|
//! | [`alarms`] | timers that end a sleep |
//! | [`calls`] | the calls that matter |
//! | [`circumstances`] | what was at play where a point was forced |
//! | [`counts`] | how often each point was reached |
//! | [`holds`] | held tasks, and what they wait for |
//! | [`missed`] | which points of a schedule were not reached |
//! | [`passed`] | calls that were held, and are made again |
//! | [`points`] | holds at forks, starts and calls |
//! | [`quiet`] | whether others have got as far as they can |
//! | [`reuse`] | children that get the pid of a dead process |
//! | [`rounds`] | what becomes of all that is held, at each look |
//! | [`deaths`] | children that are held at their exit |
//! | [`faults`] | calls that are made to fail |
//! | [`skew`] | a handler that runs some instructions later |

mod alarms;
mod calls;
mod circumstances;
mod counts;
mod deaths;
mod faults;
mod holds;
mod missed;
mod passed;
mod points;
mod quiet;
mod reuse;
mod rounds;
mod skew;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use self::alarms::Alarms;
pub(super) use self::calls::ALONE;
use self::calls::Call;
pub use self::circumstances::Circumstances;
pub use self::counts::{Counts, Place};
use self::deaths::Groups;
use self::faults::Faults;
use self::holds::{Hold, Sleeps, Until};
use self::passed::{Made, Passed};
use self::points::{NewChild, Vforks};
use self::quiet::Quiet;
use self::reuse::Pids;
use self::skew::Skew;
use super::schedule::{Point, Schedule};
use crate::event::{Comm, HoldEnd, HoldPoint};
use crate::kernel::{Signal, Tgid, Tid};
use crate::proc;
use crate::sys::ptrace::How;
use crate::sys::syscall_info::{Phase, SyscallInfo};
use crate::tracer::scheduler::{Account, Command, Decision};
use crate::tracer::{Scheduler, Stop, StopKind, World};

/// How often held tasks are looked after.
const ROUND: Duration = Duration::from_micros(800);
/// How long all holds of a run last together, at most: a program that reaches a
/// point a thousand times is not held a thousand times.
const TOTAL: Duration = Duration::from_secs(2);

/// Forces a schedule.
pub(crate) struct Explorer {
    schedule: Schedule,
    counts: Counts,
    /// How often each point's order of events came about.
    forced: Counts,
    at_play: Circumstances,
    /// How often something was held, or made to fail.
    applied: u32,
    holds: Vec<Hold>,
    commands: VecDeque<Command>,
    /// New processes that have not made their first stop, with their creators.
    new: FxHashMap<Tid, NewChild>,
    vforks: Vforks,
    /// Calls that were held: they stop once more when they are made again.
    passed: Passed,
    sleeps: Sleeps,
    /// What processes execute, as far as it was asked for.
    programs: FxHashMap<Tgid, Comm>,
    groups: Groups,
    faults: Faults,
    pids: Pids,
    skew: Skew,
    /// How often each parent waited in vain for a child to exit.
    fruitless: FxHashMap<Tgid, u32>,
    quiet: Quiet,
    /// The dead task that is not reaped yet.
    unreaped: Option<Tid>,
    /// Some process has opened a pidfd, which shows a death before its reap.
    knows_pidfds: bool,
    alarms: Alarms,
    /// The command was executed.
    is_begun: bool,
    /// The run is to end: nothing is held any more.
    is_over: bool,
    random: u64,
    last_round: Option<Instant>,
    held_for: Duration,
}

impl Explorer {
    /// A scheduler that forces this, in one run.
    pub(crate) fn new(schedule: Schedule) -> Explorer {
        let seed = schedule.number(Point::Random).unwrap_or(0);
        Explorer {
            random: u64::from(seed).wrapping_mul(2).wrapping_add(1),
            schedule,
            counts: Counts::default(),
            forced: Counts::default(),
            at_play: Circumstances::default(),
            applied: 0,
            holds: Vec::new(),
            commands: VecDeque::new(),
            new: FxHashMap::default(),
            vforks: Vforks::default(),
            passed: Passed::default(),
            sleeps: Sleeps::default(),
            programs: FxHashMap::default(),
            groups: Groups::default(),
            faults: Faults::default(),
            pids: Pids::default(),
            skew: Skew::default(),
            fruitless: FxHashMap::default(),
            quiet: Quiet::default(),
            unreaped: None,
            knows_pidfds: false,
            alarms: Alarms::default(),
            is_begun: false,
            is_over: false,
            last_round: None,
            held_for: Duration::ZERO,
        }
    }

    /// The calls that must stop, beside those of any trace.
    pub(crate) fn calls(&self) -> Vec<u32> {
        calls::wanted(&self.schedule)
    }

    /// How often each point was reached.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How often each point's order of events came about: what is held may go on
    /// because nothing else does.
    pub(crate) fn forced(&self) -> &Counts {
        &self.forced
    }

    /// What was at play where points were forced.
    pub(crate) fn at_play(&self) -> &Circumstances {
        &self.at_play
    }

    /// Whether a task is held, or a death kept back.
    pub(crate) fn holds_any(&self) -> bool {
        !self.holds.is_empty() || self.unreaped.is_some() || self.groups.any()
    }

    /// Whether a wait of the program's gave up after a time while a task was
    /// held.
    pub(crate) fn saw_time_out(&self) -> bool {
        self.quiet.saw_time_out
    }

    /// Whether a task waits for a child that it has made with `vfork`.
    pub(crate) fn awaits_vfork(&self, tid: Tid) -> bool {
        self.vforks.has_creator(tid)
    }

    /// Whether a process may be woken by an alarm.
    pub(crate) fn has_alarm(&self, tgid: Tgid) -> bool {
        self.alarms.has(tgid)
    }

    /// Whether the program tried to signal every process there is.
    pub(crate) fn kills_all(&self) -> Option<Tgid> {
        self.faults.kills_all
    }

    /// The run is to end: hold nothing any more.
    pub(crate) fn give_up(&mut self) {
        self.is_over = true;
        self.end_holds(|_| true, HoldEnd::TooLong);
        self.groups = Groups::default();
        self.skew = Skew::default();
        self.unreaped = None;
    }

    /// The child that went on as its parent after its exec failed.
    pub(crate) fn ran_on(&self) -> Option<Tgid> {
        self.faults.ran_on
    }

    /// Count an occurrence of a point; whether it is forced, and which it is.
    fn reach(&mut self, point: Point, tgid: Tgid, call: &'static str) -> (bool, u32) {
        let number = self.count(point, tgid, call);
        let is_wanted = self.may_hold() && self.schedule.wants(point, number);
        (is_wanted, number)
    }

    /// Count an occurrence of a point by a process; which it is.
    fn count(&mut self, point: Point, tgid: Tgid, call: &'static str) -> u32 {
        let program = self.programs.entry(tgid);
        let program = *program.or_insert_with(|| proc::comm(tgid.leader()).unwrap_or_default());
        self.counts.next_at(point, Place { program, call })
    }

    /// Whether anything more may be held in this run.
    fn may_hold(&self) -> bool {
        self.held_for < TOTAL && !self.is_over
    }

    fn hold(&mut self, stop: &Stop, world: &World<'_>, point: HoldPoint, until: Until) -> Decision {
        let tid = stop.tid();
        let tgid = world.process_of(tid).unwrap_or(Tgid::new(tid.raw()));
        self.add_hold(tid, tgid, point, until);
        Decision::Hold
    }

    fn add_hold(&mut self, tid: Tid, tgid: Tgid, point: HoldPoint, until: Until) {
        self.applied += 1;
        self.holds.push(Hold {
            tid,
            tgid,
            point,
            until,
            since: Instant::now(),
            is_only: self.schedule.steps().iter().all(|step| step.at.is_some())
                && !self.schedule.has(Point::Random),
        });
    }

    /// Let these held tasks go on, as this came about.
    fn end_holds(&mut self, which: impl Fn(&Hold) -> bool, until: HoldEnd) {
        let now = Instant::now();
        for hold in self.holds.extract_if(.., |hold| which(hold)) {
            let account = Account {
                point: hold.point,
                until,
                lasted: now - hold.since,
            };
            self.commands.push_back(Command::Release(hold.tid, account));
        }
    }

    /// Whether to hold at random; one time in four.
    fn chance(&mut self) -> bool {
        if !self.schedule.has(Point::Random) || !self.may_hold() {
            return false;
        }
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).is_multiple_of(4)
    }

    fn executed(&mut self, tid: Tid, world: &World<'_>) {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        self.faults.executed(tid);
        self.vforks.over(tid);
        let Some(tgid) = world.process_of(tid) else {
            return;
        };
        self.programs.remove(&tgid);
        self.note_exec(tgid);
        if !is_first && !self.schedule.has_faults() {
            self.count(Point::ExecFail, tgid, "");
        }
    }

    /// A task is dead: its tid may be another's from now on.
    fn gone(&mut self, tid: Tid) {
        let tgid = Tgid::new(tid.raw());
        self.forget(tid);
        self.new.remove(&tid);
        self.vforks.over(tid);
        self.faults.ended(tid);
        self.pids.ended(tid);
        self.fruitless.remove(&tgid);
        self.alarms.ended(tgid);
        self.sleeps.remove(&tgid);
        self.programs.remove(&tgid);
        if self.unreaped == Some(tid) {
            self.unreaped = None;
        }
    }

    /// What was noted of a task that runs on or is gone.
    fn forget(&mut self, tid: Tid) {
        self.holds.retain(|hold| hold.tid != tid);
        self.passed.forget(tid);
    }
}

impl Scheduler for Explorer {
    const IS_ACTIVE: bool = true;

    fn decide(&mut self, stop: &Stop, world: &World<'_>) -> Decision {
        let tid = stop.tid();
        match stop.kind() {
            StopKind::NewChild { creation, child } => self.created(stop, (creation, child), world),
            StopKind::Plain => self.plain(stop, world),
            StopKind::Exiting(_) => {
                self.forget(tid);
                self.exiting(stop, world)
            }
            StopKind::Executed { .. } => {
                self.forget(tid);
                self.executed(tid, world);
                Decision::Resume
            }
            StopKind::Syscall => self.after_call(stop, world),
            // Its exit is wanted, which may be no event.
            StopKind::Seccomp if self.awaits_failure(tid, world) => {
                Decision::ResumeAs(How::Syscall, None)
            }
            StopKind::Seccomp | StopKind::Signal(_) | StopKind::Group(_) | StopKind::Other => {
                Decision::Resume
            }
        }
    }

    fn decide_call(&mut self, stop: &Stop, info: &SyscallInfo, world: &World<'_>) -> Decision {
        let Phase::Seccomp { nr, args, .. } = info.phase else {
            return Decision::Resume;
        };
        let tid = stop.tid();
        let Some(tgid) = world.process_of(tid) else {
            return Decision::Resume;
        };
        let made = Made {
            nr,
            stack_pointer: info.stack_pointer,
            instruction_pointer: info.instruction_pointer,
        };
        if self.passed.take(tid, made) {
            return Decision::Resume;
        }
        let call = Call::of(info.arch, nr, args);
        self.note(call, tgid, stop);
        let answer = self.fault(stop, call, tgid, world);
        let answer = answer.or_else(|| self.reuse(stop, (call, made), tgid, world));
        if let Some(decision) = answer {
            return decision;
        }
        if !call.may_sleep(tgid) {
            return Decision::Resume;
        }
        let decision = self.sleep(stop, call, tgid, world);
        if decision == Decision::Hold {
            self.passed.note(tid, made);
            return decision;
        }
        decision
    }

    fn decide_signal(&mut self, stop: &Stop, signal: Signal, world: &World<'_>) -> Decision {
        self.note_alarm(stop, signal, world);
        self.skewed(stop, signal)
    }

    fn ended(&mut self, tid: Tid, parent: Option<Tgid>, world: &World<'_>) {
        self.gone(tid);
        self.groups.ended(tid);
        self.skew_ended(tid);
        if let Some(parent) = parent {
            self.quiet.stir(parent, Instant::now());
        }
        // Who waits for this very death goes on at once.
        let dead = Tgid::new(tid.raw());
        let is_awaited = |hold: &Hold| match hold.until {
            Until::ChildEnded(child) => child == dead,
            Until::Signalled => Some(hold.tgid) == parent,
            _ => false,
        };
        if self.holds.iter().any(is_awaited) || self.groups.any() {
            self.last_round = None;
            self.round(world);
        }
    }

    fn next(&mut self, world: &World<'_>) -> Option<Command> {
        if let Some(command) = self.commands.pop_front() {
            return Some(self.about_to(command));
        }
        let is_due = self.last_round.is_none_or(|last| last.elapsed() >= ROUND);
        if !self.holds_any() {
            self.last_round = None;
            return None;
        }
        if is_due {
            self.round(world);
        }
        let command = self.commands.pop_front()?;
        Some(self.about_to(command))
    }

    fn wants_tick(&self) -> bool {
        self.holds_any()
    }

    fn unreaped(&self) -> Option<Tid> {
        self.unreaped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_dead_task_nothing_is_left_for_the_next_one_with_its_tid() {
        let [tid, other] = [7, 8].map(Tid::new);
        let mut explorer = Explorer::new(Schedule::none());
        explorer.faults.failed_execs = vec![tid, other];
        for task in [tid, other] {
            explorer.fruitless.insert(Tgid::new(task.raw()), 3);
            explorer.vforks.created(other, task);
        }
        explorer.gone(tid);
        assert_eq!(explorer.faults.failed_execs, [other]);
        assert_eq!(explorer.fruitless.len(), 1);
        explorer.gone(other);
        assert!(explorer.fruitless.is_empty() && !explorer.awaits_vfork(tid));
    }
}
