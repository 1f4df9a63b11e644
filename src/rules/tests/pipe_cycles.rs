//! Processes that are blocked on each other's pipes: `pipe-full-deadlock`

use super::*;
use crate::event::{
    BlockedCall, BlockedTask, Comm, EventKind, LookCause, PipeSide, WaitingLook, WaitsOn,
};
use crate::kernel::{Signal, Tgid};
use crate::rules::Hang;

const SECOND: u64 = 1_000_000_000;

/// The only thread of a process, which has been in a transfer for three seconds; these
/// hold the other end.
fn task(tgid: i32, parent: i32, call: &str, holders: &[i32]) -> BlockedTask {
    let side = |pid: &i32| PipeSide {
        tgid: Tgid::new(*pid),
        comm: Comm::default(),
        fd: 9,
    };
    let writes = call == "write";
    let fd = if writes { 2 } else { 3 };
    BlockedTask {
        tid: Tgid::new(tgid).leader(),
        tgid: Tgid::new(tgid),
        parent: Tgid::new(parent),
        comm: Comm::default(),
        argv: Vec::new(),
        state: b'S',
        call: Some(BlockedCall {
            name: call.to_owned(),
            argument: Some(fd),
        }),
        asleep: Some(3 * SECOND),
        is_older: false,
        handled: 0,
        on: vec![WaitsOn::Stream {
            fd,
            is_pipe: true,
            writes,
            others: holders.iter().map(side).collect(),
            complete: true,
        }],
        more: 0,
    }
}

/// A parent that reads what its child X has, and X, which writes what P reads.
fn blocked() -> [BlockedTask; 2] {
    [task(P, 1, "read", &[X]), task(X, P, "write", &[P])]
}

fn looked(script: &mut Script, tasks: &[BlockedTask]) {
    let tasks = tasks.to_vec();
    let cause = LookCause::Asked;
    script
        .after(4000)
        .event(P, EventKind::Looked(Box::new(WaitingLook { cause, tasks })));
}

fn look(tasks: &[BlockedTask]) -> Vec<(Severity, RuleId)> {
    let mut script = Script::launched(P);
    script.fork(P, X).fork(P, Y);
    looked(&mut script, tasks);
    found(script.over())
}

const FULL: [(Severity, RuleId); 1] = [(Severity::Error, RuleId::PipeFullDeadlock)];

#[test]
fn a_child_fills_a_pipe_while_its_parent_reads_another() {
    assert_eq!(look(&blocked()), FULL);
    let mut script = Script::launched(P);
    script.fork(P, X);
    looked(&mut script, &blocked());
    looked(&mut script, &blocked());
    assert!(matches!(
        diagnosis(&script),
        Diagnosis::Hang(Hang::PipeFullElsewhere {
            fd: 2,
            other: 3,
            writes: false
        })
    ));
    assert_eq!(judged(&script)[0].count, 1, "found twice, and one child");
    assert_eq!(warnings(&script), [RuleId::PipeFullDeadlock], "at once");
}

#[test]
fn others_that_are_blocked_in_the_same_way_do_not_help() {
    let [reads, writes] = blocked();
    // A sibling has what the parent reads, and writes to the parent too.
    let sibling = task(Y, P, "write", &[P]);
    let reads = BlockedTask {
        on: task(P, 1, "read", &[X, Y]).on,
        ..reads
    };
    assert_eq!(look(&[reads, writes, sibling]), FULL);
}

#[test]
fn a_shell_that_waits_between_the_two_does_not_help() {
    let shell = BlockedTask {
        on: Vec::new(),
        ..task(X, P, "wait4", &[])
    };
    let reads = task(P, 1, "read", &[X]);
    let writes = task(41, X, "write", &[P]);
    let mut script = Script::launched(P);
    script.fork(P, X).fork(X, 41).enter(X, -1, 0);
    looked(&mut script, &[reads.clone(), shell.clone(), writes.clone()]);
    assert_eq!(found(&script), FULL);
    // Another child of the shell may end its wait, seen or not.
    let other = BlockedTask {
        call: None,
        ..task(42, X, "read", &[])
    };
    let four = [reads.clone(), shell.clone(), writes.clone(), other];
    assert_eq!(look(&four), []);
    let mut script = Script::launched(P);
    script.fork(P, X).fork(X, 41).fork(X, 42).enter(X, -1, 0);
    looked(&mut script, &[reads, shell, writes]);
    assert_eq!(found(&script), []);
}

/// What changes one of the two, so that it may go on.
type Change = fn(&mut BlockedTask);

#[test]
fn a_process_that_may_go_on_is_none() {
    fn stream(task: &mut BlockedTask) -> &mut WaitsOn {
        task.on.first_mut().unwrap()
    }
    let changes: [(&str, Change); 8] = [
        ("an alarm", |task| task.handled = Signal::ALRM.bit()),
        ("SIGIO", |task| task.handled = Signal::IO.bit()),
        ("a time-out", |task| {
            task.call.as_mut().unwrap().name = "poll".to_owned();
        }),
        ("not for long", |task| task.asleep = Some(SECOND)),
        ("not known for how long", |task| task.asleep = None),
        ("another stream", |task| task.on.extend(task.on.clone())),
        ("streams that were not looked at", |task| task.more = 1),
        ("no pipe", |task| {
            if let WaitsOn::Stream { is_pipe, .. } = stream(task) {
                *is_pipe = false;
            }
        }),
    ];
    for (what, change) in changes {
        for at in [0, 1] {
            let mut tasks = blocked();
            change(&mut tasks[at]);
            assert_eq!(look(&tasks), [], "{what}, {at}");
        }
    }
}

#[test]
fn processes_that_may_not_be_examined_help_only_where_some_are_older_than_the_trace() {
    for at in [0, 1] {
        let mut tasks = blocked();
        if let Some(WaitsOn::Stream { complete, .. }) = tasks[at].on.first_mut() {
            *complete = false;
        }
        assert_eq!(look(&tasks), FULL, "{at}");
        let mut script = Script::launched(P);
        script.event(P, EventKind::Attached { threads: 1 });
        looked(&mut script, &tasks);
        assert_eq!(found(script.over()), [], "{at}");
    }
}

#[test]
fn each_child_that_is_blocked_so_is_counted_once() {
    let [reads, writes] = blocked();
    let sibling = task(Y, P, "write", &[P]);
    let reads = BlockedTask {
        on: task(P, 1, "read", &[X, Y]).on,
        ..reads
    };
    let tasks = [reads, writes, sibling];
    // Traced, or known from the looks alone.
    let mut traced = Script::launched(P);
    traced.fork(P, X).fork(P, Y);
    for mut script in [traced, Script::launched(99)] {
        for _ in 0..3 {
            looked(&mut script, &tasks);
        }
        assert_eq!(warnings(&script), [RuleId::PipeFullDeadlock]);
        let [finding] = &judged(&script)[..] else {
            panic!("one finding a parent");
        };
        let children: Vec<i32> = finding
            .children
            .iter()
            .map(|child| child.process.tgid.raw())
            .collect();
        assert_eq!((finding.count, &children[..]), (2, &[X, Y][..]));
    }
}

#[test]
fn a_thread_or_a_stranger_may_help() {
    let [reads, writes] = blocked();
    let thread = BlockedTask {
        tid: crate::kernel::Tid::new(11),
        ..reads.clone()
    };
    assert_eq!(look(&[reads.clone(), thread, writes.clone()]), []);
    let drained = task(X, P, "write", &[P, 99]);
    assert_eq!(look(&[reads, drained]), []);
    let filled = task(P, 1, "read", &[X, 99]);
    assert_eq!(look(&[filled, writes]), []);
}

#[test]
fn a_handler_of_sigchld_may_help_where_another_child_can_end() {
    let [reads, writes] = blocked();
    let reads = BlockedTask {
        handled: Signal::CHLD.bit(),
        ..reads
    };
    let other = |state| BlockedTask {
        call: None,
        state,
        ..task(Y, P, "read", &[])
    };
    assert_eq!(
        look(&[reads.clone(), writes.clone()]),
        FULL,
        "no other child"
    );
    let sleeps = [reads.clone(), writes.clone(), other(b'S')];
    assert_eq!(look(&sleeps), []);
    let has_ended = [reads, writes, other(b'Z')];
    assert_eq!(look(&has_ended), FULL);
}

#[test]
fn both_may_have_filled_a_pipe_of_the_other() {
    let tasks = [task(P, 1, "write", &[X]), task(X, P, "write", &[P])];
    assert_eq!(look(&tasks), FULL);
    let mut script = Script::launched(P);
    script.fork(P, X);
    looked(&mut script, &tasks);
    assert!(matches!(
        diagnosis(&script),
        Diagnosis::Hang(Hang::PipeFullElsewhere { writes: true, .. })
    ));
    let drained = [task(P, 1, "write", &[X, 99]), task(X, P, "write", &[P])];
    assert_eq!(look(&drained), []);
}

#[test]
fn readers_of_each_other_may_wait_for_a_signal() {
    let tasks = [task(P, 1, "read", &[X]), task(X, P, "read", &[P])];
    assert_eq!(look(&tasks), []);
}

#[test]
fn one_that_is_no_child_is_none_of_the_parent_s() {
    let tasks = [task(P, 1, "read", &[X]), task(X, Y, "write", &[P])];
    assert_eq!(look(&tasks), []);
}
