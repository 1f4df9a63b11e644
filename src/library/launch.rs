//! Launching a command.

use std::ffi::OsString;
use std::time::Duration;

use super::command::{LaunchedCommand, command_methods};
use super::engine::{self, Command, Plan, Target};
use super::error::Error;
use super::rules::{Rules, rule_methods};
use super::streams::{Input, Stream, Streams};
use super::trace::Trace;
use super::tracing::Tracing;
use crate::event::Event;
use crate::kernel::WaitCalls;
use crate::ledger::Ledger;
use crate::sys::seccomp::Filter;
use crate::sys::startup::Inherited;

/// A command to launch and trace, with all that it starts.
///
/// It starts as [`std::process::Command::output`] would start it: with no
/// input, both outputs captured, our environment and working directory, no
/// signal blocked, SIGPIPE at its default, and ignored what this process
/// ignores. The trace lasts until the command *and all that it started* have
/// ended, daemons included: give it a [`timeout`](Launch::timeout) if that may
/// be long.
///
/// ```
/// use wait4_strace::Launch;
///
/// let trace = Launch::new("sh").args(["-c", "true & wait"]).record()?;
/// assert!(trace.findings().is_empty(), "{}", trace.report());
/// assert!(trace.status().is_some_and(|status| status.success()));
/// # Ok::<(), wait4_strace::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is launched until `record`, `for_each` or `start`"]
pub struct Launch {
    command: LaunchedCommand,
    stdin: Input,
    stdout: Stream,
    stderr: Stream,
    seccomp: bool,
    limit: Option<Duration>,
    rules: Rules,
}

impl Launch {
    /// A command: a path, or a name that is looked for in `PATH`.
    pub fn new(command: impl Into<OsString>) -> Launch {
        Launch {
            command: LaunchedCommand::new(command.into()),
            stdin: Input::default(),
            stdout: Stream::default(),
            stderr: Stream::default(),
            seccomp: true,
            limit: None,
            rules: Rules::default(),
        }
    }

    command_methods!();

    /// What the command reads; nothing, by default. Takes bytes and
    /// text too.
    pub fn stdin(mut self, input: impl Into<Input>) -> Launch {
        self.stdin = input.into();
        self
    }

    /// Where the command's output goes; captured by default.
    pub fn stdout(mut self, stream: impl Into<Stream>) -> Launch {
        self.stdout = stream.into();
        self
    }

    /// Where its errors go; captured by default.
    pub fn stderr(mut self, stream: impl Into<Stream>) -> Launch {
        self.stderr = stream.into();
        self
    }

    /// Kill the command and all that it started after this time. What is wrong
    /// is judged as of that moment, so a hang is reported with what waits for what;
    /// [`Trace::timed_out`] says that it came to that.
    pub fn timeout(mut self, limit: Duration) -> Launch {
        self.limit = Some(limit);
        self
    }

    /// Whether the command and all that it starts run under a seccomp filter, so that only the calls
    /// of interest stop; it does by default. Without one, each of its system
    /// calls stops, and seccomp's strict mode can be entered.
    pub fn seccomp(mut self, wanted: bool) -> Launch {
        self.seccomp = wanted;
        self
    }

    rule_methods!();

    /// Trace to the end.
    ///
    /// # Errors
    /// [`Error::NotFound`] and [`Error::NotExecutable`] if the command never
    /// ran; else why the trace cannot begin. How the command ends
    /// is no error.
    pub fn record(self) -> Result<Trace, Error> {
        let mut events = Vec::new();
        let plan = self.plan()?;
        let trace = engine::record(plan, &mut |event, _| events.push(event))?;
        Ok(Trace { events, ..trace })
    }

    /// Trace to the end, and see every event when it happens, with the ledger
    /// after it. The trace does not keep the events.
    ///
    /// The callback runs on the tracer's thread, after the tracee was resumed;
    /// while it runs the others wait at their next stop. It must not start
    /// processes, for its thread takes every child of its own for a tracee.
    ///
    /// ```
    /// use wait4_strace::Launch;
    /// use wait4_strace::event::EventKind;
    ///
    /// let mut forks = 0;
    /// Launch::new("sh").args(["-c", "true & true & wait"]).for_each(|event, _| {
    ///     forks += usize::from(matches!(event.kind, EventKind::Created(_)));
    /// })?;
    /// assert_eq!(forks, 2);
    /// # Ok::<(), wait4_strace::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Launch::record`].
    ///
    /// # Panics
    /// With the callback's panic, once the command and all that it started are
    /// killed.
    pub fn for_each(
        self,
        mut callback: impl FnMut(&Event, &Ledger) + Send,
    ) -> Result<Trace, Error> {
        let plan = self.plan()?;
        engine::record(plan, &mut |event, ledger| callback(&event, ledger))
    }

    /// Trace beside the caller; returns when the command has been executed.
    ///
    /// # Errors
    /// As [`Launch::record`].
    pub fn start(self) -> Result<Tracing, Error> {
        Tracing::begin(self.plan()?)
    }

    fn plan(self) -> Result<Plan, Error> {
        let rules = self.rules.resolve()?;
        let base = self.command.base();
        let filter = self
            .seccomp
            .then(|| Filter::new(WaitCalls::ALL, true, true));
        let program = self.command.line.program_in(base.clone(), filter);
        let mut program = program.map_err(Error::Invalid)?;
        program.start = Inherited::as_std_gives();
        program.directory = self.command.directory()?;
        let streams = Streams::open(self.stdin, self.stdout, self.stderr);
        let streams = streams.map_err(|error| Error::system("make pipes", &error))?;
        Ok(Plan {
            target: Target::Command(Box::new(Command {
                line: self.command.line,
                base,
                program,
                streams,
            })),
            rules,
            limit: self.limit,
        })
    }
}
