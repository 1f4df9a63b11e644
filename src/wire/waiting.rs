//! What living processes are blocked in, as JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{Named, Text};
use super::waits_on::On;
use crate::event::{BlockedCall, BlockedTask, LookCause, WaitingLook};
use crate::kernel::{Signal, Tgid, Tid};
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
    /// The command can never end: every task sleeps, and nothing can wake one.
    Hang,
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
    /// It was woken then by a signal or by the tracer, and may have been in the call before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_older: bool,
    /// Signals that its process handles, if it waits for pipes or socket pairs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handles: Vec<Named>,
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
    /// How many descriptors more it waits for, which were not looked at.
    #[serde(default, skip_serializing_if = "super::values::is_zero")]
    pub more: u32,
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
            is_older: task.is_older,
            handles: Signal::of_mask(task.handled).map(Named::from).collect(),
            waits_since_ns: waiting.map(|waiting| waiting.when.at.0),
            stopped_since_ns: stopped.map(|(since, _)| since.at.0),
            on: task.on.iter().map(On::from).collect(),
            more: u32::try_from(task.more).unwrap_or(u32::MAX),
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
        let tgid = Tgid::new(task.pid);
        let handles = task.handles.iter().map(Signal::from);
        let on = task.on.into_iter();
        BlockedTask {
            tid: Tid::new(task.tid),
            tgid,
            parent: Tgid::new(task.parent),
            comm: (&task.comm).into(),
            argv: task.argv.into_iter().map(|word| word.0).collect(),
            state: u8::try_from(task.state).unwrap_or(b'?'),
            call: task.call.map(|name| BlockedCall { name, argument }),
            asleep: task.asleep_ns,
            is_older: task.is_older,
            handled: handles.fold(0, |mask, signal| mask | signal.bit()),
            on: on.filter_map(|on| on.read(tgid)).collect(),
            more: usize::try_from(task.more).unwrap_or(0),
        }
    }
}

impl From<LookCause> for Cause {
    fn from(cause: LookCause) -> Cause {
        match cause {
            LookCause::Asked => Cause::Asked,
            LookCause::TimeIsUp => Cause::TimeIsUp,
            LookCause::Silence(nanos) => Cause::Silence(nanos),
            LookCause::Hang => Cause::Hang,
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
            Cause::Hang => LookCause::Hang,
            Cause::CommandEnded { waits } => LookCause::CommandEnded { waits },
        }
    }
}
