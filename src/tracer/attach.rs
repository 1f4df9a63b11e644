//! `-p`: every thread of a running process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;

use super::engine::Tracer;
use super::full_speed::has_no_children;
use super::handler::HandlerFrame;
use super::own_children;
use super::refusal;
use super::scheduler::Scheduler;
use super::tasks::{Kind, Task};
use crate::event::{Event, EventKind, Found, Moment, SigchldAction, UntracedChild};
use crate::kernel::{Errno, Tgid, Tid, WaitStatus};
use crate::proc::{self, Status};
use crate::sys;
use crate::sys::ptrace::seize;
use crate::sys::seize::seize_beside_others;

/// Whether this tracer traces a process whose creation has not been reported yet.
fn is_ours(tgid: Tgid) -> bool {
    let tracer = proc::status(tgid.leader()).and_then(|status| status.tracer);
    // The kernel names the thread that traces.
    tracer.is_none_or(|tracer| tracer == sys::own_tid())
}

/// A process, while it is a child of this one: it may be gone, and its pid another's.
fn child_stat(parent: Tgid, child: Tgid) -> Option<proc::Stat> {
    proc::Stat::read(child).filter(|stat| stat.parent == parent)
}

/// What a process that is attached to is: not launched, so never under our
/// filter, which would outlive us.
const ATTACHED: Kind = Kind {
    launched: false,
    filtered: false,
};

/// How many stops are served after each thread that is seized.
const SERVED_BETWEEN: usize = 8;
/// How long a refusal that may pass is tried against.
const PATIENCE: Duration = Duration::from_millis(200);

/// A process that is being attached to.
struct Target {
    tgid: Tgid,
    parent: Option<Tgid>,
    /// It is a child of ours.
    is_own: bool,
    can_run_free: bool,
    /// How many of its threads are ours.
    threads: usize,
    /// Those that the last pass did not get.
    refused: Vec<(Tid, Errno)>,
}

impl Target {
    /// How many threads of it are not ours, and why; not those that have ended meanwhile.
    fn partial(&self) -> (u64, Option<String>) {
        let living = |(tid, _): &&(Tid, Errno)| {
            let status = proc::status(*tid);
            status.is_some_and(|status| !matches!(status.state, b'Z' | b'X'))
        };
        let refused: Vec<&(Tid, Errno)> = self.refused.iter().filter(living).collect();
        let sentence = refused.first().map(|(tid, errno)| {
            let whose = match refused.len() {
                1 => "this thread".to_owned(),
                many => format!("{many} threads of {}", self.tgid),
            };
            let reason = refusal::explain(*tid, *errno);
            format!("{reason}; the waits of {whose} are not seen")
        });
        (refused.len() as u64, sentence)
    }
}

impl<S: Scheduler> Tracer<S> {
    /// Attach to all threads of the process that `pid` belongs to. Returns what was
    /// refused of it, a sentence.
    ///
    /// Threads that are created meanwhile are ours by their creator, or are
    /// found by another pass over `/proc/PID/task`, until a whole pass finds
    /// nothing new. Stops are served in between: a thread that execs waits for
    /// the death of the others, and a dead tracee is gone only once we reap it.
    ///
    /// # Errors
    /// Why not, and the remedy, as a sentence.
    pub(crate) fn attach(
        &mut self,
        pid: Tid,
        events: &mut Vec<Event>,
    ) -> Result<Option<String>, String> {
        // In another namespace's /proc the pid is somebody else's.
        let status = proc::status(pid).filter(|_| self.sees_proc());
        let tgid = status
            .as_ref()
            .and_then(|status| status.tgid)
            .ok_or_else(|| refusal::explain(pid, Errno::SRCH))?;
        // Without following a second thread of a process is a target of its own.
        let is_known = if self.follow {
            self.tasks.processes.contains_key(&tgid)
        } else {
            self.tasks.by_tid.contains_key(&pid)
        };
        if is_known {
            return Ok(None);
        }
        let parent = status.and_then(|status| status.parent);
        // Reported first, though the number of threads is known last.
        let (at, place) = (self.now(), events.len());
        let mut attached = self.event(at, tgid.leader(), tgid, EventKind::Attached { threads: 0 });
        self.attaches = true;
        let begun = Instant::now();
        let mut target = Target {
            tgid,
            parent,
            is_own: own_children::is_own(parent),
            // A process that seems to have no children is not disturbed.
            can_run_free: self.full_speed.is_allowed && has_no_children(tgid),
            threads: 0,
            refused: Vec::new(),
        };
        loop {
            let before = target.threads;
            target.refused.clear();
            for tid in self.threads_to_attach(tgid, pid) {
                if !self.tasks.by_tid.contains_key(&tid) && !self.pending.holds(tid) {
                    self.attach_thread(tid, &mut target, events);
                    self.serve(SERVED_BETWEEN, events);
                }
            }
            // All threads that were listed may have been ending, in an exec
            // say: then the refusal is not the process's.
            let may_pass = target.threads == 0 && refusal::may_pass(tgid);
            if target.threads == before && !(may_pass && begun.elapsed() < PATIENCE) {
                break;
            }
        }
        if target.threads == 0
            && let Some((tid, errno)) = target.refused.first()
        {
            return Err(refusal::explain(*tid, *errno));
        }
        if self.full_speed.is_allowed {
            self.choose_speed(tgid);
        }
        attached.kind = EventKind::Attached {
            threads: target.threads,
        };
        events.insert(place, attached);
        let (refused, sentence) = target.partial();
        self.refused_threads += refused;
        Ok(sentence)
    }

    fn attach_thread(&mut self, tid: Tid, target: &mut Target, events: &mut Vec<Event>) {
        let tgid = target.tgid;
        let options = self.options(ATTACHED) | own_children::options(target.is_own);
        // The first has no thread of ours to wait for.
        let (answer, reaped) = match target.threads {
            0 => (seize(tid, options), Vec::new()),
            _ => seize_beside_others(tid, options, || proc::threads(tgid.leader())),
        };
        for (dead, status) in &reaped {
            self.ended(*dead, *status, events);
        }
        match answer {
            // It execs, and has the leader's tid by now.
            Ok(()) if !reaped.is_empty() && !proc::threads(tid).contains(&tid) => {
                self.interrupt(tgid.leader());
            }
            Ok(()) => {
                self.take_up(tid, tgid, target.parent, events);
                if !target.can_run_free {
                    self.interrupt(tid);
                }
                if let Some(process) = self.tasks.processes.get_mut(&tgid) {
                    process.is_own = target.is_own;
                }
                target.threads += 1;
            }
            Err(errno) => target.refused.push((tid, errno)),
        }
    }

    /// All threads, or with `--no-follow` the one that was named.
    fn threads_to_attach(&self, tgid: Tgid, named: Tid) -> Vec<Tid> {
        if self.follow {
            proc::threads(tgid.leader())
        } else {
            vec![named]
        }
    }

    /// The children that a process had before the attach. They are not traced,
    /// and some of them may be zombies.
    pub(super) fn list_preexisting_children(
        &mut self,
        parent: Tgid,
        at: Moment,
        events: &mut Vec<Event>,
    ) {
        for child in proc::children(parent).unwrap_or_default() {
            if self.tasks.by_tid.contains_key(&child.leader()) {
                continue;
            }
            if let Some(stat) = child_stat(parent, child).filter(|_| !is_ours(child)) {
                events.push(self.preexisting_child(parent, &stat, false, at));
            }
        }
    }

    /// What is new of an attached process's children that are not traced: one
    /// that was `alive` is a zombie, or one came that nothing is known of.
    pub(super) fn list_again(
        &mut self,
        parent: Tgid,
        settled: &[Tgid],
        alive: &[Tgid],
        events: &mut Vec<Event>,
    ) {
        let at = self.now();
        let settled: FxHashSet<Tgid> = settled.iter().copied().collect();
        for child in proc::children(parent).unwrap_or_default() {
            if settled.contains(&child) || self.tasks.by_tid.contains_key(&child.leader()) {
                continue;
            }
            let stat = child_stat(parent, child);
            let is_known = alive.contains(&child);
            let is_new = |stat: &proc::Stat| {
                let has_changed = !is_known || stat.is_zombie();
                has_changed && !is_ours(child)
            };
            if let Some(stat) = stat.filter(is_new) {
                events.push(self.preexisting_child(parent, &stat, !is_known, at));
            }
        }
    }

    fn preexisting_child(
        &mut self,
        parent: Tgid,
        stat: &proc::Stat,
        is_adopted: bool,
        at: Moment,
    ) -> Event {
        let child = stat.pid;
        let child = UntracedChild {
            child,
            image: Arc::new(proc::image(child)),
            zombie: stat
                .is_zombie()
                .then(|| WaitStatus::from_raw(stat.exit_code)),
            is_adopted,
            ns: self.ns_pids(child).map(Arc::new),
        };
        self.event(at, parent.leader(), parent, EventKind::UntracedChild(child))
    }

    /// Enter a seized thread, and with its first thread the process.
    fn take_up(&mut self, tid: Tid, tgid: Tgid, parent: Option<Tgid>, events: &mut Vec<Event>) {
        let at = self.now();
        let is_new = !self.tasks.processes.contains_key(&tgid);
        let ns = is_new.then(|| self.ns_pids(tgid).map(Arc::new)).flatten();
        if is_new {
            self.tasks.add_process(tgid, parent, ns.clone());
        }
        self.tasks.add_task(tid, Task::new(tgid, ATTACHED));
        if self.capture.namespaces
            && proc::children_are_elsewhere(tid)
            && let Some(process) = self.tasks.processes.get_mut(&tgid)
        {
            process.moved = true;
        }
        let image = (is_new && self.capture.images && self.sees_proc())
            .then(|| Arc::new(proc::image(tgid)));
        let rules = is_new && self.capture.rules;
        let status = rules.then(|| proc::status(tgid.leader())).flatten();
        let sigchld = status.as_ref().map(Status::sigchld);
        let sigchld = sigchld.map(|known| known.unwrap_or(SigchldAction::UNKNOWN_HANDLER));
        if let Some(process) = self.tasks.processes.get_mut(&tgid).filter(|_| is_new) {
            process.sigchld = sigchld;
            process.handler_frame = status
                .as_ref()
                .map(HandlerFrame::by_proc)
                .unwrap_or_default();
        }
        let found = Found {
            // The process's, which comes with its first thread.
            parent: parent.filter(|_| is_new),
            image,
            ns,
            comm: (self.capture.images && self.sees_proc())
                .then(|| proc::comm(tid))
                .flatten(),
            sigchld,
        };
        events.push(self.event(at, tid, tgid, EventKind::Found(found)));
        if rules {
            self.list_preexisting_children(tgid, at, events);
        }
    }
}
