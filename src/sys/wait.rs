//! The tracer's own wait: where every stop and every death comes from.
#![expect(unsafe_code, reason = "wait4(2), raw")]

use std::ptr;

use super::ptrace::Stopped;
use crate::kernel::{Errno, Tid, WaitStatus};

/// What a wait of the tracer returned.
#[derive(Debug)]
pub(crate) enum Waited {
    /// A tracee (or a child of ours that we do not trace) is stopped.
    Stopped(Stopped, WaitStatus),
    /// A thread or process is dead and gone.
    Ended(Tid, WaitStatus),
    /// Nothing is ready; only without `block`.
    Nothing,
    /// A signal handler ran.
    Interrupted,
    /// There is nobody left to wait for.
    NoChildren,
}

/// Whether a wait may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// Until something happens.
    Yes,
    /// Return [`Waited::Nothing`] instead.
    No,
}

/// Wait for any tracee of this thread.
///
/// `__WALL` takes threads and clones of every exit signal; `__WNOTHREAD`
/// leaves the children of other threads of this process alone. Never
/// `WCONTINUED`: that flag is shared with the real parent, whom it would rob.
/// The raw word is kept: nix's `waitpid` refuses real-time-signal stops with
/// EINVAL, and the status is lost then.
pub(crate) fn wait_any(block: Block) -> Waited {
    let mut status: libc::c_int = 0;
    let mut options = libc::__WALL | libc::__WNOTHREAD;
    if block == Block::No {
        options |= libc::WNOHANG;
    }
    // SAFETY: `status` outlives the call; no rusage is asked for.
    let tid = unsafe { libc::wait4(-1, &raw mut status, options, ptr::null_mut()) };
    match tid {
        0 => Waited::Nothing,
        tid if tid > 0 => {
            let (tid, status) = (Tid::new(tid), WaitStatus::from_raw(status));
            if libc::WIFSTOPPED(status.raw()) {
                Waited::Stopped(Stopped::new(tid), status)
            } else {
                Waited::Ended(tid, status)
            }
        }
        _ if super::last_errno() == Errno::INTR => Waited::Interrupted,
        _ => Waited::NoChildren,
    }
}
