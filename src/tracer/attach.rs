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
use crate::sys::ptrace::seize;
use crate::sys::seize::seize_beside_others;

/// Whether this tracer traces a process whose creation has not been reported yet.
fn is_ours(tgid: Tgid) -> bool {
    let own = i32::try_from(std::process::id()).ok();
    let tracer = proc::status(tgid.leader()).and_then(|status| status.tracer);
    tracer.is_none_or(|tracer| Some(tracer.raw()) == own)
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

impl<S: Scheduler> Tracer<S> {
    /// Attach to all threads of the process that `pid` belongs to.
    ///
    /// Threads that are created meanwhile are ours by their creator, or are
    /// found by another pass over `/proc/PID/task`, until a whole pass finds
    /// nothing new. Stops are served in between: a thread that execs waits for
    /// the death of the others, and a dead tracee is gone only once we reap it.
    ///
    /// # Errors
    /// Why not, and the remedy, as a sentence.
    pub(crate) fn attach(&mut self, pid: Tid, events: &mut Vec<Event>) -> Result<(), String> {
        // In another namespace's /proc the pid is somebody else's.
        let status = proc::status(pid).filter(|_| self.sees_proc());
        let tgid = status
            .as_ref()
            .and_then(|status| status.tgid)
            .ok_or_else(|| refusal::explain(pid, Errno::SRCH))?;
        if self.tasks.processes.contains_key(&tgid) {
            return Ok(());
        }
        let parent = status.and_then(|status| status.parent);
        let is_own = own_children::is_own(parent);
        let options = self.options(ATTACHED) | own_children::options(is_own);
        // Reported first, though the number of threads is known last.
        let (at, place) = (self.now(), events.len());
        let mut attached = self.event(at, tgid.leader(), tgid, EventKind::Attached { threads: 0 });
        self.attaches = true;
        let begun = Instant::now();
        // A process that seems to have no children is not disturbed.
        let can_run_free = self.full_speed.is_allowed && has_no_children(tgid);
        let mut count = 0;
        let mut refused = None;
        loop {
            let before = count;
            for tid in self.threads_to_attach(tgid, pid) {
                if self.tasks.by_tid.contains_key(&tid) || self.pending.holds(tid) {
                    continue;
                }
                // The first has no thread of ours to wait for.
                let (answer, reaped) = match count {
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
                        self.take_up(tid, tgid, parent, events);
                        if !can_run_free {
                            self.interrupt(tid);
                        }
                        if let Some(process) = self.tasks.processes.get_mut(&tgid) {
                            process.is_own = is_own;
                        }
                        count += 1;
                    }
                    Err(errno) => refused = refused.or(Some((tid, errno))),
                }
                self.serve(SERVED_BETWEEN, events);
            }
            // All threads that were listed may have been ending, in an exec
            // say: then the refusal is not the process's.
            let may_pass = count == 0 && refusal::may_pass(tgid);
            if count == before && !(may_pass && begun.elapsed() < PATIENCE) {
                break;
            }
        }
        match refused {
            Some((tid, errno)) if count == 0 => Err(refusal::explain(tid, errno)),
            _ => {
                if self.full_speed.is_allowed {
                    self.choose_speed(tgid);
                }
                attached.kind = EventKind::Attached { threads: count };
                events.insert(place, attached);
                Ok(())
            }
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
    fn list_preexisting_children(&mut self, parent: Tgid, at: Moment, events: &mut Vec<Event>) {
        for child in proc::children(parent).unwrap_or_default() {
            if self.tasks.by_tid.contains_key(&child.leader()) {
                continue;
            }
            if let Some(stat) = proc::Stat::read(child) {
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
            // It may be gone, and its pid another's.
            let stat = proc::Stat::read(child).filter(|stat| stat.parent == parent);
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
