//! `sigchld-discarded`

use super::{P, X, found, judged};
use crate::event::SigchldListener;
use crate::event::script::{HANDLER, NOHANG, Script, exited};
use crate::kernel::Tid;
use crate::rules::{Diagnosis, Leak, RuleId, Severity};

/// A child dies, and its SIGCHLD is delivered to this thread.
fn child_dies(taker: i32) -> Script {
    let mut script = Script::launched(P);
    script.thread(P, 11);
    script
        .fork(P, X)
        .end(X, exited(3))
        .sigchld_of((taker, P), X);
    script
}

/// It has been a zombie for two seconds when the trace is over.
fn leaked(script: &mut Script, listener: Option<SigchldListener>) -> Vec<(Severity, RuleId)> {
    script.after(1000);
    script.look(P, X, |owner| owner.listener = listener);
    script.after(1000).over();
    found(script)
}

/// The thread that got the signal, as the finding says.
fn got_by(script: &Script) -> Option<Tid> {
    match judged(script)[0].diagnosis {
        Diagnosis::Leak(Leak::SigchldDiscarded { got_by }) => got_by,
        _ => None,
    }
}

const DISCARDED: [(Severity, RuleId); 1] = [(Severity::Warning, RuleId::SigchldDiscarded)];
const LEAK: [(Severity, RuleId); 1] = [(Severity::Warning, RuleId::ZombieLeak)];

#[test]
fn a_handler_that_comes_too_late() {
    let mut script = child_dies(P);
    script.sigchld(P, HANDLER);
    assert_eq!(leaked(&mut script, None), DISCARDED);
}

#[test]
fn a_process_that_handles_nothing_just_leaks() {
    assert_eq!(leaked(&mut child_dies(P), None), LEAK);
}

#[test]
fn a_handler_that_was_there_just_leaks() {
    let mut script = Script::launched(P);
    script.sigchld(P, HANDLER);
    script.fork(P, X).end(X, exited(3)).sigchld_of(P, X);
    assert_eq!(leaked(&mut script, None), LEAK);
}

#[test]
fn a_handler_that_gets_the_next_signal_and_does_not_reap_just_leaks() {
    let mut script = child_dies(P);
    script.sigchld(P, HANDLER);
    script.fork(P, 21).end(21, 0).sigchld_of(P, 21);
    script.wait(P, 21, 0, Ok((21, 0)));
    assert_eq!(leaked(&mut script, None), LEAK);
}

#[test]
fn a_wait_after_it_reaps() {
    let mut script = child_dies(P);
    script.sigchld(P, HANDLER);
    script.wait(P, -1, NOHANG, Ok((X, exited(3))));
    script.after(2000).over();
    assert_eq!(found(&script), []);
}

#[test]
fn a_signalfd_that_comes_too_late() {
    let listener = SigchldListener {
        tid: Tid::new(P),
        unblocked: None,
    };
    let mut script = child_dies(P);
    assert_eq!(leaked(&mut script, Some(listener)), DISCARDED);
    assert_eq!(got_by(&script), None);
}

#[test]
fn a_signal_that_goes_to_another_thread() {
    let listener = SigchldListener {
        tid: Tid::new(11),
        unblocked: Some(Tid::new(P)),
    };
    let mut script = child_dies(P);
    assert_eq!(leaked(&mut script, Some(listener)), DISCARDED);
    assert_eq!(got_by(&script), Some(Tid::new(P)));
}

#[test]
fn a_signal_that_goes_to_a_handler_in_another_thread() {
    let listener = SigchldListener {
        tid: Tid::new(11),
        unblocked: Some(Tid::new(P)),
    };
    let mut script = Script::launched(P);
    script.thread(P, 11).sigchld(P, HANDLER);
    script.fork(P, X).end(X, exited(3)).sigchld_of(P, X);
    assert_eq!(leaked(&mut script, Some(listener)), DISCARDED);
}

#[test]
fn a_listener_that_took_the_signal_just_leaks() {
    let listener = SigchldListener {
        tid: Tid::new(P),
        unblocked: None,
    };
    let mut script = Script::launched(P);
    script.fork(P, X).end(X, exited(3));
    assert_eq!(leaked(&mut script, Some(listener)), LEAK);
}
