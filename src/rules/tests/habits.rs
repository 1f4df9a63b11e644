//! `late-reap`, and parents that reap by a cadence

use std::sync::Arc;

use super::*;
use crate::event::{EventKind, UntracedChild};
use crate::kernel::{Tgid, WaitStatus};

/// The child is reaped so late.
fn reaped_after(script: &mut Script, millis: u64) -> Vec<RuleId> {
    script
        .after(millis)
        .wait(P, X, 0, Ok((X, exited(3))))
        .over();
    rules(script)
}

#[test]
fn a_reap_two_seconds_late() {
    assert_eq!(reaped_after(&mut dead_child(), 1999), []);
    let mut script = dead_child();
    assert_eq!(reaped_after(&mut script, 2000), [RuleId::LateReap]);
    let two_seconds = 2_000_000_000;
    assert!(matches!(
        diagnosis(&script),
        Diagnosis::Leak(Leak::LateReap { age }) if age == two_seconds
    ));
}

#[test]
fn a_parent_that_could_not_come_earlier_is_not_late() {
    let mut stopped = dead_child();
    stopped.stop(P).after(3000).resume(P);
    assert_eq!(reaped_after(&mut stopped, 0), []);

    let mut suspended = Script::launched(P);
    suspended.fork(P, X).vfork(P, Y).end(X, exited(3));
    suspended.after(3000).exec(Y, "true");
    assert_eq!(reaped_after(&mut suspended, 0), []);

    // A batch job that joins its children one after the other.
    let mut batch = Script::launched(P);
    batch.fork(P, X).fork(P, Y).enter(P, Y, 0).end(X, exited(3));
    batch.after(1500).end(Y, 0).leave(P, Y, 0, Ok((Y, 0)));
    assert_eq!(reaped_after(&mut batch, 1500), []);
}

#[test]
fn how_late_a_child_from_before_the_attach_is_reaped_is_not_known() {
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
    assert_eq!(reaped_after(&mut script, 3000), []);
}

#[test]
fn an_orphan_is_late_from_its_adoption_on() {
    let orphan = |after| {
        let mut script = Script::launched(1);
        script.fork(1, P).fork(P, 15).fork(15, X).end(X, exited(3));
        script.after(3000).end(15, 0).adopt(P, X, 15);
        script.wait(P, 15, 0, Ok((15, 0)));
        reaped_after(&mut script, after)
    };
    assert_eq!(orphan(1000), []);
    assert_eq!(orphan(2000), [RuleId::LateReap]);
}

/// A parent that once reaped 1.5 s late has a zombie of this age.
fn cadence(age: u64) -> Script {
    let mut script = Script::launched(P);
    script.fork(P, Y).end(Y, 0).after(1500);
    script.wait(P, -1, 0, Ok((Y, 0)));
    script.fork(P, X).end(X, exited(3));
    script.after(1000).look(P, X, |_| {}).after(age - 1000);
    script
}

#[test]
fn a_parent_may_come_as_late_as_it_has_come_before() {
    assert_eq!(rules(cadence(1500).over()), []);
    assert_eq!(rules(cadence(1501).over()), [RuleId::ZombieLeak]);
}

#[test]
fn a_parent_that_exits_does_not_come_any_more() {
    assert_eq!(rules(cadence(1500).end(P, 0).over()), [RuleId::ZombieLeak]);
}

#[test]
fn no_warning_comes_while_a_parent_may_come() {
    let slow = |habit| {
        let mut script = Script::launched(P);
        script.fork(P, Y).end(Y, 0).after(habit);
        script.wait(P, -1, 0, Ok((Y, 0)));
        script.fork(P, X).end(X, exited(3));
        script.after(6000).look(P, X, |_| {});
        warnings(&script)
    };
    assert_eq!(slow(7000), []);
    assert_eq!(slow(1500), [RuleId::ZombieLeak]);
}
