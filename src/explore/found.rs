//! How much is searched, and what is found. Pure.

use std::fmt;
use std::time::Duration;

use super::baseline::NoBaseline;
use super::oracle::Symptom;
use super::schedule::{Point, Schedule};
use super::scheduler::{Circumstances, Counts};
use crate::kernel::WaitStatus;
use crate::rules::Policy;

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many runs at most.
    pub runs: u32,
    /// How long at most.
    pub time: Duration,
    /// Inject errors too.
    pub faults: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            runs: 1000,
            time: Duration::from_secs(30),
            faults: false,
        }
    }
}

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The shortest schedule that shows it.
    pub schedule: Schedule,
    /// What is wrong, what explains most first.
    pub symptoms: Vec<Symptom>,
    /// What was at play at its points.
    pub at_play: Circumstances,
    /// In how many runs of that schedule it was seen.
    pub shown: u32,
    /// Of how many.
    pub runs: u32,
    /// In how many runs without a schedule it was seen, of how many.
    pub without: (u32, u32),
}

/// What was tried and found.
#[derive(Clone, Debug, Default)]
pub struct Exploration {
    /// What goes wrong.
    pub problems: Vec<Problem>,
    /// How many runs without a schedule there were.
    pub baselines: u32,
    /// How many schedules were tried.
    pub schedules: u32,
    /// How many runs there were, all in all.
    pub runs: u32,
    /// How often each point was reached in a run.
    pub counts: Counts,
    /// How often the order of events of each point came about in a run.
    pub forced: Counts,
    /// In how many runs each point was to be forced.
    pub tried: Counts,
    /// Why nothing was searched, if so.
    pub no_baseline: Option<NoBaseline>,
    /// Not all that there is was tried.
    pub is_cut: bool,
    /// Why no further run could be made, if that ended the search.
    pub ended_by: Option<String>,
    /// How the runs without a schedule ended, if all ended alike.
    pub usual: Option<WaitStatus>,
    /// What was not always the same without a schedule.
    pub varying: Vec<&'static str>,
    /// What is wrong without a schedule too: a rule or a signal, and the program.
    pub always: Vec<String>,
    /// Schedules under which it did not end in its time, which may be several times as
    /// long as usual.
    pub late: Vec<Schedule>,
    /// What was seen and could not be shown again, with its schedule.
    pub unconfirmed: Vec<(Schedule, Symptom)>,
}

impl Exploration {
    /// Whether a point was ever reached: where it was tried, its order of events came
    /// about.
    #[must_use]
    pub fn reached(&self, point: Point) -> bool {
        if self.tried.of(point) > 0 {
            return self.forced.of(point) > 0;
        }
        self.counts.of(point.counted_as()) > 0
    }
}

impl fmt::Display for Problem {
    /// `hang of sh under before@2`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, symptom) in self.symptoms.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{symptom}")?;
        }
        write!(f, " under {}", self.schedule)
    }
}

impl Problem {
    /// Whether it fails the run (`--fail-on`).
    #[must_use]
    pub fn fails(&self, policy: &Policy) -> bool {
        self.symptoms.iter().any(|symptom| match symptom {
            Symptom::Finding(finding) => policy.fails(finding),
            other => policy.fail_on.fails_at(other.severity()),
        })
    }
}
