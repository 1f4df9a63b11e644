//! What holds for a whole trace.

use std::time::SystemTime;

/// Where the events of a trace come from, and what they can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What made the trace: `wait4-strace 0.1.0`, or `strace`.
    pub tracer: String,
    /// The command that was launched, empty if none was or it is not known.
    pub command: Vec<Vec<u8>>,
    /// The processes that were attached to.
    pub attached: Vec<i32>,
    /// The kernel's release; empty if it is not known.
    pub kernel: String,
    /// The machine, as `uname -m` calls it; empty if it is not known.
    pub arch: String,
    /// Wall-clock time of moment 0.
    pub began: SystemTime,
    /// Children were followed.
    pub follows: bool,
    /// It is told whether an interrupted wait is restarted or fails with
    /// EINTR.
    pub restart_outcomes: bool,
    /// What `/proc` tells.
    pub proc: ProcView,
}

/// What the looks at `/proc` in a trace are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcView {
    /// It shows the processes of the trace.
    Seen,
    /// It shows another pid namespace.
    Elsewhere,
    /// Nobody looked.
    Unseen,
}

impl ProcView {
    /// Of a tracer that can, or cannot, find its tracees there.
    #[must_use]
    pub fn of(sees: bool) -> ProcView {
        if sees {
            ProcView::Seen
        } else {
            ProcView::Elsewhere
        }
    }
}

impl Default for Origin {
    fn default() -> Origin {
        Origin {
            tracer: concat!("wait4-strace ", env!("CARGO_PKG_VERSION")).to_owned(),
            command: Vec::new(),
            attached: Vec::new(),
            kernel: String::new(),
            arch: String::new(),
            began: SystemTime::UNIX_EPOCH,
            follows: true,
            restart_outcomes: true,
            proc: ProcView::Seen,
        }
    }
}
