//! `pipe-held-by-descendant` and `outlives-command`

use super::{P, X, found, judged};
use crate::event::script::{Script, exited};
use crate::event::{BlockedReader, Comm, EventKind, Observation, PipeSide, Stream, Survivor};
use crate::kernel::Tgid;
use crate::rules::{Diagnosis, End, RuleId, Severity};

const DAEMON: i32 = 30;
const HELD: [(Severity, RuleId); 1] = [(Severity::Warning, RuleId::PipeHeldByDescendant)];

/// A child that left another process is dead and reaped.
fn left_behind() -> Script {
    let mut script = Script::launched(P);
    script.fork(P, X).fork(X, DAEMON).end(X, exited(4));
    script.wait(P, X, 0, Ok((X, exited(4))));
    script
}

/// A look at a thread of P that is blocked on a pipe which these hold.
fn blocked(script: &mut Script, sleeps: u64, holders: &[i32], complete: bool) {
    let side = |pid: &i32| PipeSide {
        tgid: Tgid::new(*pid),
        comm: Comm::default(),
        fd: 1,
    };
    let stream = Stream {
        fd: 6,
        inode: 4026,
        others: holders.iter().map(side).collect(),
        complete,
    };
    let reader = BlockedReader {
        child: Tgid::new(X),
        sleeps,
        streams: vec![stream],
    };
    let seen = Observation::Streams(reader);
    script.after(1000).event(P, EventKind::Observed(seen));
}

fn looked(sleeps: [u64; 2], holders: &[i32]) -> Vec<(Severity, RuleId)> {
    let mut script = left_behind();
    for count in sleeps {
        blocked(&mut script, count, holders, true);
    }
    script.end(DAEMON, 0).over();
    found(&script)
}

#[test]
fn a_pipe_that_a_descendant_of_a_dead_child_holds() {
    assert_eq!(looked([5, 5], &[DAEMON]), HELD);
}

#[test]
fn a_reader_that_ran_in_between_is_not_blocked() {
    assert_eq!(looked([5, 6], &[DAEMON]), []);
}

#[test]
fn a_pipe_that_others_hold_too() {
    for holders in [&[DAEMON, P][..], &[DAEMON, 99], &[P], &[]] {
        assert_eq!(looked([5, 5], holders), [], "{holders:?}");
    }
}

#[test]
fn one_look_is_not_enough() {
    let mut script = left_behind();
    blocked(&mut script, 5, &[DAEMON], true);
    script.end(DAEMON, 0).over();
    assert_eq!(found(&script), []);
}

#[test]
fn a_child_that_is_not_reaped_before_the_end_of_its_pipe_is_a_consequence() {
    let zombie = |holders: &[i32]| {
        let mut script = Script::launched(P);
        script.fork(P, X).fork(X, DAEMON).end(X, exited(4));
        for _ in 0..2 {
            blocked(&mut script, 5, holders, true);
        }
        script.after(2000).look(P, X, |_| {}).over();
        found(&script)
    };
    assert_eq!(zombie(&[DAEMON]), HELD);
    assert_eq!(zombie(&[P]), [(Severity::Warning, RuleId::ZombieLeak)]);
}

#[test]
fn holders_that_could_not_be_asked_are_no_matter_where_all_are_known() {
    let mut script = left_behind();
    for _ in 0..2 {
        blocked(&mut script, 5, &[DAEMON], false);
    }
    script.end(DAEMON, 0).over();
    assert_eq!(found(&script), HELD);
}

/// A reader that was seen blocked twice forks; its pipe's holder ends so long after.
fn went_on(holder_ends_after: u64) -> Vec<(Severity, RuleId)> {
    let mut script = left_behind();
    for _ in 0..2 {
        blocked(&mut script, 5, &[DAEMON], true);
    }
    script.fork(P, 21).end(21, 0).wait(P, 21, 0, Ok((21, 0)));
    script
        .after(holder_ends_after)
        .end(DAEMON, 0)
        .end(P, 0)
        .over();
    found(&script)
}

#[test]
fn a_reader_that_goes_on_while_the_pipe_is_held_got_its_bytes() {
    assert_eq!(went_on(1000), []);
    assert_eq!(went_on(1), HELD);
}

#[test]
fn a_reader_that_is_killed_did_not_go_on() {
    let mut script = left_behind();
    for _ in 0..2 {
        blocked(&mut script, 5, &[DAEMON], true);
    }
    script.end(P, 15).end(DAEMON, 15).over();
    assert_eq!(found(&script), HELD);
}

#[test]
fn processes_that_outlive_a_command_that_was_ended_by_force() {
    let mut script = Script::launched(P);
    script.fork(P, X).fork(X, DAEMON).end(X, 0).fork(P, 21);
    script.over().end(P, 15);
    // One whose parent has just been killed is no leftover.
    let survivors = [DAEMON, 21].map(|pid| Survivor {
        tgid: Tgid::new(pid),
        holds_output: false,
        holds_error: false,
    });
    let seen = EventKind::Observed(Observation::Survivors(survivors.to_vec()));
    script.event(P, seen);
    let outlives = [(Severity::Warning, RuleId::OutlivesCommand)];
    assert_eq!(found(&script), outlives);
    assert_eq!(judged(&script)[0].count, 1);
}

#[test]
fn processes_that_outlive_the_command() {
    let mut script = Script::launched(P);
    script.fork(P, X).fork(X, DAEMON).end(X, 0).end(P, 0);
    let survivor = |output| Survivor {
        tgid: Tgid::new(DAEMON),
        holds_output: output,
        holds_error: false,
    };
    let mut looked_at = script.clone();
    let seen = EventKind::Observed(Observation::Survivors(vec![survivor(true)]));
    looked_at.after(1000).event(P, seen).end(DAEMON, 0).over();
    let outlives = [(Severity::Info, RuleId::OutlivesCommand)];
    assert_eq!(found(&looked_at), outlives);
    assert!(matches!(
        judged(&looked_at)[0].diagnosis,
        Diagnosis::End(End::OutlivesCommand { holds_output: true })
    ));
    // The trace ends before anybody looks.
    script.clone().over();
    assert_eq!(found(script.clone().over()), outlives);
    assert_eq!(found(script.end(DAEMON, 0).over()), []);
}
