//! The ledger on made-up events.

use std::sync::Arc;

use super::Ledger;
use crate::event::{Created, Event, EventKind, Found, How, Image, Kin, Moment};
use crate::kernel::{Signal, Tgid, Tid, WaitStatus};

/// A ledger, and the number of the event that it took last.
#[derive(Default)]
struct Trace {
    ledger: Ledger,
    seq: u64,
}

impl Trace {
    fn event(&mut self, pid: i32, kind: EventKind) {
        self.seq += 1;
        let event = Event {
            seq: self.seq,
            at: Moment(self.seq * 1_000_000),
            tid: Tid::new(pid),
            tgid: Tgid::new(pid),
            kind,
        };
        self.ledger.apply(&event);
    }

    fn find(&mut self, pid: i32, parent: Option<i32>) {
        let found = Found {
            parent: parent.map(Tgid::new),
            image: None,
            ns: None,
            comm: None,
            sigchld: None,
        };
        self.event(pid, EventKind::Found(found));
    }

    fn fork(&mut self, parent: i32, child: i32) {
        let created = Created {
            child: Tid::new(child),
            how: How::Fork,
            parent: None,
            ns: None,
            exit_signal: Some(Signal::CHLD),
            stack: None,
        };
        self.event(parent, EventKind::Created(created));
    }

    fn end(&mut self, pid: i32) {
        let status = WaitStatus::from_raw(0);
        self.event(pid, EventKind::Ended { status });
    }

    fn parent(&self, child: i32) -> Option<i32> {
        let child = self.ledger.process(Tgid::new(child))?;
        child.parent_pid().map(Tgid::raw)
    }

    fn zombies(&self, parent: i32) -> usize {
        self.ledger.unreaped(Tgid::new(parent)).count()
    }
}

#[test]
fn a_process_with_the_pid_of_a_dead_parent_inherits_no_child() {
    let mut trace = Trace::default();
    trace.find(1, None);
    trace.fork(1, 10);
    trace.fork(10, 20);
    trace.end(10);
    assert_eq!(
        trace.parent(20),
        None,
        "nothing says which process adopted it"
    );
    trace.fork(1, 10);
    trace.end(20);
    assert_eq!(trace.zombies(10), 0, "a stranger's child");
}

#[test]
fn an_orphan_belongs_to_the_process_that_adopts_it() {
    let mut trace = Trace::default();
    trace.find(1, None);
    trace.fork(1, 10);
    trace.fork(10, 20);
    trace.end(20);
    trace.end(10);
    let orphans: Vec<i32> = trace
        .ledger
        .orphaned()
        .iter()
        .map(|tgid| tgid.raw())
        .collect();
    assert_eq!(orphans, [20]);
    let adopted = EventKind::Adopted {
        child: Tgid::new(20),
        from: Tgid::new(10),
        comm: Image::default().comm,
    };
    trace.event(1, adopted);
    assert_eq!(trace.parent(20), Some(1));
    // The child that it forked, and the one that it adopted.
    assert_eq!(trace.zombies(1), 2);
}

#[test]
fn a_parent_that_is_attached_to_after_its_child_has_it() {
    let mut trace = Trace::default();
    trace.event(20, EventKind::Attached { threads: 1 });
    trace.find(20, Some(10));
    trace.event(10, EventKind::Attached { threads: 1 });
    trace.find(10, Some(1));
    trace.end(20);
    assert_eq!(trace.zombies(10), 1);
}

#[test]
fn a_child_from_before_the_attach_has_no_time_of_birth_or_death() {
    let mut trace = Trace::default();
    trace.event(10, EventKind::Attached { threads: 1 });
    trace.find(10, Some(1));
    let kin = Kin {
        child: Tgid::new(20),
        image: Arc::default(),
        zombie: Some(WaitStatus::from_raw(0x300)),
        is_adopted: false,
        ns: None,
    };
    trace.event(10, EventKind::Kin(kin));
    let child = trace.ledger.process(Tgid::new(20)).unwrap();
    assert!(child.born.is_before_attach && child.ended.unwrap().when.is_before_attach);
    assert_eq!(trace.zombies(10), 1);
}

#[test]
fn a_process_that_is_killed_while_it_is_stopped_was_stopped_to_its_end() {
    let mut trace = Trace::default();
    trace.find(1, None);
    trace.fork(1, 10);
    trace.fork(10, 20);
    trace.event(
        10,
        EventKind::GroupStopped {
            signal: Signal::STOP,
        },
    );
    trace.end(20);
    let end = trace.ledger.process(Tgid::new(20)).unwrap().ended.unwrap();
    trace.event(1, EventKind::Quiet);
    trace.end(10);
    let parent = trace.ledger.process(Tgid::new(10)).unwrap();
    let died = parent.ended.unwrap().when.at;
    let later = died.after(1_000_000_000);
    assert_eq!(
        parent.busy_between(&end, later).stopped,
        died.since(end.when.at)
    );
}
