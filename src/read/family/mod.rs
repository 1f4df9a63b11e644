//! From what another tracer tells of each task to events: who lives and whose
//! child it is, and the statuses that its waits do not tell.
//!
//! A record that does not hold what lies behind a wait's pointers has the
//! child's end itself. The two are joined here: by the pid that the wait
//! returned, which is one of the caller's namespace. A wait is told behind the
//! end of its child, in whichever order the record has them.

mod late;
mod waits;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use late::LateWaits;
use waits::Child;

use super::gaps::Seen;
use crate::event::{Created, Event, EventKind, Found, How, Image, Moment, NsPids, SigchldAction};
use crate::kernel::{NsPid, Signal, System, Tgid, Tid, WaitStatus};

/// How many of the dead are remembered.
const MOST_DEAD: usize = 1 << 16;

/// A task as a record names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whose {
    /// The thread.
    pub(super) tid: i32,
    /// Its process.
    pub(super) tgid: i32,
}

/// A pid namespace that is not the tracer's, and a pid in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Inner {
    pub(super) namespace: u64,
    pub(super) pid: i32,
}

/// A thread that lives.
#[derive(Debug)]
struct Task {
    tgid: i32,
}

/// What is known of a process's ways with its children.
#[derive(Clone, Copy, Debug, Default)]
struct Ways {
    /// It reaped a child that had been dead before: the kernel keeps its
    /// children for it.
    reaps: bool,
    /// A wait of its may have reaped a child, and does not tell which.
    vague: bool,
}

#[derive(Debug, Default)]
struct Process {
    inner: Option<Inner>,
    ways: Ways,
    /// Those that live, the leader aside.
    threads: Vec<i32>,
    leader_ended: bool,
    /// The number that its record has for its first thread, if not its own.
    leader: Option<i32>,
    stopped: Option<Signal>,
}

/// A process that has ended.
#[derive(Clone, Copy, Debug)]
struct Dead {
    status: WaitStatus,
    ways: Ways,
    inner: Option<Inner>,
    /// When the record says that it ended.
    at: Moment,
    is_reaped: bool,
    /// Which of the dead it is, counted.
    number: u64,
}

/// All that was told so far.
#[derive(Debug, Default)]
pub(super) struct Family {
    system: System,
    tasks: HashMap<i32, Task>,
    processes: HashMap<i32, Process>,
    /// The dead, with their statuses, until so many others are dead.
    dead: HashMap<i32, Dead>,
    order: VecDeque<(i32, u64)>,
    deaths: u64,
    /// Who has a pid in another namespace.
    inner: HashMap<Inner, i32>,
    late: LateWaits,
    pub(super) seen: Seen,
    pub(super) at: Moment,
    seq: u64,
    events: Vec<Event>,
}

impl Family {
    pub(super) fn new(system: System, seen: Seen) -> Family {
        Family {
            system,
            seen,
            ..Family::default()
        }
    }

    /// Take the events that were made so far.
    pub(super) fn take(&mut self, events: &mut Vec<Event>) {
        events.append(&mut self.events);
    }

    /// Whether there are events to take.
    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Whether a thread is known and lives.
    pub(super) fn knows(&self, tid: i32) -> bool {
        self.tasks.contains_key(&tid)
    }

    /// Whether a process is known and lives.
    pub(super) fn knows_process(&self, tgid: i32) -> bool {
        self.processes.contains_key(&tgid)
    }

    /// Whether nobody was told of yet.
    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.dead.is_empty()
    }

    /// The number that a thread goes by whose record has numbers of another
    /// kind for threads: the one that is seen first leads the process.
    pub(super) fn leads(&mut self, tgid: i32, tid: i32) -> i32 {
        let Some(process) = self.processes.get_mut(&tgid) else {
            return tid;
        };
        if *process.leader.get_or_insert(tid) == tid {
            tgid
        } else {
            tid
        }
    }

    /// Whether a process had ended after this moment, which is told late: it is
    /// of a life that is over.
    pub(super) fn is_over(&self, tgid: i32, at: Moment) -> bool {
        let dead = self.dead.get(&tgid);
        dead.is_some_and(|dead| at <= dead.at) && !self.processes.contains_key(&tgid)
    }

    /// Time goes on, never back.
    pub(super) fn now(&mut self, at: Moment) {
        self.at = self.at.max(at).min(Moment::LAST);
    }

    /// A child that is a zombie by the record so far is one in truth: its
    /// parent is no one whose children the kernel reaps itself.
    pub(super) fn keeps_children(&self, parent: i32) -> bool {
        let living = self.processes.get(&parent).map(|process| process.ways);
        let ways = living.or_else(|| self.dead.get(&parent).map(|dead| dead.ways));
        ways.is_some_and(|ways| ways.reaps && !ways.vague)
    }

    /// The record is over.
    pub(super) fn end(&mut self) {
        self.give_up_all();
    }

    // Births.

    /// A task of which no birth was told.
    pub(super) fn find(
        &mut self,
        whose: Whose,
        parent: Option<i32>,
        inner: Option<Inner>,
        image: Option<Image>,
    ) {
        let Whose { tid, tgid } = whose;
        if !self.processes.contains_key(&tgid) {
            self.enter(tgid, tgid, inner);
            let found = Found {
                parent: parent.map(Tgid::new),
                image: image.map(Arc::new),
                ns: inner.map(|inner| Arc::new(pids(tgid, inner))),
                comm: None,
                sigchld: None,
            };
            self.push(tgid, EventKind::Found(found));
        }
        if tid != tgid && !self.tasks.contains_key(&tid) {
            self.thread(tgid, tid);
        }
    }

    /// A thread of a process.
    fn thread(&mut self, creator: i32, tid: i32) {
        let Some(tgid) = self.tasks.get(&creator).map(|task| task.tgid) else {
            return;
        };
        self.enter(tid, tgid, None);
        self.push(creator, created(tid, How::Thread, None, None));
    }

    /// A task that another created.
    pub(super) fn create(
        &mut self,
        creator: i32,
        child: Whose,
        how: How,
        parent: Option<i32>,
        inner: Option<Inner>,
    ) {
        self.seen.forks = true;
        if self.tasks.contains_key(&child.tid) {
            // Its own word came first.
            return;
        }
        if child.tid != child.tgid {
            self.thread(creator, child.tid);
            return;
        }
        self.enter(child.tid, child.tgid, inner);
        let ns = inner.map(|inner| Arc::new(pids(child.tgid, inner)));
        self.push(creator, created(child.tid, how, parent, ns));
    }

    fn enter(&mut self, tid: i32, tgid: i32, inner: Option<Inner>) {
        self.dead.remove(&tgid);
        let task = Task { tgid };
        self.tasks.insert(tid, task);
        let process = self.processes.entry(tgid).or_default();
        if tid != tgid {
            process.threads.push(tid);
        }
        if let Some(inner) = inner {
            process.inner = Some(inner);
            self.inner.insert(inner, tgid);
        }
    }

    // Deeds.

    pub(super) fn execute(&mut self, tid: i32, image: Image) {
        self.seen.execs = true;
        // The other threads are gone, and who called goes on as the leader.
        let threads = self.process_of(tid).map(|process| {
            process.leader_ended = false;
            std::mem::take(&mut process.threads)
        });
        for thread in threads.unwrap_or_default() {
            if thread != tid {
                self.tasks.remove(&thread);
            }
        }
        let kind = EventKind::Executed {
            image: Arc::new(image),
            former: None,
        };
        self.push(tid, kind);
    }

    pub(super) fn signal(&mut self, tid: i32, kind: EventKind) {
        self.seen.signals = true;
        self.push(tid, kind);
    }

    /// What happens at SIGCHLD; `None` if that is not told.
    pub(super) fn set_action(&mut self, tid: i32, action: Option<SigchldAction>) {
        self.seen.sigactions = true;
        match action {
            Some(action) => self.push(tid, EventKind::SigchldSet(action)),
            None => self.seen.untold_actions = true,
        }
        if let Some(process) = self.process_of(tid) {
            process.ways.reaps = action.is_some_and(|action| !action.reaps_for_us());
        }
    }

    /// The process is stopped.
    pub(super) fn stop(&mut self, tid: i32, signal: Signal) {
        if let Some(process) = self.process_of(tid) {
            process.stopped = Some(signal);
            self.push(tid, EventKind::GroupStopped { signal });
        }
    }

    /// It goes on.
    pub(super) fn go_on(&mut self, tid: i32) {
        let stopped = self.process_of(tid).and_then(|it| it.stopped.take());
        if stopped.is_some() {
            self.push(tid, EventKind::Resumed);
        }
    }

    // Ends.

    /// A thread has ended; with the last one the process, as this one did.
    /// A leader's end is told as its process's.
    pub(super) fn ended(&mut self, tid: i32, at: Moment, status: WaitStatus, is_last: bool) {
        self.seen.ends = true;
        self.give_up_waits_of(tid);
        let Some(tgid) = self.tasks.get(&tid).map(|task| task.tgid) else {
            return;
        };
        let Some(process) = self.processes.get_mut(&tgid) else {
            return;
        };
        process.threads.retain(|thread| *thread != tid);
        process.leader_ended |= tid == tgid;
        let is_over = is_last || (process.leader_ended && process.threads.is_empty());
        if tid != tgid {
            self.push(tid, EventKind::Ended { status });
            self.tasks.remove(&tid);
        }
        if is_over {
            self.over(tgid, at, status);
        }
    }

    fn over(&mut self, tgid: i32, at: Moment, status: WaitStatus) {
        let process = self.processes.remove(&tgid).unwrap_or_default();
        for tid in process.threads {
            self.push(tid, EventKind::Ended { status });
            self.tasks.remove(&tid);
        }
        self.push(tgid, EventKind::Ended { status });
        self.tasks.remove(&tgid);
        self.deaths += 1;
        let dead = Dead {
            status,
            ways: process.ways,
            inner: process.inner,
            at,
            is_reaped: false,
            number: self.deaths,
        };
        self.dead.insert(tgid, dead);
        self.order.push_back((tgid, self.deaths));
        if self.order.len() > MOST_DEAD {
            self.forget();
        }
        self.settle_waits_for(Child::Here(tgid));
        if let Some(inner) = process.inner {
            self.settle_waits_for(Child::There(inner));
        }
    }

    /// The one that has been dead for longest is forgotten.
    fn forget(&mut self) {
        let Some((tgid, number)) = self.order.pop_front() else {
            return;
        };
        if self
            .dead
            .get(&tgid)
            .is_none_or(|dead| dead.number != number)
        {
            // Another lived under its pid.
            return;
        }
        let inner = self.dead.remove(&tgid).and_then(|dead| dead.inner);
        if let Some(inner) = inner.filter(|inner| self.inner.get(inner) == Some(&tgid)) {
            self.inner.remove(&inner);
        }
    }

    fn process_of(&mut self, tid: i32) -> Option<&mut Process> {
        let tgid = self.tasks.get(&tid)?.tgid;
        self.processes.get_mut(&tgid)
    }

    pub(super) fn push(&mut self, tid: i32, kind: EventKind) {
        self.push_at(self.at, tid, kind);
    }

    fn push_at(&mut self, at: Moment, tid: i32, kind: EventKind) {
        let tgid = self.tasks.get(&tid).map_or(tid, |task| task.tgid);
        self.seq += 1;
        self.events.push(Event {
            seq: self.seq,
            at,
            tid: Tid::new(tid),
            tgid: Tgid::new(tgid),
            kind,
        });
    }
}

fn created(child: i32, how: How, parent: Option<i32>, ns: Option<Arc<NsPids>>) -> EventKind {
    EventKind::Created(Created {
        child: Tid::new(child),
        how,
        parent: parent.map(Tgid::new),
        ns,
        exit_signal: (how != How::Thread).then_some(Signal::CHLD),
        stack: None,
    })
}

fn pids(tgid: i32, inner: Inner) -> NsPids {
    NsPids {
        inode: inner.namespace,
        chain: vec![NsPid::new(tgid), NsPid::new(inner.pid)],
    }
}
