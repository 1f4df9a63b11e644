//! Zombies of children whose waits were misunderstood: `wnowait-only`,
//! `stop-mistaken-for-exit`, `eintr-abandoned`, `pgrp-miss`

use super::*;
use crate::event::script::{HANDLER, NOHANG, NOWAIT, UNTRACED, stopped};
use crate::kernel::Signal;

const CONTINUED: i32 = 0xffff;

// wnowait-only

#[test]
fn a_child_that_is_only_peeked_at() {
    let mut script = dead_child();
    script.wait(P, X, NOWAIT, Ok((X, exited(3))));
    assert_eq!(leaks(&mut script), [RuleId::WnowaitOnly]);
}

#[test]
fn a_peek_that_is_followed_by_a_reap_is_an_idiom() {
    let mut script = dead_child();
    script.wait(P, X, NOWAIT, Ok((X, exited(3))));
    script.wait(P, X, 0, Ok((X, exited(3)))).after(2000).over();
    assert_eq!(rules(&script), []);
}

// stop-mistaken-for-exit

/// A wait tells that the child lives on; then that dies.
fn last_reported(word: i32) -> Script {
    let mut script = Script::launched(P);
    script.fork(P, X).wait(P, X, UNTRACED, Ok((X, word)));
    script.end(X, exited(3));
    script
}

#[test]
fn a_stop_or_a_continue_that_was_the_last_news() {
    for (word, continued) in [(stopped(19), false), (CONTINUED, true)] {
        let mut script = last_reported(word);
        assert_eq!(leaks(&mut script), [RuleId::StopMistakenForExit]);
        let Diagnosis::Leak(Leak::StopMistakenForExit { was_continued }) = diagnosis(&script)
        else {
            panic!("stop-mistaken-for-exit");
        };
        assert_eq!(was_continued, continued);
    }
}

#[test]
fn a_job_table_that_waits_later_has_no_bug() {
    let mut script = last_reported(stopped(19));
    script.after(100).wait(P, -1, UNTRACED, Ok((X, exited(3))));
    script.after(2000).over();
    assert_eq!(rules(&script), []);
}

// eintr-abandoned

const BY: Signal = Signal::USR1;

/// A wait for this is interrupted while the child lives.
fn interrupted(named: i32, eintr: bool) -> Script {
    let mut script = Script::launched(P);
    script.fork(P, X).interrupted(P, named, BY, eintr);
    script
}

#[test]
fn a_wait_for_the_child_or_any_that_gave_up() {
    for named in [X, -1] {
        let mut script = interrupted(named, true);
        assert_eq!(leaks(script.end(X, 0)), [RuleId::EintrAbandoned], "{named}");
        let by = diagnosis(&script);
        assert!(matches!(by, Diagnosis::Leak(Leak::EintrAbandoned { by }) if by == BY));
    }
}

#[test]
fn a_siblings_sigchld_interrupts_as_well() {
    let mut script = Script::launched(P);
    script.sigchld(P, HANDLER).fork(P, X).fork(P, Y).end(Y, 0);
    script.interrupted(P, X, Signal::CHLD, true);
    script.wait(P, Y, NOHANG, Ok((Y, 0))).end(X, exited(3));
    assert_eq!(leaks(&mut script), [RuleId::EintrAbandoned]);
}

#[test]
fn a_wait_that_the_kernel_restarts_was_not_given_up() {
    let mut script = interrupted(X, false);
    assert_eq!(leaks(script.end(X, 0)), [RuleId::ZombieLeak]);
}

#[test]
fn a_wait_that_was_tried_again_was_not_given_up() {
    let mut script = interrupted(X, true);
    script.wait(P, X, NOHANG, Ok((0, 0)));
    assert_eq!(leaks(script.end(X, 0)), [RuleId::ZombieLeak]);
}

#[test]
fn a_wait_for_another_child_is_not_one_for_this() {
    let mut script = Script::launched(P);
    script.fork(P, X).fork(P, Y).interrupted(P, Y, BY, true);
    assert_eq!(leaks(script.end(X, 0)), [RuleId::ZombieLeak]);
}

#[test]
fn a_wait_from_before_the_childs_birth_was_not_for_it() {
    let mut script = Script::launched(P);
    script.fork(P, Y).interrupted(P, -1, BY, true).fork(P, X);
    assert_eq!(leaks(script.end(X, 0)), [RuleId::ZombieLeak]);
}

#[test]
fn a_child_that_was_killed_when_the_wait_gave_up_was_given_up_on_purpose() {
    let mut script = interrupted(X, true);
    script.kill(P, X, Signal::TERM);
    assert_eq!(leaks(script.end(X, 15)), [RuleId::ZombieLeak]);
}

#[test]
fn a_wait_for_a_group_is_for_the_children_in_it() {
    for (group, rule) in [(5, RuleId::EintrAbandoned), (6, RuleId::ZombieLeak)] {
        let mut script = interrupted(-5, true);
        script.end(X, 0).after(1000);
        script.look(P, X, |owner| owner.child_group = group);
        script.after(1000).over();
        assert_eq!(rules(&script), [rule], "{group}");
    }
}

// pgrp-miss

/// The child is in group 6, its parent in group 4.
fn leaks_in_group(script: &mut Script) -> Vec<RuleId> {
    script.end(X, exited(3)).after(1000);
    script.look(P, X, |owner| {
        owner.child_group = 6;
        owner.group = 4;
    });
    script.after(1000).over();
    rules(script)
}

/// The child lives when the wait ends.
fn waited(named: i32, answer: Answer) -> Script {
    let mut script = Script::launched(P);
    script.fork(P, X).fork(P, Y).wait(P, named, NOHANG, answer);
    script
}

#[test]
fn a_wait_for_a_group_that_the_child_has_left() {
    for (named, missed) in [(-5, 5), (0, 4)] {
        for answer in [NO_CHILD, Ok((0, 0))] {
            let mut script = waited(named, answer);
            assert_eq!(leaks_in_group(&mut script), [RuleId::PgrpMiss]);
            assert!(matches!(
                diagnosis(&script),
                Diagnosis::Leak(Leak::PgrpMiss { group, child_group: 6 }) if group == missed
            ));
        }
    }
}

#[test]
fn a_wait_for_the_childs_own_group_did_not_miss_it() {
    let mut script = waited(-6, Ok((0, 0)));
    assert_eq!(leaks_in_group(&mut script), [RuleId::ZombieLeak]);
}

#[test]
fn a_wait_for_a_group_that_took_a_child_did_not_fail() {
    let mut script = waited(-5, Ok((Y, 0)));
    assert_eq!(leaks_in_group(&mut script), [RuleId::ZombieLeak]);
}

#[test]
fn a_wait_for_a_group_from_before_the_childs_birth_missed_nothing() {
    let mut script = Script::launched(P);
    script.wait(P, -5, NOHANG, NO_CHILD).fork(P, X);
    assert_eq!(leaks_in_group(&mut script), [RuleId::ZombieLeak]);
}

#[test]
fn a_group_that_is_not_known_is_not_compared() {
    let mut script = waited(0, NO_CHILD);
    script.end(X, exited(3)).after(1000);
    script.look(P, X, |owner| owner.child_group = 6);
    script.after(1000).over();
    assert_eq!(rules(&script), [RuleId::ZombieLeak]);
}

#[test]
fn a_child_that_another_wait_reaps_is_not_missed() {
    let mut script = waited(-5, NO_CHILD);
    script.end(X, exited(3)).wait(P, X, 0, Ok((X, exited(3))));
    script.after(2000).over();
    assert_eq!(rules(&script), []);
}
