//! Which process a pid means, when, and in which namespace.

use super::*;
use crate::ledger::ProcessId;

fn id(ledger: &Ledger, pid: i32) -> ProcessId {
    process(ledger, pid).id
}

#[test]
fn a_process_with_the_pid_of_a_reaped_one_is_another() {
    let mut script = dead_child();
    script.wait(P, X, 0, Ok((X, exited(3))));
    let before = ledger(&script);
    let after = ledger(script.fork(P, X));
    assert_ne!(id(&before, X), id(&after, X));
    assert!(process(&after, X).ended.is_none() && process(&after, X).reaped.is_none());
    assert!(process(&after, X).history.last.is_none());
    assert_eq!((zombies(&after, P), process(&after, P).children), (0, 1));
}

#[test]
fn a_pid_that_is_used_again_tells_that_its_zombie_was_reaped() {
    let ledger = ledger(dead_child().fork(P, X));
    assert_eq!((zombies(&ledger, P), process(&ledger, P).children), (0, 1));
}

#[test]
fn a_process_with_the_pid_of_a_dead_parent_inherits_no_child() {
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, X).end(P, 0).fork(1, P).end(X, 0);
    let ledger = ledger(&script);
    assert_eq!(zombies(&ledger, P), 0, "a stranger's child");
    assert!(!ledger.descends_from(process(&ledger, X), id(&ledger, P)));
}

#[test]
fn a_process_with_the_pid_of_a_dead_thread_is_none_of_its() {
    let mut script = Script::launched(P);
    script.thread(P, 11).end(T, 0).fork(P, 11);
    let ledger = ledger(&script);
    assert_eq!(ledger.threads_of(Tgid::new(P)), 1);
    assert_eq!(ledger.threads_of(Tgid::new(11)), 1);
    assert_eq!(parent(&ledger, 11), Some(P));
}

#[test]
fn the_end_of_a_thread_is_not_that_of_its_process() {
    let mut script = Script::launched(P);
    let ledger = ledger(script.thread(P, 11).end(T, exited(3)));
    assert!(process(&ledger, P).ended.is_none());
    assert!(!ledger.has_thread(Tid::new(11)) && ledger.has_thread(Tid::new(P)));
}

#[test]
fn a_child_that_is_found_before_its_creator_tells_of_it_is_one() {
    let mut script = Script::launched(P);
    script.found(X, Some(P)).fork(P, X);
    let ledger = ledger(&script);
    assert_eq!(ledger.counts().processes, 2);
    assert_eq!(process(&ledger, P).children, 1);
    assert_eq!(process(&ledger, X).creator.unwrap().0, Tid::new(P));
}

#[test]
fn what_a_late_word_of_the_creator_tells_does_not_undo_an_exec() {
    let mut script = Script::launched(P);
    script.found(X, Some(P)).exec(X, "true").clone_child(P, X);
    assert!(!process(&ledger(&script), X).is_clone_child());
}

#[test]
fn a_child_of_clone_parent_is_its_creators_sibling() {
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, X).for_parent(1);
    let ledger = ledger(&script);
    assert_eq!(parent(&ledger, X), Some(1));
    assert_eq!(
        process(&ledger, X).cloned_by,
        Some(process(&ledger, P).as_parent())
    );
    assert_eq!(
        (process(&ledger, 1).children, process(&ledger, P).children),
        (2, 0)
    );
}

#[test]
fn the_oldest_of_the_reaped_are_forgotten() {
    let mut script = dead_child();
    script.wait(P, X, 0, Ok((X, exited(3))));
    for child in 1000..1000 + 4095 {
        script.fork(P, child).end(child, 0);
        script.wait(P, child, 0, Ok((child, 0)));
    }
    let full = ledger(&script);
    assert!(full.process(Tgid::new(X)).is_some() && full.knows_all());
    script.fork(P, Y).end(Y, 0).wait(P, Y, 0, Ok((Y, 0)));
    let over = ledger(&script);
    assert!(over.process(Tgid::new(X)).is_none() && !over.knows_all());
    assert!(over.process(Tgid::new(Y)).is_some());
}

#[test]
fn a_new_process_is_not_forgotten_for_an_old_one_with_its_pid() {
    let mut script = dead_child();
    script.wait(P, X, 0, Ok((X, exited(3)))).fork(P, X);
    for child in 1000..1000 + 4096 {
        script.fork(P, child).end(child, 0);
        script.wait(P, child, 0, Ok((child, 0)));
    }
    assert!(process(&ledger(&script), X).reaped.is_none());
}

// Namespaces.

/// X is called 5 in the namespace of P, whose init P is; there is another
/// namespace, with another process 5.
fn nested() -> Script {
    let mut script = Script::launched(1);
    script.fork(1, P).in_namespace(77, &[P, 1]);
    script.fork(P, X).in_namespace(77, &[X, 5]);
    script.fork(1, 30).in_namespace(78, &[30, 1]);
    script.fork(30, Y).in_namespace(78, &[Y, 5]);
    script
}

fn called(ledger: &Ledger, by: i32, pid: i32) -> Option<i32> {
    let process = ledger.recall(Tgid::new(by), NsPid::new(pid))?;
    Some(process.tgid.raw())
}

#[test]
fn a_pid_means_what_it_means_to_its_caller() {
    let ledger = ledger(&nested());
    assert_eq!(called(&ledger, P, 5), Some(X));
    assert_eq!(called(&ledger, 30, 5), Some(Y));
    assert_eq!(called(&ledger, P, 1), Some(P));
    assert_eq!(called(&ledger, 1, X), Some(X));
    assert_eq!(called(&ledger, P, X), None, "a pid of the outer namespace");
    let init = process(&ledger, P);
    assert!(init.is_namespace_init() && !process(&ledger, X).is_namespace_init());
    assert_eq!((init.namespace(), init.ns_pid()), (Some(77), Some(1)));
}

#[test]
fn a_wait_in_a_namespace_reaps_by_its_pids() {
    let mut script = nested();
    script.end(X, 0).end(Y, 0).wait(P, 5, 0, Ok((5, 0)));
    let ledger = ledger(&script);
    assert!(process(&ledger, X).reaped.is_some());
    assert!(process(&ledger, Y).reaped.is_none());
}

#[test]
fn a_pid_of_a_namespace_is_used_again() {
    let mut script = nested();
    script.end(X, 0).wait(P, 5, 0, Ok((5, 0)));
    script.fork(P, 40).in_namespace(77, &[40, 5]);
    // The pid outside of the one that had it before is used again as well.
    script.fork(1, X);
    assert_eq!(called(&ledger(&script), P, 5), Some(40));
}
