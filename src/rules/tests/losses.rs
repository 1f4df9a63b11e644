//! Statuses that another wait or the kernel took: `stolen-child`,
//! `double-wait`, `autoreap-echild`, `inherited-sigchld-ignore`

use super::*;
use crate::event::script::{HANDLER, NOHANG, without_status};
use crate::event::{Comm, Found, SigchldAction};
use crate::kernel::Tgid;

const STATUS: Answer = Ok((X, exited(3)));

// stolen-child

const STOLEN: [(Severity, RuleId); 1] = [(Severity::Warning, RuleId::StolenChild)];
const STALE: [(Severity, RuleId); 1] = [(Severity::Info, RuleId::DoubleWait)];

/// The child is dead; another thread may wait for it.
fn dead_in_two_threads() -> Script {
    let mut script = two_threads();
    script.fork(P, X).end(X, exited(3));
    script
}

#[test]
fn a_wait_of_another_thread_for_any_child_or_a_group_takes_it() {
    for thief in [-1, 0, -P] {
        let mut script = dead_in_two_threads();
        script.wait(T, thief, 0, STATUS).wait(P, X, 0, NO_CHILD);
        assert_eq!(found(script.over()), STOLEN, "{thief}");
        assert!(!diagnosis(&script).is_second_kind(), "in this run");
    }
}

#[test]
fn a_thief_that_drops_the_status_is_an_error() {
    let mut script = dead_in_two_threads();
    script.wait(T, -1, 0, STATUS).but(without_status);
    script.wait(P, X, 0, NO_CHILD).over();
    let error = (Severity::Error, RuleId::StolenChild);
    assert_eq!(found(&script), [error]);
}

#[test]
fn the_order_of_two_threads_events_is_no_matter() {
    let mut script = dead_in_two_threads();
    script.enter(P, X, 0).enter(T, -1, 0);
    script.leave(P, X, 0, NO_CHILD).leave(T, -1, 0, STATUS);
    assert_eq!(found(script.over()), STOLEN);
}

#[test]
fn two_threads_that_wait_for_a_child_at_once_do_not_wait_again() {
    let mut script = two_threads();
    script.fork(P, X).enter(P, X, 0).enter(T, X, 0).after(5);
    script.end(X, exited(3));
    script.leave(T, X, 0, STATUS).leave(P, X, 0, NO_CHILD);
    assert_eq!(found(script.over()), []);
    let mut script = dead_in_two_threads();
    script.wait(T, X, 0, STATUS).after(5);
    script.wait(P, X, 0, NO_CHILD);
    assert_eq!(found(script.over()), STALE);
}

#[test]
fn a_handler_takes_the_only_child() {
    for in_handler in [None, Some(true)] {
        let mut script = dead_child();
        script.sigchld(P, HANDLER).wait(P, -1, NOHANG, STATUS);
        script.but(|exit| exit.in_handler = in_handler);
        script.wait(P, X, 0, NO_CHILD).over();
        assert_eq!(found(&script), STOLEN, "{in_handler:?}");
    }
}

#[test]
fn a_wait_for_any_outside_a_handler_is_one_for_the_only_child() {
    let mut without = dead_child();
    without
        .wait(P, -1, 0, STATUS)
        .wait(P, X, 0, NO_CHILD)
        .over();
    assert_eq!(found(&without), STALE);

    let mut outside = dead_child();
    outside.sigchld(P, HANDLER).wait(P, -1, 0, STATUS);
    outside.but(|exit| exit.in_handler = Some(false));
    outside.wait(P, X, 0, NO_CHILD).over();
    assert_eq!(found(&outside), STALE);
}

#[test]
fn of_a_handler_that_proc_has_shown_a_theft_must_be_certain() {
    for (in_handler, expected) in [(None, STALE), (Some(false), STALE), (Some(true), STOLEN)] {
        let mut script = dead_child();
        script.sigchld(P, SigchldAction::UNKNOWN_HANDLER);
        script.wait(P, -1, NOHANG, STATUS);
        script.but(|exit| exit.in_handler = in_handler);
        script.wait(P, X, 0, NO_CHILD).over();
        assert_eq!(found(&script), expected, "{in_handler:?}");
    }
}

#[test]
fn a_wait_for_any_of_two_children_is_one_for_neither() {
    let mut script = dead_child();
    script.fork(P, Y).wait(P, -1, 0, STATUS);
    script.wait(P, X, 0, NO_CHILD).over();
    assert_eq!(found(&script), STOLEN);
}

#[test]
fn a_wait_that_began_before_the_theft_is_not_stale() {
    // A handler runs in its midst.
    let mut script = Script::launched(P);
    script.fork(P, X).enter(P, X, 0).after(5).end(X, exited(3));
    script.after(5).wait(P, -1, NOHANG, STATUS);
    script.after(5).leave(P, X, 0, NO_CHILD);
    script
        .but(|exit| exit.entered = crate::event::Moment(0))
        .over();
    assert_eq!(found(&script), STOLEN);
}

#[test]
fn the_end_of_a_loop_over_all_children_lost_nothing() {
    let mut script = dead_child();
    script
        .wait(P, -1, 0, STATUS)
        .wait(P, -1, 0, NO_CHILD)
        .over();
    assert_eq!(found(&script), []);
}

// double-wait

#[test]
fn a_child_that_was_reaped_by_its_pid() {
    let mut script = dead_child();
    script.wait(P, X, 0, STATUS).wait(P, X, 0, NO_CHILD).over();
    assert_eq!(found(&script), STALE);
}

#[test]
fn each_child_is_counted_once() {
    let mut script = dead_child();
    script.wait(P, X, 0, STATUS);
    script
        .wait(P, X, 0, NO_CHILD)
        .wait(P, X, 0, NO_CHILD)
        .over();
    assert_eq!(judged(&script)[0].count, 1);
}

#[test]
fn a_thread_that_reaps_the_child_later_has_not_reaped_it_before() {
    let mut script = Script::launched(P);
    script.fork(P, X).wait(P, X, 0, NO_CHILD);
    script.end(X, exited(3)).wait(P, X, 0, STATUS).over();
    assert_eq!(found(&script), []);
}

// autoreap-echild

/// The parent sets this, and its child dies then.
fn set(action: SigchldAction) -> Script {
    let mut script = Script::launched(P);
    script.sigchld(P, action).fork(P, X).end(X, exited(3));
    script
}

const NO_WAIT: [SigchldAction; 3] = [
    SigchldAction::Ignore,
    SigchldAction::DefaultNoWait,
    SigchldAction::Handler {
        address: 0x1000,
        no_wait: true,
        restarts: true,
    },
];

#[test]
fn a_status_that_the_kernel_dropped() {
    for (action, by_flag) in NO_WAIT.into_iter().zip([false, true, true]) {
        let mut script = set(action);
        script.wait(P, X, 0, NO_CHILD).over();
        let error = (Severity::Error, RuleId::AutoreapEchild);
        assert_eq!(found(&script), [error]);
        assert_eq!(diagnosis(&script).is_second_kind(), by_flag);
    }
}

#[test]
fn a_parent_that_ignores_sigchld_and_wants_no_status_has_no_bug() {
    for action in NO_WAIT {
        let mut barrier = set(action);
        barrier.wait(P, -1, 0, NO_CHILD).over();
        assert_eq!(found(&barrier), [], "{action:?}");
        assert_eq!(found(set(action).over()), [], "{action:?}");
    }
}

#[test]
fn a_child_without_sigchld_is_not_reaped_by_the_kernel() {
    let mut script = Script::launched(P);
    script.sigchld(P, SigchldAction::Ignore).clone_child(P, X);
    script.end(X, exited(3)).wait(P, X, 0x4000_0000, STATUS);
    script.wait(P, X, 0, NO_CHILD).over();
    assert_eq!(found(&script), STALE);
}

// inherited-sigchld-ignore

/// A launcher ignores SIGCHLD, forks and execs the program.
fn launched_deaf() -> Script {
    let mut script = Script::launched(1);
    script.exec(1, "launcher").sigchld(1, SigchldAction::Ignore);
    script.fork(1, P).exec(P, "program");
    script
}

#[test]
fn a_program_that_was_started_with_sigchld_ignored() {
    let mut script = launched_deaf();
    script.fork(P, X).end(X, exited(3)).wait(P, X, 0, NO_CHILD);
    let error = (Severity::Error, RuleId::InheritedSigchldIgnore);
    assert_eq!(found(script.over()), [error]);
    let Diagnosis::Loss(Loss::InheritedSigchldIgnore { by }) = diagnosis(&script) else {
        panic!("inherited-sigchld-ignore");
    };
    assert_eq!(by, Some(Comm::new(b"launcher")));
}

#[test]
fn who_ignored_sigchld_before_the_trace_is_not_known() {
    let mut script = Script::default();
    let found = Found {
        parent: Some(Tgid::new(1)),
        image: None,
        ns: None,
        comm: None,
        sigchld: Some(SigchldAction::Ignore),
    };
    script.event(P, crate::event::EventKind::Found(found));
    script.fork(P, X).end(X, exited(3)).wait(P, X, 0, NO_CHILD);
    assert!(matches!(
        diagnosis(script.over()),
        Diagnosis::Loss(Loss::InheritedSigchldIgnore { by: None })
    ));
}

#[test]
fn a_program_that_resets_sigchld_gets_its_statuses() {
    let mut script = launched_deaf();
    script.sigchld(P, SigchldAction::Default).fork(P, X);
    script.end(X, exited(3)).wait(P, X, 0, STATUS).over();
    assert_eq!(found(&script), []);
}

#[test]
fn a_program_that_ignores_sigchld_itself_did_not_inherit_it() {
    let mut script = launched_deaf();
    script.sigchld(P, SigchldAction::Ignore).fork(P, X);
    script.end(X, exited(3)).wait(P, X, 0, NO_CHILD).over();
    assert_eq!(rules(&script), [RuleId::AutoreapEchild]);
}
