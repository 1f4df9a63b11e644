//! Deadlocks of a wait and a pipe: `pipe-full-deadlock`, `pipe-eof-deadlock`

use super::*;
use crate::event::{BlockedChild, BlockedIn, Comm, EventKind, Observation, PipeSide};
use crate::kernel::Tgid;
use crate::rules::Hang;

/// A process that is blocked on a pipe whose other end these hold.
fn on_pipe(child: i32, writes: bool, holders: &[i32]) -> BlockedChild {
    let side = |pid: &i32| PipeSide {
        tgid: Tgid::new(*pid),
        comm: Comm::default(),
        fd: 4,
    };
    let within = BlockedIn::Pipe {
        writes,
        fd: 1,
        inode: 4000 + u64::from(child.unsigned_abs()),
        others: holders.iter().map(side).collect(),
        complete: true,
    };
    let child = Tgid::new(child);
    BlockedChild { child, within }
}

/// One that is not.
fn elsewhere(child: i32) -> BlockedChild {
    BlockedChild {
        child: Tgid::new(child),
        within: BlockedIn::Other,
    }
}

/// A parent waits for X, and has another child.
fn waits() -> Script {
    let mut script = Script::launched(P);
    script.fork(P, X).fork(P, Y).enter(P, X, 0);
    script
}

fn look(script: &mut Script, children: &[BlockedChild], timers: bool) {
    let children = children.to_vec();
    let seen = Observation::BlockedChildren { children, timers };
    script.after(2000).observe(P, seen);
}

/// What two looks find that see the same.
fn twice(script: &mut Script, children: &[BlockedChild]) -> Vec<(Severity, RuleId)> {
    look(script, children, false);
    look(script, children, false);
    found(script.over())
}

const FULL: [(Severity, RuleId); 1] = [(Severity::Error, RuleId::PipeFullDeadlock)];
const NO_END: [(Severity, RuleId); 1] = [(Severity::Error, RuleId::PipeEofDeadlock)];

#[test]
fn a_child_writes_to_a_pipe_that_its_waiting_parent_reads() {
    let mut script = waits();
    assert_eq!(twice(&mut script, &[on_pipe(X, true, &[P])]), FULL);
    assert!(matches!(
        diagnosis(&script),
        Diagnosis::Hang(Hang::PipeFullDeadlock { fd: 1 })
    ));
    assert_eq!(warnings(&script), [RuleId::PipeFullDeadlock], "at once");
}

#[test]
fn a_child_writes_to_a_pipe_that_it_alone_reads() {
    assert_eq!(twice(&mut waits(), &[on_pipe(X, true, &[X])]), FULL);
}

#[test]
fn a_child_reads_a_pipe_that_its_waiting_parent_holds_open() {
    let mut script = waits();
    assert_eq!(twice(&mut script, &[on_pipe(X, false, &[P])]), NO_END);
    let Diagnosis::Hang(Hang::PipeEofDeadlock { holder, fd }) = diagnosis(&script) else {
        panic!("pipe-eof-deadlock");
    };
    assert_eq!((holder.tgid.raw(), fd), (P, 4));
}

#[test]
fn the_holder_that_is_named_is_another_than_the_child() {
    let mut script = waits();
    twice(&mut script, &[on_pipe(X, false, &[X, P])]);
    assert!(matches!(
        diagnosis(&script),
        Diagnosis::Hang(Hang::PipeEofDeadlock { holder, .. }) if holder.tgid.raw() == P
    ));
}

#[test]
fn a_sibling_that_is_blocked_too_does_not_help() {
    let children = [on_pipe(X, false, &[P, Y]), on_pipe(Y, false, &[P])];
    assert_eq!(twice(&mut waits(), &children), NO_END);
}

#[test]
fn a_sibling_that_runs_or_a_stranger_may_help() {
    for writes in [true, false] {
        let sibling = [on_pipe(X, writes, &[P, Y]), elsewhere(Y)];
        assert_eq!(twice(&mut waits(), &sibling), [], "{writes}");
        let helped = [on_pipe(X, writes, &[Y]), on_pipe(Y, writes, &[99])];
        assert_eq!(twice(&mut waits(), &helped), [], "{writes}");
        let fails = [on_pipe(X, writes, &[Y]), on_pipe(Y, writes, &[])];
        assert_eq!(twice(&mut waits(), &fails), [], "{writes}");
        let stranger = [on_pipe(X, writes, &[P, 99])];
        assert_eq!(twice(&mut waits(), &stranger), [], "{writes}");
    }
}

#[test]
fn a_process_elsewhere_that_waits_for_its_own_child_may_help() {
    let mut script = Script::launched(1);
    script.fork(1, P).fork(1, 40).fork(40, 41).enter(40, 41, 0);
    script.fork(P, X).enter(P, X, 0);
    assert_eq!(twice(&mut script, &[on_pipe(X, true, &[P, 40])]), []);
}

#[test]
fn a_pipe_without_another_end_gives_an_error_or_an_end() {
    assert_eq!(twice(&mut waits(), &[on_pipe(X, true, &[])]), []);
}

#[test]
fn a_child_that_is_blocked_in_nothing_may_go_on() {
    assert_eq!(twice(&mut waits(), &[elsewhere(X)]), []);
}

#[test]
fn one_look_is_not_enough() {
    let mut script = waits();
    look(&mut script, &[on_pipe(X, true, &[P])], false);
    assert_eq!(found(script.over()), []);
}

#[test]
fn two_looks_must_see_the_same() {
    let mut moved = waits();
    look(&mut moved, &[on_pipe(X, true, &[P])], false);
    look(&mut moved, &[elsewhere(X)], false);
    look(&mut moved, &[on_pipe(X, true, &[P])], false);
    assert_eq!(found(moved.over()), []);

    let mut another_wait = waits();
    look(&mut another_wait, &[on_pipe(X, true, &[P])], false);
    another_wait
        .leave(P, X, 0, Err(Errno::RESTARTSYS))
        .enter(P, X, 0);
    look(&mut another_wait, &[on_pipe(X, true, &[P])], false);
    assert_eq!(found(another_wait.over()), []);
}

#[test]
fn a_parent_that_a_timer_may_wake_is_warned_of() {
    let mut script = waits();
    for _ in 0..2 {
        look(&mut script, &[on_pipe(X, true, &[P])], true);
    }
    let warning = (Severity::Warning, RuleId::PipeFullDeadlock);
    assert_eq!(found(script.over()), [warning]);
}

#[test]
fn a_parent_with_a_thread_that_runs_may_drain_the_pipe() {
    let mut script = two_threads();
    script.fork(P, X).enter(P, X, 0);
    let mut both = script.clone();
    assert_eq!(twice(&mut script, &[on_pipe(X, true, &[P])]), []);
    both.enter(T, -1, 0);
    assert_eq!(twice(&mut both, &[on_pipe(X, true, &[P])]), FULL);
}

#[test]
fn a_grandparent_that_waits_as_well_is_the_one_that_could_drain() {
    let chain = |waits| {
        let mut script = Script::launched(1);
        script.fork(1, P).fork(P, X).enter(P, X, 0);
        if waits {
            script.enter(1, P, 0);
        }
        let found = twice(&mut script, &[on_pipe(X, true, &[1])]);
        (found, script)
    };
    assert_eq!(chain(false).0, []);
    let (found, script) = chain(true);
    assert_eq!(found, FULL);
    assert_eq!(judged(&script)[0].parent.tgid.raw(), 1);
}

#[test]
fn of_a_pipeline_the_last_one_is_named_whose_reader_waits() {
    // The grandparent reads what Y writes, and Y what X writes.
    let mut script = Script::launched(1);
    script.fork(1, P).fork(P, X).fork(P, Y).enter(P, -1, 0);
    script.enter(1, P, 0);
    let children = [on_pipe(X, true, &[Y]), on_pipe(Y, true, &[1])];
    assert_eq!(twice(&mut script, &children), FULL);
    let finding = &judged(&script)[0];
    assert_eq!(finding.parent.tgid.raw(), 1);
    assert_eq!(finding.children[0].process.tgid.raw(), Y);
}

#[test]
fn a_wait_for_any_child_hangs_when_all_are_blocked() {
    let any = |children: &[BlockedChild]| {
        let mut script = Script::launched(P);
        script.fork(P, X).fork(P, Y).enter(P, -1, 0);
        twice(&mut script, children)
    };
    let [x, y] = [X, Y].map(|child| on_pipe(child, true, &[P]));
    assert_eq!(any(&[x.clone(), y]), FULL);
    assert_eq!(any(&[x, elsewhere(Y)]), []);
}

#[test]
fn holders_that_could_not_be_asked_may_be_any() {
    let mut partly = on_pipe(X, true, &[P]);
    if let BlockedIn::Pipe { complete, .. } = &mut partly.within {
        *complete = false;
    }
    // Where every process is traced, those that hold it are known.
    assert_eq!(twice(&mut waits(), &[partly.clone()]), FULL);
    let mut attached = Script::default();
    attached.event(P, EventKind::Attached { threads: 1 });
    attached.found(P, Some(1)).fork(P, X).enter(P, X, 0);
    assert_eq!(twice(&mut attached, &[partly]), []);
}
