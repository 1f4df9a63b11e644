//! Exploring from a program of one's own, its tests above all.

use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::report::ExplorationReport;
use super::run::Setup;
use super::runs::explore_command;
use super::search::{Exploration, Limits, Problem};
use crate::library::Error;
use crate::output::Styles;
use crate::program::{CommandLine, EnvChange};
use crate::session::RuleOptions;
use crate::sys::left_call::REWINDS;
use crate::sys::startup::Inherited;
use crate::sys::syscall_info::kernel_is_new_enough;
use crate::sys::wake_signal::{WakeSignal, keep_signals_out};
use crate::sys::waker::Waker;

/// A command that is run under many schedules, to find races of its.
///
/// It is run many times, with no input. What goes wrong under a schedule and not
/// without one is in [`Explored::problems`]. x86-64 only.
///
/// ```
/// # #[cfg(target_arch = "x86_64")] {
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
    line: CommandLine,
    clears_env: bool,
    directory: Option<PathBuf>,
    rules: RuleOptions,
    limits: Limits,
}

impl Explore {
    /// A command: a path, or a name that is looked for in `PATH`.
    pub fn new(command: impl Into<OsString>) -> Explore {
        Explore {
            line: CommandLine {
                argv: vec![command.into()],
                ..CommandLine::default()
            },
            clears_env: false,
            directory: None,
            rules: RuleOptions::default(),
            limits: Limits::default(),
        }
    }

    /// One more argument.
    pub fn arg(mut self, word: impl Into<OsString>) -> Explore {
        self.line.argv.push(word.into());
        self
    }

    /// More arguments.
    pub fn args<S: Into<OsString>>(mut self, words: impl IntoIterator<Item = S>) -> Explore {
        self.line.argv.extend(words.into_iter().map(Into::into));
        self
    }

    /// Set a variable of the command's environment.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Explore {
        let change = EnvChange::Set(name.into(), value.into());
        self.line.env.push(change);
        self
    }

    /// Begin with an empty environment.
    pub fn env_clear(mut self) -> Explore {
        self.line.env.clear();
        self.clears_env = true;
        self
    }

    /// The command's working directory.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Explore {
        self.directory = Some(directory.into());
        self
    }

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

    /// Do not report this rule's findings.
    pub fn allow(mut self, rule: crate::rules::RuleId) -> Explore {
        self.rules.policy.allow.push(rule);
        self
    }

    /// What is reported of the rules' findings, and how severe it is; replaces
    /// what was allowed.
    pub fn policy(mut self, policy: crate::rules::Policy) -> Explore {
        self.rules.policy = policy;
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
                "schedules are known for x86-64 alone so far".to_owned(),
            ));
        }
        let command = self.line.argv.iter();
        let command = command.map(|word| word.as_bytes().to_vec()).collect();
        let directory = self
            .directory
            .map(|path| CString::new(path.into_os_string().into_vec()));
        let directory = directory.transpose();
        let directory =
            directory.map_err(|error| Error::Invalid(format!("a directory's name: {error}")))?;
        let setup = Setup {
            line: self.line,
            base: if self.clears_env {
                Vec::new()
            } else {
                environment()
            },
            start: Inherited::as_std_gives,
            directory,
            rules: self.rules,
            waker,
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
            command,
            took: found.took,
        })
    }
}

/// A search that is over.
#[derive(Clone, Debug)]
pub struct Explored {
    exploration: Exploration,
    command: Vec<Vec<u8>>,
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
            command: self.command.clone(),
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
            lines.push("no problems".to_owned());
        }
        lines.join("\n") + "\n"
    }
}

fn waker() -> io::Result<Waker> {
    WakeSignal::borrowed().and_then(|signal| Waker::new(&[], signal))
}

/// The environment as std has it: another thread may change it, and std knows.
fn environment() -> Vec<OsString> {
    let entries = std::env::vars_os().map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        name
    });
    entries.collect()
}
