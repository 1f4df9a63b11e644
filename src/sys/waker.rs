//! Wakes the tracer's blocking wait: for deadlines, signals to wait4-strace, and other
//! threads.
//!
//! A wait sleeps until a tracee stops; only a signal with a handler interrupts it
//! ([`WakeSignal`]). A signal just before the wait would be lost, so a timer sends it,
//! and repeats it until it is answered ([`REPEAT`]). This needs no other thread.
#![expect(unsafe_code, reason = "signal handlers")]

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::timer::{self, Timer};
use super::wake_signal::WakeSignal;

/// The interval at which a wake-up is repeated until it is answered.
const REPEAT: Duration = Duration::from_millis(5);

/// Signals that have arrived in this process, bit `n` for signal `n`.
static ARRIVED: AtomicU64 = AtomicU64::new(0);
/// The timer that wakes the tracer for them; -1 if no tracer takes signals.
static SIGNAL_TIMER: AtomicI32 = AtomicI32::new(-1);

/// Wakes the thread that created it.
pub(crate) struct Waker {
    /// Fires at the next deadline.
    timer: Timer,
    armed: Cell<Option<Instant>>,
    urgent: Arc<Urgent>,
    /// It was created for signals too.
    takes_signals: bool,
    /// Dropped last, when no timer uses it any more.
    _signal: WakeSignal,
}

/// Wake-ups that must not wait for a deadline.
#[derive(Debug)]
struct Urgent {
    timer: Timer,
    /// Another thread called.
    called: AtomicBool,
}

/// Allows other threads to wake the tracer.
#[derive(Clone, Debug)]
pub(crate) struct WakeHandle(Arc<Urgent>);

impl WakeHandle {
    /// Wakes the tracer; has no effect when it is gone.
    pub(crate) fn wake(&self) {
        self.0.called.store(true, SeqCst);
        self.0.timer.start(Duration::ZERO, REPEAT);
    }
}

/// The signals that arrived since the last query.
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

/// The signals that have arrived and end a trace, if not taken yet.
fn ending() -> u64 {
    ARRIVED.load(SeqCst) & !bit(libc::SIGUSR1)
}

/// Whether a signal that ends a trace has arrived and is not taken yet.
pub(crate) fn an_ending_signal_waits() -> bool {
    ending() != 0
}

/// A signal that ends a trace, has arrived and is not taken yet.
pub(crate) fn ending_signal() -> Option<i32> {
    let ending = ending();
    (1..=64).find(|signal| ending & bit(*signal) != 0)
}

/// Records a signal, and wakes the tracer until it is taken. Async-signal-safe.
extern "C" fn note(signal: i32) {
    // SAFETY: the address of this thread's errno, which the interrupted code
    // may be about to read.
    let errno = unsafe { *libc::__errno_location() };
    ARRIVED.fetch_or(bit(signal), SeqCst);
    let timer = SIGNAL_TIMER.load(SeqCst);
    timer::set(timer, Duration::from_nanos(1), REPEAT);
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

impl Waker {
    /// A waker of the calling thread. `signals` are taken from the whole process and never
    /// returned: only one waker can have any.
    ///
    /// # Errors
    /// Those of the system calls that make timers and handlers.
    pub(crate) fn new(signals: &[Signal], signal: WakeSignal) -> io::Result<Waker> {
        let urgent = Arc::new(Urgent {
            timer: Timer::new(signal.number())?,
            called: AtomicBool::new(false),
        });
        let waker = Waker {
            timer: Timer::new(signal.number())?,
            armed: Cell::new(None),
            urgent,
            takes_signals: !signals.is_empty(),
            _signal: signal,
        };
        if waker.takes_signals {
            SIGNAL_TIMER.store(waker.urgent.timer.id(), SeqCst);
        }
        // Calls that they interrupt are restarted; only the wake signal ends a wait.
        let flags = SaFlags::SA_RESTART;
        let action = SigAction::new(SigHandler::Handler(note), flags, SigSet::all());
        for signal in signals {
            // SAFETY: the handler is async-signal-safe.
            unsafe { sigaction(*signal, &action) }?;
        }
        let set: SigSet = signals.iter().copied().collect();
        set.thread_unblock()?;
        Ok(waker)
    }

    /// A handle with which another thread can wake this one.
    pub(crate) fn handle(&self) -> WakeHandle {
        WakeHandle(Arc::clone(&self.urgent))
    }

    /// Whether a signal arrived, another thread called, or the deadline has
    /// passed at `now`.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.armed.get().is_some_and(|at| at <= now)
            || self.urgent.called.load(SeqCst)
            || (self.takes_signals && ARRIVED.load(SeqCst) != 0)
    }

    /// Whether another thread called since the last query.
    pub(crate) fn take_call(&self) -> bool {
        self.disarm();
        self.urgent.called.swap(false, SeqCst)
    }

    /// Takes the signals that have arrived.
    pub(crate) fn take_signals(&self) -> Arrived {
        self.disarm();
        Arrived(ARRIVED.swap(0, SeqCst))
    }

    /// Stops the timer; before the state is taken, so that a later wake-up starts it again.
    fn disarm(&self) {
        self.urgent.timer.stop();
    }

    /// Takes the deadline, if it has passed at `now`.
    pub(crate) fn take_due(&self, now: Instant) -> bool {
        let is_due = self.armed.get().is_some_and(|at| at <= now);
        if is_due {
            self.armed.set(None);
            self.timer.stop();
        }
        is_due
    }

    /// Wakes at this time, or earlier if that was requested before. A caller that is still
    /// waiting then must request it again.
    pub(crate) fn wake_at(&self, at: Instant) {
        if self.armed.get().is_none_or(|armed| at < armed) {
            self.armed.set(Some(at));
            self.timer
                .start(at.saturating_duration_since(Instant::now()), REPEAT);
        }
    }

    /// Wakes after this time, or earlier if that was requested before.
    pub(crate) fn wake_after(&self, after: Duration) {
        self.wake_at(Instant::now() + after);
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        if self.takes_signals {
            SIGNAL_TIMER.store(-1, SeqCst);
        }
        // The signal is returned: no timer may send it any more.
        self.timer.stop();
        self.urgent.timer.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sleeps until a signal handler has run.
    fn sleep_until_woken() {
        // SAFETY: takes no pointers; without a timeout it sleeps for ever.
        unsafe { libc::poll(std::ptr::null_mut(), 0, -1) };
    }

    #[test]
    fn a_deadline_ends_a_sleep_and_wakes_until_it_is_taken() {
        let waker = Waker::new(&[], WakeSignal::borrowed().unwrap()).unwrap();
        let begun = Instant::now();
        waker.wake_after(Duration::from_secs(1000));
        waker.wake_after(Duration::from_millis(20));
        waker.wake_after(Duration::from_secs(2000));
        sleep_until_woken();
        sleep_until_woken();
        assert!(begun.elapsed() >= Duration::from_millis(20));
        assert!(waker.is_due(Instant::now()) && waker.take_due(Instant::now()));
        assert!(!waker.is_due(begun + Duration::from_secs(3000)));
    }

    #[test]
    fn another_thread_ends_a_sleep() {
        let waker = Waker::new(&[], WakeSignal::borrowed().unwrap()).unwrap();
        let handle = waker.handle();
        let thread = std::thread::spawn(move || {
            handle.wake();
            handle
        });
        while !waker.is_due(Instant::now()) {
            sleep_until_woken();
        }
        sleep_until_woken();
        assert!(waker.take_call() && !waker.take_call());
        let handle = thread.join().unwrap();
        drop(waker);
        handle.wake();
    }
}
