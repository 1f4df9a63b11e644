//! Probes of `/proc`: the questions of rules, and what was found.

use crate::event::Comm;
use crate::kernel::{SigactionHead, Tgid, Tid};

/// The disposition of SIGCHLD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigchldAction {
    /// `SIG_DFL`
    Default,
    /// `SIG_IGN`: the kernel reaps children, their statuses are lost.
    Ignore,
    /// A handler runs.
    Handler {
        /// Its address; 0 if only known from `/proc`.
        address: u64,
        /// `SA_NOCLDWAIT`: as `SIG_IGN`, but the handler runs.
        no_wait: bool,
        /// `SA_RESTART`: interrupted calls are restarted.
        restarts: bool,
    },
    /// `SIG_DFL` with `SA_NOCLDWAIT`: as `SIG_IGN`.
    DefaultNoWait,
}

impl From<SigactionHead> for SigchldAction {
    fn from(head: SigactionHead) -> SigchldAction {
        match head.handler {
            0 if head.no_wait => SigchldAction::DefaultNoWait,
            0 => SigchldAction::Default,
            1 => SigchldAction::Ignore,
            address => SigchldAction::Handler {
                address,
                no_wait: head.no_wait,
                restarts: head.restarts,
            },
        }
    }
}

impl SigchldAction {
    /// A handler of which no more is known, as `/proc` tells neither its address
    /// nor its flags.
    pub(crate) const UNKNOWN_HANDLER: SigchldAction = SigchldAction::Handler {
        address: 0,
        no_wait: false,
        restarts: false,
    };

    /// Whether the kernel reaps children when they exit (`do_notify_parent` in
    /// `kernel/signal.c`).
    #[must_use]
    pub fn reaps_for_us(self) -> bool {
        matches!(
            self,
            SigchldAction::Ignore
                | SigchldAction::DefaultNoWait
                | SigchldAction::Handler { no_wait: true, .. }
        )
    }
}

/// What a probe of `/proc` showed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observation {
    /// Probe of a child that ended a while ago and was not reaped as far as known.
    ZombieProbe(ZombieProbe),
    /// Probe of the children of a process that is blocked in a wait.
    BlockedChildren {
        /// The state of the children.
        children: Vec<BlockedChild>,
        /// The process, or a child that is blocked on a pipe, handles a signal that a timer
        /// or a descriptor can send it.
        timers: bool,
    },
    /// Probe of a process whose leader may have exited.
    Leader(DeadLeader),
    /// Probe of a thread that is blocked on streams, some time after the death of a
    /// child of its process.
    Streams(BlockedReader),
    /// Probe of what the launched command left running, some time after its end:
    /// its descendants that are alive.
    Survivors(Vec<Survivor>),
    /// Probe of a process that polled for its children: its only thread sleeps until
    /// a signal arrives, and it handles none but SIGCHLD and requests to end.
    AwaitsSignal,
}

/// What a rule asks of `/proc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What became of a child that ended a while ago?
    ZombieProbe {
        /// The child.
        child: Tgid,
        /// Its last known parent.
        parent: Tgid,
    },
    /// In what are the children blocked that this thread waits for?
    BlockedChildren {
        /// The thread.
        tid: Tid,
        /// Its process.
        tgid: Tgid,
        /// The children.
        children: Vec<Tgid>,
    },
    /// Which children has this attached process that are unknown, or that are
    /// zombies now?
    Children {
        /// The process.
        parent: Tgid,
        /// Children about which nothing new can be found: those that are traced or
        /// known to be dead.
        settled: Vec<Tgid>,
        /// Untraced children that were alive when they were last examined.
        alive: Vec<Tgid>,
    },
    /// Has the leader of this process exited?
    Leader(Tgid),
    /// Is a thread of this process blocked on streams, and which processes hold
    /// their other ends?
    Streams {
        /// The process.
        parent: Tgid,
        /// Its child that has died.
        child: Tgid,
    },
    /// Which of these hold the output of the command, which has ended?
    Survivors {
        /// The command.
        command: Tgid,
        /// Its descendants that are alive.
        members: Vec<Tgid>,
    },
    /// Does this process do nothing but wait for a signal about its children?
    AwaitsSignal(Tgid),
}

/// A dead child, as `/proc` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZombieProbe {
    /// The child.
    pub child: Tgid,
    /// Its parent and state; `None` if it is gone, that is, reaped.
    pub zombie: Option<Owner>,
}

/// The parent of a zombie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Who it is now.
    pub parent: Tgid,
    /// The zombie's process group.
    pub child_group: i32,
    /// The parent's process group; 0 if not known.
    pub group: i32,
    /// Another process traces the zombie, so that its parent cannot reap it.
    pub traced: bool,
    /// SIGCHLD is blocked in every thread of the parent, has a handler, and is
    /// pending.
    pub blocked_and_pending: bool,
    /// The number of the system call, in x86-64's table, that the parent's main
    /// thread is in; `None` for none, or if not known.
    pub parent_call: Option<u32>,
    /// A thread of the parent that takes SIGCHLD without a handler, if any.
    pub listener: Option<SigchldListener>,
}

/// A thread that waits for SIGCHLD with `sigwait` or a signalfd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigchldListener {
    /// The thread.
    pub tid: Tid,
    /// Another thread of the process that does not block SIGCHLD, and so may get it
    /// instead.
    pub unblocked: Option<Tid>,
}

/// A thread that waits for input on streams only: pipes and socket pairs, which
/// no process but their holders can make ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedReader {
    /// The child of its process that has died.
    pub child: Tgid,
    /// Voluntary context switches of the thread so far. The same number at a later
    /// probe means that it has not run in between.
    pub sleeps: u64,
    /// The streams that it waits for.
    pub streams: Vec<Stream>,
}

/// A stream that a thread waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The thread's descriptor.
    pub fd: i32,
    /// The pipe, or its end of the socket pair.
    pub inode: u64,
    /// The holders of the other end.
    pub others: Vec<PipeSide>,
    /// Whether every process could be examined.
    pub complete: bool,
}

/// A process that outlives the launched command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// Its pid.
    pub tgid: Tgid,
    /// It holds a pipe or socket that is the command's standard output.
    pub holds_output: bool,
    /// It holds one that is its standard error.
    pub holds_error: bool,
}

/// A child that a blocked wait is for, and what it is blocked in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedChild {
    /// The child.
    pub child: Tgid,
    /// What its leader is blocked in.
    pub within: BlockedIn,
}

/// What a thread is blocked in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockedIn {
    /// Nothing that a rule is about.
    Other,
    /// A write to or a read from a pipe.
    Pipe {
        /// Whether it writes; if not, it reads.
        writes: bool,
        /// Its descriptor.
        fd: i32,
        /// The pipe.
        inode: u64,
        /// The holders of the other end; only those in the process tree if one of
        /// them can run.
        others: Vec<PipeSide>,
        /// Whether every process could be examined.
        complete: bool,
    },
}

/// A descriptor of the other end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeSide {
    /// The process that holds it.
    pub tgid: Tgid,
    /// The name of the process.
    pub comm: Comm,
    /// The descriptor.
    pub fd: i32,
}

/// A process whose leader has exited while other threads are alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLeader {
    /// A thread that is alive.
    pub living: Tid,
    /// How many are alive.
    pub threads: usize,
}
