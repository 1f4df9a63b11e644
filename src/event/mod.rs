//! What happened: the one type that the tracer makes and everything else reads.
//!
//! An event owns its data. Whatever had to be read from a tracee or from
//! `/proc` was read at the stop; nothing behind an event touches a tracee, so
//! ledger and outputs run on made-up events as well.

mod name;
mod observed;
mod origin;
#[cfg(test)]
pub(crate) mod script;
mod stack;
mod wait;

use std::sync::Arc;

use crate::kernel::{NsPid, SigInfo, Signal, Tgid, Tid, WaitStatus};

pub use name::{Comm, escape, escape_controls, harmless_json, one_line};
pub use observed::{
    BlockedReader, Corpse, DeadLeader, Observation, Owner, PipeSide, Question, SigchldAction,
    SigchldListener, Stream, Stuck, StuckIn, Survivor,
};
pub use origin::{Origin, ProcView};
pub use stack::{Cut, Frame, Function, Stack};
pub(crate) use stack::{Frames, Resolver};
pub use wait::{Fetched, NOT_SHOWN, Named, TargetName, WaitEntry, WaitExit};

/// Nanoseconds of the monotonic clock since the trace began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// The last that a record may tell of, four years after the first: what is
    /// reckoned with moments then fits 64 bits.
    pub const LAST: Moment = Moment(u64::MAX / 128);

    /// Nanoseconds from `earlier` to `self`, 0 if it was not earlier.
    #[must_use]
    pub fn since(self, earlier: Moment) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// So many nanoseconds later; the last moment there is, if that is none.
    #[must_use]
    pub(crate) fn after(self, nanos: u64) -> Moment {
        Moment(self.0.saturating_add(nanos))
    }
}

/// A fact about one task, in the order in which the tracer learned it.
///
/// That order is not causal: the kernel hands out stops that are ready at the
/// same time in the order of its list, not in that of their making.
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
    /// What happened to it.
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
    /// The task came under trace without a fork that we saw: the launched
    /// root, an attached thread, or a child whose creator died too early.
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
        /// What it is now.
        image: Arc<Image>,
        /// The thread that called exec, where that was not the leader. Its
        /// tid is gone: it goes on under the leader's.
        former: Option<Tid>,
    },
    /// The thread, or with its last thread the process, is dead.
    Ended {
        /// How.
        status: WaitStatus,
    },
    /// A signal is delivered.
    Signalled {
        /// Which.
        signal: Signal,
        /// Its siginfo, if it could be read.
        info: Option<SigInfo>,
        /// The name of the process that `si_pid` names, if asked for (`-Y`).
        sender: Option<Comm>,
    },
    /// The process is in a group-stop.
    GroupStopped {
        /// What stopped it.
        signal: Signal,
    },
    /// The process left its group-stop.
    Resumed,
    /// A wait call begins.
    WaitEntered(WaitEntry),
    /// A wait call ends, or is interrupted ([`WaitExit::is_interrupted`]).
    WaitEnded(WaitExit),
    /// A signal handler runs in the midst of the last wait that was
    /// interrupted, and what the program will see was read from its frame.
    WaitFate {
        /// The signal whose handler runs.
        by: Signal,
        /// Whether the program sees EINTR; else the kernel restarts the call.
        eintr: bool,
    },
    /// The task is the new parent of a process whose parent died.
    Adopted {
        /// The orphan.
        child: Tgid,
        /// Who died.
        from: Tgid,
        /// The name of the new parent, which may not be traced.
        comm: Comm,
    },
    /// The task is no longer traced and runs on.
    Detached,
    /// A child of an attached process that is not traced: it lived, or was a
    /// zombie, before the attach, or was adopted from outside the trace. Told
    /// again when it is found to be a zombie.
    Kin(Kin),
    /// The process changes what happens at SIGCHLD (`rt_sigaction`).
    SigchldSet(SigchldAction),
    /// The task asks for a signal when its parent dies
    /// (`PR_SET_PDEATHSIG`); `None` takes that back.
    DeathSignalSet(Option<Signal>),
    /// The process exits with a number that does not fit the 8 bits that its
    /// parent will get (256 to 65535).
    ExitsWith(i32),
    /// The task asks for a seccomp filter with a listener: calls that the
    /// filter hands to its supervisor run without a stop for us.
    ListenerWanted,
    /// The task sends a signal (kill, tkill, tgkill).
    Kills {
        /// Whom, as the task calls it: a pid, a negated group, 0 or -1.
        target: NsPid,
        /// Which signal.
        signal: Signal,
    },
    /// What `/proc` said, about a process of the task's or the task itself.
    Observed(Observation),
    /// No stop was left in the queue: whatever happened before is known.
    Quiet,
    /// The trace is over.
    Over,
}

/// A child of an attached process that is not traced itself.
#[derive(Clone, Debug)]
pub struct Kin {
    /// Its pid.
    pub child: Tgid,
    /// What it executes.
    pub image: Arc<Image>,
    /// Its wait status, if it is a zombie.
    pub zombie: Option<WaitStatus>,
    /// It came after the attach: an orphan from outside the trace.
    pub is_adopted: bool,
    /// Its pids in other namespaces than the tracer's, if it has any.
    pub ns: Option<Arc<NsPids>>,
}

/// A task that came under trace without a fork that we saw.
#[derive(Clone, Debug)]
pub struct Found {
    /// The real parent of its process.
    pub parent: Option<Tgid>,
    /// What it runs, where that was asked for.
    pub image: Option<Arc<Image>>,
    /// Its pids in other namespaces than the tracer's, if it has any.
    pub ns: Option<Arc<NsPids>>,
    /// Its own name, where that differs from its process's.
    pub comm: Option<Comm>,
    /// What happens at SIGCHLD, if it was looked up.
    pub sigchld: Option<SigchldAction>,
}

impl EventKind {
    /// The call stack that was taken at it.
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
    /// By which kind of call.
    pub how: How,
    /// Its parent, where that is not the creator (`CLONE_PARENT`).
    pub parent: Option<Tgid>,
    /// Its pids in other namespaces than the tracer's, if it has any.
    pub ns: Option<Arc<NsPids>>,
    /// The signal that its end sends to its parent; `None` for no signal, or
    /// where the flags could not be read.
    pub exit_signal: Option<Signal>,
    /// The stack of the task that created it, if asked for (`-k`).
    pub stack: Option<Arc<Stack>>,
}

/// How a task was created, as the kernel's events tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `fork`, or a clone that sends SIGCHLD.
    Fork,
    /// With `CLONE_VFORK`: the creator sleeps until the child execs or exits.
    Vfork,
    /// A process whose exit signal is not SIGCHLD.
    Clone,
    /// A thread of the creator's process.
    Thread,
}

/// What a process executes; made once an exec and shared from then on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The kernel's name for it, 15 bytes at most.
    pub comm: Comm,
    /// The path that was executed, as it was given to exec (a script's own);
    /// of a process that was found running, its executable. If it could be
    /// read.
    pub path: Option<Vec<u8>>,
    /// The arguments, if they could be read.
    pub argv: Vec<Vec<u8>>,
}

/// The pids of a process that lives in another pid namespace than the tracer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NsPids {
    /// Inode of its own, innermost namespace; 0 where it could not be read.
    pub inode: u64,
    /// Its pid in each namespace, from the tracer's inwards (`NSpid:` in
    /// `/proc/PID/status`).
    pub chain: Vec<NsPid>,
}
