//! What living processes are blocked in, for those who ask what a run waits for.
//!
//! This reads a lot, and some of it may block (a file system that a tracee serves):
//! it is for a thread of its own. What is known so far is published on the way.

mod call;
mod descriptor;
mod futex;
mod inet;
mod locks;
mod mutex;

use rustc_hash::FxHashSet;

use super::holders::{Awaited, add_holders, all_processes};
use super::processes::hides_others;
use super::{SleepClock, Stat, cmdline};
use crate::event::{BlockedTask, PipeSide, WaitsOn};
use crate::kernel::{Tgid, Tid};
use descriptor::{NamedPipe, Sockets, named_pipe};
use locks::Lock;
use mutex::{Candidates, SharedMutex};

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
    /// Mutexes that several processes have, in the same way.
    mutexes: Vec<(usize, SharedMutex)>,
    /// The place of a file that may be a named pipe, and whether it is written to.
    file: Option<(usize, bool)>,
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
        wanted.enter(&found, false, &mut drafts);
        tell(&drafts);
        let near: FxHashSet<Tgid> = processes.into_iter().collect();
        let all = all_processes();
        let is_all = all.is_some() && !hides_others();
        all.into_iter()
            .flatten()
            .filter(|tgid| !near.contains(tgid))
            .for_each(|tgid| wanted.add(tgid, &mut found));
        wanted.enter(&found, is_all, &mut drafts);
        tell(&drafts);
    }
    if drafts.iter().any(|draft| draft.file.is_some()) {
        // This may block for ever: what comes before is published.
        let pipes = drafts.iter_mut().map(named_pipe);
        let pipes: Vec<Option<NamedPipe>> = pipes.collect();
        if pipes.iter().any(Option::is_some) {
            find_ends(&pipes, &mut drafts);
            tell(&drafts);
        }
    }
}

/// Finds the other ends of named pipes, one a draft.
fn find_ends(pipes: &[Option<NamedPipe>], drafts: &mut [Draft]) {
    let processes = all_processes();
    let mut complete = processes.is_some() && !hides_others();
    let mut found = vec![Vec::new(); pipes.len()];
    for tgid in processes.into_iter().flatten() {
        for (pipe, sides) in pipes.iter().zip(&mut found) {
            if let Some(pipe) = pipe {
                complete &= pipe.add_holders(tgid, sides);
            }
        }
    }
    for (draft, sides) in drafts.iter_mut().zip(found) {
        let place = draft.file.map(|(place, _)| place);
        let on = place.and_then(|place| draft.task.on.get_mut(place));
        if let Some(WaitsOn::File {
            fifo: Some(end), ..
        }) = on
        {
            end.others = sides;
            end.complete = complete;
        }
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
            is_older: false,
            handled: 0,
            on: Vec::new(),
            more: 0,
        },
        streams: Vec::new(),
        locks: Vec::new(),
        mutexes: Vec::new(),
        file: None,
    };
    if sleeps {
        call::examine(&mut draft, threads, sockets);
        if !draft.streams.is_empty() {
            draft.task.handled = super::status(tid).map_or(0, |status| status.caught);
        }
    }
    Some(draft)
}

/// The first arguments of a process, if they can be read.
fn arguments(tgid: Tgid) -> Vec<Vec<u8>> {
    let text = cmdline(tgid, MOST_OF_ARGUMENTS).unwrap_or_default();
    super::arguments::split(&text).unwrap_or_default()
}

/// Streams, locks and mutexes whose holders are wanted.
struct Wanted {
    streams: Vec<Awaited>,
    locks: Vec<Lock>,
    mutexes: Vec<SharedMutex>,
}

/// Their holders, in the same order.
struct Found {
    streams: Vec<Vec<PipeSide>>,
    locks: Vec<Vec<PipeSide>>,
    mutexes: Vec<Candidates>,
    /// Every process that was looked at could be examined.
    complete: bool,
}

impl Wanted {
    fn of(drafts: &[Draft]) -> Wanted {
        let streams = drafts.iter().flat_map(|draft| &draft.streams);
        let locks = drafts.iter().flat_map(|draft| &draft.locks);
        let mutexes = drafts.iter().flat_map(|draft| &draft.mutexes);
        Wanted {
            streams: streams.map(|(_, stream)| *stream).collect(),
            locks: locks.map(|(_, lock)| lock.clone()).collect(),
            mutexes: mutexes.map(|(_, mutex)| mutex.clone()).collect(),
        }
    }

    fn any(&self) -> bool {
        !(self.streams.is_empty() && self.locks.is_empty() && self.mutexes.is_empty())
    }

    fn none(&self) -> Found {
        Found {
            streams: vec![Vec::new(); self.streams.len()],
            locks: vec![Vec::new(); self.locks.len()],
            mutexes: vec![Candidates::default(); self.mutexes.len()],
            complete: true,
        }
    }

    /// Adds what a process holds.
    fn add(&self, tgid: Tgid, found: &mut Found) {
        if !self.streams.is_empty() {
            found.complete &= add_holders(&self.streams, tgid, &mut found.streams);
        }
        locks::add_holders(&self.locks, tgid, &mut found.locks);
        for (mutex, candidates) in self.mutexes.iter().zip(&mut found.mutexes) {
            mutex.add_holders(tgid, candidates);
        }
    }

    /// Writes the holders to their places; `is_all`: every process was looked at.
    fn enter(&self, found: &Found, is_all: bool, drafts: &mut [Draft]) {
        let (mut streams, mut locks) = (found.streams.iter(), found.locks.iter());
        let mut mutexes = self.mutexes.iter().zip(&found.mutexes);
        for draft in drafts {
            let BlockedTask { tgid, on, .. } = &mut draft.task;
            for (place, _) in &draft.streams {
                match (streams.next(), on.get_mut(*place)) {
                    (
                        Some(sides),
                        Some(WaitsOn::Stream {
                            others, complete, ..
                        }),
                    ) => {
                        others.clone_from(sides);
                        *complete = is_all && found.complete;
                    }
                    (Some(sides), Some(WaitsOn::Backlog { holders, .. })) => {
                        holders.clone_from(sides);
                    }
                    _ => {}
                }
            }
            for (place, lock) in &draft.locks {
                if let (Some(sides), Some(WaitsOn::Lock { holders, .. })) =
                    (locks.next(), on.get_mut(*place))
                {
                    *holders = lock.holders(sides, *tgid);
                }
            }
            for (place, _) in &draft.mutexes {
                if let (Some((mutex, found)), Some(WaitsOn::Mutex { holder, .. })) =
                    (mutexes.next(), on.get_mut(*place))
                {
                    *holder = mutex.holder(found, is_all);
                }
            }
        }
    }
}
