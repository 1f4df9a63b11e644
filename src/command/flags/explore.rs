//! The flags of `--explore` and `--schedule`.

use clap::Args;

use super::rules::seconds;
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
    /// steal, eof-first, skew, fork-fail, exec-fail and rand; N is which occurrence, and without
    /// it all are forced.
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
