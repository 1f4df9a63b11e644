//! Ends that are not what they look like, and kills: `leader-zombie`,
//! `pdeathsig-thread`, `pidns-init-exit`, `kill-after-reap`, `unexpected-exit`

use super::*;
use crate::event::script::{HANDLER, NOWAIT};
use crate::event::{DeadLeader, EventKind, Observation, SigchldAction};
use crate::kernel::{Signal, Tid};
use crate::rules::End;

// leader-zombie

/// A look at the process finds its leader dead.
fn leaderless(script: &mut Script) -> &mut Script {
    let leader = DeadLeader {
        living: Tid::new(11),
        threads: 1,
    };
    script.observe(P, Observation::Leader(leader))
}

const LEADER: [(Severity, RuleId); 1] = [(Severity::Info, RuleId::LeaderZombie)];

#[test]
fn a_leader_that_is_dead_at_two_looks() {
    let mut script = two_threads();
    leaderless(&mut script).after(1000);
    assert_eq!(found(leaderless(&mut script).over()), LEADER);
    assert!(matches!(
        diagnosis(&script),
        Diagnosis::End(End::LeaderZombie { threads: 1 })
    ));
}

#[test]
fn a_process_that_lives_on_without_its_leader_for_a_moment() {
    let mut script = two_threads();
    leaderless(&mut script).after(999);
    assert_eq!(found(leaderless(&mut script).over()), []);
    let mut ends = two_threads();
    assert_eq!(found(leaderless(&mut ends).after(999).end(P, 0).over()), []);
}

#[test]
fn the_end_of_the_process_tells_how_long_it_was_so() {
    let mut script = two_threads();
    leaderless(&mut script).after(1000).end(P, 0).over();
    assert_eq!(found(&script), LEADER);
}

#[test]
fn a_leader_that_dies_for_an_exec_is_replaced() {
    let mut script = two_threads();
    leaderless(&mut script).exec(T, "next").after(1000);
    assert_eq!(found(leaderless(&mut script).over()), []);
}

#[test]
fn a_parent_that_waits_for_such_a_process_makes_it_a_warning() {
    let blocked = |named| {
        let mut script = Script::launched(1);
        script.fork(1, P).thread(P, 11).enter(1, named, 0);
        leaderless(&mut script).after(1000);
        found(leaderless(&mut script).over())
    };
    assert_eq!(blocked(P), [(Severity::Warning, RuleId::LeaderZombie)]);
    assert_eq!(blocked(-1), LEADER);
}

// pdeathsig-thread

/// A thread forks a child, which asks for SIGTERM at its end.
fn bound() -> Script {
    let mut script = two_threads();
    script
        .fork(T, X)
        .event(X, EventKind::DeathSignalSet(Some(Signal::TERM)));
    script
}

/// The thread ends, the child gets this so soon after it, and time goes by.
fn hit_after(script: &mut Script, millis: u64, signal: Signal) -> Vec<(Severity, RuleId)> {
    script.end(T, 0).after(millis).signalled(X, signal, P);
    found(script.quiet().after(200).over())
}

const FIRED: [(Severity, RuleId); 1] = [(Severity::Error, RuleId::PdeathsigThread)];

#[test]
fn a_death_signal_at_the_end_of_a_thread() {
    let mut script = bound();
    assert_eq!(hit_after(&mut script, 1000, Signal::TERM), FIRED);
    assert!(matches!(
        diagnosis(&script),
        Diagnosis::End(End::PdeathsigThread { thread, .. }) if thread.raw() == 11
    ));
}

#[test]
fn a_child_that_the_death_signal_kills_before_the_thread_is_seen_to_end() {
    let seen_after = |millis| {
        let mut script = bound();
        script.end(X, 15).after(millis).end(T, 0);
        found(script.quiet().after(200).over())
    };
    assert_eq!(seen_after(250), FIRED);
    assert_eq!(seen_after(251), []);
}

#[test]
fn a_thread_that_reaps_its_child_has_not_ended_before() {
    let reaped_by = |task| {
        let mut script = bound();
        script.end(X, 15).wait(task, X, 0, Ok((X, 15))).end(T, 0);
        found(script.quiet().after(200).over())
    };
    assert_eq!(reaped_by(T), []);
    assert_eq!(reaped_by((P, P)), FIRED);
}

#[test]
fn a_signal_that_is_late_or_another_is_no_death_signal() {
    assert_eq!(hit_after(&mut bound(), 1001, Signal::TERM), []);
    assert_eq!(hit_after(&mut bound(), 10, Signal::HUP), []);
}

#[test]
fn a_death_signal_that_was_taken_back() {
    let mut script = bound();
    script.event(X, EventKind::DeathSignalSet(None));
    assert_eq!(hit_after(&mut script, 10, Signal::TERM), []);
}

#[test]
fn a_signal_that_the_parent_sent_is_no_death_signal() {
    let mut script = bound();
    script.kill(P, X, Signal::TERM);
    assert_eq!(hit_after(&mut script, 10, Signal::TERM), []);
}

#[test]
fn a_process_that_ends_as_a_whole_means_it() {
    let whole = |after| {
        let mut script = bound();
        script.end(T, 0).signalled(X, Signal::TERM, P).after(after);
        found(script.end(P, 0).quiet().after(200).end(X, 15).over())
    };
    assert_eq!(whole(99), []);
    assert_eq!(whole(100), FIRED);
}

#[test]
fn a_process_that_has_waited_for_the_child_since_did_not_end_with_the_thread() {
    let mut script = bound();
    script.end(T, 0).end(X, 15).quiet();
    script.wait(P, X, 0, Ok((X, 15))).end(P, 0).quiet();
    assert_eq!(found(script.over()), FIRED);
}

#[test]
fn the_end_of_another_thread_is_no_matter() {
    let mut script = bound();
    script
        .thread(P, 12)
        .end((12, P), 0)
        .signalled(X, Signal::TERM, P);
    assert_eq!(found(script.quiet().after(200).over()), []);
}

#[test]
fn a_new_process_with_the_pid_of_the_child_is_another() {
    let mut script = bound();
    script.end(T, 0).end(X, 15).wait(P, X, 0, Ok((X, 15)));
    script.fork(P, X).quiet().after(200).over();
    assert_eq!(found(&script), []);
}

// pidns-init-exit

const INIT: i32 = 30;
const MEMBER: i32 = 31;

/// A namespace with an init and a member.
fn namespace() -> Script {
    let mut script = Script::launched(P);
    script.fork(P, INIT).in_namespace(77, &[INIT, 1]);
    script.fork(INIT, MEMBER).in_namespace(77, &[MEMBER, 2]);
    script
}

/// The init ends like this, and its parent reaps it.
fn init_ends(script: &mut Script, word: i32) -> Vec<(Severity, RuleId)> {
    script.end(INIT, word).wait(P, INIT, 0, Ok((INIT, word)));
    found(script.over())
}

const CLEARED: [(Severity, RuleId); 1] = [(Severity::Warning, RuleId::PidnsInitExit)];

#[test]
fn an_init_that_exits_while_others_live() {
    assert_eq!(init_ends(namespace().end(MEMBER, 9), 0), CLEARED);
}

#[test]
fn an_init_that_is_killed_ends_its_namespace_on_purpose() {
    let info = (Severity::Info, RuleId::PidnsInitExit);
    assert_eq!(init_ends(namespace().end(MEMBER, 9), 9), [info]);
    assert_eq!(init_ends(namespace().end(MEMBER, 9), 11), CLEARED);
}

#[test]
fn members_that_ended_otherwise_were_not_killed_by_the_kernel() {
    for word in [0, 15] {
        assert_eq!(init_ends(namespace().end(MEMBER, word), 0), [], "{word}");
    }
    let mut earlier = namespace();
    earlier.end(MEMBER, 9).after(1000);
    assert_eq!(init_ends(&mut earlier, 0), []);
}

#[test]
fn members_that_a_process_killed_were_not_killed_by_the_kernel() {
    let mut by_pid = namespace();
    by_pid.kill(P, MEMBER, Signal::KILL).end(MEMBER, 9);
    assert_eq!(init_ends(&mut by_pid, 0), []);

    let mut all = namespace();
    all.kill(INIT, -1, Signal::KILL).end(MEMBER, 9);
    assert_eq!(init_ends(&mut all, 0), []);
}

#[test]
fn a_member_that_was_reaped_was_dead_before() {
    let mut script = namespace();
    script.end(MEMBER, 9).wait(INIT, 2, 0, Ok((2, 9)));
    assert_eq!(init_ends(&mut script, 0), []);
}

#[test]
fn a_member_of_another_namespace_is_not_killed_with_it() {
    let mut script = namespace();
    script.fork(P, Y).in_namespace(78, &[Y, 2]).end(Y, 9);
    script.end(MEMBER, 0);
    assert_eq!(init_ends(&mut script, 0), []);
}

// kill-after-reap

const KILL: [(Severity, RuleId); 1] = [(Severity::Warning, RuleId::KillAfterReap)];

fn reaped() -> Script {
    let mut script = dead_child();
    script.wait(P, X, 0, Ok((X, exited(3))));
    script
}

fn killed(
    script: &mut Script,
    by: impl Into<crate::event::script::Task>,
) -> Vec<(Severity, RuleId)> {
    found(script.kill(by, X, Signal::TERM).over())
}

#[test]
fn a_signal_to_a_pid_that_was_reaped() {
    assert_eq!(killed(&mut reaped(), P), KILL);
}

#[test]
fn a_zombie_is_still_the_parents() {
    assert_eq!(killed(&mut dead_child(), P), []);
}

#[test]
fn a_new_process_with_the_pid_may_be_meant() {
    let mut script = reaped();
    script.fork(P, X);
    assert_eq!(killed(&mut script, P), []);
}

#[test]
fn two_threads_must_act_apart_for_their_order_to_be_known() {
    let threads = |apart| {
        let mut script = two_threads();
        script.fork(P, X).end(X, 0).wait(P, X, 0, Ok((X, 0)));
        killed(script.after(apart), T)
    };
    assert_eq!(threads(9), []);
    assert_eq!(threads(10), KILL);
}

#[test]
fn a_process_that_did_not_reap_it_is_not_judged() {
    let mut script = reaped();
    script.fork(P, Y).after(1000);
    assert_eq!(killed(&mut script, Y), []);

    let mut by_kernel = Script::launched(P);
    by_kernel
        .sigchld(P, SigchldAction::Ignore)
        .fork(P, X)
        .end(X, 0);
    assert_eq!(killed(&mut by_kernel, P), []);
}

#[test]
fn a_signal_to_a_group_is_none_to_the_pid() {
    for target in [0, -1, -X] {
        let mut script = reaped();
        script.kill(P, target, Signal::TERM).over();
        assert_eq!(found(&script), [], "{target}");
    }
}

// unexpected-exit

/// What is found where only an exit with 0 is expected.
fn expecting_success(script: &Script) -> Vec<Finding> {
    let expected = Expected {
        codes: Some(vec![0]),
        signals: None,
    };
    replay(&script.events, Thresholds::default(), expected)
}

/// The finding of the only unexpected end: whether a wait reported it, and
/// whether its parent is not traced.
fn unexpected(script: &Script) -> (bool, bool) {
    let all = expecting_success(script);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(
        (all[0].severity, all[0].rule),
        (Severity::Error, RuleId::UnexpectedExit)
    );
    match all[0].diagnosis {
        Diagnosis::End(End::UnexpectedExit {
            reported_by,
            is_outside,
            ..
        }) => (reported_by.is_some(), is_outside),
        _ => panic!("unexpected-exit"),
    }
}

#[test]
fn an_end_that_is_not_expected_with_the_wait_that_reported_it() {
    assert_eq!(unexpected(reaped().over()), (true, false));
}

#[test]
fn an_end_that_no_wait_reports() {
    assert_eq!(unexpected(dead_child().over()), (false, false));
    let mut peeked = dead_child();
    peeked.wait(P, X, NOWAIT, Ok((X, exited(3)))).over();
    assert_eq!(unexpected(&peeked), (false, false));
    let mut by_kernel = Script::launched(P);
    by_kernel.sigchld(P, SigchldAction::Ignore).fork(P, X);
    by_kernel.end(X, exited(3)).over();
    assert_eq!(unexpected(&by_kernel), (false, false));
}

#[test]
fn the_end_of_the_command_is_reported_outside_the_trace() {
    let mut script = Script::launched(P);
    script.end(P, exited(3)).over();
    assert_eq!(unexpected(&script), (false, true));
}

#[test]
fn ends_that_are_expected_or_for_which_nothing_is_expected() {
    let mut script = Script::launched(P);
    script.sigchld(P, HANDLER).fork(P, X).end(X, 0);
    script.wait(P, X, 0, Ok((X, 0))).end(P, 0).over();
    assert!(expecting_success(&script).is_empty());
    assert_eq!(rules(reaped().over()), []);
}

#[test]
fn the_end_of_a_thread_is_none_of_a_process() {
    let mut script = two_threads();
    script.end(T, exited(3)).over();
    assert!(expecting_success(&script).is_empty());
}
