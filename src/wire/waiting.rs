//! What living processes are blocked in, as JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::observation::PipeSide;
use super::values::Text;
use crate::event::{self, BlockedCall, BlockedTask, LookCause, WaitingLook};
use crate::kernel::{Tgid, Tid};
use crate::ledger::Ledger;

/// What the living processes are blocked in, at one moment. `--duration`, SIGUSR1, ^C,
/// processes that outlive the command, and silence ask for it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// Why it was looked at.
    pub cause: Cause,
    /// The threads, those of a process together, its leader first.
    pub tasks: Vec<WaitingTask>,
}

/// Why it was looked at.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The user asked, or ends the trace.
    Asked,
    /// `--duration` is over.
    TimeIsUp,
    /// No event for so many nanoseconds.
    Silence(u64),
    /// The command has ended, and processes that it started are alive.
    CommandEnded {
        /// They are waited for.
        waits: bool,
    },
}

/// A thread, and what it is blocked in.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WaitingTask {
    /// Its process.
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// The process's parent.
    pub parent: i32,
    /// The thread's name.
    pub comm: Text,
    /// The arguments of its process; of the leader alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<Text>,
    /// The kernel's letter: R, S, D, T, Z, …
    pub state: char,
    /// The call that it is blocked in; null for none, or if not known.
    pub call: Option<String>,
    /// The descriptor that the call is about, or the pid that a wait is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument: Option<i32>,
    /// Nanoseconds since it ran last; null if not known.
    pub asleep_ns: Option<u64>,
    /// Since when it is in a wait that was observed, in nanoseconds since the start of
    /// the trace. Not read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_since_ns: Option<u64>,
    /// Since when its process is in a group-stop, in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_since_ns: Option<u64>,
    /// What ends the call, as far as known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<On>,
}

/// What a blocked thread waits for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum On {
    /// A pipe or a socket pair.
    Stream {
        /// The thread's descriptor.
        fd: i32,
        /// It is a pipe.
        is_pipe: bool,
        /// The thread writes to it; if not, it reads.
        writes: bool,
        /// The holders of the other end.
        others: Vec<PipeSide>,
        /// Whether every process could be examined.
        complete: bool,
    },
    /// A network socket.
    Connection {
        /// The thread's descriptor.
        fd: i32,
        /// Its own address.
        local: String,
        /// The peer's address; null if there is none.
        peer: Option<String>,
    },
    /// A terminal.
    Terminal {
        /// The thread's descriptor.
        fd: i32,
        /// Its path.
        path: Text,
    },
    /// Another file.
    File {
        /// The thread's descriptor; null while it is being opened.
        fd: Option<i32>,
        /// Its path.
        path: Text,
        /// It is a named pipe.
        is_fifo: bool,
    },
    /// The end of a process, by a pidfd.
    ProcessEnd {
        /// The process.
        pid: i32,
    },
    /// A lock of a file.
    Lock {
        /// The file.
        path: Text,
        /// The processes that hold it; with the descriptor -1 the one that took it.
        holders: Vec<PipeSide>,
    },
    /// A mutex.
    Mutex {
        /// The thread that holds it.
        owner: i32,
    },
    /// The end of a thread.
    ThreadEnd {
        /// The thread.
        tid: i32,
    },
    /// A kind that was added after this version; never written.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

impl Waiting {
    /// What an event says, with what the ledger knows of it.
    pub(super) fn of(look: &WaitingLook, ledger: &Ledger) -> Waiting {
        let tasks = look.tasks.iter();
        Waiting {
            cause: look.cause.into(),
            tasks: tasks.map(|task| WaitingTask::of(task, ledger)).collect(),
        }
    }
}

impl WaitingTask {
    fn of(task: &BlockedTask, ledger: &Ledger) -> WaitingTask {
        let waiting = ledger.waiting(task.tid).map(|(_, waiting)| waiting);
        let waiting = waiting.filter(|waiting| waiting.blocks());
        let stopped = ledger
            .process(task.tgid)
            .and_then(|process| process.stopped);
        WaitingTask {
            pid: task.tgid.raw(),
            tid: task.tid.raw(),
            parent: task.parent.raw(),
            comm: task.comm.into(),
            argv: task.argv.iter().cloned().map(Text).collect(),
            state: char::from(task.state),
            call: task.call.as_ref().map(|call| call.name.clone()),
            argument: task.call.as_ref().and_then(|call| call.argument),
            asleep_ns: task.asleep,
            waits_since_ns: waiting.map(|waiting| waiting.when.at.0),
            stopped_since_ns: stopped.map(|(since, _)| since.at.0),
            on: task.on.iter().map(On::from).collect(),
        }
    }
}

impl From<Waiting> for WaitingLook {
    fn from(waiting: Waiting) -> WaitingLook {
        WaitingLook {
            cause: waiting.cause.into(),
            tasks: waiting.tasks.into_iter().map(BlockedTask::from).collect(),
        }
    }
}

impl From<WaitingTask> for BlockedTask {
    fn from(task: WaitingTask) -> BlockedTask {
        let argument = task.argument;
        BlockedTask {
            tid: Tid::new(task.tid),
            tgid: Tgid::new(task.pid),
            parent: Tgid::new(task.parent),
            comm: (&task.comm).into(),
            argv: task.argv.into_iter().map(|word| word.0).collect(),
            state: u8::try_from(task.state).unwrap_or(b'?'),
            call: task.call.map(|name| BlockedCall { name, argument }),
            asleep: task.asleep_ns,
            on: task.on.into_iter().filter_map(On::read).collect(),
        }
    }
}

impl From<LookCause> for Cause {
    fn from(cause: LookCause) -> Cause {
        match cause {
            LookCause::Asked => Cause::Asked,
            LookCause::TimeIsUp => Cause::TimeIsUp,
            LookCause::Silence(nanos) => Cause::Silence(nanos),
            LookCause::CommandEnded { waits } => Cause::CommandEnded { waits },
        }
    }
}

impl From<Cause> for LookCause {
    fn from(cause: Cause) -> LookCause {
        match cause {
            Cause::Asked => LookCause::Asked,
            Cause::TimeIsUp => LookCause::TimeIsUp,
            Cause::Silence(nanos) => LookCause::Silence(nanos),
            Cause::CommandEnded { waits } => LookCause::CommandEnded { waits },
        }
    }
}

fn sides(sides: &[event::PipeSide]) -> Vec<PipeSide> {
    sides.iter().map(PipeSide::from).collect()
}

fn read_sides(sides: &[PipeSide]) -> Vec<event::PipeSide> {
    sides.iter().map(event::PipeSide::from).collect()
}

impl From<&event::WaitsOn> for On {
    fn from(on: &event::WaitsOn) -> On {
        use event::WaitsOn;
        match on {
            WaitsOn::Stream {
                fd,
                is_pipe,
                writes,
                others,
                complete,
            } => On::Stream {
                fd: *fd,
                is_pipe: *is_pipe,
                writes: *writes,
                others: sides(others),
                complete: *complete,
            },
            WaitsOn::Connection { fd, local, peer } => On::Connection {
                fd: *fd,
                local: local.clone(),
                peer: peer.clone(),
            },
            WaitsOn::Terminal { fd, path } => On::Terminal {
                fd: *fd,
                path: Text(path.clone()),
            },
            WaitsOn::File { fd, path, is_fifo } => On::File {
                fd: *fd,
                path: Text(path.clone()),
                is_fifo: *is_fifo,
            },
            WaitsOn::ProcessEnd { tgid } => On::ProcessEnd { pid: tgid.raw() },
            WaitsOn::Lock { path, holders } => On::Lock {
                path: Text(path.clone()),
                holders: sides(holders),
            },
            WaitsOn::Mutex { owner } => On::Mutex { owner: owner.raw() },
            WaitsOn::ThreadEnd { tid } => On::ThreadEnd { tid: tid.raw() },
        }
    }
}

impl On {
    fn read(self) -> Option<event::WaitsOn> {
        use event::WaitsOn;
        Some(match self {
            On::Stream {
                fd,
                is_pipe,
                writes,
                others,
                complete,
            } => WaitsOn::Stream {
                fd,
                is_pipe,
                writes,
                others: read_sides(&others),
                complete,
            },
            On::Connection { fd, local, peer } => WaitsOn::Connection { fd, local, peer },
            On::Terminal { fd, path } => WaitsOn::Terminal { fd, path: path.0 },
            On::File { fd, path, is_fifo } => WaitsOn::File {
                fd,
                path: path.0,
                is_fifo,
            },
            On::ProcessEnd { pid } => WaitsOn::ProcessEnd {
                tgid: Tgid::new(pid),
            },
            On::Lock { path, holders } => WaitsOn::Lock {
                path: path.0,
                holders: read_sides(&holders),
            },
            On::Mutex { owner } => WaitsOn::Mutex {
                owner: Tid::new(owner),
            },
            On::ThreadEnd { tid } => WaitsOn::ThreadEnd { tid: Tid::new(tid) },
            On::Unknown => return None,
        })
    }
}
