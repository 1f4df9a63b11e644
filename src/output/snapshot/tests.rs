//! Snapshots of made-up runs.

use proptest::prelude::*;

use super::{Snapshot, SnapshotText};
use crate::event::EventKind;
use crate::event::script::{NOHANG, Script, UNTRACED, stopped};
use crate::kernel::Errno;
use crate::output::tests::show;

const ROOT: i32 = 100;

/// A launched process that executes a program.
fn launched() -> Script {
    let mut script = Script::launched(ROOT);
    script.exec(ROOT, "root");
    script
}

fn text(script: &Script) -> String {
    let text = SnapshotText::default();
    show(&mut Snapshot::new(&text), script);
    text.get().unwrap().to_owned()
}

#[test]
fn a_snapshot_has_a_lane_for_each_process() {
    let mut run = launched();
    run.fork(ROOT, 201);
    run.fork(ROOT, 202);
    run.exec(202, "worker");
    run.exec(201, "worker");
    run.wait(ROOT, 202, UNTRACED, Ok((202, stopped(20))));
    run.end(201, 15);
    run.wait(ROOT, -1, 0, Ok((201, 15)));
    run.end(202, 3 << 8);
    run.wait(ROOT, -1, NOHANG, Ok((202, 3 << 8)));
    run.wait(ROOT, -1, NOHANG, Err(Errno::CHILD));
    run.end(ROOT, 0);
    assert_eq!(
        text(&run),
        "wait4-strace snapshot v1
root: root
  forks root.1, root.2
  wait4(root.1, WUNTRACED) = root.1 [stopped SIGTSTP]
  reaps by wait4(-1): root.1 [exited 3], root.2 [killed SIGTERM]
  exited 0
root.1: worker
  exec worker
  exited 3, reaped by root
root.2: worker
  exec worker
  killed SIGTERM, reaped by root
findings: none
"
    );
}

#[test]
fn whether_a_poll_or_a_wait_takes_a_child_makes_no_difference() {
    let by_poll = {
        let mut run = launched();
        run.fork(ROOT, 201);
        run.end(201, 0);
        run.wait(ROOT, 201, NOHANG, Ok((201, 0)));
        text(&run)
    };
    let after_polls = {
        let mut run = launched();
        run.fork(ROOT, 201);
        run.wait(ROOT, 201, NOHANG, Ok((0, 0)));
        run.wait(ROOT, 201, NOHANG, Ok((0, 0)));
        run.end(201, 0);
        run.wait(ROOT, 201, 0, Ok((201, 0)));
        text(&run)
    };
    assert_eq!(by_poll, after_polls);
    assert!(by_poll.contains("wait4(root.1, WNOHANG) = root.1 [exited 0]"));
}

#[test]
fn interruptions_are_left_out() {
    let mut run = launched();
    run.fork(ROOT, 201);
    run.wait(ROOT, 201, 0, Err(Errno::RESTARTSYS));
    run.wait(ROOT, 201, 0, Err(Errno::INTR));
    run.end(201, 0);
    run.wait(ROOT, 201, 0, Ok((201, 0)));
    let text = text(&run);
    assert_eq!(text.matches("wait4").count(), 2, "{text}");
}

#[test]
fn an_error_is_told_once() {
    let mut run = launched();
    run.wait(ROOT, 77, 0, Err(Errno::CHILD));
    run.wait(ROOT, 77, 0, Err(Errno::CHILD));
    run.wait(ROOT, -1, 0x10, Err(Errno::INVAL));
    let text = text(&run);
    assert_eq!(text.matches("wait4(unknown) = ECHILD").count(), 1, "{text}");
    assert!(
        text.contains("wait4(-1, 0x10 /* W??? */) = EINVAL"),
        "{text}"
    );
}

#[test]
fn a_child_that_nobody_reaps_is_the_same_dead_before_its_parent_or_after() {
    let text = |child_first: bool| {
        let mut run = launched();
        run.fork(ROOT, 201);
        let (first, second) = if child_first {
            (201, ROOT)
        } else {
            (ROOT, 201)
        };
        run.end(first, 0);
        run.end(second, 0);
        text(&run)
    };
    assert_eq!(text(true), text(false));
    assert!(text(true).contains("exited 0, reaped by nobody"));
}

#[test]
fn which_thread_waits_for_which_child_makes_no_difference() {
    let text = |swapped: bool| {
        let mut run = launched();
        run.thread(ROOT, 101);
        run.fork(ROOT, 201);
        run.fork(ROOT, 202);
        run.end(201, 0);
        run.end(202, 1 << 8);
        let (first, second) = if swapped { (101, ROOT) } else { (ROOT, 101) };
        if swapped {
            run.wait((second, ROOT), 202, 0, Ok((202, 1 << 8)));
        }
        run.wait((first, ROOT), 201, 0, Ok((201, 0)));
        if !swapped {
            run.wait((second, ROOT), 202, 0, Ok((202, 1 << 8)));
        }
        text(&run)
    };
    assert_eq!(text(true), text(false));
    assert!(text(true).contains("has threads"));
}

#[test]
fn equal_siblings_are_numbered_in_the_order_in_which_they_are_waited_for() {
    let text = |pids: [i32; 3]| {
        let mut run = launched();
        for pid in [201, 202, 203] {
            run.fork(ROOT, pid);
            run.end(pid, 0);
        }
        for pid in pids {
            run.wait(ROOT, pid, 0, Ok((pid, 0)));
        }
        text(&run)
    };
    let one = text([201, 202, 203]);
    assert!(
        one.contains("= root.1 [exited 0]\n  wait4(root.2) = root.2"),
        "{one}"
    );
    assert_eq!(one, text([203, 201, 202]));
}

#[test]
fn a_stop_is_heard_by_waits_for_any_child_where_no_poll_can_come_first() {
    let text = |polls: bool| {
        let mut run = launched();
        run.fork(ROOT, 201);
        if polls {
            run.wait(ROOT, -1, NOHANG, Ok((0, 0)));
        }
        run.wait(ROOT, -1, UNTRACED, Ok((201, stopped(19))));
        text(&run)
    };
    let line = "  hears by wait4(-1): root.1 [stopped SIGSTOP]\n";
    assert!(text(false).contains(line));
    assert!(!text(true).contains("hears"));
}

#[test]
fn what_is_killed_when_the_trace_is_over_was_still_there() {
    let mut run = launched();
    run.fork(ROOT, 201);
    run.event(0, EventKind::Over);
    run.end(201, 9);
    assert!(text(&run).contains("root.1: root\n  still there at the end\n"));
}

#[test]
fn an_orphan_stays_under_its_first_parent_and_is_reaped_by_the_second() {
    let mut run = launched();
    run.fork(ROOT, 201);
    run.fork(201, 301);
    run.end(201, 0);
    run.wait(ROOT, 201, 0, Ok((201, 0)));
    run.end(301, 5 << 8);
    run.wait(ROOT, -1, 0, Ok((301, 5 << 8)));
    let text = text(&run);
    assert!(
        text.contains("reaps by wait4(-1): root.1.1 [exited 5]"),
        "{text}"
    );
    assert!(
        text.contains("root.1.1: root\n  exited 5, reaped by root\n"),
        "{text}"
    );
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let mut run = launched();
    for code in [1, 2] {
        run.fork(ROOT, 201);
        run.end(201, code << 8);
        run.wait(ROOT, 201, 0, Ok((201, code << 8)));
    }
    let text = text(&run);
    assert!(text.contains("wait4(root.1) = root.1 [exited 1]"), "{text}");
    assert!(text.contains("wait4(root.2) = root.2 [exited 2]"), "{text}");
}

/// A process of a run that is the same each time but for its scheduling.
#[derive(Clone, Debug)]
struct Plan {
    parent: usize,
    code: u8,
    execs: bool,
    /// It waits by pid, in the order of its children; else for any.
    by_pid: bool,
    /// Before its own end it polls for each child.
    polls: bool,
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let plan = (
        any::<prop::sample::Index>(),
        0..2_u8,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    prop::collection::vec(plan, 1..14).prop_map(|plans| {
        let plans = plans.into_iter().enumerate();
        plans
            .map(|(index, (parent, code, execs, by_pid, polls))| Plan {
                parent: if index == 0 { 0 } else { parent.index(index) },
                code,
                execs,
                by_pid,
                polls,
            })
            .collect()
    })
}

/// Play the plans, deciding by `choices` whose turn it is.
fn play(plans: &[Plan], mut choices: u64) -> String {
    let mut run = launched();
    let mut choose = move |among: usize| {
        // Any sequence of numbers will do.
        choices = choices
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(choices >> 33).unwrap() % among
    };
    let mut pids = vec![0; plans.len()];
    pids[0] = ROOT;
    let mut next_pid = ROOT + 1;
    let mut execed: Vec<bool> = plans.iter().map(|plan| !plan.execs).collect();
    let mut ended = vec![false; plans.len()];
    let mut reaped = vec![false; plans.len()];
    let children = |of: usize| {
        let all = plans.iter().enumerate().skip(1);
        all.filter(move |(_, plan)| plan.parent == of)
            .map(|(index, _)| index)
    };
    while !ended[0] {
        let who = choose(plans.len());
        if pids[who] == 0 || ended[who] {
            continue;
        }
        let (pid, plan) = (pids[who], &plans[who]);
        if !execed[who] {
            execed[who] = true;
            run.exec(pid, "program");
            continue;
        }
        let unborn: Vec<usize> = children(who).filter(|child| pids[*child] == 0).collect();
        if !unborn.is_empty() {
            let child = unborn[choose(unborn.len())];
            pids[child] = next_pid;
            next_pid += 1;
            run.fork(pid, pids[child]);
            continue;
        }
        if plan.by_pid && plan.polls {
            for child in children(who).filter(|child| !reaped[*child]) {
                run.wait(pid, pids[child], NOHANG, Ok((0, 0)));
            }
        }
        let mut left = children(who).filter(|child| !reaped[*child]);
        let ready: Vec<usize> = left.clone().filter(|child| ended[*child]).collect();
        let taken = if plan.by_pid {
            left.next().filter(|child| ended[*child])
        } else {
            ready.get(choose(ready.len().max(1))).copied()
        };
        let word = |index: usize| i32::from(plans[index].code) << 8;
        if let Some(child) = taken {
            reaped[child] = true;
            let named = if plan.by_pid { pids[child] } else { -1 };
            run.wait(pid, named, 0, Ok((pids[child], word(child))));
        } else if children(who).all(|child| reaped[child]) {
            ended[who] = true;
            run.end(pid, word(who));
        }
    }
    text(&run)
}

proptest! {
    #[test]
    fn scheduling_makes_no_difference(plans in plans(), one: u64, other: u64) {
        prop_assert_eq!(play(&plans, one), play(&plans, other));
    }
}
