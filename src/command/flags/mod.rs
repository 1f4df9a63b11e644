//! The flags, as `--help` shows them, resolved into a [`Mode`].
//!
//! Each mode takes the flags that mean something to it out of clap's matches;
//! a flag that is left over there is refused.

mod decode;
mod explore;
mod generate;
mod lines;
mod outputs;
mod rules;
mod sets;
mod strace_flags;
mod summary;
mod targets;
#[cfg(test)]
mod tests;
mod zombies;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};

use super::complain;
use super::exit::Exit;
use super::mode::{Format, Mode, OutputOptions, OutputTo, ReplayOptions};
use crate::event::one_line;
use decode::DecodeFlags;
use explore::ExploreFlags;
use generate::Generated;
use lines::{ColourFlag, FormatFlag, LineFlags, ShowFlags, text};
use outputs::{OutputFlag, SnapshotFlags, TimelineFlag, check_record};
use rules::{RuleFlags, ThresholdFlag};
use summary::SummaryFlags;
use targets::{AttachFlag, CommandFlag, DurationFlag, TraceFlags};
use zombies::ZombieFlags;

const EXAMPLES: &str = "\
Examples:
  wait4-strace -- make -j4             what every wait of a build did
  wait4-strace -- ./hangs              it hangs: who waits for whom, after 10 s
  wait4-strace --duration 60 -- ./ci   CI is stuck: the same, and an end in time
  wait4-strace -p \"$(pgrep -d, nginx)\" running servers; ^C detaches
  wait4-strace --zombies               <defunct> in ps: whose they are, and why
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
    #[command(flatten)]
    command: CommandFlag,
    #[command(flatten)]
    attach: AttachFlag,
    #[command(flatten)]
    trace: TraceFlags,
    /// Read a record: ours, or another tracer's
    ///
    /// JSON lines of wait4-strace's; a log of strace's, or the prefix of those of -ff; events of
    /// Tracee's; a log of FreeBSD's truss; a listing of kdump's of FreeBSD or NetBSD. A - is
    /// standard input.
    #[arg(long, value_name = "FILE", help_heading = "What to trace",
          conflicts_with_all = ["command", "attach", "env", "user", "kill_on_exit", "seccomp",
                                "every_call", "duration", "decode_fds"])]
    read: Option<PathBuf>,

    #[command(flatten)]
    show: ShowFlags,
    #[command(flatten)]
    output: OutputFlag,
    #[command(flatten)]
    format: FormatFlag,
    #[command(flatten)]
    lines: LineFlags,
    #[command(flatten)]
    colour: ColourFlag,
    #[command(flatten)]
    timeline: TimelineFlag,
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
    rules: RuleFlags,
    #[command(flatten)]
    snapshot: SnapshotFlags,
    #[command(flatten)]
    explore: ExploreFlags,
    #[command(flatten)]
    duration: DurationFlag,
}

/// Why there is no mode.
#[derive(Debug)]
enum Refusal {
    /// clap refused the flags.
    Usage(Box<clap::Error>),
    /// In a sentence.
    Sentence(String),
}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Refusal {
        Refusal::Usage(Box::new(error))
    }
}

impl From<String> for Refusal {
    fn from(sentence: String) -> Refusal {
        Refusal::Sentence(sentence)
    }
}

/// Read the flags from the command line. What only prints something (`--help`,
/// `--explain`) and bad flags are answered here, and the exit status is the
/// error.
///
/// # Errors
/// The exit status to end with.
pub fn parse() -> Result<Mode, Exit> {
    let long = format!("{EXAMPLES}\n\nExit status:\n{}", exit_statuses());
    let command = Flags::command().after_long_help(long);
    let matches = command.clone().try_get_matches().map_err(Refusal::from);
    let modes = matches.and_then(|matches| resolve(matches, &command));
    match modes {
        Ok(Asked::Mode(mode)) => Ok(mode),
        Ok(Asked::Text(text)) => {
            // Lost help is no reason to fail.
            let _ = io::stdout().write_all(text.as_bytes());
            Err(Exit::Code(0))
        }
        Ok(Asked::Generated(what)) => Err(match generate::generate(what, Flags::command()) {
            Ok(()) => Exit::Code(0),
            Err(error) => {
                complain(&format!("cannot write to standard output: {error}"));
                Exit::Failed
            }
        }),
        Err(Refusal::Usage(error)) if !error.use_stderr() => {
            let _ = error.print();
            Err(Exit::Code(0))
        }
        Err(Refusal::Usage(error)) => {
            complain_of(*error);
            Err(Exit::Failed)
        }
        Err(Refusal::Sentence(sentence)) => {
            complain(&sentence);
            Err(Exit::Failed)
        }
    }
}

/// What the flags ask for.
#[derive(Debug)]
enum Asked {
    /// A mode.
    Mode(Mode),
    /// A text (`--explain`).
    Text(String),
    /// A file of a package (`--generate`).
    Generated(Generated),
}

/// What the flags ask for.
fn resolve(mut matches: ArgMatches, command: &clap::Command) -> Result<Asked, Refusal> {
    if matches.get_flag("zombies") {
        let zombies = ZombieFlags::from_arg_matches_mut(&mut matches)?;
        let attach = AttachFlag::from_arg_matches_mut(&mut matches)?;
        let format = FormatFlag::from_arg_matches_mut(&mut matches)?;
        let colour = ColourFlag::from_arg_matches_mut(&mut matches)?;
        let threshold = ThresholdFlag::from_arg_matches_mut(&mut matches)?;
        refuse_rest(&matches, command, "--zombies")?;
        let options = zombies.resolve(&attach, &format, &colour, &threshold)?;
        return Ok(Asked::Mode(Mode::Zombies(options)));
    }
    if matches.value_source("decode").is_some() {
        let decode = DecodeFlags::from_arg_matches_mut(&mut matches)?;
        let more = CommandFlag::from_arg_matches_mut(&mut matches)?;
        refuse_rest(&matches, command, "--decode")?;
        return Ok(Asked::Mode(Mode::Decode(decode.resolve(&more.command)?)));
    }
    if matches.value_source("explore").is_some() {
        return explore::mode(&mut matches, command);
    }
    if matches.value_source("schedule").is_some() {
        explore::refuse_unscheduled(&matches, command)?;
    }
    let flags = Flags::from_arg_matches_mut(&mut matches)?;
    if let Some(what) = flags.generate {
        return Ok(Asked::Generated(what));
    }
    if let Some(text) = flags.rules.explain()? {
        return Ok(Asked::Text(text));
    }
    Ok(Asked::Mode(flags.resolve()?))
}

/// Refuse the flags that a mode without a trace has not taken.
fn refuse_rest(matches: &ArgMatches, command: &clap::Command, mode: &str) -> Result<(), String> {
    match first_given(matches, command, matches.ids().map(clap::Id::as_str)) {
        None => Ok(()),
        Some(flag) => Err(format!(
            "{flag} means nothing with {mode}, which shows no trace"
        )),
    }
}

/// The first of these arguments that was given, by its name.
fn first_given<'a>(
    matches: &ArgMatches,
    command: &clap::Command,
    ids: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let arg = |id| command.get_arguments().find(|arg| arg.get_id() == id);
    let arg = ids.filter(given).find_map(arg)?;
    let long = arg.get_long();
    Some(long.map_or_else(|| "a COMMAND".to_owned(), |long| format!("--{long}")))
}

/// What clap does not know and strace does, with the way out.
fn of_strace(error: &clap::Error) -> Option<String> {
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(one_line(text)),
        _ => None,
    };
    let flag = word(ContextKind::InvalidArg)?;
    match error.kind() {
        ErrorKind::UnknownArgument => {
            strace_flags::about_flag(&flag).or_else(|| strace_flags::renamed(&flag))
        }
        ErrorKind::TooManyValues => {
            strace_flags::about_value(&flag, &word(ContextKind::InvalidValue)?)
        }
        _ => None,
    }
}

/// Say what is wrong with the flags, and how they are used.
fn complain_of(mut error: clap::Error) {
    if let Some(sentence) = of_strace(&error) {
        return complain(&sentence);
    }
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
    /// A trace, or the record of one.
    fn resolve(self) -> Result<Mode, String> {
        let attach = self.attach.resolve()?;
        if self.decode.names_system() && self.read.is_none() {
            return Err(
                "--abi is the system of what --decode or --read is given: give one of these too"
                    .into(),
            );
        }
        if attach.is_empty() && self.command.command.is_empty() && self.read.is_none() {
            return Err(
                "there is nothing to trace: name a COMMAND, or processes with -p; \
                        see wait4-strace --help"
                    .into(),
            );
        }
        let system = self.decode.system()?;
        let follows = !self.trace.no_follow;
        let mut text = text(&self.show, &self.lines, follows)?;
        let report = self.rules.resolve(self.show.quiet)?;
        let unjudged = self.why_unjudged()?;
        let summary = self.summary.resolve(report.rules.thresholds.late)?;
        let duration = self.duration.resolve()?;
        let schedule = self.explore.schedule()?;
        let output = self.output.resolve(self.trace.splits())?;
        self.check_forms(&output)?;
        if output != OutputTo::Stderr && attach.is_empty() {
            // As strace does: with the lines in a file, standard error is the
            // command's alone.
            text.quiet = text.quiet.max(1);
        }
        let outputs = OutputOptions {
            format: self.format.resolve(),
            output,
            text,
            colour: self.colour.resolve(),
            report: unjudged.is_none().then_some(report),
            summary,
            record: self.lines.record.clone(),
            timeline: self.timeline.resolve()?,
            snapshot: self.snapshot.resolve(),
        };
        if let Some(record) = self.read {
            return Ok(Mode::Replay(Box::new(ReplayOptions {
                record,
                system,
                outputs,
            })));
        }
        let trace = self.trace.resolve(
            &self.command,
            attach,
            duration,
            schedule,
            &self.lines,
            self.show.decode_fds,
            outputs,
        )?;
        Ok(Mode::Trace(Box::new(trace)))
    }

    /// Why nothing is judged, if so.
    ///
    /// # Errors
    /// A flag that means nothing then.
    fn why_unjudged(&self) -> Result<Option<&'static str>, String> {
        let why = match (self.lines.strace, self.trace.no_polls) {
            (true, _) => "--strace, which shows strace's lines and no findings",
            (_, true) => "--no-polls, which leaves out what the rules must see",
            _ => return Ok(None),
        };
        let findings = self.show.findings.then_some("--findings");
        match self
            .rules
            .needs_rules()
            .or(self.summary.flag())
            .or(findings)
        {
            Some(flag) => Err(format!("{flag} means nothing with {why}")),
            None => Ok(Some(why)),
        }
    }

    /// Which forms of output go together.
    fn check_forms(&self, output: &OutputTo) -> Result<(), String> {
        if self.show.findings && self.rules.is_silent() {
            return Err(
                "--findings shows the report alone, and --report none leaves it out".into(),
            );
        }
        let per_task = matches!(output, OutputTo::PerTask(_));
        if self.format.resolve() == Format::Json {
            self.check_json(per_task)?;
        }
        if let (true, Some(flag)) = (per_task, self.summary.flag()) {
            return Err(format!(
                "{flag} is of the whole family, and -ff has a file for each task"
            ));
        }
        check_record(self.lines.record.as_deref())?;
        self.check_snapshot()
    }

    /// What goes with JSON lines, and what does not.
    fn check_json(&self, per_task: bool) -> Result<(), String> {
        if self.lines.strace {
            return Err("--strace and --format json are two forms of the lines: choose one".into());
        }
        if self.trace.no_polls {
            return Err("--no-polls leaves holes that JSON lines must not have: choose one".into());
        }
        if !self.show.only_of.is_empty() || self.show.findings {
            return Err(
                "--only and --findings choose lines of text, and JSON lines are of everything"
                    .into(),
            );
        }
        if per_task {
            return Err(
                "--format json goes to one file: its lines name their task, and -ff means nothing"
                    .into(),
            );
        }
        Ok(())
    }

    /// What goes with a timeline and a snapshot, and what does not.
    fn check_snapshot(&self) -> Result<(), String> {
        if self.timeline.is_given() && self.lines.strace {
            return Err("--strace shows strace's lines alone, and --timeline draws more".into());
        }
        let (flag, why) = match self.snapshot.is_given() {
            true if self.lines.strace => ("--strace", "has no findings"),
            true if self.trace.no_follow => ("--no-follow", "sees one process alone"),
            _ => return Ok(()),
        };
        Err(format!(
            "a snapshot is of all processes and findings, and {flag} {why}: choose one"
        ))
    }
}
