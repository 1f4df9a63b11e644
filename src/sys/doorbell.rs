//! What wakes the tracer's blocking wait: deadlines, signals to wait4-strace,
//! and other threads.
//!
//! A wait sleeps until a tracee stops; only a signal with a handler ends it
//! before ([`Ring`]). One that came just before the wait would be lost, so each
//! ring is a timer's, which rings again and again until it is answered
//! ([`AGAIN`]). No thread is needed for that.
#![expect(unsafe_code, reason = "signal handlers")]

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::ring::Ring;
use super::timer::{self, Timer};

/// How long until a bell that nobody answered rings again.
const AGAIN: Duration = Duration::from_millis(5);

/// Signals that have arrived in this process, bit `n` for signal `n`.
static ARRIVED: AtomicU64 = AtomicU64::new(0);
/// The timer that rings for them; -1 if nobody waits for any.
static RINGS_FOR_SIGNALS: AtomicI32 = AtomicI32::new(-1);

/// The tracer's bell, of the thread that made it.
pub(crate) struct Doorbell {
    /// Rings at the next deadline.
    timer: Timer,
    armed: Cell<Option<Instant>>,
    urgent: Arc<Urgent>,
    /// It was made for signals too.
    hears_signals: bool,
    /// Given back when nothing rings any more.
    _ring: Ring,
}

/// What cannot wait for a deadline.
#[derive(Debug)]
struct Urgent {
    timer: Timer,
    /// Another thread called.
    called: AtomicBool,
}

/// For other threads to ring by.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Arc<Urgent>);

impl Caller {
    /// Ring; harmless when the tracer is gone.
    pub(crate) fn call(&self) {
        self.0.called.store(true, SeqCst);
        self.0.timer.ring(Duration::ZERO, AGAIN);
    }
}

/// The signals that arrived since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrived(u64);

impl Arrived {
    /// Whether `signal` is among them.
    pub(crate) fn has(self, signal: Signal) -> bool {
        self.0 & bit(signal as i32) != 0
    }
}

fn bit(signal: i32) -> u64 {
    1u64 << (signal & 63)
}

/// The signals that have arrived and end a trace, if they were not taken yet.
fn ending() -> u64 {
    ARRIVED.load(SeqCst) & !bit(libc::SIGUSR1)
}

/// Whether a signal that ends a trace has arrived and was not taken yet.
pub(crate) fn an_ending_signal_waits() -> bool {
    ending() != 0
}

/// A signal that ends a trace, has arrived and was not taken yet.
pub(crate) fn ending_signal() -> Option<i32> {
    let ending = ending();
    (1..=64).find(|signal| ending & bit(*signal) != 0)
}

/// Notes a signal, and rings until it is taken. Async-signal-safe.
extern "C" fn note(signal: i32) {
    // SAFETY: the address of this thread's errno, which the interrupted code
    // may be about to read.
    let errno = unsafe { *libc::__errno_location() };
    ARRIVED.fetch_or(bit(signal), SeqCst);
    let timer = RINGS_FOR_SIGNALS.load(SeqCst);
    timer::set(timer, Duration::from_nanos(1), AGAIN);
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

impl Doorbell {
    /// A bell for the calling thread. `signals` are taken from the whole
    /// process, for good: only one bell can have any.
    ///
    /// # Errors
    /// Those of the system calls that make timers and handlers.
    pub(crate) fn new(signals: &[Signal], ring: Ring) -> io::Result<Doorbell> {
        let urgent = Arc::new(Urgent {
            timer: Timer::new(ring.number())?,
            called: AtomicBool::new(false),
        });
        let doorbell = Doorbell {
            timer: Timer::new(ring.number())?,
            armed: Cell::new(None),
            urgent,
            hears_signals: !signals.is_empty(),
            _ring: ring,
        };
        if doorbell.hears_signals {
            RINGS_FOR_SIGNALS.store(doorbell.urgent.timer.id(), SeqCst);
        }
        // What they interrupt goes on; the ring alone ends a wait.
        let flags = SaFlags::SA_RESTART;
        let action = SigAction::new(SigHandler::Handler(note), flags, SigSet::all());
        for signal in signals {
            // SAFETY: the handler is async-signal-safe.
            unsafe { sigaction(*signal, &action) }?;
        }
        let set: SigSet = signals.iter().copied().collect();
        set.thread_unblock()?;
        Ok(doorbell)
    }

    /// For another thread to ring by.
    pub(crate) fn caller(&self) -> Caller {
        Caller(Arc::clone(&self.urgent))
    }

    /// Whether a signal arrived, another thread called, or the deadline has
    /// passed at `now`.
    pub(crate) fn rings(&self, now: Instant) -> bool {
        self.armed.get().is_some_and(|at| at <= now)
            || self.urgent.called.load(SeqCst)
            || (self.hears_signals && ARRIVED.load(SeqCst) != 0)
    }

    /// Whether another thread called since the last look.
    pub(crate) fn take_call(&self) -> bool {
        self.calm();
        self.urgent.called.swap(false, SeqCst)
    }

    /// Take the signals that arrived.
    pub(crate) fn take_signals(&self) -> Arrived {
        self.calm();
        Arrived(ARRIVED.swap(0, SeqCst))
    }

    /// Silence what rang; before the answer is taken, so that what comes
    /// meanwhile rings again.
    fn calm(&self) {
        self.urgent.timer.silence();
    }

    /// Take the deadline, if it has passed at `now`.
    pub(crate) fn take_due(&self, now: Instant) -> bool {
        let is_due = self.armed.get().is_some_and(|at| at <= now);
        if is_due {
            self.armed.set(None);
            self.timer.silence();
        }
        is_due
    }

    /// Ring at this time, or earlier if somebody wants that. Whoever is still
    /// waiting then must ask again.
    pub(crate) fn ring_at(&self, at: Instant) {
        if self.armed.get().is_none_or(|armed| at < armed) {
            self.armed.set(Some(at));
            self.timer
                .ring(at.saturating_duration_since(Instant::now()), AGAIN);
        }
    }

    /// Ring when so much time has passed, or earlier if somebody wants that.
    pub(crate) fn ring_after(&self, after: Duration) {
        self.ring_at(Instant::now() + after);
    }
}

impl Drop for Doorbell {
    fn drop(&mut self) {
        if self.hears_signals {
            RINGS_FOR_SIGNALS.store(-1, SeqCst);
        }
        // The ring is given back: nothing may ring any more.
        self.timer.silence();
        self.urgent.timer.silence();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sleep until a signal's handler has run.
    fn sleep_until_rung() {
        // SAFETY: takes no pointers; without a timeout it sleeps for ever.
        unsafe { libc::poll(std::ptr::null_mut(), 0, -1) };
    }

    #[test]
    fn a_deadline_ends_a_sleep_and_rings_until_it_is_taken() {
        let bell = Doorbell::new(&[], Ring::borrowed().unwrap()).unwrap();
        let begun = Instant::now();
        bell.ring_after(Duration::from_secs(1000));
        bell.ring_after(Duration::from_millis(20));
        bell.ring_after(Duration::from_secs(2000));
        sleep_until_rung();
        sleep_until_rung();
        assert!(begun.elapsed() >= Duration::from_millis(20));
        assert!(bell.rings(Instant::now()) && bell.take_due(Instant::now()));
        assert!(!bell.rings(begun + Duration::from_secs(3000)));
    }

    #[test]
    fn another_thread_ends_a_sleep() {
        let bell = Doorbell::new(&[], Ring::borrowed().unwrap()).unwrap();
        let caller = bell.caller();
        let thread = std::thread::spawn(move || {
            caller.call();
            caller
        });
        while !bell.rings(Instant::now()) {
            sleep_until_rung();
        }
        sleep_until_rung();
        assert!(bell.take_call() && !bell.take_call());
        let caller = thread.join().unwrap();
        drop(bell);
        caller.call();
    }
}
