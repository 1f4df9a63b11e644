//! How a run differs from the runs without a schedule. Pure.
//!
//! What varies between those is no oracle. A status or a finding that one of them had alone
//! is doubtful: a race may have happened by itself, on a busy machine. An output may well
//! depend on who was faster.

use super::hang::Hang;
use super::oracle::{Key, Symptom};
use super::run::{End, Run};
use super::written::Written;
use crate::kernel::{Signal, WaitStatus};
use crate::rules::{Finding, Severity};

/// What the runs without a schedule have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct Baseline {
    /// Keys of what was wrong in several of them.
    known: Vec<Key>,
    /// Keys of what was wrong in one.
    once: Vec<Key>,
    status: UsualStatus,
    /// The standard output, if it is always the same but for its order.
    stdout: Option<Written>,
}

/// How the runs without a schedule end.
#[derive(Clone, Copy, Debug, Default)]
struct UsualStatus {
    /// Most of them.
    most: Option<WaitStatus>,
    /// That is all of them.
    is_certain: bool,
}

impl UsualStatus {
    fn of(all: &[WaitStatus]) -> UsualStatus {
        let alike = |one: &WaitStatus| all.iter().filter(|other| *other == one).count();
        let most = all.iter().find(|one| alike(one) * 2 > all.len());
        UsualStatus {
            most: most.copied(),
            is_certain: most.is_some_and(|most| alike(most) == all.len()),
        }
    }
}

/// Why there is nothing to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoBaseline {
    /// A run without a schedule hangs.
    Hangs(Hang),
    /// One did not end in its time.
    TimedOut,
    /// The search ended before anything could be compared: there were too few runs,
    /// too little time, or the search was interrupted.
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
            for key in wrong_with(run) {
                if baseline.known.contains(&key) {
                    continue;
                }
                if baseline.once.contains(&key) {
                    baseline.known.push(key);
                } else {
                    baseline.once.push(key);
                }
            }
        }
        baseline.once.retain(|key| !baseline.known.contains(key));
        baseline.status = UsualStatus::of(&statuses);
        if let Some(first) = runs.first() {
            let is_same = runs.iter().all(|run| run.stdout.is_like(&first.stdout));
            baseline.stdout = is_same.then(|| first.stdout.clone());
        }
        Ok(baseline)
    }

    /// What is wrong whatever the order of events is: `zombie-leak of sh`.
    pub(super) fn always(&self) -> Vec<String> {
        let known = self.known.iter().filter_map(|key| match key {
            Key::Finding(rule, program) => Some(format!("{} of {program}", rule.name())),
            Key::Crash(program, signal) => {
                Some(format!("{} of {program}", Signal::from_raw(*signal)))
            }
            _ => None,
        });
        let mut known: Vec<String> = known.collect();
        known.sort();
        known
    }

    /// How they ended, if all ended alike.
    pub(super) fn usual(&self) -> Option<WaitStatus> {
        self.status.most.filter(|_| self.status.is_certain)
    }

    /// What was not the same in all of them.
    pub(super) fn varying(&self) -> Vec<&'static str> {
        let varies = [
            ("exit status", !self.status.is_certain),
            ("standard output", self.stdout.is_none()),
            ("findings", !self.once.is_empty()),
        ];
        let varies = varies.into_iter().filter(|(_, varies)| *varies);
        varies.map(|(what, _)| what).collect()
    }

    /// Whether a run without a schedule had the like, so that it counts only if a
    /// schedule shows it always, and none hardly ever.
    pub(super) fn is_doubtful(&self, symptom: &Symptom) -> bool {
        match symptom {
            Symptom::Status { .. } => !self.status.is_certain,
            other => self.once.contains(&other.key()),
        }
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
        let usual = self.status.most.filter(|usual| *usual != now)?;
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

/// What is wrong in a run without a schedule, each once. What could happen and did not (an
/// info) is no reason to be silent when it does.
fn wrong_with(run: &Run) -> Vec<Key> {
    let findings = run.findings.iter().filter(|finding| counts(finding));
    let findings = findings.map(|finding| Key::Finding(finding.rule, finding.parent.comm()));
    let crashes = run.crashes.iter();
    let crashes = crashes.map(|(comm, signal)| Key::Crash(*comm, signal.raw()));
    let mut keys: Vec<Key> = Vec::new();
    for key in findings.chain(crashes) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{ended, found_in, hung};
    use super::*;
    use crate::event::Comm;
    use crate::kernel::Signal;
    use crate::rules::Severity;

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
        let varying = [ended(0, "1\n"), ended(1, "2\n"), ended(2, "3\n")];
        assert_eq!(keys(&varying, &ended(7, "9\n")), []);
        let crashes = |mut run: Run| {
            run.crashes.push((Comm::new(b"x"), Signal::SEGV));
            run
        };
        let crashed = crashes(ended(0, ""));
        let two_crash = [ended(0, ""), crashed.clone(), crashed.clone()];
        assert_eq!(keys(&two_crash, &crashed), []);
        let none = [ended(0, ""), ended(0, "")];
        let key = Key::Crash(Comm::new(b"x"), Signal::SEGV.raw());
        assert_eq!(keys(&none, &crashed), [key]);
    }

    #[test]
    fn what_one_run_without_a_schedule_had_is_doubtful() {
        let doubtful = |usual: &[Run], run: &Run| {
            let baseline = Baseline::new(usual).unwrap();
            let symptoms = baseline.symptoms(run, false);
            let all = symptoms.iter().map(|one| baseline.is_doubtful(one));
            (all.collect::<Vec<bool>>(), baseline.varying())
        };
        let usual = [ended(0, "a\n"), ended(1, "a\n"), ended(0, "a\n")];
        let (all, varying) = doubtful(&usual, &ended(1, "b\n"));
        assert_eq!(
            (&all[..], &varying[..]),
            (&[true, false][..], &["exit status"][..])
        );
        let usual = [ended(0, "a\n"), ended(0, "a\n"), ended(0, "c\n")];
        // An output that varies is no oracle at all.
        let (all, varying) = doubtful(&usual, &ended(1, "b\n"));
        assert_eq!((all, varying), (vec![false], vec!["standard output"]));
        let with = Run {
            findings: vec![found_in("x"), found_in("x")],
            ..ended(0, "")
        };
        let (all, varying) = doubtful(&[ended(0, ""), with.clone(), ended(0, "")], &with);
        assert_eq!(
            (&all[..], &varying[..]),
            (&[true, true][..], &["findings"][..])
        );
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
        let always = [with(Severity::Error), with(Severity::Error)];
        assert_eq!(keys(&always, &with(Severity::Error)), []);
        let name = found_in("").rule.name();
        let baseline = Baseline::new(&always).unwrap();
        assert_eq!(baseline.always(), [format!("{name} of ")]);
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
