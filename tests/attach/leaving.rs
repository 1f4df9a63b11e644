//! How the trace ends, and the targets with it or without it.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::harness::{
    ENDINGS, MARK, Target, Tracer, all_traced_by, busy_shell, field, marked, new_mark,
    nobody_is_traced, process, state,
};
use crate::support::{fixture, is_too_slow_for, traced, until, wait, wait4_strace};

#[test]
fn a_signal_that_a_launched_command_outlives_does_not_take_its_status() {
    let (target, _) = Target::blocked("3");
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let (ready, go) = (at("ready"), at("go"));
    // It outlives the grace that the attached ones are given as well.
    let script = "trap : TERM; : > \"$0\"; while [ ! -e \"$1\" ]; do sleep 0.05; done; exit 7";
    let mut tracer = Tracer::start(&[], &[target.pid()], &["sh", "-c", script, &ready, &go]);
    until("the trap is set", || Path::new(&ready).exists());
    tracer.send(Signal::SIGTERM);
    until("the target is let go", || all_traced_by(target.pid(), 0));
    std::thread::sleep(std::time::Duration::from_millis(1500));
    fs::write(&go, "").unwrap();
    let status = tracer.status();
    assert_eq!(status, Some(7), "{}\n{}", tracer.errors(), tracer.log());
    assert_eq!(target.finish(), Some(3));
}

#[test]
fn a_signal_to_the_tracer_detaches_and_leaves_the_target_as_it_was() {
    for (signal, status) in ENDINGS {
        for flags in [&[][..], &["--strace"], &["--no-follow"]] {
            let (target, _) = Target::blocked("3");
            let tracer = Tracer::attached(flags, &[target.pid()]);
            tracer.send(signal);
            let log = tracer.end(status);
            assert!(all_traced_by(target.pid(), 0), "{signal}: {log}");
            until("the target sleeps as before", || state(target.pid()) == "S");
            assert_eq!(target.finish(), Some(3), "{signal}: {log}");
        }
    }
}

#[test]
fn a_signal_right_after_the_start_is_not_lost_on_the_target() {
    // Whenever it comes, the target must be left untraced and running.
    for round in 0..30 {
        let (target, _) = Target::blocked("3");
        let mut tracer = Tracer::start(&[], &[target.pid()], &[]);
        if round % 3 == 1 {
            until("the target is traced", || {
                field(&process(target.pid()), "TracerPid:") == Some(tracer.child.id().to_string())
            });
        } else {
            std::thread::sleep(std::time::Duration::from_micros(300 * round));
        }
        tracer.send(Signal::SIGINT);
        assert_eq!(tracer.status(), Some(130), "{}", tracer.log());
        until("the target sleeps as before", || state(target.pid()) == "S");
        assert!(all_traced_by(target.pid(), 0));
        assert_eq!(target.finish(), Some(3));
    }
}

#[test]
fn a_running_target_runs_on_after_the_detach() {
    let script = "while :; do :; done";
    let target = Target::start(Command::new("sh").args(["-c", script]));
    for (signal, status) in ENDINGS {
        let tracer = Tracer::attached(&[], &[target.pid()]);
        tracer.send(signal);
        tracer.end(status);
        assert!(all_traced_by(target.pid(), 0));
        until("it runs", || state(target.pid()) == "R");
    }
}

#[test]
fn a_thousand_threads_are_left_in_a_moment() {
    for flags in [&[][..], &["--every-call"]] {
        let mut target = Target::fixture(&["threads_fork_when_told", "1000", "0"]);
        assert_eq!(target.read_line(), "ready\n");
        let mut took = (0..5).map(|_| {
            let mut tracer = Tracer::attached(flags, &[target.pid()]);
            tracer.settled(target.pid());
            let begun = Instant::now();
            tracer.send(Signal::SIGINT);
            assert_eq!(tracer.status(), Some(130), "{}", tracer.errors());
            let took = begun.elapsed();
            assert!(all_traced_by(target.pid(), 0));
            took
        });
        // After a second those that have not stopped are left to the kernel. A
        // machine that is busy may need more than once.
        let is_quick = took.any(|took| took < Duration::from_millis(950));
        assert!(is_quick || is_too_slow_for("a second"));
        assert_eq!(target.finish(), Some(0));
    }
}

#[test]
fn a_killed_tracer_leaves_the_target_running_on() {
    let (target, _) = Target::blocked("3");
    let mut tracer = Tracer::attached(&[], &[target.pid()]);
    tracer.send(Signal::SIGKILL);
    assert_eq!(tracer.status(), Some(137));
    until("it is untraced", || all_traced_by(target.pid(), 0));
    assert_eq!(target.finish(), Some(3));
}

#[test]
fn a_killed_tracer_takes_what_it_launched_along() {
    for flags in [&[][..], &["--seccomp-bpf=never"], &["--no-follow"]] {
        let mark = new_mark();
        let script = "sh -c 'sleep 1000; exit' & (sleep 1000) & sleep 1000";
        let script = if flags.contains(&"--no-follow") {
            // Those that are not followed are not ours to kill.
            "while :; do :; done"
        } else {
            script
        };
        let mut command = traced(flags, ["sh", "-c", script]);
        let mut tracer = command
            .env(MARK, &mark)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let family = if flags.contains(&"--no-follow") { 2 } else { 5 };
        until("the family is there", || marked(&mark).len() >= family);
        tracer.kill().unwrap();
        assert_eq!(wait(&mut tracer), Some(137));
        until("nobody is left", || marked(&mark).is_empty());
    }
}

#[test]
fn a_killed_tracer_of_a_busy_program_leaves_its_result_right() {
    let directory = tempfile::tempdir().unwrap();
    let mark = new_mark();
    let target = busy_shell(directory.path(), &mark);
    for _ in 0..20 {
        let mut tracer = Tracer::attached(&[], &[target.pid()]);
        tracer.send(Signal::SIGKILL);
        assert_eq!(tracer.status(), Some(137));
        nobody_is_traced(&mark);
    }
    fs::write(directory.path().join("go"), "").unwrap();
    assert_eq!(target.finish(), Some(5));
}

#[test]
fn kill_on_exit_kills_the_target_when_the_trace_ends() {
    for (signal, status) in ENDINGS {
        let mark = new_mark();
        let mut command = fixture("threads_blocked_in_wait4");
        let mut target = Target::start(command.env(MARK, &mark));
        for _ in 0..3 {
            target.read_line();
        }
        let tracer = Tracer::attached(&["--kill-on-exit"], &[target.pid()]);
        tracer.send(signal);
        let log = tracer.end(status);
        assert_eq!(wait(&mut target.child), Some(137), "{signal}");
        assert!(log.contains("killed by SIGKILL"), "{log}");
    }
    let (mut target, _) = Target::blocked("3");
    let tracer = Tracer::attached(&["--kill-on-exit"], &[target.pid()]);
    tracer.send(Signal::SIGKILL);
    assert_eq!(wait(&mut target.child), Some(137), "by the kernel");
}

#[test]
fn output_that_is_lost_does_not_disturb_the_target() {
    let directory = tempfile::tempdir().unwrap();
    let mark = new_mark();
    let target = busy_shell(directory.path(), &mark);
    let mut tracer = wait4_strace();
    tracer.args(["-p", &target.pid().to_string()]);
    let mut tracer = tracer.stderr(Stdio::piped()).spawn().unwrap();
    let mut byte = [0];
    let mut stderr = tracer.stderr.take().unwrap();
    stderr.read_exact(&mut byte).unwrap();
    drop(stderr);
    fs::write(directory.path().join("go"), "").unwrap();
    assert_eq!(target.finish(), Some(5));
    assert_eq!(wait(&mut tracer), Some(125));
}

#[test]
fn kill_on_exit_kills_a_target_whose_leader_was_dead_at_the_attach() {
    for (signal, status) in ENDINGS {
        let mut target = Target::fixture(&["leader_has_left"]);
        target.read_line();
        let tracer = Tracer::start(&["--kill-on-exit"], &[target.pid()], &[]);
        until("it is attached to", || tracer.errors().contains("attached"));
        tracer.send(signal);
        tracer.end(status);
        assert_eq!(wait(&mut target.child), Some(137), "{signal}");
    }
}
