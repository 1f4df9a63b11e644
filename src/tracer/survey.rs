//! Looking at what all processes are blocked in: on a thread of its own, as some of
//! what it reads may block. The tracer goes on meanwhile, and takes what is known when
//! it is told, or when that takes too long.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::engine::Tracer;
use super::scheduler::Scheduler;
use crate::event::{BlockedTask, Event, EventKind, LookCause, Moment, WaitingLook};
use crate::kernel::{Tgid, Tid};
use crate::proc;
use crate::sys::wake_signal::keep_signals_out;
use crate::sys::waker::WakeHandle;

/// How long a look may take, on a machine that is busy; what is known then must do.
const LIMIT: Duration = Duration::from_secs(2);
/// The stack of the thread, whatever the user's limit is.
const STACK: usize = 1 << 20;

/// A look that goes on.
#[derive(Debug)]
pub(super) struct Survey {
    known: Arc<Mutex<Known>>,
    cause: LookCause,
    begun: Moment,
    until: Instant,
}

/// What the thread has found so far.
#[derive(Debug, Default)]
struct Known {
    tasks: Vec<BlockedTask>,
    is_done: bool,
}

/// What a look that took too long writes to.
#[derive(Debug)]
pub(super) struct Stuck(Arc<Mutex<Known>>);

impl<S: Scheduler> Tracer<S> {
    /// Begin to look at these processes and those below them; there is one look at a
    /// time. [`Tracer::take_look`] has the answer when the tracer is woken.
    pub(crate) fn begin_look(&mut self, roots: Vec<Tgid>, cause: LookCause) {
        if self.survey.is_some() {
            return;
        }
        let known = Arc::new(Mutex::new(Known::default()));
        let is_possible = self.sees_proc() && !self.is_stuck();
        if !(is_possible && begin(roots, Arc::clone(&known), self.waker.handle())) {
            lock(&known).is_done = true;
        }
        let until = Instant::now() + LIMIT;
        self.survey = Some(Survey {
            known,
            cause,
            begun: self.now(),
            until,
        });
    }

    /// When a look is given up at the latest, or now if it is over.
    pub(crate) fn look_is_due(&self) -> Option<Instant> {
        let survey = self.survey.as_ref()?;
        let is_done = lock(&survey.known).is_done;
        Some(if is_done {
            Instant::now()
        } else {
            survey.until
        })
    }

    /// What the look found, once it is over.
    pub(crate) fn take_look(&mut self) -> Option<Event> {
        let survey = self.survey.take_if(|survey| {
            let is_done = lock(&survey.known).is_done;
            is_done || Instant::now() >= survey.until
        })?;
        let mut known = lock(&survey.known);
        let mut tasks = std::mem::take(&mut known.tasks);
        let is_done = known.is_done;
        drop(known);
        // No other thread is risked while one is blocked.
        self.stuck_survey = (!is_done).then_some(Stuck(survey.known));
        for task in &mut tasks {
            let woken = self.tasks.by_tid.get(&task.tid).and_then(|task| task.woken);
            task.is_older = task
                .asleep
                .zip(woken)
                .is_some_and(|(asleep, woken)| was_woken(survey.begun, asleep, woken));
        }
        let look = WaitingLook {
            cause: survey.cause,
            tasks,
        };
        let at = self.now();
        let (tid, tgid) = (Tid::new(0), Tgid::new(0));
        Some(self.event(at, tid, tgid, EventKind::Looked(Box::new(look))))
    }

    /// Whether the last look is still blocked on a file.
    fn is_stuck(&self) -> bool {
        let stuck = self.stuck_survey.as_ref();
        stuck.is_some_and(|Stuck(known)| !lock(known).is_done)
    }
}

/// Whether a thread that was asleep for so long at a look fell asleep just after it was
/// woken then.
fn was_woken(look: Moment, asleep: u64, woken: Moment) -> bool {
    /// Nanoseconds from a stop to the sleep behind it, on a machine that is busy.
    const AT_MOST: u64 = 50_000_000;
    look.0.saturating_sub(asleep) <= woken.0.saturating_add(AT_MOST)
}

/// Start the thread. Returns whether there is one.
fn begin(roots: Vec<Tgid>, known: Arc<Mutex<Known>>, waker: WakeHandle) -> bool {
    let thread = thread::Builder::new().name("waiting".to_owned());
    let started = thread.stack_size(STACK).spawn(move || {
        keep_signals_out();
        proc::look_at_blocked(&roots, &mut |tasks| lock(&known).tasks = tasks);
        lock(&known).is_done = true;
        waker.wake();
    });
    started.is_ok()
}

fn lock(known: &Mutex<Known>) -> std::sync::MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_that_follows_a_wake_up_may_be_older() {
        let millis = |millis: u64| millis * 1_000_000;
        let woken = |asleep, woken| {
            let look = Moment(millis(10_000));
            was_woken(look, millis(asleep), Moment(millis(woken)))
        };
        assert!(woken(500, 9_499), "at once");
        assert!(!woken(500, 8_000), "it ran since");
        assert!(woken(20_000, 9_000), "asleep since before the trace");
    }
}
