//! Waits that cannot see the process: `not-my-child`, `wrong-thread-wait`,
//! `bad-wait-args`

use super::*;
use crate::event::script::{NOHANG, as_waitid};
use crate::event::{EventKind, WaitExit};
use crate::kernel::IdType;
use crate::rules::Stranger;

// not-my-child

const MIDDLE: i32 = 15;
const STRANGER: [(Severity, RuleId); 1] = [(Severity::Warning, RuleId::NotMyChild)];

/// X is a grandchild of P.
fn grandchild() -> Script {
    let mut script = Script::launched(P);
    script.fork(P, MIDDLE).fork(MIDDLE, X);
    script
}

/// The process waits for X in vain.
fn refused(script: &mut Script, by: i32, options: u32) -> Vec<(Severity, RuleId)> {
    script.wait(by, X, options, NO_CHILD).over();
    found(script)
}

#[test]
fn a_wait_for_the_child_of_another() {
    let mut script = grandchild();
    assert_eq!(refused(&mut script, P, 0), STRANGER);
    let Diagnosis::Loss(Loss::NotMyChild(Stranger::ChildOf(parent))) = diagnosis(&script) else {
        panic!("not-my-child");
    };
    assert_eq!(parent.tgid.raw(), MIDDLE);
}

#[test]
fn a_wait_for_a_pid_that_nothing_ever_had() {
    let mut script = Script::launched(P);
    assert_eq!(refused(&mut script, P, 0), STRANGER);
    assert!(matches!(
        diagnosis(&script),
        Diagnosis::Loss(Loss::NotMyChild(Stranger::NeverSeen(X)))
    ));
}

#[test]
fn an_attached_process_may_have_had_children_before() {
    let mut script = Script::default();
    script.event(P, EventKind::Attached { threads: 1 });
    script.found(P, Some(1));
    assert_eq!(refused(&mut script, P, 0), []);
}

#[test]
fn a_pid_of_another_namespace_may_be_anything() {
    let mut script = Script::launched(1);
    script.fork(1, P).in_namespace(77, &[P, 1]);
    assert_eq!(refused(&mut script, P, 0), []);
}

#[test]
fn a_ledger_that_forgot_processes_does_not_know_all() {
    let many = |count| {
        let mut script = Script::launched(P);
        for child in 1000..1000 + count {
            script.fork(P, child).end(child, 0);
            script.wait(P, child, 0, Ok((child, 0)));
        }
        refused(&mut script, P, 0)
    };
    assert_eq!(many(4096), STRANGER);
    assert_eq!(many(4097), []);
}

#[test]
fn a_child_that_was_created_for_the_parent_is_no_strangers() {
    // The creator's library does not know that it is not the parent.
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, X).for_parent(1);
    assert_eq!(refused(&mut script, P, 0), []);
}

#[test]
fn a_fork_that_polls_for_a_child_of_the_original_is_worth_knowing() {
    let copy = |options, exec| {
        let mut script = Script::launched(P);
        script.fork(P, X).fork(P, MIDDLE);
        if exec {
            script.exec(MIDDLE, "sh");
        }
        refused(&mut script, MIDDLE, options)
    };
    let info = (Severity::Info, RuleId::NotMyChild);
    assert_eq!(copy(NOHANG, false), [info]);
    assert_eq!(copy(0, false), STRANGER);
    assert_eq!(copy(NOHANG, true), STRANGER);
}

#[test]
fn a_process_that_waits_for_itself_tests_the_call() {
    let mut script = Script::launched(1);
    script.fork(1, P).wait(P, P, 0, NO_CHILD).over();
    assert_eq!(found(&script), []);
}

#[test]
fn whose_child_an_orphan_is_may_not_be_known() {
    let mut script = grandchild();
    script.end(MIDDLE, 0).wait(P, MIDDLE, 0, Ok((MIDDLE, 0)));
    script.wait(P, X, 0, NO_CHILD).end(X, 0).over();
    assert_eq!(found(&script), []);
}

/// The wait is one by pidfd, of this process.
fn by_pidfd(pid: i32) -> impl FnOnce(&mut WaitExit) {
    move |exit| {
        as_waitid(exit, IdType::PIDFD, 5);
        exit.entry.pidfd = Some(pid);
    }
}

#[test]
fn a_pidfd_tells_its_process_while_that_is_not_reaped() {
    let mut known = grandchild();
    known.wait(P, 5, 0, NO_CHILD).but(by_pidfd(X)).over();
    assert_eq!(found(&known), STRANGER);

    let mut unknown = grandchild();
    unknown.wait(P, 5, 0, NO_CHILD).but(by_pidfd(-1)).over();
    assert_eq!(found(&unknown), []);
}

// wrong-thread-wait

const NOTHREAD: u32 = 0x2000_0000;

#[test]
fn a_wait_that_does_not_see_the_child_of_another_thread() {
    let mut script = two_threads();
    script.fork(T, X);
    let warning = (Severity::Warning, RuleId::WrongThreadWait);
    assert_eq!(refused(&mut script, P, NOTHREAD), [warning]);
    assert!(matches!(
        diagnosis(&script),
        Diagnosis::Loss(Loss::WrongThreadWait { creator }) if creator.raw() == 11
    ));
}

#[test]
fn a_dead_child_of_another_thread_is_hidden_as_well() {
    let mut script = two_threads();
    script
        .fork(T, X)
        .end(X, exited(3))
        .wait(P, X, NOTHREAD, NO_CHILD);
    script.wait(T, X, 0, Ok((X, exited(3)))).over();
    assert_eq!(rules(&script), [RuleId::WrongThreadWait]);
}

#[test]
fn without_the_flag_or_for_an_own_child_nothing_is_hidden() {
    let mut every = two_threads();
    every.fork(T, X);
    assert_eq!(refused(&mut every, P, 0), []);

    let mut own = two_threads();
    own.fork(P, X);
    assert_eq!(refused(&mut own, P, NOTHREAD), []);
}

#[test]
fn the_children_of_a_thread_that_is_gone_are_anothers() {
    let mut script = two_threads();
    script.fork(T, X).end(T, 0);
    assert_eq!(refused(&mut script, P, NOTHREAD), []);
}

// bad-wait-args

fn answered(errno: Errno) -> Script {
    let mut script = Script::launched(P);
    script.wait(P, X, 4, Err(errno)).over();
    script
}

#[test]
fn arguments_that_the_kernel_refuses() {
    for errno in [Errno::INVAL, Errno::BADF, Errno::SRCH] {
        let warning = (Severity::Warning, RuleId::BadWaitArgs);
        assert_eq!(found(&answered(errno)), [warning], "{errno:?}");
    }
}

#[test]
fn not_yet_is_no_refusal() {
    assert_eq!(found(&answered(Errno::AGAIN)), []);
    assert_eq!(found(&answered(Errno::INTR)), []);
}

#[test]
fn a_probe_whether_the_kernel_knows_pidfds_is_no_bug() {
    let pidfd = |fd| {
        let mut script = Script::launched(P);
        script.wait(P, 1, 0, Err(Errno::BADF));
        script.but(|exit| as_waitid(exit, IdType::PIDFD, fd)).over();
        rules(&script)
    };
    assert_eq!(pidfd(5), [RuleId::BadWaitArgs]);
    assert_eq!(pidfd(u32::MAX), []);
    assert_eq!(pidfd(i32::MAX.cast_unsigned()), []);
}
