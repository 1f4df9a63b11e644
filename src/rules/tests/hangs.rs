//! Spins and blocked waits: `wnohang-spin`, `echild-spin`,
//! `stopped-child-hang`. Of processes that poll and sleep: `asleep`.

use super::*;
use crate::event::script::{NOHANG, UNTRACED};
use crate::event::{BlockedChild, BlockedIn, EventKind, Observation};
use crate::kernel::{Signal, Tgid};

// wnohang-spin, echild-spin

/// So many polls give this, with a sleep of 1 ms after each of so many.
fn polls(count: u32, answer: Answer, each: u32) -> Vec<(Severity, RuleId)> {
    let mut script = Script::launched(P);
    script.fork(P, X);
    for number in 1..=count {
        script.wait(P, -1, NOHANG, answer);
        script.after(u64::from(number % each == 0));
    }
    found(script.end(X, 0).over())
}

const NOTHING: Answer = Ok((0, 0));

#[test]
fn a_thousand_polls_at_once() {
    let spin = |rule| [(Severity::Warning, rule)];
    assert_eq!(polls(1000, NOTHING, 1001), spin(RuleId::WnohangSpin));
    assert_eq!(polls(1000, NO_CHILD, 1001), spin(RuleId::EchildSpin));
    assert_eq!(polls(999, NOTHING, 1001), []);
    assert_eq!(polls(999, NO_CHILD, 1001), []);
}

#[test]
fn polls_that_leave_time_for_a_sleep_are_no_spin() {
    for answer in [NOTHING, NO_CHILD] {
        assert_eq!(polls(5000, answer, 1), [], "{answer:?}");
        assert_eq!(polls(1000, answer, 2).len(), 1, "{answer:?}");
    }
}

#[test]
fn the_time_within_the_calls_is_ours() {
    let mut script = Script::launched(P);
    script.fork(P, X);
    for _ in 0..1000 {
        // The tracer is slow.
        script.enter(P, -1, NOHANG).after(5);
        script.leave(P, -1, NOHANG, NOTHING);
    }
    assert_eq!(rules(script.end(X, 0).over()), [RuleId::WnohangSpin]);
}

#[test]
fn a_child_that_is_found_ends_the_row() {
    let mut script = Script::launched(P);
    script.fork(P, X);
    for half in 0..2 {
        for _ in 0..500 + half {
            script.wait(P, -1, NOHANG, NOTHING);
        }
        script.fork(P, Y).end(Y, 0).wait(P, -1, NOHANG, Ok((Y, 0)));
    }
    assert_eq!(rules(script.end(X, 0).over()), []);
}

#[test]
fn each_thread_and_each_answer_is_a_row_of_its_own() {
    let mut threads = two_threads();
    threads.fork(P, X);
    let mut answers = threads.clone();
    for _ in 0..999 {
        threads
            .wait(P, X, NOHANG, NOTHING)
            .wait(T, X, NOHANG, NOTHING);
        answers
            .wait(P, -1, NOHANG, NOTHING)
            .wait(P, -1, NOHANG, NO_CHILD);
    }
    assert_eq!(rules(threads.end(X, 0).over()), []);
    assert_eq!(rules(answers.end(X, 0).over()), []);
}

#[test]
fn another_program_begins_anew() {
    let mut script = Script::launched(P);
    script.fork(P, X);
    for _ in 0..999 {
        script.wait(P, -1, NOHANG, NOTHING);
    }
    script.exec(P, "next").wait(P, -1, NOHANG, NOTHING);
    assert_eq!(rules(script.end(X, 0).over()), []);
}

#[test]
fn a_thread_with_the_tid_of_one_that_execed_begins_anew() {
    let mut script = two_threads();
    script.fork(P, X);
    for _ in 0..999 {
        script.wait(T, -1, NOHANG, NOTHING);
    }
    script
        .exec(T, "next")
        .thread(P, 11)
        .wait(T, -1, NOHANG, NOTHING);
    assert_eq!(rules(script.end(X, 0).over()), []);
}

// stopped-child-hang

/// A look at the children of a blocked wait after two seconds.
fn looked_at(script: &mut Script, children: &[i32]) -> Vec<RuleId> {
    looked_at_after(2000, script, children)
}

fn looked_at_after(millis: u64, script: &mut Script, children: &[i32]) -> Vec<RuleId> {
    let child = |pid: &i32| BlockedChild {
        child: Tgid::new(*pid),
        within: BlockedIn::Other,
    };
    let seen = Observation::BlockedChildren {
        children: children.iter().map(child).collect(),
        timers: false,
    };
    rules(script.after(millis).observe(P, seen).over())
}

/// The parent waits for this, and X is stopped.
fn waits(named: i32, options: u32) -> Script {
    let mut script = Script::launched(P);
    script
        .fork(P, X)
        .fork(P, Y)
        .enter(P, named, options)
        .stop(X);
    script
}

#[test]
fn a_wait_for_a_child_that_is_stopped() {
    assert_eq!(
        looked_at(&mut waits(X, 0), &[X, Y]),
        [RuleId::StoppedChildHang]
    );
}

/// What a report says of a wait for X, which is stopped, after what follows.
fn remarks(then: impl FnOnce(&mut Script)) -> Vec<&'static str> {
    let mut script = waits(X, 0);
    let seen = Observation::BlockedChildren {
        children: vec![BlockedChild {
            child: Tgid::new(X),
            within: BlockedIn::Other,
        }],
        timers: false,
    };
    script.after(2000).observe(P, seen);
    then(&mut script);
    let found = judged(script.over());
    let hangs = found
        .iter()
        .find(|finding| finding.rule == RuleId::StoppedChildHang);
    let lines = hangs.unwrap().evidence.iter();
    lines.map(|line| line.remark).collect()
}

const STANDS: [&str; 2] = ["has not returned", "stays stopped"];
const IS_OVER: [&str; 2] = ["returned later", "was stopped until then"];

#[test]
fn a_wait_that_returns_after_all_is_said_to() {
    for result in [Ok((X, 0)), Err(Errno::CHILD)] {
        let returned = remarks(|script| {
            script.resume(X).end(X, 0).leave(P, X, 0, result);
        });
        assert!(IS_OVER.iter().all(|remark| returned.contains(remark)));
    }
    let stands = remarks(|_| {});
    assert!(STANDS.iter().all(|remark| stands.contains(remark)));
}

#[test]
fn a_wait_does_not_return_by_what_its_handler_or_the_next_program_waits_for() {
    let in_handler = remarks(|script| {
        script.end(Y, 0).leave(P, X, 0, Err(Errno::RESTARTSYS));
        let (by, eintr) = (Signal::CHLD, false);
        script.event(P, EventKind::RestartOutcome { by, eintr });
        script.wait(P, -1, NOHANG, Ok((Y, 0)));
    });
    let after_exec = remarks(|script| {
        script.exec(P, "sh").fork(P, 90).end(90, 0);
        script.wait(P, 90, 0, Ok((90, 0)));
    });
    for remarks in [in_handler, after_exec] {
        assert!(
            STANDS.iter().all(|remark| remarks.contains(remark)),
            "{remarks:?}"
        );
    }
}

#[test]
fn a_wait_for_any_child_when_all_are_stopped() {
    let mut script = waits(-1, 0);
    script.stop(Y);
    assert_eq!(looked_at(&mut script, &[X, Y]), [RuleId::StoppedChildHang]);
}

#[test]
fn a_wait_for_any_child_when_one_runs() {
    assert_eq!(looked_at(&mut waits(-1, 0), &[X, Y]), []);
    assert_eq!(looked_at(&mut waits(Y, 0), &[X, Y]), []);
}

#[test]
fn a_wait_that_tells_of_stops() {
    assert_eq!(looked_at(&mut waits(X, UNTRACED), &[X]), []);
}

#[test]
fn a_child_that_was_stopped_a_moment_ago_or_goes_on() {
    assert_eq!(looked_at_after(1999, &mut waits(X, 0), &[X]), []);
    assert_eq!(looked_at(waits(X, 0).resume(X), &[X]), []);
    assert_eq!(looked_at(waits(X, 0).end(X, 0), &[X]), []);
}

#[test]
fn a_wait_that_has_ended_meanwhile_is_not_blocked() {
    let mut script = waits(X, 0);
    script.leave(P, X, 0, Err(Errno::RESTARTSYS));
    assert_eq!(looked_at(&mut script, &[X]), []);
}
