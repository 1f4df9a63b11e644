//! The scheduler that forces a schedule: it holds tasks at the points that the
//! schedule names, until others have got as far as they can.
//!
//! | file | subject |
//! |---|---|
//! | [`alarms`] | timers that end a sleep |
//! | [`calls`] | the calls that matter |
//! | [`counts`] | how often each point was reached |
//! | [`holds`] | held tasks, and what they wait for |
//! | [`missed`] | which points of a schedule were not reached |
//! | [`points`] | holds at forks, starts and calls |
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
mod missed;
mod points;
mod quiet;
mod skew;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use self::alarms::Alarms;
use self::calls::Call;
pub use self::counts::Counts;
use self::deaths::Groups;
use self::faults::Faults;
use self::holds::{Hold, Sleeps, Until};
use self::points::NewChild;
use self::quiet::Quiet;
use self::skew::Skew;
use super::schedule::{Point, Schedule};
use crate::event::{HoldEnd, HoldPoint};
use crate::kernel::{Signal, Tgid, Tid};
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

    /// Look after everything that is held.
    fn round(&mut self, world: &World<'_>) {
        let now = Instant::now();
        if let Some(last) = self.last_round.replace(now) {
            self.held_for += (now - last).min(ROUND * 2);
        }
        self.quiet.look(world, self.unreaped, now);
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
}
