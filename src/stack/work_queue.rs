//! A work queue with threads of its own, for work that may block for ever: opening
//! and reading files of tracees.
//!
//! A file may be served by a tracee (FUSE), which responds only while the tracer
//! runs, or by a server that never responds: a thread that reads it then sleeps
//! uninterruptibly. Such a thread is abandoned, and another takes its place; after
//! a few of those there are no more threads. What the remaining jobs should find
//! stays unknown.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::watch::{self, Watch};
use crate::sys::wake_signal::keep_signals_out;

/// How long a file may take to respond; unit tests wait for it several times.
const ANSWER: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 3 });
/// How many threads may be blocked on files that do not respond.
const MOST_STUCK: usize = 4;
/// How many jobs may be queued; with more, memory use would grow.
const MOST_JOBS: usize = 1 << 16;
/// Stack size of a thread, independent of the user's limit: demanglers recurse.
const STACK: usize = 4 << 20;

/// A unit of work.
pub(super) trait Job: Send + Sync + UnwindSafe + RefUnwindSafe + 'static {
    /// What a thread keeps between jobs.
    type State: Default;

    /// Do it.
    fn run(&self, state: &mut Self::State);

    /// It is not done, or not finished: continue without its result.
    fn give_up(&self);
}

/// A queue of jobs, done in order.
pub(super) struct WorkQueue<J> {
    shared: Arc<Mutex<State<J>>>,
    work: Arc<std::sync::Condvar>,
}

struct State<J> {
    jobs: VecDeque<Arc<J>>,
    /// The thread that works, if any.
    worker: Option<Worker<J>>,
    /// The number of the next thread.
    next: u64,
    /// How many threads were abandoned and have not come back.
    stuck: usize,
    /// No job will be added except by other jobs: idle threads may end.
    closed: bool,
    /// When all jobs that are not done are given up.
    until: Option<Instant>,
}

struct Worker<J> {
    number: u64,
    job: Option<Arc<J>>,
    watch: Arc<Watch>,
}

impl<J: Job> WorkQueue<J> {
    pub(super) fn new() -> WorkQueue<J> {
        let state = State {
            jobs: VecDeque::new(),
            worker: None,
            next: 0,
            stuck: 0,
            closed: false,
            until: None,
        };
        WorkQueue {
            shared: Arc::new(Mutex::new(state)),
            work: Arc::default(),
        }
    }

    /// Queues a job.
    pub(super) fn send(&self, job: J) {
        let mut state = lock(&self.shared);
        let is_late = state.until.is_some_and(|until| until <= Instant::now());
        if is_late || state.jobs.len() >= MOST_JOBS || !self.start(&mut state) {
            drop(state);
            job.give_up();
            return;
        }
        state.jobs.push_back(Arc::new(job));
        self.work.notify_one();
    }

    /// Makes sure that there is a thread; returns whether there is one.
    fn start(&self, state: &mut State<J>) -> bool {
        if state.worker.is_some() {
            return true;
        }
        if state.stuck >= MOST_STUCK {
            return false;
        }
        let (number, watch) = (state.next, Arc::<Watch>::default());
        state.next += 1;
        let queue = WorkQueue {
            shared: Arc::clone(&self.shared),
            work: Arc::clone(&self.work),
        };
        let watched = Arc::clone(&watch);
        let thread = thread::Builder::new().name("stacks".to_owned());
        let started = thread.stack_size(STACK).spawn(move || {
            keep_signals_out();
            watch::begin(watched);
            queue.work(number);
        });
        state.worker = started.is_ok().then_some(Worker {
            number,
            job: None,
            watch,
        });
        state.worker.is_some()
    }

    /// The loop of the thread with this number.
    fn work(&self, number: u64) {
        let mut kept = J::State::default();
        let mut state = lock(&self.shared);
        loop {
            let is_left = |state: &State<J>| {
                let worker = state.worker.as_ref();
                worker.is_none_or(|worker| worker.number != number)
            };
            if is_left(&state) {
                state.stuck -= 1;
                return;
            }
            let job = state.jobs.pop_front();
            if let Some(worker) = &mut state.worker {
                worker.job.clone_from(&job);
            }
            let Some(job) = job else {
                if state.closed {
                    state.worker = None;
                    return;
                }
                let waited = self.work.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let done = catch_unwind(AssertUnwindSafe(|| job.run(&mut kept)));
            if done.is_err() {
                // A panic in code that reads files must not affect other jobs.
                kept = J::State::default();
                job.give_up();
            }
            state = lock(&self.shared);
        }
    }

    /// Abandons a thread that is blocked on a file; gives up jobs when the time limit
    /// has passed.
    pub(super) fn check(&self) {
        let mut state = lock(&self.shared);
        let worker = state.worker.as_ref();
        let is_stuck = worker.is_some_and(|worker| worker.watch.waits_longer_than(ANSWER));
        let is_late = state.until.is_some_and(|until| until <= Instant::now());
        if !is_stuck && !is_late {
            return;
        }
        let mut given_up = Vec::new();
        if let Some(worker) = state.worker.take_if(|worker| worker.job.is_some()) {
            given_up.extend(worker.job);
            state.stuck += 1;
        }
        if is_late || (!state.jobs.is_empty() && !self.start(&mut state)) {
            given_up.extend(state.jobs.drain(..));
        }
        drop(state);
        for job in given_up {
            job.give_up();
        }
    }

    /// A caller waits for the remaining jobs, at most this long.
    pub(super) fn hurry(&self, limit: Duration) {
        let until = Instant::now() + limit;
        let mut state = lock(&self.shared);
        state.until = Some(state.until.map_or(until, |before| before.min(until)));
    }

    /// Threads end when no job is left.
    pub(super) fn close(&self) {
        lock(&self.shared).closed = true;
        self.work.notify_all();
    }
}

fn lock<J>(state: &Mutex<State<J>>) -> MutexGuard<'_, State<J>> {
    // The state is consistent whenever it is unlocked.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    #[derive(Default)]
    struct Count {
        done: AtomicUsize,
        given_up: AtomicUsize,
    }

    /// Blocks as on a file that does not respond, until it is released.
    struct Nap(Arc<Count>, Option<Mutex<Receiver<()>>>);

    impl Job for Nap {
        type State = ();

        fn run(&self, (): &mut ()) {
            if let Some(end) = &self.1 {
                watch::during(|| end.lock().unwrap().recv().ok());
            }
            self.0.done.fetch_add(1, SeqCst);
        }

        fn give_up(&self) {
            self.0.given_up.fetch_add(1, SeqCst);
        }
    }

    fn eventually(queue: &WorkQueue<Nap>, what: impl Fn() -> bool) {
        for _ in 0..6000 {
            queue.check();
            if what() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("it never came");
    }

    #[test]
    fn a_thread_that_is_not_answered_is_left_behind() {
        let (count, queue) = (Arc::<Count>::default(), WorkQueue::new());
        let given_up = || count.given_up.load(SeqCst);
        let mut ends = Vec::new();
        for stuck in 1..=MOST_STUCK {
            let (end, wait) = channel();
            ends.push(end);
            queue.send(Nap(Arc::clone(&count), Some(Mutex::new(wait))));
            eventually(&queue, || given_up() == stuck);
        }
        // No further thread starts, but those that come back count.
        queue.send(Nap(Arc::clone(&count), None));
        assert_eq!(given_up(), MOST_STUCK + 1);
        assert_eq!(count.done.load(SeqCst), 0);
        drop(ends);
        eventually(&queue, || lock(&queue.shared).stuck == 0);
        queue.send(Nap(Arc::clone(&count), None));
        eventually(&queue, || count.done.load(SeqCst) == MOST_STUCK + 1);
    }

    #[test]
    fn what_takes_too_long_is_given_up() {
        let (count, queue) = (Arc::<Count>::default(), WorkQueue::new());
        let (end, wait) = channel();
        queue.send(Nap(Arc::clone(&count), Some(Mutex::new(wait))));
        queue.send(Nap(Arc::clone(&count), None));
        queue.hurry(Duration::from_millis(20));
        queue.hurry(Duration::from_hours(1));
        eventually(&queue, || count.given_up.load(SeqCst) == 2);
        // The same holds for later jobs.
        queue.send(Nap(Arc::clone(&count), None));
        assert_eq!(count.given_up.load(SeqCst), 3);
        drop(end);
    }

    #[test]
    fn the_rest_is_done_by_another_thread_and_a_closed_queue_ends() {
        let (count, queue) = (Arc::<Count>::default(), WorkQueue::new());
        let (end, wait) = channel();
        queue.send(Nap(Arc::clone(&count), Some(Mutex::new(wait))));
        queue.send(Nap(Arc::clone(&count), None));
        queue.close();
        eventually(&queue, || count.done.load(SeqCst) == 1);
        assert_eq!(count.given_up.load(SeqCst), 1);
        drop(end);
        eventually(&queue, || lock(&queue.shared).worker.is_none());
        // Jobs added by jobs are still done.
        queue.send(Nap(Arc::clone(&count), None));
        eventually(&queue, || count.done.load(SeqCst) == 3);
    }
}
