//! The scheduler that forces a schedule: it holds tasks at the points that the
//! schedule names, until others have got as far as they can.
//!
//! | file | subject |
//! |---|---|
//! | [`alarms`] | timers that end a sleep |
//! | [`calls`] | the calls that matter |
//! | [`counts`] | how often each point was reached |
//! | [`holds`] | held tasks, and what they wait for |
//! | [`quiet`] | whether others have got as far as they can |
//! | [`deaths`] | children that are held at their exit |
//! | [`faults`] | calls that are made to fail |
//! | [`skew`] | a handler that runs some instructions later |

mod alarms;
mod calls;
mod counts;
mod deaths;
mod faults;
mod holds;
mod quiet;
mod skew;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use self::alarms::{Alarms, ITIMERVAL};
use self::calls::Call;
pub use self::counts::Counts;
use self::deaths::Groups;
use self::faults::Faults;
use self::holds::{Hold, Sleeps, Until};
use self::quiet::Quiet;
use self::skew::Skew;
use super::schedule::{Point, Schedule};
use crate::event::{HoldEnd, HoldPoint};
use crate::kernel::{Signal, Tgid, Tid};
use crate::proc;
use crate::sys::ptrace::How;
use crate::sys::syscall_info::{Phase, SyscallInfo};
use crate::tracer::scheduler::{Account, Command, Decision};
use crate::tracer::{Creation, Scheduler, Stop, StopKind, World};

/// How often held tasks are looked after.
const ROUND: Duration = Duration::from_micros(800);
/// How long all holds of a run last together, at most: a program that reaches a
/// point a thousand times is not held a thousand times.
const TOTAL: Duration = Duration::from_secs(2);

/// Forces a schedule.
pub(crate) struct Explorer {
    schedule: Schedule,
    counts: Counts,
    /// How often something was held, or made to fail.
    applied: u32,
    holds: Vec<Hold>,
    commands: VecDeque<Command>,
    /// New processes that have not made their first stop, with their creators.
    new: FxHashMap<Tid, NewChild>,
    /// Calls that were held: they stop once more when they are made again.
    passed: FxHashMap<Tid, Made>,
    sleeps: Sleeps,
    groups: Groups,
    faults: Faults,
    skew: Skew,
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

/// A process that has not made its first stop.
#[derive(Clone, Copy, Debug)]
struct NewChild {
    creator: Tid,
    /// Which occurrence of `parent-first`; 0 is none.
    number: u32,
    /// Its creator is suspended until it execs.
    is_vforked: bool,
}

/// A call as it is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Made {
    nr: u64,
    stack_pointer: u64,
    instruction_pointer: u64,
}

impl Explorer {
    /// A scheduler that forces this, in one run.
    pub(crate) fn new(schedule: Schedule) -> Explorer {
        let seed = schedule.number(Point::Random).unwrap_or(0);
        Explorer {
            random: u64::from(seed).wrapping_mul(2).wrapping_add(1),
            schedule,
            counts: Counts::default(),
            applied: 0,
            holds: Vec::new(),
            commands: VecDeque::new(),
            new: FxHashMap::default(),
            passed: FxHashMap::default(),
            sleeps: Sleeps::default(),
            groups: Groups::default(),
            faults: Faults::default(),
            skew: Skew::default(),
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
        calls::wanted(self.schedule.has_faults(), self.schedule.has(Point::Skew))
    }

    /// Which points of the schedule were never reached, in a sentence.
    pub(crate) fn what_did_not_apply(&self) -> Option<String> {
        let missed = self.schedule.steps().iter().filter(|step| {
            let reached = self.counts.of(step.point.counted_as());
            step.at.filter(|_| !step.point.needs_number()).unwrap_or(1) > reached
        });
        let missed: Vec<String> = missed
            .map(|step| {
                let reached = self.counts.of(step.point.counted_as());
                format!("{step} (reached {reached} times)")
            })
            .collect();
        let held = crate::kernel::phrases::plural(u64::from(self.applied), "hold", "holds");
        match (missed.is_empty(), self.applied) {
            (true, 1..) => None,
            (true, 0) => Some(format!("the schedule {} held nothing", self.schedule)),
            (false, _) => Some(format!(
                "the schedule {} left at {}; {held} before",
                self.schedule,
                missed.join(", ")
            )),
        }
    }

    /// How often each point was reached.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
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
        let now = Instant::now();
        for hold in std::mem::take(&mut self.holds) {
            let account = Account {
                point: hold.point,
                until: HoldEnd::TooLong,
                lasted: now - hold.since,
            };
            self.commands.push_back(Command::Release(hold.tid, account));
        }
        self.groups = Groups::default();
        self.skew = Skew::default();
        self.unreaped = None;
    }

    /// The child that went on as its parent after its exec failed.
    pub(crate) fn ran_on(&self) -> Option<Tgid> {
        self.faults.ran_on
    }

    /// Count an occurrence of a point; whether it is forced, and which it is.
    fn reach(&mut self, point: Point) -> (bool, u32) {
        let number = self.counts.next(point);
        let is_wanted = self.may_hold() && self.schedule.wants(point, number);
        (is_wanted, number)
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
        });
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

    /// A process was created.
    fn created(
        &mut self,
        stop: &Stop,
        (creation, child): (Creation, Tid),
        world: &World<'_>,
    ) -> Decision {
        let tid = stop.tid();
        if creation == Creation::Clone && proc::threads(tid).contains(&child) {
            return Decision::Resume;
        }
        let (is_wanted, _) = self.reach(Point::ChildFirst);
        let is_vforked = creation == Creation::Vfork;
        let number = if is_vforked {
            0
        } else {
            self.counts.next(Point::ParentFirst)
        };
        let new = NewChild {
            creator: tid,
            number,
            is_vforked,
        };
        self.new.insert(child, new);
        // With errors they are counted as they are tried.
        if !self.schedule.has_faults() {
            self.counts.next(Point::ForkFail);
        }
        let until = Until::ChildEnded(Tgid::new(child.raw()));
        if is_wanted || self.chance() {
            return self.hold(stop, world, HoldPoint::Fork, until);
        }
        Decision::Resume
    }

    /// A new task's first stop, or the answer to an interrupt of ours.
    fn plain(&mut self, stop: &Stop, world: &World<'_>) -> Decision {
        let tid = stop.tid();
        if let Some(new) = self.new.remove(&tid) {
            let creator = world.process_of(new.creator);
            let is_wanted = self.schedule.wants(Point::ParentFirst, new.number);
            let is_wanted = is_wanted && self.may_hold() || self.chance();
            if let Some(creator) = creator.filter(|_| is_wanted && !new.is_vforked) {
                return self.hold(stop, world, HoldPoint::Start, Until::Asleep(creator));
            }
            return Decision::Resume;
        }
        let tgid = world.process_of(tid);
        if tgid.is_some_and(|tgid| self.groups.stands_still(tgid)) {
            return self.hold(stop, world, HoldPoint::Sleep, Until::Group);
        }
        Decision::Resume
    }

    /// A call that may sleep, of a process with children.
    fn sleep(&mut self, stop: &Stop, call: Call, tgid: Tgid, world: &World<'_>) -> Decision {
        let Some(status) = proc::status(stop.tid()) else {
            return Decision::Resume;
        };
        let mut is_held = None;
        if calls::deliverable(&status) != 0 {
            let (is_wanted, number) = self.reach(Point::Before);
            self.sleeps.insert(tgid, number);
            if is_wanted && calls::pending(&status) == 0 {
                is_held = Some(Until::Signalled);
            }
        }
        if let Call::Wait { pid: Some(pid), .. } = call
            && world.threads_of(tgid).len() > 1
            && world.shares_our_pids(tgid)
            && self.reach(Point::Steal).0
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
    fn note(&mut self, call: Call, tgid: Tgid, stop: &Stop) {
        match call {
            Call::OpenPidfd => self.knows_pidfds = true,
            Call::Alarm(seconds) => self.alarms.set_seconds(tgid, seconds),
            Call::SetTimer(address) if address != 0 => {
                let mut timer = [0; ITIMERVAL];
                let is_filled = proc::are_filled(tgid, address, ITIMERVAL as u64);
                let is_read = is_filled && stop.tracee().read(address, &mut timer).is_ok();
                self.alarms.set_timer(tgid, is_read.then_some(timer));
            }
            _ => {}
        }
    }

    /// Look after everything that is held.
    fn round(&mut self, world: &World<'_>) {
        let now = Instant::now();
        if let Some(last) = self.last_round.replace(now) {
            self.held_for += (now - last).min(ROUND * 2);
        }
        self.quiet.look(world, now);
        let (quiet, sleeps) = (&self.quiet, &self.sleeps);
        let (mut commands, mut one_goes) = (Vec::new(), false);
        self.holds.retain(|hold| {
            if !world.is_held(hold.tid) && hold.point != HoldPoint::Death {
                return false;
            }
            let verdict = hold.verdict(now, world, quiet, sleeps);
            let is_quiet = matches!(
                verdict,
                Some(Command::Release(
                    _,
                    Account {
                        until: HoldEnd::Quiet,
                        ..
                    }
                ))
            );
            // Of several that go on because nothing else does, the first goes
            // alone; the others wait on for what they wait for.
            if is_quiet && std::mem::replace(&mut one_goes, true) {
                return true;
            }
            commands.extend(verdict);
            verdict.is_none()
        });
        self.commands.extend(commands);
        self.serve_groups(now, world);
        self.end_late_skew(now);
    }

    /// What was noted of a task that runs on or is gone.
    fn forget(&mut self, tid: Tid) {
        self.holds.retain(|hold| hold.tid != tid);
        self.passed.remove(&tid);
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
                if std::mem::replace(&mut self.is_begun, true) && !self.schedule.has_faults() {
                    self.counts.next(Point::ExecFail);
                }
                self.faults.executed(tid);
                Decision::Resume
            }
            StopKind::Syscall => self.after_call(stop, world),
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
        if self.passed.remove(&tid) == Some(made) {
            return Decision::Resume;
        }
        let call = Call::of(info.arch, nr, args);
        self.note(call, tgid, stop);
        if let Some(decision) = self.fault(stop, call, tgid, world) {
            return decision;
        }
        if self.awaits_failure(tgid) && call.has_no_meaning_to_rules() {
            // The exit of the call is wanted, which is no event.
            return Decision::ResumeAs(How::Syscall, None);
        }
        if !world.has_children(tgid) || !call.may_sleep(tgid) {
            return Decision::Resume;
        }
        let decision = self.sleep(stop, call, tgid, world);
        if decision == Decision::Hold {
            self.passed.insert(tid, made);
            return decision;
        }
        decision
    }

    fn decide_signal(&mut self, stop: &Stop, signal: Signal, world: &World<'_>) -> Decision {
        self.note_alarm(stop, signal, world);
        self.skewed(stop, signal)
    }

    fn ended(&mut self, tid: Tid, parent: Option<Tgid>, world: &World<'_>) {
        self.forget(tid);
        self.new.remove(&tid);
        self.alarms.ended(Tgid::new(tid.raw()));
        self.sleeps.remove(&Tgid::new(tid.raw()));
        if self.unreaped == Some(tid) {
            self.unreaped = None;
        }
        self.groups.ended(tid);
        self.skew_ended(tid);
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

impl Explorer {
    /// A command is about to be done.
    fn about_to(&mut self, command: Command) -> Command {
        match command {
            // A call that is dealt with does not stop again.
            Command::Release(tid, account) => {
                self.passed.remove(&tid);
                if account.point == HoldPoint::Death && self.unreaped == Some(tid) {
                    self.unreaped = None;
                }
            }
            Command::Rewind(..) | Command::Interrupt(_) => {}
        }
        command
    }

    fn note_alarm(&mut self, stop: &Stop, signal: Signal, world: &World<'_>) {
        let tgid = world.process_of(stop.tid());
        if let Some(tgid) = tgid.filter(|_| signal == Signal::ALRM) {
            self.alarms.fired(tgid);
        }
    }
}
