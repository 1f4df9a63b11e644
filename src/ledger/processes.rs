//! The processes and threads of the trace, from creation to some time after the
//! reap.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::namespaces::Namespaces;
use super::process::{ParentId, Process, ProcessId, Stamp};
use super::waits::{CompletedWait, Delivered, ReapKind, Waiting};
use crate::event::{Comm, Event, EventKind, Image, Observation};
use crate::kernel::{NsPid, SigInfo, Signal, Tgid, Tid};

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
    pub(super) last_id: u64,
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
            EventKind::ExecFailed(failed) => {
                let now = self.now;
                if let Some(process) = self.processes.get_mut(&tgid) {
                    process.exec_failed(now, failed);
                }
            }
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
            EventKind::Resumed => self.resumed(tgid),
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
                sender,
                dropped,
            } => {
                if !dropped {
                    self.delivered(tgid, *signal, *info, *sender);
                }
                self.signal_reports(event, *signal, info.as_ref());
            }
            EventKind::Kills { target, signal } => self.kills(tgid, *target, *signal),
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

    /// A process sends a signal by a call.
    fn kills(&mut self, tgid: Tgid, target: NsPid, signal: Signal) {
        let (now, sender) = (self.now, self.parent_id(tgid));
        if signal == Signal::KILL && target.raw() <= 0 {
            self.group_kill = Some((now, tgid));
        }
        // Of all that send signals the tracer alone is no process of the trace.
        let is_tracer = !self.processes.contains_key(&tgid);
        let target = self.recall(tgid, target).map(|child| child.tgid);
        if let Some(child) = target.and_then(|tgid| self.processes.get_mut(&tgid)) {
            child.history.signalled = Some(now);
            if signal == Signal::KILL {
                child.history.kill_sent_by = Some(tgid);
                child.history.killed_by_tracer = is_tracer;
            }
            if child.parent == Some(sender) {
                child.history.killed = Some(now);
            }
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

    /// What a delivered signal says of other processes.
    fn signal_reports(&mut self, event: &Event, signal: Signal, info: Option<&SigInfo>) {
        let tgid = event.tgid;
        let sender = info.and_then(SigInfo::sender);
        if let Some(sender) = sender.filter(|_| signal.is_crash()) {
            self.crash_sent(tgid, sender);
        }
        if let Some((pid, status)) = info.and_then(SigInfo::child) {
            self.untraced_child_died(tgid, pid, status);
        }
        let now = self.now;
        if signal == Signal::CHLD
            && let Some(process) = self.processes.get_mut(&tgid)
        {
            process.sigchld.delivered(event.tid, now);
        }
    }

    /// A process leaves its group-stop.
    fn resumed(&mut self, tgid: Tgid) {
        let now = self.now.at;
        if let Some(process) = self.processes.get_mut(&tgid)
            && let Some((since, _)) = process.stopped.take()
        {
            let stopped = &mut process.busy.stopped;
            *stopped = stopped.saturating_add(now.since(since.at));
        }
    }

    fn executed(&mut self, event: &Event, image: &Arc<Image>, former: Option<Tid>) {
        self.saw_exec = true;
        self.departed.extend(former);
        let now = self.now;
        if let Some(process) = self.processes.get_mut(&event.tgid) {
            process.execute(now, image);
        }
        self.end_vfork(event.tgid);
        self.threads
            .insert(event.tid, Thread::new(event.tgid, None));
    }

    /// The child of a vfork execs or exits: its creator is resumed.
    pub(super) fn end_vfork(&mut self, child: Tgid) {
        let now = self.now.at;
        let creator = self.process(child).and_then(|child| child.created_by);
        if let Some(creator) = creator.and_then(|creator| self.parent_mut(creator)) {
            creator.end_vfork(child, now);
        }
    }
}

impl Thread {
    pub(super) fn new(tgid: Tgid, comm: Option<Comm>) -> Thread {
        Thread {
            tgid,
            comm,
            waiting: None,
            interrupted: None,
            restarts: None,
        }
    }
}
