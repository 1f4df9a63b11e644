//! The state with which this process was started, captured before `main`.
//!
//! Rust's runtime ignores SIGPIPE and opens `/dev/null` on closed standard descriptors
//! before `main` runs. A tracee must start with what *we* were started with, so it is
//! captured in an `.init_array` function, which runs earlier.
#![expect(
    unsafe_code,
    reason = "raw signal system calls, and a function that the loader calls"
)]

use std::ffi::{CStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use nix::unistd::{getegid, geteuid, getgid, getuid};

/// Signals whose disposition was `SIG_IGN`, bit `n - 1` for signal `n`.
static IGNORED: AtomicU64 = AtomicU64::new(0);
/// The mask of blocked signals, in the same bits.
static BLOCKED: AtomicU64 = AtomicU64::new(0);
/// Which of the descriptors 0, 1 and 2 were closed, one bit each.
static CLOSED: AtomicU8 = AtomicU8::new(0);

/// The kernel's `struct sigaction`, large enough for every architecture; the handler is its
/// first word on all supported ones.
type KernelSigaction = [u64; 4];
/// Bytes of the kernel's `sigset_t`; glibc's is larger.
const SIGSET_BYTES: usize = 8;
/// The highest signal number there is.
const LAST_SIGNAL: i32 = 64;

/// The state with which a process is started: wait4-strace itself, or one that it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inherited {
    /// Ignored signals, bit `n - 1` for signal `n`.
    pub(crate) ignored: u64,
    /// Blocked signals, in the same bits.
    pub(crate) blocked: u64,
    /// Whether descriptors 0, 1 and 2 were closed.
    pub(crate) closed: [bool; 3],
}

impl Inherited {
    /// The state that was captured before `main`.
    pub(crate) fn get() -> Inherited {
        let closed = CLOSED.load(Relaxed);
        Inherited {
            ignored: IGNORED.load(Relaxed),
            blocked: BLOCKED.load(Relaxed),
            closed: [closed & 1 != 0, closed & 2 != 0, closed & 4 != 0],
        }
    }

    /// The state that `std::process::Command` gives to processes: an empty mask, SIGPIPE at its
    /// default though Rust's runtime ignores it, and otherwise the current dispositions.
    pub(crate) fn as_std_gives() -> Inherited {
        Inherited {
            ignored: ignored_now() & !bit(libc::SIGPIPE),
            blocked: 0,
            closed: [false; 3],
        }
    }

    /// The environment, including entries without `=`, which std skips.
    pub(crate) fn environment() -> Vec<OsString> {
        unsafe extern "C" {
            static environ: *const *const libc::c_char;
        }
        let mut entries = Vec::new();
        // SAFETY: `environ` is NULL or a NULL-terminated list of C strings, which is not
        // changed in this process.
        unsafe {
            let mut next = environ;
            while !next.is_null() && !(*next).is_null() {
                let entry = CStr::from_ptr(*next).to_bytes().to_vec();
                entries.push(OsString::from_vec(entry));
                next = next.add(1);
            }
        }
        entries
    }

    /// Whether `signal` was ignored at the start.
    pub(crate) fn ignores(self, signal: i32) -> bool {
        signal > 0 && self.ignored & bit(signal) != 0
    }

    /// Sets these dispositions for the calling process: `SIG_IGN` where it was so, `SIG_DFL`
    /// elsewhere. Async-signal-safe: for a child between fork and exec.
    pub(crate) fn restore_dispositions(self) {
        for signal in 1..=LAST_SIGNAL {
            let handler = if self.ignores(signal) {
                libc::SIG_IGN
            } else {
                libc::SIG_DFL
            };
            let action: KernelSigaction = [handler as u64, 0, 0, 0];
            // SAFETY: `action` outlives the call and is at least as large as
            // the kernel's struct. Raw, because glibc refuses 32 and 33.
            // KILL and STOP fail with EINVAL, as they should.
            unsafe {
                libc::syscall(
                    libc::SYS_rt_sigaction,
                    signal,
                    action.as_ptr(),
                    ptr::null_mut::<u64>(),
                    SIGSET_BYTES,
                );
            }
        }
    }

    /// Sets the mask of the calling thread to the captured one.
    pub(crate) fn restore_mask(self) {
        let set = self.blocked;
        // SAFETY: `set` outlives the call and has the size that is passed.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_SETMASK,
                &raw const set,
                ptr::null_mut::<u64>(),
                SIGSET_BYTES,
            );
        }
    }
}

// Miri has none of these system calls, and runs only pure code.
#[cfg(not(miri))]
#[used]
#[unsafe(link_section = ".init_array")]
static CAPTURE: extern "C" fn() = capture;

/// Whether the executable of this process gave it rights that its user does not have: it is
/// setuid or setgid, or has capabilities.
pub(crate) fn has_borrowed_rights() -> bool {
    // SAFETY: takes a number.
    let is_secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    is_secure || getuid() != geteuid() || getgid() != getegid()
}

/// A signal's bit in a mask.
fn bit(signal: i32) -> u64 {
    1u64 << (signal - 1)
}

/// The signals that are ignored now.
fn ignored_now() -> u64 {
    let mut ignored = 0u64;
    for signal in 1..=LAST_SIGNAL {
        let mut old: KernelSigaction = [0; 4];
        // SAFETY: `old` outlives the call and is large enough for the struct.
        let got = unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                ptr::null::<u64>(),
                old.as_mut_ptr(),
                SIGSET_BYTES,
            )
        };
        let [handler, ..] = old;
        if got == 0 && handler == libc::SIG_IGN as u64 {
            ignored |= bit(signal);
        }
    }
    ignored
}

#[cfg_attr(miri, expect(dead_code, reason = "not called there"))]
extern "C" fn capture() {
    IGNORED.store(ignored_now(), Relaxed);

    let mut blocked = 0u64;
    // SAFETY: `blocked` outlives the call and has the size that is passed.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_BLOCK,
            ptr::null::<u64>(),
            &raw mut blocked,
            SIGSET_BYTES,
        );
    }
    BLOCKED.store(blocked, Relaxed);

    let mut closed = 0u8;
    for fd in 0..3 {
        // SAFETY: F_GETFD takes no pointer and any descriptor number.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
            closed |= 1 << fd;
        }
    }
    CLOSED.store(closed, Relaxed);
}
