//! What wait calls change in the ledger.

use super::process::{ParentId, Process, Reap};
use super::processes::Ledger;
use super::waits::{CompletedWait, Outcome, ReapKind, Waiting};
use crate::event::{Event, WaitEntry, WaitExit};
use crate::kernel::{Signal, Tgid, Tid, WaitCall, WaitOptions};

impl Ledger {
    /// The one process that a wait names, if it is known.
    #[must_use]
    pub fn target(&self, caller: Tgid, entry: &WaitEntry) -> Option<&Process> {
        match entry.pidfd {
            Some(pid) if pid > 0 => self.process(Tgid::new(pid)),
            Some(_) => None,
            None => self.recall(caller, entry.named.process()?),
        }
    }

    pub(super) fn wait_entered(&mut self, event: &Event, entry: &WaitEntry) {
        let target = self.target(event.tgid, entry).map(|process| process.tgid);
        let waiting = Waiting::new(self.now, entry, target);
        let Some(thread) = self.threads.get_mut(&event.tid) else {
            return;
        };
        let blocks = waiting.blocks();
        thread.interrupted = None;
        // A wait in between is one of the handler.
        thread.restarts.take_if(|(completed, _)| {
            (completed.call, completed.named, completed.options)
                == (waiting.call, waiting.named, waiting.options)
        });
        thread.waiting = Some(waiting);
        if blocks && let Some(process) = self.processes.get_mut(&event.tgid) {
            process.busy.enter(event.at);
        }
    }

    /// A thread has left its wait, which is returned.
    pub(super) fn leave_wait(&mut self, tid: Tid) -> Option<Waiting> {
        let at = self.now.at;
        let thread = self.threads.get_mut(&tid)?;
        let (waiting, tgid) = (thread.waiting.take()?, thread.tgid);
        if waiting.blocks()
            && let Some(process) = self.processes.get_mut(&tgid)
        {
            process.busy.leave(at);
        }
        Some(waiting)
    }

    pub(super) fn wait_ended(&mut self, event: &Event, exit: &WaitExit) {
        let waiting = self.leave_wait(event.tid);
        let target = waiting.and_then(|waiting| waiting.target);
        let completed = CompletedWait::new(event.tid, self.now, exit);
        if exit.is_interrupted() {
            if let Some(thread) = self.threads.get_mut(&event.tid) {
                thread.interrupted = Some((completed, target));
            }
            return;
        }
        if exit.result == Err(crate::kernel::Errno::FAULT) {
            self.faulted(event.tgid, exit, target);
        }
        self.record(event.tgid, &completed, target);
    }

    /// Whether an interrupted wait is restarted.
    pub(super) fn restart_outcome(&mut self, event: &Event, by: Signal, eintr: bool) {
        let thread = self.threads.get_mut(&event.tid);
        let interrupted = thread.and_then(|thread| thread.interrupted.take());
        let Some((mut completed, target)) = interrupted else {
            return;
        };
        if eintr {
            completed.when = self.now;
            completed.outcome = Outcome::Eintr(by);
            self.record(event.tgid, &completed, target);
        } else if let Some(thread) = self.threads.get_mut(&event.tid) {
            thread.restarts = Some((completed, target));
        }
    }

    fn record(&mut self, caller: Tgid, completed: &CompletedWait, target: Option<Tgid>) {
        if let Some(process) = self.processes.get_mut(&caller) {
            let waits = process.waits.get_or_insert_default();
            waits.record(completed, process.children);
            process.failed_execs = None;
            process.busy.waits += 1;
            process.busy.polls += u64::from(completed.polls());
        }
        if let Some(child) = target.and_then(|target| self.processes.get_mut(&target)) {
            child.history.named = Some(completed.clone());
        }
        let Some(child) = self.taken(caller, completed, target) else {
            return;
        };
        let Some(process) = self.processes.get_mut(&child) else {
            return;
        };
        process.history.last = Some(completed.clone());
        // A poll that says nothing is here only if it took the child.
        if !completed.reported_an_end() && completed.outcome != Outcome::Nothing {
            return;
        }
        if completed.options.contains(WaitOptions::NOWAIT) {
            process.history.peeked = Some(completed.clone());
            return;
        }
        // An end that was not observed, of a child that is not traced. Without a
        // status it could be a stop.
        if process.ended.is_none() {
            let Outcome::Child(_, Some(status)) = completed.outcome else {
                return;
            };
            process.ended = Some(super::process::End {
                when: completed.when,
                status,
                parent_busy: super::BlockedTime::default(),
            });
        }
        self.counts.reaped += 1;
        let mut was_only_child = false;
        let mut by_process = ParentId::untraced(caller);
        if let Some(parent) = self.processes.get_mut(&caller) {
            by_process = parent.as_parent();
            was_only_child = parent.children == 1;
            let waits = parent.waits.get_or_insert_default();
            let before = waits.last_reaped.map_or(0, |(_, count)| count);
            waits.last_reaped = Some((child, before + 1));
        }
        let reap = Reap {
            when: completed.when,
            by: completed.tid,
            by_process,
            way: completed.way(),
            took_status: completed.takes_status,
            was_only_child,
        };
        self.reap(child, reap);
    }

    /// The child that a wait reported.
    fn taken(&self, caller: Tgid, completed: &CompletedWait, target: Option<Tgid>) -> Option<Tgid> {
        let named = target.filter(|_| completed.way() == ReapKind::Specific);
        // Those without a siginfo are waitids, which must be asked for ends.
        let asks = completed.options.contains(WaitOptions::EXITED);
        match completed.outcome {
            Outcome::Child(pid, _) if pid.raw() > 0 => {
                // The kernel resolves a pidfd more reliably than we do a pid.
                let child = self.recall(caller, pid)?;
                Some(named.unwrap_or(child.tgid))
            }
            // waitid without a siginfo does not report which child it took: the one that
            // it named, or the only one that there was.
            Outcome::Child(..) if asks => {
                let zombies = &self.process(caller)?.zombies;
                let only = zombies.iter().copied().next();
                let only = only.filter(|_| zombies.len() == 1);
                let taken = if completed.way() == ReapKind::Specific {
                    named
                } else {
                    only
                };
                taken.filter(|tgid| self.process(*tgid).is_some_and(Process::is_zombie))
            }
            Outcome::Nothing
                if asks && !completed.takes_status && completed.call == WaitCall::Waitid =>
            {
                // Without a siginfo a poll succeeds in either case; it took a
                // child that was dead before it began.
                named.filter(|tgid| {
                    let child = self.process(*tgid).filter(|child| child.is_zombie());
                    let ended = child.and_then(|child| child.ended);
                    ended.is_some_and(|end| end.when.at < completed.entered)
                })
            }
            _ => None,
        }
    }

    /// EFAULT may have consumed a child: what was a zombie and is no more.
    fn faulted(&mut self, caller: Tgid, exit: &WaitExit, target: Option<Tgid>) {
        let Some(remaining) = &exit.remaining else {
            return;
        };
        if exit.entry.options.contains(WaitOptions::NOWAIT) {
            return;
        }
        let zombies = self.unreaped(caller);
        let gone = zombies.filter(|child| !remaining.contains(&child.tgid));
        // What the call named or what died within it was taken by it. One that
        // died before may have been reaped by the kernel, if that can be.
        let caller = self.process(caller);
        let keeps = caller.is_some_and(|caller| caller.sigchld.reaps_for_us() == Some(false));
        let certain = gone.filter(|child| {
            let within = child.ended.is_some_and(|end| end.when.at >= exit.entered);
            target.map_or(keeps || within, |target| target == child.tgid)
        });
        let certain: Vec<Tgid> = certain.map(|child| child.tgid).collect();
        if let [child] = certain.as_slice() {
            self.bury(*child, ReapKind::Fault);
        }
    }
}
