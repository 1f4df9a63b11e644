//! Targets that fork, exec and start threads while they are attached to.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;

use super::harness::{
    MARK, Target, Tracer, all_traced_by, busy_shell, field, marked, new_mark, nobody_is_traced,
    process, state,
};
use crate::support::{fixture_path, until};

#[test]
fn a_forking_target_is_followed_and_nobody_is_lost_or_left_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let mark = new_mark();
    let target = busy_shell(directory.path(), &mark);
    for round in 0..30 {
        let tracer = Tracer::attached(&[], &[target.pid()]);
        if round % 2 == 0 {
            until("children are followed", || {
                tracer.log().matches("exited with").count() >= 20
            });
        }
        tracer.send(Signal::SIGINT);
        tracer.end(130);
        nobody_is_traced(&mark);
    }
    let tracer = Tracer::attached(&[], &[target.pid()]);
    fs::write(directory.path().join("go"), "").unwrap();
    assert_eq!(target.finish(), Some(5));
    tracer.end(0);
    until("nobody is left", || marked(&mark).is_empty());
}

#[test]
fn every_child_that_is_forked_under_an_attach_has_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let mark = new_mark();
    let target = busy_shell(directory.path(), &mark);
    let tracer = Tracer::attached(&[], &[target.pid()]);
    until("children are followed", || {
        tracer.log().matches("exited with").count() >= 100
    });
    fs::write(directory.path().join("go"), "").unwrap();
    assert_eq!(target.finish(), Some(5));
    let log = tracer.end(0);
    for line in log.lines() {
        let Some((_, child)) = line.split_once("forked ") else {
            continue;
        };
        let child = child.split_whitespace().next().unwrap();
        let begin = format!("{child} ");
        let mut ends = log.lines().filter(|line| line.starts_with(&begin));
        assert!(
            ends.any(|line| line.contains("+++ exited with")),
            "{child}: {log}"
        );
    }
}

#[test]
fn a_busy_program_is_unharmed_by_fifty_attaches() {
    let directory = tempfile::tempdir().unwrap();
    let mark = new_mark();
    // The fixture checks every status that it reaps, in each of its threads.
    let script = "while [ ! -e \"$0\" ]; do \"$1\" threads_fork_and_wait 4 20 > /dev/null \
                  || exit 9; (exit 3); [ $? = 3 ] || exit 8; done; echo done; exit 5";
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .arg(directory.path().join("go"));
    let target = Target::start(command.arg(fixture_path()).env(MARK, &mark));
    for round in 0..50 {
        // The shell and whoever is there besides; those may be gone by now.
        let mut pids = vec![target.pid()];
        pids.extend(marked(&mark).into_iter().filter(|pid| *pid != target.pid()));
        let mut tracer = Tracer::start(&[], &pids, &[]);
        until("the shell is traced", || {
            all_traced_by(target.pid(), tracer.child.id())
        });
        if round % 4 == 3 {
            tracer.send(Signal::SIGKILL);
            assert_eq!(tracer.status(), Some(137));
        } else {
            if round % 4 == 0 {
                until("something is traced", || tracer.log().lines().count() > 5);
            }
            tracer.send(Signal::SIGINT);
            let status = tracer.status().unwrap();
            let refused = tracer.errors().contains("cannot attach");
            assert!(status == 130 || (status == 125 && refused), "{status}");
        }
        nobody_is_traced(&mark);
    }
    fs::write(directory.path().join("go"), "").unwrap();
    assert_eq!(target.finish(), Some(5));
    until("nobody is left", || marked(&mark).is_empty());
}

#[test]
fn without_following_the_named_task_alone_is_traced() {
    let mut target = Target::fixture(&["threads_blocked_in_wait4", "2"]);
    let line = target.read_line();
    let child: i32 = line.split_whitespace().last().unwrap().parse().unwrap();
    let thread: i32 = line.split(['/', ' ']).nth(1).unwrap().parse().unwrap();
    target.read_line();
    let tracer = Tracer::start(&["--no-follow"], &[thread], &[]);
    let path = process(target.pid()).join(format!("task/{thread}"));
    until("the thread is traced", || {
        field(&path, "TracerPid:") == Some(tracer.child.id().to_string())
    });
    assert_eq!(
        field(&process(target.pid()), "TracerPid:").as_deref(),
        Some("0")
    );
    assert_eq!(field(&process(child), "TracerPid:").as_deref(), Some("0"));
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(0));
    let log = tracer.end(0);
    assert!(log.contains(&format!("NULL) = {child}")), "{log}");
}

#[test]
fn without_following_two_threads_of_a_process_are_traced() {
    let mut target = Target::fixture(&["threads_blocked_in_wait4", "2"]);
    let (first, second) = (target.read_line(), target.read_line());
    let thread = |line: &str| -> i32 { line.split(['/', ' ']).nth(1).unwrap().parse().unwrap() };
    let named = [thread(&first), thread(&second)];
    let tracer = Tracer::start(&["--no-follow"], &named, &[]);
    for thread in named {
        let path = process(target.pid()).join(format!("task/{thread}"));
        until("both threads are traced", || {
            field(&path, "TracerPid:") == Some(tracer.child.id().to_string())
        });
    }
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(0));
    let log = tracer.end(0);
    assert_eq!(log.matches(", NULL) = ").count(), 2, "{log}");
}

#[test]
fn a_thread_that_another_tracer_has_is_told_of() {
    let mut target = Target::fixture(&["threads_blocked_in_wait4", "2"]);
    let line = target.read_line();
    target.read_line();
    let thread: i32 = line.split(['/', ' ']).nth(1).unwrap().parse().unwrap();
    let other = Tracer::start(&["--no-follow"], &[thread], &[]);
    let path = process(target.pid()).join(format!("task/{thread}"));
    until("the thread is traced", || {
        field(&path, "TracerPid:") == Some(other.child.id().to_string())
    });
    let mut tracer = Tracer::start(&[], &[target.pid()], &[]);
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(0));
    assert_eq!(tracer.status(), Some(0));
    let errors = tracer.errors();
    let sentence = format!("cannot attach to {thread}: it is traced by ");
    assert!(errors.contains(&sentence), "{errors}");
    assert!(
        errors.contains("; the waits of this thread are not seen"),
        "{errors}"
    );
    assert!(
        errors.contains("partial view: 1 thread could not be attached to"),
        "{errors}"
    );
    other.end(0);
}

#[test]
fn without_following_the_children_of_a_target_are_let_be() {
    let directory = tempfile::tempdir().unwrap();
    let mark = new_mark();
    let target = busy_shell(directory.path(), &mark);
    let tracer = Tracer::attached(&["--no-follow"], &[target.pid()]);
    until("its waits are seen", || {
        tracer.log().matches("WEXITSTATUS(s) == 3").count() >= 10
    });
    fs::write(directory.path().join("go"), "").unwrap();
    assert_eq!(target.finish(), Some(5));
    let log = tracer.end(0);
    assert!(!log.contains("+++ exited with 3"), "{log}");
    assert!(log.contains("+++ exited with 5"), "{log}");
}

#[test]
fn a_target_that_execs_from_a_thread_is_followed() {
    let mut command = Command::new("sh");
    let script = "read line; exec \"$0\" exec_from_thread_loop 30";
    let mut target = Target::start(command.args(["-c", script]).arg(fixture_path()));
    let tracer = Tracer::attached(&[], &[target.pid()]);
    drop(target.child.stdin.take());
    assert_eq!(target.read_line(), "all threads have had their exec\n");
    assert_eq!(target.finish(), Some(0));
    let log = tracer.end(0);
    assert_eq!(log.matches("superseded by execve").count(), 30, "{log}");
}

#[test]
fn a_target_is_attached_to_while_its_threads_come_and_go() {
    let target = Target::fixture(&["threads_start_and_end", "20000"]);
    for _ in 0..20 {
        if state(target.pid()) == "Z" {
            break;
        }
        let mut tracer = Tracer::start(&[], &[target.pid()], &[]);
        until("it is traced or gone", || {
            all_traced_by(target.pid(), tracer.child.id()) || state(target.pid()) == "Z"
        });
        tracer.send(Signal::SIGINT);
        assert!(tracer.status().is_some());
        assert!(!tracer.errors().contains("panicked"), "{}", tracer.errors());
    }
    assert_eq!(target.finish(), Some(0));
}

/// A wait for any tracee returns the youngest that is ready: of threads that are always
/// ready the oldest would make one call where that one makes 5,000.
#[test]
fn each_of_many_busy_threads_gets_its_turn() {
    let mut target = Target::fixture(&["threads_call_all_the_time", "8"]);
    assert_eq!(target.read_line(), "ready\n");
    let tracer = Tracer::attached(&["--every-call"], &[target.pid()]);
    tracer.settled(target.pid());
    target.end_input();
    let line = target.read_line();
    let calls: Vec<u32> = line
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    assert!(calls[1] < calls[0] * 50, "{line}");
    assert_eq!(target.finish(), Some(0));
    tracer.end(0);
}
