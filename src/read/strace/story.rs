//! From what strace tells of each task to events: who a task is, who created
//! it, and calls that two lines tell of.

use std::collections::HashMap;
use std::sync::Arc;

use memchr::memmem;

use super::clock::Clock;
use super::kind::{Kind, exit_signal, name, resumed_kind};
use super::prefix::Prefixed;
use super::words::{siginfo, signal};
use crate::event::{Comm, Created, Event, EventKind, Found, How, Image, Moment, Named, WaitExit};
use crate::kernel::{Signal, Tgid, Tid, WaitStatus};
use crate::read::gaps::Seen;
use crate::read::text::{after, number};

/// How many lines are kept of tasks whose creator is not known yet.
const MOST_HELD: usize = 10_000;

/// A call whose end is on a later line.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) kind: Kind,
    pub(super) args: Vec<u8>,
    pub(super) entered: Moment,
    /// The thread that called exec, where that is not the leader.
    pub(super) former: Option<i32>,
    /// The child of it that was told before it ended.
    pub(super) told: Option<i32>,
}

/// A task that lives.
#[derive(Debug)]
pub(super) struct Task {
    tgid: i32,
    pub(super) pending: Option<Pending>,
    /// What the wait that it is in gives, where that is known beforehand.
    pub(super) wait: Option<WaitExit>,
    is_stopped: bool,
    /// Whether its last wait was interrupted.
    pub(super) interrupted: Interrupted,
}

/// Whether a task's last wait was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupted {
    /// It was not, or what became of it is known.
    No,
    /// By a signal that is not told yet.
    Unknown,
    /// By this one, whose handler may run.
    By(Signal),
}

/// A line of a task whose creator is not known yet.
#[derive(Debug)]
struct Held {
    at: Moment,
    rest: Vec<u8>,
}

/// All that was told so far.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) tasks: HashMap<i32, Task>,
    /// The parents of processes, for `CLONE_PARENT`.
    parents: HashMap<i32, i32>,
    /// Tasks that are amid a call that creates one.
    pub(super) creating: Vec<i32>,
    held: HashMap<i32, Vec<Held>>,
    held_lines: usize,
    /// Whose lines without a pid are, while there is more than one task.
    pub(super) first: Option<i32>,
    /// The task that was created last.
    pub(super) newest: Option<i32>,
    /// Each task has a file of its own.
    pub(super) is_split: bool,
    pub(super) clock: Clock,
    pub(super) at: Moment,
    seq: u64,
    pub(super) seen: Seen,
    events: Vec<Event>,
}

impl Story {
    /// A story of files of a task each, of which the first is known.
    pub(super) fn split(first: i32) -> Story {
        Story {
            first: Some(first),
            is_split: true,
            ..Story::default()
        }
    }

    /// Take the events that the lines so far have made.
    pub(super) fn take(&mut self, events: &mut Vec<Event>) {
        events.append(&mut self.events);
    }

    /// Take a line in. `false` if it is none of strace's.
    pub(super) fn line(&mut self, line: Prefixed<'_>) -> bool {
        if let Some(time) = line.time {
            self.seen.times = true;
            self.at = self.clock.moment(time);
        }
        let comm = line.comm.map(Comm::new);
        let Some(first) = line.rest.first() else {
            return false;
        };
        let matters = match first {
            b'+' => line.rest.starts_with(b"+++ "),
            b'-' => line.rest.starts_with(b"--- "),
            b'<' => resumed_kind(line.rest).is_some(),
            b's' if line.rest.starts_with(b"strace: ") => return self.message(line.rest),
            b'w' | b'c' | b'f' | b'v' | b'e' | b'r' | b's' | b'p' | b'k' | b't' => name(line.rest)
                .and_then(Kind::of)
                .is_some_and(|kind| kind.is_about_us(line.rest)),
            _ => false,
        };
        if !matters {
            // A child in vfork may do nothing that matters for long.
            if let Some(tid) = line.tid.filter(|_| !self.creating.is_empty())
                && !self.tasks.contains_key(&tid)
            {
                self.meet(tid, comm, line.rest);
            }
            if !self.seen.everything()
                && let Some(name) = name(line.rest)
            {
                self.seen.note_other(name);
            }
            let names_task = line.tid.is_some() && !self.is_split;
            // `-k` shows who called, a frame a line.
            let is_strace_s = name(line.rest).is_some() || line.rest.starts_with(b" > ");
            return names_task || line.time.is_some() || is_strace_s;
        }
        let tid = line.tid.or_else(|| self.whose()).unwrap_or(0);
        if !self.tasks.contains_key(&tid) && !self.meet(tid, comm, line.rest) {
            return true;
        }
        self.tell(tid, line.rest);
        true
    }

    /// The task of a line that names none: strace leaves its pid out while
    /// there is just one.
    fn whose(&self) -> Option<i32> {
        let mut alive = self.tasks.keys();
        match (alive.next(), alive.next()) {
            (Some(only), None) => Some(*only),
            _ => self.first,
        }
    }

    /// The record is over: lines that are still held are told.
    pub(super) fn end(&mut self) {
        let mut held: Vec<i32> = self.held.keys().copied().collect();
        held.sort_unstable();
        for tid in held {
            self.find(tid, None);
            self.release(tid);
        }
    }

    /// Whether somebody lives for whom this task may wait.
    pub(super) fn may_await(&self, tid: i32, named: Named) -> bool {
        if let Some(pid) = named.process() {
            return self.tasks.contains_key(&pid.raw());
        }
        let tgid = self.tasks.get(&tid).map(|task| task.tgid);
        self.parents.values().any(|parent| Some(*parent) == tgid)
    }

    // Messages.

    /// `strace: Process 12 attached with 3 threads`
    fn message(&mut self, text: &[u8]) -> bool {
        let Some((tid, rest)) = after(text, "Process ").and_then(number) else {
            return true;
        };
        let Ok(tid) = i32::try_from(tid) else {
            return true;
        };
        if rest.starts_with(b" detached") && self.tasks.contains_key(&tid) {
            self.push(tid, EventKind::Detached);
            self.tasks.remove(&tid);
        }
        // A new child is told of too; its lines say whose it is.
        let is_target = self.tasks.is_empty() && self.creating.is_empty();
        if rest.starts_with(b" attached") && is_target {
            self.attach(tid);
        }
        true
    }

    fn attach(&mut self, tid: i32) {
        self.seen.attached = true;
        self.tasks.insert(tid, Task::new(tid));
        self.first = self.first.or(Some(tid));
        self.push(tid, EventKind::Attached { threads: 1 });
        self.push(tid, found(None));
    }

    // Tasks.

    /// A task's first line. `false` if the line is held until it is known
    /// whose child it is.
    fn meet(&mut self, tid: i32, comm: Option<Comm>, rest: &[u8]) -> bool {
        if self.tasks.is_empty() && self.seq == 0 {
            self.first = self.first.or(Some(tid));
            let launched = rest.starts_with(b"execve");
            if launched {
                self.find(tid, None);
            } else {
                self.attach(tid);
            }
            return true;
        }
        if self.held.contains_key(&tid) || self.creating.len() > 1 {
            self.hold(tid, rest);
            return self.tasks.contains_key(&tid);
        }
        if let Some(creator) = self.creating.first().copied() {
            self.create_early(creator, tid);
        } else {
            self.seen.strangers += 1;
            self.find(tid, comm);
        }
        true
    }

    fn hold(&mut self, tid: i32, rest: &[u8]) {
        self.held.entry(tid).or_default().push(Held {
            at: self.at,
            rest: rest.to_vec(),
        });
        self.held_lines += 1;
        if self.held_lines > MOST_HELD {
            self.seen.strangers += 1;
            self.end();
        }
    }

    /// Tell the lines that were held of a task.
    fn release(&mut self, tid: i32) {
        let now = self.at;
        let lines = self.held.remove(&tid).unwrap_or_default();
        self.held_lines = self.held_lines.saturating_sub(lines.len());
        for line in lines {
            self.at = line.at;
            if self.tasks.contains_key(&tid) {
                self.tell(tid, &line.rest);
            }
        }
        self.at = now;
    }

    fn find(&mut self, tid: i32, comm: Option<Comm>) {
        self.tasks.insert(tid, Task::new(tid));
        self.push(tid, found(comm));
    }

    /// A child shows itself before its creator's call has returned. Only one
    /// can be its creator.
    fn create_early(&mut self, creator: i32, child: i32) {
        let Some(task) = self.tasks.get_mut(&creator) else {
            return;
        };
        let Some(pending) = &mut task.pending else {
            return;
        };
        pending.told = Some(child);
        let (kind, args) = (pending.kind, pending.args.clone());
        self.creating.retain(|tid| *tid != creator);
        self.create(creator, child, kind, &args);
    }

    pub(super) fn create(&mut self, creator: i32, child: i32, kind: Kind, args: &[u8]) {
        let Some(task) = self.tasks.get(&creator) else {
            return;
        };
        let tgid = task.tgid;
        let has = |flag: &str| memmem::find(args, flag.as_bytes()).is_some();
        self.seen.namespaces |= has("CLONE_NEWPID");
        let exit_signal = exit_signal(kind, args);
        let is_thread = has("CLONE_THREAD");
        let how = match exit_signal {
            _ if is_thread => How::Thread,
            _ if kind == Kind::Vfork || has("CLONE_VFORK") => How::Vfork,
            Some(Signal::CHLD) => How::Fork,
            _ => How::Clone,
        };
        let grandparent = self.parents.get(&tgid).copied();
        let parent = grandparent.filter(|_| has("CLONE_PARENT|") && !is_thread);
        let mut new = Task::new(child);
        if is_thread {
            new.tgid = tgid;
        } else {
            self.parents.insert(child, parent.unwrap_or(tgid));
        }
        self.tasks.insert(child, new);
        self.newest = Some(child);
        let created = Created {
            child: Tid::new(child),
            how,
            parent: parent.map(Tgid::new),
            ns: None,
            exit_signal: exit_signal.filter(|_| !is_thread),
            stack: None,
        };
        self.push(creator, EventKind::Created(created));
        self.release(child);
    }

    pub(super) fn push(&mut self, tid: i32, kind: EventKind) {
        self.push_at(self.at, tid, kind);
    }

    pub(super) fn push_at(&mut self, at: Moment, tid: i32, kind: EventKind) {
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

    // Lines of a task.

    fn tell(&mut self, tid: i32, rest: &[u8]) {
        if let Some(text) = rest.strip_prefix(b"--- ") {
            self.signalled(tid, text);
        } else if let Some(text) = rest.strip_prefix(b"+++ ") {
            self.ended(tid, text);
        } else {
            self.go_on(tid);
            if let Some(text) = rest.strip_prefix(b"<... ") {
                self.resumed(tid, text);
            } else if let Some(kind) = name(rest).and_then(Kind::of) {
                self.called(tid, kind, rest);
            }
        }
    }

    /// A task that makes calls is stopped no more.
    fn go_on(&mut self, tid: i32) {
        if let Some(task) = self.tasks.get_mut(&tid)
            && std::mem::take(&mut task.is_stopped)
        {
            self.push(tid, EventKind::Resumed);
        }
    }

    /// `SIGCHLD {si_signo=…} ---`, `stopped by SIGSTOP ---`
    fn signalled(&mut self, tid: i32, text: &[u8]) {
        self.seen.signals = true;
        if let Some(name) = text.strip_prefix(b"stopped by ") {
            if let (Some(signal), Some(task)) = (signal(name), self.tasks.get_mut(&tid)) {
                task.is_stopped = true;
                self.push(tid, EventKind::GroupStopped { signal });
            }
            return;
        }
        let Some(signal) = signal(text) else {
            return;
        };
        if signal == Signal::CONT {
            self.go_on(tid);
        }
        if let Some(task) = self.tasks.get_mut(&tid)
            && task.interrupted == Interrupted::Unknown
        {
            task.interrupted = Interrupted::By(signal);
        }
        let info = memchr::memchr(b'{', text).and_then(|at| siginfo(text.get(at..)?));
        let kind = EventKind::Signalled {
            signal,
            info,
            sender: None,
        };
        self.push(tid, kind);
    }

    /// `exited with 42 +++`, `killed by SIGABRT (core dumped) +++`,
    /// `superseded by execve in pid 12 +++`
    fn ended(&mut self, tid: i32, text: &[u8]) {
        if let Some(by) = text.strip_prefix(b"superseded by execve in pid ") {
            let former = number(by).and_then(|(by, _)| i32::try_from(by).ok());
            if let Some(former) = former {
                self.superseded(tid, former);
            }
            return;
        }
        let word = if let Some(code) = text.strip_prefix(b"exited with ") {
            number(code).and_then(|(code, _)| Some((i32::try_from(code).ok()? & 0xff) << 8))
        } else {
            let name = text.strip_prefix(b"killed by ");
            let core = if after(text, "core dumped").is_some() {
                0x80
            } else {
                0
            };
            name.and_then(|name| Some(signal(name)?.raw() & 0x7f | core))
        };
        let Some(word) = word else {
            return;
        };
        self.seen.ends = true;
        let status = WaitStatus::from_raw(word);
        self.push(tid, EventKind::Ended { status });
        self.forget(tid);
        self.creating.retain(|creator| *creator != tid);
    }

    /// A task has ended, and its pid may be another's.
    pub(super) fn forget(&mut self, tid: i32) {
        self.tasks.remove(&tid);
        self.parents.remove(&tid);
    }

    /// The leader is gone; the thread that called exec goes on in its place.
    fn superseded(&mut self, leader: i32, former: i32) {
        let Some(mut thread) = self.tasks.remove(&former) else {
            return;
        };
        if let Some(pending) = &mut thread.pending {
            pending.former = Some(former);
        }
        thread.tgid = leader;
        self.tasks.insert(leader, thread);
    }
}

impl Task {
    fn new(tgid: i32) -> Task {
        Task {
            tgid,
            pending: None,
            wait: None,
            is_stopped: false,
            interrupted: Interrupted::No,
        }
    }
}

fn found(comm: Option<Comm>) -> EventKind {
    let image = comm.map(|comm| {
        Arc::new(Image {
            comm,
            ..Image::default()
        })
    });
    EventKind::Found(Found {
        parent: None,
        image,
        ns: None,
        comm: None,
        sigchld: None,
    })
}
