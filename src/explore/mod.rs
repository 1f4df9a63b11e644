//! The race explorer: a command is run under many schedules that the kernel
//! could have produced too, and what goes wrong under which is reported.
//!
//! | file | subject |
//! |---|---|
//! | `schedule` | what is forced, as a value |
//! | `scheduler` | holds tasks at the points of a schedule |
//! | `run` | one run |
//! | `hang` | whether a run can never end |
//! | `oracle` | what may be wrong with a run |
//! | `baseline` | how a run differs from those without a schedule |
//! | `runs` | all runs, within their time |
//! | `search` | which schedules are tried, in which order |
//! | `known` | whether something was found already |
//! | `turns` | in which order the occurrences of a point are tried |
//! | `found` | how much is searched, and what is found |
//! | `advice` | what a point means, and what to do |
//! | `report` | what was found |
//! | `forms` | the report for programs |
//! | `written` | what a run wrote to its standard output |
//! | `builder` | the same for programs of one's own |

mod advice;
mod baseline;
mod builder;
mod forms;
mod found;
mod hang;
mod known;
#[cfg(test)]
mod made_up;
mod oracle;
mod report;
mod run;
mod runs;
mod schedule;
mod scheduler;
mod search;
mod turns;
mod written;

pub use advice::AtPlay;
pub use baseline::NoBaseline;
pub use builder::{Explore, Explored};
pub use found::{Exploration, Limits, Problem};
pub(crate) use hang::HangWatch;
pub use hang::{Hang, STOPPED, Sleeper};
pub use oracle::Symptom;
pub(crate) use report::{ExplorationReport, in_short};
#[cfg(feature = "cli")]
pub(crate) use run::NEEDS_PROC;
pub(crate) use run::Setup;
pub(crate) use runs::{Searched, explore_command};
pub use schedule::{BadSchedule, Point, Schedule, Step};
pub(crate) use scheduler::Explorer;
pub use scheduler::{Circumstances, Counts, Place};
pub use written::OutputDifference;
