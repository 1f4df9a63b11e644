//! The processes and threads of the family, from birth to reap.

use std::collections::HashMap;
use std::sync::Arc;

use super::namespaces::{Levels, Namespaces};
use crate::event::{Comm, Created, Event, EventKind, Found, How, Image, Moment, NsPids, WaitExit};
use crate::kernel::{NsPid, Status, Tgid, Tid, WaitOptions, WaitStatus};

/// A process, alive or dead but not yet known to be reaped.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its pid in the tracer's namespace.
    pub tgid: Tgid,
    /// Its real parent, as far as it is known.
    pub parent: Option<Tgid>,
    /// What it executes.
    pub image: Arc<Image>,
    /// When and how it ended.
    pub ended: Option<(Moment, WaitStatus)>,
    ns: Option<Arc<NsPids>>,
    levels: Levels,
}

/// A thread that is alive.
#[derive(Clone, Copy, Debug)]
struct Thread {
    tgid: Tgid,
    /// Its own name, where it is not the process's.
    comm: Option<Comm>,
}

/// The state of the family after the events so far.
#[derive(Debug, Default)]
pub struct Ledger {
    processes: HashMap<Tgid, Process>,
    threads: HashMap<Tid, Thread>,
    namespaces: Namespaces,
    /// Reaped by the event at hand: kept until the next, so that outputs can
    /// still name them.
    reaped: Vec<Tgid>,
    /// Threads that the event at hand ended; kept likewise.
    departed: Vec<Tid>,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Ledger {
        Ledger::default()
    }

    /// Take an event in.
    pub fn apply(&mut self, event: &Event) {
        while let Some(tid) = self.departed.pop() {
            self.threads.remove(&tid);
        }
        while let Some(tgid) = self.reaped.pop() {
            self.forget(tgid);
        }
        match &event.kind {
            EventKind::Found(found) => self.found(event, found),
            EventKind::Created(created) => self.created(event, created),
            EventKind::Executed { image, former } => {
                self.departed.extend(former);
                if let Some(process) = self.processes.get_mut(&event.tgid) {
                    process.image = Arc::clone(image);
                }
                let thread = Thread {
                    tgid: event.tgid,
                    comm: None,
                };
                self.threads.insert(event.tid, thread);
            }
            EventKind::Ended { status } => {
                self.departed.push(event.tid);
                if event.tgid.leader() == event.tid
                    && let Some(process) = self.processes.get_mut(&event.tgid)
                {
                    process.ended = Some((event.at, *status));
                }
            }
            EventKind::Adopted { child, .. } => {
                if let Some(process) = self.processes.get_mut(child) {
                    process.parent = Some(event.tgid);
                }
            }
            EventKind::WaitEnded(exit) => self.waited(event.tgid, exit),
            EventKind::Detached => {
                self.departed.push(event.tid);
                if event.tgid.leader() == event.tid {
                    self.reaped.push(event.tgid);
                }
            }
            EventKind::Attached { .. }
            | EventKind::Signalled { .. }
            | EventKind::GroupStopped { .. }
            | EventKind::Resumed
            | EventKind::WaitEntered(_)
            | EventKind::WaitFate { .. } => {}
        }
    }

    /// The process with this pid in the tracer's namespace.
    #[must_use]
    pub fn process(&self, tgid: Tgid) -> Option<&Process> {
        self.processes.get(&tgid)
    }

    /// How many tasks are under trace, one that the event at hand ended still
    /// counted.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.threads.len()
    }

    /// A thread's name; empty if it is not known.
    #[must_use]
    pub fn comm(&self, tid: Tid) -> Comm {
        let thread = self.threads.get(&tid);
        let own = thread.and_then(|thread| thread.comm);
        let tgid = thread.map_or(Tgid::new(tid.raw()), |thread| thread.tgid);
        own.or_else(|| Some(self.process(tgid)?.image.comm))
            .unwrap_or_default()
    }

    /// Whom a task of process `caller` calls `pid`. A dead process is found
    /// until its reap has been told.
    #[must_use]
    pub fn translate(&self, caller: Tgid, pid: NsPid) -> Option<&Process> {
        let levels = self.processes.get(&caller).map(|caller| &caller.levels);
        match levels.filter(|levels| !levels.is_empty()) {
            Some(levels) => self.process(self.namespaces.find(levels, pid)?),
            None => self.process(Tgid::new(pid.raw())),
        }
    }

    /// The same, but only of a process that still exists: not of one that the
    /// event at hand reaped.
    #[must_use]
    pub fn existing(&self, caller: Tgid, pid: NsPid) -> Option<&Process> {
        let process = self.translate(caller, pid)?;
        (!self.reaped.contains(&process.tgid)).then_some(process)
    }

    /// Whether a process lives in another pid namespace than the tracer.
    #[must_use]
    pub fn is_in_inner_namespace(&self, tgid: Tgid) -> bool {
        self.process(tgid)
            .is_some_and(|process| process.ns.is_some())
    }

    /// The dead children of `parent` that were not reaped as far as we know.
    pub fn unreaped(&self, parent: Tgid) -> impl Iterator<Item = &Process> {
        self.processes
            .values()
            .filter(move |process| process.parent == Some(parent) && process.ended.is_some())
    }

    /// Note which children the end of a wait consumed, if any.
    fn waited(&mut self, caller: Tgid, exit: &WaitExit) {
        if exit.entry.options.contains(WaitOptions::NOWAIT) {
            return;
        }
        if let Some((pid, status)) = exit.reported() {
            let is_end = |status: WaitStatus| {
                matches!(status.decode(), Status::Exited(_) | Status::Signaled { .. })
            };
            let child = self.translate(caller, pid);
            let dead = child.filter(|child| child.ended.is_some() && status.is_none_or(is_end));
            let dead = dead.map(|child| child.tgid);
            self.reaped.extend(dead);
        } else if let Some(remaining) = &exit.remaining {
            // EFAULT: what was a zombie and is no more was consumed by it.
            let gone = self.unreaped(caller).map(|child| child.tgid);
            let gone: Vec<Tgid> = gone.filter(|child| !remaining.contains(child)).collect();
            self.reaped.extend(gone);
        }
    }

    fn found(&mut self, event: &Event, found: &Found) {
        let image = found.image.clone().unwrap_or_default();
        if !self.processes.contains_key(&event.tgid) {
            self.enter(event.tgid, found.parent, image.clone(), found.ns.clone());
        }
        let comm = found.comm.filter(|comm| *comm != image.comm);
        self.threads.insert(
            event.tid,
            Thread {
                tgid: event.tgid,
                comm,
            },
        );
    }

    fn created(&mut self, event: &Event, created: &Created) {
        let creator = self.threads.get(&event.tid).copied();
        let comm = creator.and_then(|creator| creator.comm);
        let tgid = if created.how == How::Thread {
            event.tgid
        } else {
            let tgid = Tgid::new(created.child.raw());
            let image = self.process(event.tgid);
            let mut image = image
                .map(|process| Arc::clone(&process.image))
                .unwrap_or_default();
            if let Some(comm) = comm {
                // A process that a named thread forks starts with its name.
                image = Arc::new(Image {
                    comm,
                    ..Image::clone(&image)
                });
            }
            let parent = created.parent.unwrap_or(event.tgid);
            self.forget(tgid);
            self.enter(tgid, Some(parent), image, created.ns.clone());
            tgid
        };
        let comm = comm.filter(|_| created.how == How::Thread);
        self.threads.insert(created.child, Thread { tgid, comm });
    }

    fn enter(
        &mut self,
        tgid: Tgid,
        parent: Option<Tgid>,
        image: Arc<Image>,
        ns: Option<Arc<NsPids>>,
    ) {
        let levels = match &ns {
            Some(ns) => {
                let parent = parent.and_then(|tgid| self.processes.get(&tgid));
                let parent = parent
                    .map(|parent| parent.levels.clone())
                    .unwrap_or_default();
                self.namespaces.enter(tgid, ns, &parent)
            }
            None => Levels::new(),
        };
        let process = Process {
            tgid,
            parent,
            image,
            ended: None,
            ns,
            levels,
        };
        self.processes.insert(tgid, process);
    }

    fn forget(&mut self, tgid: Tgid) {
        if let Some(process) = self.processes.remove(&tgid)
            && let Some(ns) = &process.ns
        {
            self.namespaces.leave(tgid, ns, &process.levels);
        }
    }
}
