//! The rules: each bug is found, and each near miss is not. That recordings
//! give the same findings is `tests/json.rs`'s.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::fs;

use support::{bugs, heads, named_after, run, traced_fixture};
use tempfile::TempDir;
use wait4_strace::rules::{RULES, RuleId};

/// Run a fixture; complain if its findings are not those of its name.
fn judge(name: &str, flags: &[&str]) -> Result<(), String> {
    let directory = TempDir::new().unwrap();
    let path = |name| directory.path().join(name).display().to_string();
    let (trace, report) = (path("trace"), path("report"));
    let files = ["-o", &trace, "--report-file", &report];
    let flags: Vec<&str> = flags.iter().copied().chain(files).collect();
    let outcome = run(&mut traced_fixture(&flags, name));
    if outcome.status != 0 {
        return Err(format!("{name}: {outcome:?}"));
    }
    let report = fs::read_to_string(report).unwrap();
    let told = heads(&report);
    let (rule, must) = named_after(name);
    let harm = told.iter().filter(|head| !head.starts_with("info["));
    let strangers = harm.filter(|head| !(must && head.contains(&format!("[{}]", rule.name()))));
    let found = told
        .iter()
        .any(|head| head.contains(&format!("[{}]", rule.name())));
    if found != must || strangers.count() > 0 {
        let trace = fs::read_to_string(trace).unwrap();
        return Err(format!("{name}: found {told:?}\n{report}\n{trace}"));
    }
    Ok(())
}

/// Judge all fixtures, several at a time: most of them only sleep.
fn judge_all(flags: &[&str]) {
    let names = bugs();
    let turns: Vec<Vec<&String>> = (0..8)
        .map(|turn| names.iter().skip(turn).step_by(8).collect())
        .collect();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = turns
            .iter()
            .map(|names| {
                scope.spawn(|| {
                    let judged = names.iter().filter_map(|name| judge(name, flags).err());
                    judged.collect::<Vec<String>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn each_bug_is_found_and_each_near_miss_is_not() {
    judge_all(&[]);
}

#[test]
fn the_findings_are_the_same_without_the_filter() {
    judge_all(&["--seccomp-bpf=never"]);
}

#[test]
fn each_rule_has_a_bug_and_a_near_miss() {
    let names = bugs();
    let has = |rule: RuleId, must: bool| names.iter().any(|name| named_after(name) == (rule, must));
    // It is raised by flags; tests/cli.rs has it.
    let all = RULES
        .iter()
        .filter(|rule| rule.id != RuleId::UnexpectedExit);
    let lacking = all.filter(|rule| !has(rule.id, true) || !has(rule.id, false));
    let lacking: Vec<&str> = lacking.map(|rule| rule.name).collect();
    assert!(
        lacking.is_empty(),
        "fixtures/bugs lacks RULE or not_RULE of {lacking:?}"
    );
}
