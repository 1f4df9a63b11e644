//! What is shown of processes that run.

use std::ffi::OsStr;
use std::fs;

use nix::sys::signal::Signal;

use super::harness::{Target, Tracer, all_traced_by, id, send, threads};
use crate::support::{fixture_path, until, wait, wait4_strace};

#[test]
fn a_call_that_was_under_way_is_shown_whole() {
    let (target, child) = Target::blocked("3");
    let pid = target.pid();
    let tracer = Tracer::attached(&["--strace"], &[pid]);
    tracer.settled(pid);
    assert_eq!(target.finish(), Some(3));
    let log = tracer.end(0);
    let call =
        format!("wait4({child}, [{{WIFEXITED(s) && WEXITSTATUS(s) == 3}}], 0, NULL) = {child}");
    assert!(log.contains(&call), "{log}");
    assert!(log.contains("+++ exited with 3 +++"), "{log}");
}

#[test]
fn the_calls_of_all_threads_are_shown() {
    let mut target = Target::fixture(&["threads_blocked_in_wait4", "5"]);
    let children: Vec<i32> = (0..5).map(|_| target.read_child()).collect();
    let tracer = Tracer::attached(&[], &[target.pid()]);
    assert!(
        tracer.child.id() > 0 && threads(target.pid()).len() == 6,
        "the leader and five threads"
    );
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(0));
    let log = tracer.end(0);
    for child in children {
        assert!(log.contains(&format!("NULL) = {child}")), "{child}: {log}");
    }
}

#[test]
fn several_processes_are_attached_to_at_once() {
    let (one, first) = Target::blocked("1");
    let (two, second) = Target::blocked("2");
    let tracer = Tracer::attached(&[], &[one.pid(), two.pid(), one.pid()]);
    tracer.settled(one.pid());
    tracer.settled(two.pid());
    assert_eq!((one.finish(), two.finish()), (Some(1), Some(2)));
    let log = tracer.end(0);
    for child in [first, second] {
        assert!(log.contains(&format!("NULL) = {child}")), "{log}");
    }
}

#[test]
fn a_thread_s_id_stands_for_its_process() {
    let mut target = Target::fixture(&["threads_blocked_in_wait4", "2"]);
    let line = target.read_line();
    let thread = line.split(['/', ' ']).nth(1).unwrap().parse().unwrap();
    target.read_line();
    let tracer = Tracer::start(&[], &[thread], &[]);
    until("all threads are traced", || {
        all_traced_by(target.pid(), tracer.child.id())
    });
    assert_eq!(target.finish(), Some(0));
    tracer.end(0);
}

#[test]
fn a_command_can_be_launched_beside_an_attach_and_its_status_counts() {
    let (target, child) = Target::blocked("3");
    let tracer = Tracer::start(
        &["--strace"],
        &[target.pid()],
        &["sh", "-c", "(exit 4); exit 7"],
    );
    until("the command has ended", || {
        tracer.log().contains("exited with 7")
    });
    assert!(all_traced_by(target.pid(), tracer.child.id()));
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(3));
    let log = tracer.end(7);
    assert!(
        log.contains(&format!("NULL) = {child}")) && log.contains("exited with 4"),
        "{log}"
    );
}

#[test]
fn the_detach_is_said_for_each_process_and_can_be_silenced() {
    let (target, _) = Target::blocked("3");
    let words = |flags: &[&str], signal| {
        let directory = tempfile::tempdir().unwrap();
        let errors = directory.path().join("errors");
        let mut tracer = wait4_strace()
            .args(flags)
            .args(["-p", &target.pid().to_string()])
            .stderr(fs::File::create(&errors).unwrap())
            .spawn()
            .unwrap();
        until("it is traced", || all_traced_by(target.pid(), tracer.id()));
        send(id(&tracer), signal);
        assert_eq!(wait(&mut tracer), Some(130));
        fs::read_to_string(errors).unwrap()
    };
    let said = words(&["--strace"], Signal::SIGINT);
    let pid = target.pid();
    assert!(said.contains(&format!("Process {pid} attached")), "{said}");
    assert!(said.contains(&format!("Process {pid} detached")), "{said}");
    let said = words(&["-qqq"], Signal::SIGINT);
    assert!(!said.contains("Process"), "{said}");
    assert_eq!(target.finish(), Some(3));
}

#[test]
fn words_of_the_target_reach_the_lines() {
    let (target, _) = Target::blocked("3");
    let tracer = Tracer::attached(&[], &[target.pid()]);
    let name = fixture_path();
    let name = name.file_name().and_then(OsStr::to_str).unwrap().to_owned();
    assert_eq!(target.finish(), Some(3));
    let log = tracer.end(0);
    assert!(log.lines().all(|line| line.contains(&name)), "{log}");
}

#[test]
fn threads_from_before_the_attach_were_created_by_nobody_that_is_known() {
    let mut target = Target::fixture(&["threads_blocked_in_wait4", "5"]);
    for _ in 0..5 {
        target.read_child();
    }
    let tracer = Tracer::attached(&[], &[target.pid()]);
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(0));
    let errors = tracer.errors();
    let log = tracer.end(0);
    assert!(!log.contains("created under"), "{log}");
    assert!(errors.contains("attached with 6 threads"), "{errors}");
}
