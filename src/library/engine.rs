//! The trace, on a thread of its own: begun, served to its end, and ended
//! when its time is up, its caller asks or the callback panics.
//!
//! The kernel gives the stops of a tracee to the thread that traces it, and so
//! its children: on this thread nobody else has any.

use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::error::Error;
use super::streams::{Service, Streams};
use super::trace::Trace;
use crate::command::CommandLine;
use crate::event::{Event, EventKind, Origin, ProcView};
use crate::exit::Exit;
use crate::kernel::{Tid, WaitCalls};
use crate::ledger::Ledger;
use crate::output::{ReportForm, Snapshot, Styles};
use crate::run::Judging;
use crate::run::inquiry;
use crate::run::session::Session;
use crate::run::verdicts::Verdicts;
use crate::sys::spawn::Program;
use crate::sys::syscall_info::kernel_is_new_enough;
use crate::sys::wake_signal::{WakeSignal, keep_signals_out};
use crate::sys::waker::{WakeHandle, Waker};
use crate::tracer::{Capture, FdNames, RootEnd, Settings, Step, Tracer};

/// What is to be traced.
pub(super) struct Plan {
    pub(super) target: Target,
    pub(super) judging: Judging,
    /// How long at most.
    pub(super) limit: Option<Duration>,
}

/// Who is to be traced.
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

/// What is told when a trace has begun.
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
/// on in the caller when nobody is traced any more.
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
/// signals are kept away from it. `begun` is told when the command has been
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
    let mut run = Run::begin(plan)?;
    let ended = catch_unwind(AssertUnwindSafe(|| run.serve(begun, each)));
    if let Err(panic) = ended {
        // The dead of a thread that ends go to another one of this process,
        // which knows nothing of them: none may be left.
        run.abandon();
        drop(run);
        resume_unwind(panic);
    }
    run.finish()
}

/// A trace that goes on.
struct Run {
    tracer: Tracer,
    session: Session,
    snapshot: Snapshot,
    /// Those that are not yet taken in.
    events: Vec<Event>,
    command: Option<Launched>,
    pid: i32,
    /// The command was executed, or the process attached to.
    has_begun: bool,
    /// When to end the trace, or to look after its end again.
    until: Option<Instant>,
    is_ending: bool,
    timed_out: bool,
}

/// What is left of a command once it is launched.
struct Launched {
    line: CommandLine,
    base: Vec<std::ffi::OsString>,
    service: Service,
}

impl Run {
    fn begin(plan: Plan) -> Result<Run, Error> {
        kernel_is_new_enough().map_err(Error::OldKernel)?;
        let waker = WakeSignal::borrowed().and_then(|signal| Waker::new(&[], signal));
        let waker = waker.map_err(|error| Error::system("start a timer", &error))?;
        let tracer = Tracer::new(settings(), waker);
        let origin = Origin {
            began: SystemTime::now(),
            fates: tracer.knows_fates(),
            proc: ProcView::of(tracer.sees_proc()),
            ..Origin::default()
        };
        let verdicts = Verdicts::new(&plan.judging, Styles::plain(), &origin);
        let verdicts = verdicts.map_err(Error::Invalid)?;
        let mut run = Run {
            tracer,
            session: Session::silent(verdicts),
            snapshot: Snapshot::new(),
            events: Vec::new(),
            command: None,
            pid: 0,
            has_begun: false,
            // A limit beyond all time is none.
            until: plan
                .limit
                .and_then(|limit| Instant::now().checked_add(limit)),
            is_ending: false,
            timed_out: false,
        };
        match plan.target {
            Target::Command(command) => run.launch(*command)?,
            Target::Process(pid) => {
                let attached = run.tracer.attach(Tid::new(pid), &mut run.events);
                attached.map_err(Error::Refused)?;
                run.pid = pid;
                run.has_begun = true;
            }
        }
        Ok(run)
    }

    fn launch(&mut self, command: Command) -> Result<(), Error> {
        let Command {
            line,
            base,
            mut program,
            mut streams,
        } = command;
        program.files = std::mem::take(&mut streams.theirs);
        let service = streams.serve();
        let service = service.map_err(|error| Error::system("start a thread", &error))?;
        let launched = self.tracer.launch(&program);
        launched.map_err(|(operation, reason)| Error::system(operation, &reason))?;
        self.pid = self.tracer.root_pid();
        self.command = Some(Launched {
            line,
            base,
            service,
        });
        Ok(())
    }

    fn serve(&mut self, begun: impl FnOnce(Begun), each: &mut Each<'_>) {
        let mut begun = Some(begun);
        loop {
            self.take(each);
            if let Some(tell) = begun.take_if(|_| self.has_begun) {
                tell(self.begun());
            }
            if let Some(until) = self.until {
                self.tracer.waker.wake_at(until);
            }
            inquiry::arm(&self.tracer, &mut self.session);
            match self.tracer.step(&mut self.events) {
                Step::Went | Step::JobStopped => {}
                Step::Woken => self.answer(each),
                Step::Over => break,
            }
        }
        self.take(each);
        self.close(each);
        // Killed before its program ran, it has begun all the same.
        let end = self.tracer.root_end();
        if let (Some(tell), Some(RootEnd::Ended(_))) = (begun, end) {
            tell(self.begun());
        }
    }

    fn begun(&self) -> Begun {
        Begun {
            pid: self.pid,
            wake: self.tracer.waker.handle(),
        }
    }

    fn take(&mut self, each: &mut Each<'_>) {
        let (has_begun, snapshot) = (&mut self.has_begun, &mut self.snapshot);
        self.session.take_each(&mut self.events, |event, ledger| {
            *has_begun |= matches!(event.kind, EventKind::Executed { .. });
            snapshot.event(&event, ledger);
            each(event, ledger);
        });
    }

    /// The tracer was woken.
    fn answer(&mut self, each: &mut Each<'_>) {
        // What happened before comes before.
        self.take(each);
        let is_late = self.until.is_some_and(|until| Instant::now() >= until);
        if self.tracer.waker.take_call() || is_late {
            self.timed_out |= is_late && !self.is_ending;
            self.close(each);
            self.end();
        }
        inquiry::ask(&mut self.tracer, &mut self.session, &mut self.events);
    }

    /// The trace is over for the rules, though tracees may live on.
    fn close(&mut self, each: &mut Each<'_>) {
        let over = inquiry::conclude(&mut self.tracer, &mut self.session);
        self.events.extend(over);
        self.take(each);
    }

    /// Kill what was launched, let go what was attached to.
    fn end(&mut self) {
        self.is_ending = true;
        self.tracer.kill_all(false);
        self.tracer.detach_all();
        self.until = None;
    }

    /// End all, with nobody to tell.
    fn abandon(&mut self) {
        loop {
            self.end();
            self.tracer.waker.take_call();
            self.events.clear();
            if self.tracer.step(&mut self.events) == Step::Over {
                return;
            }
        }
    }

    fn finish(self) -> Result<Trace, Error> {
        let end = self.tracer.root_end();
        drop(self.tracer);
        let mut written = Default::default();
        if let Some(Launched {
            line,
            base,
            service,
        }) = self.command
        {
            written = service.finish();
            match end {
                Some(RootEnd::Ended(_)) => {}
                Some(RootEnd::NeverRan(report)) => {
                    let (sentence, exit) = line.explain_in(base, report);
                    return Err(match exit {
                        Exit::NotFound => Error::NotFound(sentence),
                        _ => Error::NotExecutable(sentence),
                    });
                }
                None => return Err(Error::Stolen),
            }
        }
        let [stdout, stderr] = written;
        let verdicts = self.session.verdicts.as_ref();
        let findings = verdicts.map(Verdicts::findings).unwrap_or_default();
        let left = verdicts
            .and_then(Verdicts::left)
            .map_or(0, crate::rules::ZombiesLeft::total);
        let ledger = self.session.ledger;
        let report = verdicts.map(|verdicts| {
            let (form, styles) = (ReportForm::Text, Styles::plain());
            verdicts.formed(form, &findings, left, &ledger, styles)
        });
        let mut snapshot = self.snapshot;
        let snapshot = snapshot.text(&findings);
        Ok(Trace {
            events: Vec::new(),
            report: report.unwrap_or_default(),
            snapshot,
            findings,
            ledger,
            status: match end {
                Some(RootEnd::Ended(status)) => Some(ExitStatus::from_raw(status.raw())),
                _ => None,
            },
            stdout,
            stderr,
            timed_out: self.timed_out,
        })
    }
}

/// All that the annotated lines and the rules need.
fn settings() -> Settings {
    Settings {
        capture: Capture {
            siginfo: true,
            images: true,
            peers: false,
            fds: FdNames::Number,
            namespaces: true,
            // The signal frames of x86 are those we can read.
            fates: cfg!(any(target_arch = "x86_64", target_arch = "x86")),
            kinship: true,
            stacks: false,
            rules: true,
        },
        follow: true,
        wanted: WaitCalls::ALL,
        polls: true,
        kill_on_exit: false,
        full_speed: true,
        stops_as_job: false,
    }
}
