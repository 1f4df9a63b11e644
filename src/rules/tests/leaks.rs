//! `zombie-leak`, and parents that cannot run: `parent-stopped`, `vfork-stall`

use super::*;
use crate::event::script::NOHANG;
use crate::kernel::Signal;
use crate::rules::Action;

#[test]
fn a_child_that_is_never_waited_for() {
    let mut script = dead_child();
    assert_eq!(leaks(&mut script), [RuleId::ZombieLeak]);
    let age = diagnosis(&script);
    let two_seconds = 2_000_000_000;
    assert!(matches!(age, Diagnosis::Leak(Leak::ZombieLeak { age }) if age == two_seconds));
}

#[test]
fn a_child_that_is_reaped_is_no_leak() {
    let mut script = dead_child();
    script.after(1000).look(P, X, |_| {});
    script.wait(P, X, 0, Ok((X, exited(3)))).after(1000).over();
    assert_eq!(rules(&script), []);
}

#[test]
fn a_zombie_is_judged_by_looks_alone() {
    let mut unseen = dead_child();
    unseen.after(2000).over();
    assert_eq!(rules(&unseen), []);

    let mut gone = dead_child();
    gone.after(1000).look_in_vain(P, X).after(1000).over();
    assert_eq!(rules(&gone), [], "reaped by means that are not seen");
}

#[test]
fn a_zombie_that_is_traced_by_another_is_not_the_parents_fault() {
    let mut script = dead_child();
    script.after(1000).look(P, X, |owner| owner.traced = true);
    script.after(1000).over();
    assert_eq!(rules(&script), []);
}

#[test]
fn a_zombie_younger_than_the_threshold_is_not_judged() {
    let mut script = dead_child();
    script.after(900).look(P, X, |_| {}).over();
    assert_eq!(rules(&script), []);
}

#[test]
fn a_parent_that_exits_soon_leaks_nothing() {
    let end_after = |millis| {
        let mut script = dead_child();
        script.after(millis).look(P, X, |_| {}).end(P, 0).over();
        rules(&script)
    };
    assert_eq!(end_after(900), []);
    assert_eq!(end_after(1000), [RuleId::ZombieLeak]);
}

#[test]
fn a_zombie_counts_even_where_its_parent_waits_for_another() {
    let mut script = Script::launched(P);
    script.fork(P, X).fork(P, Y).enter(P, Y, 0).end(X, 0);
    script.after(1000).look(P, X, |_| {}).after(1000).over();
    assert_eq!(rules(&script), []);
    assert_eq!(engine(&script).zombies_left().total(), 1);
}

#[test]
fn the_zombies_of_one_parent_are_one_finding() {
    let mut script = dead_child();
    script.fork(P, Y).end(Y, 0).after(1000);
    script.look(P, X, |_| {}).look(P, Y, |_| {}).over();
    let all = judged(&script);
    assert_eq!((all.len(), all[0].count), (1, 2));
    assert_eq!(engine(&script).zombies_left().total(), 2);
}

#[test]
fn a_warning_comes_at_five_seconds_and_is_no_finding_yet() {
    let mut script = dead_child();
    script.after(4900).look(P, X, |_| {});
    assert_eq!(warnings(&script), []);
    script.after(100).look(P, X, |_| {});
    assert_eq!(warnings(&script), [RuleId::ZombieLeak]);
    script.wait(P, X, 0, Ok((X, exited(3)))).over();
    assert_eq!(rules(&script), [RuleId::LateReap]);
}

/// A thread waits for another child while this one is a zombie.
fn waiting_for_another() -> Script {
    let mut script = Script::launched(P);
    script.fork(P, X).fork(P, Y).enter(P, Y, 0);
    script.end(X, exited(3)).after(1000).look(P, X, |_| {});
    script.after(1000);
    script
}

#[test]
fn a_parent_that_waits_for_another_child_may_come_to_this_one() {
    assert_eq!(rules(waiting_for_another().over()), []);
    assert_eq!(rules(waiting_for_another().end(P, 9).end(Y, 0).over()), []);
}

#[test]
fn a_parent_that_exits_by_itself_does_not_come_to_it() {
    let mut script = waiting_for_another();
    script.end(P, 0).end(Y, 0).over();
    assert_eq!(rules(&script), [RuleId::ZombieLeak]);
}

/// What the finding says that the parent did instead.
fn instead(script: &mut Script) -> Action {
    leaks(script);
    let last = judged(script)[0].evidence.pop();
    last.unwrap().action
}

#[test]
fn the_evidence_says_what_the_parent_did_instead() {
    let nothing = instead(&mut dead_child());
    assert!(matches!(nothing, Action::NoWait(None)), "{nothing:?}");

    let mut polls = dead_child();
    polls.fork(P, Y);
    for _ in 0..25 {
        polls.wait(P, Y, NOHANG, Ok((0, 0)));
    }
    polls.wait(P, Y, 0, Err(Errno::AGAIN));
    let polls = instead(&mut polls);
    assert!(
        matches!(polls, Action::OtherWaits(26, 25, _)),
        "of a row of waits: {polls:?}"
    );

    let mut blocked = dead_child();
    blocked.fork(P, Y).after(3000).enter(P, Y, 0);
    let blocked = instead(&mut blocked);
    assert!(matches!(blocked, Action::Waits(_)), "{blocked:?}");
}

#[test]
fn the_evidence_names_the_call_that_the_parent_is_in() {
    let mut script = dead_child();
    script.after(1000);
    script.look(P, X, |owner| owner.parent_call = Some(0));
    script.after(1000).over();
    let last = judged(&script)[0].evidence.pop().unwrap();
    assert!(matches!(last.action, Action::NoWait(Some("read"))));
}

// parent-stopped

#[test]
fn a_parent_that_is_stopped_most_of_the_time() {
    let mut script = dead_child();
    script.stop(P);
    assert_eq!(leaks(&mut script), [RuleId::ParentStopped]);
    let Diagnosis::Leak(Leak::ParentStopped { by }) = diagnosis(&script) else {
        panic!("parent-stopped");
    };
    assert_eq!(by, Some(Signal::STOP));
}

#[test]
fn a_parent_that_is_killed_while_it_is_stopped() {
    let mut script = dead_child();
    script.stop(P).after(1000).look(P, X, |_| {}).after(1000);
    script.end(P, 9).over();
    assert_eq!(rules(&script), [RuleId::ParentStopped]);
}

#[test]
fn a_parent_that_ran_for_a_good_part_of_the_time_just_leaks() {
    let stopped_for = |millis| {
        let mut script = dead_child();
        script.stop(P).after(millis).resume(P).after(2000 - millis);
        script.look(P, X, |_| {}).over();
        rules(&script)
    };
    assert_eq!(stopped_for(1199), [RuleId::ZombieLeak]);
    assert_eq!(stopped_for(1200), [RuleId::ParentStopped]);
}

#[test]
fn a_parent_that_reaps_once_it_is_continued_has_no_bug() {
    let mut script = dead_child();
    script.stop(P).after(5000).resume(P).after(500);
    script.wait(P, X, 0, Ok((X, exited(3)))).over();
    assert_eq!(rules(&script), []);
}

#[test]
fn a_stop_before_the_childs_end_is_no_reason() {
    let mut script = Script::launched(P);
    script.fork(P, X).stop(P).after(9000).resume(P);
    script.end(X, exited(3));
    assert_eq!(leaks(&mut script), [RuleId::ZombieLeak]);
}

// vfork-stall

/// A child of vfork, which does not exec yet; another child dies.
fn suspended() -> Script {
    let mut script = Script::launched(P);
    script.fork(P, X).vfork(P, Y).end(X, exited(3));
    script
}

#[test]
fn a_parent_that_is_suspended_in_vfork() {
    let mut script = suspended();
    assert_eq!(leaks(&mut script), [RuleId::VforkStall]);
    let Diagnosis::Leak(Leak::VforkStall { until, stopped_by }) = diagnosis(&script) else {
        panic!("vfork-stall");
    };
    assert_eq!(until.map(|child| child.tgid.raw()), Some(Y));
    assert_eq!(stopped_by, None);
}

#[test]
fn the_stall_is_found_though_the_child_is_reaped_after_it() {
    let mut script = suspended();
    script.after(1000).look(P, X, |_| {}).exec(Y, "late");
    script.wait(P, X, 0, Ok((X, exited(3)))).over();
    assert_eq!(rules(&script), [RuleId::VforkStall]);
}

#[test]
fn a_zombie_of_the_stall_is_no_second_finding_when_that_is_over() {
    let mut script = suspended();
    script.after(1000).look(P, X, |_| {}).exec(Y, "late");
    script.after(9000).over();
    assert_eq!(rules(&script), [RuleId::VforkStall]);
}

#[test]
fn a_vfork_child_that_is_stopped_is_said_to_be() {
    let mut script = suspended();
    script.stop(Y);
    leaks(&mut script);
    assert!(matches!(
        diagnosis(&script),
        Diagnosis::Leak(Leak::VforkStall {
            stopped_by: Some(Signal::STOP),
            ..
        })
    ));
}

#[test]
fn a_vfork_child_that_execs_or_exits_at_once_stalls_nothing() {
    let mut execs = suspended();
    execs.after(100).exec(Y, "true");
    assert_eq!(leaks(&mut execs), [RuleId::ZombieLeak]);

    let mut exits = suspended();
    exits.after(100).end(Y, exited(127));
    assert_eq!(leaks(&mut exits), [RuleId::ZombieLeak]);

    let mut fork = Script::launched(P);
    fork.fork(P, X).fork(P, Y).end(X, exited(3));
    assert_eq!(leaks(&mut fork), [RuleId::ZombieLeak]);
}
