//! What a run is to do: the meaning of the flags.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use crate::command::CommandLine;
use crate::kernel::{System, WaitCalls};
use crate::output::{Picture, ReportForm, SortBy, TextOptions};
use crate::rules::{Expected, Policy, Thresholds};

/// What to do.
#[derive(Clone, Debug)]
pub struct Config {
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
    /// Kill attached targets when the trace ends.
    pub kill_on_exit: bool,
    /// Run a launched family under a seccomp filter, where that is possible.
    pub seccomp: bool,
    /// The calls to show.
    pub calls: WaitCalls,
    /// Trace waits with `WNOHANG` too.
    pub polls: bool,
    /// Read the call stacks of waits and forks.
    pub stacks: bool,
    /// Say how many stops there were.
    pub stats: bool,
    /// Look for zombies instead of tracing anybody (`--zombies`).
    pub zombies: Option<crate::zombies::Options>,
    /// Values to tell the meaning of, instead of tracing anybody (`--decode`).
    pub decode: Option<crate::decode::Wish>,
    /// A record to read instead of tracing anybody (`--read`).
    pub read: Option<PathBuf>,
    /// The system whose words the record has, if it was said (`--abi`).
    pub system: Option<System>,
    /// What the lines are.
    pub format: Format,
    /// Where the lines go.
    pub output: OutputTo,
    /// How they look.
    pub text: TextOptions,
    /// File descriptors with what they are: 0, 1 (`-y`) or 2 (`-yy`).
    pub decode_fds: u8,
    /// Colours.
    pub colour: Colour,
    /// What is judged and how; `None` for strace's lines and nothing else.
    pub judging: Option<Judging>,
    /// What is counted of the processes.
    pub summary: Option<SummaryWish>,
    /// Where the events are written as JSON lines, beside the output.
    pub record: Option<PathBuf>,
    /// The picture of the run, and where it goes.
    pub timeline: Option<(Picture, PathBuf)>,
    /// The snapshot that the run is compared with.
    pub snapshot: Option<SnapshotFile>,
    /// How long the trace lasts at most.
    pub duration: Option<Duration>,
}

/// The summary that is wanted (`-c`, `-C`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SummaryWish {
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

/// What is judged, and where the report goes.
#[derive(Clone, Debug, Default)]
pub struct Judging {
    /// How long is too long.
    pub thresholds: Thresholds,
    /// How processes may end.
    pub expected: Expected,
    /// What is told, and what fails the run.
    pub policy: Policy,
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

impl Config {
    /// Whether what happens is told whole, and not just for lines of text.
    pub(super) fn is_whole(&self) -> bool {
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
