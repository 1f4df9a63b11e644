//! The user's policy: which findings are reported, with which severity, and which
//! fail the run.

use super::finding::Finding;
use super::table::{RuleId, Severity};

/// `--allow`, `--warn`, `--deny`, `--suppress` and `--fail-on`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Rules that are not reported.
    pub allow: Vec<RuleId>,
    /// Rules whose findings are warnings.
    pub warn: Vec<RuleId>,
    /// Rules whose findings are errors, and fail the run.
    pub deny: Vec<RuleId>,
    /// Known findings of certain programs.
    pub suppress: Suppressions,
    /// What fails the run.
    pub fail_on: FailOn,
}

/// What fails the run (`--fail-on`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailOn {
    /// Findings of this severity or worse.
    pub level: Option<Severity>,
    /// Findings of these rules, whatever their severity.
    pub rules: Vec<RuleId>,
}

impl Policy {
    /// The finding as it is reported; `None` if it is not.
    #[must_use]
    pub fn admit(&self, finding: &Finding) -> Option<Finding> {
        let rule = finding.rule;
        if self.suppress.cover(finding) {
            return None;
        }
        let severity = if self.deny.contains(&rule) {
            Severity::Error
        } else if self.warn.contains(&rule) {
            Severity::Warning
        } else if self.allow.contains(&rule) {
            return None;
        } else {
            finding.severity
        };
        Some(finding.clone().severity(severity))
    }

    /// Whether an admitted finding fails the run.
    #[must_use]
    pub fn fails(&self, finding: &Finding) -> bool {
        let by_level = self
            .fail_on
            .level
            .is_some_and(|level| finding.severity >= level);
        let by_rule = [&self.fail_on.rules, &self.deny];
        by_level || by_rule.iter().any(|rules| rules.contains(&finding.rule))
    }
}

/// Known findings: a rule and the name of a program on each line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suppressions(Vec<(Option<RuleId>, Option<String>)>);

impl Suppressions {
    /// Reads the lines of a file: `RULE [PROGRAM]`, `*` for any, `#` begins a
    /// comment.
    ///
    /// # Errors
    /// The first line that is invalid, and why.
    pub fn parse(text: &str) -> Result<Suppressions, String> {
        let mut all = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(rule) = words.next() else {
                continue;
            };
            let number = index + 1;
            let rule = match rule {
                "*" => None,
                name => Some(
                    RuleId::from_name(name)
                        .ok_or_else(|| format!("line {number}: there is no rule {name:?}"))?,
                ),
            };
            let program = words.next().filter(|name| *name != "*");
            if words.next().is_some() {
                return Err(format!("line {number}: more than a rule and a program"));
            }
            all.push((rule, program.map(str::to_owned)));
        }
        Ok(Suppressions(all))
    }

    fn cover(&self, finding: &Finding) -> bool {
        self.0.iter().any(|(rule, program)| {
            let comm = finding.parent.comm().to_string();
            rule.is_none_or(|rule| rule == finding.rule)
                && program.as_ref().is_none_or(|name| *name == comm)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Comm, Image};
    use crate::kernel::Tgid;
    use crate::ledger::Stamp;
    use crate::rules::ProcessRef;

    fn finding(rule: RuleId, comm: &str) -> Finding {
        let image = Arc::new(Image {
            comm: Comm::new(comm.as_bytes()),
            ..Image::default()
        });
        let process = ProcessRef {
            id: None,
            tgid: Tgid::new(1),
            image,
        };
        Finding::new(rule, process, Stamp::default())
    }

    #[test]
    fn the_user_decides_how_bad_a_rule_is() {
        let policy = Policy {
            allow: vec![RuleId::ZombieLeak],
            warn: vec![RuleId::StolenChild],
            deny: vec![RuleId::LateReap],
            ..Policy::default()
        };
        let admit = |rule| policy.admit(&finding(rule, "x")).map(|f| f.severity);
        assert_eq!(admit(RuleId::ZombieLeak), None);
        assert_eq!(admit(RuleId::StolenChild), Some(Severity::Warning));
        assert_eq!(admit(RuleId::LateReap), Some(Severity::Error));
        assert_eq!(admit(RuleId::DoubleWait), Some(Severity::Info));
        assert!(policy.fails(&finding(RuleId::LateReap, "x")));
        assert!(!policy.fails(&finding(RuleId::StolenChild, "x")));
    }

    #[test]
    fn a_run_fails_on_a_level_and_worse() {
        let policy = Policy {
            fail_on: FailOn {
                level: Some(Severity::Warning),
                rules: vec![RuleId::DoubleWait],
            },
            ..Policy::default()
        };
        let fails = |rule| policy.fails(&finding(rule, "x"));
        assert!(fails(RuleId::StolenChild) && fails(RuleId::ZombieLeak));
        assert!(fails(RuleId::DoubleWait) && !fails(RuleId::LateReap));
    }

    #[test]
    fn known_findings_of_a_program_are_suppressed() {
        let text = "# known\nzombie-leak sh # issue 7\n\nlate-reap *\n";
        let policy = Policy {
            suppress: Suppressions::parse(text).unwrap(),
            ..Policy::default()
        };
        let told = |rule, comm| policy.admit(&finding(rule, comm)).is_some();
        assert!(!told(RuleId::ZombieLeak, "sh") && told(RuleId::ZombieLeak, "bash"));
        assert!(!told(RuleId::LateReap, "bash"));
        let denied = Policy {
            deny: vec![RuleId::LateReap],
            ..policy
        };
        assert!(denied.admit(&finding(RuleId::LateReap, "bash")).is_none());
        assert!(
            Suppressions::parse("nope sh")
                .unwrap_err()
                .contains("line 1")
        );
        assert!(Suppressions::parse("* a b").is_err());
    }
}
