//! Ends that the user did not expect (`--expect-exit`, `--expect-signal`), and
//! the wait that reported them.

use std::fmt;

use super::RuleContext;
use super::diagnosis::{CallName, End};
use super::finding::{Evidence, Finding, ProcessRef};
use crate::event::EventKind;
use crate::kernel::{Signal, Status, WaitStatus};
use crate::ledger::{Process, Stamp};

/// How processes may end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// With these codes; `None` for any.
    pub codes: Option<Vec<u8>>,
    /// By these signals; `None` for none if codes are given, else for any.
    pub signals: Option<Vec<Signal>>,
}

impl Expected {
    /// Whether an end is as expected.
    #[must_use]
    pub fn admits(&self, status: WaitStatus) -> bool {
        match status.decode() {
            Status::Exited(code) => {
                let codes = self.codes.as_ref();
                codes.is_none_or(|codes| codes.contains(&code))
            }
            Status::Signaled { signal, .. } => match (&self.signals, &self.codes) {
                (Some(signals), _) => signals.contains(&signal),
                (None, codes) => codes.is_none(),
            },
            _ => true,
        }
    }

    /// What is admitted, in words: `exit codes 0 and 1, SIGTERM`.
    #[must_use]
    pub fn words(&self) -> String {
        let codes = match self.codes.as_deref() {
            None => "any exit code".to_owned(),
            Some([code]) => format!("exit code {code}"),
            Some(codes) => format!("exit codes {}", alternatives(codes)),
        };
        match (self.signals.as_deref(), &self.codes) {
            (None, None) => "any end".to_owned(),
            (None, Some(_)) => codes,
            (Some([]), _) => format!("{codes}, no death by a signal"),
            (Some(signals), _) => format!("{codes}, death by {}", alternatives(signals)),
        }
    }

    fn is_anything(&self) -> bool {
        self.codes.is_none() && self.signals.is_none()
    }
}

/// `0, 1 or 2`
fn alternatives<T: fmt::Display>(all: &[T]) -> String {
    let words: Vec<String> = all.iter().map(T::to_string).collect();
    match words.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => words.concat(),
    }
}

/// State kept between events: what is expected.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    expected: Expected,
}

impl Ends {
    pub(super) fn new(expected: Expected) -> Ends {
        Ends { expected }
    }

    pub(super) fn event(&self, context: &mut RuleContext) {
        if self.expected.is_anything() {
            return;
        }
        let (event, ledger) = (context.event, context.ledger);
        match &event.kind {
            EventKind::WaitEnded(_) | EventKind::Observed(_) => {
                if let Some(child) = ledger.just_reaped() {
                    self.judge(child, context);
                }
            }
            EventKind::Ended { .. } if event.tgid.leader() == event.tid => {
                let ended = ledger.process(event.tgid);
                if let Some(ended) = ended.filter(|ended| ended.reaped.is_some()) {
                    self.judge(ended, context);
                }
            }
            EventKind::Over => {
                let mut left: Vec<&Process> = ledger
                    .processes()
                    .filter(|child| child.is_zombie())
                    .collect();
                left.sort_by_key(|child| child.id);
                for child in left {
                    self.judge(child, context);
                }
            }
            _ => {}
        }
    }

    fn judge(&self, child: &Process, context: &mut RuleContext) {
        let Some(end) = child.ended.filter(|end| !self.expected.admits(end.status)) else {
            return;
        };
        let reap = child.reaped.filter(|reap| reap.way.is_wait());
        let wait = reap.and(child.history.last.as_ref());
        let parent = match reap {
            Some(reap) => context.ledger.parent(reap.by_process),
            None => context.ledger.parent_of(child),
        };
        let process = ProcessRef::new(parent.unwrap_or(child));
        let line = wait.zip(parent).map(|(completed, parent)| {
            Evidence::waited(completed, context.ledger, parent.tgid, "got the status")
        });
        let when = Stamp {
            seq: context.event.seq,
            ..end.when
        };
        let diagnosis = End::UnexpectedExit {
            expected: self.expected.clone(),
            reported_by: wait.map(CallName::from),
            is_outside: parent.is_none(),
        };
        let finding = Finding::new(diagnosis, process, when)
            .about(child)
            .evidence(Evidence::ended(child, "").into_iter().chain(line));
        context.findings.add(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_no_exit_code() {
        let (good, bad) = (WaitStatus::from_raw(0), WaitStatus::from_raw(3 << 8));
        let killed = WaitStatus::from_raw(15);
        let codes = Expected {
            codes: Some(vec![0]),
            signals: None,
        };
        assert!(codes.admits(good) && !codes.admits(bad) && !codes.admits(killed));
        let signals = Expected {
            codes: None,
            signals: Some(vec![]),
        };
        assert!(signals.admits(bad) && !signals.admits(killed));
        let both = Expected {
            codes: Some(vec![0]),
            signals: Some(vec![Signal::TERM]),
        };
        assert!(both.admits(killed) && !both.admits(bad));
        assert!(Expected::default().admits(killed));
    }

    #[test]
    fn what_is_expected_is_said_in_words() {
        let words = |codes: Option<&[u8]>, signals: Option<&[Signal]>| {
            let expected = Expected {
                codes: codes.map(<[u8]>::to_vec),
                signals: signals.map(<[Signal]>::to_vec),
            };
            expected.words()
        };
        assert_eq!(words(Some(&[0]), None), "exit code 0");
        assert_eq!(
            words(Some(&[0, 1, 7]), Some(&[Signal::TERM])),
            "exit codes 0, 1 or 7, death by SIGTERM"
        );
        assert_eq!(
            words(None, Some(&[])),
            "any exit code, no death by a signal"
        );
    }
}
