//! How long a process could not reap: in waits, stopped, or in vfork.

use super::*;
use crate::event::script::NOHANG;
use crate::ledger::BlockedTime;

const MILLI: u64 = 1_000_000;

/// What the parent was busy with, from the end of X until now.
fn busy(script: &mut Script) -> BlockedTime {
    let ledger = ledger(script.quiet());
    let end = process(&ledger, X).ended.unwrap();
    process(&ledger, P).blocked_between(&end, ledger.now())
}

#[test]
fn the_waits_of_two_threads_overlap() {
    let mut script = dead_child();
    script.thread(P, 11).fork(P, Y);
    script.enter(P, Y, 0).after(5).enter(T, Y, 0).after(5);
    script.leave(P, Y, 0, Err(Errno::INTR)).after(5);
    assert_eq!(busy(&mut script).waiting, 15 * MILLI);
    script.leave(T, Y, 0, Err(Errno::INTR)).after(5);
    assert_eq!(busy(&mut script).waiting, 15 * MILLI);
}

#[test]
fn a_wait_that_began_before_the_childs_end_counts_from_that_on() {
    let mut script = Script::launched(P);
    script.fork(P, X).fork(P, Y).enter(P, Y, 0);
    script.after(5).end(X, 0).after(10);
    assert_eq!(busy(&mut script).waiting, 10 * MILLI);
}

#[test]
fn a_poll_blocks_nothing_and_is_counted() {
    let mut script = dead_child();
    script.fork(P, Y).enter(P, Y, NOHANG).after(5);
    script.leave(P, Y, NOHANG, Ok((0, 0)));
    script.wait(P, Y, 0, Err(Errno::INTR));
    let busy = busy(&mut script);
    assert_eq!((busy.waiting, busy.waits, busy.polls), (0, 2, 1));
}

#[test]
fn the_end_of_a_thread_ends_its_wait() {
    let mut script = dead_child();
    script.thread(P, 11).fork(P, Y).enter(T, Y, 0);
    script.after(5).end(T, 0).after(5);
    assert_eq!(busy(&mut script).waiting, 5 * MILLI);
}

#[test]
fn two_threads_in_vfork_are_suspended_as_long_as_one_is() {
    let mut script = dead_child();
    script
        .thread(P, 11)
        .vfork(P, Y)
        .after(5)
        .vfork(T, Z)
        .after(5);
    script.exec(Y, "true").after(5).end(Z, 0).after(5);
    assert_eq!(busy(&mut script).suspended, 15 * MILLI);
}

#[test]
fn the_vfork_of_a_sibling_suspends_its_creator() {
    // CLONE_VFORK | CLONE_PARENT: the child's parent is not suspended.
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, X).end(X, 0);
    script
        .vfork(P, Y)
        .for_parent(1)
        .after(5)
        .exec(Y, "true")
        .after(5);
    assert_eq!(busy(&mut script).suspended, 5 * MILLI);
}

#[test]
fn a_vfork_suspends_until_the_child_execs_or_exits() {
    for execs in [true, false] {
        let mut script = dead_child();
        script.vfork(P, Y).after(5);
        assert_eq!(busy(&mut script).suspended, 5 * MILLI);
        if execs {
            script.exec(Y, "true");
        } else {
            script.end(Y, 0);
        }
        assert_eq!(busy(script.after(5)).suspended, 5 * MILLI, "{execs}");
    }
}

#[test]
fn the_stops_of_a_process_add_up() {
    let mut script = dead_child();
    script.stop(P).after(5).resume(P).after(5);
    assert_eq!(busy(script.stop(P).after(5)).stopped, 10 * MILLI);
}

#[test]
fn a_process_that_is_killed_while_it_is_stopped_was_stopped_to_its_end() {
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, X).stop(P).after(10).end(X, 0);
    script.after(5).end(P, 9).after(1000);
    assert_eq!(busy(&mut script).stopped, 5 * MILLI);
}

#[test]
fn a_process_that_ends_in_a_wait_waited_to_its_end() {
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, X).fork(P, Y).end(X, 0);
    script.enter(P, Y, 0).after(5).end(P, 9).after(1000);
    assert_eq!(busy(&mut script).waiting, 5 * MILLI);
}
