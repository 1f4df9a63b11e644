//! The lifecycle of processes as JSON: creation, execs, ends, signals.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calls::Child;
use super::siginfo::Info;
use super::stack::Stack;
use super::values::{Address, Int, Named, Status, Text};

/// The program that a process runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// Its command name, at most 15 bytes.
    pub comm: Text,
    /// The executable, if it could be read.
    pub path: Option<Text>,
    /// The arguments, if they could be read.
    pub argv: Vec<Text>,
}

/// The pids of a process that is in another pid namespace than the tracer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Namespaces {
    /// The inode of its innermost namespace; 0 if not known.
    pub inode: Int,
    /// Its pid in each namespace, from the tracer's inwards.
    pub pids: Vec<i32>,
}

/// A task whose trace begins without an observed fork.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// The parent of its process.
    pub parent: Option<i32>,
    /// The program that it runs, if it was looked up.
    pub image: Option<Image>,
    /// Its pids in other namespaces than the tracer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<Namespaces>,
    /// The thread's name, if different from its process's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_comm: Option<Text>,
    /// The disposition of SIGCHLD, if it was looked up.
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
    /// The new process; it still has its creator's name.
    pub child: Child,
    /// `fork` (or a clone like it), `vfork`, or `clone` for one with another exit
    /// signal than SIGCHLD.
    pub how: String,
    /// Its parent, if that is not the creator (`CLONE_PARENT`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<i32>,
    /// Its pids in other namespaces than the tracer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<Namespaces>,
    /// Its exit signal; null for none, or if not known.
    pub exit_signal: Option<Named>,
    /// The call stack of the creator (`-k`).
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
    /// The new program.
    pub image: Image,
    /// The thread that called exec, if it was not the leader. It continues with the
    /// leader's tid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<i32>,
}

/// An exec failed, and the process goes on with its program. Not seen of attached processes
/// that run at full speed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ExecFailed {
    /// The path, or the file of the descriptor; null if it could not be read.
    pub path: Option<Text>,
    /// Why.
    pub errno: Named,
}

/// A thread has ended; the last one ends the process.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    /// How it ended.
    pub status: Status,
}

/// What a process has used, with the children that it reaped.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// CPU time in user mode, in microseconds.
    pub user_us: u64,
    /// CPU time in the kernel, in microseconds.
    pub system_us: u64,
    /// The most memory that was resident, of one of these processes, in KiB.
    pub peak_kib: u64,
}

/// A signal was delivered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Received {
    /// The signal.
    pub signal: Named,
    /// Its siginfo, if it could be read.
    pub info: Option<Info>,
    /// The name of the process that sent it, if asked for (`-Y`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<Text>,
    /// Nothing comes of it: its receiver is the first process of a pid namespace, and has
    /// no handler for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dropped: bool,
}

/// A group-stop begins.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Stop {
    /// The signal that stopped it.
    pub signal: Named,
}

/// The new parent of an orphan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Adopt {
    /// The orphan.
    pub child: Child,
    /// The parent that died.
    pub from: i32,
    /// The name of the new parent, which may not be traced.
    pub parent_comm: Text,
}

/// A child of an attached process that is not traced itself.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UntracedChild {
    /// The child.
    pub child: Child,
    /// The program that it runs.
    pub image: Image,
    /// How it ended, if it is a zombie.
    pub zombie: Option<Status>,
    /// It appeared after the attach: an orphan from outside the trace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_adopted: bool,
    /// Its pids in other namespaces than the tracer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<Namespaces>,
}

/// The disposition of SIGCHLD.
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
        /// Its address; `0x0` if only known from `/proc`.
        address: Address,
        /// `SA_NOCLDWAIT`: the kernel reaps.
        no_wait: bool,
        /// `SA_RESTART`: interrupted calls are restarted.
        restarts: bool,
    },
}

/// A parent-death signal (`PR_SET_PDEATHSIG`).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeathSignal {
    /// The signal; null clears it.
    pub signal: Option<Named>,
}

/// An exit code that is truncated to 8 bits.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ExitsWith {
    /// The whole number.
    pub code: i32,
}

/// A signal is sent by a system call.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Kill {
    /// The target as the sender names it: a pid, a negated group, 0 or -1.
    pub whom: i32,
    /// The signal; 0 only tests whether the target exists.
    pub signal: Named,
}
