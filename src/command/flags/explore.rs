//! The flags of `--explore` and `--schedule`, and those that mean nothing with them.

use clap::{ArgMatches, Args, FromArgMatches};

use super::lines::{ColourFlag, FormatFlag};
use super::rules::{RuleFlags, seconds};
use super::targets::{CommandFlag, LeftoverChoice, Seccomp, TraceFlags};
use super::{Asked, Refusal, first_given, refuse_rest};
use crate::command::mode::{ExploreOptions, Mode};
use crate::explore::{Limits, Schedule};

/// The heading of these flags in `--help`.
const HEADING: &str = "What is wrong";

/// Flags of schedules.
#[derive(Debug, Default, Args)]
pub(super) struct ExploreFlags {
    /// Search for races: run under many schedules
    ///
    /// The command is run again and again, under orders of events that the kernel could produce
    /// too: a child that ends before fork returns, a signal just before a call that sleeps. What
    /// goes wrong under one of them is reported with the schedule that shows it again. The command
    /// must be able to run many times; it gets no input, and its output is not shown. RUNS is how
    /// often it runs at most.
    #[arg(long, value_name = "RUNS", num_args = 0..=1, require_equals = true,
          default_missing_value = "1000", conflicts_with = "schedule", help_heading = HEADING)]
    explore: Option<String>,
    /// How long to search for races: 30 seconds, or as said
    #[arg(long, value_name = "SECONDS", requires = "explore", hide_short_help = true,
          help_heading = HEADING)]
    budget: Option<String>,
    /// Let forks and execs fail too
    #[arg(long, requires = "explore", hide_short_help = true, help_heading = HEADING)]
    faults: bool,
    /// Run once under this schedule: POINT@N,…
    ///
    /// As --explore reported it. Points are child-first, parent-first, before, hold-deaths, eintr,
    /// steal, eof-first, pid-reuse, skew, fork-fail, exec-fail and rand; N is which occurrence, and
    /// without it all are forced. The command gets no input, as in the search.
    #[arg(long, value_name = "SPEC", hide_short_help = true,
          conflicts_with_all = ["attach", "read", "no_follow"],
          help_heading = HEADING)]
    schedule: Option<String>,
}

impl ExploreFlags {
    /// How much is to be tried.
    pub(super) fn limits(&self) -> Result<Limits, String> {
        let mut limits = Limits {
            faults: self.faults,
            ..Limits::default()
        };
        if let Some(runs) = &self.explore {
            let parsed = runs.parse().ok().filter(|runs| *runs > 0);
            limits.runs = parsed
                .ok_or_else(|| format!("--explore wants a number of runs, and this is {runs:?}"))?;
        }
        if let Some(budget) = &self.budget {
            limits.time = seconds(budget).map_err(|why| format!("--budget: {why}"))?;
        }
        Ok(limits)
    }

    /// What is forced in the run.
    pub(super) fn schedule(&self) -> Result<Option<Schedule>, String> {
        let schedule = self.schedule.as_deref().map(str::parse).transpose();
        schedule.map_err(|why| format!("--schedule: {why}"))
    }
}

/// Flags that mean nothing where schedules are forced, and why.
const NOT_FORCED: [(&str, &str); 3] = [
    ("kill_on_exit", "attaches to nothing"),
    ("every_call", "attaches to nothing"),
    ("no_polls", "must see every wait"),
];

/// Flags of a trace and its report that mean nothing to a search, and why.
const NOT_SEARCHED: [(&str, &str); 3] = [
    ("write_suppressions", "has no list of findings to write"),
    ("no_follow", "follows all children"),
    ("leftovers", "ends what the command leaves behind"),
];

/// Refuse what means nothing with `--explore` and `--schedule`, of which `mode` is one.
fn refuse_unforced(
    matches: &ArgMatches,
    command: &clap::Command,
    rows: &[(&str, &str)],
    mode: &str,
) -> Result<(), Refusal> {
    let refusal = |flag: &str, why: &str| -> Result<(), Refusal> {
        Err(format!("{flag} means nothing with {mode}, which {why}").into())
    };
    for (id, why) in NOT_FORCED.iter().chain(rows) {
        if let Some(flag) = first_given(matches, command, [*id].into_iter()) {
            return refusal(&flag, why);
        }
    }
    match matches.get_one::<Seccomp>("seccomp") {
        Some(Seccomp::Never) => refusal(
            "--seccomp-bpf=never",
            "holds calls where its filter stops them",
        ),
        _ => Ok(()),
    }
}

/// Refuse flags that would make the run under a schedule another one than those of the
/// search.
pub(super) fn refuse_unscheduled(
    matches: &ArgMatches,
    command: &clap::Command,
) -> Result<(), Refusal> {
    refuse_unforced(matches, command, &[], "--schedule")?;
    match matches.get_one::<LeftoverChoice>("leftovers") {
        Some(LeftoverChoice::Report) => Err(
            "--leftovers=report means nothing with --schedule, which ends or awaits what is \
             left behind"
                .to_owned()
                .into(),
        ),
        _ => Ok(()),
    }
}

/// `--explore`
pub(super) fn mode(matches: &mut ArgMatches, command: &clap::Command) -> Result<Asked, Refusal> {
    refuse_unforced(matches, command, &NOT_SEARCHED, "--explore")?;
    let explore = ExploreFlags::from_arg_matches_mut(matches)?;
    let words = CommandFlag::from_arg_matches_mut(matches)?;
    let trace = TraceFlags::from_arg_matches_mut(matches)?;
    let rules = RuleFlags::from_arg_matches_mut(matches)?;
    let format = FormatFlag::from_arg_matches_mut(matches)?;
    let colour = ColourFlag::from_arg_matches_mut(matches)?;
    refuse_rest(matches, command, "--explore")?;
    let Some(command) = trace.command_line(&words)? else {
        return Err("--explore runs a COMMAND many times: name one"
            .to_owned()
            .into());
    };
    Ok(Asked::Mode(Mode::Explore(Box::new(ExploreOptions {
        command,
        limits: explore.limits()?,
        report: rules.resolve(0)?,
        format: format.resolve(),
        colour: colour.resolve(),
    }))))
}
