//! Orphans, and the parents that they get.

use super::*;

/// X is the child of a process that dies.
fn orphan() -> Script {
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, X).end(P, 0);
    script
}

#[test]
fn nothing_says_which_process_adopts_an_orphan() {
    let ledger = ledger(&orphan());
    assert_eq!(parent(&ledger, X), None);
    let orphans: Vec<Tgid> = ledger.orphans().map(|orphan| orphan.tgid).collect();
    assert_eq!(orphans, [Tgid::new(X)]);
    assert!(ledger.orphaned().is_empty(), "it is alive");
}

#[test]
fn a_dead_orphan_belongs_to_the_process_that_adopts_it() {
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, X).end(X, 0).end(P, 0);
    let orphaned = ledger(&script).orphaned().to_vec();
    assert_eq!(orphaned, [Tgid::new(X)]);
    let ledger = ledger(script.adopt(1, X, P));
    assert_eq!(parent(&ledger, X), Some(1));
    // The child that it forked, and the one that it adopted.
    assert_eq!(zombies(&ledger, 1), 2);
    assert_eq!(process(&ledger, 1).children, 2);
}

#[test]
fn an_orphan_that_dies_later_is_its_new_parents_zombie() {
    let mut script = orphan();
    script.adopt(1, X, P);
    let alive = ledger(&script);
    assert_eq!((zombies(&alive, 1), process(&alive, 1).children), (1, 2));
    let dead = ledger(script.end(X, 0));
    assert_eq!((zombies(&dead, 1), process(&dead, 1).children), (2, 2));
    let (_, from) = process(&dead, X).adopted.unwrap();
    assert_eq!(from.id, Some(process(&dead, P).id));
}

#[test]
fn an_adoption_that_is_reported_twice_is_one() {
    let mut script = orphan();
    let ledger = ledger(script.adopt(1, X, P).adopt(1, X, P));
    assert_eq!(process(&ledger, 1).children, 2);
}

#[test]
fn a_look_tells_which_process_adopted_a_zombie() {
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, X).end(X, 0).after(5).end(P, 0);
    script.after(1000).look(1, X, |_| {});
    let ledger = ledger(&script);
    assert_eq!(parent(&ledger, X), Some(1));
    assert_eq!(zombies(&ledger, 1), 2);
    let (when, _) = process(&ledger, X).adopted.unwrap();
    assert_eq!(when.at.0, 5_000_000, "when its parent died");
}

#[test]
fn a_zombie_that_moves_leaves_its_parent() {
    // Its parent's end is not known yet.
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, X).end(X, 0).look(1, X, |_| {});
    let ledger = ledger(&script);
    assert_eq!((zombies(&ledger, P), zombies(&ledger, 1)), (0, 1));
    assert_eq!(process(&ledger, P).children, 0);
}

#[test]
fn an_orphan_of_a_process_outside_the_trace_is_gone_from_it() {
    let mut script = Script::launched(P);
    script.fork(P, X).end(X, 0).end(P, 0).look(1, X, |_| {});
    let reap = process(&ledger(&script), X).reaped.unwrap();
    assert_eq!(reap.way, ReapKind::Unseen);
}

#[test]
fn what_kept_the_former_parent_is_not_the_new_ones_business() {
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, X).stop(1).after(10).end(X, 0);
    script.after(10).end(P, 0).adopt(1, X, P).after(10);
    let ledger = ledger(script.quiet());
    let end = process(&ledger, X).ended.unwrap();
    let busy = process(&ledger, 1).blocked_between(&end, ledger.now());
    assert_eq!(busy.stopped, 10_000_000, "since the adoption");
}

#[test]
fn an_orphan_still_descends_from_those_that_created_it() {
    let mut script = orphan();
    let ledger = ledger(script.adopt(1, X, P));
    let x = process(&ledger, X);
    let descends = |pid| ledger.descends_from(x, process(&ledger, pid).id);
    assert!(descends(P) && descends(1) && !descends(X));
}

#[test]
fn a_parent_that_is_attached_to_after_its_child_has_it() {
    let mut script = Script::default();
    script.event(X, EventKind::Attached { threads: 1 });
    script.found(X, Some(P));
    script.event(P, EventKind::Attached { threads: 1 });
    script.found(P, Some(1)).end(X, 0);
    assert_eq!(zombies(&ledger(&script), P), 1);
}

#[test]
fn a_parent_that_is_found_late_claims_the_children_that_are_still_its_own() {
    let mut script = Script::launched(1);
    // X is a child; the pid of Y is one's that another process forked; Z is adopted.
    for child in [X, Y, Z] {
        script.found(child, Some(P));
    }
    script.end(Y, 0).fork(1, Y).adopt(1, Z, P);
    script.found(P, None);
    let late = ledger(&script);
    let id = process(&late, P).id;
    assert_eq!(process(&late, X).parent.unwrap().id, Some(id));
    assert_eq!([Y, Z].map(|child| parent(&late, child)), [Some(1); 2]);
    assert_eq!(process(&late, P).children, 1);
    assert_eq!(late.unclaimed.values().flatten().count(), 0);
    // Another process by the same pid has none of them.
    script.end(X, 0).end(P, 0).found(P, None);
    let again = ledger(&script);
    assert!(process(&again, P).id != id && process(&again, P).children == 0);
}

#[test]
fn a_command_that_is_launched_beside_an_attached_process_is_the_root() {
    let mut script = Script::default();
    script.event(P, EventKind::Attached { threads: 1 });
    script.found(P, Some(1)).found(X, None);
    let root = ledger(&script).root();
    assert_eq!(root.map(|root| root.tgid), Some(Tgid::new(X)));
}

#[test]
fn children_of_a_process_that_is_never_found_are_not_kept() {
    let mut script = Script::default();
    for child in 100..200 {
        script.found(child, Some(P)).end(child, 0);
    }
    assert!(ledger(&script).unclaimed.is_empty());
}

#[test]
fn a_child_from_before_the_attach_has_no_time_of_birth_or_death() {
    let ledger = ledger(&untraced_child(Some(exited(3))));
    let child = process(&ledger, X);
    assert!(child.born.is_before_attach && child.ended.unwrap().when.is_before_attach);
    assert_eq!(zombies(&ledger, P), 1);
    assert!(ledger.was_attached(Tgid::new(P)) && !ledger.was_attached(Tgid::new(X)));
}

#[test]
fn sigchld_tells_nothing_of_a_child_that_is_traced() {
    // Its own end does, which may be seen later.
    let mut script = Script::launched(P);
    let ledger = ledger(script.fork(P, X).sigchld_of(P, X));
    assert!(process(&ledger, X).ended.is_none());
}

#[test]
fn sigchld_tells_of_the_end_of_a_child_that_is_not_traced() {
    let mut script = untraced_child(None);
    assert_eq!(zombies(&ledger(&script), P), 0);
    let ledger = ledger(script.after(5).sigchld_of(P, X));
    assert_eq!(zombies(&ledger, P), 1);
    assert!(!process(&ledger, X).ended.unwrap().when.is_before_attach);
}
