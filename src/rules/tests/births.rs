//! Zombies of children that the parent does not know or see: `reaper-idle`,
//! `exec-inherited-child`, `clone-child-invisible`, `spawn-failed-zombie`

use std::sync::Arc;

use super::*;
use crate::event::script::NOHANG;
use crate::event::{EventKind, UntracedChild};
use crate::kernel::{Errno, Tgid, WaitStatus};

// reaper-idle

/// A process between the two, of which X is left.
const MIDDLE: i32 = 15;

/// P adopts X, which dies at once; P reaps its own child alone.
fn orphan() -> Script {
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, MIDDLE).fork(MIDDLE, X);
    script.end(MIDDLE, 0).adopt(P, X, MIDDLE);
    script.wait(P, MIDDLE, 0, Ok((MIDDLE, 0))).end(X, exited(3));
    script
}

#[test]
fn a_subreaper_that_does_not_reap_an_orphan() {
    let mut script = orphan();
    assert_eq!(leaks(&mut script), [RuleId::ReaperIdle]);
    assert!(matches!(
        diagnosis(&script),
        Diagnosis::Leak(Leak::ReaperIdle {
            is_namespace_init: false
        })
    ));
}

#[test]
fn an_init_of_a_namespace_that_does_not_reap_an_orphan() {
    let mut script = Script::launched(1);
    script.fork(1, P).in_namespace(77, &[P, 1]);
    script.fork(P, MIDDLE).fork(MIDDLE, X).end(MIDDLE, 0);
    script.adopt(P, X, MIDDLE).end(X, exited(3));
    leaks(&mut script);
    assert!(matches!(
        diagnosis(&script),
        Diagnosis::Leak(Leak::ReaperIdle {
            is_namespace_init: true
        })
    ));
}

#[test]
fn an_adoption_that_only_the_look_tells_of() {
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, MIDDLE).fork(MIDDLE, X);
    script.end(X, exited(3)).end(MIDDLE, 0);
    assert_eq!(leaks(&mut script), [RuleId::ReaperIdle]);
}

#[test]
fn what_was_seen_of_the_former_parent_is_not_held_against_the_new_one() {
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, X).end(X, exited(3));
    script.after(1000).look(P, X, |_| {});
    script.adopt(1, X, P).after(2000).over();
    assert_eq!(rules(&script), []);
}

#[test]
fn a_reaper_that_waited_for_any_child_after_the_death_is_merely_slow() {
    let mut script = orphan();
    script.fork(P, Y).end(Y, 0).after(10);
    script.wait(P, -1, NOHANG, Ok((Y, 0)));
    assert_eq!(leaks(&mut script), []);
}

#[test]
fn a_wait_for_any_child_before_the_death_does_not_help() {
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, MIDDLE).fork(MIDDLE, X);
    script.end(MIDDLE, 0).adopt(P, X, MIDDLE);
    script.wait(P, -1, 0, Ok((MIDDLE, 0)));
    script.after(10).end(X, exited(3));
    assert_eq!(leaks(&mut script), [RuleId::ReaperIdle]);
}

#[test]
fn an_orphan_that_is_reaped_is_no_leak() {
    let mut script = orphan();
    script.wait(P, -1, 0, Ok((X, exited(3)))).after(2000).over();
    assert_eq!(rules(&script), []);
}

// exec-inherited-child

#[test]
fn a_child_from_before_the_exec_of_its_parent() {
    let mut script = Script::launched(P);
    script.fork(P, X).exec(P, "next").end(X, exited(3));
    assert_eq!(leaks(&mut script), [RuleId::ExecInheritedChild]);
}

#[test]
fn a_program_that_waits_for_its_inherited_child_has_no_bug() {
    let mut script = Script::launched(P);
    script.fork(P, X).exec(P, "next").end(X, exited(3));
    script.wait(P, -1, 0, Ok((X, exited(3)))).after(2000).over();
    assert_eq!(rules(&script), []);
}

#[test]
fn a_child_of_the_present_program_is_not_inherited() {
    let mut script = Script::launched(P);
    script.exec(P, "next").fork(P, X).end(X, exited(3));
    assert_eq!(leaks(&mut script), [RuleId::ZombieLeak]);
}

#[test]
fn which_program_created_a_child_from_before_the_attach_is_not_known() {
    let mut script = Script::default();
    script.event(P, EventKind::Attached { threads: 1 });
    script.found(P, Some(1));
    let child = UntracedChild {
        child: Tgid::new(X),
        image: Arc::default(),
        zombie: Some(WaitStatus::from_raw(exited(3))),
        is_adopted: false,
        ns: None,
    };
    script.event(P, EventKind::UntracedChild(child));
    script.exec(P, "next");
    assert_eq!(leaks(&mut script), [RuleId::ZombieLeak]);
}

// clone-child-invisible

const INVISIBLE: [(Severity, RuleId); 1] = [(Severity::Error, RuleId::CloneChildInvisible)];

fn cloned() -> Script {
    let mut script = Script::launched(P);
    script.clone_child(P, X);
    script
}

#[test]
fn a_zombie_without_an_exit_signal() {
    let mut script = cloned();
    leaks(script.end(X, exited(3)));
    assert_eq!(found(&script), INVISIBLE);
    let refused = diagnosis(&script);
    assert!(!refused.is_second_kind(), "no wait was refused");
}

#[test]
fn a_wait_that_does_not_see_a_clone_child() {
    let mut script = cloned();
    script.wait(P, X, 0, NO_CHILD).over();
    assert_eq!(found(&script), INVISIBLE);
    let refused = diagnosis(&script);
    assert!(refused.is_second_kind(), "a wait was refused");
}

#[test]
fn a_wait_that_sees_clone_children_is_not_accused() {
    for option in [0x4000_0000, 0x8000_0000] {
        let mut script = cloned();
        script.wait(P, X, option, NO_CHILD).over();
        assert_eq!(rules(&script), [], "{option:x}");
    }
}

#[test]
fn a_wait_that_reaps_after_the_refused_one_has_not_reaped_before() {
    let mut script = cloned();
    script.end(X, exited(3)).wait(P, X, 0, NO_CHILD);
    script.wait(P, X, 0x4000_0000, Ok((X, exited(3)))).over();
    assert_eq!(found(&script), INVISIBLE);
}

#[test]
fn a_clone_child_that_execs_sends_sigchld() {
    let mut script = cloned();
    script.exec(X, "true").end(X, exited(3));
    assert_eq!(leaks(&mut script), [RuleId::ZombieLeak]);
}

#[test]
fn a_child_for_the_parent_has_the_exit_signal_of_its_creator() {
    let mut script = Script::launched(P);
    script.clone_child(P, 15).fork(15, X).for_parent(P);
    assert_eq!(
        leaks(script.end(X, exited(3))),
        [RuleId::CloneChildInvisible]
    );
}

// spawn-failed-zombie

fn exits_with(code: i32) -> Script {
    let mut script = Script::launched(P);
    script.fork(P, X).end(X, exited(code));
    script
}

#[test]
fn a_child_that_could_not_exec() {
    for code in [126, 127] {
        let rules = leaks(&mut exits_with(code));
        assert_eq!(rules, [RuleId::SpawnFailedZombie], "{code}");
    }
}

#[test]
fn a_child_whose_exec_was_seen_to_fail() {
    let mut script = Script::launched(P);
    script.fork(P, X).exec_failed(X, "/bin/x", Errno::NOENT);
    let rules = leaks(script.end(X, exited(255)));
    assert_eq!(rules, [RuleId::SpawnFailedZombie]);

    let mut ran_on = Script::launched(P);
    ran_on.fork(P, X).exec_failed(X, "/bin/x", Errno::NOENT);
    assert_eq!(leaks(ran_on.end(X, 0)), [RuleId::ZombieLeak]);
}

#[test]
fn a_child_that_failed_otherwise_just_leaks() {
    assert_eq!(leaks(&mut exits_with(1)), [RuleId::ZombieLeak]);

    let mut execed = Script::launched(P);
    execed.fork(P, X).exec(X, "sh").end(X, exited(127));
    assert_eq!(leaks(&mut execed), [RuleId::ZombieLeak]);

    let mut of_another = Script::launched(P);
    of_another.fork(P, 15).fork(15, X).for_parent(P);
    of_another.end(X, exited(127));
    assert_eq!(leaks(&mut of_another), [RuleId::ZombieLeak]);
}

#[test]
fn a_failed_spawn_that_is_waited_for_has_no_bug() {
    let mut script = exits_with(127);
    script.wait(P, X, 0, Ok((X, exited(127))));
    script.after(2000).over();
    assert_eq!(rules(&script), []);
}
