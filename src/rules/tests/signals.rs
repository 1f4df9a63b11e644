//! Zombies of parents whose SIGCHLD does not do what they rely on:
//! `sigchld-blocked`, `handler-replaced`, `coalesced-sigchld`

use super::*;
use crate::event::SigchldAction;
use crate::event::script::{HANDLER, NOHANG};

const OTHER_HANDLER: SigchldAction = SigchldAction::Handler {
    address: 0x2000,
    no_wait: false,
    restarts: true,
};

// sigchld-blocked

/// Looks, at each of which SIGCHLD is blocked and pending or not.
fn looks(blocked: &[bool]) -> Vec<RuleId> {
    let mut script = dead_child();
    for is_blocked in blocked {
        script.after(1000);
        script.look(P, X, |owner| owner.blocked_and_pending = *is_blocked);
    }
    script.over();
    rules(&script)
}

#[test]
fn a_signal_that_is_blocked_and_stays_pending() {
    assert_eq!(looks(&[true, true]), [RuleId::SigchldBlocked]);
}

#[test]
fn a_signal_that_is_taken_between_the_looks_is_not_blocked() {
    for looked in [&[true][..], &[true, false], &[false, true]] {
        assert_eq!(looks(looked), [RuleId::ZombieLeak], "{looked:?}");
    }
}

// handler-replaced

/// These dispositions are set before the child is forked.
fn handled_by(actions: &[SigchldAction]) -> Script {
    let mut script = Script::launched(P);
    for action in actions {
        script.sigchld(P, *action);
    }
    script.fork(P, X).end(X, exited(3));
    script
}

#[test]
fn a_second_handler_that_does_not_reap() {
    let mut script = handled_by(&[HANDLER, OTHER_HANDLER]);
    assert_eq!(leaks(&mut script), [RuleId::HandlerReplaced]);
}

#[test]
fn a_second_handler_that_reaps_has_no_bug() {
    let mut script = handled_by(&[HANDLER, OTHER_HANDLER]);
    script.wait(P, -1, NOHANG, Ok((X, exited(3))));
    script.after(2000).over();
    assert_eq!(rules(&script), []);
}

#[test]
fn a_handler_that_is_set_again_or_back_was_not_replaced() {
    let default = SigchldAction::Default;
    for actions in [
        &[HANDLER][..],
        &[HANDLER, HANDLER],
        &[HANDLER, OTHER_HANDLER, HANDLER],
        &[HANDLER, OTHER_HANDLER, default],
    ] {
        let mut script = handled_by(actions);
        assert_eq!(leaks(&mut script), [RuleId::ZombieLeak], "{actions:?}");
    }
}

#[test]
fn the_handler_of_the_program_before_was_not_replaced() {
    let mut script = Script::launched(P);
    script.sigchld(P, HANDLER).exec(P, "next");
    script.sigchld(P, OTHER_HANDLER).fork(P, X);
    assert_eq!(leaks(script.end(X, exited(3))), [RuleId::ZombieLeak]);
}

// coalesced-sigchld

/// Two children die, and the handler gets one signal for both.
fn two_die() -> Script {
    let mut script = Script::launched(P);
    script.sigchld(P, HANDLER).fork(P, X).fork(P, Y);
    script.end(X, exited(3)).end(Y, 0).sigchld_of(P, Y);
    script
}

#[test]
fn a_handler_that_reaps_one_child_a_signal() {
    let mut script = two_die();
    script.wait(P, -1, NOHANG, Ok((Y, 0)));
    leaks(&mut script);
    let coalesced = (Severity::Warning, RuleId::CoalescedSigchld);
    assert_eq!(found(&script), [coalesced]);
    assert!(!diagnosis(&script).is_second_kind());
}

#[test]
fn without_a_handler_nothing_depends_on_how_many_signals_come() {
    for action in [None, Some(SigchldAction::Default)] {
        let mut script = Script::launched(P);
        script.exec(P, "sh").fork(P, X).fork(P, Y);
        if let Some(action) = action {
            script.sigchld(P, action);
        }
        script.end(X, exited(3)).end(Y, 0);
        script.wait(P, -1, NOHANG, Ok((Y, 0)));
        assert_eq!(leaks(&mut script), [RuleId::ZombieLeak], "{action:?}");
    }
}

#[test]
fn a_loop_that_ends_with_nothing_left_is_no_such_handler() {
    for answer in [Ok((0, 0)), NO_CHILD] {
        let mut script = two_die();
        script.wait(P, -1, NOHANG, Ok((Y, 0)));
        script.wait(P, -1, NOHANG, answer);
        assert_eq!(leaks(&mut script), [RuleId::ZombieLeak], "{answer:?}");
    }
}

#[test]
fn a_handler_that_found_nothing_left_since_the_end_had_asked_again() {
    let mut script = Script::launched(P);
    script.sigchld(P, HANDLER).fork(P, X).end(X, exited(3));
    script.wait(P, -1, NOHANG, Ok((0, 0)));
    script.fork(P, Y).end(Y, 0).wait(P, -1, NOHANG, Ok((Y, 0)));
    assert_eq!(leaks(&mut script), [RuleId::ZombieLeak]);
}

#[test]
fn a_loop_that_blocks_is_no_such_handler() {
    let mut script = two_die();
    script.wait(P, -1, 0, Ok((Y, 0)));
    assert_eq!(leaks(&mut script), [RuleId::ZombieLeak]);
}

#[test]
fn a_wait_before_the_childs_end_did_not_leave_it() {
    let mut script = Script::launched(P);
    script.sigchld(P, HANDLER).fork(P, X).fork(P, Y).end(Y, 0);
    script.wait(P, -1, NOHANG, Ok((Y, 0))).end(X, exited(3));
    assert_eq!(leaks(&mut script), [RuleId::ZombieLeak]);
}

/// So many children die one after the other while another lives on, and a poll
/// reaps each.
fn one_by_one(count: i32, handler: bool, others: bool) -> Script {
    let mut script = Script::launched(P);
    if handler {
        script.sigchld(P, HANDLER);
    }
    if others {
        script.fork(P, X);
    }
    for child in 30..30 + count {
        script.fork(P, child).end(child, 0);
        script.wait(P, -1, NOHANG, Ok((child, 0)));
    }
    script
}

#[test]
fn three_such_reaps_are_a_habit() {
    let latent = [(Severity::Info, RuleId::CoalescedSigchld)];
    assert_eq!(found(one_by_one(3, true, true).over()), latent);
    assert_eq!(found(one_by_one(3, true, true).end(P, 0).end(X, 0)), latent);
    assert!(diagnosis(one_by_one(3, true, true).over()).is_second_kind());
}

#[test]
fn a_few_reaps_or_those_outside_a_handler_are_no_habit() {
    assert_eq!(found(one_by_one(2, true, true).over()), []);
    assert_eq!(found(one_by_one(3, false, true).over()), []);
}

#[test]
fn a_loop_over_an_only_child_would_have_found_nothing_more() {
    assert_eq!(found(one_by_one(3, true, false).over()), []);
}

#[test]
fn a_handler_that_once_emptied_the_queue_does_loop() {
    let mut script = Script::launched(P);
    script.sigchld(P, HANDLER).fork(P, X);
    script.wait(P, -1, NOHANG, Ok((0, 0)));
    for child in 30..33 {
        script.fork(P, child).end(child, 0);
        script.wait(P, -1, NOHANG, Ok((child, 0)));
    }
    assert_eq!(found(script.over()), []);
}
