//! The flags that say which lines there are, and how they look.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::sets::{parse_calls, parse_signals, parse_statuses};
use super::strace_flags::about_key;
use crate::command::mode::{Colour, Format};
use crate::kernel::WaitCalls;
use crate::output::{Pids, Shown, SignalSet, Stamps, Style, TextOptions, WallClock, Wanted};

/// What to show.
#[derive(Debug, Args)]
pub(super) struct ShowFlags {
    /// Choose what is shown: trace=…, signal=…, status=…
    #[arg(short = 'e', value_name = "EXPR", help_heading = "What to show")]
    pub(super) expressions: Vec<String>,
    /// Calls to show: wait4, waitid, waitpid, wait (all three) or none
    #[arg(
        long = "trace",
        value_name = "SET",
        hide_short_help = true,
        help_heading = "What to show"
    )]
    pub(super) trace: Vec<String>,
    /// Signals to show: names or numbers, all or none; a ! in front excludes
    #[arg(
        long = "signal",
        value_name = "SET",
        hide_short_help = true,
        help_heading = "What to show"
    )]
    pub(super) signal: Vec<String>,
    /// Results to show: successful, failed, unfinished, detached, all or none
    #[arg(
        long = "status",
        value_name = "SET",
        hide_short_help = true,
        help_heading = "What to show"
    )]
    pub(super) status: Vec<String>,
    /// Show all: whole arguments, each poll and thread
    #[arg(short = 'v', long = "no-abbrev", help_heading = "What to show")]
    pub(super) verbose: bool,
    /// Show only the lines of this program or process, and of all below it
    #[arg(
        long = "only",
        value_name = "NAME|PID",
        hide_short_help = true,
        help_heading = "What to show"
    )]
    pub(super) only_of: Vec<OsString>,
    /// Show no lines, only the findings
    #[arg(long, hide_short_help = true, help_heading = "What to show")]
    pub(super) findings: bool,
    /// No messages or summary; -qq: no exits; -qqq: calls
    #[arg(short = 'q', long = "quiet", action = ArgAction::Count, help_heading = "What to show")]
    pub(super) quiet: u8,
    /// Show what pidfds are; -yy: the pid behind them
    #[arg(short = 'y', long = "decode-fds", action = ArgAction::Count,
          hide_short_help = true, help_heading = "What to show")]
    pub(super) decode_fds: u8,
    /// Show the names behind pids
    #[arg(
        short = 'Y',
        long = "decode-pids-comm",
        hide_short_help = true,
        help_heading = "What to show"
    )]
    pub(super) decode_pids: bool,
    /// Show what pids of other pid namespaces are in ours
    #[arg(
        long = "pidns-translation",
        conflicts_with = "decode_pids",
        hide_short_help = true,
        help_heading = "What to show"
    )]
    pub(super) pidns_translation: bool,
}

/// `--format`
#[derive(Debug, Args)]
pub(super) struct FormatFlag {
    /// text, or json: an object a line
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = "How to show it"
    )]
    format: Lines,
}

/// How to show it.
#[derive(Debug, Args)]
pub(super) struct LineFlags {
    /// Write the JSON lines to a file, beside the output
    #[arg(
        long,
        value_name = "FILE",
        hide_short_help = true,
        help_heading = "How to show it"
    )]
    pub(super) record: Option<PathBuf>,
    /// Exactly strace's lines, and nothing else
    #[arg(long = "strace", help_heading = "How to show it")]
    pub(super) strace: bool,
    /// Time of day; -tt: microseconds; -ttt: since 1970
    #[arg(short = 't', long = "absolute-timestamps", action = ArgAction::Count,
          help_heading = "How to show it")]
    pub(super) times: u8,
    /// Time since the line before
    #[arg(
        short = 'r',
        long = "relative-timestamps",
        hide_short_help = true,
        help_heading = "How to show it"
    )]
    pub(super) relative: bool,
    /// Time spent in each call
    #[arg(short = 'T', long = "syscall-times", help_heading = "How to show it")]
    pub(super) durations: bool,
    /// Call stacks of waits and forks; -kk: unfolded
    #[arg(short = 'k', long = "stack-trace", action = ArgAction::Count,
          help_heading = "How to show it")]
    pub(super) stacks: u8,
    /// At the end, say how many stops the trace took
    #[arg(
        long,
        hide_short_help = true,
        conflicts_with = "read",
        help_heading = "How to show it"
    )]
    pub(super) stats: bool,
    /// Column of the results
    #[arg(
        short = 'a',
        long = "columns",
        value_name = "COLUMN",
        default_value_t = 40,
        value_parser = column,
        hide_short_help = true,
        help_heading = "How to show it"
    )]
    pub(super) column: u16,
}

/// `--color`
#[derive(Debug, Args)]
pub(super) struct ColourFlag {
    /// Colours on standard error: auto, always or never
    #[arg(long = "color", alias = "colour", value_name = "WHEN", default_value = "auto",
          hide_short_help = true,
          default_missing_value = "always", num_args = 0..=1, require_equals = true,
          hide_possible_values = true, hide_default_value = true,
          help_heading = "How to show it")]
    colour: When,
}

/// What the lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Lines {
    /// For people
    Text,
    /// For programs
    Json,
}

impl From<Lines> for Format {
    fn from(lines: Lines) -> Format {
        match lines {
            Lines::Text => Format::Text,
            Lines::Json => Format::Json,
        }
    }
}

/// When to use colours; files never have any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Whatever standard error is
    Always,
    /// Never
    Never,
}

impl From<When> for Colour {
    fn from(when: When) -> Colour {
        match when {
            When::Auto => Colour::Auto,
            When::Always => Colour::Always,
            When::Never => Colour::Never,
        }
    }
}

impl FormatFlag {
    /// What the lines are.
    pub(super) fn resolve(&self) -> Format {
        self.format.into()
    }
}

impl ColourFlag {
    /// When to use colours.
    pub(super) fn resolve(&self) -> Colour {
        self.colour.into()
    }
}

/// Which lines there are, and how they look.
pub(super) fn text(
    show: &ShowFlags,
    lines: &LineFlags,
    follows: bool,
) -> Result<TextOptions, String> {
    let mut text = look(show, lines, follows)?;
    for (key, value) in show.filters() {
        match key {
            "trace" | "t" => text.calls = parse_calls(value)?,
            "signal" | "signals" | "s" => text.signals = parse_signals(value)?,
            "status" => text.shown = parse_statuses(value)?,
            _ => return Err(about_key(key)),
        }
    }
    Ok(text)
}

/// `-a`
fn column(word: &str) -> Result<u16, String> {
    word.parse()
        .map_err(|_| format!("a column is a number up to {}, 40 if not given", u16::MAX))
}

/// The width of the terminal on standard error.
fn columns_of_stderr() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(io::stderr())?;
    Some(usize::from(width.0))
}

/// How all lines look.
fn look(show: &ShowFlags, lines: &LineFlags, follows: bool) -> Result<TextOptions, String> {
    let wall = match lines.times {
        0 => WallClock::Off,
        1 => WallClock::Seconds,
        2 => WallClock::Microseconds,
        3 => WallClock::Epoch,
        _ => return Err("-t can be given three times at most".into()),
    };
    Ok(TextOptions {
        style: if lines.strace {
            Style::Strace
        } else {
            Style::Annotated
        },
        column: usize::from(lines.column),
        stamps: Stamps {
            wall,
            relative: lines.relative,
        },
        durations: lines.durations,
        verbose: show.verbose,
        quiet: show.quiet,
        signals: SignalSet::ALL,
        pids: if show.decode_pids {
            Pids::Names
        } else if show.pidns_translation {
            Pids::Translated
        } else {
            Pids::Plain
        },
        follow: follows,
        shown: Shown::ALL,
        calls: WaitCalls::ALL,
        restart_outcomes: true,
        stacks: lines.stacks > 0,
        whole_stacks: lines.stacks > 1,
        only: show.only()?,
        hidden: show.findings,
        columns: columns_of_stderr,
    })
}

impl ShowFlags {
    /// The programs and processes whose lines are shown.
    fn only(&self) -> Result<Vec<Wanted>, String> {
        let wanted = |word: &OsString| {
            if word.is_empty() {
                return Err(
                    "--only wants the name or pid of a program, and \"\" is neither".to_owned(),
                );
            }
            Ok(match word.to_str().and_then(|word| word.parse().ok()) {
                Some(pid) => Wanted::Pid(pid),
                None => Wanted::Name(word.as_bytes().to_vec()),
            })
        };
        self.only_of.iter().map(wanted).collect()
    }

    /// Key and value of each filter, in strace's two spellings.
    fn filters(&self) -> impl Iterator<Item = (&str, &str)> {
        let short = self.expressions.iter();
        short
            .map(|expression| expression.split_once('=').unwrap_or(("trace", expression)))
            .chain(self.trace.iter().map(|value| ("trace", value.as_str())))
            .chain(self.signal.iter().map(|value| ("signal", value.as_str())))
            .chain(self.status.iter().map(|value| ("status", value.as_str())))
    }
}
