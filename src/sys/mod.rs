//! System calls: every `unsafe` block of the crate is in this folder.
//!
//! It uses the types of [`crate::kernel`] and knows nothing of tracing policy: what to
//! do at a stop is decided in `tracer`.

pub(crate) mod chosen_pid;
#[cfg(feature = "cli")]
pub(crate) mod die;
#[cfg(feature = "cli")]
pub(crate) mod first_sigint;
pub(crate) mod left_call;
pub(crate) mod memory;
pub(crate) mod ptrace;
pub(crate) mod registers;
pub(crate) mod seccomp;
pub(crate) mod seize;
mod signal_frame;
pub(crate) mod spawn;
pub(crate) mod startup;
pub(crate) mod streams;
pub(crate) mod syscall_info;
mod timer;
pub(crate) mod wait;
pub(crate) mod wake_signal;
pub(crate) mod waker;

use crate::kernel::{Errno, Tid};

/// The errno of the last failed libc call of this thread.
pub(crate) fn last_errno() -> Errno {
    Errno::from_raw(
        std::io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or_default(),
    )
}

/// The calling thread.
///
/// By number: std declares `gettid` weak, and link-time optimization makes one weak
/// declaration of std's and ours. A static glibc then leaves it undefined, which is
/// address 0. `clippy.toml` names the functions of that kind.
#[expect(unsafe_code, reason = "gettid(2)")]
pub(crate) fn own_tid() -> Tid {
    // SAFETY: takes no arguments, and cannot fail.
    let tid = unsafe { libc::syscall(libc::SYS_gettid) };
    Tid::new(i32::try_from(tid).unwrap_or_default())
}
