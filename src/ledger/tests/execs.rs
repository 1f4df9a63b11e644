//! Execs: what another program keeps of the one before.

use super::*;
use crate::event::Comm;
use crate::event::SigchldAction;
use crate::event::script::{HANDLER, NOHANG};

#[test]
fn the_thread_that_execs_takes_the_leaders_tid() {
    let mut script = Script::launched(P);
    script.thread(P, 11).exec(T, "next");
    let at_once = ledger(&script);
    assert!(at_once.has_thread(Tid::new(P)) && !at_once.has_thread(Tid::new(11)));
    let later = ledger(script.quiet());
    assert_eq!(later.threads_of(Tgid::new(P)), 1);
    assert!(process(&later, P).ended.is_none());
    assert_eq!(later.comm(Tid::new(P)), Comm::new(b"next"));
}

#[test]
fn the_waits_of_the_program_before_are_over() {
    let mut script = Script::launched(P);
    script.thread(P, 11).fork(P, X);
    script.enter(P, X, 0).enter(T, -1, 0).exec(T, "next");
    let ledger = ledger(script.quiet());
    assert_eq!(ledger.waits_of(Tgid::new(P)).count(), 0);
    assert!(ledger.waiting(Tid::new(P)).is_none());
    assert!(ledger.waiting(Tid::new(11)).is_none());
}

#[test]
fn an_interrupted_wait_of_the_program_before_is_over() {
    let mut script = Script::launched(P);
    script.fork(P, X).enter(P, X, 0);
    script
        .leave(P, X, 0, Err(Errno::RESTARTSYS))
        .exec(P, "next");
    let by = crate::kernel::Signal::CHLD;
    script.event(P, EventKind::RestartOutcome { by, eintr: true });
    assert!(process(&ledger(&script), P).waits().last.is_none());
}

#[test]
fn what_the_program_before_waited_is_forgotten_and_its_children_are_not() {
    let mut script = dead_child();
    script.wait(P, -1, NOHANG, Ok((0, 0))).exec(P, "next");
    let ledger = ledger(&script);
    let process = process(&ledger, P);
    assert!(process.waits().last.is_none() && process.waits().drained.is_none());
    assert_eq!((zombies(&ledger, P), process.children), (1, 1));
    assert_eq!(process.execs.len(), 1);
}

#[test]
fn the_time_in_a_wait_that_an_exec_ends_counts() {
    let mut script = dead_child();
    script.thread(P, 11).thread(P, 12).fork(P, Y);
    script.enter(P, Y, 0).enter((12, P), Y, 0);
    script.after(10).exec(T, "next").after(10);
    let ledger = ledger(script.quiet());
    let end = process(&ledger, X).ended.unwrap();
    let busy = process(&ledger, P).blocked_between(&end, ledger.now());
    assert_eq!(busy.waiting, 10_000_000);
}

#[test]
fn an_exec_makes_sigchld_the_exit_signal() {
    let mut script = Script::launched(P);
    script.clone_child(P, X);
    assert!(process(&ledger(&script), X).is_clone_child());
    assert!(!process(&ledger(script.exec(X, "next")), X).is_clone_child());
}

#[test]
fn a_forked_process_has_its_parents_disposition_until_it_execs() {
    let mut script = Script::launched(P);
    script.sigchld(P, HANDLER).fork(P, X);
    let action = |script: &Script| process(&ledger(script), X).sigchld.action;
    assert_eq!(action(&script), Some(HANDLER));
    assert_eq!(action(script.exec(X, "next")), Some(SigchldAction::Default));
}

#[test]
fn the_last_few_images_are_kept() {
    let mut script = Script::launched(P);
    for number in 0..20 {
        script.exec(P, &format!("image {number}"));
    }
    let ledger = ledger(&script);
    let process = process(&ledger, P);
    assert_eq!(process.execs.len(), 8);
    let (_, before) = process.execs.last().unwrap();
    assert_eq!(before.comm, Comm::new(b"image 18"));
}
