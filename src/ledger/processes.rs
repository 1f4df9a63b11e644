//! The processes and threads of the trace, from creation to some time after the
//! reap.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::namespaces::{Levels, Namespaces};
use super::process::{ParentId, Process, ProcessId, Stamp};
use super::sigchld::Sigchld;
use super::waits::{BlockedTime, CompletedWait, Delivered, ReapKind, WaitHistory, Waiting};
use crate::event::{
    Comm, Created, Event, EventKind, Found, How, Image, NsPids, Observation, UntracedChild,
};
use crate::kernel::{SigInfo, Signal, Tgid, Tid};

/// A thread that is alive.
#[derive(Clone, Debug)]
pub(super) struct Thread {
    pub(super) tgid: Tgid,
    /// Its own name, if it is not the process's.
    pub(super) comm: Option<Comm>,
    /// The wait that it is in.
    pub(super) waiting: Option<Waiting>,
    /// Its last wait, if that was interrupted and it is not known yet whether it is
    /// restarted, with the one process that it was for.
    pub(super) interrupted: Option<(CompletedWait, Option<Tgid>)>,
    /// A wait that the kernel restarts when the handler that interrupted it returns,
    /// with the one process that it is for.
    pub(super) restarts: Option<(CompletedWait, Option<Tgid>)>,
}

/// Totals of the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Processes that were under trace.
    pub processes: u64,
    /// Children that waits of traced processes reaped, traced or not.
    pub reaped: u64,
    /// Traced children that are known to be reaped while their parent lived, by a call
    /// that was not observed; not among `reaped`.
    pub reaped_unobserved: u64,
}

/// The state after the events so far.
#[derive(Debug, Default)]
pub struct Ledger {
    pub(super) processes: FxHashMap<Tgid, Box<Process>>,
    /// A dropped record, to be reused without an allocation.
    pub(super) spare: Option<Box<Process>>,
    pub(super) threads: FxHashMap<Tid, Thread>,
    pub(super) namespaces: Namespaces,
    /// Reaped processes that are remembered, in the order of their reaps.
    pub(super) remembered: VecDeque<(Tgid, ProcessId)>,
    /// Dead children whose parent the current event ended.
    pub(super) orphaned: Vec<Tgid>,
    /// Threads that the current event ended; kept until the next, so that outputs can
    /// still name them.
    pub(super) departed: Vec<Tid>,
    /// The position of the current event.
    pub(super) now: Stamp,
    last_id: u64,
    pub(super) counts: Counts,
    /// Reaped processes were dropped.
    pub(super) forgot: bool,
    /// The last process that was attached to: it is older than the trace.
    pub(super) attached: Option<Tgid>,
    /// The launched command.
    pub(super) root: Option<ParentId>,
    /// Living processes whose parent has died.
    pub(super) orphans: FxHashSet<Tgid>,
    /// When a process last sent SIGKILL to a group, or to all.
    pub(super) group_kill: Option<(Stamp, Tgid)>,
    /// A process has executed a program.
    pub(super) saw_exec: bool,
    /// Those that are not reaped and whose parent is known by its pid alone, by that
    /// pid: a trace of the parent may begin later.
    pub(super) unclaimed: FxHashMap<Tgid, FxHashSet<Tgid>>,
}

/// Signals that kill no process.
const NEVER_DEADLY: [Signal; 4] = [Signal::CHLD, Signal::CONT, Signal::URG, Signal::WINCH];

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Ledger {
        Ledger::default()
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event) {
        while let Some(tid) = self.departed.pop() {
            self.threads.remove(&tid);
        }
        self.orphaned.clear();
        self.now = Stamp {
            seq: event.seq,
            at: event.at,
            is_before_attach: false,
        };
        let tgid = event.tgid;
        match &event.kind {
            EventKind::Found(found) => self.found(event, found),
            EventKind::Attached { .. } => self.attached = Some(tgid),
            EventKind::Created(created) => self.created(event, created),
            EventKind::Executed { image, former } => self.executed(event, image, *former),
            EventKind::Used(usage) => {
                if let Some(process) = self.processes.get_mut(&tgid) {
                    process.usage = Some(*usage);
                }
            }
            EventKind::Ended { status } => self.ended(event, *status),
            EventKind::Adopted { child, from, .. } => self.adopted(*child, *from, tgid),
            EventKind::WaitEntered(entry) => self.wait_entered(event, entry),
            EventKind::WaitEnded(exit) => self.wait_ended(event, exit),
            EventKind::RestartOutcome { by, eintr } => self.restart_outcome(event, *by, *eintr),
            EventKind::GroupStopped { signal } => {
                let now = self.now;
                if let Some(process) = self.processes.get_mut(&tgid) {
                    process.stopped.get_or_insert((now, *signal));
                }
            }
            EventKind::Resumed => {
                if let Some(process) = self.processes.get_mut(&tgid)
                    && let Some((since, _)) = process.stopped.take()
                {
                    let stopped = &mut process.busy.stopped;
                    *stopped = stopped.saturating_add(event.at.since(since.at));
                }
            }
            EventKind::UntracedChild(seen) => self.untraced_child(tgid, seen),
            EventKind::SigchldSet(action) => {
                let (now, comm) = (self.now, self.comm(event.tid));
                if let Some(process) = self.processes.get_mut(&tgid) {
                    process.sigchld.set(*action, comm, now);
                }
            }
            EventKind::Observed(Observation::ZombieProbe(probe)) => self.looked_at(probe),
            EventKind::Detached => {
                self.departed.push(event.tid);
                if tgid.leader() == event.tid {
                    self.bury(tgid, ReapKind::Unseen);
                }
            }
            EventKind::Signalled {
                signal,
                info,
                sender: name,
            } => {
                self.delivered(tgid, *signal, *info, *name);
                let sender = info.as_ref().and_then(SigInfo::sender);
                if let Some(sender) = sender.filter(|_| signal.is_crash()) {
                    self.crash_sent(tgid, sender);
                }
                if let Some((pid, status)) = info.as_ref().and_then(SigInfo::child) {
                    self.untraced_child_died(tgid, pid, status);
                }
                let now = self.now;
                if *signal == Signal::CHLD
                    && let Some(process) = self.processes.get_mut(&tgid)
                {
                    process.sigchld.delivered(event.tid, now);
                }
            }
            EventKind::Kills { target, signal } => {
                let (now, sender) = (self.now, self.parent_id(tgid));
                if *signal == Signal::KILL && target.raw() <= 0 {
                    self.group_kill = Some((now, tgid));
                }
                let target = self.recall(tgid, *target).map(|child| child.tgid);
                if let Some(child) = target.and_then(|tgid| self.processes.get_mut(&tgid)) {
                    child.history.signalled = Some(now);
                    if *signal == Signal::KILL {
                        child.history.kill_sent_by = Some(tgid);
                    }
                    if child.parent == Some(sender) {
                        child.history.killed = Some(now);
                    }
                }
            }
            EventKind::DeathSignalSet(_)
            | EventKind::ListenerWanted
            | EventKind::ExitsWith(_)
            | EventKind::Observed(_)
            | EventKind::Looked(_)
            | EventKind::Held(_)
            | EventKind::QueueDrained
            | EventKind::Over => {}
        }
    }

    /// A signal is delivered to a process, and may kill it.
    fn delivered(
        &mut self,
        tgid: Tgid,
        signal: Signal,
        info: Option<SigInfo>,
        sender: Option<Comm>,
    ) {
        let process = self.processes.get_mut(&tgid);
        if let Some(process) = process.filter(|_| !NEVER_DEADLY.contains(&signal)) {
            process.history.delivered = Some(Delivered {
                signal,
                info,
                sender,
            });
        }
    }

    // Creation.

    fn found(&mut self, event: &Event, found: &Found) {
        let image = found.image.clone().unwrap_or_default();
        if let Some(seen) = self.processes.get_mut(&event.tgid)
            && !seen.is_traced
        {
            // A child of a process that was attached to before.
            seen.is_traced = true;
            seen.sigchld = Sigchld::found(found.sigchld);
            self.counts.processes += 1;
        } else if self.existing_or_none(event.tgid).is_none() {
            let birth = Birth {
                tgid: event.tgid,
                parent: found.parent.map(|parent| self.parent_id(parent)),
                image: image.clone(),
                ns: found.ns.clone(),
                is_traced: true,
            };
            let is_before_attach = self.attached == Some(event.tgid);
            let process = self.enter(birth);
            process.sigchld = Sigchld::found(found.sigchld);
            process.born.is_before_attach = is_before_attach;
            self.claim_children(event.tgid);
            if self.attached.is_none() {
                let found = self.parent_id(event.tgid);
                self.root.get_or_insert(found);
            }
        }
        self.found_inside(event.tgid, found);
        let comm = found.comm.filter(|comm| *comm != image.comm);
        self.threads
            .insert(event.tid, Thread::new(event.tgid, comm));
    }

    /// A record shows a process's pids in other namespaces late.
    fn found_inside(&mut self, tgid: Tgid, found: &Found) {
        let process = self.processes.get_mut(&tgid);
        if let Some(process) = process.filter(|process| process.ns.is_none())
            && let Some(ns) = &found.ns
        {
            process.levels = self.namespaces.enter(tgid, ns, &[]);
            process.ns = Some(Arc::clone(ns));
        }
    }

    fn created(&mut self, event: &Event, created: &Created) {
        let creator = self.threads.get(&event.tid);
        let comm = creator.and_then(|creator| creator.comm);
        if created.how == How::Thread {
            self.threads
                .insert(created.child, Thread::new(event.tgid, comm));
            return;
        }
        let tgid = Tgid::new(created.child.raw());
        let creator_id = Some(self.parent_id(event.tgid));
        let process = self.process(event.tgid);
        let sigchld = process.map(|process| process.sigchld).unwrap_or_default();
        let exit_signal = process.and_then(|process| process.exit_signal);
        let image = process
            .map(|process| Arc::clone(&process.image))
            .unwrap_or_default();
        let birth = Birth {
            tgid,
            parent: Some(self.parent_id(created.parent.unwrap_or(event.tgid))),
            // A process that a renamed thread forks starts with the thread's name.
            image: match comm {
                Some(comm) => Arc::new(Image {
                    comm,
                    ..Image::clone(&image)
                }),
                None => image,
            },
            ns: created.ns.clone(),
            is_traced: true,
        };
        let was_found = self.existing_or_none(tgid).is_some_and(|child| {
            child.is_traced && child.creator.is_none() && child.parent == birth.parent
        });
        let child = match self.processes.get_mut(&tgid).filter(|_| was_found) {
            // The event of its creator came late.
            Some(child) => child.as_mut(),
            None => self.enter(birth),
        };
        child.creator = Some((event.tid, created.how));
        child.created_by = creator_id;
        child.created_at.clone_from(&created.stack);
        child.cloned_by = created.parent.and(creator_id);
        let is_new = child.execs.is_empty() && child.ended.is_none();
        if is_new {
            child.exit_signal = if created.parent.is_some() {
                // CLONE_PARENT: its creator's (`copy_process` in kernel/fork.c).
                exit_signal
            } else {
                created.exit_signal
            };
            if child.sigchld.set.is_none() {
                child.sigchld = sigchld;
            }
        }
        if created.how == How::Vfork && is_new {
            let now = self.now;
            if let Some(process) = self.processes.get_mut(&event.tgid) {
                process.vforking = Some((now, tgid));
            }
        }
        self.threads.insert(created.child, Thread::new(tgid, None));
    }

    /// A child of an attached process that is not traced.
    fn untraced_child(&mut self, parent: Tgid, seen: &UntracedChild) {
        let by = self.parent_id(parent);
        if let Some(known) = self.existing_or_none(seen.child) {
            let dies = !known.is_traced && known.ended.is_none() && known.parent == Some(by);
            if let Some(status) = seen.zombie.filter(|_| dies) {
                self.untraced_child_ended(parent, seen.child, status, self.now);
            }
            return;
        }
        let when = Stamp {
            is_before_attach: !seen.is_adopted,
            ..self.now
        };
        let child = self.enter(Birth {
            tgid: seen.child,
            parent: Some(by),
            image: Arc::clone(&seen.image),
            ns: seen.ns.clone(),
            is_traced: false,
        });
        child.born.is_before_attach = true;
        if seen.is_adopted {
            let unknown = ParentId {
                tgid: Tgid::new(0),
                id: None,
            };
            child.adopted = Some((when, unknown));
        }
        if let Some(status) = seen.zombie {
            self.untraced_child_ended(parent, seen.child, status, when);
        }
    }

    fn enter(&mut self, birth: Birth) -> &mut Process {
        let tgid = birth.tgid;
        // The pid is reused: the former process is gone.
        self.forget(tgid);
        let levels = match &birth.ns {
            Some(ns) => {
                let parent = birth.parent.and_then(|parent| self.parent(parent));
                let parent = parent
                    .map(|parent| parent.levels.clone())
                    .unwrap_or_default();
                self.namespaces.enter(tgid, ns, &parent)
            }
            None => Levels::new(),
        };
        if let Some(parent) = birth.parent {
            self.join_parent(tgid, parent);
        }
        self.last_id += 1;
        self.counts.processes += u64::from(birth.is_traced);
        let process = Process {
            id: ProcessId(self.last_id),
            tgid,
            parent: birth.parent,
            born: self.now,
            creator: None,
            created_at: None,
            created_by: None,
            cloned_by: None,
            image: birth.image,
            execs: Vec::new(),
            group: None,
            exit_signal: Some(Signal::CHLD),
            ended: None,
            reaped: None,
            adopted: None,
            orphaned: None,
            sigchld: Sigchld::default(),
            stopped: None,
            vforking: None,
            is_traced: birth.is_traced,
            zombies: FxHashSet::default(),
            children: 0,
            waits: None,
            usage: None,
            history: WaitHistory::default(),
            busy: BlockedTime::default(),
            ns: birth.ns,
            levels,
        };
        let process = match self.spare.take() {
            Some(mut spare) => {
                *spare = process;
                spare
            }
            None => Box::new(process),
        };
        self.processes.entry(tgid).insert_entry(process).into_mut()
    }

    // Changes.

    fn executed(&mut self, event: &Event, image: &Arc<Image>, former: Option<Tid>) {
        self.saw_exec = true;
        self.departed.extend(former);
        let now = self.now;
        let mut parent = None;
        if let Some(process) = self.processes.get_mut(&event.tgid) {
            process.execute(now, image);
            parent = process.parent;
        }
        self.end_vfork(parent, event.tgid);
        self.threads
            .insert(event.tid, Thread::new(event.tgid, None));
    }

    /// The child of a vfork execs or exits: its creator is resumed.
    pub(super) fn end_vfork(&mut self, parent: Option<ParentId>, child: Tgid) {
        let at = self.now.at;
        let parent = parent.and_then(|parent| self.parent_mut(parent));
        if let Some(parent) = parent
            && let Some((since, _)) = parent.vforking.take_if(|(_, tgid)| *tgid == child)
        {
            let suspended = &mut parent.busy.suspended;
            *suspended = suspended.saturating_add(at.since(since.at));
        }
    }

    /// A process is attached to of which children are known already.
    fn claim_children(&mut self, tgid: Tgid) {
        let Some(unclaimed) = self.unclaimed.remove(&tgid) else {
            return;
        };
        let parent = self.parent_id(tgid);
        let mut zombies = Vec::new();
        let mut children = 0;
        for child in unclaimed {
            let child = self.processes.get_mut(&child).filter(|child| {
                child.parent == Some(ParentId::untraced(tgid)) && child.reaped.is_none()
            });
            if let Some(child) = child {
                child.parent = Some(parent);
                children += 1;
                zombies.extend(child.is_zombie().then_some(child.tgid));
            }
        }
        if let Some(parent) = self.parent_mut(parent) {
            parent.children += children;
            parent.zombies.extend(zombies);
        }
    }

    /// A child has this parent from now on.
    fn join_parent(&mut self, child: Tgid, parent: ParentId) {
        if parent.id.is_none() {
            self.unclaimed.entry(parent.tgid).or_default().insert(child);
        } else if let Some(parent) = self.parent_mut(parent) {
            parent.children += 1;
        }
    }

    pub(super) fn adopted(&mut self, child: Tgid, from: Tgid, parent: Tgid) {
        let (now, new) = (self.now, self.parent_id(parent));
        let before = self.processes.get(&child).and_then(|child| {
            let orphaned = child.orphaned.map(|(_, before)| before);
            orphaned
                .or(child.parent)
                .filter(|before| before.tgid == from)
        });
        let from = before.unwrap_or(ParentId {
            tgid: from,
            id: None,
        });
        let Some(process) = self.processes.get(&child) else {
            return;
        };
        self.leave_parent(child, process.parent);
        let Some(process) = self.processes.get_mut(&child) else {
            return;
        };
        process.parent = Some(new);
        process.adopted = Some((now, from));
        let is_zombie = process.is_zombie();
        self.join_parent(child, new);
        let Some(parent) = self.parent_mut(new).filter(|_| is_zombie) else {
            return;
        };
        parent.zombies.insert(child);
        let busy = parent.blocked_until(now.at);
        let end = self.processes.get_mut(&child);
        if let Some(end) = end.and_then(|child| child.ended.as_mut()) {
            end.parent_busy = busy;
        }
    }
}

/// What is known of a new process.
struct Birth {
    tgid: Tgid,
    parent: Option<ParentId>,
    image: Arc<Image>,
    ns: Option<Arc<NsPids>>,
    is_traced: bool,
}

impl Thread {
    fn new(tgid: Tgid, comm: Option<Comm>) -> Thread {
        Thread {
            tgid,
            comm,
            waiting: None,
            interrupted: None,
            restarts: None,
        }
    }
}
