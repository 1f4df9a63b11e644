//! `--report gitlab`: a Code Quality report, as GitLab's merge requests show it.
//!
//! GitLab compares the report of a branch with that of its target by the
//! fingerprints, so they hold nothing that differs between two runs of the same
//! program: no pids, no times. And it wants a file and a line for everything,
//! where a trace knows processes: the file is the program's, or the script's
//! that an interpreter runs, and the line the first, unless call stacks tell
//! where the call was made (`-k`).

use std::collections::HashMap;

use serde::Serialize;

use super::{Report, advice, sentence};
use crate::event::harmless_json;
use crate::rules::{Finding, Severity};

#[derive(Serialize)]
struct Entry {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

impl Report<'_> {
    /// The report as a Code Quality array; that of a clean run is empty.
    #[must_use]
    pub fn gitlab(&self) -> String {
        let mut seen: HashMap<String, u64> = HashMap::new();
        let entries = self.sorted().into_iter().map(|finding| {
            let source = self.source(finding);
            let (path, line) = source.unwrap_or_else(|| (path(finding), 1));
            let key = format!(
                "{}\n{:?}\n{}\n{path}",
                finding.rule.name(),
                finding.diagnosis.is_second_kind(),
                finding.parent.comm()
            );
            // Two processes may have the same bug; GitLab keeps one of each
            // fingerprint.
            let turn = seen.entry(key.clone()).or_default();
            *turn += 1;
            Entry {
                description: format!("{}. Help: {}", sentence(finding), advice(finding)),
                check_name: finding.rule.name(),
                fingerprint: format!("{:016x}", hash(&format!("{key}\n{turn}"))),
                severity: level(finding.severity),
                location: Location {
                    path,
                    lines: Lines { begin: line },
                },
            }
        });
        written(&entries.collect::<Vec<Entry>>())
    }
}

/// An entry of a Code Quality report that is no finding's.
#[derive(Clone, Debug)]
pub(crate) struct GitlabEntry<'a> {
    pub(crate) severity: Severity,
    pub(crate) check_name: &'static str,
    pub(crate) description: String,
    /// The file that it is shown at.
    pub(crate) path: String,
    /// What makes two entries the same, without pids and times.
    pub(crate) key: &'a str,
}

/// A Code Quality array of these.
pub(crate) fn gitlab_array<'a>(entries: impl Iterator<Item = GitlabEntry<'a>>) -> String {
    let entries = entries.map(|entry| Entry {
        fingerprint: format!("{:016x}", hash(entry.key)),
        description: entry.description,
        check_name: entry.check_name,
        severity: level(entry.severity),
        location: Location {
            path: entry.path,
            lines: Lines { begin: 1 },
        },
    });
    written(&entries.collect::<Vec<Entry>>())
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "critical",
        Severity::Warning => "major",
        Severity::Info => "info",
    }
}

fn written(entries: &[Entry]) -> String {
    // Strings and numbers are all it holds: JSON has them all.
    let text = serde_json::to_string_pretty(entries).unwrap_or_default();
    let mut text = harmless_json(&text).into_owned();
    text.push('\n');
    text
}

/// Programs whose first argument is what they run.
const INTERPRETERS: [&str; 10] = [
    "sh", "bash", "dash", "ash", "busybox", "python", "perl", "ruby", "node", "php",
];

/// The file that a finding is shown at.
fn path(finding: &Finding) -> String {
    let image = &finding.parent.image;
    let mut argv = image.argv.iter().map(|word| String::from_utf8_lossy(word));
    let program = argv.next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let script = argv
        .next()
        .filter(|word| INTERPRETERS.contains(&name) && !word.is_empty() && !word.starts_with('-'));
    let path = script.unwrap_or(program);
    // Relative to the repository, as far as is known.
    let path = path.strip_prefix("./").unwrap_or(&path);
    if path.is_empty() {
        return finding.parent.comm().to_string();
    }
    path.to_owned()
}

/// FNV-1a: the same in every run, of every version.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tests::{finding, finding_of, report};
    use super::*;
    use crate::rules::RuleId;

    fn entries(findings: &[Finding]) -> Vec<Value> {
        let text = report(findings).gitlab();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_finding_is_an_entry_with_all_that_gitlab_wants() {
        let found = entries(&[finding(RuleId::StolenChild, "sh")]);
        let entry = &found[0];
        assert_eq!(entry["check_name"], "stolen-child");
        assert_eq!(entry["severity"], "critical");
        assert_eq!(entry["location"]["path"], "sh");
        assert_eq!(entry["location"]["lines"]["begin"], 1);
        let description = entry["description"].as_str().unwrap();
        assert!(description.starts_with("sh[1] lost the exit status of"));
        assert!(description.contains(". Help: reap by pid"));
    }

    #[test]
    fn a_clean_run_is_an_empty_array() {
        assert_eq!(report(&[]).gitlab(), "[]\n");
    }

    #[test]
    fn fingerprints_are_those_of_the_last_run_and_differ_within_one() {
        let run = |pid| {
            let found = [
                finding_of(pid, RuleId::StolenChild, "sh", &[]),
                finding_of(pid + 5, RuleId::StolenChild, "sh", &[]),
                finding_of(pid, RuleId::ZombieLeak, "sh", &[]),
                finding_of(pid, RuleId::ZombieLeak, "bash", &[]),
            ];
            let prints = entries(&found).into_iter();
            prints
                .map(|entry| entry["fingerprint"].as_str().unwrap().to_owned())
                .collect::<Vec<String>>()
        };
        let (first, second) = (run(100), run(7000));
        assert_eq!(first, second);
        let different: std::collections::HashSet<&String> = first.iter().collect();
        assert_eq!(different.len(), 4);
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn the_file_is_the_script_where_there_is_one() {
        let of = |argv: &[&str]| path(&finding_of(1, RuleId::ZombieLeak, "x", argv));
        assert_eq!(
            of(&["./target/debug/server", "--port=1"]),
            "target/debug/server"
        );
        assert_eq!(
            of(&["/usr/bin/python3.11", "./tests/job.py"]),
            "tests/job.py"
        );
        assert_eq!(of(&["bash", "ci.sh", "x"]), "ci.sh");
        assert_eq!(of(&["sh", "-c", "exit 3"]), "sh");
        assert_eq!(of(&[]), "x");
    }
}
