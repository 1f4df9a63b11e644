//! The report: what is wrong, in rustc's shape or in that of a CI. Pure:
//! findings in, text out.

mod body;
mod github;
mod gitlab;
mod junit;
mod wording;
mod words;

pub(crate) use github::github_command;
pub(crate) use gitlab::{GitlabEntry, gitlab_array};
pub(crate) use junit::{JunitCase, junit_suite};

pub(super) use body::evidence_lines;
pub(super) use wording::{advice, sentence};
pub(crate) use words::shell_word;
pub(super) use words::{call_words, shortly};

use std::fmt::Write;
use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::frames::own_places;
use super::places::Place;
use super::styles::Styles;
use crate::kernel::phrases::plural;
use crate::ledger::Counts;
use crate::rules::{Finding, Severity};

/// The report's forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReportForm {
    /// For people.
    #[default]
    Text,
    /// Workflow commands of GitHub Actions.
    Github,
    /// A Code Quality report of GitLab.
    Gitlab,
    /// A test suite in XML, as Jenkins and others read it.
    Junit,
}

/// What is reported when a trace is over, or so far.
#[derive(Debug)]
pub struct Report<'a> {
    /// What was found.
    pub findings: &'a [Finding],
    /// How many processes there were.
    pub counts: Counts,
    /// How many zombies were not reaped while their parent lived on.
    pub left: u64,
    /// What was out of sight, a clause each.
    pub unseen: &'a [String],
    /// Lines of known findings that no finding met.
    pub unused: &'a [String],
    /// What else is said of a record, a sentence each.
    pub notes: &'a [String],
    /// Its colours.
    pub styles: Styles,
    /// The last line is wanted.
    pub summary: bool,
    /// The folder that CIs count the paths of source files from; empty if it is
    /// not known.
    pub root: String,
}

impl Report<'_> {
    /// The report in one of its forms.
    #[must_use]
    pub fn formed(&self, form: ReportForm) -> String {
        match form {
            ReportForm::Text => self.text(),
            ReportForm::Github => self.github(),
            ReportForm::Gitlab => self.gitlab(),
            ReportForm::Junit => self.junit(),
        }
    }

    /// The whole text; a clean run is one line.
    #[must_use]
    pub fn text(&self) -> String {
        let mut to = String::new();
        for same in self.groups() {
            let Some((finding, more)) = same.split_first() else {
                continue;
            };
            let style = match finding.severity {
                Severity::Error => self.styles.wrong,
                Severity::Warning => self.styles.warned,
                Severity::Info => self.styles.dim,
            };
            let head = format!("{}[{}]", finding.severity.name(), finding.rule.name());
            let (head, sentence) = (style.style(head), sentence(finding));
            // Writing to a String cannot fail.
            let _ = writeln!(to, "{head}: {sentence}\n{}", self.with_more(finding, more));
        }
        self.end(&mut to);
        to
    }

    /// The source line of the first call in the evidence, or else of the first
    /// child's creation: file, as CIs want it, and line.
    fn source(&self, finding: &Finding) -> Option<(String, u32)> {
        finding.stacks().find_map(|stack| {
            let places = own_places(stack);
            let (file, line) = places.iter().find_map(Place::source)?;
            let below = file
                .strip_prefix(&self.root)
                .filter(|_| !self.root.is_empty());
            let below = below.and_then(|below| below.strip_prefix('/'));
            let file = below.unwrap_or(file);
            let file = file.strip_prefix("./").unwrap_or(file);
            Some((crate::event::one_line(file).into_owned(), line))
        })
    }

    /// The findings, the most severe first.
    fn sorted(&self) -> Vec<&Finding> {
        let mut sorted: Vec<&Finding> = self.findings.iter().collect();
        sorted.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.when.at));
        sorted
    }

    /// Findings of one rule about processes of one program together, in the order of
    /// the first of each.
    fn groups(&self) -> Vec<Vec<&Finding>> {
        self.groups_by(|_| ())
    }

    /// The same, of findings that are alike in something more.
    fn groups_by<K: Eq + Hash>(&self, alike: impl Fn(&Finding) -> K) -> Vec<Vec<&Finding>> {
        let mut groups: Vec<Vec<&Finding>> = Vec::new();
        let mut places: FxHashMap<_, usize> = FxHashMap::default();
        for finding in self.sorted() {
            let kind = (
                finding.rule,
                finding.severity,
                finding.diagnosis.is_second_kind(),
            );
            let key = (kind, finding.parent.comm(), alike(finding));
            let place = *places.entry(key).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(group) => group.push(finding),
                None => groups.push(vec![finding]),
            }
        }
        groups
    }

    /// The lines after the findings.
    fn end(&self, to: &mut String) {
        for note in self.notes {
            let _ = writeln!(to, "wait4-strace: {note}");
        }
        if !self.unseen.is_empty() {
            let _ = writeln!(to, "wait4-strace: partial view: {}", self.unseen.join("; "));
        }
        if !self.unused.is_empty() {
            let unused = self.unused.join(", ");
            let _ = writeln!(
                to,
                "wait4-strace: no finding met these lines (--suppress): {unused}"
            );
        }
        if self.summary {
            let _ = writeln!(to, "wait4-strace: {}", self.summary());
        }
    }

    /// `3 processes, 2 reaped, 0 zombies left; 1 error`
    #[must_use]
    pub fn summary(&self) -> String {
        let Counts {
            processes, reaped, ..
        } = self.counts;
        let levels = [Severity::Error, Severity::Warning, Severity::Info];
        let found = levels.into_iter().filter_map(|level| {
            let all = self.findings.iter();
            let count = all.filter(|finding| finding.severity == level).count();
            let name = level.name();
            let many = match level {
                Severity::Info => name.to_owned(),
                Severity::Error | Severity::Warning => format!("{name}s"),
            };
            (count > 0).then(|| plural(count as u64, name, &many))
        });
        let found: Vec<String> = found.collect();
        let found = if found.is_empty() {
            "no findings".to_owned()
        } else {
            found.join(", ")
        };
        format!(
            "{}, {reaped} reaped, {} left; {found}",
            plural(processes, "process", "processes"),
            plural(self.left, "zombie", "zombies")
        )
    }
}

/// A warning while the trace goes on.
#[must_use]
pub fn warning(finding: &Finding) -> String {
    let Finding { severity, rule, .. } = finding;
    let sentence = sentence(finding);
    format!("{}[{}]: {sentence}", severity.name(), rule.name())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Comm, Image};
    use crate::kernel::Tgid;
    use crate::ledger::Stamp;
    use crate::rules::{ProcessRef, RuleId};

    /// A finding about a process with this pid, name and arguments.
    pub(super) fn finding_of(pid: i32, rule: RuleId, comm: &str, argv: &[&str]) -> Finding {
        let image = Arc::new(Image {
            comm: Comm::new(comm.as_bytes()),
            argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
            path: None,
        });
        let process = ProcessRef {
            id: None,
            tgid: Tgid::new(pid),
            image,
        };
        Finding::new(rule, process, Stamp::default())
    }

    pub(super) fn finding(rule: RuleId, comm: &str) -> Finding {
        finding_of(1, rule, comm, &[])
    }

    pub(super) fn report(findings: &[Finding]) -> Report<'_> {
        Report {
            findings,
            counts: Counts {
                processes: 0,
                reaped: 0,
                ..Counts::default()
            },
            left: 0,
            unseen: &[],
            unused: &[],
            notes: &[],
            styles: Styles::plain(),
            summary: true,
            root: "/home/you".to_owned(),
        }
    }

    #[test]
    fn numbers_have_their_words() {
        let report = |processes, reaped| Report {
            findings: &[],
            counts: Counts {
                processes,
                reaped,
                ..Counts::default()
            },
            left: 0,
            unseen: &[],
            unused: &[],
            notes: &[],
            styles: Styles::plain(),
            summary: true,
            root: "/home/you".to_owned(),
        };
        assert_eq!(
            report(1, 0).summary(),
            "1 process, 0 reaped, 0 zombies left; no findings"
        );
        assert_eq!(
            report(3, 2).text(),
            "wait4-strace: 3 processes, 2 reaped, 0 zombies left; no findings\n"
        );
    }
}
