//! The user's policy: which findings are reported, with which severity, and which
//! fail the run.

use thiserror::Error;

use super::finding::Finding;
use super::table::{RuleId, Severity};
use crate::kernel::phrases::plural;

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

impl FailOn {
    /// Whether what is as bad as this fails the run, whatever rule it is of.
    #[must_use]
    pub fn fails_at(&self, severity: Severity) -> bool {
        self.level.is_some_and(|level| severity >= level)
    }
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

    /// Why admitted findings fail the run, if they do: `1 warning (--fail-on warning)`.
    #[must_use]
    pub fn failure(&self, findings: &[Finding]) -> Option<String> {
        let failing: Vec<&Finding> = findings.iter().filter(|f| self.fails(f)).collect();
        let levels = [Severity::Error, Severity::Warning, Severity::Info];
        let counts = levels.into_iter().filter_map(|level| {
            let count = failing
                .iter()
                .filter(|finding| finding.severity == level)
                .count();
            let name = level.name();
            (count > 0).then(|| plural(count as u64, name, &format!("{name}s")))
        });
        let counts: Vec<String> = counts.collect();
        let worst = failing.iter().map(|finding| finding.severity).max()?;
        let by_level = self.fail_on.level.filter(|level| worst >= *level);
        let has = |rule: &&RuleId| failing.iter().any(|finding| finding.rule == **rule);
        let flags = by_level.map(|level| format!("--fail-on {}", level.name()));
        let named = self.fail_on.rules.iter().filter(has);
        let named = named.map(|rule| format!("--fail-on {}", rule.name()));
        let denied = self.deny.iter().filter(has);
        let denied = denied.map(|rule| format!("--deny {}", rule.name()));
        let flags: Vec<String> = flags.into_iter().chain(named).chain(denied).collect();
        Some(format!("{} ({})", counts.join(", "), flags.join(", ")))
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

/// A line of known findings that names no rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: there is no rule {name:?}")]
pub struct UnknownRule {
    /// Number of the line, from 1.
    pub line: usize,
    /// What stands where a rule's name belongs.
    pub name: String,
}

impl Suppressions {
    /// Reads the lines of a file: `RULE [PROGRAM]`, `*` for any, `#` begins a
    /// comment.
    ///
    /// # Errors
    /// The first line that names no rule.
    pub fn parse(text: &str) -> Result<Suppressions, UnknownRule> {
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
                name => Some(RuleId::from_name(name).ok_or_else(|| UnknownRule {
                    line: number,
                    name: name.to_owned(),
                })?),
            };
            // A program's name may have spaces.
            let program = words.collect::<Vec<_>>().join(" ");
            let program = Some(program).filter(|name| !name.is_empty() && name != "*");
            all.push((rule, program));
        }
        Ok(Suppressions(all))
    }

    fn cover(&self, finding: &Finding) -> bool {
        self.0.iter().any(|line| meets(line, finding))
    }

    /// The lines that none of these findings meets.
    #[must_use]
    pub fn unused(&self, findings: &[Finding]) -> Vec<String> {
        let unused = self.0.iter();
        let unused = unused.filter(|line| !findings.iter().any(|finding| meets(line, finding)));
        unused
            .map(|(rule, program)| {
                let rule = rule.map_or("*", RuleId::name);
                format!("\"{rule} {}\"", program.as_deref().unwrap_or("*"))
            })
            .collect()
    }
}

/// Whether a known finding is this one.
fn meets((rule, program): &(Option<RuleId>, Option<String>), finding: &Finding) -> bool {
    let comm = one_space(&finding.parent.comm().to_string());
    rule.is_none_or(|rule| rule == finding.rule)
        && program.as_ref().is_none_or(|name| *name == comm)
}

/// A name as a line of known findings has it.
fn one_space(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The line that makes a finding a known one.
#[must_use]
pub fn suppression(finding: &Finding) -> String {
    let program = one_space(&finding.parent.comm().to_string());
    let is_sayable = !program.is_empty() && !program.contains('#');
    let program = if is_sayable { program.as_str() } else { "*" };
    format!("{} {program}", finding.rule.name())
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
        let admitted = |rule, comm| policy.admit(&finding(rule, comm)).is_some();
        assert!(!admitted(RuleId::ZombieLeak, "sh") && admitted(RuleId::ZombieLeak, "bash"));
        assert!(!admitted(RuleId::LateReap, "bash"));
        let denied = Policy {
            deny: vec![RuleId::LateReap],
            ..policy
        };
        assert!(denied.admit(&finding(RuleId::LateReap, "bash")).is_none());
        let unknown = Suppressions::parse("# known\nnope sh").unwrap_err();
        assert_eq!((unknown.line, unknown.name.as_str()), (2, "nope"));
        let spaces = Suppressions::parse("* a  b").unwrap();
        assert!(spaces.cover(&finding(RuleId::LateReap, "a b")));
    }

    #[test]
    fn a_finding_has_a_line_that_accepts_it_and_lines_may_meet_nothing() {
        for name in ["sh", "Web Content", "a#b", ""] {
            let finding = finding(RuleId::ZombieLeak, name);
            let line = suppression(&finding);
            assert!(
                Suppressions::parse(&line).unwrap().cover(&finding),
                "{line}"
            );
        }
        let known = Suppressions::parse("zombie-leak sh\nlate-reap *\n").unwrap();
        let found = [finding(RuleId::ZombieLeak, "sh")];
        assert_eq!(known.unused(&found), ["\"late-reap *\""]);
    }

    #[test]
    fn what_fails_a_run_is_said_with_the_flag() {
        let policy = Policy {
            deny: vec![RuleId::LateReap],
            fail_on: FailOn {
                level: Some(Severity::Warning),
                rules: Vec::new(),
            },
            ..Policy::default()
        };
        let found = [RuleId::ZombieLeak, RuleId::ZombieLeak].map(|rule| finding(rule, "x"));
        let why = policy.failure(&found).unwrap();
        assert_eq!(why, "2 warnings (--fail-on warning)");
        let denied = policy.admit(&finding(RuleId::LateReap, "x")).unwrap();
        let why = policy.failure(&[denied]).unwrap();
        assert_eq!(why, "1 error (--fail-on warning, --deny late-reap)");
        assert_eq!(policy.failure(&[finding(RuleId::DoubleWait, "x")]), None);
    }
}
