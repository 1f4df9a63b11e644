//! Statuses that were there and got lost: `efault-lost-status`,
//! `status-discarded`, `signal-death-hidden`, `raw-status-exit`

use super::*;
use crate::event::EventKind;
use crate::event::SigchldAction;
use crate::event::script::{NOWAIT, without_status};
use crate::kernel::{Signal, Tgid};

// efault-lost-status

/// A wait fails with EFAULT; the process has these children then.
fn faulted(script: &mut Script, named: i32, options: u32, remaining: Option<&[i32]>) {
    let remaining = remaining.map(|pids| pids.iter().copied().map(Tgid::new).collect());
    script.wait(P, named, options, Err(Errno::FAULT));
    script.but(|exit| exit.remaining = remaining);
}

const LOST: [(Severity, RuleId); 1] = [(Severity::Error, RuleId::EfaultLostStatus)];

#[test]
fn a_bad_pointer_that_took_the_child() {
    for named in [X, -1] {
        let mut script = dead_child();
        faulted(&mut script, named, 0, Some(&[]));
        assert_eq!(found(script.over()), LOST, "{named}");
    }
}

#[test]
fn a_wait_after_it_is_no_other_bug() {
    let mut script = dead_child();
    faulted(&mut script, X, 0, Some(&[]));
    script.wait(P, X, 0, NO_CHILD).over();
    assert_eq!(found(&script), LOST);
}

#[test]
fn a_bad_pointer_that_took_nothing() {
    for (options, remaining) in [(0, Some(&[X][..])), (0, None), (NOWAIT, Some(&[]))] {
        let mut script = dead_child();
        faulted(&mut script, X, options, remaining);
        script.wait(P, X, 0, Ok((X, exited(3)))).over();
        assert_eq!(found(&script), [], "{options} {remaining:?}");
    }
}

#[test]
fn a_child_that_the_kernel_may_have_reaped_was_not_taken_for_sure() {
    let disposition = |action: Option<SigchldAction>| {
        let mut script = Script::default();
        script.found(P, None);
        if let Some(action) = action {
            script.sigchld(P, action);
        }
        script.fork(P, X).end(X, exited(3)).after(1);
        faulted(&mut script, -1, 0, Some(&[]));
        found(script.over())
    };
    assert_eq!(disposition(None), []);
    assert_eq!(disposition(Some(SigchldAction::Default)), LOST);
}

#[test]
fn which_of_two_was_taken_must_be_known() {
    let mut script = dead_child();
    script.fork(P, Y).end(Y, 0);
    faulted(&mut script, -1, 0, Some(&[]));
    assert_eq!(found(script.over()), []);
}

// status-discarded

const CRASHES: [i32; 6] = [4, 6, 7, 8, 11, 31];
const OTHERS: [i32; 5] = [1, 2, 9, 13, 15];

/// The child dies of this, and its parent asks for no status.
fn dropped(script: &mut Script, word: i32) -> Vec<(Severity, RuleId)> {
    script.end(X, word).wait(P, X, 0, Ok((X, word)));
    script.but(without_status).over();
    found(script)
}

fn child() -> Script {
    let mut script = Script::launched(P);
    script.fork(P, X);
    script
}

#[test]
fn a_crash_whose_status_is_not_asked_for() {
    for signal in CRASHES {
        let info = (Severity::Info, RuleId::StatusDiscarded);
        assert_eq!(dropped(&mut child(), signal), [info], "{signal}");
        assert_eq!(dropped(&mut child(), signal | 0x80), [info], "{signal}");
    }
}

#[test]
fn an_end_that_is_no_crash_need_not_be_asked_for() {
    for signal in OTHERS {
        assert_eq!(dropped(&mut child(), signal), [], "{signal}");
    }
    assert_eq!(dropped(&mut child(), exited(3)), []);
}

#[test]
fn a_crash_signal_that_the_parent_sent_is_no_crash() {
    let mut by_kill = child();
    by_kill.kill(P, X, Signal::ABRT);
    assert_eq!(dropped(&mut by_kill, 6), []);

    // By pidfd_send_signal or sigqueue.
    let mut by_other_means = child();
    by_other_means.signalled(X, Signal::ABRT, P);
    assert_eq!(dropped(&mut by_other_means, 6), []);
}

#[test]
fn a_crash_signal_that_another_sent_is_news_to_the_parent() {
    let mut script = child();
    script.fork(P, Y).kill(Y, X, Signal::ABRT);
    script.signalled(X, Signal::ABRT, Y);
    let info = (Severity::Info, RuleId::StatusDiscarded);
    assert_eq!(dropped(&mut script, 6), [info]);
}

// signal-death-hidden

/// The child ends, its parent reaps it and exits so soon after it.
fn exits_after(script: &mut Script, word: i32, millis: u64, code: i32) -> Vec<(Severity, RuleId)> {
    script.end(X, word).wait(P, X, 0, Ok((X, word)));
    script.after(millis).end(P, exited(code)).over();
    found(script)
}

const HIDDEN: [(Severity, RuleId); 1] = [(Severity::Info, RuleId::SignalDeathHidden)];

#[test]
fn a_success_at_once_after_the_crash_of_the_only_child() {
    for signal in CRASHES {
        assert_eq!(exits_after(&mut child(), signal, 200, 0), HIDDEN);
    }
}

#[test]
fn a_parent_that_does_more_or_fails_hides_nothing() {
    assert_eq!(exits_after(&mut child(), 11, 201, 0), []);
    assert_eq!(exits_after(&mut child(), 11, 0, 139), []);
    for signal in OTHERS {
        assert_eq!(exits_after(&mut child(), signal, 0, 0), [], "{signal}");
    }
}

#[test]
fn a_parent_of_several_children_may_not_depend_on_one() {
    let mut script = child();
    script.fork(P, Y).end(Y, 0).wait(P, Y, 0, Ok((Y, 0)));
    assert_eq!(exits_after(&mut script, 11, 0, 0), []);
}

#[test]
fn a_parent_that_killed_its_child_hides_nothing() {
    let mut script = child();
    script.kill(P, X, Signal::SEGV);
    assert_eq!(exits_after(&mut script, 11, 0, 0), []);
}

#[test]
fn a_status_that_was_not_asked_for_is_another_rules() {
    let mut script = child();
    script.end(X, 11).wait(P, X, 0, Ok((X, 11)));
    script.but(without_status).end(P, 0).over();
    assert_eq!(rules(&script), [RuleId::StatusDiscarded]);
}

// raw-status-exit

/// A child's status arrives, and then the parent exits with this.
fn exits_with(script: &mut Script, code: i32) -> Vec<(Severity, RuleId)> {
    script.event(P, EventKind::ExitsWith(code)).over();
    found(script)
}

fn reaped() -> Script {
    let mut script = dead_child();
    script.wait(P, X, 0, Ok((X, exited(3))));
    script
}

#[test]
fn a_status_word_as_an_exit_code() {
    let error = (Severity::Error, RuleId::RawStatusExit);
    assert_eq!(exits_with(&mut reaped(), exited(3)), [error]);
}

#[test]
fn a_number_that_no_wait_gave_is_not_a_status() {
    for code in [exited(4), 0xffff, -1] {
        assert_eq!(exits_with(&mut reaped(), code), [], "{code}");
    }
    assert_eq!(exits_with(&mut dead_child(), exited(3)), []);
}

#[test]
fn a_status_that_the_program_before_got_is_not_this_ones() {
    let mut script = reaped();
    script.exec(P, "next");
    assert_eq!(exits_with(&mut script, exited(3)), []);
}
