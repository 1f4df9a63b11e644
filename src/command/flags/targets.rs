//! The flags that say what is traced, and how.

use std::ffi::OsString;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::lines::LineFlags;
use super::rules::seconds;
use super::sets::{env_change, pids};
use crate::command::mode::{Leftovers, OutputOptions, TraceOptions};
use crate::explore::Schedule;
use crate::program::CommandLine;

/// The command; the values of `--decode` too.
#[derive(Debug, Default, Args)]
pub(super) struct CommandFlag {
    /// Command to launch and trace, with its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true, num_args = 0.., hide = true)]
    pub(super) command: Vec<OsString>,
}

/// `-p`
#[derive(Debug, Default, Args)]
pub(super) struct AttachFlag {
    /// Attach to running processes, all threads
    #[arg(
        short = 'p',
        long = "attach",
        value_name = "PIDS",
        help_heading = "What to trace",
        allow_hyphen_values = true
    )]
    pub(super) attach: Vec<OsString>,
}

/// How to trace.
#[derive(Debug, Args)]
pub(super) struct TraceFlags {
    /// Follow children (the default); -ff: a file each
    #[arg(short = 'f', long = "follow-forks", action = ArgAction::Count,
          help_heading = "What to trace")]
    pub(super) follow: u8,
    /// Do not follow children
    #[arg(
        long = "no-follow",
        conflicts_with = "follow",
        hide_short_help = true,
        help_heading = "What to trace"
    )]
    pub(super) no_follow: bool,
    /// Set a variable (NAME=VALUE) or remove it (NAME)
    #[arg(
        short = 'E',
        long = "env",
        value_name = "VAR",
        hide_short_help = true,
        help_heading = "What to trace"
    )]
    pub(super) env: Vec<OsString>,
    /// Run the command as this user
    #[arg(
        short = 'u',
        long = "user",
        value_name = "USER",
        hide_short_help = true,
        help_heading = "What to trace"
    )]
    pub(super) user: Option<String>,
    /// With -p: attach to all living descendants too
    #[arg(
        long,
        requires = "attach",
        hide_short_help = true,
        help_heading = "What to trace"
    )]
    pub(super) tree: bool,
    /// With -p: show the calls of processes without children too, which run at
    /// full speed otherwise
    #[arg(
        long = "every-call",
        hide_short_help = true,
        help_heading = "What to trace"
    )]
    pub(super) every_call: bool,
    /// Kill attached processes when the trace ends, instead of detaching
    #[arg(
        long = "kill-on-exit",
        hide_short_help = true,
        help_heading = "What to trace"
    )]
    pub(super) kill_on_exit: bool,
    /// What to do with processes that outlive the command: wait for them, kill
    /// them, or report them and let them go (which needs a stop for every call)
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "wait",
        hide_default_value = true,
        hide_possible_values = true,
        hide_short_help = true,
        conflicts_with = "read",
        help_heading = "What to trace"
    )]
    pub(super) leftovers: LeftoverChoice,
    /// Use a seccomp filter so that only the calls of interest stop
    #[arg(long = "seccomp-bpf", value_name = "WHEN", num_args = 0..=1, require_equals = true,
          default_value = "auto", default_missing_value = "auto", hide_short_help = true,
          help_heading = "What to trace")]
    pub(super) seccomp: Seccomp,

    /// Do not trace waits with WNOHANG: a loop of polls runs at full speed,
    /// and nothing is judged
    #[arg(
        long = "no-polls",
        hide_short_help = true,
        conflicts_with_all = ["read", "record", "snapshot", "timeline"],
        help_heading = "What to trace"
    )]
    pub(super) no_polls: bool,
}

/// `--duration`
#[derive(Debug, Default, Args)]
pub(super) struct DurationFlag {
    /// End the trace after so many seconds, and report
    #[arg(
        long,
        value_name = "SECONDS",
        allow_hyphen_values = true,
        hide_short_help = true,
        help_heading = "What to trace"
    )]
    duration: Option<String>,
}

/// What becomes of processes that outlive the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LeftoverChoice {
    /// Wait for their end
    Wait,
    /// End them: SIGTERM, and SIGKILL a second later
    Kill,
    /// Say what they are, and let them go
    Report,
}

impl From<LeftoverChoice> for Leftovers {
    fn from(choice: LeftoverChoice) -> Leftovers {
        match choice {
            LeftoverChoice::Wait => Leftovers::Wait,
            LeftoverChoice::Kill => Leftovers::Kill,
            LeftoverChoice::Report => Leftovers::Report,
        }
    }
}

/// When to use the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Seccomp {
    /// Wherever it can be installed
    Auto,
    /// Stop at every system call instead
    Never,
}

impl AttachFlag {
    /// The processes to attach to.
    pub(super) fn resolve(&self) -> Result<Vec<i32>, String> {
        pids(&self.attach)
    }
}

impl DurationFlag {
    /// How long the trace lasts at most.
    pub(super) fn resolve(&self) -> Result<Option<Duration>, String> {
        let duration = self.duration.as_deref().map(seconds).transpose();
        duration.map_err(|why| format!("--duration: {why}"))
    }
}

impl TraceFlags {
    /// `-ff`: a file for each task.
    pub(super) fn splits(&self) -> bool {
        self.follow >= 2
    }

    /// Whether the filter is used, where it can be installed.
    fn filters(&self) -> bool {
        self.seccomp == Seccomp::Auto
    }

    /// The command with its environment and user, if there is one.
    ///
    /// # Errors
    /// If a variable has no name.
    pub(super) fn command_line(
        &self,
        command: &CommandFlag,
    ) -> Result<Option<CommandLine>, String> {
        if command.command.is_empty() {
            return Ok(None);
        }
        Ok(Some(CommandLine {
            argv: command.command.clone(),
            env: self.env.iter().map(env_change).collect::<Result<_, _>>()?,
            user: self.user.clone(),
        }))
    }

    /// What to trace.
    #[expect(clippy::too_many_arguments, reason = "a flag group each")]
    pub(super) fn resolve(
        &self,
        command: &CommandFlag,
        attach: Vec<i32>,
        duration: Option<Duration>,
        schedule: Option<Schedule>,
        lines: &LineFlags,
        decode_fds: u8,
        outputs: OutputOptions,
    ) -> Result<TraceOptions, String> {
        Ok(TraceOptions {
            command: self.command_line(command)?,
            attach,
            follow: !self.no_follow,
            tree: self.tree,
            every_call: self.every_call,
            leftovers: self.leftovers.into(),
            kill_on_exit: self.kill_on_exit,
            seccomp: self.filters(),
            polls: !self.no_polls,
            decode_fds,
            stats: lines.stats,
            duration,
            schedule,
            outputs,
        })
    }
}
