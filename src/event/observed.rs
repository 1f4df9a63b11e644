//! What the tracer looked up in `/proc` because a rule may need it.

use crate::event::Comm;
use crate::kernel::{SigactionHead, Tgid, Tid};

/// What happens to a process when a child of it dies, as far as signals go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigchldAction {
    /// `SIG_DFL`
    Default,
    /// `SIG_IGN`: children are reaped by the kernel, their statuses are lost.
    Ignore,
    /// A handler runs.
    Handler {
        /// Its address; 0 where only `/proc` told of it.
        address: u64,
        /// `SA_NOCLDWAIT`: as `SIG_IGN`, but the handler runs.
        no_wait: bool,
        /// `SA_RESTART`: interrupted calls go on.
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
    /// Whether the kernel reaps children at once (`do_notify_parent` in
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

/// What `/proc` said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observation {
    /// Of a child that died a while ago and was not reaped as far as we know.
    ZombieProbe(ZombieProbe),
    /// Of a process that is blocked in a wait.
    BlockedChildren {
        /// What its children do.
        children: Vec<BlockedChild>,
        /// It handles a signal that a timer or a descriptor can send it.
        timers: bool,
    },
    /// Of a process whose leading thread may have left it.
    Leader(DeadLeader),
    /// Of a thread that is blocked on streams, some time after the death of a
    /// child of its process.
    Streams(BlockedReader),
    /// Of the launched command, some time after its end: its descendants that
    /// are alive.
    Survivors(Vec<Survivor>),
    /// Of a process that polled for its children: its only thread sleeps until
    /// a signal comes, and it handles none but SIGCHLD and those that ask it to
    /// end.
    AwaitsSignal,
}

/// What a rule would like to know of `/proc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What has become of a child that died a while ago?
    ZombieProbe {
        /// The child.
        child: Tgid,
        /// Who had it last.
        parent: Tgid,
    },
    /// What do the children do that this thread is blocked on?
    BlockedChildren {
        /// The thread.
        tid: Tid,
        /// Its process.
        tgid: Tgid,
        /// The children.
        children: Vec<Tgid>,
    },
    /// Which children has this attached process that are not known, or that are
    /// zombies by now?
    Children {
        /// The process.
        parent: Tgid,
        /// Its children of which nothing new can be said: those that are traced
        /// or known to be dead.
        settled: Vec<Tgid>,
        /// Those that lived when they were last looked at, and are not traced.
        alive: Vec<Tgid>,
    },
    /// Has the leading thread left this process?
    Leader(Tgid),
    /// Is a thread of this process blocked on streams, and who holds their other
    /// ends?
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
    /// Does this process do nothing but wait for a signal of its children?
    AwaitsSignal(Tgid),
}

/// A dead child, as `/proc` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZombieProbe {
    /// The child.
    pub child: Tgid,
    /// Its state and who has it; `None` if it is gone: somebody reaped it.
    pub zombie: Option<Owner>,
}

/// The parent of a zombie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Who it is now.
    pub parent: Tgid,
    /// The zombie's process group.
    pub child_group: i32,
    /// The parent's process group; 0 where it is not known.
    pub group: i32,
    /// Somebody else traces the zombie, and so withholds it from its parent.
    pub traced: bool,
    /// SIGCHLD is blocked in every thread of the parent, has a handler, and is
    /// pending.
    pub blocked_and_pending: bool,
    /// The number of the system call, x86-64's, that the parent's main thread
    /// is in; `None` for none, or where it is not known.
    pub parent_call: Option<u32>,
    /// A thread of the parent that takes SIGCHLD without a handler, if one
    /// does.
    pub listener: Option<SigchldListener>,
}

/// A thread that waits for SIGCHLD with `sigwait` or a signalfd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigchldListener {
    /// Which.
    pub tid: Tid,
    /// Another thread of the process that does not block SIGCHLD, and so may
    /// get it instead.
    pub unblocked: Option<Tid>,
}

/// A thread that waits for input on streams: pipes and socket pairs, and nothing
/// that others than their holders can make ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedReader {
    /// The child of its process that has died.
    pub child: Tgid,
    /// How often the thread has gone to sleep so far. The same number at another
    /// look means that it has not run in between.
    pub sleeps: u64,
    /// Those streams.
    pub streams: Vec<Stream>,
}

/// A stream that a thread waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The thread's descriptor.
    pub fd: i32,
    /// The pipe, or its end of the socket pair.
    pub inode: u64,
    /// Who holds the other end.
    pub others: Vec<PipeSide>,
    /// Whether every process could be asked.
    pub complete: bool,
}

/// A process that outlives the launched command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// Which.
    pub tgid: Tgid,
    /// It holds a pipe or socket that is the command's standard output.
    pub holds_output: bool,
    /// It holds one that is its standard error.
    pub holds_error: bool,
}

/// A child that a blocked wait waits for, and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedChild {
    /// The child.
    pub child: Tgid,
    /// What its leading thread is blocked in.
    pub within: BlockedIn,
}

/// What a thread is blocked in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockedIn {
    /// Something that no rule is about.
    Other,
    /// A write to or a read from a pipe.
    Pipe {
        /// It writes; else it reads.
        writes: bool,
        /// Its descriptor.
        fd: i32,
        /// The pipe.
        inode: u64,
        /// Who holds the other end; of the family alone where that says that
        /// somebody can go on.
        others: Vec<PipeSide>,
        /// Whether every process could be asked.
        complete: bool,
    },
}

/// A descriptor of the other end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeSide {
    /// Whose.
    pub tgid: Tgid,
    /// Its name.
    pub comm: Comm,
    /// Its number.
    pub fd: i32,
}

/// A process whose leading thread has ended by exit(2) while others live on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLeader {
    /// A thread that lives.
    pub living: Tid,
    /// How many live.
    pub threads: usize,
}
