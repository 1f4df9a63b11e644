//! Events: the one type that a source makes and everything else reads.
//!
//! An event owns its data. Whatever is needed of a tracee or `/proc` is read at
//! the stop; code behind an event touches no tracee, so that ledger, rules and
//! outputs can run on made-up events.

mod held;
mod name;
mod observed;
mod origin;
#[cfg(test)]
pub(crate) mod script;
mod stack;
mod wait;
mod waiting;

use std::sync::Arc;

use crate::kernel::{Errno, NsPid, SigInfo, Signal, Tgid, Tid, Usage, WaitStatus};

pub use held::{Held, HoldEnd, HoldPoint};
pub use name::{Comm, escape, escape_controls, harmless_json, one_line};
pub use observed::{
    BlockedChild, BlockedIn, BlockedReader, DeadLeader, Observation, Owner, PipeSide, Question,
    SigchldAction, SigchldListener, Stream, Survivor, ZombieProbe,
};
pub use origin::{Origin, ProcView};
pub use stack::{Cut, Frame, Function, Stack};
pub(crate) use stack::{Frames, Resolver};
pub use wait::{Fetched, NOT_SHOWN, Named, TargetName, WaitEntry, WaitExit};
pub use waiting::{
    BlockedCall, BlockedTask, KernelObject, LookCause, MutexHolder, OtherEnd, WaitingLook, WaitsOn,
};

/// Nanoseconds of the monotonic clock since the trace began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// The latest moment that a record may contain, four years after the start:
    /// arithmetic on moments then cannot overflow.
    pub const LAST: Moment = Moment(u64::MAX / 128);

    /// Nanoseconds from `earlier` to `self`, 0 if it was not earlier.
    #[must_use]
    pub fn since(self, earlier: Moment) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// So many nanoseconds later, saturating.
    #[must_use]
    pub(crate) fn after(self, nanos: u64) -> Moment {
        Moment(self.0.saturating_add(nanos))
    }
}

/// A fact about one task, in the order in which the tracer observed it.
///
/// That order is not causal: of stops that are ready at the same time the kernel
/// returns first the one that is first in its list, not the one that came first.
#[derive(Clone, Debug)]
pub struct Event {
    /// Counts from 1.
    pub seq: u64,
    /// When the tracer took the stop.
    pub at: Moment,
    /// The thread.
    pub tid: Tid,
    /// Its process.
    pub tgid: Tgid,
    /// The event.
    pub kind: EventKind,
}

/// The kinds of events.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "an event is made at a stop, where a box would be an allocation"
)]
pub enum EventKind {
    /// The trace of the task begins without an observed fork: the launched root,
    /// an attached thread, or a child whose creator died too early.
    Found(Found),
    /// `-p` now traces this process, with that many threads.
    Attached {
        /// Threads, the leader included.
        threads: usize,
    },
    /// The task created a process or a thread.
    Created(Created),
    /// The process executed a program.
    Executed {
        /// The new program.
        image: Arc<Image>,
        /// The thread that called exec, if it was not the leader. It continues with
        /// the leader's tid.
        former: Option<Tid>,
    },
    /// An exec failed; the process goes on with the program that it runs.
    ExecFailed(FailedExec),
    /// The thread has ended; the last one ends the process.
    Ended {
        /// Its wait status.
        status: WaitStatus,
    },
    /// What the process has used; just before its end, if it was asked for.
    Used(Usage),
    /// A signal is delivered.
    Signalled {
        /// The signal.
        signal: Signal,
        /// Its siginfo, if it could be read.
        info: Option<SigInfo>,
        /// The name of the process that `si_pid` names, if asked for (`-Y`).
        sender: Option<Comm>,
        /// Nothing comes of it: its receiver is the first process of a pid namespace,
        /// and has no handler for it (`pid_namespaces(7)`).
        dropped: bool,
    },
    /// The process is in a group-stop.
    GroupStopped {
        /// The signal that stopped it.
        signal: Signal,
    },
    /// The process left its group-stop.
    Resumed,
    /// A wait call begins.
    WaitEntered(WaitEntry),
    /// A wait call ends, or is interrupted ([`WaitExit::is_interrupted`]).
    WaitEnded(WaitExit),
    /// A signal handler interrupted the thread's last wait, and the result that the
    /// program will get was read from the signal frame.
    RestartOutcome {
        /// The signal whose handler runs.
        by: Signal,
        /// The program gets EINTR. If false, the kernel restarts the call.
        eintr: bool,
    },
    /// The task is the new parent of a process whose parent died.
    Adopted {
        /// The orphan.
        child: Tgid,
        /// The parent that died.
        from: Tgid,
        /// The name of the new parent, which may not be traced.
        comm: Comm,
    },
    /// The task is no longer traced and runs on.
    Detached,
    /// A child of an attached process that is not traced: it is older than the
    /// attach, or was adopted from outside the trace. Repeated when it is found to
    /// be a zombie.
    UntracedChild(UntracedChild),
    /// The process changes the disposition of SIGCHLD (`rt_sigaction`).
    SigchldSet(SigchldAction),
    /// The task sets its parent-death signal (`PR_SET_PDEATHSIG`); `None` clears
    /// it.
    DeathSignalSet(Option<Signal>),
    /// The process exits with a code of which its parent gets only 8 bits (256 to
    /// 65535).
    ExitsWith(i32),
    /// The task requests a seccomp filter with a listener: calls that the filter
    /// passes to its supervisor do not stop for us.
    ListenerWanted,
    /// The task sends a signal (kill, tkill, tgkill).
    Kills {
        /// The target as the task names it: a pid, a negated group, 0 or -1.
        target: NsPid,
        /// The signal.
        signal: Signal,
    },
    /// The task was held back by a schedule, and goes on now (`--schedule`).
    Held(Held),
    /// A probe of `/proc`, about a child of the task or the task itself.
    Observed(Observation),
    /// A look at what the living processes are blocked in; no task's.
    Looked(Box<WaitingLook>),
    /// No stop is left in the queue: every earlier event has been reported.
    QueueDrained,
    /// The trace is over.
    Over,
}

/// A child of an attached process that is not traced itself.
#[derive(Clone, Debug)]
pub struct UntracedChild {
    /// Its pid.
    pub child: Tgid,
    /// The program that it runs.
    pub image: Arc<Image>,
    /// Its wait status, if it is a zombie.
    pub zombie: Option<WaitStatus>,
    /// It appeared after the attach: an orphan from outside the trace.
    pub is_adopted: bool,
    /// Its pids in other namespaces than the tracer's, if it has any.
    pub ns: Option<Arc<NsPids>>,
}

/// A task whose trace begins without an observed fork.
#[derive(Clone, Debug)]
pub struct Found {
    /// The real parent of its process.
    pub parent: Option<Tgid>,
    /// The program that it runs, if it was looked up.
    pub image: Option<Arc<Image>>,
    /// Its pids in other namespaces than the tracer's, if it has any.
    pub ns: Option<Arc<NsPids>>,
    /// The thread's name, if different from its process's.
    pub comm: Option<Comm>,
    /// The disposition of SIGCHLD, if it was looked up.
    pub sigchld: Option<SigchldAction>,
}

impl EventKind {
    /// The call stack that was taken with the event.
    pub(crate) fn stack(&self) -> Option<&Arc<Stack>> {
        match self {
            EventKind::Created(created) => created.stack.as_ref(),
            EventKind::WaitEntered(entry) => entry.stack.as_ref(),
            EventKind::WaitEnded(exit) => exit.entry.stack.as_ref(),
            _ => None,
        }
    }
}

/// A new process or thread.
#[derive(Clone, Debug)]
pub struct Created {
    /// Its tid; for a process its pid.
    pub child: Tid,
    /// The kind of call.
    pub how: How,
    /// Its parent, if that is not the creator (`CLONE_PARENT`).
    pub parent: Option<Tgid>,
    /// Its pids in other namespaces than the tracer's, if it has any.
    pub ns: Option<Arc<NsPids>>,
    /// The signal that its end sends to its parent; `None` for none, or if the
    /// flags could not be read.
    pub exit_signal: Option<Signal>,
    /// The stack of the task that created it, if asked for (`-k`).
    pub stack: Option<Arc<Stack>>,
}

/// How a task was created, by the kernel's ptrace event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `fork`, or a clone with the exit signal SIGCHLD.
    Fork,
    /// With `CLONE_VFORK`: the creator is suspended until the child execs or exits.
    Vfork,
    /// A process whose exit signal is not SIGCHLD.
    Clone,
    /// A thread of the creator's process.
    Thread,
}

/// The program that a process runs; made at each exec and shared from then on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Its command name, at most 15 bytes.
    pub comm: Comm,
    /// The path as it was passed to exec (a script's own); for a process that was
    /// found running, its executable. If it could be read.
    pub path: Option<Vec<u8>>,
    /// The arguments, if they could be read.
    pub argv: Vec<Vec<u8>>,
}

/// An exec that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedExec {
    /// The path as it was passed, or the file of the descriptor that was; if it could be read.
    pub path: Option<Vec<u8>>,
    /// Why.
    pub errno: Errno,
}

/// The pids of a process that is in another pid namespace than the tracer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NsPids {
    /// Inode of its innermost namespace; 0 if it could not be read.
    pub inode: u64,
    /// Its pid in each namespace, from the tracer's inwards (`NSpid:` in
    /// `/proc/PID/status`).
    pub chain: Vec<NsPid>,
}
