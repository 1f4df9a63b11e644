//! System calls: every `unsafe` block of the crate is in this folder.
//!
//! It uses the types of [`crate::kernel`] and knows nothing of tracing policy: what to
//! do at a stop is decided in `tracer`.

#[cfg(feature = "cli")]
pub(crate) mod die;
#[cfg(feature = "cli")]
pub(crate) mod first_sigint;
pub(crate) mod memory;
pub(crate) mod ptrace;
pub(crate) mod registers;
pub(crate) mod seccomp;
pub(crate) mod seize;
pub(crate) mod spawn;
pub(crate) mod startup;
pub(crate) mod streams;
pub(crate) mod syscall_info;
mod timer;
pub(crate) mod wait;
pub(crate) mod wake_signal;
pub(crate) mod waker;

use crate::kernel::Errno;

/// The errno of the last failed libc call of this thread.
pub(crate) fn last_errno() -> Errno {
    Errno::from_raw(
        std::io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or_default(),
    )
}
