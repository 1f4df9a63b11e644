//! A kernel timer that sends a signal to one thread.
#![expect(
    unsafe_code,
    reason = "timer_create(2) and its like, raw for real-time signals"
)]

use std::io;
use std::mem;
use std::ptr;
use std::time::Duration;

/// A timer that wakes the thread that created it. Any thread may set it.
#[derive(Debug)]
pub(super) struct Timer(libc::c_int);

impl Timer {
    /// A timer that sends `signal` to the calling thread; not set.
    ///
    /// The kernel refers to the thread itself, not its number: once the thread is gone, no
    /// signal is sent.
    ///
    /// # Errors
    /// EAGAIN, if the user has reached the limit of pending signals (`RLIMIT_SIGPENDING`).
    pub(super) fn new(signal: i32) -> io::Result<Timer> {
        let mut id: libc::c_int = -1;
        // SAFETY: the event is initialised, and the kernel writes one int. Raw, as glibc's
        // timer_t is not the kernel's id.
        let failed = unsafe {
            let mut event: libc::sigevent = mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = signal;
            event.sigev_notify_thread_id = super::own_tid().raw();
            libc::syscall(
                libc::SYS_timer_create,
                libc::CLOCK_MONOTONIC,
                &raw mut event,
                &raw mut id,
            ) < 0
        };
        if failed {
            return Err(io::Error::last_os_error());
        }
        Ok(Timer(id))
    }

    /// The kernel's id of the timer.
    pub(super) fn id(&self) -> libc::c_int {
        self.0
    }

    /// Fires after `first` (at once, if that is zero), and repeats.
    pub(super) fn start(&self, first: Duration, again: Duration) {
        set(self.0, first.max(Duration::from_nanos(1)), again);
    }

    /// Stops the timer.
    pub(super) fn stop(&self) {
        set(self.0, Duration::ZERO, Duration::ZERO);
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: takes a number.
        unsafe { libc::syscall(libc::SYS_timer_delete, self.0) };
    }
}

/// Sets a timer by its id; fails silently for a deleted one. Async-signal-safe.
pub(super) fn set(id: libc::c_int, first: Duration, again: Duration) {
    let time = |duration: Duration| libc::timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    };
    let setting = libc::itimerspec {
        it_value: time(first),
        it_interval: time(again),
    };
    let no_flags = 0;
    // SAFETY: `setting` outlives the call; the old one is not asked for.
    unsafe {
        libc::syscall(
            libc::SYS_timer_settime,
            id,
            no_flags,
            &raw const setting,
            ptr::null_mut::<libc::itimerspec>(),
        )
    };
}
