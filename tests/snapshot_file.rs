//! `--snapshot FILE`: what is compared, what is written, and with which exit
//! status it ends. What stands in a snapshot is `tests/snapshots.rs`'s.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;

use support::{Outcome, run, traced, wait4_strace};
use tempfile::TempDir;

/// A directory with a snapshot in it, perhaps.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn kept(&self) -> Option<String> {
        fs::read_to_string(self.path("snap")).ok()
    }

    /// Run a shell's script beside the snapshot, outside of any CI.
    fn run(&self, flags: &[&str], script: &str) -> Outcome {
        self.run_with(flags, script, "")
    }

    fn run_with(&self, flags: &[&str], script: &str, ci: &str) -> Outcome {
        let snap = self.path("snap");
        let common = ["-o", "/dev/null", "--snapshot", &snap];
        run(traced(&[&common, flags].concat(), ["sh", "-c", script]).env("CI", ci))
    }

    /// Keep the snapshot of a script.
    fn keep(script: &str) -> Place {
        let place = Place::new();
        place.run(&["--update"], script);
        assert!(place.kept().is_some());
        place
    }
}

#[test]
fn a_run_that_is_as_it_was_ends_with_its_own_status() {
    let place = Place::keep("(exit 3) & wait $!; exit 4");
    let again = place.run(&[], "(exit 3) & wait $!; exit 4");
    assert_eq!(again.status, 4, "{again:?}");
    assert!(!again.stderr.contains("@@"), "{again:?}");
}

#[test]
fn a_run_that_differs_ends_with_121_and_shows_how() {
    let place = Place::keep("(exit 3) & wait $!; exit 4");
    let before = place.kept();
    let other = place.run(&[], "(exit 5) & wait $!; exit 4");
    assert_eq!(other.status, 121);
    assert!(other.stderr.contains("\n-  exited 3"), "{}", other.stderr);
    assert!(other.stderr.contains("\n+  exited 5"), "{}", other.stderr);
    assert_eq!(place.kept(), before, "comparing writes nothing");
}

#[test]
fn a_difference_comes_before_a_finding() {
    let place = Place::keep("true");
    let script = "true & exec sleep 1.5";
    let both = place.run(&["--fail-on", "warning"], script);
    assert_eq!(both.status, 121);
    let place = Place::keep(script);
    assert_eq!(place.run(&["--fail-on", "warning"], script).status, 120);
}

#[test]
fn a_snapshot_that_is_missing_is_an_error_before_anything_runs() {
    let place = Place::new();
    let touched = place.path("touched");
    let outcome = place.run(&[], &format!(": > '{touched}'"));
    assert_eq!(outcome.status, 125);
    assert!(outcome.stderr.contains("--update"), "{}", outcome.stderr);
    assert!(!std::path::Path::new(&touched).exists());
}

#[test]
fn in_a_ci_nothing_is_written() {
    let place = Place::new();
    let outcome = place.run_with(&["--update"], "true", "true");
    assert_eq!((outcome.status, place.kept()), (125, None));
    let place = Place::keep("true");
    let before = place.kept();
    let outcome = place.run_with(&["--update"], "sh -c 'exit 3'; :", "1");
    assert_eq!((outcome.status, place.kept()), (121, before));
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
    let outcome = run(&mut traced(
        &[
            "-o",
            "/dev/null",
            "--update",
            "--snapshot",
            "/proc/nowhere/snap",
        ],
        ["true"],
    ));
    assert_eq!(outcome.status, 125);
    assert!(outcome.stderr.contains("--snapshot"), "{}", outcome.stderr);
}

#[test]
fn a_command_that_does_not_run_has_no_snapshot() {
    let place = Place::new();
    let snap = place.path("snap");
    let flags = ["--update", "--snapshot", &snap];
    let outcome = run(traced(&flags, ["/nowhere/command"]).env("CI", ""));
    assert_eq!((outcome.status, place.kept()), (127, None));
}

#[test]
fn a_recording_is_compared_as_the_run_would_be() {
    let place = Place::keep("(exit 3) & wait $!");
    let record = place.path("record");
    place.run(&["--record", &record], "(exit 3) & wait $!");
    let snap = place.path("snap");
    let flags = ["--read", &record, "-o", "/dev/null", "--snapshot", &snap];
    assert_eq!(run(wait4_strace().args(flags)).status, 0);
    fs::write(&snap, "other\n").unwrap();
    assert_eq!(run(wait4_strace().args(flags)).status, 121);
}

#[test]
fn what_is_shown_changes_no_snapshot() {
    let script = "sleep 0.01 & sh -c 'kill -9 $$' & wait; timeout 0.05 sleep 9; exit 2";
    let place = Place::keep(script);
    let flags: [&[&str]; 7] = [
        &["-q"],
        &["-e", "trace=none"],
        &["-e", "signal=none"],
        &["-v", "-T", "-yy", "-Y"],
        &["--report", "none"],
        &["--format", "json"],
        &["--seccomp-bpf=never"],
    ];
    for flags in flags {
        let outcome = place.run(flags, script);
        assert_eq!(outcome.status, 2, "{flags:?}: {}", outcome.stderr);
    }
}

#[test]
fn flags_that_mean_nothing_beside_a_snapshot_are_refused() {
    let refused = |flags: &[&str]| {
        let outcome = run(&mut traced(flags, ["true"]));
        assert_eq!(outcome.status, 125, "{flags:?}: {outcome:?}");
        outcome.stderr
    };
    assert!(refused(&["--strace", "--snapshot", "f"]).contains("--strace"));
    assert!(refused(&["--no-follow", "--snapshot", "f"]).contains("--no-follow"));
    assert!(refused(&["--update"]).contains("--snapshot"));
}
