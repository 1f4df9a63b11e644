//! The signal that wakes a tracer's thread from its wait, and the blocking of all others
//! on that thread.
//!
//! A wait of the tracer sleeps until a tracee stops; only a signal with a handler
//! interrupts it. A process of our own uses SIGURG. In another program's process the
//! signal is borrowed: the highest real-time signal that has no handler, sent only to
//! the tracer's thread, and returned when the last tracer ends.
#![expect(
    unsafe_code,
    reason = "signal handlers and masks, raw for real-time signals"
)]

use std::io;
use std::mem;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The wake signal in our own process. SIGURG: ignored by default, so that a stray one
/// has no effect, and unused by programs without out-of-band data.
const OWN: i32 = libc::SIGURG;

/// Faults of the thread itself, which must not be blocked.
const FAULTS: [i32; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGABRT,
];

/// The borrowed signal, and how many tracers use it.
struct Loan {
    number: i32,
    users: usize,
}

static LOAN: Mutex<Loan> = Mutex::new(Loan {
    number: 0,
    users: 0,
});

/// A signal that can wake the calling thread, as long as this value exists.
#[derive(Debug)]
pub(crate) struct WakeSignal {
    number: i32,
    is_borrowed: bool,
}

extern "C" fn nothing(_: i32) {}

impl WakeSignal {
    /// The signal in our own process: the handler is never removed.
    pub(crate) fn own() -> io::Result<WakeSignal> {
        set_handler(OWN, nothing as *const () as libc::sighandler_t)?;
        mask(libc::SIG_UNBLOCK, &set_of(&[OWN]));
        Ok(WakeSignal {
            number: OWN,
            is_borrowed: false,
        })
    }

    /// The signal of a thread in another program's process.
    ///
    /// # Errors
    /// If every real-time signal has a handler.
    pub(crate) fn borrowed() -> io::Result<WakeSignal> {
        let mut loan = loan();
        if loan.users == 0 {
            let mut all = (libc::SIGRTMIN()..=libc::SIGRTMAX()).rev();
            let free = all.find(|number| handler(*number) == Some(libc::SIG_DFL));
            loan.number = free.ok_or_else(|| {
                io::Error::other("every real-time signal of this process has a handler")
            })?;
            set_handler(loan.number, nothing as *const () as libc::sighandler_t)?;
        }
        loan.users += 1;
        mask(libc::SIG_UNBLOCK, &set_of(&[loan.number]));
        Ok(WakeSignal {
            number: loan.number,
            is_borrowed: true,
        })
    }

    /// The signal's number.
    pub(crate) fn number(&self) -> i32 {
        self.number
    }
}

impl Drop for WakeSignal {
    /// No timer may send it any more. The signal's default action would end the process, so a
    /// pending one is taken first.
    fn drop(&mut self) {
        if !self.is_borrowed {
            return;
        }
        let set = set_of(&[self.number]);
        mask(libc::SIG_BLOCK, &set);
        let at_once = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: both outlive the call, and no siginfo is asked for.
        while unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const at_once) } > 0
        {
        }
        let mut loan = loan();
        loan.users = loan.users.saturating_sub(1);
        let ours = nothing as *const () as libc::sighandler_t;
        if loan.users == 0 && handler(self.number) == Some(ours) {
            let _ = set_handler(self.number, libc::SIG_DFL);
        }
    }
}

/// Blocks all signals on the calling thread except its own faults: handlers of the process
/// run on other threads, and processes it forks start undisturbed.
pub(crate) fn keep_signals_out() {
    // SAFETY: sigfillset initialises the set before it is used.
    let set = unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&raw mut set);
        for fault in FAULTS {
            libc::sigdelset(&raw mut set, fault);
        }
        set
    };
    mask(libc::SIG_BLOCK, &set);
}

fn loan() -> MutexGuard<'static, Loan> {
    // The state is consistent whenever it is unlocked.
    LOAN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn set_of(numbers: &[i32]) -> libc::sigset_t {
    // SAFETY: sigemptyset initialises the set before it is used.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for number in numbers {
            libc::sigaddset(&raw mut set, *number);
        }
        set
    }
}

/// Changes the calling thread's mask; it cannot fail with valid arguments.
fn mask(how: i32, set: &libc::sigset_t) {
    // SAFETY: `set` outlives the call, and the old mask is not asked for.
    unsafe { libc::pthread_sigmask(how, &raw const *set, ptr::null_mut()) };
}

/// The handler of a signal.
fn handler(number: i32) -> Option<libc::sighandler_t> {
    // SAFETY: `old` is writable and every bit pattern is valid for it.
    unsafe {
        let mut old: libc::sigaction = mem::zeroed();
        let got = libc::sigaction(number, ptr::null(), &raw mut old);
        (got == 0).then_some(old.sa_sigaction)
    }
}

/// Without `SA_RESTART`, so that the signal interrupts a wait.
fn set_handler(number: i32, handler: libc::sighandler_t) -> io::Result<()> {
    // SAFETY: the handler is SIG_DFL or does nothing, which is
    // async-signal-safe; the struct is whole.
    let failed = unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(number, &raw const action, ptr::null_mut()) < 0
    };
    if failed {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_borrowed_signal_is_given_back_by_the_last_tracer() {
        let threads = (0..8).map(|_| {
            std::thread::spawn(|| {
                let signal = WakeSignal::borrowed().unwrap();
                let ours = nothing as *const () as libc::sighandler_t;
                assert_eq!(handler(signal.number()), Some(ours));
                // Pending when it is dropped.
                mask(libc::SIG_BLOCK, &set_of(&[signal.number()]));
                // SAFETY: a signal with a handler, to this thread.
                unsafe { libc::pthread_kill(libc::pthread_self(), signal.number()) };
                signal.number()
            })
        });
        let threads: Vec<_> = threads.collect();
        let numbers = threads.into_iter().map(|thread| thread.join().unwrap());
        for number in numbers.collect::<Vec<i32>>() {
            // Tracers of other tests borrow it too.
            let mut looks = 0;
            while handler(number) != Some(libc::SIG_DFL) && looks < 1000 {
                std::thread::sleep(std::time::Duration::from_millis(10));
                looks += 1;
            }
            assert_eq!(handler(number), Some(libc::SIG_DFL));
        }
    }
}
