//! The engine: one turn of the loop, and what follows from each kind of stop.

use std::time::{Duration, Instant};

use super::early::{Early, HELD_AT_MOST};
use super::handler::Interrupted;
use super::stop::{Stop, classify};
use super::tally::Tally;
use super::tasks::{Call, Kind, Tasks};
use crate::event::{Event, EventKind, Moment};
use crate::kernel::{SigInfo, Signal, Tgid, Tid, WaitCalls, WaitStatus};
use crate::proc;
use crate::stack::Stacks;
use crate::sys::doorbell::Doorbell;
use crate::sys::ptrace::{How, Stopped, is_dead_tracee, options};
use crate::sys::seccomp::Filter;
use crate::sys::spawn::Spawned;
use crate::sys::streams;
use crate::sys::wait::{Block, Handling, Waited, wait_any, wait_any_after_look};

/// How long a family whose root was stopped as a job must have been quiet
/// before we stop as well, and how long it gets for that.
const JOB_QUIET: Duration = Duration::from_millis(20);
const JOB_AT_MOST: Duration = Duration::from_millis(200);

/// How many stops are served before it is said that none is ready: busy
/// tracees always have one.
pub(super) const READY_AT_MOST: usize = 1000;

/// What is read at stops, beyond the words of the calls themselves. Each costs
/// a system call or several, so nothing is read that no output will show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Capture {
    /// siginfo of delivered signals.
    pub(crate) siginfo: bool,
    /// Names and arguments at each exec.
    pub(crate) images: bool,
    /// Names of the processes behind the pids in calls (`-Y`).
    pub(crate) peers: bool,
    /// What pidfds are (`-y`, `-yy`).
    pub(crate) fds: FdNames,
    /// Pids in namespaces inside ours.
    pub(crate) namespaces: bool,
    /// Whether an interrupted wait is restarted or fails with EINTR.
    pub(crate) fates: bool,
    /// Who adopts the children of a dead process, and after EFAULT which
    /// children are left.
    pub(crate) kinship: bool,
    /// What only rules need.
    pub(crate) rules: bool,
    /// The call stacks of waits and forks (`-k`).
    pub(crate) stacks: bool,
}

/// How file descriptors are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FdNames {
    /// By their number alone.
    #[default]
    Number,
    /// With the link in `/proc` (`-y`).
    Link,
    /// With what the kernel knows of them (`-yy`).
    Detail,
}

/// What one turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Something happened; there may be events.
    Went,
    /// The doorbell rang: a deadline or a signal.
    Rang,
    /// The root was stopped as a job, and so should we be.
    JobStopped,
    /// Nobody is left.
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

/// The tracer: who is traced, and the one turn of the loop.
pub(crate) struct Tracer {
    pub(super) tasks: Tasks,
    pub(super) root: Option<Root>,
    /// Tasks that stopped or ended before their creator told of them.
    pub(super) early: Early,
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
    /// There are tasks that outlive us, or were.
    pub(super) attaches: bool,
    /// We stop when the root is stopped as a job.
    stops_as_job: bool,
    /// Launched processes are killed, or with `true` attached ones too, until
    /// none is left.
    pub(super) killing: Option<bool>,
    /// Attached tasks are let go at their next stop.
    pub(super) leaving: Option<Instant>,
    /// The time to leave is over; those that are left were told detached.
    pub(super) gave_up: bool,
    /// The root is stopped as a job: since when, and since when nothing else
    /// happened.
    job_stop: Option<(Instant, Instant)>,
    /// There are children that are not ours to trace: the wait never says
    /// that nobody is left.
    strangers: bool,
    /// Since when nobody but strangers is left.
    lonely: Option<Instant>,
    pub(crate) doorbell: Doorbell,
    start: Instant,
    /// The moment of the last stop, or of what woke us since.
    pub(super) latest: Moment,
    pub(super) tally: Tally,
    /// Room for a new program's stack.
    pub(super) stack: Vec<u8>,
    /// Call stacks, if they are wanted.
    pub(super) stacks: Option<Box<Stacks>>,
    seq: u64,
}

/// What a [`Tracer`] is told once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) capture: Capture,
    pub(crate) follow: bool,
    pub(crate) wanted: WaitCalls,
    /// Whether waits with `WNOHANG` are wanted too.
    pub(crate) polls: bool,
    pub(crate) kill_on_exit: bool,
    /// Whether to stop when the root is stopped as a job of a shell.
    pub(crate) stops_as_job: bool,
}

impl Handling for Tracer {
    fn leaves_signal(&self, tid: Tid) -> bool {
        self.attaches && self.tasks.by_tid.contains_key(&tid)
    }

    /// As PID 1 or subreaper we reap orphans, which may have been tracees of
    /// ours: their deaths were told when the tracer took them. By their pids
    /// they would be taken for the next process that has it.
    fn passes_over(&self, dead: Tid) -> bool {
        self.strangers && !self.tasks.by_tid.contains_key(&dead) && !is_dead_tracee(dead)
    }
}

impl Tracer {
    /// A tracer that traces nobody yet. All of its life happens on the thread
    /// that calls this.
    pub(crate) fn new(settings: Settings, doorbell: Doorbell) -> Tracer {
        let mut capture = settings.capture;
        let sees_proc = proc::shows_our_namespace();
        if !sees_proc {
            // Every look-up would find somebody else.
            capture.peers = false;
            capture.namespaces = false;
            capture.kinship = false;
            capture.fates = false;
            capture.fds = FdNames::Number;
            capture.stacks = false;
        }
        Tracer {
            tasks: Tasks::default(),
            root: None,
            early: Early::default(),
            capture,
            sees_proc,
            follow: settings.follow,
            wanted: settings.wanted,
            polls: settings.polls,
            filter: None,
            kill_on_exit: settings.kill_on_exit,
            attaches: false,
            stops_as_job: settings.stops_as_job,
            killing: None,
            leaving: None,
            gave_up: false,
            lonely: None,
            job_stop: None,
            strangers: streams::inherits_orphans()
                || !matches!(wait_any(Block::No), Waited::NoChildren),
            doorbell,
            start: Instant::now(),
            latest: Moment::default(),
            tally: Tally::default(),
            stack: Vec::new(),
            stacks: capture.stacks.then(|| Box::new(Stacks::new())),
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
    pub(crate) fn knows_fates(&self) -> bool {
        self.capture.fates
    }

    /// Now, as events count it.
    pub(crate) fn now(&self) -> Moment {
        Moment(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// When a moment was, or will be.
    fn instant(&self, moment: Moment) -> Instant {
        self.start + Duration::from_nanos(moment.0)
    }

    /// Ring at this moment, or earlier if somebody wants that.
    pub(crate) fn ring_at(&self, moment: Moment) {
        self.doorbell.ring_at(self.instant(moment));
    }

    /// The moment of the last stop, or of what woke us since.
    pub(crate) fn latest(&self) -> Moment {
        self.latest
    }

    /// How many stops there were.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
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

    /// The options that a task of this kind is seized with.
    pub(super) fn options(&self, kind: Kind) -> libc::c_int {
        let mut bits = options::SYSGOOD | options::EXEC;
        if self.follow {
            bits |= options::FOLLOW;
        }
        if kind.filtered {
            bits |= options::SECCOMP;
        }
        if kind.launched || self.kill_on_exit {
            bits |= options::EXITKILL;
        }
        bits
    }

    /// Wait for the next stop or death and deal with it; sleeps if need be.
    pub(crate) fn step(&mut self, events: &mut Vec<Event>) -> Step {
        if self.doorbell.rings(self.instant(self.latest)) {
            return self.answer(events);
        }
        if self.only_given_up() || self.only_strangers() {
            return Step::Over;
        }
        match self.wait(Block::Yes) {
            Waited::Stopped(stopped, status) => self.stopped(stopped, status, events),
            Waited::Ended(tid, status) => self.ended(tid, status, events),
            Waited::Interrupted | Waited::Nothing => {
                self.latest = self.now();
                return Step::Went;
            }
            Waited::NoChildren => return Step::Over,
        }
        if let Some((_, quiet_since)) = &mut self.job_stop {
            *quiet_since = Instant::now();
        }
        Step::Went
    }

    /// Launched tasks end with us; attached ones go on, with their signals.
    fn wait(&self, block: Block) -> Waited {
        if self.attaches || self.strangers {
            wait_any_after_look(block, self)
        } else {
            wait_any(block)
        }
    }

    /// Whether nobody is left but children that are not ours to trace, and
    /// for whom the wait would sleep for ever. A child whose creator was killed
    /// before telling of it gets a moment to make its first stop.
    fn only_strangers(&mut self) -> bool {
        if !self.strangers || !self.tasks.by_tid.is_empty() || self.early.holds_any() {
            self.lonely = None;
            return false;
        }
        let now = Instant::now();
        let since = *self.lonely.get_or_insert(now);
        self.doorbell.ring_after(HELD_AT_MOST);
        now - since >= HELD_AT_MOST
    }

    /// Deal with what is ready, without sleeping, but with so many stops at
    /// most: among busy tracees something is always ready.
    pub(super) fn serve(&mut self, most: usize, events: &mut Vec<Event>) {
        for _ in 0..most {
            match self.wait(Block::No) {
                Waited::Stopped(stopped, status) => self.stopped(stopped, status, events),
                Waited::Ended(tid, status) => self.ended(tid, status, events),
                Waited::Interrupted => {}
                Waited::Nothing | Waited::NoChildren => return,
            }
        }
    }

    fn answer(&mut self, events: &mut Vec<Event>) -> Step {
        if self.doorbell.take_due(self.instant(self.latest)) {
            if self.early.holds_any() {
                // If it was us who did not run for so long, the creators' words
                // are in the queue.
                self.serve(READY_AT_MOST, events);
            }
            self.release_overdue(events);
            match self.leaving {
                Some(until) if Instant::now() >= until => self.give_up_leaving(events),
                Some(_) => self.doorbell.ring_after(super::leave::GLANCE),
                None => {}
            }
            if let Some(everyone) = self.killing {
                self.kill_all(everyone);
            }
            if self.job_has_stopped() {
                return Step::JobStopped;
            }
        }
        Step::Rang
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
    pub(super) fn stopped(
        &mut self,
        stopped: Stopped,
        status: WaitStatus,
        events: &mut Vec<Event>,
    ) {
        let (at, tid, stop) = (self.now(), stopped.tid(), classify(status));
        self.latest = at;
        self.tally.count(stop);
        if stop == Stop::Executed {
            self.enter_new_leader(&stopped);
        }
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            self.hold(stopped, status);
            return;
        };
        let tgid = task.tgid;
        if self.leaving.is_some() && !task.kind.launched {
            self.let_go(stopped, stop, at, events);
            return;
        }
        match stop {
            Stop::Syscall => self.syscall_stop(stopped, at, events),
            Stop::Seccomp => self.seccomp_stop(stopped, at, events),
            Stop::Created(creation) => self.created(stopped, creation, at, events),
            Stop::Executed => self.executed(stopped, at, events),
            Stop::Exiting => self.exiting(stopped, events),
            Stop::Signal(signal) => self.signal_stop(stopped, signal, at, events),
            Stop::Group(signal) => {
                task.group_stopped = true;
                // ESRCH: it was killed, its death follows.
                let _ = stopped.listen();
                self.mirror(tgid, tid, signal);
                let event = self.event(at, tid, tgid, EventKind::GroupStopped { signal });
                events.push(event);
            }
            Stop::Plain => {
                let how = task.how();
                let resumed = std::mem::take(&mut task.group_stopped);
                let _ = stopped.resume(how, None);
                if resumed {
                    self.job_stop = None;
                    events.push(self.event(at, tid, tgid, EventKind::Resumed));
                }
            }
            Stop::Other => {
                let how = task.how();
                let _ = stopped.resume(how, None);
            }
        }
    }

    /// A signal is about to be delivered: deliver it, whichever it is.
    fn signal_stop(
        &mut self,
        stopped: Stopped,
        signal: Signal,
        at: Moment,
        events: &mut Vec<Event>,
    ) {
        let tid = stopped.tid();
        let capture = self.capture;
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        if signal == Signal::TRAP
            && let Some(by) = task.stepping.take()
        {
            self.stepped(stopped, by, at, events);
            return;
        }
        task.stepping = None;
        let tgid = task.tgid;
        if signal == Signal::CHLD
            && let Some(process) = self.tasks.processes.get(&tgid)
            && process.has_plain_handler
        {
            task.interrupted_at = Interrupted::at(&stopped);
        }
        let info = capture.siginfo.then(|| stopped.siginfo().ok()).flatten();
        let info = info.and_then(|bytes| SigInfo::from_native(&bytes));
        let sender = match &info {
            Some(info) if capture.peers => info.pid().and_then(|pid| self.peer(tgid, pid)),
            _ => None,
        };
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        // EINTR or restart is decided as the handler is entered, so one step
        // into it tells. Without a handler the call restarts.
        let caught = capture.fates
            && task.interrupted
            && proc::status(tid).is_some_and(|status| status.catches(signal));
        let how = if caught {
            task.interrupted = false;
            task.stepping = Some(signal);
            How::SingleStep
        } else {
            task.how()
        };
        let _ = stopped.resume(how, Some(signal));
        let kind = EventKind::Signalled {
            signal,
            info,
            sender,
        };
        events.push(self.event(at, tid, tgid, kind));
    }

    /// Pids of a process in namespaces inside ours, if they matter.
    pub(super) fn ns_pids(&self, tgid: Tgid) -> Option<crate::event::NsPids> {
        self.capture
            .namespaces
            .then(|| proc::ns_pids(tgid))
            .flatten()
    }

    /// Whether the root's stop should stop us too, as a shell that runs us as
    /// a job waits for *our* stop. A SIGSTOP is a job's only if nobody in the
    /// family is left to continue the root.
    fn mirror(&mut self, tgid: Tgid, tid: Tid, signal: Signal) {
        let is_root = self.root.as_ref().is_some_and(|root| root.tgid == tgid);
        if !self.stops_as_job || !is_root || tgid.leader() != tid {
            return;
        }
        let by_terminal = signal != Signal::STOP;
        if (by_terminal || self.tasks.by_tid.len() == 1) && streams::is_shell_job() {
            let now = Instant::now();
            self.job_stop = Some((now, now));
            self.doorbell.ring_after(JOB_QUIET);
        }
    }

    /// Whether it is time to stop as the root has: the key that stopped it
    /// stops the whole family, and each of them needs us for that.
    fn job_has_stopped(&mut self) -> bool {
        let Some((since, quiet_since)) = self.job_stop else {
            return false;
        };
        if quiet_since.elapsed() < JOB_QUIET && since.elapsed() < JOB_AT_MOST {
            self.doorbell.ring_after(JOB_QUIET);
            return false;
        }
        self.job_stop = None;
        true
    }

    /// The wait call that a task is in, if it is in one.
    pub(super) fn take_call(&mut self, tid: Tid) -> Option<Call> {
        self.tasks.by_tid.get_mut(&tid)?.call.take()
    }
}
