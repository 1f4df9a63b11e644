//! `--explore` and `--schedule`: each race of the fixtures is found with the
//! schedule that its line names, its healthy twin has no problems, and so have
//! healthy programs.
#![cfg(target_arch = "x86_64")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::ffi::OsStr;
use std::process::Command;

use support::{Outcome, fixture_path, run, wait4_strace};

/// The report of an exploration.
fn explored(flags: &[&str], words: &[&OsStr]) -> Outcome {
    let mut command = wait4_strace();
    command.args(["--explore=90", "--budget", "60"]).args(flags);
    command.arg("--").args(words);
    run(&mut command)
}

fn explored_fixture(flags: &[&str], name: &str, args: &[&str]) -> Outcome {
    let path = fixture_path();
    let mut words = vec![path.as_os_str(), OsStr::new(name)];
    words.extend(args.iter().map(OsStr::new));
    explored(flags, &words)
}

/// The fixture goes wrong under this point, and shows it again when that is
/// replayed; its twin does not.
fn shows(flags: &[&str], name: &str, point: &str, symptom: &str) {
    let found = explored_fixture(flags, name, &[]);
    let heading = format!("[{symptom}] under {point}");
    assert!(found.stderr.contains(&heading), "{name}: {}", found.stderr);
    let replay = found
        .stderr
        .lines()
        .find(|line| line.contains("= replay: "));
    let words: Vec<&str> = replay.unwrap().split_whitespace().collect();
    let at = words.iter().position(|word| *word == "--schedule").unwrap();
    let schedule = words[at + 1];
    let fixed = explored_fixture(flags, name, &["fixed"]);
    assert!(
        fixed.stderr.contains("; no problems"),
        "{name} fixed: {}",
        fixed.stderr
    );
    // A hang would not end.
    if symptom != "hang" {
        let mut command = wait4_strace();
        command
            .args(["--schedule", schedule, "--"])
            .arg(fixture_path())
            .arg(name);
        let replayed = run(&mut command);
        assert!(
            replayed.stderr.contains("~~~ held at "),
            "{name}: {}",
            replayed.stderr
        );
        if symptom == "status" {
            assert_eq!(
                replayed.status, 1,
                "{name} under {schedule}: {}",
                replayed.stderr
            );
        }
    }
}

#[test]
fn deaths_that_coalesce_are_forced() {
    shows(&[], "race_one_wait_a_signal", "", "hang");
}

#[test]
fn a_child_that_ends_before_it_is_recorded_is_forced() {
    shows(&[], "race_recorded_too_late", "child-first@1", "hang");
}

#[test]
fn a_lost_wake_up_is_forced() {
    shows(&[], "race_lost_wakeup", "before@1", "hang");
}

#[test]
fn an_interrupted_call_is_forced() {
    shows(&[], "race_eintr_is_an_error", "", "status");
}

#[test]
fn a_thread_that_steals_a_child_is_forced() {
    shows(&[], "race_thread_steals", "steal@1", "stolen-child");
}

#[test]
fn a_parent_that_is_faster_than_its_child_is_forced() {
    shows(&[], "race_group_is_set_late", "parent-first@1", "status");
}

#[test]
fn the_end_of_a_pipe_before_the_death_is_forced() {
    shows(&[], "race_end_of_pipe_is_no_death", "eof-first@1", "status");
}

#[test]
fn a_handler_between_a_failure_and_errno_is_forced() {
    shows(&[], "race_errno_of_a_handler", "skew@", "status");
}

#[test]
fn a_fork_that_fails_makes_no_kill_of_all() {
    shows(
        &["--faults"],
        "race_unchecked_fork",
        "fork-fail",
        "kills-all",
    );
}

#[test]
fn a_child_that_goes_on_after_its_exec_failed_is_seen() {
    shows(&["--faults"], "race_exec_returns", "exec-fail", "runs-on");
}

#[test]
fn healthy_programs_have_no_problems() {
    let scripts = [
        "ls / | cat | wc -l; (exit 3); echo $?",
        "true & sleep 0.01 & wait; echo done",
        "for i in 1 2 3; do (sleep 0.0$i; echo $i) & done; wait",
        "trap 'echo got' TERM; (sleep 0.01) & wait $!; echo end",
        "echo a | while read x; do echo $x; done; seq 4 | xargs -P2 -n1 echo | sort",
    ];
    for script in scripts {
        let words = ["sh", "-c", script].map(OsStr::new);
        let found = explored(&["--faults"], &words);
        assert!(
            found.stderr.contains("; no problems"),
            "{script}: {}",
            found.stderr
        );
        assert_eq!(found.status, 0);
    }
}

#[test]
fn what_waits_for_the_world_is_no_hang() {
    // A FIFO whose other end anyone may open, and a socket.
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let script = format!("cat <> {}", fifo.display());
    let mut command = wait4_strace();
    command.args(["--explore", "--budget", "2", "--", "sh", "-c", &script]);
    let found = run(&mut command);
    assert!(
        found.stderr.contains("did not end in the time"),
        "{}",
        found.stderr
    );
    assert_eq!(found.status, 125);
}

#[test]
fn a_command_that_hangs_without_a_schedule_is_told_so() {
    let mut command = wait4_strace();
    command.args(["--explore", "--budget", "20", "--"]);
    command.args(["perl", "-MPOSIX", "-e", "POSIX::pause()"]);
    let found = run(&mut command);
    assert!(
        found
            .stderr
            .contains("without a schedule the command hangs"),
        "{}",
        found.stderr
    );
    assert!(found.stderr.contains("pause()"), "{}", found.stderr);
}

#[test]
fn problems_fail_the_run_if_they_are_to() {
    let found = explored_fixture(&["--fail-on", "error"], "race_lost_wakeup", &[]);
    assert_eq!(found.status, 120, "{}", found.stderr);
    let fixed = explored_fixture(&["--fail-on", "error"], "race_lost_wakeup", &["fixed"]);
    assert_eq!(fixed.status, 0, "{}", fixed.stderr);
}

#[test]
fn a_schedule_that_does_not_apply_says_where_it_left() {
    let mut command = wait4_strace();
    command.args([
        "--schedule",
        "child-first@7",
        "--",
        "sh",
        "-c",
        "true & wait",
    ]);
    let found = run(&mut command);
    let left = "the schedule child-first@7 left at child-first@7 (reached 1 times)";
    assert!(found.stderr.contains(left), "{}", found.stderr);
    assert_eq!(found.status, 0);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |args: &[&str]| {
        let mut command = wait4_strace();
        command.args(args);
        let outcome = run(&mut command);
        assert_eq!(outcome.status, 125, "{args:?}: {}", outcome.stderr);
        outcome.stderr
    };
    assert!(refused(&["--explore"]).contains("name one"));
    assert!(refused(&["--explore=0", "true"]).contains("number of runs"));
    assert!(refused(&["--explore", "-k", "true"]).contains("means nothing with --explore"));
    assert!(refused(&["--schedule", "nope", "true"]).contains("there is no point"));
    assert!(refused(&["--explore", "--schedule", "before", "true"]).contains("cannot be used"));
    let unknown = {
        let mut command = wait4_strace();
        command.args(["--explore", "--", "/no/such/program"]);
        run(&mut command)
    };
    assert_eq!(unknown.status, 127, "{}", unknown.stderr);
}
