//! A run with a tracer: what follows from its stops, and what signals to us
//! mean.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{SigSet, Signal as Sig};
use nix::sys::utsname::{UtsName, uname};

use super::config::{Config, OutputTo};
use super::inquiry;
use super::session::Session;
use super::{complain, told};
use crate::event::{Event, Moment, Origin, ProcView};
use crate::exit::Exit;
use crate::kernel::{Signal, Status, Tid, WaitCalls};
use crate::output::{Pids, Style};
use crate::sys::seccomp::Filter;
use crate::sys::startup::Inherited;
use crate::sys::streams;
use crate::sys::syscall_info::kernel_is_new_enough;
use crate::sys::wake_signal::WakeSignal;
use crate::sys::waker::{Arrived, Waker, ending_signal};
use crate::tracer::{Capture, FdNames, RootEnd, Settings, Step, Tracer};
use crate::urgency;

/// What happened is written after so many nanoseconds at the latest.
const FLUSH: u64 = 50_000_000;

/// How many events are taken in together where nobody watches: ledger, rules
/// and output then run from warm caches, and a stop is over the sooner.
const BATCH: usize = 64;

/// How long a command may take to end itself when its time is up.
const PATIENCE: Duration = Duration::from_secs(1);

/// Signals to us that we answer ourselves.
const ANSWERED: [Sig; 5] = [
    Sig::SIGUSR1,
    Sig::SIGINT,
    Sig::SIGQUIT,
    Sig::SIGTERM,
    Sig::SIGHUP,
];

/// Signals that stay blocked. SIGXFSZ, of a file that may not grow, must not
/// end us: the write fails, and that is answered. A terminal's must not stop
/// us, and whoever blocks SIGTTOU may write to it from the background.
const BLOCKED: [Sig; 4] = [Sig::SIGXFSZ, Sig::SIGTSTP, Sig::SIGTTIN, Sig::SIGTTOU];

/// Trace as `config` says, to the end.
pub(super) fn trace(config: &Config) -> Exit {
    match Run::start(config) {
        Ok(run) => run.trace(),
        Err(failure) => {
            if let Some(signal) = ending_signal() {
                // It ended a wait for a pipe's reader, for example.
                return Exit::Signal(signal);
            }
            match failure {
                Failure::Sentence(sentence) => complain(&sentence),
                // The refusals are on their way.
                Failure::Refused => drop(told("")),
            }
            Exit::Failed
        }
    }
}

struct Run<'a> {
    config: &'a Config,
    tracer: Tracer,
    session: Session,
    /// A target was refused.
    refused: bool,
    /// The signal that made us detach.
    ended_by: Option<Sig>,
    killing: bool,
    /// When the trace ends at the latest (`--duration`).
    until: Option<Instant>,
    /// When what happened is written at the latest.
    flush: Option<Moment>,
    /// That moment has passed, and the command was asked to end.
    time_is_up: bool,
}

/// Why a run does not begin.
enum Failure {
    /// It is to be said.
    Sentence(String),
    /// Every target was refused, and each refusal was said.
    Refused,
}

impl<T: Into<String>> From<T> for Failure {
    fn from(sentence: T) -> Failure {
        Failure::Sentence(sentence.into())
    }
}

impl<'a> Run<'a> {
    fn start(config: &'a Config) -> Result<Run<'a>, Failure> {
        kernel_is_new_enough().map_err(|release| {
            format!("Linux 5.3 or later is needed (PTRACE_GET_SYSCALL_INFO), this is {release}")
        })?;
        let inherited = Inherited::get();
        let [_, _, stderr_is_closed] = inherited.closed;
        if stderr_is_closed && config.output == OutputTo::Stderr {
            return Err("standard error is closed; name a file with -o".into());
        }
        // As nohup wants it. A script's background jobs ignore SIGINT and
        // SIGQUIT too, but there the user means us with a signal.
        let answered: Vec<Sig> = ANSWERED
            .into_iter()
            .filter(|signal| *signal != Sig::SIGHUP || !inherited.ignores(*signal as i32))
            .collect();
        let blocked: SigSet = BLOCKED.into_iter().collect();
        blocked
            .thread_block()
            .map_err(|error| format!("cannot start: {error}"))?;
        let waker = WakeSignal::own().and_then(|signal| Waker::new(&answered, signal));
        let waker = waker.map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::WouldBlock => {
                    "; the limit of pending signals (ulimit -i) is too low"
                }
                _ => "",
            };
            format!("cannot make a timer: {error}{hint}")
        })?;
        let tracer = Tracer::new(settings(config), waker);
        // Words that are wrong are told before anybody is traced. A child that
        // is not followed would be under the filter with nobody to answer it.
        let filtered = config.seccomp && config.follow;
        let judged = config.judging.is_some() || config.is_whole();
        let filter = filtered.then(|| Filter::new(wanted(config), config.polls, judged));
        let program = match &config.command {
            Some(command) => Some(command.program(filter)?),
            None => None,
        };
        urgency::trace_begins();
        let session = Session::open(config, &origin(config, &tracer))?;
        let mut run = Run {
            config,
            tracer,
            session,
            refused: false,
            ended_by: None,
            killing: false,
            until: config.duration.map(|duration| Instant::now() + duration),
            flush: None,
            time_is_up: false,
        };
        if let Some(until) = run.until {
            urgency::begins_at(until);
        }
        run.attach();
        if run.refused && run.session.ledger.tasks() == 0 {
            return Err(Failure::Refused);
        }
        if let Some(program) = program {
            run.tracer
                .launch(&program)
                .map_err(|(operation, reason)| format!("cannot {operation}: {reason}"))?;
        }
        // Before this, the child would start without what we let go of.
        let judging = config.judging.as_ref();
        let report = judging.and_then(|judging| judging.file.as_deref());
        let stdout_is_ours = matches!(&config.output, OutputTo::File(path) if path == "-")
            || report.is_some_and(|path| path.as_os_str() == "-");
        streams::release(!stdout_is_ours);
        Ok(run)
    }

    fn attach(&mut self) {
        let mut events = Vec::new();
        for pid in &self.config.attach {
            let pid = Tid::new(*pid);
            let refusals = if self.config.tree {
                self.tracer.attach_tree(pid, &mut events)
            } else {
                let refusal = self.tracer.attach(pid, &mut events).err();
                refusal.into_iter().collect()
            };
            self.session.take(&mut events);
            // Of a tree some may be refused.
            let is_traced = self.config.tree && self.session.ledger.tasks() > 0;
            self.refused |= !refusals.is_empty() && !is_traced;
            for sentence in refusals {
                self.session.message(&sentence);
            }
        }
    }

    fn trace(mut self) -> Exit {
        let mut events = Vec::with_capacity(BATCH);
        let is_watched = self.session.is_watched();
        loop {
            self.arm(!events.is_empty());
            let step = self.tracer.step(&mut events);
            if step != Step::Went || events.len() >= BATCH || is_watched {
                self.session.take(&mut events);
            }
            match step {
                Step::Went => {}
                Step::Woken => {
                    self.flush = None;
                    let signals = self.tracer.waker.take_signals();
                    self.answer(signals);
                    self.consult(&mut events);
                    self.session.tick(self.tracer.now());
                }
                Step::JobStopped => {
                    self.session.tick(self.tracer.now());
                    self.session.pause();
                    streams::stop_myself();
                    self.tracer.continue_root();
                }
                Step::Over => break,
            }
        }
        self.close();
        self.finish()
    }

    // Rules.

    /// Set the alarm for what is to be written, and for what rules and
    /// `--duration` wait for, before a wait that may sleep for long.
    fn arm(&mut self, has_events: bool) {
        if self.flush.is_none() && (has_events || self.session.wants_tick()) {
            self.flush = Some(self.tracer.latest().after(FLUSH));
        }
        if let Some(flush) = self.flush {
            self.tracer.wake_at(flush);
        }
        if let Some(until) = self.until {
            self.tracer.waker.wake_at(until);
        }
        inquiry::arm(&self.tracer, &mut self.session);
    }

    /// Give the rules what they wait for.
    fn consult(&mut self, events: &mut Vec<Event>) {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            self.until = None;
            self.end_on_time();
        }
        inquiry::ask(&mut self.tracer, &mut self.session, events);
        self.session.take(events);
    }

    /// The trace is over for the rules, though tracees may live on.
    fn close(&mut self) {
        let over = inquiry::conclude(&mut self.tracer, &mut self.session);
        self.session.take(&mut over.into_iter().collect());
    }

    /// `--duration` is over: attached processes go on, a command is ended, by
    /// force if it does not end itself.
    fn end_on_time(&mut self) {
        self.close();
        if std::mem::replace(&mut self.time_is_up, true) {
            self.tracer.kill_all(false);
            return;
        }
        self.let_go();
        if self.config.command.is_some() {
            self.session
                .message("the time is up (--duration); ending the command");
            self.tracer.forward(Signal::TERM);
            self.until = Some(Instant::now() + PATIENCE);
        }
    }

    /// Signals to us.
    fn answer(&mut self, signals: Arrived) {
        let ending = [Sig::SIGINT, Sig::SIGQUIT, Sig::SIGTERM, Sig::SIGHUP];
        let ending = ending.into_iter().find(|signal| signals.has(*signal));
        let by_key = matches!(ending, Some(Sig::SIGINT | Sig::SIGQUIT));
        // Before anything is written. The command may go on after a key.
        match ending {
            Some(_) if by_key && self.tracer.root_lives() => urgency::briefly(),
            Some(_) => urgency::begins(),
            None => {}
        }
        if signals.has(Sig::SIGUSR1) {
            self.session.report_so_far(self.tracer.now());
        }
        let Some(signal) = ending else {
            return;
        };
        match (&self.config.command, self.tracer.root_lives()) {
            (None, _) => {
                self.ended_by = Some(signal);
                self.close();
                self.let_go();
            }
            // The root got it from the terminal too, and decides.
            (Some(_), true) if by_key => {}
            (Some(_), true) => {
                self.let_go();
                self.tracer.forward(Signal::from_raw(signal as i32));
            }
            (Some(_), false) => {
                self.let_go();
                self.kill_the_rest();
            }
        }
    }

    /// End the trace of the processes that were attached to.
    fn let_go(&mut self) {
        if self.config.kill_on_exit {
            self.tracer.kill_all(true);
        } else {
            self.tracer.detach_all();
        }
    }

    /// Kill what the command left behind, and say so.
    fn kill_the_rest(&mut self) {
        let count = self.tracer.kill_all(false);
        if count == 0 || self.killing {
            return;
        }
        self.killing = true;
        let many = if count == 1 {
            "the process that is".to_owned()
        } else {
            format!("the {count} processes that are")
        };
        let text = format!("the command has ended; killing {many} left of it");
        self.session.message(&text);
    }

    fn finish(mut self) -> Exit {
        if self.config.stats {
            self.session.message(&self.tracer.stats().to_string());
        }
        let end = self.tracer.root_end();
        drop(self.tracer);
        urgency::trace_is_over();
        let never_ran = matches!(end, Some(RootEnd::NeverRan(_)));
        let fails = match self.session.finish(!never_ran) {
            Ok(fails) => fails,
            Err(sentence) => {
                complain(&sentence);
                return Exit::Failed;
            }
        };
        match (end, &self.config.command, fails) {
            (Some(RootEnd::NeverRan(report)), Some(command), _) => {
                let (sentence, exit) = command.explain(report);
                complain(&sentence);
                exit
            }
            _ if self.refused => Exit::Failed,
            (_, _, Some(exit)) => exit,
            (Some(RootEnd::Ended(status)), ..) => match status.decode() {
                Status::Signaled { signal, .. } => Exit::Signal(signal.raw()),
                Status::Exited(code) => Exit::Code(code),
                _ => Exit::Failed,
            },
            _ => self
                .ended_by
                .map_or(Exit::Code(0), |signal| Exit::Signal(signal as i32)),
        }
    }
}

/// What the tracer must read for the lines that are wanted.
fn settings(config: &Config) -> Settings {
    let whole = config.is_whole();
    let annotated = whole || config.text.style == Style::Annotated;
    Settings {
        capture: Capture {
            siginfo: whole || config.judging.is_some() || config.text.signals.0 != 0,
            images: annotated || config.text.pids == Pids::Names,
            peers: config.text.pids == Pids::Names,
            fds: match config.decode_fds {
                0 => FdNames::Number,
                1 => FdNames::Link,
                _ => FdNames::Detail,
            },
            namespaces: annotated || config.text.pids != Pids::Plain,
            // The signal frames of x86 are those we can read.
            fates: annotated && cfg!(any(target_arch = "x86_64", target_arch = "x86")),
            kinship: annotated,
            stacks: config.stacks,
            rules: whole || config.judging.is_some(),
        },
        follow: config.follow,
        wanted: wanted(config),
        polls: config.polls,
        kill_on_exit: config.kill_on_exit,
        // Where nothing says that calls were not seen, all are.
        full_speed: !config.every_call && config.judging.is_some(),
        stops_as_job: true,
    }
}

/// The waits that must stop: rules and records need them all, whichever are
/// shown.
fn wanted(config: &Config) -> WaitCalls {
    if config.judging.is_some() || config.is_whole() {
        WaitCalls::ALL
    } else {
        config.calls
    }
}

/// What is known of the trace before it begins.
fn origin(config: &Config, tracer: &Tracer) -> Origin {
    let command = config.command.iter().flat_map(|command| &command.argv);
    let system = uname().ok();
    let of = |field: Option<&std::ffi::OsStr>| {
        field.map_or_else(String::new, |text| text.to_string_lossy().into_owned())
    };
    Origin {
        command: command.map(|word| word.as_bytes().to_vec()).collect(),
        attached: config.attach.clone(),
        kernel: of(system.as_ref().map(UtsName::release)),
        arch: of(system.as_ref().map(UtsName::machine)),
        began: SystemTime::now() - tracer.start().elapsed(),
        follows: config.follow,
        fates: tracer.knows_fates(),
        proc: ProcView::of(tracer.sees_proc()),
        ..Origin::default()
    }
}
