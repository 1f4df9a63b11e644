//! What is judged, and how: the same for a command and for a process.

use std::time::Duration;

use super::error::Error;
use crate::command::ReportOptions;
use crate::rules::{Expected, Policy, RuleId, Thresholds};

/// The judgement that was asked for so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    judging: ReportOptions,
    /// The first wish that means nothing.
    wrong: Option<String>,
}

impl Wishes {
    pub(super) fn threshold(&mut self, name: &str, time: Duration) {
        if self.judging.thresholds.set(name, time).is_none() {
            let names = Thresholds::NAMES.map(|(name, _)| name).join(", ");
            let sentence = format!("there is no threshold {name:?}; there are {names}");
            self.wrong.get_or_insert(sentence);
        }
    }

    pub(super) fn allow(&mut self, rule: RuleId) {
        self.judging.policy.allow.push(rule);
    }

    pub(super) fn policy(&mut self, policy: Policy) {
        self.judging.policy = policy;
    }

    pub(super) fn expect(&mut self, expected: Expected) {
        self.judging.expected = expected;
    }

    /// What it all means.
    ///
    /// # Errors
    /// A wish that means nothing.
    pub(super) fn mean(self) -> Result<ReportOptions, Error> {
        self.wrong
            .map_or(Ok(self.judging), |sentence| Err(Error::Invalid(sentence)))
    }
}

/// The methods that say what is judged, for a builder with a field `wishes`.
macro_rules! judging_methods {
    () => {
        /// How long is too long: `zombie`, `live`, `blocked`, `again`, `late`
        /// or `spin`, as `--threshold` has them ([`Thresholds`]). A test that
        /// must be fast wants a younger zombie than the usual one second.
        ///
        /// [`Thresholds`]: crate::rules::Thresholds
        pub fn threshold(mut self, name: &str, time: std::time::Duration) -> Self {
            self.wishes.threshold(name, time);
            self
        }

        /// Do not tell of this rule.
        pub fn allow(mut self, rule: crate::rules::RuleId) -> Self {
            self.wishes.allow(rule);
            self
        }

        /// What is told, and how severe it is; replaces what was allowed.
        pub fn policy(mut self, policy: crate::rules::Policy) -> Self {
            self.wishes.policy(policy);
            self
        }

        /// How processes may end; other ends are findings.
        pub fn expect(mut self, expected: crate::rules::Expected) -> Self {
            self.wishes.expect(expected);
            self
        }
    };
}

pub(super) use judging_methods;
