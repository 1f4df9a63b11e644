//! Children from before the attach, which are not traced.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::harness::{Target, Tracer, children, state};
use crate::support::{have, until};

#[test]
fn children_that_are_attached_too_are_no_gap_in_the_view() {
    for parent_first in [true, false] {
        let (target, child) = Target::blocked("3");
        let pids = if parent_first {
            [target.pid(), child]
        } else {
            [child, target.pid()]
        };
        let mut tracer = Tracer::attached(&["--every-call"], &pids);
        tracer.settled(target.pid());
        assert_eq!(target.finish(), Some(3));
        assert_eq!(tracer.status(), Some(0));
        let errors = tracer.errors();
        assert!(!errors.contains("partial view"), "{errors}");
    }
    let (target, _) = Target::blocked("3");
    let mut tracer = Tracer::attached(&[], &[target.pid()]);
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(3));
    assert_eq!(tracer.status(), Some(0));
    let errors = tracer.errors();
    assert!(
        errors.contains("1 child from before the attach not traced"),
        "{errors}"
    );
}

#[test]
fn a_child_that_was_dead_before_the_attach_has_no_time_of_death() {
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("recording");
    // The zombie of a program that does not know it.
    let mut target = Target::start(
        Command::new("sh").args(["-c", "sh -c 'sleep 0.2; exit 3' & echo $!; exec cat"]),
    );
    let child = target.read_child();
    until("the child is a zombie", || state(child) == "Z");
    let record = recording.to_str().unwrap().to_owned();
    let flags = ["--threshold", "zombie=0.1", "--record", &record];
    let mut tracer = Tracer::attached(&flags, &[target.pid()]);
    tracer.settled(target.pid());
    // A look at the zombie.
    until("it is old enough", || {
        fs::read_to_string(&recording).is_ok_and(|text| text.contains("\"observation\""))
    });
    tracer.send(Signal::SIGINT);
    assert_eq!(tracer.status(), Some(130));
    let errors = tracer.errors();
    assert!(
        errors.contains(&format!("child   {child} sh"))
            && errors.contains("exited with 3 before the attach"),
        "{errors}"
    );
    assert!(errors.contains("|  before the attach  "), "{errors}");
    assert!(!errors.contains("exited with 3 at"), "{errors}");
    drop(target);
}

/// How many zombies were looked at, by a recording so far.
fn zombies_looked_at(recording: &Path) -> usize {
    let text = fs::read_to_string(recording).unwrap_or_default();
    let looks = text
        .lines()
        .filter(|line| line.contains(r#""about":"zombie-probe""#))
        .filter_map(|line| line.split_once(r#""child":"#));
    let pids = looks.filter_map(|(_, rest)| rest.split(',').next());
    pids.collect::<std::collections::HashSet<_>>().len()
}

#[test]
fn children_from_before_the_attach_that_die_at_once_are_all_seen() {
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("recording");
    let mut target = Target::start(Command::new("sh").args([
        "-c",
        "for i in 1 2 3; do sh -c 'sleep 1; exit 3' & done; echo go; exec cat",
    ]));
    target.read_line();
    let record = recording.to_str().unwrap().to_owned();
    let flags = ["--threshold", "zombie=0.1", "--record", &record];
    let mut tracer = Tracer::attached(&flags, &[target.pid()]);
    until("all three are known to be dead", || {
        zombies_looked_at(&recording) == 3
    });
    tracer.send(Signal::SIGINT);
    assert_eq!(tracer.status(), Some(130));
    let errors = tracer.errors();
    assert!(errors.contains("3 zombies left"), "{errors}");
    drop(target);
}

#[test]
fn an_orphan_from_outside_the_trace_is_seen_when_it_dies() {
    let namespace = ["-pf", "--mount-proc", "--kill-child"];
    let can_be = have("unshare")
        && have("nsenter")
        && Command::new("unshare")
            .args(namespace)
            .arg("true")
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
    if !can_be {
        crate::support::passed_over("no new pid namespace");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("recording");
    let mut command = Command::new("unshare");
    let mut target = Target::start(
        command
            .args(namespace)
            .args(["sh", "-c", "echo go; exec cat"]),
    );
    target.read_line();
    let init = children(target.pid())[0];
    let record = recording.to_str().unwrap().to_owned();
    let flags = ["--threshold", "zombie=0.1", "--record", &record];
    let mut tracer = Tracer::attached(&flags, &[init]);
    let probe = "sh -c 'sleep 0.3 &'";
    let init = init.to_string();
    let probed = Command::new("nsenter")
        .args(["-t", &init, "-p", "-m", "sh", "-c", probe])
        .status();
    assert!(probed.unwrap().success());
    until("it is known to be dead", || {
        zombies_looked_at(&recording) == 1
    });
    tracer.send(Signal::SIGINT);
    assert_eq!(tracer.status(), Some(130));
    let errors = tracer.errors();
    assert!(
        errors.contains("warning[reaper-idle]") && errors.contains("1 zombie left"),
        "{errors}"
    );
    drop(target);
}
