//! A second thread that only sleeps: it turns signals to wait4-strace and a
//! deadline into something that the tracer's blocking wait can be woken by.
//!
//! A flag that is set just before the wait begins would be seen only when the
//! wait ends. So the thread rings until the tracer has answered: it sends a
//! signal with an empty handler ([`Ring`]), which ends a wait with EINTR, and
//! again after [`AGAIN`] if nobody took what there is to take.
#![expect(unsafe_code, reason = "pthread_kill")]

use std::cell::Cell;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::ring::{Ring, keep_signals_out};

/// How long until the thread rings again, in milliseconds.
const AGAIN: u16 = 5;

/// The tracer's end.
pub(crate) struct Doorbell {
    shared: Arc<Shared>,
    timer: Arc<TimerFd>,
    wake: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
    /// When the timer will ring, if it is set.
    armed: Cell<Option<Instant>>,
    /// Given back when the thread that rings is gone.
    _ring: Ring,
}

#[derive(Debug, Default)]
struct Shared {
    /// Bit `n` for signal `n`.
    signals: AtomicU64,
    due: AtomicBool,
    /// Another thread called.
    called: AtomicBool,
    /// The tracer is done with the bell.
    over: AtomicBool,
}

impl Shared {
    fn waiting(&self) -> bool {
        self.due.load(SeqCst) || self.called.load(SeqCst) || self.signals.load(SeqCst) != 0
    }
}

/// For other threads to ring by.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    shared: Arc<Shared>,
    wake: Arc<EventFd>,
}

impl Caller {
    /// Ring; harmless when the tracer is gone.
    pub(crate) fn call(&self) {
        self.shared.called.store(true, SeqCst);
        let _ = self.wake.write(1);
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

impl Doorbell {
    /// Start the thread. `signals` are taken from the whole process: they are
    /// blocked in the calling thread, and in those it starts from now on.
    /// The calling thread is the one to be woken.
    ///
    /// # Errors
    /// Those of the system calls that make descriptors and threads.
    pub(crate) fn new(signals: &[Signal], ring: Ring) -> Result<Doorbell, std::io::Error> {
        let set: SigSet = signals.iter().copied().collect();
        set.thread_block()?;
        let shared = Arc::new(Shared::default());
        let timer = Arc::new(TimerFd::new(
            ClockId::CLOCK_MONOTONIC,
            TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK,
        )?);
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = Arc::new(EventFd::from_flags(flags)?);
        let sleeper = Sleeper {
            signals: SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?,
            shared: Arc::clone(&shared),
            timer: Arc::clone(&timer),
            wake: Arc::clone(&wake),
            // SAFETY: takes nothing, cannot fail.
            tracer: unsafe { libc::pthread_self() },
            ring: ring.number(),
        };
        let thread = thread::Builder::new()
            .name("doorbell".to_owned())
            .spawn(move || sleeper.run())?;
        Ok(Doorbell {
            shared,
            timer,
            wake,
            thread: Some(thread),
            armed: Cell::new(None),
            _ring: ring,
        })
    }

    /// For another thread to ring by.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            shared: Arc::clone(&self.shared),
            wake: Arc::clone(&self.wake),
        }
    }

    /// Whether another thread called since the last look.
    pub(crate) fn take_call(&self) -> bool {
        self.shared.called.swap(false, SeqCst)
    }

    /// Whether somebody rang and was not yet answered.
    pub(crate) fn rings(&self) -> bool {
        self.shared.waiting()
    }

    /// Whether the timer is set.
    pub(crate) fn is_armed(&self) -> bool {
        self.armed.get().is_some()
    }

    /// Take the signals that arrived.
    pub(crate) fn take_signals(&self) -> Arrived {
        Arrived(self.shared.signals.swap(0, SeqCst))
    }

    /// Take the deadline, if it has passed.
    pub(crate) fn take_due(&self) -> bool {
        let due = self.shared.due.swap(false, SeqCst);
        if due {
            self.armed.set(None);
        }
        due
    }

    /// Ring once, `after` from now or earlier, if somebody wants it earlier.
    /// Whoever is still waiting then must ask again.
    pub(crate) fn ring_after(&self, after: Duration) {
        let at = Instant::now() + after;
        if self.armed.get().is_some_and(|armed| armed <= at) {
            return;
        }
        self.armed.set(Some(at));
        // Zero would disarm the timer.
        let after = after.max(Duration::from_micros(1));
        let at = Expiration::OneShot(TimeSpec::from_duration(after));
        // It cannot fail on a live timerfd with a valid time.
        let _ = self.timer.set(at, TimerSetTimeFlags::empty());
    }
}

impl Drop for Doorbell {
    fn drop(&mut self) {
        self.shared.over.store(true, SeqCst);
        let _ = self.wake.write(1);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's end.
struct Sleeper {
    signals: SignalFd,
    timer: Arc<TimerFd>,
    wake: Arc<EventFd>,
    shared: Arc<Shared>,
    tracer: libc::pthread_t,
    ring: i32,
}

impl Sleeper {
    fn run(self) {
        keep_signals_out();
        loop {
            let timeout = if self.shared.waiting() {
                PollTimeout::from(AGAIN)
            } else {
                PollTimeout::NONE
            };
            let mut fds = [
                PollFd::new(self.wake.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.timer.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, timeout) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
            let [woken, timer, _] = fds.map(|fd| fd.any().unwrap_or(false));
            if self.shared.over.load(SeqCst) {
                return;
            }
            if woken {
                // Only its count goes: what it says is in `shared`.
                let _ = self.wake.read();
            }
            if timer && self.timer.wait().is_ok() {
                self.shared.due.store(true, SeqCst);
            }
            while let Ok(Some(info)) = self.signals.read_signal() {
                let signal = i32::try_from(info.ssi_signo).unwrap_or(0);
                self.shared.signals.fetch_or(bit(signal), SeqCst);
            }
            if self.shared.waiting() {
                // SAFETY: the tracer's thread joins this one before it ends,
                // so its id is valid here.
                unsafe { libc::pthread_kill(self.tracer, self.ring) };
            }
        }
    }
}
