//! `--snapshot FILE`: what is compared, what is written, and with which exit
//! status it ends. What stands in a snapshot is `tests/snapshots.rs`'s.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::support::{Outcome, run, traced, wait4_strace};
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
    fs::write(&snap, "wait4-strace snapshot v1\nother\n").unwrap();
    assert_eq!(run(wait4_strace().args(flags)).status, 121);
}

#[test]
fn what_is_no_regular_file_is_refused_and_never_waited_for() {
    let place = Place::new();
    let snap = place.path("snap");
    nix::unistd::mkfifo(snap.as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for name in [&snap, "/dev/zero", "/dev/null", "/dev/stdin", "/"] {
        for flags in [&["--snapshot", name][..], &["--update", "--snapshot", name]] {
            let mut command = traced(flags, ["true"]);
            let outcome = run(command.env("CI", "").stdin(Stdio::piped()));
            assert_eq!(outcome.status, 125, "{flags:?}");
            let why = &outcome.stderr;
            assert!(why.contains(name) && why.contains("regular"), "{why}");
        }
    }
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn a_file_that_is_no_snapshot_is_neither_compared_nor_written_over() {
    let place = Place::new();
    let others: [&[u8]; 3] = [
        b"#!/bin/sh\n",
        b"wait4-strace snapshot v1 \xff\n",
        b"<<<<<<< HEAD\nwait4-strace snapshot v1\n",
    ];
    for other in others {
        for flags in [&[][..], &["--update"]] {
            fs::write(place.path("snap"), other).unwrap();
            let outcome = place.run(flags, "true");
            assert_eq!(outcome.status, 125, "{outcome:?}");
            assert!(outcome.stderr.contains("no snapshot"), "{outcome:?}");
            assert_eq!(fs::read(place.path("snap")).unwrap(), other);
        }
    }
}

#[test]
fn an_update_fills_an_empty_file_and_replaces_another_version_s() {
    for old in ["", "\n", "wait4-strace snapshot v0\nold\n"] {
        let place = Place::new();
        fs::write(place.path("snap"), old).unwrap();
        let compared = place.run(&[], "true");
        assert_eq!(compared.status, 125, "{compared:?}");
        assert!(compared.stderr.contains("--update"), "{compared:?}");
        assert_eq!(place.run(&["--update"], "true").status, 0);
        assert_eq!(place.run(&[], "true").status, 0);
    }
}

#[test]
fn an_update_goes_where_a_link_leads() {
    let place = Place::keep("true");
    fs::rename(place.path("snap"), place.path("kept")).unwrap();
    std::os::unix::fs::symlink("kept", place.path("snap")).unwrap();
    assert_eq!(place.run(&["--update"], "exit 3").status, 3);
    assert!(
        fs::symlink_metadata(place.path("snap"))
            .unwrap()
            .is_symlink()
    );
    let kept = fs::read_to_string(place.path("kept")).unwrap();
    assert!(kept.contains("exited 3"), "{kept}");
}

#[test]
fn an_update_keeps_the_rights_of_the_file() {
    let place = Place::keep("exit 1");
    let snap = place.path("snap");
    fs::set_permissions(&snap, fs::Permissions::from_mode(0o640)).unwrap();
    place.run(&["--update"], "(exit 3); exit 1");
    assert!(place.kept().unwrap().contains('3'));
    let mode = fs::metadata(&snap).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn a_write_that_fails_leaves_the_file_as_it_was_and_nothing_beside_it() {
    let place = Place::keep("exit 1");
    let before = place.kept();
    let snap = place.path("snap");
    let tracer = wait4_strace();
    // A limit of no bytes: every write to a file fails.
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(tracer.get_program());
    command.args(["-o", "/dev/null", "--snapshot", &snap, "--update", "--"]);
    command.args(["sh", "-c", "(exit 3); exit 1"]).env("CI", "");
    let outcome = run(&mut command);
    assert_eq!(outcome.status, 125, "{outcome:?}");
    assert!(outcome.stderr.contains("cannot write"), "{outcome:?}");
    assert_eq!(place.kept(), before);
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 1);
}

#[test]
fn what_is_shown_changes_no_snapshot() {
    let script = "sleep 0.01 & sh -c 'kill -9 $$' & wait; timeout 1 sleep 9; exit 2";
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
