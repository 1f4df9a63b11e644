//! `stolen-child` where nothing was stolen in this run.

use super::{P, T, X, found, two_threads};
use crate::event::EventKind;
use crate::event::script::{HANDLER, NOHANG, NOWAIT, Script, exited};
use crate::kernel::{Errno, Signal};
use crate::rules::{RuleId, Severity};

const HAZARD: [(Severity, RuleId); 1] = [(Severity::Info, RuleId::StolenChild)];

/// The child dies and is reaped by its pid.
fn reaped(script: &mut Script) -> Vec<(Severity, RuleId)> {
    script
        .end(X, exited(3))
        .wait(P, X, 0, Ok((X, exited(3))))
        .over();
    found(script)
}

#[test]
fn a_poll_of_another_thread_while_the_child_lives() {
    let mut script = two_threads();
    script.fork(P, X).wait(T, -1, NOHANG, Ok((0, 0)));
    assert_eq!(reaped(&mut script), HAZARD);
}

#[test]
fn a_wait_of_another_thread_that_goes_on() {
    let mut script = two_threads();
    script.fork(P, X).fork(P, 21).enter(T, -1, 0);
    assert_eq!(reaped(&mut script), HAZARD);
}

#[test]
fn waits_that_take_nothing_or_came_before_are_no_hazard() {
    let mut script = two_threads();
    script.wait(T, -1, NOHANG, Err(Errno::CHILD));
    script.fork(P, X).wait(T, -1, NOHANG | NOWAIT, Ok((0, 0)));
    script.wait(T, 21, NOHANG, Err(Errno::CHILD));
    let info = (Severity::Warning, RuleId::NotMyChild);
    let all = reaped(&mut script);
    assert!(all.iter().all(|one| *one == info), "{all:?}");
}

#[test]
fn a_poll_from_before_the_childs_birth_is_no_hazard() {
    let mut script = two_threads();
    script.fork(P, 21).wait(T, -1, NOHANG, Ok((0, 0)));
    script.fork(P, X);
    assert_eq!(reaped(&mut script), []);
}

#[test]
fn polls_of_the_same_thread_are_no_hazard() {
    let mut script = two_threads();
    script.fork(P, X).wait(P, -1, NOHANG, Ok((0, 0)));
    assert_eq!(reaped(&mut script), []);
}

/// A handler waits for any child in the midst of a wait for one; `eintr` says
/// whether that fails then.
fn in_handler(eintr: bool) -> Script {
    let mut script = Script::launched(P);
    script.sigchld(P, HANDLER).fork(P, X).fork(P, 21);
    script.enter(P, X, 0).end(21, 0);
    script
        .leave(P, X, 0, Err(Errno::RESTARTSYS))
        .sigchld_of(P, 21);
    let by = Signal::CHLD;
    script.event(P, EventKind::RestartOutcome { by, eintr });
    script.wait(P, -1, NOHANG, Ok((21, 0)));
    script
}

#[test]
fn a_wait_of_a_handler_in_the_midst_of_another() {
    assert_eq!(reaped(&mut in_handler(false)), HAZARD);
    // What follows an EINTR may be no handler's.
    assert_eq!(reaped(&mut in_handler(true)), []);
}

#[test]
fn a_theft_is_told_and_not_its_chance() {
    let mut script = two_threads();
    script.fork(P, X).wait(T, -1, NOHANG, Ok((0, 0)));
    script.end(X, exited(3)).wait(P, X, 0, Ok((X, exited(3))));
    script.fork(P, 22).end(22, exited(4));
    script.wait(T, -1, NOHANG, Ok((22, exited(4))));
    script.wait(P, 22, 0, Err(Errno::CHILD)).over();
    assert_eq!(found(&script), [(Severity::Warning, RuleId::StolenChild)]);
}
