//! What a tracer is told once: what to trace, and what to read at stops.

use crate::kernel::WaitCalls;

/// How a tracer traces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// What is read at stops.
    pub(crate) capture: Capture,
    /// Children and threads are traced too.
    pub(crate) follow: bool,
    /// The waits that are reported.
    pub(crate) wanted: WaitCalls,
    /// Whether waits with `WNOHANG` are wanted too.
    pub(crate) polls: bool,
    /// Attached targets are killed when the trace ends.
    pub(crate) kill_on_exit: bool,
    /// Launched processes are let go at last: they do not end with us.
    pub(crate) lets_leftovers_go: bool,
    /// Attached processes that have no children do not stop at calls.
    pub(crate) full_speed: bool,
    /// Whether to stop when the root is stopped as a job of a shell.
    pub(crate) stops_as_job: bool,
}

/// What is read at stops, beyond the words of the calls themselves. Each costs
/// a system call or several, so nothing is read that no output will show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Capture {
    /// siginfo of delivered signals.
    pub(crate) siginfo: bool,
    /// Names and arguments at each exec.
    pub(crate) images: bool,
    /// Names of the processes behind the pids in calls (`-Y`).
    pub(crate) peers: bool,
    /// What pidfds are (`-y`, `-yy`).
    pub(crate) fds: FdNames,
    /// Pids in namespaces inside ours.
    pub(crate) namespaces: bool,
    /// Whether an interrupted wait is restarted or fails with EINTR.
    pub(crate) restart_outcomes: bool,
    /// Who adopts the children of a dead process, and after EFAULT which
    /// children are left.
    pub(crate) kinship: bool,
    /// What only rules need.
    pub(crate) rules: bool,
    /// The call stacks of waits and forks (`-k`).
    pub(crate) stacks: bool,
}

impl Capture {
    /// What can be read where `/proc` shows another pid namespace: every
    /// look-up would find an unrelated process.
    pub(super) fn without_proc(self) -> Capture {
        Capture {
            peers: false,
            namespaces: false,
            kinship: false,
            restart_outcomes: false,
            fds: FdNames::Number,
            stacks: false,
            ..self
        }
    }
}

/// How file descriptors are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FdNames {
    /// By their number alone.
    #[default]
    Number,
    /// With the link in `/proc` (`-y`).
    Link,
    /// With what the kernel knows of them (`-yy`).
    Detail,
}
