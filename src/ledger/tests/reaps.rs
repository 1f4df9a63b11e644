//! By which process and by which means a child is reaped.

use super::*;
use crate::event::script::{Answer, NOHANG, NOWAIT, UNTRACED, as_waitid, stopped, without_status};
use crate::event::{Fetched, SigchldAction, WaitExit};
use crate::kernel::{IdType, Signal};
use crate::ledger::Reap;

const STATUS: Answer = Ok((X, exited(3)));

/// How X was reaped; it has left its parent then.
fn reap(script: &Script) -> Option<Reap> {
    let ledger = ledger(script);
    let reap = process(&ledger, X).reaped;
    let is_zombie = ledger
        .unreaped(Tgid::new(P))
        .any(|child| child.tgid.raw() == X);
    assert_ne!(reap.is_some(), is_zombie);
    let just_reaped = ledger.just_reaped().map(|child| child.tgid.raw());
    assert_eq!(reap.is_some(), just_reaped == Some(X));
    reap
}

fn way(script: &Script) -> Option<ReapKind> {
    reap(script).map(|reap| reap.way)
}

// By wait calls.

#[test]
fn waits_of_each_kind() {
    for (named, kind) in [
        (-1, ReapKind::Wildcard),
        (0, ReapKind::Group),
        (-5, ReapKind::Group),
        (X, ReapKind::Specific),
    ] {
        let mut script = dead_child();
        assert_eq!(way(script.wait(P, named, 0, STATUS)), Some(kind), "{named}");
        let ledger = ledger(&script);
        assert_eq!(process(&ledger, P).children, 0);
        assert_eq!(ledger.counts().reaped, 1);
    }
}

#[test]
fn the_reap_names_the_thread_and_what_it_took() {
    let mut script = dead_child();
    script.thread(P, 11).wait(T, -1, 0, STATUS);
    let taken = reap(&script).unwrap();
    assert_eq!(
        (taken.by, taken.by_process),
        (Tid::new(11), process(&ledger(&script), P).as_parent())
    );
    assert!(taken.took_status && taken.was_only_child);

    let mut dropped = dead_child();
    dropped
        .fork(P, Y)
        .wait(P, -1, 0, STATUS)
        .but(without_status);
    let dropped = reap(&dropped).unwrap();
    assert!(!dropped.took_status && !dropped.was_only_child);
}

#[test]
fn waits_that_take_nothing() {
    for (options, answer) in [
        (NOWAIT, STATUS),
        (0, Err(Errno::RESTARTSYS)),
        (0, Err(Errno::INTR)),
        (0, Err(Errno::CHILD)),
        (NOHANG, Ok((0, 0))),
    ] {
        let mut script = dead_child();
        script.wait(P, X, options, answer);
        assert_eq!(reap(&script), None, "{options:x} {answer:?}");
    }
    assert!(
        process(&ledger(dead_child().wait(P, X, NOWAIT, STATUS)), X)
            .history
            .peeked
            .is_some()
    );
}

#[test]
fn a_wait_that_tells_of_a_stop_takes_nothing() {
    let mut script = Script::launched(P);
    script.fork(P, X).stop(X);
    script.wait(P, X, UNTRACED, Ok((X, stopped(19))));
    let ledger = ledger(&script);
    let child = process(&ledger, X);
    assert!(child.ended.is_none() && child.reaped.is_none());
    assert!(child.history.last.is_some());
}

#[test]
fn a_wait_of_another_process_takes_no_child_of_this_one() {
    let mut script = dead_child();
    script.fork(P, Y).wait(Y, X, 0, Err(Errno::CHILD));
    assert_eq!(reap(&script), None);
}

// By waitid.

const ENDS: u32 = 4;
const STOPS: u32 = 2;

/// A `waitid` that was given no siginfo.
fn unreported(kind: IdType, id: u32) -> impl FnOnce(&mut WaitExit) {
    move |exit| {
        as_waitid(exit, kind, id);
        exit.entry.result_at = 0;
        exit.info = Fetched::Null;
    }
}

#[test]
fn waitids_of_each_kind() {
    for (kind, id, way_of_it) in [
        (IdType::ALL, 0, ReapKind::Wildcard),
        (IdType::PGID, 5, ReapKind::Group),
        (IdType::PID, 20, ReapKind::Specific),
    ] {
        let mut script = dead_child();
        script.wait(P, X, 0, STATUS);
        script.but(|exit| as_waitid(exit, kind, id));
        assert_eq!(way(&script), Some(way_of_it));
    }
}

#[test]
fn a_waitid_without_a_siginfo_took_what_it_named_or_the_only_one() {
    for (kind, id) in [(IdType::PID, 20), (IdType::ALL, 0)] {
        let mut script = dead_child();
        script.wait(P, X, ENDS, STATUS).but(unreported(kind, id));
        assert!(reap(&script).is_some(), "{kind:?}");
    }
}

#[test]
fn which_of_two_a_waitid_without_a_siginfo_took_is_not_known() {
    let mut script = dead_child();
    script.fork(P, Y).end(Y, 0).wait(P, X, ENDS, STATUS);
    script.but(unreported(IdType::ALL, 0));
    assert_eq!(zombies(&ledger(&script), P), 2);
}

#[test]
fn a_poll_without_a_siginfo_took_what_was_dead_before_it() {
    let poll = |dead_for, asks| {
        let mut script = dead_child();
        script.after(dead_for);
        script.wait(P, X, NOHANG | asks, Ok((0, 0)));
        way(script.but(unreported(IdType::PID, 20)))
    };
    assert_eq!(poll(1, ENDS), Some(ReapKind::Specific));
    assert_eq!(poll(0, ENDS), None);
    assert_eq!(poll(1, STOPS), None);
}

#[test]
fn a_waitid_without_a_siginfo_that_asks_for_stops_took_no_zombie() {
    let mut script = dead_child();
    script.wait(P, X, STOPS, Ok((X, stopped(19))));
    assert_eq!(reap(script.but(unreported(IdType::PID, 20))), None);
}

#[test]
fn a_pidfd_names_the_process() {
    let mut script = dead_child();
    script.wait(P, 5, 0, STATUS).but(|exit| {
        as_waitid(exit, IdType::PIDFD, 5);
        exit.entry.pidfd = Some(X);
    });
    assert_eq!(way(&script), Some(ReapKind::Specific));
    let ledger = ledger(&script);
    assert!(process(&ledger, X).history.named.is_some());
}

#[test]
fn a_pidfd_names_the_process_better_than_a_pid_of_a_namespace_that_is_not_known() {
    let mut script = dead_child();
    script.fork(P, 5).wait(P, 6, 0, Ok((5, exited(3))));
    script.but(|exit| {
        as_waitid(exit, IdType::PIDFD, 6);
        exit.entry.pidfd = Some(X);
    });
    assert_eq!(way(&script), Some(ReapKind::Specific));
}

// By other means.

/// EFAULT, after which the process has these children.
fn faulted(options: u32, remaining: Option<Vec<Tgid>>) -> Option<ReapKind> {
    let mut script = dead_child();
    script.wait(P, X, options, Err(Errno::FAULT));
    way(script.but(|exit| exit.remaining = remaining))
}

#[test]
fn a_fault_takes_what_is_gone_after_it() {
    assert_eq!(faulted(0, Some(vec![])), Some(ReapKind::Fault));
    assert_eq!(faulted(0, Some(vec![Tgid::new(X)])), None);
    assert_eq!(faulted(NOWAIT, Some(vec![])), None);
    assert_eq!(faulted(0, None), None, "nobody looked");
}

#[test]
fn the_kernel_reaps_for_a_parent_that_ignores_sigchld() {
    for (action, is_reaped) in [
        (SigchldAction::Ignore, true),
        (SigchldAction::DefaultNoWait, true),
        (SigchldAction::Default, false),
    ] {
        let mut script = Script::launched(P);
        script.sigchld(P, action).fork(P, X).end(X, 0);
        let expected = is_reaped.then_some(ReapKind::Kernel);
        assert_eq!(way(&script), expected, "{action:?}");
        assert_eq!(ledger(&script).counts().reaped, 0);
    }
}

#[test]
fn the_kernel_reaps_neither_old_zombies_nor_clone_children() {
    let mut old = dead_child();
    assert_eq!(way(old.sigchld(P, SigchldAction::Ignore)), None);

    let mut cloned = Script::launched(P);
    cloned.sigchld(P, SigchldAction::Ignore).clone_child(P, X);
    assert_eq!(way(cloned.end(X, 0)), None);
}

#[test]
fn a_child_that_is_gone_was_reaped_unseen() {
    assert_eq!(way(dead_child().look_in_vain(P, X)), Some(ReapKind::Unseen));
    let counts = ledger(dead_child().look_in_vain(P, X)).counts();
    assert_eq!((counts.reaped, counts.reaped_unobserved), (0, 1));
    assert_eq!(way(dead_child().look(P, X, |_| {})), None);
}

#[test]
fn a_process_whose_parent_is_not_traced_is_reaped_unseen() {
    let mut script = Script::launched(P);
    let ledger = ledger(script.end(P, 0));
    assert_eq!(process(&ledger, P).reaped.unwrap().way, ReapKind::Unseen);
}

#[test]
fn a_process_that_is_detached_is_out_of_sight() {
    let mut script = Script::launched(P);
    let ledger = ledger(script.fork(P, X).event(X, EventKind::Detached));
    let child = process(&ledger, X);
    assert_eq!(child.reaped.unwrap().way, ReapKind::Unseen);
    assert!(child.ended.is_none() && !ledger.has_thread(Tid::new(X)));
    assert_eq!(process(&ledger, P).children, 0);
}

#[test]
fn a_child_that_is_not_traced_is_known_to_be_dead_by_its_status() {
    let mut traced = untraced_child(None);
    traced.wait(P, X, 0, STATUS);
    assert_eq!(way(&traced), Some(ReapKind::Specific));
    assert_eq!(ledger(&traced).counts().reaped, 1);

    let mut unreported = untraced_child(None);
    unreported.wait(P, X, 0, STATUS).but(without_status);
    let ledger = ledger(&unreported);
    let child = process(&ledger, X);
    assert!(
        child.ended.is_none() && child.reaped.is_none(),
        "or stopped"
    );
}

// Signals that explain an end.

#[test]
fn a_signal_of_the_parent_or_of_another_is_remembered() {
    let sent_by = |by| {
        let mut script = Script::launched(P);
        script.fork(P, X).fork(P, Y).kill(by, X, Signal::TERM);
        let history = process(&ledger(&script), X).history.clone();
        (history.killed.is_some(), history.signalled.is_some())
    };
    assert_eq!(sent_by(P), (true, true));
    assert_eq!(sent_by(Y), (false, true));
}

#[test]
fn who_was_killed_by_an_unseen_sender_is_known() {
    let mut script = Script::launched(P);
    script.fork(P, 10).fork(P, 11).fork(P, 12).fork(P, 13);
    script.end(10, 15).kill(P, 11, Signal::KILL).end(11, 9);
    // One that is reaped is reported too.
    script.end(13, 9).wait(P, 13, 0, Ok((13, 9))).end(12, 9);
    let unseen = ledger(&script).killed_unseen();
    let pids: Vec<i32> = unseen.iter().map(|(tgid, _)| tgid.raw()).collect();
    assert_eq!(pids, [12, 13]);
}
