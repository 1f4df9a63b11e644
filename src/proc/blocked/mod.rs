//! What living processes are blocked in, for those who ask what a run waits for.
//!
//! This reads a lot, and some of it may block (a file system that a tracee serves):
//! it is for a thread of its own. What is known so far is published on the way.

mod call;
mod futex;
mod inet;
mod locks;

use rustc_hash::FxHashSet;

use super::holders::{Awaited, add_holders, all_processes};
use super::{SleepClock, Stat, cmdline};
use crate::event::{BlockedTask, PipeSide, WaitsOn};
use crate::kernel::{Tgid, Tid};
use call::Sockets;
use locks::Lock;

/// No more threads are looked at.
const MOST_TASKS: usize = 4096;
/// Nor more of one process.
const MOST_THREADS: usize = 64;
/// Bytes of a process's arguments; a line shows fewer.
const MOST_OF_ARGUMENTS: u64 = 4096;

/// A thread, and what is still to be found out.
struct Draft {
    task: BlockedTask,
    /// Streams whose holders are wanted, with their place in `task.on`.
    streams: Vec<(usize, Awaited)>,
    /// Locks, in the same way.
    locks: Vec<(usize, Lock)>,
    /// The place of a file that may be a named pipe.
    file: Option<usize>,
}

/// Looks at these processes and all below them, and publishes what is known: first
/// without the holders of pipes and locks, then with those that are looked at, then
/// with all.
pub(crate) fn look(roots: &[Tgid], publish: &mut dyn FnMut(Vec<BlockedTask>)) {
    let processes = with_descendants(roots);
    let mut drafts = drafts(&processes);
    let mut tell = |drafts: &[Draft]| {
        publish(drafts.iter().map(|draft| draft.task.clone()).collect());
    };
    tell(&drafts);
    let wanted = Wanted::of(&drafts);
    if wanted.any() {
        let mut found = wanted.none();
        for tgid in &processes {
            wanted.add(*tgid, &mut found);
        }
        // Others may hold them too.
        let knows_near = std::mem::replace(&mut found.complete, false);
        found.enter(&mut drafts);
        tell(&drafts);
        let near: FxHashSet<Tgid> = processes.into_iter().collect();
        found.complete = knows_near;
        match all_processes() {
            Some(all) => all
                .filter(|tgid| !near.contains(tgid))
                .for_each(|tgid| wanted.add(tgid, &mut found)),
            None => found.complete = false,
        }
        found.enter(&mut drafts);
        tell(&drafts);
    }
    if drafts.iter().any(|draft| draft.file.is_some()) {
        for draft in &mut drafts {
            // This may block for ever: what comes before is published.
            call::find_fifo(&mut draft.task, draft.file);
        }
        tell(&drafts);
    }
}

/// Processes and those below them, without ourselves.
fn with_descendants(roots: &[Tgid]) -> Vec<Tgid> {
    let own = i32::try_from(std::process::id()).ok();
    let mut known: FxHashSet<Tgid> = FxHashSet::default();
    let mut all = Vec::new();
    let mut next: Vec<Tgid> = roots.iter().rev().copied().collect();
    while let Some(tgid) = next.pop() {
        if Some(tgid.raw()) == own || all.len() >= MOST_TASKS || !known.insert(tgid) {
            continue;
        }
        all.push(tgid);
        next.extend(super::children(tgid).unwrap_or_default().iter().rev());
    }
    all
}

fn drafts(processes: &[Tgid]) -> Vec<Draft> {
    let mut clock = SleepClock::default();
    let mut sockets = Sockets::default();
    let mut drafts = Vec::new();
    for tgid in processes {
        let mut threads = super::threads(tgid.leader());
        threads.sort_by_key(|tid| (*tid != tgid.leader(), *tid));
        for tid in threads.iter().take(MOST_THREADS) {
            if drafts.len() < MOST_TASKS {
                drafts.extend(draft(*tgid, *tid, &threads, &mut clock, &mut sockets));
            }
        }
    }
    drafts
}

/// A thread that is alive; of a process without other threads, a zombie too.
fn draft(
    tgid: Tgid,
    tid: Tid,
    threads: &[Tid],
    clock: &mut SleepClock,
    sockets: &mut Sockets,
) -> Option<Draft> {
    let stat = Stat::of_thread(tgid, tid)?;
    let is_leader = tid == tgid.leader();
    let sleeps = matches!(stat.state, b'S' | b'D');
    let mut draft = Draft {
        task: BlockedTask {
            tid,
            tgid,
            parent: stat.parent,
            comm: stat.comm,
            argv: if is_leader {
                arguments(tgid)
            } else {
                Vec::new()
            },
            state: stat.state,
            call: None,
            asleep: sleeps.then(|| clock.asleep(tgid, tid, stat.cpu)).flatten(),
            on: Vec::new(),
        },
        streams: Vec::new(),
        locks: Vec::new(),
        file: None,
    };
    if sleeps {
        call::examine(&mut draft, threads, sockets);
    }
    Some(draft)
}

/// The first arguments of a process, if they can be read.
fn arguments(tgid: Tgid) -> Vec<Vec<u8>> {
    let text = cmdline(tgid, MOST_OF_ARGUMENTS).unwrap_or_default();
    super::arguments::split(&text).unwrap_or_default()
}

/// Streams and locks whose holders are wanted.
struct Wanted {
    streams: Vec<Awaited>,
    locks: Vec<Lock>,
}

/// Their holders, in the same order.
struct Found {
    streams: Vec<Vec<PipeSide>>,
    locks: Vec<Vec<PipeSide>>,
    /// Every process could be examined.
    complete: bool,
}

impl Wanted {
    fn of(drafts: &[Draft]) -> Wanted {
        let streams = drafts.iter().flat_map(|draft| &draft.streams);
        let locks = drafts.iter().flat_map(|draft| &draft.locks);
        Wanted {
            streams: streams.map(|(_, stream)| *stream).collect(),
            locks: locks.map(|(_, lock)| lock.clone()).collect(),
        }
    }

    fn any(&self) -> bool {
        !self.streams.is_empty() || !self.locks.is_empty()
    }

    fn none(&self) -> Found {
        Found {
            streams: vec![Vec::new(); self.streams.len()],
            locks: vec![Vec::new(); self.locks.len()],
            complete: true,
        }
    }

    /// Adds what a process holds.
    fn add(&self, tgid: Tgid, found: &mut Found) {
        if !self.streams.is_empty() {
            found.complete &= add_holders(&self.streams, tgid, &mut found.streams);
        }
        locks::add_holders(&self.locks, tgid, &mut found.locks);
    }
}

impl Found {
    /// Writes the holders to their places.
    fn enter(&self, drafts: &mut [Draft]) {
        let (mut streams, mut locks) = (self.streams.iter(), self.locks.iter());
        for draft in drafts {
            for (place, _) in &draft.streams {
                let sides = streams.next();
                if let (
                    Some(sides),
                    Some(WaitsOn::Stream {
                        others, complete, ..
                    }),
                ) = (sides, draft.task.on.get_mut(*place))
                {
                    others.clone_from(sides);
                    *complete = self.complete;
                }
            }
            for (place, lock) in &draft.locks {
                let sides = locks.next();
                if let (Some(sides), Some(WaitsOn::Lock { holders, .. })) =
                    (sides, draft.task.on.get_mut(*place))
                {
                    *holders = lock.holders(sides, draft.task.tgid);
                }
            }
        }
    }
}
