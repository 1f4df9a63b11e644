//! Logs of strace's, read back: what is kept of older spellings, and those
//! that an strace writes now of every fixture.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{
    bugs, fixture_path, have, heads, many_at_once, named_after, read_again, read_with, run, traced,
    wait4_strace,
};
use tempfile::TempDir;
use wait4_strace::rules::RuleId;

fn kept(name: &str) -> PathBuf {
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/strace_logs");
    logs.join(name)
}

/// The trace and the report of a log that is kept.
fn read(name: &str) -> (String, String) {
    read_again(kept(name).to_str().unwrap())
}

/// What `expected` says of a report: its findings, and who was there.
fn digest(report: &str) -> String {
    let summary = report.lines().last().unwrap();
    let summary = summary.strip_prefix("wait4-strace: ").unwrap();
    let counts: Vec<&str> = summary.split(", ").take(2).collect();
    let mut words = heads(report);
    words.push(counts.join(", "));
    words.join(" ")
}

#[test]
fn each_log_that_is_kept_gives_what_is_expected_of_it() {
    let expected = fs::read_to_string(kept("expected")).unwrap();
    let mut count = 0;
    for line in expected.lines() {
        let (name, findings) = line.split_once(": ").unwrap();
        let (_, report) = read(name);
        assert_eq!(digest(&report), findings.trim_end(), "{name}\n{report}");
        count += 1;
    }
    assert!(count >= 20, "{count}");
}

/// A trace without what two spellings of the same run may differ in.
fn plain(name: &str) -> String {
    read(name).0
}

#[test]
fn every_spelling_of_a_run_gives_the_same_lines() {
    let now = plain("stolen-6.1-o.log");
    assert_eq!(plain("stolen-7.x-o.log"), now);
    assert_eq!(plain("stolen-4.x-o.log"), now);
    assert_eq!(plain("stolen-4.x-stderr.log"), now);
    assert_eq!(plain("stops-4.x-o.log"), plain("stops-6.1-o.log"));
    let timed = plain("zombie-leak-6.1-ttt.log");
    assert_eq!(plain("zombie-leak-5.x-tt.log"), timed);
}

#[test]
fn a_log_is_told_in_strace_s_own_lines_again() {
    let log = fs::read_to_string(kept("stops-6.1-o.log")).unwrap();
    let path = kept("stops-6.1-o.log");
    let flags = ["--strace", "-o", "-", "--read", path.to_str().unwrap()];
    let told = run(wait4_strace().args(flags)).stdout;
    let waits = |text: &str| {
        let lines = text.lines().filter(|line| {
            line.contains("wait") && !line.contains("unfinished") && !line.contains("resumed")
        });
        lines.map(str::to_owned).collect::<Vec<String>>()
    };
    let (told, log) = (waits(&told), waits(&log));
    // Options and results are spelled as newer versions do.
    assert!(!log.is_empty());
    for line in log {
        assert!(told.contains(&line), "{line}\n{}", told.join("\n"));
    }
}

#[test]
fn without_times_nobody_is_said_to_be_reaped_at_once() {
    let untimed = plain("stolen-6.1-o.log");
    let timed = plain("stolen-6.1-ttt-T.log");
    assert!(timed.contains("µs after it exited"), "{timed}");
    assert!(untimed.contains("# reaped 18386 fixture\n"), "{untimed}");
}

#[test]
fn what_a_log_lacks_is_said_with_the_rules_that_need_it() {
    let (_, report) = read("stolen-6.1-waits-only.log");
    let view = report.lines().find(|line| line.contains("partial view"));
    let view = view.unwrap_or_else(|| panic!("{report}"));
    // Of most rules those are named that can judge.
    for word in [
        "no times",
        "no clone and fork calls",
        "all rules but",
        "bad-wait-args",
    ] {
        assert!(view.contains(word), "{word}: {view}");
    }
    assert!(!view.contains("stolen-child"), "{view}");
    let (_, report) = read("zombie-leak-6.1-ttt.log");
    let view = report.lines().find(|line| line.contains("partial view"));
    let view = view.unwrap_or_else(|| panic!("{report}"));
    assert!(
        !view.contains("zombie-leak") && view.contains("pipe-full-deadlock"),
        "{view}"
    );
}

#[test]
fn lines_of_others_are_passed_over_and_what_is_no_log_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    let log = fs::read_to_string(kept("stolen-6.1-stderr.log")).unwrap();
    let mixed_up = |log: &str| log.replace('\n', "\nhello from the program\n= 3 )(\n\n");
    fs::write(&path, mixed_up(&log)).unwrap();
    let (_, report) = read_again(path.to_str().unwrap());
    assert!(report.contains("2 processes, 1 reaped"), "{report}");
    assert!(report.contains("lines are not strace's"), "{report}");
    for silent in ["--report=none", "--strace", "-q"] {
        let flags = [silent, "-o", "/dev/null", "--read", path.to_str().unwrap()];
        let told = run(wait4_strace().args(flags)).stderr;
        let times = told.matches("lines are not strace's").count();
        assert_eq!(times, 1, "{silent}: {told}");
    }
    let log = fs::read_to_string(kept("split/untimed.18469")).unwrap();
    fs::write(directory.path().join("p.12"), &log).unwrap();
    let prefix = directory.path().join("p");
    let (_, report) = read_again(prefix.to_str().unwrap());
    assert!(!report.contains("not strace's"), "{report}");
    fs::write(directory.path().join("p.12"), mixed_up(&log)).unwrap();
    let (_, report) = read_again(prefix.to_str().unwrap());
    assert!(report.contains("lines are not strace's"), "{report}");
    fs::write(&path, "one\ntwo\n").unwrap();
    let flags = ["--read", path.to_str().unwrap()];
    let refused = run(wait4_strace().args(flags));
    assert_eq!(refused.status, 125);
    assert!(
        refused.stderr.contains("no record that is known here"),
        "{}",
        refused.stderr
    );
}

#[test]
fn one_file_of_many_is_of_the_task_that_it_is_named_after() {
    let (trace, _) = read("split/timed.18464");
    assert!(trace.starts_with("18464 "), "{trace}");
}

#[test]
fn a_directory_is_refused_with_the_way_to_the_files_in_it() {
    let flags = ["--read", &kept("split").display().to_string()];
    let refused = run(wait4_strace().args(flags));
    assert_eq!(refused.status, 125);
    let way = format!("--read {}", kept("split/PREFIX").display());
    assert!(refused.stderr.contains(&way), "{}", refused.stderr);
}

#[test]
fn a_byte_order_mark_before_a_record_is_passed_over() {
    let directory = TempDir::new().unwrap();
    let marked = directory.path().join("log");
    for record in ["stops-6.1-o.log", "stolen-6.1-waits-only.log"] {
        let log = fs::read(kept(record)).unwrap();
        fs::write(&marked, [b"\xef\xbb\xbf", &log[..]].concat()).unwrap();
        assert_eq!(read_again(marked.to_str().unwrap()), read(record));
    }
    let lines = directory.path().join("lines").display().to_string();
    run(&mut traced(
        &["-o", "/dev/null", "--record", &lines],
        ["true"],
    ));
    let json = fs::read(&lines).unwrap();
    fs::write(&marked, [b"\xef\xbb\xbf", &json[..]].concat()).unwrap();
    assert_eq!(read_again(marked.to_str().unwrap()), read_again(&lines));
}

#[test]
fn a_log_that_was_cut_anywhere_is_read_as_far_as_it_goes() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    let log = fs::read(kept("stops-6.1-o.log")).unwrap();
    for end in (200..log.len()).step_by(97) {
        fs::write(&path, log.get(..end).unwrap()).unwrap();
        read_again(path.to_str().unwrap());
    }
}

#[test]
fn a_clock_that_leaps_by_centuries_keeps_nobody_waiting() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    let log = "\
100 1795399787.000000 execve(\"./x\", [\"./x\"], 0x7ffd /* 20 vars */) = 0
100 1795399787.000100 clone(child_stack=0x7f, flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|\
CLONE_THREAD|CLONE_SYSVSEM, parent_tid=[101]) = 101
101 1795399787.000200 getpid() = 100
100 9795399787.000300 wait4(-1, NULL, 0, NULL) = -1 ECHILD (No child processes)
100 18446744073.000000 exit_group(0) = ?
";
    fs::write(&path, log).unwrap();
    read_again(path.to_str().unwrap());
}

/// Rules that a log gives only with `-yy`, or whose cause it does not hold:
/// what it does hold is then told as a plain leak.
const PARTLY: [&str; 9] = [
    "not_my_child_pidfd",
    "pgrp_miss",
    "sigchld_blocked",
    "sigchld_blocked_across_exec",
    // With -ff the order of a death and its signal is that of two files.
    "sigchld_discarded",
    "sigchld_discarded_other_handler",
    "sigchld_discarded_other_thread",
    "sigchld_discarded_signalfd",
    // Whether the wait that the handler interrupted was restarted is not known.
    "stolen_child_latent_handler",
];

/// A log does not tell whether a wait was made within a handler: the rule is
/// silent or not as if it had been.
const WITHIN: [&str; 4] = [
    "double_wait_below_a_handler",
    "double_wait_below_a_handler_blocked",
    "double_wait_beside_a_handler",
    "not_stolen_child_beside_a_handler",
];

/// Trace a fixture by strace; complain unless its log gives the findings that
/// it can give.
fn judge(name: &str, follow: &str) -> Result<(), String> {
    let directory = TempDir::new().unwrap();
    let log = directory.path().join("log");
    let mut strace = Command::new("strace");
    strace.args([follow, "-ttt", "-o"]).arg(&log);
    strace.arg(fixture_path()).arg(name);
    strace.stdin(Stdio::null()).stdout(Stdio::null());
    strace.stderr(Stdio::null()).status().unwrap();
    let (rule, must) = named_after(name);
    // How fast the polls of a bug come is up to strace and the machine's load.
    let threshold = if must { "spin=60" } else { "spin=0.5" };
    let (trace, report) = read_with(&["--threshold", threshold], log.to_str().unwrap());
    let told = heads(&report);
    let own = format!("[{}]", rule.name());
    let found = told.iter().any(|head| head.contains(&own));
    let harm = told.iter().filter(|head| !head.starts_with("info["));
    let strangers = harm.filter(|head| !(must && head.contains(&own)));
    let strangers = strangers.filter(|head| {
        !(PARTLY.contains(&name) && head.contains(&format!("[{}]", RuleId::ZombieLeak.name())))
    });
    let out_of_reach = report
        .lines()
        .find_map(|line| line.split_once("out of reach: "));
    let in_reach = out_of_reach.is_none_or(|(_, rules)| {
        let is_listed = rules.split([',', ' ', ';']).any(|word| word == rule.name());
        is_listed == rules.starts_with("all rules")
    });
    let must_be_found = must && in_reach && !PARTLY.contains(&name);
    if strangers.count() > 0 || found && !must || must_be_found && !found {
        return Err(format!("{name} {follow}: {told:?}\n{report}\n{trace}"));
    }
    Ok(())
}

/// What is wrong with the findings of all fixtures' logs.
fn wrong(follow: &str) -> String {
    let mut names = bugs();
    names.retain(|name| !WITHIN.contains(&name.as_str()));
    let judged = many_at_once(&names, |name| judge(name, follow).err());
    let wrong: Vec<String> = judged.into_iter().flatten().collect();
    wrong.join("\n\n")
}

#[test]
fn the_log_of_each_bug_gives_the_findings_that_it_can() {
    if have("strace") {
        assert_eq!(wrong("-f"), "");
    }
}

#[test]
fn a_file_for_each_task_gives_the_same_findings_of_each_bug() {
    if have("strace") {
        assert_eq!(wrong("-ff"), "");
    }
}
