//! One run of the command under a schedule: launched, traced to its end, and
//! ended where it would not end itself.

use std::ffi::{CString, OsString};
use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal as Sig;

use super::hang::{Hang, HangWatch};
use super::schedule::Schedule;
use super::scheduler::{Circumstances, Counts, Explorer};
use super::written::Written;
use crate::event::{Comm, Event, EventKind};
use crate::kernel::{Signal, Status, Tgid, WaitCalls, WaitStatus};
use crate::ledger::Ledger;
use crate::library::{Error, Input, Service, Stream, Streams};
use crate::output::{Conclusion, Output};
use crate::program::{CommandLine, NeverRan};
use crate::rules::Finding;
use crate::session::{
    Control, EventSource, FindingsPolicy, NamedOutput, RuleOptions, Session, Traced, drive,
};
use crate::sys::seccomp::Filter;
use crate::sys::startup::Inherited;
use crate::sys::waker::Waker;
use crate::tracer::{Capture, FdNames, RootEnd, Settings, Tracer};

/// How long what the command left behind may take to end.
const GRACE: Duration = Duration::from_secs(1);
/// How long what the command left behind must sleep to be left.
const STILL: Duration = Duration::from_millis(150);

/// What is run.
pub(crate) struct Setup {
    pub(crate) line: CommandLine,
    /// The environment before the command's changes.
    pub(crate) base: Vec<OsString>,
    /// Its signals and standard files.
    pub(crate) start: fn() -> Inherited,
    pub(crate) directory: Option<CString>,
    pub(crate) rules: RuleOptions,
    /// Makes what wakes the tracer.
    pub(crate) waker: fn() -> io::Result<Waker>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The command ended with this wait status.
    Ended(WaitStatus),
    /// It can never end.
    Hung(Hang),
    /// Nothing goes on any more, and only the world outside may change that.
    Stalled(Hang),
    /// It did not end in its time, which says nothing.
    TimedOut,
    /// We were told to end, by this signal if it was one.
    Interrupted(Option<i32>),
}

/// What came of a run.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// How it ended.
    pub(super) end: End,
    /// What the rules found.
    pub(super) findings: Vec<Finding>,
    /// Processes that were killed by a signal of their own fault.
    pub(super) crashes: Vec<(Comm, Signal)>,
    /// What was written to standard output.
    pub(super) stdout: Written,
    /// How often each point was reached.
    pub(super) counts: Counts,
    /// How often the order of events of each point came about.
    pub(super) forced: Counts,
    /// What was at play there.
    pub(super) at_play: Circumstances,
    /// A wait of the program's gave up after a time during a hold.
    pub(super) timed_out_in_hold: bool,
    /// The program that tried to signal every process there is.
    pub(super) kills_all: Option<Comm>,
    /// The child that went on as its parent after its exec failed.
    pub(super) ran_on: Option<Comm>,
    /// How long it took.
    pub(super) took: Duration,
}

/// How long a run may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// All of it.
    pub(super) limit: Duration,
    /// And how long nothing may go on; `None` for as long.
    pub(super) stall: Option<Duration>,
}

/// Run the command once, for so long at most. This thread is of no use for
/// anything else: every child of it is taken for a tracee.
///
/// # Errors
/// Why the command cannot run.
pub(super) fn run(setup: &Setup, schedule: &Schedule, patience: Patience) -> Result<Run, Error> {
    let begun = Instant::now();
    let waker = (setup.waker)().map_err(|error| Error::system("start a timer", &error))?;
    let scheduler = Explorer::new(schedule.clone());
    let words = Vec::new();
    let mut source = Traced::with_scheduler(settings(), waker, words, Vec::new(), scheduler);
    let streams = launch(setup, &mut source.tracer)?;
    source.limit(HangWatch::INTERVAL);
    let crashes = Crashes::default();
    let mut session = Session {
        policy: Some(FindingsPolicy::new(setup.rules.clone(), source.origin())),
        outputs: vec![NamedOutput {
            name: "the crashes".to_owned(),
            output: Box::new(crashes.clone()),
        }],
        ..Session::default()
    };
    let mut keeper = Keeper {
        until: begun.checked_add(patience.limit),
        stall: patience.stall,
        watch: HangWatch::default(),
        root_ended: None,
        end: None,
    };
    drive(&mut source, &mut session, &mut keeper);
    let outcome = session.finish(true);
    let scheduler = &source.tracer.scheduler;
    let comm = |tgid: Tgid| outcome.ledger.comm(tgid.leader());
    let kills_all = scheduler.kills_all().map(comm);
    let ran_on = scheduler.ran_on().map(comm);
    let counts = scheduler.counts().clone();
    let forced = scheduler.forced().clone();
    let at_play = scheduler.at_play().clone();
    let timed_out_in_hold = scheduler.saw_time_out();
    let root_end = source.tracer.root_end();
    drop(source);
    let [stdout, _] = streams.finish();
    let end = match (keeper.end, root_end) {
        (Some(end), _) => end,
        (None, Some(RootEnd::Ended(status))) => End::Ended(status),
        (None, Some(RootEnd::NeverRan(report))) => {
            return Err(match setup.line.explain_in(setup.base.clone(), report) {
                NeverRan::Unknown(sentence) => Error::NotFound(sentence),
                NeverRan::NotExecutable(sentence) | NeverRan::Unreachable(sentence) => {
                    Error::NotExecutable(sentence)
                }
            });
        }
        (None, None) => return Err(Error::Stolen),
    };
    Ok(Run {
        end,
        findings: outcome.findings,
        crashes: crashes.take(),
        stdout,
        counts,
        forced,
        at_play,
        timed_out_in_hold,
        kills_all,
        ran_on,
        took: begun.elapsed(),
    })
}

/// All that the rules need.
fn settings() -> Settings {
    Settings {
        lets_leftovers_go: false,
        capture: Capture {
            usage: false,
            siginfo: true,
            images: true,
            peers: false,
            fds: FdNames::Number,
            namespaces: true,
            restart_outcomes: true,
            kinship: true,
            rules: true,
            stacks: false,
        },
        follow: true,
        wanted: WaitCalls::ALL,
        polls: true,
        kill_on_exit: false,
        full_speed: false,
        stops_as_job: false,
    }
}

/// Without it no process would be seen to sleep, and a search would find no problems.
pub(crate) const NEEDS_PROC: &str = "a schedule is forced by what /proc shows of the processes, \
                                     and it is not mounted here or shows another pid namespace";

fn launch(setup: &Setup, tracer: &mut Tracer<Explorer>) -> Result<Service<Written>, Error> {
    if !tracer.sees_proc() {
        return Err(Error::Invalid(NEEDS_PROC.to_owned()));
    }
    let filter = Filter::with_calls(WaitCalls::ALL, true, true, &tracer.scheduler.calls());
    let program = setup.line.program_in(setup.base.clone(), Some(filter));
    let mut program = program.map_err(Error::Invalid)?;
    program.start = (setup.start)();
    program.directory.clone_from(&setup.directory);
    let streams = Streams::open(Input::Null, Stream::Capture, Stream::Capture);
    let mut streams = streams.map_err(|error| Error::system("make pipes", &error))?;
    program.files = std::mem::take(&mut streams.theirs);
    let service = streams.serve();
    let service = service.map_err(|error| Error::system("start a thread", &error))?;
    let launched = tracer.launch(&program);
    launched.map_err(|(operation, reason)| Error::system(operation, &reason))?;
    Ok(service)
}

/// Ends a run that would not end itself.
struct Keeper {
    /// When the run takes too long; `None` for never.
    until: Option<Instant>,
    /// How long nothing may go on.
    stall: Option<Duration>,
    watch: HangWatch,
    root_ended: Option<Instant>,
    end: Option<End>,
}

impl Control<Traced<Explorer>> for Keeper {
    fn woken(&mut self, source: &mut Traced<Explorer>, session: &mut Session<'_>) {
        let signals = source.tracer.waker.take_signals();
        let ending = [Sig::SIGINT, Sig::SIGQUIT, Sig::SIGTERM, Sig::SIGHUP];
        let ending = ending.into_iter().find(|signal| signals.has(*signal));
        if ending.is_some() || source.tracer.waker.take_call() {
            let signal = ending.map(|signal| signal as i32);
            self.end(End::Interrupted(signal), source, session);
            return;
        }
        if !source.take_time_up() {
            return;
        }
        source.limit(HangWatch::INTERVAL);
        if self.end.is_some() {
            source.tracer.kill_all(false);
        } else if self.until.is_some_and(|until| Instant::now() >= until) {
            self.end(End::TimedOut, source, session);
        } else {
            self.look(source, session);
        }
    }

    fn job_stopped(&mut self, _: &mut Traced<Explorer>) {}
}

impl Keeper {
    fn look(&mut self, source: &mut Traced<Explorer>, session: &mut Session<'_>) {
        let tracer = &source.tracer;
        let root = Tgid::new(tracer.root_pid());
        let hang = self.watch.look(&tracer.world(), &tracer.scheduler, root);
        let Some(RootEnd::Ended(status)) = tracer.root_end() else {
            let stalled = || {
                let (world, scheduler) = (tracer.world(), &tracer.scheduler);
                self.watch.stalled(&world, scheduler, root, self.stall?)
            };
            let end = match hang {
                Some(hang) => Some(End::Hung(hang)),
                None => stalled().map(End::Stalled),
            };
            if let Some(end) = end {
                self.end(end, source, session);
            }
            return;
        };
        // What the command left behind is no hang, and is not waited for.
        let since = *self.root_ended.get_or_insert_with(Instant::now);
        if hang.is_some() || self.watch.still_for() >= STILL || since.elapsed() >= GRACE {
            self.end(End::Ended(status), source, session);
        }
    }

    fn end(&mut self, end: End, source: &mut Traced<Explorer>, session: &mut Session<'_>) {
        session.conclude(source);
        self.end.get_or_insert(end);
        source.tracer.scheduler.give_up();
        source.tracer.kill_all(false);
    }
}

/// Keeps the processes that were killed by a signal of their own fault.
#[derive(Clone, Debug, Default)]
struct Crashes(std::rc::Rc<std::cell::RefCell<Vec<(Comm, Signal)>>>);

impl Crashes {
    fn take(&self) -> Vec<(Comm, Signal)> {
        self.0.take()
    }
}

impl Output for Crashes {
    fn event(&mut self, event: &Event, ledger: &Ledger) {
        if let EventKind::Ended { status } = &event.kind
            && event.tgid.leader() == event.tid
            && let Status::Signaled { signal, .. } = status.decode()
            && signal.is_crash()
        {
            self.0.borrow_mut().push((ledger.comm(event.tid), signal));
        }
    }

    fn finish(&mut self, _: &Conclusion<'_>) -> io::Result<()> {
        Ok(())
    }
}
