//! The ledger on made-up events.

use std::sync::Arc;

use super::Ledger;
use crate::event::script::Script;
use crate::event::{EventKind, UntracedChild};
use crate::kernel::{Signal, Tgid, WaitStatus};

/// The ledger after these events.
fn ledger(script: &Script) -> Ledger {
    let mut ledger = Ledger::new();
    for event in &script.events {
        ledger.apply(event);
    }
    ledger
}

fn parent(ledger: &Ledger, child: i32) -> Option<i32> {
    let child = ledger.process(Tgid::new(child))?;
    child.parent_pid().map(Tgid::raw)
}

fn zombies(ledger: &Ledger, parent: i32) -> usize {
    ledger.unreaped(Tgid::new(parent)).count()
}

#[test]
fn a_process_with_the_pid_of_a_dead_parent_inherits_no_child() {
    let mut script = Script::launched(1);
    script.fork(1, 10).fork(10, 20).end(10, 0);
    let orphaned = parent(&ledger(&script), 20);
    assert_eq!(orphaned, None, "nothing says which process adopted it");
    script.fork(1, 10).end(20, 0);
    assert_eq!(zombies(&ledger(&script), 10), 0, "a stranger's child");
}

#[test]
fn an_orphan_belongs_to_the_process_that_adopts_it() {
    let mut script = Script::launched(1);
    script.fork(1, 10).fork(10, 20).end(20, 0).end(10, 0);
    let orphaned = ledger(&script).orphaned().to_vec();
    assert_eq!(orphaned, [Tgid::new(20)]);
    let ledger = ledger(script.adopt(1, 20, 10));
    assert_eq!(parent(&ledger, 20), Some(1));
    // The child that it forked, and the one that it adopted.
    assert_eq!(zombies(&ledger, 1), 2);
}

#[test]
fn a_parent_that_is_attached_to_after_its_child_has_it() {
    let mut script = Script::default();
    script.event(20, EventKind::Attached { threads: 1 });
    script.found(20, Some(10));
    script.event(10, EventKind::Attached { threads: 1 });
    script.found(10, Some(1)).end(20, 0);
    assert_eq!(zombies(&ledger(&script), 10), 1);
}

#[test]
fn a_child_from_before_the_attach_has_no_time_of_birth_or_death() {
    let mut script = Script::default();
    script.event(10, EventKind::Attached { threads: 1 });
    script.found(10, Some(1));
    let child = UntracedChild {
        child: Tgid::new(20),
        image: Arc::default(),
        zombie: Some(WaitStatus::from_raw(0x300)),
        is_adopted: false,
        ns: None,
    };
    let ledger = ledger(script.event(10, EventKind::UntracedChild(child)));
    let child = ledger.process(Tgid::new(20)).unwrap();
    assert!(child.born.is_before_attach && child.ended.unwrap().when.is_before_attach);
    assert_eq!(zombies(&ledger, 10), 1);
}

#[test]
fn a_process_that_is_killed_while_it_is_stopped_was_stopped_to_its_end() {
    let mut script = Script::launched(1);
    script.fork(1, 10).fork(10, 20);
    let signal = Signal::STOP;
    script.event(10, EventKind::GroupStopped { signal });
    script.after(10).end(20, 0).after(5).end(10, 9);
    let ledger = ledger(&script);
    let end = ledger.process(Tgid::new(20)).unwrap().ended.unwrap();
    let parent = ledger.process(Tgid::new(10)).unwrap();
    let later = ledger.now().after(1_000_000_000);
    assert_eq!(parent.busy_between(&end, later).stopped, 5_000_000);
}
