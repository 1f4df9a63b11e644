//! The run: joins tracer, ledger and outputs, and decides what signals to us
//! mean.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal as Sig;

use crate::command::CommandLine;
use crate::event::Event;
use crate::exit::Exit;
use crate::kernel::{Signal, Status, Tid, WaitCalls};
use crate::ledger::Ledger;
use crate::output::{
    Clock, Destination, Output, Pids, Sink, Style, Styles, Target, Text, TextOptions,
};
use crate::pipe::PipeCommand;
use crate::sys::doorbell::{Arrived, Doorbell};
use crate::sys::startup::Inherited;
use crate::sys::streams;
use crate::sys::syscall_info::kernel_is_new_enough;
use crate::tracer::{Capture, FdNames, RootEnd, Settings, Step, Tracer};

/// What is buffered is written at least this often; a line is never later
/// than 100 ms.
const FLUSH: Duration = Duration::from_millis(50);

/// Signals to us that we answer ourselves. SIGXFSZ, of a file that may not
/// grow, must not end us: the write fails, and that is answered.
const ANSWERED: [Sig; 8] = [
    Sig::SIGXFSZ,
    Sig::SIGINT,
    Sig::SIGQUIT,
    Sig::SIGTERM,
    Sig::SIGHUP,
    Sig::SIGTSTP,
    Sig::SIGTTIN,
    Sig::SIGTTOU,
];

/// What to do: the meaning of the flags.
#[derive(Clone, Debug)]
pub struct Config {
    /// The command to launch, if any.
    pub command: Option<CommandLine>,
    /// Processes to attach to.
    pub attach: Vec<i32>,
    /// Follow children.
    pub follow: bool,
    /// Kill attached targets when the trace ends.
    pub kill_on_exit: bool,
    /// Run a launched family under a seccomp filter, where that is possible.
    pub seccomp: bool,
    /// The calls to show.
    pub calls: WaitCalls,
    /// Where the lines go.
    pub output: OutputTo,
    /// How they look.
    pub text: TextOptions,
    /// File descriptors with what they are: 0, 1 (`-y`) or 2 (`-yy`).
    pub decode_fds: u8,
    /// Colours.
    pub colour: Colour,
}

/// Where the lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputTo {
    /// Standard error.
    Stderr,
    /// `-o FILE`
    File(PathBuf),
    /// `-o '|command'`
    Command(std::ffi::OsString),
    /// `-ff -o FILE`: FILE.PID for each task.
    PerTask(PathBuf),
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// On standard error, whatever it is.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// Whether standard error gets colours. Files never do.
    fn wanted(self) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if set("NO_COLOR") => false,
            Colour::Auto => {
                let forced = std::env::var_os("CLICOLOR_FORCE")
                    .is_some_and(|value| !value.is_empty() && value != "0");
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                forced || (io::stderr().is_terminal() && !dumb)
            }
        }
    }
}

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
        let mut pipe = None;
        let target = open(&config.output, &mut pipe)?;
        let tracer = Tracer::new(settings(config), doorbell);
        // Words that are wrong are told before anybody is traced. A child that
        // is not followed would be under the filter with nobody to answer it.
        let filtered = config.seccomp && config.follow;
        let program = match &config.command {
            Some(command) => Some(command.program(filtered.then_some(config.calls))?),
            None => None,
        };
        let clock = Clock::new(SystemTime::now() - tracer.start().elapsed());
        let colours = config.output == OutputTo::Stderr && config.colour.wanted();
        let styles = if colours {
            Styles::coloured()
        } else {
            Styles::plain()
        };
        let text = TextOptions {
            fates: tracer.knows_fates(),
            ..config.text.clone()
        };
        let messages = Sink::descriptor(io::stderr(), Destination::Terminal);
        let mut run = Run {
            text: Text::new(text, styles, clock, target, messages),
            config,
            tracer,
            ledger: Ledger::new(),
            pipe,
            refused: false,
            ended_by: None,
            killing: false,
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
        let stdout_is_ours = matches!(&config.output, OutputTo::File(path) if path == "-");
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
            let step = self.tracer.step(&mut events);
            self.take(&mut events);
            match step {
                Step::Went => {}
                Step::Rang => {
                    let signals = self.tracer.doorbell.take_signals();
                    self.answer(signals);
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
        self.finish()
    }

    fn take(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            self.ledger.apply(&event);
            self.text.event(&event, &self.ledger);
        }
    }

    /// Signals to us.
    fn answer(&mut self, signals: Arrived) {
        let ending = [Sig::SIGINT, Sig::SIGQUIT, Sig::SIGTERM, Sig::SIGHUP];
        let Some(signal) = ending.into_iter().find(|signal| signals.has(*signal)) else {
            return;
        };
        let by_key = matches!(signal, Sig::SIGINT | Sig::SIGQUIT);
        match (&self.config.command, self.tracer.root_lives()) {
            (None, _) => {
                self.ended_by = Some(signal);
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
        if let Err(error) = written.and(piped) {
            complain(&format!("cannot write the output: {error}"));
            return Exit::Failed;
        }
        match (end, &self.config.command) {
            (Some(RootEnd::NeverRan(report)), Some(command)) => {
                let (sentence, exit) = command.explain(report);
                complain(&sentence);
                exit
            }
            _ if self.refused => Exit::Failed,
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
            fates: annotated
                && config.calls != WaitCalls::default()
                && cfg!(any(target_arch = "x86_64", target_arch = "x86")),
            kinship: annotated,
        },
        follow: config.follow,
        wanted: config.calls,
        kill_on_exit: config.kill_on_exit,
    }
}

/// Open where the lines go, before anybody is traced.
fn open(to: &OutputTo, pipe: &mut Option<PipeCommand>) -> Result<Target, String> {
    Ok(match to {
        OutputTo::Stderr => {
            let destination = if io::stderr().is_terminal() {
                Destination::Terminal
            } else {
                Destination::File
            };
            Target::Stderr(Sink::descriptor(io::stderr(), destination))
        }
        OutputTo::File(path) if path == "-" => {
            Target::File(Sink::descriptor(io::stdout(), Destination::File))
        }
        OutputTo::File(path) => Target::File(
            file(path.clone())
                .map_err(|error| format!("cannot write to {} (-o): {error}", path.display()))?,
        ),
        OutputTo::Command(command) => {
            let (started, writer) = PipeCommand::start(command).map_err(|error| {
                format!(
                    "cannot pipe to {:?} (-o): {error}",
                    command.to_string_lossy()
                )
            })?;
            *pipe = Some(started);
            Target::File(Sink::descriptor(writer, Destination::File))
        }
        OutputTo::PerTask(prefix) => {
            let prefix = prefix.clone();
            let directory = prefix.parent().filter(|path| !path.as_os_str().is_empty());
            if let Some(directory) = directory.filter(|path| !path.is_dir()) {
                return Err(format!(
                    "cannot write to {}.PID (-o): {} is no directory",
                    prefix.display(),
                    directory.display()
                ));
            }
            Target::Each(Box::new(move |tid| {
                let mut name = prefix.clone().into_os_string();
                name.push(format!(".{tid}"));
                file(name.into())
            }))
        }
    })
}

fn file(path: PathBuf) -> io::Result<Sink> {
    if path.as_os_str().as_bytes().is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name is empty",
        ));
    }
    let mut options = OpenOptions::new();
    let file: File = options.write(true).create(true).truncate(true).open(path)?;
    let destination = if file.is_terminal() {
        Destination::Terminal
    } else {
        Destination::File
    };
    Ok(Sink::file(file, destination))
}
