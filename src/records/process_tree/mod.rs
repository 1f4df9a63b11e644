//! The processes and threads of a record, which every format's parser feeds:
//! who lives, who created whom, and the statuses that waits do not show.
//!
//! A record that does not hold what lies behind a wait's pointers has the
//! child's end itself. The two are joined here: by the pid that the wait
//! returned, which is one of the caller's namespace. A wait comes behind the
//! end of its child, in whichever order the record has them.

mod births;
mod ends;
mod late;
mod waits;

use std::collections::VecDeque;
use std::sync::Arc;

use late::LateWaits;
use rustc_hash::FxHashMap;

use super::gaps::{Coverage, Record};
use crate::event::{Event, EventKind, How, Image, Moment, Named, SigchldAction};
use crate::kernel::{Signal, System, Tgid, Tid, WaitStatus};

/// A task as a record names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TaskId {
    /// The thread.
    pub(super) tid: i32,
    /// Its process.
    pub(super) tgid: i32,
}

impl TaskId {
    /// A process's first thread.
    pub(super) fn leader(tgid: i32) -> TaskId {
        TaskId { tid: tgid, tgid }
    }
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

/// What is known of how a process reaps its children.
#[derive(Clone, Copy, Debug, Default)]
struct ReapHabits {
    /// It reaped a child that had been dead before: the kernel keeps its
    /// zombies for it.
    reaps: bool,
    /// One of its waits may have reaped a child, and does not show which.
    vague: bool,
}

#[derive(Debug, Default)]
struct Process {
    parent: Option<i32>,
    inner: Option<Inner>,
    habits: ReapHabits,
    /// Those that live, the leader aside.
    threads: Vec<i32>,
    leader_ended: bool,
    /// The number that its record has for its first thread, if not its own.
    leader: Option<i32>,
    stopped: Option<Signal>,
    /// A wait returned it, which did not show that it had ended.
    is_returned: bool,
    /// Its children are in another pid namespace than it is.
    unshared: bool,
    /// It is in another pid namespace than the tracer.
    is_inside: bool,
}

/// A process that has ended.
#[derive(Clone, Copy, Debug)]
struct Dead {
    status: WaitStatus,
    habits: ReapHabits,
    inner: Option<Inner>,
    /// When the record says that it ended.
    at: Moment,
    is_reaped: bool,
    /// Which of the dead it is, counted.
    number: u64,
}

/// How a task was created.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewTask {
    pub(super) how: How,
    pub(super) exit_signal: Option<Signal>,
    /// Its parent, where that is not its creator.
    pub(super) parent: Option<i32>,
    pub(super) inner: Option<Inner>,
    /// It begins a pid namespace.
    pub(super) in_new_namespace: bool,
}

impl NewTask {
    /// By a call that nothing more is known of.
    pub(super) fn fork() -> NewTask {
        NewTask {
            how: How::Fork,
            exit_signal: Some(Signal::CHLD),
            parent: None,
            inner: None,
            in_new_namespace: false,
        }
    }
}

/// State kept between the lines of a record.
#[derive(Debug, Default)]
pub(super) struct ProcessTree {
    system: System,
    tasks: FxHashMap<i32, Task>,
    processes: FxHashMap<i32, Process>,
    /// The dead, with their statuses, until so many others are dead.
    dead: FxHashMap<i32, Dead>,
    order: VecDeque<(i32, u64)>,
    deaths: u64,
    /// Who has a pid in another namespace.
    inner: FxHashMap<Inner, i32>,
    late: LateWaits,
    pub(super) coverage: Coverage,
    pub(super) at: Moment,
    seq: u64,
    events: Vec<Event>,
}

impl ProcessTree {
    pub(super) fn new(system: System, coverage: Coverage) -> ProcessTree {
        ProcessTree {
            system,
            coverage,
            ..ProcessTree::default()
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

    /// The process of a thread that lives.
    pub(super) fn process_of(&self, tid: i32) -> Option<i32> {
        Some(self.tasks.get(&tid)?.tgid)
    }

    /// The one that lives, if it is the only one.
    pub(super) fn only_task(&self) -> Option<i32> {
        let mut alive = self.tasks.keys();
        alive.next().copied().filter(|_| alive.next().is_none())
    }

    /// All threads that live.
    pub(super) fn living(&self) -> Vec<i32> {
        let mut living: Vec<i32> = self.tasks.keys().copied().collect();
        living.sort_unstable();
        living
    }

    /// The parent of a thread's process.
    pub(super) fn parent_of(&self, tid: i32) -> Option<i32> {
        self.processes.get(&self.process_of(tid)?)?.parent
    }

    /// The children of a thread's process that live.
    pub(super) fn children_of(&self, tid: i32) -> Vec<i32> {
        let Some(tgid) = self.process_of(tid) else {
            return Vec::new();
        };
        let children = self.processes.iter();
        let children = children.filter(|(_, process)| process.parent == Some(tgid));
        let mut children: Vec<i32> = children.map(|(child, _)| *child).collect();
        children.sort_unstable();
        children
    }

    /// Whether a process is known to have ended.
    pub(super) fn has_ended(&self, tgid: i32) -> bool {
        self.dead.contains_key(&tgid)
    }

    /// Whether a process lives that this task may wait for.
    pub(super) fn may_await(&self, tid: i32, named: Named) -> bool {
        if let Some(pid) = named.process() {
            return self.tasks.contains_key(&pid.raw());
        }
        let tgid = self.process_of(tid);
        let mut processes = self.processes.values();
        tgid.is_some() && processes.any(|process| process.parent == tgid)
    }

    /// Whether no process was seen yet.
    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.dead.is_empty()
    }

    /// The number that a thread goes by, in a record with numbers of another
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

    /// Whether a process had ended after this moment, which comes late: it is
    /// of a life that is over.
    pub(super) fn is_over(&self, tgid: i32, at: Moment) -> bool {
        let dead = self.dead.get(&tgid);
        dead.is_some_and(|dead| at <= dead.at) && !self.processes.contains_key(&tgid)
    }

    /// Time goes on, never back.
    pub(super) fn now(&mut self, at: Moment) {
        self.at = self.at.max(at).min(Moment::LAST);
    }

    /// A child that is a zombie by the record so far is one in truth: the
    /// kernel does not reap its parent's children itself.
    pub(super) fn knows_zombies(&self, parent: i32) -> bool {
        if self.coverage.record == Record::Strace {
            return self.coverage.knows_zombies();
        }
        let living = self.processes.get(&parent).map(|process| process.habits);
        let habits = living.or_else(|| self.dead.get(&parent).map(|dead| dead.habits));
        habits.is_some_and(|habits| habits.reaps && !habits.vague)
    }

    /// The record is over.
    pub(super) fn end(&mut self) {
        self.give_up_all();
    }

    /// The thread that called goes on as the leader, and the others are gone.
    pub(super) fn execute(&mut self, tid: i32, image: Arc<Image>, former: Option<Tid>) {
        self.coverage.execs = true;
        let threads = self.process_mut(tid).map(|process| {
            process.leader_ended = false;
            std::mem::take(&mut process.threads)
        });
        for thread in threads.unwrap_or_default() {
            if thread != tid {
                self.tasks.remove(&thread);
            }
        }
        self.push(tid, EventKind::Executed { image, former });
    }

    /// A thread calls exec, and gets the leader's number before it succeeds.
    /// `false` if it is not known.
    pub(super) fn supersede(&mut self, leader: i32, former: i32) -> bool {
        if self.tasks.remove(&former).is_none() {
            return false;
        }
        self.tasks.insert(leader, Task { tgid: leader });
        let process = self.processes.entry(leader).or_default();
        process.threads.retain(|thread| *thread != former);
        process.leader_ended = false;
        true
    }

    /// What happens at SIGCHLD; `None` if that is not known.
    pub(super) fn set_action(&mut self, tid: i32, action: Option<SigchldAction>) {
        self.coverage.sigactions = true;
        match action {
            Some(action) => self.push(tid, EventKind::SigchldSet(action)),
            None => self.coverage.unknown_actions = true,
        }
        if let Some(process) = self.process_mut(tid) {
            process.habits.reaps = action.is_some_and(|action| !action.reaps_for_us());
        }
    }

    /// The process is stopped.
    pub(super) fn stop(&mut self, tid: i32, signal: Signal) {
        if let Some(process) = self.process_mut(tid) {
            process.stopped = Some(signal);
            self.push(tid, EventKind::GroupStopped { signal });
        }
    }

    /// It goes on.
    pub(super) fn go_on(&mut self, tid: i32) {
        let stopped = self.process_mut(tid).and_then(|it| it.stopped.take());
        if stopped.is_some() {
            self.push(tid, EventKind::Resumed);
        }
    }

    fn process_mut(&mut self, tid: i32) -> Option<&mut Process> {
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
