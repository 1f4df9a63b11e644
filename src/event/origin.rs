//! The origin of a trace: what holds for all of its events.

use std::time::SystemTime;

/// The source of the events of a trace, and what it could observe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The program that recorded the trace: `wait4-strace 0.1.0`, or `strace`.
    pub tracer: String,
    /// The command that was launched; empty if none was, or if not known.
    pub command: Vec<Vec<u8>>,
    /// The processes that were attached to.
    pub attached: Vec<i32>,
    /// The kernel's release; empty if not known.
    pub kernel: String,
    /// The machine, as in `uname -m`; empty if not known.
    pub arch: String,
    /// Wall-clock time of moment 0.
    pub began: SystemTime,
    /// By how much less than this an event may be later than its time, in nanoseconds: a
    /// second in a log of `strace -t`, 0 where times are exact.
    pub resolution: u64,
    /// Children were followed.
    pub follows: bool,
    /// Whether it is known if an interrupted wait was restarted or failed with
    /// EINTR.
    pub restart_outcomes: bool,
    /// What `/proc` showed.
    pub proc: ProcView,
}

/// What probes of `/proc` in a trace can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcView {
    /// The processes of the trace.
    Seen,
    /// The processes of another pid namespace.
    Elsewhere,
    /// There were no probes.
    Unseen,
}

impl ProcView {
    /// For a tracer that can, or cannot, find its tracees there.
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
            resolution: 0,
            follows: true,
            restart_outcomes: true,
            proc: ProcView::Seen,
        }
    }
}
