//! Exploring from a program of one's own, its tests above all.

use std::ffi::OsString;
use std::io;
use std::thread;
use std::time::Duration;

use super::found::{Exploration, Limits, Problem};
use super::report::ExplorationReport;
use super::run::Setup;
use super::runs::explore_command;
use crate::library::{Error, LaunchedCommand, Rules, command_methods, rule_methods};
use crate::output::Styles;
use crate::program::CommandLine;
use crate::sys::left_call::REWINDS;
use crate::sys::startup::Inherited;
use crate::sys::syscall_info::kernel_is_new_enough;
use crate::sys::wake_signal::{WakeSignal, keep_signals_out};
use crate::sys::waker::Waker;

/// A command that is run under many schedules, to find races of its.
///
/// It is run many times, with no input. What goes wrong under a schedule and not
/// without one is in [`Explored::problems`]. x86-64 and aarch64 only.
///
/// ```
/// # #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))] {
/// use wait4_strace::explore::Explore;
///
/// let explored = Explore::new("sh").args(["-c", "true & wait"]).runs(12).run()?;
/// assert!(explored.problems().is_empty(), "{}", explored.report());
/// # }
/// # Ok::<(), wait4_strace::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is run until `run`"]
pub struct Explore {
    command: LaunchedCommand,
    rules: Rules,
    limits: Limits,
}

impl Explore {
    /// A command: a path, or a name that is looked for in `PATH`.
    pub fn new(command: impl Into<OsString>) -> Explore {
        Explore {
            command: LaunchedCommand::new(command.into()),
            rules: Rules::default(),
            limits: Limits::default(),
        }
    }

    command_methods!();
    rule_methods!();

    /// How often the command is run at most; 1000 times if not said.
    pub fn runs(mut self, most: u32) -> Explore {
        self.limits.runs = most;
        self
    }

    /// How long the search lasts at most; 30 seconds if not said.
    pub fn budget(mut self, most: Duration) -> Explore {
        self.limits.time = most;
        self
    }

    /// Let forks and execs fail too.
    pub fn faults(mut self, wanted: bool) -> Explore {
        self.limits.faults = wanted;
        self
    }

    /// Search.
    ///
    /// # Errors
    /// Why the command cannot run.
    pub fn run(self) -> Result<Explored, Error> {
        kernel_is_new_enough().map_err(Error::OldKernel)?;
        if !REWINDS {
            return Err(Error::Invalid(
                "schedules are known for x86-64 and aarch64 alone".to_owned(),
            ));
        }
        let setup = Setup {
            base: self.command.base(),
            start: Inherited::as_std_gives,
            directory: self.command.directory()?,
            rules: self.rules.resolve()?,
            waker,
            line: self.command.line,
        };
        // The kernel gives the stops of a tracee to the thread that traces it, and
        // so its children: this thread has no other ones.
        let search = || {
            keep_signals_out();
            explore_command(&setup, &self.limits)
        };
        let found = thread::scope(|scope| {
            let thread = thread::Builder::new().name("explorer".to_owned());
            let thread = thread.spawn_scoped(scope, search);
            let thread = thread.map_err(|error| Error::system("start a thread", &error))?;
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        Ok(Explored {
            exploration: found.exploration,
            command: setup.line,
            took: found.took,
        })
    }
}

/// A search that is over.
#[derive(Clone, Debug)]
pub struct Explored {
    exploration: Exploration,
    command: CommandLine,
    took: Duration,
}

impl Explored {
    /// What goes wrong, each with the shortest schedule that shows it.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.exploration.problems
    }

    /// What was tried.
    #[must_use]
    pub fn exploration(&self) -> &Exploration {
        &self.exploration
    }

    /// The report, as the command line prints it.
    #[must_use]
    pub fn report(&self) -> String {
        let report = ExplorationReport {
            exploration: &self.exploration,
            command: &self.command,
            took: self.took,
            styles: Styles::plain(),
        };
        report.text()
    }

    /// The problems in a form that is the same for every search that finds the
    /// same, a line each, without pids and times. For
    /// `insta::assert_snapshot!`.
    #[must_use]
    pub fn snapshot(&self) -> String {
        let problems = self.exploration.problems.iter();
        let mut lines: Vec<String> = problems.map(Problem::to_string).collect();
        lines.sort_unstable();
        if lines.is_empty() {
            let is_searched = self.exploration.no_baseline.is_none();
            let none = if is_searched {
                "no problems"
            } else {
                "nothing searched"
            };
            lines.push(none.to_owned());
        }
        lines.join("\n") + "\n"
    }
}

fn waker() -> io::Result<Waker> {
    WakeSignal::borrowed().and_then(|signal| Waker::new(&[], signal))
}
