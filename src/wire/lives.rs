//! Lives of processes on the wire: births, execs, ends, signals.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calls::{Child, Info};
use super::stack::Stack;
use super::words::{Address, Int, Named, Status, Text};

/// What a process executes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// The kernel's name for it, 15 bytes at most.
    pub comm: Text,
    /// The executable, if it could be read.
    pub path: Option<Text>,
    /// The arguments, if they could be read.
    pub argv: Vec<Text>,
}

/// The pids of a process that lives in another pid namespace than the tracer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Namespaces {
    /// The inode of its own, innermost namespace; 0 where it is not known.
    pub inode: Int,
    /// Its pid in each namespace, from the tracer's inwards.
    pub pids: Vec<i32>,
}

/// A task that came under trace without a fork that was seen.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// The parent of its process.
    pub parent: Option<i32>,
    /// What it runs, where that was looked up.
    pub image: Option<Image>,
    /// Its pids in other namespaces than the tracer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<Namespaces>,
    /// Its own name, where that differs from its process's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_comm: Option<Text>,
    /// What happens at SIGCHLD, if it was looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigchld: Option<Handler>,
}

/// A process is traced from here on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Attach {
    /// Its threads, the leader included.
    pub threads: u64,
}

/// A new process.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Fork {
    /// Who it is; it still has its creator's name.
    pub child: Child,
    /// `fork` (or a clone like it), `vfork`, or `clone`, which sends another
    /// signal than SIGCHLD when it ends.
    pub how: String,
    /// Its parent, where that is not the creator (`CLONE_PARENT`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<i32>,
    /// Its pids in other namespaces than the tracer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<Namespaces>,
    /// The signal that its end sends; null for none, or where it is not known.
    pub exit_signal: Option<Named>,
    /// Where its creator called (`-k`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<Stack>,
}

/// A new thread.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Thread {
    /// Its tid.
    pub new_tid: i32,
}

/// A program was executed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Exec {
    /// What it is now.
    pub image: Image,
    /// The thread that called exec, where that was not the leader. It goes on
    /// under the leader's tid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<i32>,
}

/// A thread, or with its last thread the process, is dead.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    /// How it ended.
    pub status: Status,
}

/// A signal was delivered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Received {
    /// Which.
    pub signal: Named,
    /// Its siginfo, if it could be read.
    pub info: Option<Info>,
    /// The name of the process that sent it, if asked for (`-Y`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<Text>,
}

/// A group-stop began.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Stop {
    /// By which signal.
    pub signal: Named,
}

/// The new parent of an orphan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Adopt {
    /// The orphan.
    pub child: Child,
    /// Who died.
    pub from: i32,
    /// The name of the new parent, which may not be traced.
    pub parent_comm: Text,
}

/// A child of an attached process that is not traced itself.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UntracedChild {
    /// Who it is.
    pub child: Child,
    /// What it executes.
    pub image: Image,
    /// How it ended, if it is a zombie.
    pub zombie: Option<Status>,
    /// It came after the attach: an orphan from outside the trace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_adopted: bool,
    /// Its pids in other namespaces than the tracer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<Namespaces>,
}

/// What happens at SIGCHLD.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Handler {
    /// `SIG_DFL`
    Default,
    /// `SIG_DFL` with `SA_NOCLDWAIT`: the kernel reaps.
    DefaultNoWait,
    /// `SIG_IGN`: the kernel reaps.
    Ignore,
    /// A handler.
    Handler {
        /// Its address; `0x0` where only `/proc` told of it.
        address: Address,
        /// `SA_NOCLDWAIT`: the kernel reaps.
        no_wait: bool,
        /// `SA_RESTART`: interrupted calls go on.
        restarts: bool,
    },
}

/// A signal for the parent's death.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeathSignal {
    /// Which; null takes it back.
    pub signal: Option<Named>,
}

/// An exit code that is cut to 8 bits.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ExitsWith {
    /// The whole number.
    pub code: i32,
}

/// A signal is sent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Kill {
    /// Whom, as the sender calls it: a pid, a negated group, 0 or -1.
    pub whom: i32,
    /// Which signal; 0 only asks whether there is somebody.
    pub signal: Named,
}

/// What `/proc` said.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "about", rename_all = "kebab-case")]
pub enum Observation {
    /// Of a child that died a while ago.
    ZombieProbe {
        /// Its pid.
        child: i32,
        /// Who has it; null if it is gone.
        zombie: Option<Owner>,
    },
    /// Of a process that is blocked in a wait.
    BlockedChildren {
        /// What its children do.
        children: Vec<BlockedChild>,
        /// It handles a signal that a timer or a descriptor can send it.
        timers: bool,
    },
    /// Of a process whose leading thread has left it.
    Leader {
        /// A thread that lives.
        living: i32,
        /// How many live.
        threads: u64,
    },
    /// Of a thread that is blocked on streams after the death of a child.
    Streams {
        /// The child.
        dead_child: i32,
        /// How often the thread has gone to sleep so far.
        sleeps: u64,
        /// What it waits for.
        streams: Vec<Stream>,
    },
    /// Of the launched command after its end.
    Survivors {
        /// Its descendants that are alive.
        survivors: Vec<Survivor>,
    },
    /// Of a process that polled for its children: its only thread sleeps until a
    /// signal comes, and it handles none but SIGCHLD and those that ask it to
    /// end.
    AwaitsSignal,
}

/// A pipe or an end of a socket pair that a thread waits for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Stream {
    /// The thread's descriptor.
    pub fd: i32,
    /// The pipe, or its end of the socket pair.
    pub inode: Int,
    /// Who holds the other end.
    pub others: Vec<PipeSide>,
    /// Every process could be asked.
    pub complete: bool,
}

/// A process that outlives the launched command.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Survivor {
    /// Its pid.
    pub pid: i32,
    /// It holds a pipe or socket that is the command's standard output.
    pub holds_output: bool,
    /// It holds one that is its standard error.
    pub holds_error: bool,
}

/// A thread that waits for SIGCHLD with sigwait or a signalfd.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Listener {
    /// Which.
    pub tid: i32,
    /// Another thread of the process that does not block SIGCHLD; absent for
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unblocked: Option<i32>,
}

/// The parent of a zombie.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Owner {
    /// Its pid.
    pub parent: i32,
    /// Its process group; 0 where it is not known.
    pub group: i32,
    /// The zombie's process group.
    pub child_group: i32,
    /// Somebody else traces the zombie, and so withholds it from its parent.
    pub traced: bool,
    /// SIGCHLD is blocked in every thread of the parent, has a handler, and is
    /// pending.
    pub blocked_and_pending: bool,
    /// The number of the system call, x86-64's, that the parent's main thread is
    /// in; absent for none, or where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_call: Option<u32>,
    /// A thread of the parent that takes SIGCHLD without a handler; absent for
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<Listener>,
}

/// A child of a blocked process.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BlockedChild {
    /// Its pid.
    pub pid: i32,
    /// The pipe that it is blocked on; null if it is on none.
    pub pipe: Option<Pipe>,
}

/// A pipe that somebody is blocked on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Pipe {
    /// It writes; else it reads.
    pub writes: bool,
    /// Its descriptor.
    pub fd: i32,
    /// The pipe.
    pub inode: Int,
    /// Who holds the other end.
    pub others: Vec<PipeSide>,
    /// Every process could be asked.
    pub complete: bool,
}

/// A descriptor of the other end of a pipe.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PipeSide {
    /// Whose.
    pub pid: i32,
    /// Its name.
    pub comm: Text,
    /// Its number.
    pub fd: i32,
}
