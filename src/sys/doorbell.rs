//! A second thread that only sleeps: it turns signals to wait4-strace and a
//! deadline into something that the tracer's blocking wait can be woken by.
//!
//! A flag that is set just before the wait begins would be seen only when the
//! wait ends. So the thread rings until the tracer has answered: it sends a
//! signal with an empty handler, which ends a wait with EINTR, and again after
//! [`AGAIN`] if nobody took what there is to take.
#![expect(unsafe_code, reason = "pthread_kill and a signal handler")]

use std::cell::Cell;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// The signal that rings. SIGURG: ignored by default, so a stray one harms
/// nobody, and unused by programs without out-of-band data.
const RING: Signal = Signal::SIGURG;
/// How long until the thread rings again, in milliseconds.
const AGAIN: u16 = 5;

/// The tracer's end.
pub(crate) struct Doorbell {
    shared: Arc<Shared>,
    timer: Arc<TimerFd>,
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
    /// When the timer will ring, if it is set.
    armed: Cell<Option<Instant>>,
}

#[derive(Default)]
struct Shared {
    /// Bit `n` for signal `n`.
    signals: AtomicU64,
    due: AtomicBool,
}

impl Shared {
    fn waiting(&self) -> bool {
        self.due.load(SeqCst) || self.signals.load(SeqCst) != 0
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

extern "C" fn nothing(_: i32) {}

impl Doorbell {
    /// Start the thread. `signals` are taken from the whole process: they are
    /// blocked in the calling thread, and in those it starts from now on.
    /// The calling thread is the one to be woken.
    pub(crate) fn new(signals: &[Signal]) -> Result<Doorbell, std::io::Error> {
        let set: SigSet = signals.iter().copied().collect();
        set.thread_block()?;
        let handler = SigAction::new(
            SigHandler::Handler(nothing),
            SaFlags::empty(),
            SigSet::empty(),
        );
        // SAFETY: the handler does nothing, which is async-signal-safe.
        unsafe { sigaction(RING, &handler) }?;
        SigSet::from(RING).thread_unblock()?;

        let shared = Arc::new(Shared::default());
        let timer = Arc::new(TimerFd::new(
            ClockId::CLOCK_MONOTONIC,
            TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK,
        )?);
        let stop = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC)?);
        let sleeper = Sleeper {
            signals: SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?,
            shared: Arc::clone(&shared),
            timer: Arc::clone(&timer),
            stop: Arc::clone(&stop),
            // SAFETY: takes nothing, cannot fail.
            tracer: unsafe { libc::pthread_self() },
        };
        let thread = thread::Builder::new()
            .name("doorbell".to_owned())
            .spawn(move || sleeper.run())?;
        Ok(Doorbell {
            shared,
            timer,
            stop,
            thread: Some(thread),
            armed: Cell::new(None),
        })
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
        let _ = self.stop.write(1);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's end.
struct Sleeper {
    signals: SignalFd,
    timer: Arc<TimerFd>,
    stop: Arc<EventFd>,
    shared: Arc<Shared>,
    tracer: libc::pthread_t,
}

impl Sleeper {
    fn run(self) {
        loop {
            let timeout = if self.shared.waiting() {
                PollTimeout::from(AGAIN)
            } else {
                PollTimeout::NONE
            };
            let mut fds = [
                PollFd::new(self.stop.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.timer.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, timeout) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
            let [stop, timer, _] = fds.map(|fd| fd.any().unwrap_or(false));
            if stop {
                return;
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
                unsafe { libc::pthread_kill(self.tracer, RING as i32) };
            }
        }
    }
}
