//! The ledger on made-up events.

mod adoption;
mod blocked;
mod execs;
mod identity;
mod reaps;

use std::sync::Arc;

use super::{Ledger, Process, ReapKind};
use crate::event::script::{Script, exited};
use crate::event::{EventKind, UntracedChild};
use crate::kernel::{Errno, NsPid, Tgid, Tid, WaitStatus};

/// A parent, another thread of it, and its children.
const P: i32 = 10;
const T: (i32, i32) = (11, P);
const X: i32 = 20;
const Y: i32 = 21;
const Z: i32 = 22;

/// The ledger after these events.
fn ledger(script: &Script) -> Ledger {
    let mut ledger = Ledger::new();
    for event in &script.events {
        ledger.apply(event);
    }
    ledger
}

fn process(ledger: &Ledger, pid: i32) -> &Process {
    ledger.process(Tgid::new(pid)).unwrap()
}

fn parent(ledger: &Ledger, child: i32) -> Option<i32> {
    let child = ledger.process(Tgid::new(child))?;
    child.parent_pid().map(Tgid::raw)
}

fn zombies(ledger: &Ledger, parent: i32) -> usize {
    ledger.unreaped(Tgid::new(parent)).count()
}

/// A parent with a child that is dead.
fn dead_child() -> Script {
    let mut script = Script::launched(P);
    script.fork(P, X).end(X, exited(3));
    script
}

/// An attached process with a child that is not traced; its status, if it is a
/// zombie.
fn untraced_child(zombie: Option<i32>) -> Script {
    let mut script = Script::default();
    script.event(P, EventKind::Attached { threads: 1 });
    script.found(P, Some(1));
    let child = UntracedChild {
        child: Tgid::new(X),
        image: Arc::default(),
        zombie: zombie.map(WaitStatus::from_raw),
        is_adopted: false,
        ns: None,
    };
    script.event(P, EventKind::UntracedChild(child));
    script
}
