//! What the rules judge by: the same for a command and for a process.

use std::time::Duration;

use super::error::Error;
use crate::rules::{Expected, Policy, RuleId, Thresholds};
use crate::session::RuleOptions;

/// The options that were given so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    options: RuleOptions,
    /// What is wrong with the first that is.
    wrong: Option<String>,
}

impl Rules {
    pub(crate) fn threshold(&mut self, name: &str, time: Duration) {
        if self.options.thresholds.set(name, time).is_none() {
            let names = Thresholds::NAMES.map(|(name, _)| name).join(", ");
            let sentence = format!("there is no threshold {name:?}; there are {names}");
            self.wrong.get_or_insert(sentence);
        }
    }

    pub(crate) fn allow(&mut self, rule: RuleId) {
        self.options.policy.allow.push(rule);
    }

    pub(crate) fn policy(&mut self, policy: Policy) {
        self.options.policy = policy;
    }

    pub(crate) fn expect(&mut self, expected: Expected) {
        self.options.expected = expected;
    }

    /// All of them.
    ///
    /// # Errors
    /// An option that means nothing.
    pub(crate) fn resolve(self) -> Result<RuleOptions, Error> {
        self.wrong
            .map_or(Ok(self.options), |sentence| Err(Error::Invalid(sentence)))
    }
}

/// The methods that set the rules, for a builder with a field `rules`.
macro_rules! rule_methods {
    () => {
        /// How long is too long: `zombie`, `live`, `blocked`, `again`, `late`
        /// or `spin`, as `--threshold` has them ([`Thresholds`]). A test that
        /// must be fast wants a younger zombie than the usual one second.
        ///
        /// [`Thresholds`]: crate::rules::Thresholds
        pub fn threshold(mut self, name: &str, time: std::time::Duration) -> Self {
            self.rules.threshold(name, time);
            self
        }

        /// Do not report this rule's findings.
        pub fn allow(mut self, rule: crate::rules::RuleId) -> Self {
            self.rules.allow(rule);
            self
        }

        /// What is reported, and how severe it is; replaces what was allowed.
        pub fn policy(mut self, policy: crate::rules::Policy) -> Self {
            self.rules.policy(policy);
            self
        }

        /// How processes may end; other ends are findings.
        pub fn expect(mut self, expected: crate::rules::Expected) -> Self {
            self.rules.expect(expected);
            self
        }
    };
}

pub(crate) use rule_methods;
