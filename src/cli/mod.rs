//! The flags, as `--help` shows them, and what they mean.
//!
//! What the user typed (`Flags`) becomes what is meant ([`Config`]) here and
//! nowhere else.

mod decode;
mod generate;
mod judging;
mod sets;
mod summary;
mod zombies;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::{ArgAction, Parser, ValueEnum};

use crate::command::CommandLine;
use crate::event::one_line;
use crate::exit::Exit;
use crate::kernel::WaitCalls;
use crate::output::{Picture, Pids, Shown, SignalSet, Stamps, Style, TextOptions, WallClock};
use crate::run::{Colour, Config, Format, OutputTo, SnapshotFile, complain};
use decode::DecodeFlags;
use generate::Generated;
use judging::{JudgingFlags, seconds};
use sets::{env_change, parse_calls, parse_signals, parse_statuses, pids};
use summary::SummaryFlags;
use zombies::ZombieFlags;

const EXAMPLES: &str = "\
Examples:
  wait4-strace -- make -j4             what every wait of a build did
  wait4-strace -p \"$(pgrep -d, nginx)\" running servers; ^C detaches
  wait4-strace --timeline t.html -- ./run      a picture of all processes
  wait4-strace --fail-on error -- ./ci exit with 120 if a status was lost
  wait4-strace --explain stolen-child  what a finding means";

/// See how a program waits for its children, and what is wrong with it: every
/// wait4, waitid and waitpid of the whole family, decoded, with what it did.
#[derive(Debug, Parser)]
#[command(
    name = "wait4-strace",
    version,
    override_usage = "wait4-strace [OPTIONS] [--] COMMAND [ARG]...\n       \
                      wait4-strace [OPTIONS] -p PID[,PID]...\n       \
                      wait4-strace [OPTIONS] --read FILE\n       \
                      wait4-strace --zombies [-p PID] | --decode VALUE...",
    after_help = EXAMPLES,
    max_term_width = 100
)]
struct Flags {
    /// Command to launch and trace, with its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true, num_args = 0.., hide = true)]
    command: Vec<OsString>,

    /// Attach to running processes, all threads
    #[arg(
        short = 'p',
        long = "attach",
        value_name = "PIDS",
        help_heading = "What to trace",
        allow_hyphen_values = true
    )]
    attach: Vec<OsString>,
    /// Follow children (the default); -ff: a file each
    #[arg(short = 'f', long = "follow-forks", action = ArgAction::Count,
          help_heading = "What to trace")]
    follow: u8,
    /// Do not follow children
    #[arg(
        long = "no-follow",
        conflicts_with = "follow",
        hide_short_help = true,
        help_heading = "What to trace"
    )]
    no_follow: bool,
    /// Set a variable (NAME=VALUE) or remove it (NAME)
    #[arg(
        short = 'E',
        long = "env",
        value_name = "VAR",
        hide_short_help = true,
        help_heading = "What to trace"
    )]
    env: Vec<OsString>,
    /// Run the command as this user
    #[arg(
        short = 'u',
        long = "user",
        value_name = "USER",
        hide_short_help = true,
        help_heading = "What to trace"
    )]
    user: Option<String>,
    /// With -p: attach to all living descendants too
    #[arg(
        long,
        requires = "attach",
        hide_short_help = true,
        help_heading = "What to trace"
    )]
    tree: bool,
    /// With -p: show the calls of processes without children too, which run at
    /// full speed otherwise
    #[arg(
        long = "every-call",
        hide_short_help = true,
        help_heading = "What to trace"
    )]
    every_call: bool,
    /// Kill attached processes when the trace ends, instead of detaching
    #[arg(
        long = "kill-on-exit",
        hide_short_help = true,
        help_heading = "What to trace"
    )]
    kill_on_exit: bool,
    /// Use a seccomp filter so that only the calls of interest stop
    #[arg(long = "seccomp-bpf", value_name = "WHEN", num_args = 0..=1, require_equals = true,
          default_value = "auto", default_missing_value = "auto", hide_short_help = true,
          help_heading = "What to trace")]
    seccomp: Seccomp,

    /// Do not trace waits with WNOHANG: a loop of polls runs at full speed,
    /// and nothing is judged
    #[arg(
        long = "no-polls",
        hide_short_help = true,
        conflicts_with_all = ["read", "record", "snapshot", "timeline"],
        help_heading = "What to trace"
    )]
    no_polls: bool,

    /// Read a record: ours, or another tracer's
    ///
    /// JSON lines of wait4-strace's; a log of strace's, or the prefix of those of -ff; events of
    /// Tracee's; a log of FreeBSD's truss; a listing of kdump's of FreeBSD or NetBSD. A - is
    /// standard input.
    #[arg(long, value_name = "FILE", help_heading = "What to trace",
          conflicts_with_all = ["command", "attach", "env", "user", "kill_on_exit", "seccomp", "every_call",
                                "duration", "decode_fds"])]
    read: Option<PathBuf>,

    /// Choose what is shown: trace=…, signal=…, status=…
    #[arg(short = 'e', value_name = "EXPR", help_heading = "What to show")]
    expressions: Vec<String>,
    /// Calls to show: wait4, waitid, waitpid, wait (all three) or none
    #[arg(
        long = "trace",
        value_name = "SET",
        hide_short_help = true,
        help_heading = "What to show"
    )]
    trace: Vec<String>,
    /// Signals to show: names or numbers, all or none; a ! in front excludes
    #[arg(
        long = "signal",
        value_name = "SET",
        hide_short_help = true,
        help_heading = "What to show"
    )]
    signal: Vec<String>,
    /// Results to show: successful, failed, unfinished, detached, all or none
    #[arg(
        long = "status",
        value_name = "SET",
        hide_short_help = true,
        help_heading = "What to show"
    )]
    status: Vec<String>,
    /// Show whole rusages, and each poll and restart
    #[arg(short = 'v', long = "no-abbrev", help_heading = "What to show")]
    verbose: bool,
    /// No messages or summary; -qq: no exits; -qqq: calls
    #[arg(short = 'q', long = "quiet", action = ArgAction::Count, help_heading = "What to show")]
    quiet: u8,
    /// Show what pidfds are; -yy: the pid behind them
    #[arg(short = 'y', long = "decode-fds", action = ArgAction::Count,
          hide_short_help = true, help_heading = "What to show")]
    decode_fds: u8,
    /// Show the names behind pids
    #[arg(
        short = 'Y',
        long = "decode-pids-comm",
        hide_short_help = true,
        help_heading = "What to show"
    )]
    decode_pids: bool,
    /// Show what pids of other pid namespaces are in ours
    #[arg(
        long = "pidns-translation",
        conflicts_with = "decode_pids",
        hide_short_help = true,
        help_heading = "What to show"
    )]
    pidns_translation: bool,

    /// Write to a file, or to a command: -o '|command'
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FILE",
        help_heading = "How to show it"
    )]
    output: Option<OsString>,
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
    /// Write the JSON lines to a file, beside the output
    #[arg(
        long,
        value_name = "FILE",
        hide_short_help = true,
        help_heading = "How to show it"
    )]
    record: Option<PathBuf>,
    /// Exactly strace's lines, and nothing else
    #[arg(long = "strace", help_heading = "How to show it")]
    strace: bool,
    /// Time of day; -tt: microseconds; -ttt: since 1970
    #[arg(short = 't', long = "absolute-timestamps", action = ArgAction::Count,
          help_heading = "How to show it")]
    times: u8,
    /// Time since the line before
    #[arg(
        short = 'r',
        long = "relative-timestamps",
        hide_short_help = true,
        help_heading = "How to show it"
    )]
    relative: bool,
    /// Time spent in each call
    #[arg(short = 'T', long = "syscall-times", help_heading = "How to show it")]
    durations: bool,
    /// Call stacks of waits and forks
    #[arg(short = 'k', long = "stack-trace", help_heading = "How to show it")]
    stacks: bool,
    /// At the end, say how many stops the trace took
    #[arg(
        long,
        hide_short_help = true,
        conflicts_with = "read",
        help_heading = "How to show it"
    )]
    stats: bool,
    /// Column of the results
    #[arg(
        short = 'a',
        long = "columns",
        value_name = "COLUMN",
        default_value_t = 40,
        hide_short_help = true,
        help_heading = "How to show it"
    )]
    column: u16,
    /// Colours on standard error: auto, always or never
    #[arg(long = "color", alias = "colour", value_name = "WHEN", default_value = "auto",
          hide_short_help = true,
          default_missing_value = "always", num_args = 0..=1, require_equals = true,
          hide_possible_values = true, hide_default_value = true,
          help_heading = "How to show it")]
    colour: When,

    /// Draw the run: .html, .svg, or .json for Perfetto
    #[arg(long, value_name = "FILE", help_heading = "What to show")]
    timeline: Option<PathBuf>,
    /// Write the man page or a shell's completions to standard output
    #[arg(long, value_name = "WHAT", hide = true, exclusive = true)]
    generate: Option<Generated>,
    #[command(flatten)]
    summary: SummaryFlags,
    #[command(flatten)]
    zombies: ZombieFlags,
    #[command(flatten)]
    decode: DecodeFlags,
    #[command(flatten)]
    judging: JudgingFlags,
    /// Exit with 121 if the run is not as FILE has it
    #[arg(long, value_name = "FILE", help_heading = "What is wrong")]
    snapshot: Option<PathBuf>,
    /// Write the snapshot
    #[arg(
        long,
        requires = "snapshot",
        hide_short_help = true,
        help_heading = "What is wrong"
    )]
    update: bool,
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

/// When to use the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Seccomp {
    /// Wherever it can be installed
    Auto,
    /// Stop at every system call instead
    Never,
}

/// Read the flags from the command line. On `--help` and `--version` and on
/// bad flags the answer is printed, and the exit status is the error.
///
/// # Errors
/// The exit status to end with.
pub fn parse() -> Result<Config, Exit> {
    let flags = Flags::try_parse().map_err(|error| {
        if !error.use_stderr() {
            // Lost help is no reason to fail.
            let _ = error.print();
            return Exit::Code(0);
        }
        complain_of(error);
        Exit::Failed
    })?;
    if let Some(what) = flags.generate {
        use clap::CommandFactory;
        let written = generate::generate(what, Flags::command());
        return Err(match written {
            Ok(()) => Exit::Code(0),
            Err(error) => {
                complain(&format!("cannot write to standard output: {error}"));
                Exit::Failed
            }
        });
    }
    let meant = match flags.judging.explain() {
        Some(Ok(())) => return Err(Exit::Code(0)),
        Some(Err(sentence)) => Err(sentence),
        None => flags.mean(),
    };
    meant.map_err(|sentence| {
        complain(&sentence);
        Exit::Failed
    })
}

/// Say what is wrong with the flags, and how they are used.
fn complain_of(mut error: clap::Error) {
    // "Pass it as a value" would be a command of that name.
    error.remove(ContextKind::Suggested);
    // What was typed stands on one line, as what a tracee chose.
    let typed: Vec<(ContextKind, String)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, one_line(text).into_owned())),
            _ => None,
        })
        .collect();
    for (kind, text) in typed {
        error.insert(kind, ContextValue::String(text));
    }
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    complain(first);
    if !rest.is_empty() {
        // As in `complain`, the exit status is all there is if this is lost.
        let _ = writeln!(io::stderr(), "{rest}");
    }
}

/// The exit statuses, a line each, as `--help` shows them.
fn exit_statuses() -> String {
    let rows = Exit::TABLE
        .iter()
        .map(|(what, status)| format!("  {what}: {status}"));
    rows.collect::<Vec<_>>().join("\n")
}

impl Flags {
    fn try_parse() -> Result<Flags, clap::Error> {
        use clap::{CommandFactory, FromArgMatches};
        let long = format!("{EXAMPLES}\n\nExit status:\n{}", exit_statuses());
        let command = Flags::command().after_long_help(long);
        let matches = command.clone().try_get_matches()?;
        zombies::check(&matches, &command)?;
        decode::check(&matches, &command)?;
        Flags::from_arg_matches(&matches)
    }

    /// What goes with JSON lines, and what does not.
    fn check_json(&self, output: &OutputTo) -> Result<(), String> {
        if self.format != Lines::Json {
            return Ok(());
        }
        if self.strace {
            return Err("--strace and --format json are two forms of the lines: choose one".into());
        }
        if self.no_polls {
            return Err("--no-polls leaves holes that JSON lines must not have: choose one".into());
        }
        if matches!(output, OutputTo::PerTask(_)) {
            return Err(
                "--format json goes to one file: its lines name their task, and -ff means nothing"
                    .into(),
            );
        }
        Ok(())
    }

    /// A recording is a file.
    fn check_record(&self) -> Result<(), String> {
        let instead = match self
            .record
            .as_deref()
            .map(|path| path.as_os_str().as_bytes())
        {
            Some([b'|' | b'!', ..]) => "a command gets the lines by --format json -o '|command'",
            Some(b"-") => {
                "standard output gets the lines by --format json -o -, or is named /dev/stdout"
            }
            _ => return Ok(()),
        };
        Err(format!("--record writes a file: {instead}"))
    }

    /// What goes with a snapshot, and what does not.
    fn check_snapshot(&self) -> Result<(), String> {
        if self.timeline.is_some() && self.strace {
            return Err("--strace shows strace's lines alone, and --timeline draws more".into());
        }
        let (flag, why) = match self.snapshot {
            Some(_) if self.strace => ("--strace", "has no findings"),
            Some(_) if self.no_follow => ("--no-follow", "sees one process alone"),
            _ => return Ok(()),
        };
        Err(format!(
            "a snapshot is of all processes and findings, and {flag} {why}: choose one"
        ))
    }

    /// What the flags mean.
    fn mean(self) -> Result<Config, String> {
        let attach = pids(&self.attach)?;
        let decode = self.decode.mean(&self.command)?;
        let nobody = attach.is_empty() && self.command.is_empty() && self.read.is_none();
        if nobody && !self.zombies.zombies && !self.decode.decodes() {
            return Err(
                "there is nothing to trace: name a COMMAND, or processes with -p; \
                        see wait4-strace --help"
                    .into(),
            );
        }
        let mut text = self.text()?;
        let mut calls = WaitCalls::ALL;
        for (key, value) in self.filters() {
            match key {
                "trace" | "t" => calls = parse_calls(value)?,
                "signal" | "signals" | "s" => text.signals = parse_signals(value)?,
                "status" => text.shown = parse_statuses(value)?,
                "quiet" | "q" => {
                    return Err("there is no -e quiet=: -q, -qq and -qqq say less".into());
                }
                _ => {
                    return Err(format!(
                        "there is no -e {key}=: there are trace, signal and status; \
                         strace has others"
                    ));
                }
            }
        }
        text.calls = calls;
        let judging = self.judging.mean(self.quiet)?;
        let unjudged = match (self.strace, self.no_polls) {
            (true, _) => Some("--strace, which shows strace's lines and no findings"),
            (_, true) => Some("--no-polls, which leaves out what the rules must see"),
            _ => None,
        };
        let wants = self.judging.that_judge().or(self.summary.flag());
        if let (Some(why), Some(flag)) = (unjudged, wants) {
            return Err(format!("{flag} means nothing with {why}"));
        }
        let summary = self.summary.mean(judging.thresholds.late)?;
        let duration = self.duration.as_deref().map(seconds).transpose();
        let duration = duration.map_err(|why| format!("--duration: {why}"))?;
        let output = self.output_to()?;
        self.check_json(&output)?;
        if let (OutputTo::PerTask(_), Some(flag)) = (&output, self.summary.flag()) {
            return Err(format!(
                "{flag} is of the whole family, and -ff has a file for each task"
            ));
        }
        self.check_record()?;
        self.check_snapshot()?;
        if output != OutputTo::Stderr && attach.is_empty() {
            // As strace does: with the lines in a file, standard error is the
            // command's alone.
            text.quiet = text.quiet.max(1);
        }
        let command = (!self.command.is_empty()).then(|| CommandLine {
            argv: self.command,
            env: self.env.iter().map(env_change).collect(),
            user: self.user,
        });
        let colour = Colour::from(self.colour);
        let json = self.format == Lines::Json;
        let zombies = self
            .zombies
            .resolve(&attach, json, colour.wanted_on(&io::stdout()))?;
        Ok(Config {
            zombies: self.zombies.zombies.then_some(zombies),
            decode,
            system: self.decode.system()?,
            stacks: self.stacks,
            read: self.read,
            format: self.format.into(),
            command,
            attach,
            follow: !self.no_follow,
            polls: !self.no_polls,
            stats: self.stats,
            tree: self.tree,
            every_call: self.every_call,
            kill_on_exit: self.kill_on_exit,
            seccomp: self.seccomp == Seccomp::Auto,
            calls,
            output,
            text,
            decode_fds: self.decode_fds,
            colour,
            judging: unjudged.is_none().then_some(judging),
            duration,
            summary,
            timeline: self.timeline.map(picture).transpose()?,
            record: self.record,
            snapshot: self.snapshot.map(|path| SnapshotFile {
                path,
                update: self.update,
            }),
        })
    }

    fn text(&self) -> Result<TextOptions, String> {
        let wall = match self.times {
            0 => WallClock::Off,
            1 => WallClock::Seconds,
            2 => WallClock::Microseconds,
            3 => WallClock::Epoch,
            _ => return Err("-t can be given three times at most".into()),
        };
        Ok(TextOptions {
            style: if self.strace {
                Style::Strace
            } else {
                Style::Annotated
            },
            column: usize::from(self.column),
            stamps: Stamps {
                wall,
                relative: self.relative,
            },
            durations: self.durations,
            verbose: self.verbose,
            quiet: self.quiet,
            signals: SignalSet::ALL,
            pids: if self.decode_pids {
                Pids::Names
            } else if self.pidns_translation {
                Pids::Translated
            } else {
                Pids::Plain
            },
            follow: !self.no_follow,
            shown: Shown::ALL,
            calls: WaitCalls::ALL,
            fates: true,
            stacks: self.stacks,
        })
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

    fn output_to(&self) -> Result<OutputTo, String> {
        let split = self.follow >= 2;
        let Some(output) = &self.output else {
            return if split {
                Err("-ff writes a file for each task: name their prefix with -o FILE".into())
            } else {
                Ok(OutputTo::Stderr)
            };
        };
        match output.as_bytes() {
            [b'|' | b'!', ..] if split => {
                Err("-ff and a command in -o exclude each other: -ff writes files".into())
            }
            [b'|' | b'!', command @ ..] => {
                Ok(OutputTo::Command(OsString::from_vec(command.to_vec())))
            }
            _ if split => Ok(OutputTo::PerTask(PathBuf::from(output))),
            _ => Ok(OutputTo::File(PathBuf::from(output))),
        }
    }
}

/// The kind of picture that a file is to hold.
fn picture(path: PathBuf) -> Result<(Picture, PathBuf), String> {
    let picture = Picture::of(&path).ok_or_else(|| {
        format!(
            "--timeline {}: the name says what is drawn: FILE.html, FILE.svg, or FILE.json for \
             Perfetto",
            path.display()
        )
    })?;
    Ok((picture, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::EnvChange;
    use crate::kernel::Signal;
    use clap::CommandFactory;

    fn config(words: &[&str]) -> Result<Config, String> {
        let words = ["wait4-strace"].iter().chain(words);
        Flags::try_parse_from(words)
            .map_err(|error| error.to_string())?
            .mean()
    }

    fn refusal(words: &[&str]) -> String {
        config(words).unwrap_err()
    }

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Flags::command().debug_assert();
    }

    #[test]
    fn the_short_help_fits_on_a_screen_and_each_flag_has_one_line() {
        let help = Flags::command().term_width(80).render_help().to_string();
        assert!(help.lines().count() <= 45, "{help}");
        let flags = help
            .lines()
            .filter(|line| line.starts_with("  ") && !line.contains("wait4-strace"));
        for line in flags {
            assert!(
                line.trim_start().starts_with('-'),
                "a flag takes two lines: {line}"
            );
        }
    }

    #[test]
    fn pids_come_in_lists_with_commas_or_spaces() {
        let config = config(&["-p", "12,13", "-p", "14 15\n16", "-p12"]).unwrap();
        assert_eq!(config.attach, [12, 13, 14, 15, 16]);
        assert!(config.command.is_none());
    }

    #[test]
    fn a_word_that_is_no_pid_is_refused_with_the_way_out() {
        for word in ["0", "-1", "abc", "99999999999", "1.5", "0x10"] {
            assert!(refusal(&["-p", word]).contains("pgrep"), "{word}");
        }
        let own = std::process::id().to_string();
        assert!(refusal(&["-p", &own]).contains("itself"));
        assert!(refusal(&["-p", ""]).contains("does not run"));
    }

    #[test]
    fn the_command_keeps_its_own_flags() {
        let with = config(&["--strace", "ls", "-l", "--color"]).unwrap();
        assert_eq!(with.command.unwrap().argv, ["ls", "-l", "--color"]);
        assert_eq!(with.text.style, Style::Strace);
        let with = config(&["--", "-odd", "-p"]).unwrap();
        assert_eq!(with.command.unwrap().argv, ["-odd", "-p"]);
    }

    #[test]
    fn sets_are_read_as_strace_reads_them() {
        assert_eq!(parse_calls("wait"), Ok(WaitCalls::ALL));
        assert_eq!(parse_calls("none"), Ok(WaitCalls::default()));
        assert!(!parse_calls("!wait4").unwrap().wait4);
        let set = parse_signals("CHLD,SIGRT_5,9").unwrap();
        assert!(set.has(Signal::CHLD) && set.has(Signal::from_raw(37)) && set.has(Signal::KILL));
        assert!(!set.has(Signal::TERM));
        assert!(!parse_signals("!chld").unwrap().has(Signal::CHLD));
        assert_eq!(parse_signals("none"), Ok(SignalSet(0)));
        assert!(parse_signals("SIGNOPE").unwrap_err().contains("kill -l"));
        assert!(
            parse_calls("open")
                .unwrap_err()
                .contains("strace traces others")
        );
        assert!(!parse_statuses("!failed").unwrap().failed);
    }

    #[test]
    fn what_is_for_processes_means_nothing_for_a_record() {
        let flags: [&[&str]; 8] = [
            &["--decode-fds"],
            &["--env", "A=b"],
            &["--user", "root"],
            &["--attach", "1"],
            &["--duration", "1"],
            &["--kill-on-exit"],
            &["--seccomp-bpf"],
            &["--seccomp-bpf=never"],
        ];
        for flags in flags {
            let refusal = refusal(&[&["--read", "f"], flags].concat());
            let flag = flags[0].split('=').next().unwrap();
            let sentence = format!("'--read <FILE>' cannot be used with '{flag}");
            assert!(refusal.contains(&sentence), "{refusal}");
        }
        assert!(config(&["--read", "f", "-f", "-T"]).is_ok());
    }

    #[test]
    fn both_spellings_of_a_filter_are_taken() {
        let short = config(&["-e", "trace=waitid", "-e", "signal=none", "x"]).unwrap();
        let long = config(&["--trace=waitid", "--signal=none", "x"]).unwrap();
        assert_eq!(short.calls, long.calls);
        assert_eq!(short.text.signals, long.text.signals);
        assert!(config(&["-e", "wait4", "x"]).unwrap().calls.wait4);
    }

    #[test]
    fn an_output_is_a_file_a_command_or_a_prefix() {
        let output = |words: &[&str]| config(words).unwrap().output;
        assert_eq!(output(&["x"]), OutputTo::Stderr);
        assert_eq!(output(&["-o", "f", "x"]), OutputTo::File("f".into()));
        assert_eq!(
            output(&["-o", "|cat", "x"]),
            OutputTo::Command("cat".into())
        );
        assert_eq!(output(&["-ffof", "x"]), OutputTo::PerTask("f".into()));
        assert!(refusal(&["-ff", "x"]).contains("-o FILE"));
    }

    #[test]
    fn the_environment_is_changed_in_order() {
        let config = config(&["-E", "A=b=c", "-E", "D", "x"]).unwrap();
        assert_eq!(
            config.command.unwrap().env,
            [
                EnvChange::Set("A".into(), "b=c".into()),
                EnvChange::Unset("D".into())
            ]
        );
    }
}
