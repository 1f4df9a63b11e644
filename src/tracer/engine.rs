//! The engine: one turn of the loop, and who deals with each kind of stop.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::full_speed::FullSpeed;
use super::job_control::JobStop;
use super::late_children::LateChildren;
use super::pending_children::{HELD_AT_MOST, PendingChildren};
use super::scheduler::{Held, Scheduler, Unscheduled};
use super::settings::{Capture, Settings};
use super::stop::{Stop, StopKind, classify};
use super::stop_stats::StopStats;
use super::survey::{Stuck, Survey};
use super::tasks::{Kind, Task, Tasks};
use super::turns::Turns;
use super::world::World;
use crate::event::{Comm, Event, EventKind, Moment, NsPids};
use crate::kernel::{NsPid, Tgid, Tid, Usage, WaitCalls, WaitStatus};
use crate::proc;
use crate::stack::Stacks;
use crate::sys::chosen_pid::ChosenPid;
use crate::sys::left_call::REWINDS;
use crate::sys::ptrace::{self, How, Stopped, options};
use crate::sys::seccomp::Filter;
use crate::sys::spawn::Spawned;
use crate::sys::streams;
use crate::sys::wait::{Block, Waited, wait_any};
use crate::sys::waker::Waker;

/// How many stops are served before it is said that none is ready: busy
/// tracees always have one.
pub(super) const READY_AT_MOST: usize = 1000;

/// What one turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Something happened; there may be events.
    Went,
    /// The tracer was woken: a deadline or a signal.
    Woken,
    /// The root was stopped as a job, and so should we be.
    JobStopped,
    /// No tracee is left.
    Over,
}

/// How the root ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RootEnd {
    /// It ran, and ended with this status.
    Ended(WaitStatus),
    /// It ended before it could execute its program.
    NeverRan(crate::sys::spawn::Report),
}

/// The launched process.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) tgid: Tgid,
    /// Until its program is executed.
    pub(super) launching: Option<Spawned>,
    /// It was given SIGCHLD ignored.
    pub(super) ignores_sigchld: bool,
    pub(super) end: Option<RootEnd>,
    /// Its standard output and error, where they are pipes or sockets.
    pub(super) output: [Option<Vec<u8>>; 2],
}

/// The tracer: the tasks under trace, and the one turn of the loop.
pub(crate) struct Tracer<S = Unscheduled> {
    pub(crate) scheduler: S,
    pub(super) tasks: Tasks,
    pub(super) root: Option<Root>,
    /// Tasks that stopped or ended before their creator's event.
    pub(super) pending: PendingChildren,
    pub(super) turns: Turns,
    /// Tasks that are kept in a stop that was dealt with.
    pub(super) held: FxHashMap<Tid, Held>,
    /// Calls whose child's pid the scheduler has chosen, by the creator, then the child.
    pub(super) chosen_pids: FxHashMap<Tid, ChosenPid>,
    pub(super) full_speed: FullSpeed,
    pub(super) late_children: LateChildren,
    pub(super) capture: Capture,
    sees_proc: bool,
    pub(super) follow: bool,
    pub(super) wanted: WaitCalls,
    /// Waits with `WNOHANG` are wanted too.
    pub(super) polls: bool,
    /// What launched tasks run under.
    pub(super) filter: Option<Filter>,
    /// Attached targets end with us instead of being detached.
    pub(super) kill_on_exit: bool,
    /// Launched processes do not end with us.
    lets_leftovers_go: bool,
    /// There are tasks that outlive us, or were.
    pub(super) attaches: bool,
    /// Threads of attached processes that are not traced, as another tracer has them, say.
    pub(crate) refused_threads: u64,
    /// We stop when the root is stopped as a job.
    pub(super) stops_as_job: bool,
    /// Launched processes are killed, or with `true` attached ones too, until
    /// none is left.
    pub(super) killing: Option<bool>,
    /// Attached tasks are let go at their next stop.
    pub(super) leaving: Option<Instant>,
    /// The time to leave is over; those that are left were reported detached.
    pub(super) gave_up: bool,
    /// The root is stopped as a job.
    pub(super) job_stop: Option<JobStop>,
    /// There are children that are not ours to trace: the wait never says
    /// that no child is left.
    pub(super) has_strangers: bool,
    /// Since when none but strangers is left.
    lonely: Option<Instant>,
    pub(crate) waker: Waker,
    start: Instant,
    /// The moment of the last stop, or of what woke us since.
    pub(super) latest: Moment,
    /// The moment of the last stop or end.
    pub(super) last_stop: Moment,
    pub(super) stats: StopStats,
    /// Room for a new program's stack.
    pub(super) stack: Vec<u8>,
    /// Call stacks, if they are wanted.
    pub(super) stacks: Option<Box<Stacks>>,
    /// The last sender of a signal that is none of ours: when, who, and its name.
    pub(super) last_stranger: Option<(Moment, NsPid, Option<Comm>)>,
    /// What the task that has just ended has used.
    pub(super) usage: Option<Usage>,
    /// A look at all processes that goes on.
    pub(super) survey: Option<Survey>,
    /// One that was given up and may still be blocked.
    pub(super) stuck_survey: Option<Stuck>,
    seq: u64,
}

impl<S: Scheduler> Tracer<S> {
    /// A tracer that asks `scheduler` before it resumes a task.
    pub(crate) fn with_scheduler(settings: Settings, waker: Waker, scheduler: S) -> Tracer<S> {
        let sees_proc = proc::shows_our_namespace();
        let mut capture = settings.capture;
        // Of riscv's signal frames nothing is known.
        capture.restart_outcomes &= !cfg!(target_arch = "riscv64");
        if !sees_proc {
            capture = capture.without_proc();
        }
        Tracer {
            scheduler,
            tasks: Tasks::default(),
            root: None,
            pending: PendingChildren::default(),
            turns: Turns::default(),
            held: FxHashMap::default(),
            chosen_pids: FxHashMap::default(),
            // Elsewhere a change of speed would end calls with EINTR.
            full_speed: FullSpeed::new(
                settings.full_speed && settings.follow && sees_proc && REWINDS,
            ),
            late_children: LateChildren::default(),
            capture,
            sees_proc,
            follow: settings.follow,
            wanted: settings.wanted,
            polls: settings.polls,
            filter: None,
            kill_on_exit: settings.kill_on_exit,
            lets_leftovers_go: settings.lets_leftovers_go,
            attaches: false,
            refused_threads: 0,
            stops_as_job: settings.stops_as_job,
            killing: None,
            leaving: None,
            gave_up: false,
            lonely: None,
            job_stop: None,
            has_strangers: streams::inherits_orphans()
                || !matches!(wait_any(Block::No, false), Waited::NoChildren),
            waker,
            start: Instant::now(),
            latest: Moment::default(),
            last_stop: Moment::default(),
            stats: StopStats::default(),
            stack: Vec::new(),
            stacks: capture.stacks.then(|| Box::new(Stacks::new())),
            last_stranger: None,
            usage: None,
            survey: None,
            stuck_survey: None,
            seq: 0,
        }
    }

    /// The moment that [`Moment`] counts from.
    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    /// Whether `/proc` shows our own pid namespace.
    pub(crate) fn sees_proc(&self) -> bool {
        self.sees_proc
    }

    /// Whether it is known which interrupted waits are restarted.
    pub(crate) fn knows_restart_outcomes(&self) -> bool {
        self.capture.restart_outcomes
    }

    /// Now, as events count it.
    pub(crate) fn now(&self) -> Moment {
        Moment(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// When a moment was, or will be.
    fn instant(&self, moment: Moment) -> Instant {
        self.start + Duration::from_nanos(moment.0)
    }

    /// Wake at this moment, or earlier if that was asked for before.
    pub(crate) fn wake_at(&self, moment: Moment) {
        self.waker.wake_at(self.instant(moment));
    }

    /// The moment of the last stop, or of what woke us since.
    pub(crate) fn latest(&self) -> Moment {
        self.latest
    }

    /// The moment of the last stop or end of a task.
    pub(crate) fn last_stop(&self) -> Moment {
        self.last_stop
    }

    /// How many stops there were.
    pub(crate) fn stats(&self) -> StopStats {
        self.stats
    }

    /// How the root ended, once it has.
    pub(crate) fn root_end(&self) -> Option<RootEnd> {
        self.root.as_ref()?.end
    }

    /// The root's pid; 0 if there is none.
    pub(crate) fn root_pid(&self) -> i32 {
        self.root.as_ref().map_or(0, |root| root.tgid.raw())
    }

    /// Whether the launched root is alive.
    pub(crate) fn root_lives(&self) -> bool {
        self.root.as_ref().is_some_and(|root| root.end.is_none())
    }

    /// The tasks under trace, as of now.
    pub(crate) fn world(&self) -> World<'_> {
        World::new(&self.tasks, &self.held)
    }

    /// The options that a task of this kind is seized with.
    pub(super) fn options(&self, kind: Kind) -> libc::c_int {
        let mut bits = options::SYSGOOD | options::EXEC;
        if self.follow {
            bits |= options::FOLLOW;
        }
        if kind.filtered {
            bits |= options::SECCOMP;
        }
        if kind.launched && !self.lets_leftovers_go || self.kill_on_exit {
            bits |= options::EXITKILL;
        }
        if S::IS_ACTIVE {
            bits |= options::EXIT;
        }
        bits
    }

    /// Pids of a process in namespaces inside ours, if they matter.
    pub(super) fn ns_pids(&self, tgid: Tgid) -> Option<NsPids> {
        let matters = self.capture.namespaces;
        matters.then(|| proc::ns_pids(tgid)).flatten()
    }

    /// Wait for the next stop or death and deal with it; sleeps if need be.
    pub(crate) fn step(&mut self, events: &mut Vec<Event>) -> Step {
        let step = self.take_step(events);
        self.serve_scheduler(events);
        step
    }

    fn take_step(&mut self, events: &mut Vec<Event>) -> Step {
        if self.waker.is_due(self.instant(self.latest)) {
            return self.woken(events);
        }
        if self.only_given_up() || self.only_strangers() {
            return Step::Over;
        }
        match self.next(Block::Yes) {
            Waited::Stopped(stopped, status) => self.stopped(stopped, status, events),
            Waited::Ended(tid, status, usage) => {
                self.usage = usage;
                self.ended(tid, status, events);
            }
            Waited::Interrupted | Waited::Nothing => {
                self.latest = self.now();
                return Step::Went;
            }
            Waited::NoChildren => return Step::Over,
        }
        if let Some(job_stop) = &mut self.job_stop {
            job_stop.disturbed();
        }
        Step::Went
    }

    /// Whether no child is left but those that are not ours to trace, and for
    /// which the wait would sleep for ever. A child whose creator was killed
    /// before its event gets a moment to make its first stop.
    fn only_strangers(&mut self) -> bool {
        if !self.has_strangers || !self.tasks.by_tid.is_empty() || self.pending.has_any() {
            self.lonely = None;
            return false;
        }
        let now = Instant::now();
        let since = *self.lonely.get_or_insert(now);
        self.waker.wake_after(HELD_AT_MOST);
        now - since >= HELD_AT_MOST
    }

    /// Deal with what is ready, without sleeping, but with so many stops at
    /// most: among busy tracees something is always ready.
    pub(super) fn serve(&mut self, most: usize, events: &mut Vec<Event>) {
        for _ in 0..most {
            match self.next(Block::No) {
                Waited::Stopped(stopped, status) => self.stopped(stopped, status, events),
                Waited::Ended(tid, status, usage) => {
                    self.usage = usage;
                    self.ended(tid, status, events);
                }
                Waited::Interrupted => {}
                Waited::Nothing | Waited::NoChildren => return,
            }
        }
    }

    /// A deadline of the tracer's own may have passed.
    fn woken(&mut self, events: &mut Vec<Event>) -> Step {
        if self.waker.take_due(self.instant(self.latest)) {
            if self.pending.has_any() {
                // If it was us who did not run for so long, the creators'
                // events are in the queue.
                self.serve(READY_AT_MOST, events);
            }
            self.release_overdue(events);
            self.keep_speed();
            self.look_for_late_children(events);
            match self.leaving {
                Some(until) if Instant::now() >= until => self.give_up_leaving(events),
                Some(_) => self.waker.wake_after(super::leave::POLL_INTERVAL),
                None => {}
            }
            if let Some(everyone) = self.killing {
                self.kill_all(everyone);
            }
            if self.job_has_stopped() {
                return Step::JobStopped;
            }
        }
        Step::Woken
    }

    /// Make an event of a task that is in the table or was until now.
    pub(super) fn event(&mut self, at: Moment, tid: Tid, tgid: Tgid, kind: EventKind) -> Event {
        self.seq += 1;
        Event {
            seq: self.seq,
            at,
            tid,
            tgid,
            kind,
        }
    }

    /// Deal with a stop. Whatever follows, the tracee must be resumed, left in
    /// its group-stop, detached, or held.
    pub(super) fn stopped(&mut self, tracee: Stopped, status: WaitStatus, events: &mut Vec<Event>) {
        let kind = classify(status, || tracee.event_message().ok());
        let (at, tid) = (self.now(), tracee.tid());
        (self.latest, self.last_stop) = (at, at);
        self.stats.count(kind);
        if let Some(stacks) = &mut self.stacks {
            stacks.leaves_call(tid);
        }
        if S::IS_ACTIVE {
            // Killed in a stop that it was held in.
            self.held.remove(&tid);
            self.after_chosen_pid(&tracee, kind, events);
        }
        if let StopKind::Executed { former } = kind {
            self.enter_new_leader(tid, former);
        }
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            self.await_creator(tracee, status);
            return;
        };
        note_interrupt(task, tid, kind, at);
        let stop = Stop { tracee, kind, at };
        if self.leaving.is_some() && !task.kind.launched {
            self.let_go(stop, events);
            return;
        }
        let how = task.how();
        if std::mem::take(&mut task.is_awaited) {
            let tgid = task.tgid;
            self.has_come_over(tgid);
        }
        match kind {
            StopKind::Syscall => self.syscall_stop(stop, events),
            StopKind::Seccomp => self.seccomp_stop(stop, events),
            StopKind::NewChild { creation, child } => self.created(stop, creation, child, events),
            StopKind::Executed { former } => self.executed(stop, former, events),
            StopKind::Exiting(status) => self.exiting(stop, status, events),
            StopKind::Signal(signal) => {
                if let Some((stop, signal)) = self.schedule_signal(stop, signal) {
                    self.signal_stop(stop, signal, events);
                }
            }
            StopKind::Group(signal) => self.group_stop(stop, signal, events),
            StopKind::Plain => self.plain_stop(stop, events),
            StopKind::Other => self.resume(stop, how, None),
        }
    }

    /// Resume a task as its state wants it.
    pub(super) fn go_on(&mut self, stop: Stop) {
        let task = self.tasks.by_tid.get(&stop.tid());
        let how = task.map_or(How::Cont, Task::how);
        self.resume(stop, how, None);
    }
}

/// A stop may be our interrupt's doing, and may have woken the task from a sleep.
fn note_interrupt(task: &mut Task, tid: Tid, kind: StopKind, at: Moment) {
    match kind {
        // Any stop uses up our interrupt. In one of a call the task is about
        // to sleep, or was woken by it: the stop that undoes that comes next.
        StopKind::Syscall if task.asked_to_stop => ptrace::interrupt(tid),
        StopKind::Plain | StopKind::Group(_) => {}
        _ => task.asked_to_stop = false,
    }
    // The first stop of a new task wakes nothing.
    let wakes = match kind {
        StopKind::Plain => task.asked_to_stop,
        StopKind::Signal(_) | StopKind::Group(_) => true,
        _ => false,
    };
    if wakes {
        task.woken = Some(at);
    }
}
