//! How a run differs from the runs without a schedule. Pure.
//!
//! What varies between those is no oracle: an exit status or an output that is
//! not always the same says nothing.

use std::fmt;
use std::time::Duration;

use crate::event::Comm;
use crate::kernel::phrases::how_it_ended;
use crate::kernel::{Signal, WaitStatus};
use crate::rules::{Finding, RuleId, Severity};

use super::hang::Hang;
use super::run::{End, Run};
use super::written::{OutputDifference, Written};

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

/// What the runs without a schedule have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct Baseline {
    /// Keys of all that was ever wrong.
    known: Vec<Key>,
    /// The status, if it is always the same.
    status: Option<WaitStatus>,
    /// The standard output, if it is always the same but for its order.
    stdout: Option<Written>,
}

/// Why there is nothing to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoBaseline {
    /// A run without a schedule hangs.
    Hangs(Hang),
    /// One did not end in its time.
    TimedOut,
    /// The search ended before anything could be compared: there were too few runs,
    /// too little time, or we were told to end.
    TooFew,
}

impl Baseline {
    /// What these runs have in common.
    ///
    /// # Errors
    /// Why they cannot be compared with.
    pub(super) fn new(runs: &[Run]) -> Result<Baseline, NoBaseline> {
        let mut baseline = Baseline::default();
        let mut statuses = Vec::new();
        for run in runs {
            match &run.end {
                End::Ended(status) => statuses.push(*status),
                End::Hung(hang) => return Err(NoBaseline::Hangs(hang.clone())),
                End::TimedOut | End::Stalled(_) => return Err(NoBaseline::TimedOut),
                End::Interrupted(_) => return Err(NoBaseline::TooFew),
            }
            // What could happen and did not (an info) is no reason to be silent
            // when it does.
            let findings = run.findings.iter().filter(|finding| counts(finding));
            let findings = findings.cloned().map(Box::new);
            let findings = findings.map(|finding| Symptom::Finding(finding).key());
            let crashes = run.crashes.iter();
            let crashes = crashes.map(|(comm, signal)| Key::Crash(*comm, signal.raw()));
            baseline.known.extend(findings.chain(crashes));
        }
        if let Some(first) = statuses.first() {
            let is_same = statuses.iter().all(|status| status == first);
            baseline.status = is_same.then_some(*first);
        }
        if let Some(first) = runs.first() {
            let is_same = runs.iter().all(|run| run.stdout.is_like(&first.stdout));
            baseline.stdout = is_same.then(|| first.stdout.clone());
        }
        Ok(baseline)
    }

    /// What is wrong with a run that has one; of one with injected errors that is
    /// less, as it may well end otherwise.
    #[must_use]
    pub(super) fn symptoms(&self, run: &Run, has_faults: bool) -> Vec<Symptom> {
        let mut symptoms = Vec::new();
        symptoms.extend(run.kills_all.map(Symptom::KillsAll));
        symptoms.extend(run.ran_on.map(Symptom::RunsOn));
        if !has_faults {
            let findings = run.findings.iter().filter(|finding| counts(finding));
            symptoms.extend(findings.cloned().map(Box::new).map(Symptom::Finding));
        }
        let crashes = run.crashes.iter();
        symptoms.extend(crashes.map(|(comm, signal)| Symptom::Crash(*comm, *signal)));
        match &run.end {
            End::Hung(hang) => symptoms.push(Symptom::Hang(hang.clone())),
            End::Stalled(sleepers) => symptoms.push(Symptom::Stall {
                sleepers: sleepers.clone(),
                after: run.took,
            }),
            End::Ended(now) if !has_faults => {
                symptoms.extend(self.status_differs(*now));
                symptoms.extend(self.output_differs(&run.stdout));
            }
            End::Ended(_) | End::TimedOut | End::Interrupted(_) => {}
        }
        symptoms.retain(|symptom| !self.known.contains(&symptom.key()));
        symptoms.sort_by_key(Symptom::rank);
        symptoms
    }

    fn status_differs(&self, now: WaitStatus) -> Option<Symptom> {
        let usual = self.status.filter(|usual| *usual != now)?;
        Some(Symptom::Status { usual, now })
    }

    fn output_differs(&self, now: &Written) -> Option<Symptom> {
        let usual = self.stdout.as_ref()?;
        now.difference(usual).map(Symptom::Output)
    }
}

/// Whether a finding is a symptom: rules that depend on time find something else
/// in a run with holds.
fn counts(finding: &Finding) -> bool {
    finding.severity >= Severity::Warning && !finding.rule.rule().is_timed
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::hang::Sleeper;
    use super::super::scheduler::{Circumstances, Counts};
    use super::*;
    use crate::event::Image;
    use crate::kernel::{Tgid, Tid};
    use crate::ledger::Stamp;
    use crate::library::Keep;
    use crate::rules::{ProcessRef, RULES};

    /// A run that ended with this code and wrote this.
    pub(in super::super) fn ended(code: i32, stdout: &str) -> Run {
        Run {
            end: End::Ended(WaitStatus::from_raw(code << 8)),
            findings: Vec::new(),
            crashes: Vec::new(),
            stdout: {
                let mut written = Written::default();
                written.keep(stdout.as_bytes());
                written
            },
            counts: Counts::default(),
            forced: Counts::default(),
            at_play: Circumstances::default(),
            timed_out_in_hold: false,
            kills_all: None,
            ran_on: None,
            took: std::time::Duration::from_millis(10),
        }
    }

    /// A run that hangs.
    pub(in super::super) fn hung() -> Run {
        hung_of(&["x"])
    }

    /// One in which these programs hang.
    pub(in super::super) fn hung_of(names: &[&str]) -> Run {
        let sleeper = |name: &&str| Sleeper {
            tid: Tid::new(9),
            tgid: Tgid::new(9),
            comm: Comm::new(name.as_bytes()),
            call: "pause",
            first: None,
            may_be_woken: false,
        };
        let sleepers = names.iter().map(sleeper).collect();
        Run {
            end: End::Hung(Hang { sleepers }),
            ..ended(0, "")
        }
    }

    /// A finding in a program.
    pub(in super::super) fn found_in(name: &str) -> Finding {
        let lasting = RULES.iter().find(|rule| !rule.is_timed);
        let image = Image {
            comm: Comm::new(name.as_bytes()),
            ..Image::default()
        };
        let party = ProcessRef {
            id: None,
            tgid: Tgid::new(1),
            image: std::sync::Arc::new(image),
        };
        let finding = Finding::new(lasting.unwrap().id, party, Stamp::default());
        finding.severity(Severity::Error)
    }

    fn keys(baseline: &[Run], run: &Run) -> Vec<Key> {
        let baseline = Baseline::new(baseline).unwrap();
        let symptoms = baseline.symptoms(run, false);
        symptoms.iter().map(Symptom::key).collect()
    }

    #[test]
    fn another_status_and_another_output_are_symptoms() {
        let usual = [ended(0, "a\nb\n"), ended(0, "b\na\n"), ended(0, "a\nb\n")];
        assert_eq!(keys(&usual, &ended(0, "b\na\n")), []);
        assert_eq!(keys(&usual, &ended(1, "a\nb\n")), [Key::Status(0x100)]);
        assert_eq!(keys(&usual, &ended(0, "a\n")), [Key::Output]);
        let both = keys(&usual, &ended(3, "c\n"));
        assert_eq!(both, [Key::Status(0x300), Key::Output]);
    }

    #[test]
    fn what_varies_without_a_schedule_is_no_oracle() {
        let varying = [ended(0, "1\n"), ended(1, "2\n"), ended(0, "3\n")];
        assert_eq!(keys(&varying, &ended(7, "9\n")), []);
        let crashes = |mut run: Run| {
            run.crashes.push((Comm::new(b"x"), Signal::SEGV));
            run
        };
        let one_crashes = [ended(0, ""), crashes(ended(0, "")), ended(0, "")];
        assert_eq!(keys(&one_crashes, &crashes(ended(0, ""))), []);
        let none = [ended(0, ""), ended(0, "")];
        let key = Key::Crash(Comm::new(b"x"), Signal::SEGV.raw());
        assert_eq!(keys(&none, &crashes(ended(0, ""))), [key]);
    }

    #[test]
    fn what_was_latent_without_a_schedule_is_a_symptom_when_it_happens() {
        let rule = found_in("").rule;
        let with = |severity| Run {
            findings: vec![found_in("").severity(severity)],
            ..ended(0, "")
        };
        let usual = [with(Severity::Info), ended(0, ""), ended(0, "")];
        assert_eq!(keys(&usual, &with(Severity::Info)), []);
        let key = Key::Finding(rule, Comm::default());
        assert_eq!(keys(&usual, &with(Severity::Error)), [key]);
        let always = [with(Severity::Error), ended(0, "")];
        assert_eq!(keys(&always, &with(Severity::Error)), []);
    }

    #[test]
    fn a_hang_is_a_symptom_and_a_run_that_takes_long_is_none() {
        let usual = [ended(0, "a\n"), ended(0, "a\n")];
        let key = Key::Hang(vec![(Comm::new(b"x"), "pause")]);
        assert_eq!(keys(&usual, &hung()), [key]);
        let late = Run {
            end: End::TimedOut,
            ..ended(0, "")
        };
        assert_eq!(keys(&usual, &late), []);
        let none = Baseline::new(&[ended(0, ""), hung()]);
        assert!(matches!(none, Err(NoBaseline::Hangs(_))));
    }

    #[test]
    fn a_run_in_which_nothing_goes_on_is_a_symptom_of_its_own() {
        let End::Hung(sleepers) = hung().end else {
            unreachable!()
        };
        let stalled = Run {
            end: End::Stalled(sleepers),
            ..ended(0, "a\n")
        };
        let usual = [ended(0, "a\n"), ended(0, "a\n")];
        let baseline = Baseline::new(&usual).unwrap();
        let [symptom] = &baseline.symptoms(&stalled, false)[..] else {
            unreachable!()
        };
        assert_eq!(symptom.severity(), Severity::Warning);
        assert_eq!(symptom.to_string(), "stall of x in pause");
        let key = Key::Stall(vec![(Comm::new(b"x"), "pause")]);
        assert_eq!(symptom.key(), key);
        let none = Baseline::new(&[ended(0, ""), stalled]);
        assert!(matches!(none, Err(NoBaseline::TimedOut)));
    }

    #[test]
    fn with_injected_errors_only_hangs_crashes_and_kills_count() {
        let baseline = Baseline::new(&[ended(0, "a\n")]).unwrap();
        assert!(
            baseline
                .symptoms(&ended(1, "cannot fork\n"), true)
                .is_empty()
        );
        assert_eq!(baseline.symptoms(&hung(), true).len(), 1);
        let kills = Run {
            kills_all: Some(Comm::new(b"x")),
            ..ended(1, "")
        };
        assert_eq!(baseline.symptoms(&kills, true).len(), 1);
    }
}
