//! The run: joins tracer, ledger and outputs, and decides what signals to us
//! mean.

mod config;
mod open;
mod record;
mod verdicts;

use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal as Sig;

pub use config::{Colour, Config, Judging, OutputTo};
pub use record::read as read_recording;

use crate::event::Event;
use crate::exit::Exit;
use crate::kernel::{Signal, Status, Tid, WaitCalls};
use crate::ledger::Ledger;
use crate::output::{Clock, Destination, Output, Pids, Sink, Style, Styles, Text, TextOptions};
use crate::pipe::PipeCommand;
use crate::sys::doorbell::{Arrived, Doorbell};
use crate::sys::seccomp::Filter;
use crate::sys::startup::Inherited;
use crate::sys::streams;
use crate::sys::syscall_info::kernel_is_new_enough;
use crate::tracer::{Capture, FdNames, RootEnd, Settings, Step, Tracer};
use open::open;
use record::Recorder;
use verdicts::Verdicts;

/// What is buffered is written at least this often; a line is never later
/// than 100 ms.
const FLUSH: Duration = Duration::from_millis(50);

/// How long a command may take to end itself when its time is up.
const PATIENCE: Duration = Duration::from_secs(1);

/// Signals to us that we answer ourselves. SIGXFSZ, of a file that may not
/// grow, must not end us: the write fails, and that is answered.
const ANSWERED: [Sig; 9] = [
    Sig::SIGUSR1,
    Sig::SIGXFSZ,
    Sig::SIGINT,
    Sig::SIGQUIT,
    Sig::SIGTERM,
    Sig::SIGHUP,
    Sig::SIGTSTP,
    Sig::SIGTTIN,
    Sig::SIGTTOU,
];

/// Trace as `config` says, to the end.
#[must_use]
pub fn run(config: &Config) -> Exit {
    match Run::start(config) {
        Ok(run) => run.trace(),
        Err(failure) => {
            if let Failure::Sentence(sentence) = failure {
                complain(&sentence);
            }
            Exit::Failed
        }
    }
}

/// Say what went wrong. If standard error is closed or broken, the exit status
/// is all there is.
pub(crate) fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "wait4-strace: {message}");
}

struct Run<'a> {
    config: &'a Config,
    tracer: Tracer,
    ledger: Ledger,
    text: Text,
    /// The command that the lines are piped to.
    pipe: Option<PipeCommand>,
    /// A target was refused.
    refused: bool,
    /// The signal that made us detach.
    ended_by: Option<Sig>,
    killing: bool,
    verdicts: Option<Verdicts>,
    recorder: Option<Recorder>,
    /// When the trace ends at the latest (`--duration`).
    until: Option<Instant>,
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
        // Signals are blocked before any thread starts.
        let answered: Vec<Sig> = ANSWERED
            .into_iter()
            .filter(|signal| !inherited.ignores(*signal as i32))
            .collect();
        let doorbell =
            Doorbell::new(&answered).map_err(|error| format!("cannot start: {error}"))?;
        let recorder = config.record.as_deref().map(Recorder::create).transpose()?;
        let mut pipe = None;
        let target = open(&config.output, &mut pipe)?;
        let tracer = Tracer::new(settings(config), doorbell);
        // Words that are wrong are told before anybody is traced. A child that
        // is not followed would be under the filter with nobody to answer it.
        let filtered = config.seccomp && config.follow;
        let judged = config.judging.is_some();
        let filter = filtered.then(|| Filter::new(wanted(config), judged));
        let program = match &config.command {
            Some(command) => Some(command.program(filter)?),
            None => None,
        };
        let clock = Clock::new(SystemTime::now() - tracer.start().elapsed());
        let styles = |wanted| {
            if wanted {
                Styles::coloured()
            } else {
                Styles::plain()
            }
        };
        let colours = config.colour.wanted();
        let judging = config.judging.as_ref();
        let verdicts =
            judging.map(|judging| Verdicts::new(judging, styles(colours), config.follow));
        let mut verdicts = verdicts.transpose()?;
        if let Some(verdicts) = verdicts.as_mut().filter(|_| !tracer.sees_proc()) {
            verdicts.miss("/proc shows another pid namespace; leaks, pipe deadlocks and leader-zombie are out of reach");
        }
        let colours = colours && config.output == OutputTo::Stderr;
        let text = TextOptions {
            fates: tracer.knows_fates(),
            ..config.text.clone()
        };
        let messages = Sink::descriptor(io::stderr(), Destination::Terminal);
        let mut run = Run {
            text: Text::new(text, styles(colours), clock, target, messages),
            config,
            tracer,
            ledger: Ledger::new(),
            pipe,
            refused: false,
            ended_by: None,
            killing: false,
            verdicts,
            recorder,
            until: config.duration.map(|duration| Instant::now() + duration),
            time_is_up: false,
        };
        run.attach();
        if run.refused && run.ledger.tasks() == 0 {
            return Err(Failure::Refused);
        }
        if let Some(program) = program {
            run.tracer
                .launch(&program)
                .map_err(|(operation, errno)| format!("cannot {operation}: {errno}"))?;
        }
        // Before this, the child would start without what we let go of.
        let report = judging.and_then(|judging| judging.file.as_deref());
        let stdout_is_ours = matches!(&config.output, OutputTo::File(path) if path == "-")
            || report.is_some_and(|path| path.as_os_str() == "-");
        streams::release(!stdout_is_ours);
        Ok(run)
    }

    fn attach(&mut self) {
        let mut events = Vec::new();
        for pid in &self.config.attach {
            if let Err(sentence) = self.tracer.attach(Tid::new(*pid), &mut events) {
                self.refused = true;
                self.text.message(&sentence);
            }
            self.take(&mut events);
        }
    }

    fn trace(mut self) -> Exit {
        let mut events = Vec::new();
        loop {
            // Before the wait, which may sleep for long.
            if !self.tracer.doorbell.is_armed() && self.text.wants_tick() {
                self.tracer.doorbell.ring_after(FLUSH);
            }
            self.arm();
            let step = self.tracer.step(&mut events);
            self.take(&mut events);
            match step {
                Step::Went => {}
                Step::Rang => {
                    let signals = self.tracer.doorbell.take_signals();
                    self.answer(signals);
                    self.consult(&mut events);
                    self.text.tick(self.tracer.now(), &self.ledger);
                }
                Step::JobStopped => {
                    self.text.tick(self.tracer.now(), &self.ledger);
                    streams::stop_myself();
                    self.tracer.continue_root();
                }
                Step::Over => break,
            }
        }
        self.close();
        self.finish()
    }

    fn take(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            self.ledger.apply(&event);
            if let Some(recorder) = &mut self.recorder {
                recorder.event(&event);
            }
            if let Some(verdicts) = self.verdicts.as_mut().filter(|verdicts| verdicts.is_open()) {
                verdicts.event(&event, &self.ledger);
            }
            self.text.event(&event, &self.ledger);
        }
    }

    // Rules.

    /// Set the alarm for what rules and `--duration` wait for.
    fn arm(&self) {
        if let Some(until) = self.until {
            let left = until.saturating_duration_since(Instant::now());
            self.tracer.doorbell.ring_after(left);
        }
        let verdicts = self.verdicts.as_ref().filter(|verdicts| verdicts.is_open());
        if let Some(due) = verdicts.and_then(|verdicts| verdicts.due_in(self.tracer.now())) {
            self.tracer.doorbell.ring_after(due);
        }
    }

    /// Give the rules what they wait for, and tell what cannot wait.
    fn consult(&mut self, events: &mut Vec<Event>) {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            self.until = None;
            self.end_on_time();
        }
        let Some(verdicts) = self.verdicts.as_mut().filter(|verdicts| verdicts.is_open()) else {
            return;
        };
        let questions = verdicts.questions(self.tracer.now(), &self.ledger);
        if verdicts.wants_quiet() {
            self.tracer.drain(events);
        }
        self.tracer.look(questions, events);
        self.take(events);
        let warnings = self.verdicts.as_mut().map(Verdicts::warnings);
        for warning in warnings.unwrap_or_default() {
            self.text.message(&warning);
        }
    }

    /// The trace is over for the rules, though tracees may live on.
    fn close(&mut self) {
        if self.verdicts.as_mut().is_some_and(Verdicts::close) {
            let over = self.tracer.conclude();
            self.ledger.apply(&over);
            if let Some(recorder) = &mut self.recorder {
                recorder.event(&over);
            }
            if let Some(verdicts) = &mut self.verdicts {
                verdicts.event(&over, &self.ledger);
            }
        }
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
            self.text
                .message("the time is up (--duration); ending the command");
            self.tracer.forward(Signal::TERM);
            self.until = Some(Instant::now() + PATIENCE);
        }
    }

    /// Signals to us.
    fn answer(&mut self, signals: Arrived) {
        if signals.has(Sig::SIGUSR1)
            && let Some(verdicts) = &self.verdicts
        {
            let report = verdicts.so_far(self.tracer.now(), &self.ledger);
            let _ = io::stderr().write_all(report.as_bytes());
        }
        let ending = [Sig::SIGINT, Sig::SIGQUIT, Sig::SIGTERM, Sig::SIGHUP];
        let Some(signal) = ending.into_iter().find(|signal| signals.has(*signal)) else {
            return;
        };
        let by_key = matches!(signal, Sig::SIGINT | Sig::SIGQUIT);
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
        self.text.message(&text);
    }

    fn finish(mut self) -> Exit {
        let written = self.text.finish(&self.ledger);
        let end = self.tracer.root_end();
        // The pipe's end is closed with the text.
        drop((self.text, self.tracer));
        let piped = self.pipe.map_or(Ok(()), PipeCommand::finish);
        let recorded = self.recorder.map_or(Ok(()), Recorder::finish);
        if let Err(error) = written.and(piped).and(recorded) {
            complain(&format!("cannot write the output: {error}"));
            return Exit::Failed;
        }
        let never_ran = matches!(end, Some(RootEnd::NeverRan(_)));
        let verdicts = self.verdicts.filter(|_| !never_ran);
        let fails = match verdicts.map(|verdicts| verdicts.report(&self.ledger)) {
            Some(Err(error)) => {
                complain(&format!("cannot write the report: {error}"));
                return Exit::Failed;
            }
            Some(Ok(fails)) => fails,
            None => false,
        };
        match (end, &self.config.command) {
            (Some(RootEnd::NeverRan(report)), Some(command)) => {
                let (sentence, exit) = command.explain(report);
                complain(&sentence);
                exit
            }
            _ if self.refused => Exit::Failed,
            _ if fails => Exit::Findings,
            (Some(RootEnd::Ended(status)), _) => match status.decode() {
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
    let annotated = config.text.style == Style::Annotated;
    Settings {
        capture: Capture {
            siginfo: config.text.signals.0 != 0,
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
            rules: config.judging.is_some(),
        },
        follow: config.follow,
        wanted: wanted(config),
        kill_on_exit: config.kill_on_exit,
    }
}

/// The waits that must stop: rules need them all, whichever are shown.
fn wanted(config: &Config) -> WaitCalls {
    if config.judging.is_some() {
        WaitCalls::ALL
    } else {
        config.calls
    }
}
