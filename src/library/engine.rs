//! The trace, on a thread of its own: begun, driven to its end, and ended
//! when its time is up, its caller asks or the callback panics.
//!
//! The kernel gives the stops of a tracee to the thread that traces it, and so
//! its children: this thread has no other ones.

use std::cell::Cell;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

use super::error::Error;
use super::lines;
use super::streams::{Service, Streams};
use super::trace::Trace;
use crate::event::{Event, EventKind};
use crate::kernel::Tid;
use crate::ledger::Ledger;
use crate::output::{ReportForm, Snapshot, SnapshotText, Styles};
use crate::program::{CommandLine, NeverRan};
use crate::session::{
    Control, EventSource, FindingsPolicy, NamedOutput, Outcome, ReportLook, RuleOptions, Session,
    Traced, drive, settings,
};
use crate::sys::spawn::Program;
use crate::sys::syscall_info::kernel_is_new_enough;
use crate::sys::wake_signal::{WakeSignal, keep_signals_out};
use crate::sys::waker::{WakeHandle, Waker};
use crate::tracer::{RootEnd, Step, Tracer};

/// What is to be traced.
pub(super) struct Plan {
    pub(super) target: Target,
    pub(super) rules: RuleOptions,
    /// How long at most.
    pub(super) limit: Option<Duration>,
}

/// What is to be traced: a command or a process.
pub(super) enum Target {
    /// A command.
    Command(Box<Command>),
    /// A running process.
    Process(i32),
}

/// A command that is ready to be launched.
pub(super) struct Command {
    pub(super) line: CommandLine,
    /// The environment before its changes.
    pub(super) base: Vec<std::ffi::OsString>,
    pub(super) program: Program,
    pub(super) streams: Streams,
}

/// A trace that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    /// The process that it is about.
    pub(super) pid: i32,
    /// Ends the trace.
    pub(super) wake: WakeHandle,
}

/// Something that takes every event, with the ledger after it.
pub(super) type Each<'a> = dyn FnMut(Event, &Ledger) + Send + 'a;

/// Trace on a thread of its own, and wait for its end. A panic of `each` goes
/// on in the caller when nothing is traced any more.
///
/// # Errors
/// Why there is no trace.
pub(super) fn record(plan: Plan, each: &mut Each<'_>) -> Result<Trace, Error> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("tracer".to_owned());
        let thread = thread.spawn_scoped(scope, || trace(plan, |_| (), each));
        let thread = thread.map_err(|error| Error::system("start a thread", &error))?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Trace on this thread, which is of no use for anything else afterwards:
/// signals are kept away from it. `begun` is called when the command has been
/// executed, or the process is attached to.
///
/// # Errors
/// Why there is no trace.
pub(super) fn trace(
    plan: Plan,
    begun: impl FnOnce(Begun),
    each: &mut Each<'_>,
) -> Result<Trace, Error> {
    keep_signals_out();
    let mut source = source()?;
    if let Some(limit) = plan.limit {
        source.limit(limit);
    }
    let mut events = Vec::new();
    let started = start(&mut source, plan.target, &mut events)?;
    let begin = Begin {
        call: Cell::new(Some(begun)),
        pid: started.pid,
        wake: source.tracer.waker.handle(),
    };
    let mut observer = |event: Event, ledger: &Ledger| {
        let is_executed = matches!(event.kind, EventKind::Executed { .. });
        each(event, ledger);
        if is_executed {
            begin.call();
        }
    };
    let snapshot = SnapshotText::default();
    let mut session = Session {
        policy: Some(FindingsPolicy::new(plan.rules, source.origin())),
        outputs: vec![NamedOutput {
            name: "the snapshot".to_owned(),
            output: Box::new(Snapshot::new(&snapshot)),
        }],
        observer: Some(&mut observer),
        ..Session::default()
    };
    let mut answers = Answers { timed_out: false };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        session.take(&mut events);
        if started.command.is_none() {
            begin.call();
        }
        drive(&mut source, &mut session, &mut answers);
    }));
    if let Err(panic) = ended {
        // Zombies of a thread that ends are given to another thread of this
        // process, which would not reap them: none may be left.
        abandon(&mut source.tracer);
        drop(source);
        resume_unwind(panic);
    }
    let outcome = session.finish(true);
    let end = source.tracer.root_end();
    if matches!(end, Some(RootEnd::Ended(_))) {
        // Killed before its program ran, it has begun all the same.
        begin.call();
    }
    let restart_outcomes = source.origin().restart_outcomes;
    drop(source);
    let trace = finish(outcome, end, started.command)?;
    Ok(Trace {
        timed_out: answers.timed_out,
        restart_outcomes,
        snapshot: snapshot.get().unwrap_or_default().to_owned(),
        ..trace
    })
}

/// A callback for the moment when the trace has begun, called once.
struct Begin<F> {
    call: Cell<Option<F>>,
    pid: i32,
    wake: WakeHandle,
}

impl<F: FnOnce(Begun)> Begin<F> {
    fn call(&self) {
        if let Some(call) = self.call.take() {
            call(Begun {
                pid: self.pid,
                wake: self.wake.clone(),
            });
        }
    }
}

/// A tracer on this thread, for all that the annotated lines and the rules
/// need.
fn source() -> Result<Traced, Error> {
    kernel_is_new_enough().map_err(Error::OldKernel)?;
    let waker = WakeSignal::borrowed().and_then(|signal| Waker::new(&[], signal));
    let waker = waker.map_err(|error| Error::system("start a timer", &error))?;
    let settings = settings(&lines::options(true), true, true);
    Ok(Traced::new(settings, waker, Vec::new(), Vec::new()))
}

/// What is traced.
struct Started {
    pid: i32,
    /// None of a process that was attached to.
    command: Option<Launched>,
}

/// What is left of a command once it is launched.
struct Launched {
    line: CommandLine,
    base: Vec<std::ffi::OsString>,
    service: Service,
}

/// Launch the command, or attach to the process.
fn start(source: &mut Traced, target: Target, events: &mut Vec<Event>) -> Result<Started, Error> {
    let tracer = &mut source.tracer;
    match target {
        Target::Command(command) => launch(tracer, *command),
        Target::Process(pid) => {
            let attached = tracer.attach(Tid::new(pid), events);
            attached.map_err(Error::Refused)?;
            Ok(Started { pid, command: None })
        }
    }
}

fn launch(tracer: &mut Tracer, command: Command) -> Result<Started, Error> {
    let Command {
        line,
        base,
        mut program,
        mut streams,
    } = command;
    program.files = std::mem::take(&mut streams.theirs);
    let service = streams.serve();
    let service = service.map_err(|error| Error::system("start a thread", &error))?;
    let launched = tracer.launch(&program);
    launched.map_err(|(operation, reason)| Error::system(operation, &reason))?;
    Ok(Started {
        pid: tracer.root_pid(),
        command: Some(Launched {
            line,
            base,
            service,
        }),
    })
}

/// Ends the trace when the time is up or the caller stops it.
struct Answers {
    /// The time was up first.
    timed_out: bool,
}

impl Control<Traced> for Answers {
    fn woken(&mut self, source: &mut Traced, session: &mut Session<'_>) {
        let is_late = source.take_time_up();
        if source.tracer.waker.take_call() || is_late {
            self.timed_out |= is_late;
            session.conclude(source);
            source.lift_limit();
            end(&mut source.tracer);
        }
    }

    fn job_stopped(&mut self, _: &mut Traced) {}
}

/// Kill what was launched, detach from what was attached to.
fn end(tracer: &mut Tracer) {
    tracer.kill_all(false);
    tracer.detach_all();
}

/// End all; events are dropped.
fn abandon(tracer: &mut Tracer) {
    let mut events = Vec::new();
    loop {
        end(tracer);
        tracer.waker.take_call();
        events.clear();
        if tracer.step(&mut events) == Step::Over {
            return;
        }
    }
}

/// What there is in the end.
///
/// # Errors
/// Why the command never ran.
fn finish(
    outcome: Outcome,
    end: Option<RootEnd>,
    command: Option<Launched>,
) -> Result<Trace, Error> {
    let mut written = Default::default();
    if let Some(Launched {
        line,
        base,
        service,
    }) = command
    {
        written = service.finish();
        match end {
            Some(RootEnd::Ended(_)) => {}
            Some(RootEnd::NeverRan(report)) => {
                return Err(match line.explain_in(base, report) {
                    NeverRan::Unknown(sentence) => Error::NotFound(sentence),
                    NeverRan::NotExecutable(sentence) | NeverRan::Unreachable(sentence) => {
                        Error::NotExecutable(sentence)
                    }
                });
            }
            None => return Err(Error::Stolen),
        }
    }
    let [stdout, stderr] = written;
    let look = ReportLook {
        form: ReportForm::Text,
        styles: Styles::plain(),
        quiet: false,
    };
    let policy = outcome.policy;
    let report = policy.map(|policy| policy.report(&outcome.findings, &outcome.ledger, look));
    Ok(Trace {
        events: Vec::new(),
        report: report.unwrap_or_default(),
        snapshot: String::new(),
        findings: outcome.findings,
        ledger: outcome.ledger,
        status: match end {
            Some(RootEnd::Ended(status)) => Some(ExitStatus::from_raw(status.raw())),
            _ => None,
        },
        stdout,
        stderr,
        timed_out: false,
        restart_outcomes: false,
    })
}
