//! Whose stop is next: all tracees that are ready get their turn.
//!
//! A wait for any tracee returns the first one that is ready in the order of the
//! kernel's list, which begins with the youngest (`do_wait_thread` in kernel/exit.c).
//! One that calls all the time is ready again before the tracer's next wait: of several
//! such threads the oldest would hardly run. So what is ready is taken in rounds, each
//! tracee once. While only one is ready, most waits do without the calls that a round
//! costs.

use std::collections::VecDeque;
use std::thread;
use std::time::Duration;

use super::engine::Tracer;
use super::scheduler::Scheduler;
use super::stop::{StopKind, classify};
use crate::kernel::{Tid, WaitStatus};
use crate::sys::ptrace::{Stopped, is_dead_tracee};
use crate::sys::wait::{Block, Handling, Waited, wait_any, wait_any_after_look, wait_for};

/// How many waits do without a round once only one tracee was ready. Another that becomes
/// ready is late by so many stops at most: threads that hand work over wait for that.
const WAITS_WITHOUT_ROUND: u32 = 3;
/// How long to sleep when no task but the one that is left out was ready.
const PAUSE: Duration = Duration::from_micros(100);
/// So many stops have room from the start.
const ROOM: usize = 64;

/// The stops that a round has taken, and whether there are rounds now.
pub(super) struct Turns {
    /// Stops of calls, which are still to be dealt with.
    ready: VecDeque<(Stopped, WaitStatus)>,
    /// How many waits are left until the next round.
    alone: u32,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns {
            ready: VecDeque::with_capacity(ROOM),
            alone: 0,
        }
    }
}

impl Turns {
    /// The stop of this task is no more: another goes on with its tid.
    pub(super) fn forget(&mut self, tid: Tid) {
        self.ready.retain(|(tracee, _)| tracee.tid() != tid);
    }
}

impl<S> Handling for Tracer<S> {
    /// What a round takes is resumed only after the waits that follow in it.
    fn resumes_first(&self, tid: Tid, is_call: bool) -> bool {
        let is_next = !is_call || self.turns.alone > 0;
        self.attaches && is_next && self.tasks.by_tid.contains_key(&tid)
    }

    fn wants_usage(&self) -> bool {
        self.capture.usage
    }

    /// As PID 1 or subreaper we reap orphans, which may have been tracees of
    /// ours: their deaths were reported when the tracer took them. By their
    /// pids they would be taken for the next process that has it.
    fn passes_over(&self, dead: Tid) -> bool {
        self.has_strangers && !self.tasks.by_tid.contains_key(&dead) && !is_dead_tracee(dead)
    }
}

impl<S: Scheduler> Tracer<S> {
    /// The next stop or death.
    pub(super) fn next(&mut self, block: Block) -> Waited {
        while let Some((tracee, status)) = self.turns.ready.pop_front() {
            // It may have died since.
            if self.tasks.by_tid.contains_key(&tracee.tid()) {
                return Waited::Stopped(tracee, status);
            }
        }
        if S::IS_ACTIVE {
            return self.wait(block);
        }
        if let Some(left) = self.turns.alone.checked_sub(1) {
            let waited = self.wait(block);
            self.turns.alone = left;
            return waited;
        }
        match self.wait(block) {
            Waited::Stopped(tracee, status) if is_call(status) => self.round(tracee, status),
            waited => waited,
        }
    }

    /// Take one stop of each tracee that is ready too. What is no stop of a call comes
    /// first, as it is not known to be what it was after others were resumed. It ends, as
    /// none of those that are taken runs.
    fn round(&mut self, first: Stopped, status: WaitStatus) -> Waited {
        loop {
            match self.wait(Block::No) {
                Waited::Stopped(tracee, status) if is_call(status) => {
                    self.turns.ready.push_back((tracee, status));
                }
                Waited::Nothing | Waited::Interrupted | Waited::NoChildren => break,
                other => {
                    self.turns.ready.push_front((first, status));
                    return other;
                }
            }
        }
        if self.turns.ready.is_empty() {
            self.turns.alone = WAITS_WITHOUT_ROUND;
        }
        Waited::Stopped(first, status)
    }

    /// Launched tasks end with us; attached ones go on, with their signals.
    fn wait(&self, block: Block) -> Waited {
        if S::IS_ACTIVE
            && let Some(dead) = self.scheduler.unreaped()
        {
            return self.wait_beside(dead, block);
        }
        if self.attaches || self.has_strangers {
            wait_any_after_look(block, self)
        } else {
            wait_any(block, self.capture.usage)
        }
    }

    /// Wait for any task but one, which may be dead: no wait of the kernel's
    /// leaves a single child out, so each is asked in turn.
    fn wait_beside(&self, dead: Tid, block: Block) -> Waited {
        let others = self.tasks.by_tid.keys().filter(|tid| **tid != dead);
        let mut others: Vec<Tid> = others.copied().collect();
        // The same in each run, which a replay needs.
        others.sort_unstable();
        let mut ready = others
            .into_iter()
            .map(|tid| wait_for(tid, self.capture.usage));
        let first = ready.find(|waited| matches!(waited, Waited::Stopped(..) | Waited::Ended(..)));
        if let Some(waited) = first {
            return waited;
        }
        if block == Block::No {
            return Waited::Nothing;
        }
        thread::sleep(PAUSE);
        Waited::Interrupted
    }
}

/// Whether a stop is at a system call. Such a stop says itself whether it is still the
/// one that a wait returned.
fn is_call(status: WaitStatus) -> bool {
    matches!(
        classify(status, || None),
        StopKind::Syscall | StopKind::Seccomp
    )
}
