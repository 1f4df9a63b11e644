//! The summary (`-c`, `-C`) of real programs, beside strace's counts.

use std::process::Command;

use crate::support::{self, have, passed_over, run, traced, traced_fixture, wait4_strace};
use serde_json::Value;

/// The summary's line among JSON lines.
fn summary(text: &str) -> Value {
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let mut summaries = lines.filter(|line: &Value| line["type"] == "summary");
    summaries.next().unwrap()
}

fn summary_of(words: &[&str]) -> Value {
    let room = tempfile::tempdir().unwrap();
    let log = room.path().join("log");
    let flags = ["-c", "--format", "json", "-o", log.to_str().unwrap()];
    run(&mut traced(&flags, words));
    summary(&std::fs::read_to_string(log).unwrap())
}

/// Calls, and calls that failed, as strace counts them.
fn strace_counts(words: &[&str]) -> u64 {
    let room = tempfile::tempdir().unwrap();
    let log = room.path().join("log");
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-c",
        "-U",
        "calls,name",
        "-e",
        "trace=wait4,waitid",
        "-o",
    ]);
    run(command.arg(&log).args(words));
    let text = std::fs::read_to_string(log).unwrap();
    let rows = text.lines().filter(|line| line.contains(" wait"));
    let calls = rows.filter_map(|row| row.split_whitespace().next()?.parse::<u64>().ok());
    calls.sum()
}

#[test]
fn the_counts_are_those_of_strace() {
    if !have("strace") {
        passed_over("there is no strace");
        return;
    }
    let shell = "/bin/true; /bin/true | /bin/cat; (exit 3)";
    let programs: [&[&str]; 4] = [
        &["dash", "-c", shell],
        &["perl", "-e", "system('true') for 1..5"],
        &["xargs", "-n1", "true"],
        &[
            "python3",
            "-c",
            "import subprocess; [subprocess.run(['true']) for _ in range(3)]",
        ],
    ];
    for words in programs {
        if !have(words[0]) {
            passed_over(&format!("there is no {}", words[0]));
            continue;
        }
        let summary = summary_of(words);
        assert_eq!(summary["total"]["waits"], strace_counts(words), "{words:?}");
    }
}

#[test]
fn the_counts_are_those_of_the_ledger() {
    let fixture = support::fixture_path();
    let words = [fixture.to_str().unwrap(), "fork_exit_wait", "50"];
    let summary = summary_of(&words);
    let total = &summary["total"];
    assert_eq!(
        (&total["forked"], &total["reaped"]),
        (&50.into(), &50.into())
    );
    assert_eq!((&total["left"], &total["polls"]), (&0.into(), &0.into()));
    assert_eq!(summary["reap_latency"]["count"], 50);
    assert_eq!(summary["processes"].as_array().unwrap().len(), 1);
    assert_eq!(summary["ends"][0]["code"], 0);
}

#[test]
fn the_table_takes_the_place_of_the_lines_or_follows_them() {
    let only = run(&mut traced_fixture(&["-c"], "zombie_leak_many"));
    let head = only.stderr.lines().next().unwrap();
    assert!(
        head.contains("forked") && head.ends_with("process"),
        "{}",
        only.stderr
    );
    assert!(!only.stderr.contains("+++"), "{}", only.stderr);
    assert!(
        only.stderr.contains("[zombie-leak]"),
        "findings are told: {}",
        only.stderr
    );
    let row = only
        .stderr
        .lines()
        .find(|line| line.ends_with("fixture"))
        .unwrap();
    let cells: Vec<&str> = row.split_whitespace().take(4).collect();
    assert_eq!(cells, ["3", "0", "3", "0"], "{}", only.stderr);

    let both = run(&mut traced_fixture(&["-C"], "wait4_exit_codes"));
    let (lines, table) = both.stderr.split_once("forked  ").unwrap();
    assert!(
        lines.contains("wait4(") && table.contains("from exit to reap"),
        "{}",
        both.stderr
    );
}

#[test]
fn a_record_gives_the_same_table() {
    let room = tempfile::tempdir().unwrap();
    let record = room.path().join("record");
    let record = record.to_str().unwrap();
    let live = room.path().join("live");
    let flags = [
        "-c",
        "-S",
        "reaped",
        "--record",
        record,
        "-o",
        live.to_str().unwrap(),
    ];
    run(&mut traced(
        &flags,
        ["sh", "-c", "/bin/true; /bin/true & wait"],
    ));
    let again = run(wait4_strace().args(["-c", "-S", "reaped", "-o", "-", "--read", record]));
    assert_eq!(again.stdout, std::fs::read_to_string(live).unwrap());
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (flags, word) in [
        (&["-c", "--strace"][..], "-c means nothing with --strace"),
        (&["-C", "--no-polls"], "-C means nothing with --no-polls"),
        (&["-S", "late"], "give one of these too"),
        (&["-c", "-S", "reapt"], "do you mean reaped?"),
        (&["-c", "-ff", "-o", "x"], "whole family"),
        (&["-c", "-C"], "cannot be used with"),
    ] {
        let outcome = run(&mut traced(flags, ["true"]));
        assert_eq!(outcome.status, 125, "{flags:?}");
        assert!(
            outcome.stderr.contains(word),
            "{flags:?}: {}",
            outcome.stderr
        );
    }
}
