//! The rules: each bug is found, and each near miss is not. That recordings
//! give the same findings is `tests/json.rs`'s.

use std::fs;

use crate::support::{bugs, heads, many_at_once, named_after, run, traced_fixture};
use tempfile::TempDir;
use wait4_strace::rules::{RULES, RuleId};

/// How long a state lasts that a rule judges by its age, in milliseconds, where
/// the usual time may be too short: on a busy machine the tracer may look too late, and
/// a loop of polls takes its time.
const LONGER: &str = "15000";

/// Whether so much else runs that what a run lacked may be the machine's doing.
fn is_busy() -> bool {
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    let load: f64 = load.split(' ').next().unwrap().parse().unwrap();
    let cpus = std::thread::available_parallelism().unwrap().get();
    load > 4.0 * f64::from(u32::try_from(cpus).unwrap())
}

/// Run a fixture; complain if its findings are not those of its name.
fn judge(name: &str, flags: &[&str]) -> Result<(), String> {
    let Some(complaint) = findings(name, flags, &[])? else {
        return Ok(());
    };
    if !is_busy() {
        return Err(complaint);
    }
    let flags = [flags, &["--threshold", "spin=60"]].concat();
    findings(name, &flags, &[LONGER])?.map_or(Ok(()), Err)
}

/// Run a fixture. An error if it has findings that it must not have; a complaint
/// if it lacks that of its name.
fn findings(name: &str, flags: &[&str], arguments: &[&str]) -> Result<Option<String>, String> {
    let directory = TempDir::new().unwrap();
    let path = |name| directory.path().join(name).display().to_string();
    let (trace, report) = (path("trace"), path("report"));
    let files = ["-o", &trace, "--report-file", &report];
    let flags: Vec<&str> = flags.iter().copied().chain(files).collect();
    let outcome = run(traced_fixture(&flags, name).args(arguments));
    if outcome.status != 0 {
        return Err(format!("{name}: {outcome:?}"));
    }
    let report = fs::read_to_string(report).unwrap();
    let shown = heads(&report);
    let (rule, must) = named_after(name);
    let harm = shown.iter().filter(|head| !head.starts_with("info["));
    let strangers = harm.filter(|head| !(must && head.contains(&format!("[{}]", rule.name()))));
    let found = shown
        .iter()
        .any(|head| head.contains(&format!("[{}]", rule.name())));
    if found == must && strangers.count() == 0 {
        return Ok(None);
    }
    let trace = fs::read_to_string(trace).unwrap();
    let complaint = format!("{name}: found {shown:?}\n{report}\n{trace}");
    if must && !found {
        return Ok(Some(complaint));
    }
    Err(complaint)
}

/// Judge all fixtures.
fn judge_all(flags: &[&str]) {
    let judged = many_at_once(&bugs(), |name| judge(name, flags).err());
    let wrong: Vec<String> = judged.into_iter().flatten().collect();
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
