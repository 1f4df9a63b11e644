//! What keeps a blocked thread, in words: alike things together, and each holder once.

use std::fmt::Write;

use rustc_hash::FxHashSet;

use super::Tree;
use crate::event::How;
use crate::event::{
    BlockedTask, KernelObject, MutexHolder, OtherEnd, PipeSide, WaitsOn, escape_controls,
};
use crate::kernel::{Signal, Tgid};
use crate::output::span::Span;

/// How many of several holders are named.
const MOST_HOLDERS: usize = 2;
/// How many things that differ are named.
const MOST_THINGS: usize = 4;

/// Something that a thread waits for: `the pipe` `that 9633 sleep 60 holds`. Things with
/// the same words behind them are named together.
struct Thing {
    /// Its words if it is the only one of its kind, and those of several.
    one: String,
    many: Option<&'static str>,
    /// What is said of it, and of several.
    behind: String,
    behind_many: String,
}

impl Thing {
    /// One that is named by itself.
    fn single(words: String) -> Thing {
        Thing {
            one: words,
            many: None,
            behind: String::new(),
            behind_many: String::new(),
        }
    }

    /// Whether another is named together with it.
    fn is_like(&self, other: &Thing) -> bool {
        self.behind == other.behind && (!self.behind.is_empty() || self.one == other.one)
    }
}

/// Things with the same words behind them, and how many there are of each.
#[derive(Default)]
struct Group(Vec<(Thing, usize)>);

impl Group {
    fn count(&self) -> usize {
        self.0.iter().map(|(_, count)| count).sum()
    }

    fn add(&mut self, thing: Thing) {
        let same = self.0.iter_mut().find(|(known, _)| known.one == thing.one);
        match same {
            Some((known, count)) if known.many.is_some() => *count += 1,
            // The same file by two descriptors.
            Some(_) => {}
            None => self.0.push((thing, 1)),
        }
    }

    fn words(&self) -> String {
        let names = self.0.iter().map(|(thing, count)| match thing.many {
            Some(many) if *count > 1 => format!("{count} {many}"),
            _ => thing.one.clone(),
        });
        let names: Vec<String> = names.collect();
        let behind = self.0.first().map(|(thing, _)| match self.count() {
            1 => thing.behind.as_str(),
            _ => thing.behind_many.as_str(),
        });
        format!("{}{}", names.join(" and "), behind.unwrap_or_default())
    }
}

impl Tree<'_> {
    /// ` on the pipe that 9633 sleep 60 holds`; nothing if nothing is known.
    pub(super) fn keepers(&self, task: &BlockedTask) -> String {
        // Event loops have one to wake themselves.
        let is_eventfd = |on: &&WaitsOn| matches!(on, WaitsOn::Object { object, .. } if *object == KernelObject::Eventfd);
        let others = task.on.iter().any(|on| !is_eventfd(&on));
        let shown = task.on.iter().filter(|on| !(others && is_eventfd(on)));
        let mut groups: Vec<Group> = Vec::new();
        for on in shown {
            if matches!(on, WaitsOn::NoOtherThread) {
                return self.no_other_thread(task.tgid);
            }
            let thing = self.thing(task, on);
            let like = groups.iter_mut().find(|group| {
                let first = group.0.first();
                first.is_some_and(|(known, _)| known.is_like(&thing))
            });
            match like {
                Some(group) => group.add(thing),
                None => groups.push(Group(vec![(thing, 1)])),
            }
        }
        if groups.is_empty() {
            return String::new();
        }
        let mut parts: Vec<String> = groups.iter().take(MOST_THINGS).map(Group::words).collect();
        let rest = groups.iter().skip(MOST_THINGS).map(Group::count);
        let rest = rest.sum::<usize>() + task.more;
        if rest > 0 {
            parts.push(format!("{rest} more"));
        }
        format!(" on {}", parts.join(", and "))
    }

    /// Of a wait in the memory of a process that has one thread.
    fn no_other_thread(&self, tgid: Tgid) -> String {
        let mut text = ", and it has no other thread that could wake it".to_owned();
        let process = self.ledger.process(tgid);
        let copy = process.filter(|process| process.execs.is_empty());
        let is_fork =
            |process: &&crate::ledger::Process| matches!(process.creator, Some((_, How::Fork)));
        let creator = copy.filter(is_fork).and_then(|process| process.created_by);
        if let Some(creator) = creator.filter(|by| self.ledger.threads_of(by.tgid) > 1) {
            let name = self.name(creator.tgid, None);
            let _ = write!(
                text,
                ": perhaps a thread of {name} had it locked at the fork"
            );
        }
        text
    }

    fn thing(&self, task: &BlockedTask, on: &WaitsOn) -> Thing {
        Thing::single(match on {
            WaitsOn::Stream {
                is_pipe,
                others,
                complete,
                writes,
                ..
            } => {
                let (name, names) = if *is_pipe {
                    ("pipe", "pipes")
                } else {
                    ("socket", "sockets")
                };
                let end = OtherEnd {
                    writes: *writes,
                    others: others.clone(),
                    complete: *complete,
                };
                return self.stream(task.tgid, name, names, &end);
            }
            WaitsOn::Connection { local, peer, .. } => match peer {
                Some(peer) => format!("the connection to {peer}"),
                None => format!("the socket {local}"),
            },
            WaitsOn::Terminal { path, .. } => format!("the terminal {}", shown_path(path)),
            WaitsOn::File { path, fifo, fd } => match (fifo, fd) {
                (Some(end), None) => {
                    let other = if end.writes { "read" } else { "write" };
                    format!(
                        "the named pipe {}, until its other end is opened to {other}",
                        shown_path(path)
                    )
                }
                (Some(end), Some(_)) => {
                    return self.named_pipe(task.tgid, path, end);
                }
                (None, _) => shown_path(path),
            },
            WaitsOn::Backlog { path, holders, .. } => {
                let mut text = format!(
                    "the queue of the socket {}, which is full",
                    shown_path(path)
                );
                if let Some(holders) = self.holders(task.tgid, holders) {
                    let _ = write!(text, ": {holders} it and does not accept");
                }
                text
            }
            WaitsOn::Object { fd, object } => object_words(*fd, *object),
            WaitsOn::ProcessEnd { tgid } => format!("the end of {}", self.name(*tgid, None)),
            WaitsOn::Lock { path, holders } => self.lock(task.tgid, path, holders),
            WaitsOn::Mutex { holder, is_shared } => self.mutex(task.tgid, *holder, *is_shared),
            WaitsOn::NoOtherThread => String::new(),
            WaitsOn::ThreadEnd { tid } => format!("the end of thread {tid}"),
        })
    }

    fn lock(&self, waiter: Tgid, path: &[u8], sides: &[PipeSide]) -> String {
        let name = shown_path(path);
        let own = sides.iter().find(|side| side.tgid == waiter);
        match (self.holders(waiter, sides), own) {
            (Some(holders), _) => format!("the lock of {name} that {holders}"),
            (None, Some(own)) => {
                format!(
                    "the lock of {name} that it holds itself as descriptor {}",
                    own.fd
                )
            }
            (None, None) => format!("the lock of {name}"),
        }
    }

    fn mutex(&self, waiter: Tgid, holder: Option<MutexHolder>, is_shared: bool) -> String {
        match holder {
            Some(MutexHolder::Thread(tgid, tid)) if tgid == waiter => {
                format!("a mutex that thread {tid} holds")
            }
            Some(MutexHolder::Thread(tgid, tid)) if tid == tgid.leader() => {
                format!("a mutex that {} holds", self.name(tgid, None))
            }
            Some(MutexHolder::Thread(tgid, tid)) => {
                format!(
                    "a mutex that thread {tid} of {} holds",
                    self.name(tgid, None)
                )
            }
            Some(MutexHolder::Dead(tid)) => {
                format!("a mutex that thread {tid} holds, which is dead")
            }
            Some(MutexHolder::Ancestor(tgid, tid)) => {
                let parent = self.tasks.get(&waiter).and_then(|tasks| tasks.first());
                let is_parent = parent.is_some_and(|task| task.parent == tgid);
                let relation = if is_parent { "parent" } else { "ancestor" };
                let name = self.name(tgid, None);
                format!(
                    "a mutex that was locked by thread {tid} of its {relation} {name} when it was \
                     forked"
                )
            }
            None if is_shared => "a mutex that processes share".to_owned(),
            None => "a mutex".to_owned(),
        }
    }

    fn named_pipe(&self, waiter: Tgid, path: &[u8], end: &OtherEnd) -> Thing {
        let mut thing = self.stream(waiter, "pipe", "pipes", end);
        thing.one = format!("the named pipe {}", shown_path(path));
        thing.many = None;
        thing
    }

    /// A pipe or socket, and who has its other end.
    fn stream(
        &self,
        waiter: Tgid,
        name: &str,
        names: &'static str,
        OtherEnd {
            others, complete, ..
        }: &OtherEnd,
    ) -> Thing {
        if let Some(holders) = self.holders(waiter, others) {
            let dead = self.dead_between(waiter, others);
            let dead = dead.map_or_else(String::new, |dead| format!(" ({dead})"));
            let behind = format!(" that {holders}{dead}");
            return Thing {
                one: format!("the {name}"),
                many: Some(names),
                behind_many: behind.clone(),
                behind,
            };
        }
        // It is blocked, so something has the other end: none would end the wait at once.
        let (behind, behind_many) = match (others.is_empty(), complete) {
            (false, true) => (
                " whose other end it alone holds",
                " whose other ends it alone holds",
            ),
            (false, false) => (
                " whose other end it holds itself",
                " whose other ends it holds itself",
            ),
            (true, true) if name == "pipe" => (
                " whose other end no process was seen to hold (perhaps a socket has it in flight)",
                " whose other ends no process was seen to hold (perhaps a socket has them in flight)",
            ),
            (true, true) => (
                " whose other end no process was seen to hold (perhaps it is not accepted yet)",
                " whose other ends no process was seen to hold (perhaps they are not accepted yet)",
            ),
            (true, false) => ("", ""),
        };
        Thing {
            one: format!("a {name}"),
            many: Some(names),
            behind: behind.to_owned(),
            behind_many: behind_many.to_owned(),
        }
    }

    /// `9633 sleep 60 holds`, `9633 sleep 60 and 2 more hold`; `None` for nobody but the
    /// process itself.
    fn holders(&self, waiter: Tgid, sides: &[PipeSide]) -> Option<String> {
        let mut seen = FxHashSet::default();
        let others: Vec<&PipeSide> = sides
            .iter()
            .filter(|side| side.tgid != waiter && seen.insert(side.tgid))
            .collect();
        let named = others.iter().take(MOST_HOLDERS);
        let named: Vec<String> = named
            .map(|side| self.name(side.tgid, Some(side.comm)))
            .collect();
        let more = others.len() - named.len();
        Some(match (named.as_slice(), more) {
            ([], _) => return None,
            ([one], _) => format!("{one} holds"),
            ([first, ..], 1..) => format!("{first} and {} more hold", more + 1),
            (all, 0) => format!("{} hold", all.join(" and ")),
        })
    }

    /// The dead child of the waiter by which all of the holders came to the pipe:
    /// `its child 9632 is reaped`.
    fn dead_between(&self, waiter: Tgid, others: &[PipeSide]) -> Option<String> {
        let ledger = self.ledger;
        let waiter = ledger.process(waiter)?;
        let holder = ledger.process(others.iter().find(|side| side.tgid != waiter.tgid)?.tgid)?;
        let mut at = holder;
        for _ in 0..64 {
            let creator = ledger.parent(at.created_by?)?;
            if creator.id == waiter.id {
                let is_between = at.id != holder.id && at.ended.is_some();
                let how = if at.reaped.is_some() {
                    "reaped"
                } else {
                    "dead"
                };
                return is_between.then(|| format!("its child {} is {how}", at.tgid));
            }
            at = creator;
        }
        None
    }
}

/// `signalfd 5 (SIGCHLD, SIGTERM)`
fn object_words(fd: i32, object: KernelObject) -> String {
    match object {
        KernelObject::Eventfd => {
            format!("eventfd {fd}, a counter that a thread or process adds to")
        }
        KernelObject::Signalfd { signals } => {
            let signals: Vec<String> = Signal::of_mask(signals).map(|s| s.to_string()).collect();
            format!("signalfd {fd} ({})", signals.join(", "))
        }
        KernelObject::Timerfd { left: Some(left) } => {
            format!("timerfd {fd}, which expires in {}", Span(left))
        }
        KernelObject::Timerfd { left: None } => format!("timerfd {fd}, which is not set"),
        KernelObject::Inotify { watches: 0 } => format!("inotify {fd}, which watches nothing"),
        KernelObject::Inotify { watches: 1 } => {
            format!("inotify {fd}, until a file or directory changes")
        }
        KernelObject::Inotify { watches } => {
            format!("inotify {fd}, until one of {watches} files and directories changes")
        }
    }
}

fn shown_path(path: &[u8]) -> String {
    let mut text = String::new();
    let _ = escape_controls(path, &mut text);
    text
}
