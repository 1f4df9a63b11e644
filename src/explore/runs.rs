//! The runs of an exploration: one after the other, within the time that there
//! is.

use std::time::{Duration, Instant};

use super::found::{Exploration, Limits};
use super::run::{End, Patience, Run, Setup, run};
use super::schedule::Schedule;
use super::search::{BASELINES, Runner, explore};
use crate::library::Error;

/// A run may take so many times as long as one without a schedule.
const TIMES: u32 = 5;
/// And so much longer: for holds, and what a hang takes to be one.
const MORE: Duration = Duration::from_secs(4);

/// Nothing goes on for so many times as long as the slowest run without a schedule took in
/// all, and for so long: then it has stalled.
const STALL_TIMES: u32 = 3;
const STALL: Duration = Duration::from_secs(2);

/// Runs a command until the time is up.
struct Runs<'a> {
    setup: &'a Setup,
    /// When it is; `None` for never.
    until: Option<Instant>,
    /// How long the slowest run without a schedule took.
    usual: Duration,
    baselines: u32,
    /// Why the last run could not be made.
    error: Option<Error>,
    interrupted_by: Option<i32>,
}

impl Runner for Runs<'_> {
    fn run(&mut self, schedule: &Schedule) -> Option<Run> {
        let left = match self.until {
            Some(until) => until.checked_duration_since(Instant::now())?,
            None => Duration::MAX,
        };
        let is_baseline = self.baselines < BASELINES;
        let own = if is_baseline {
            left
        } else {
            self.usual.saturating_mul(TIMES).saturating_add(MORE)
        };
        let stall = self.usual.saturating_mul(STALL_TIMES).max(STALL);
        let patience = Patience {
            limit: left.min(own),
            stall: (!is_baseline).then_some(stall),
        };
        match run(self.setup, schedule, patience) {
            // It is the search whose time is up.
            Ok(run) if left < own && run.end == End::TimedOut => None,
            Ok(run) => {
                if is_baseline {
                    self.baselines += 1;
                    self.usual = self.usual.max(run.took);
                }
                if let End::Interrupted(signal) = run.end {
                    self.interrupted_by = signal;
                }
                Some(run)
            }
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }
}

/// An exploration, and how it came to its end.
pub(crate) struct Searched {
    pub(crate) exploration: Exploration,
    pub(crate) took: Duration,
    /// The signal that told us to end.
    pub(crate) interrupted_by: Option<i32>,
}

/// Explore a command on this thread.
///
/// # Errors
/// Why the command cannot run.
pub(crate) fn explore_command(setup: &Setup, limits: &Limits) -> Result<Searched, Error> {
    let begun = Instant::now();
    let mut runs = Runs {
        setup,
        until: begun.checked_add(limits.time),
        usual: Duration::ZERO,
        baselines: 0,
        error: None,
        interrupted_by: None,
    };
    let exploration = explore(&mut runs, limits);
    Ok(Searched {
        exploration: unless_it_cannot_run(exploration, runs.error)?,
        took: begun.elapsed(),
        interrupted_by: runs.interrupted_by,
    })
}

/// An exploration, which may have ended with a run that could not be made: a command that
/// has run before can, and the machine lacked something (processes, descriptors).
fn unless_it_cannot_run(
    mut exploration: Exploration,
    error: Option<Error>,
) -> Result<Exploration, Error> {
    match error {
        Some(error) if exploration.baselines < BASELINES => return Err(error),
        Some(error) => {
            exploration.is_cut = true;
            exploration.ended_by = Some(error.to_string());
        }
        None => {}
    }
    Ok(exploration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_cannot_be_made_ends_the_search_and_keeps_what_was_found() {
        let error = || Error::NotFound("no more processes".to_owned());
        let after = |baselines, error| {
            let exploration = Exploration {
                baselines,
                ..Exploration::default()
            };
            unless_it_cannot_run(exploration, error)
        };
        assert!(after(2, Some(error())).is_err());
        let cut = after(3, Some(error())).unwrap();
        assert_eq!(cut.ended_by, Some("no more processes".to_owned()));
        assert!(cut.is_cut);
        let whole = after(3, None).unwrap();
        assert!(!whole.is_cut && whole.ended_by.is_none());
    }
}
