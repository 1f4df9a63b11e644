//! What may be wrong with a run, and what makes it the same as in another one. Pure.

use std::fmt;
use std::time::Duration;

use crate::event::Comm;
use crate::kernel::phrases::how_it_ended;
use crate::kernel::{Signal, WaitStatus};
use crate::rules::{Finding, RuleId, Severity};

use super::hang::Hang;
use super::written::OutputDifference;

/// What is wrong with a run.
#[derive(Clone, Debug)]
pub enum Symptom {
    /// A rule found something.
    Finding(Box<Finding>),
    /// It can never end.
    Hang(Hang),
    /// Nothing goes on any more, and only the world outside may change that.
    Stall {
        /// Who sleeps.
        sleepers: Hang,
        /// How long the run lasted until then.
        after: Duration,
    },
    /// A process was killed by a signal of its own fault.
    Crash(Comm, Signal),
    /// The command ended with another status.
    Status {
        /// Without a schedule.
        usual: WaitStatus,
        /// With it.
        now: WaitStatus,
    },
    /// It wrote other bytes to its standard output.
    Output(OutputDifference),
    /// It tried to signal every process there is.
    KillsAll(Comm),
    /// A child went on as its parent after its exec failed.
    RunsOn(Comm),
}

/// What makes two symptoms the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A rule, and the program.
    Finding(RuleId, Comm),
    /// The programs and the calls that they sleep in.
    Hang(Vec<(Comm, &'static str)>),
    /// The same of a stall.
    Stall(Vec<(Comm, &'static str)>),
    /// A program and its signal.
    Crash(Comm, i32),
    /// The new status.
    Status(i32),
    /// The output.
    Output,
    /// The program.
    KillsAll(Comm),
    /// The program.
    RunsOn(Comm),
}

impl fmt::Display for Symptom {
    /// Without pids and times: `stolen-child of sh`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Symptom::Finding(finding) => write!(f, "{name} of {}", finding.parent.comm()),
            Symptom::Hang(hang) | Symptom::Stall { sleepers: hang, .. } => {
                let calls = hang.sleepers.iter();
                let calls: Vec<String> = calls
                    .map(|one| format!("{} in {}", one.comm, one.call))
                    .collect();
                write!(f, "{name} of {}", calls.join(", "))
            }
            Symptom::Crash(comm, signal) => write!(f, "{name} of {comm} by {signal}"),
            Symptom::Status { usual, now } => {
                write!(
                    f,
                    "{name}: {}, not {}",
                    how_it_ended(*now),
                    how_it_ended(*usual)
                )
            }
            Symptom::Output(_) => f.write_str(name),
            Symptom::KillsAll(comm) | Symptom::RunsOn(comm) => write!(f, "{name} of {comm}"),
        }
    }
}

impl Symptom {
    /// The rule's name, or what else it is.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Symptom::Finding(finding) => finding.rule.name(),
            Symptom::Hang(_) => "hang",
            Symptom::Stall { .. } => "stall",
            Symptom::Crash(..) => "crash",
            Symptom::Status { .. } => "status",
            Symptom::Output(_) => "output",
            Symptom::KillsAll(_) => "kills-all",
            Symptom::RunsOn(_) => "runs-on",
        }
    }

    /// What makes it the same as another run's.
    pub(super) fn key(&self) -> Key {
        match self {
            Symptom::Finding(finding) => Key::Finding(finding.rule, finding.parent.comm()),
            Symptom::Hang(hang) => Key::Hang(hang.calls()),
            Symptom::Stall { sleepers, .. } => Key::Stall(sleepers.calls()),
            Symptom::Crash(comm, signal) => Key::Crash(*comm, signal.raw()),
            Symptom::Status { now, .. } => Key::Status(now.raw()),
            Symptom::Output(_) => Key::Output,
            Symptom::KillsAll(comm) => Key::KillsAll(*comm),
            Symptom::RunsOn(comm) => Key::RunsOn(*comm),
        }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Symptom::Finding(finding) => finding.severity,
            Symptom::Output(_) | Symptom::Stall { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// Those that explain more come first.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Symptom::KillsAll(_) | Symptom::RunsOn(_) => 0,
            Symptom::Finding(_) => 1,
            Symptom::Hang(_) | Symptom::Stall { .. } => 2,
            Symptom::Crash(..) => 3,
            Symptom::Status { .. } => 4,
            Symptom::Output(_) => 5,
        }
    }
}
