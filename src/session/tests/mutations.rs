//! Records that lack lines or parts of lines: no warning that the whole record has
//! not. Every line of the kept logs is taken out, and cut at every few characters.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use rayon::prelude::*;

use crate::ledger::Ledger;
use crate::records;
use crate::rules::{AffectedChild, Diagnosis, Finding, RuleId, Severity};
use crate::session::findings_policy::{FindingsPolicy, RuleOptions};
use crate::session::hub::Session;
use crate::session::{EventSource, Recorded, drive};

/// A line is cut behind every so many bytes.
const STEP: usize = 17;

/// What is warned of a record.
fn warnings(record: &str) -> Vec<Finding> {
    let input = Box::new(Cursor::new(record.as_bytes().to_vec()));
    let Ok(source) = records::from(input, None) else {
        return Vec::new();
    };
    let mut source = Recorded::new(source);
    let origin = EventSource::origin(&source).clone();
    let mut session = Session {
        ledger: Ledger::new(),
        policy: Some(FindingsPolicy::new(RuleOptions::default(), &origin)),
        outputs: Vec::new(),
        warns: false,
        observer: None,
    };
    drive(&mut source, &mut session, &mut ());
    let found = session.finish(true).findings.into_iter();
    found
        .filter(|finding| finding.severity != Severity::Info)
        .collect()
}

/// Whether the whole record does not warn of this. A child that is left there, for a reason
/// that a line shows, is left without that line too.
fn is_new(finding: &Finding, whole: &[Finding]) -> bool {
    let is_about = |child: &AffectedChild| {
        let leaks = whole
            .iter()
            .filter(|it| matches!(it.diagnosis, Diagnosis::Leak(_)));
        let mut left = leaks.flat_map(|finding| &finding.children);
        left.any(|known| known.process.tgid == child.process.tgid)
    };
    let is_left = finding.rule == RuleId::ZombieLeak && finding.children.iter().all(is_about);
    !is_left && whole.iter().all(|known| known.rule != finding.rule)
}

/// The kept logs of up to so many lines, by name.
fn logs(most_lines: usize) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/strace_logs");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let logs = entries.filter_map(|entry| {
        let text = fs::read_to_string(entry.path()).ok()?;
        let is_log = entry.path().extension()? == "log";
        let name = entry.file_name().to_string_lossy().into_owned();
        (is_log && text.lines().count() <= most_lines).then_some((name, text))
    });
    logs.collect()
}

/// The record with another line, or none, at a place.
fn with(lines: &[&str], at: usize, line: Option<&str>) -> String {
    let before = lines.get(..at).unwrap_or(&[]);
    let after = lines.get(at + 1..).unwrap_or(&[]);
    [before, line.as_slice(), after].concat().join("\n")
}

#[test]
fn a_record_that_lacks_a_line_warns_of_nothing_new() {
    let logs = logs(80);
    assert!(logs.len() > 15, "{}", logs.len());
    let failures = logs.par_iter().flat_map_iter(|(name, text)| {
        let whole = warnings(text);
        let lines: Vec<&str> = text.lines().collect();
        let mut failures = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let cuts = (1..line.len()).step_by(STEP);
            let cuts = cuts.filter_map(|end| line.get(..end)).map(Some);
            for changed in std::iter::once(None).chain(cuts) {
                let found = warnings(&with(&lines, at, changed));
                let new = found.iter().filter(|finding| is_new(finding, &whole));
                let new: Vec<&str> = new.map(|finding| RuleId::name(finding.rule)).collect();
                if !new.is_empty() {
                    failures.push(format!("{name}:{} as {changed:?}: {new:?}", at + 1));
                }
            }
        }
        failures
    });
    let failures: Vec<String> = failures.collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
