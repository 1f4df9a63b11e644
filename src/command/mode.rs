//! What the command is to do: the flags, resolved.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use crate::explore::{Limits, Schedule};
use crate::kernel::System;
use crate::output::{Picture, ReportForm, SortBy, TextOptions};
use crate::program::CommandLine;
use crate::session::RuleOptions;

/// What to do.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Trace a command, or running processes.
    Trace(Box<TraceOptions>),
    /// Read a record of a trace (`--read`).
    Replay(Box<ReplayOptions>),
    /// Search for schedules under which a command goes wrong (`--explore`).
    Explore(Box<ExploreOptions>),
    /// List the zombies of the machine (`--zombies`).
    Zombies(crate::zombies::Options),
    /// Print what values mean (`--decode`).
    Decode(crate::decode::Options),
}

/// What to trace, and what to show of it.
#[derive(Clone, Debug)]
pub struct TraceOptions {
    /// The command to launch, if any.
    pub command: Option<CommandLine>,
    /// Processes to attach to.
    pub attach: Vec<i32>,
    /// Follow children.
    pub follow: bool,
    /// Attach to all living descendants too.
    pub tree: bool,
    /// Attached processes without children stop at calls too.
    pub every_call: bool,
    /// What becomes of processes that outlive the command.
    pub leftovers: Leftovers,
    /// Kill attached targets when the trace ends.
    pub kill_on_exit: bool,
    /// Run what is launched under a seccomp filter, where that is possible.
    pub seccomp: bool,
    /// Trace waits with `WNOHANG` too.
    pub polls: bool,
    /// File descriptors with what they are: 0, 1 (`-y`) or 2 (`-yy`).
    pub decode_fds: u8,
    /// Print how many stops there were.
    pub stats: bool,
    /// How long the trace lasts at most.
    pub duration: Option<Duration>,
    /// What is forced in the run (`--schedule`).
    pub schedule: Option<Schedule>,
    /// What is shown.
    pub outputs: OutputOptions,
}

/// What becomes of processes that outlive the command (`--leftovers`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leftovers {
    /// They are waited for.
    #[default]
    Wait,
    /// They are ended.
    Kill,
    /// They are reported, and let go.
    Report,
}

/// What to explore, and how much.
#[derive(Clone, Debug)]
pub struct ExploreOptions {
    /// The command, which is run many times.
    pub command: CommandLine,
    /// How much is tried.
    pub limits: Limits,
    /// The rules, and where the report goes.
    pub report: ReportOptions,
    /// What the report is, if it is not of a form of its own.
    pub format: Format,
    /// Colours.
    pub colour: Colour,
}

/// Which record to read, and what to show of it.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// The record; `-` is standard input.
    pub record: PathBuf,
    /// The system that the record is from, if it was said (`--abi`).
    pub system: Option<System>,
    /// What is shown.
    pub outputs: OutputOptions,
}

/// What is shown of a trace or of a record, and where.
#[derive(Clone, Debug)]
pub struct OutputOptions {
    /// What the lines are.
    pub format: Format,
    /// Where the lines go.
    pub output: OutputTo,
    /// How they look.
    pub text: TextOptions,
    /// Colours.
    pub colour: Colour,
    /// The rules and their report; `None` for strace's lines and nothing else.
    pub report: Option<ReportOptions>,
    /// What is counted of the processes.
    pub summary: Option<SummaryOptions>,
    /// Where the events are written as JSON lines, beside the output.
    pub record: Option<PathBuf>,
    /// The picture of the run, and where it goes.
    pub timeline: Option<(Picture, PathBuf)>,
    /// The snapshot that the run is compared with.
    pub snapshot: Option<SnapshotFile>,
}

/// The summary that is wanted (`-c`, `-C`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SummaryOptions {
    /// In place of the lines.
    pub only: bool,
    /// What its rows are sorted by.
    pub sort: SortBy,
    /// Nanoseconds after which a reap is late.
    pub late: u64,
}

/// A snapshot that is kept (`--snapshot`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Where.
    pub path: PathBuf,
    /// Write it, instead of comparing with it.
    pub update: bool,
}

/// What the lines are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people, after strace's.
    #[default]
    Text,
    /// An object each, for programs.
    Json,
}

/// The rules, and where their report goes.
#[derive(Clone, Debug, Default)]
pub struct ReportOptions {
    /// What the rules judge by, and what is reported.
    pub rules: RuleOptions,
    /// The files that the policy was read from.
    pub suppressions: Vec<PathBuf>,
    /// No report at all.
    pub silent: bool,
    /// The report's form.
    pub form: ReportForm,
    /// No last line.
    pub quiet: bool,
    /// The report's file; standard error if there is none.
    pub file: Option<PathBuf>,
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

impl OutputOptions {
    /// Whether some output holds every event with all that is known of it, not
    /// just the lines of text that were chosen.
    pub(super) fn hold_everything(&self) -> bool {
        self.format == Format::Json
            || self.record.is_some()
            || self.snapshot.is_some()
            || self.timeline.is_some()
    }
}

impl Colour {
    /// Whether standard error gets colours. Files never do.
    pub(super) fn wanted(self) -> bool {
        self.wanted_on(&io::stderr())
    }

    /// Whether this gets colours.
    pub(crate) fn wanted_on(self, to: &impl IsTerminal) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if set("NO_COLOR") => false,
            Colour::Auto => {
                let forced = std::env::var_os("CLICOLOR_FORCE")
                    .is_some_and(|value| !value.is_empty() && value != "0");
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                forced || (to.is_terminal() && !dumb)
            }
        }
    }
}
