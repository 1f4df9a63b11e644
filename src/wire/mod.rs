//! The JSON lines, version 1, which `--format json` writes and `--read` reads.
//!
//! These types define the format; `docs/json-schema.json` is generated from them.
//! Fields and kinds may be added within a version, never changed. The types of
//! [`event`](crate::event) are free to change: `write` and `read` translate.

mod calls;
mod held;
mod lifecycle;
mod observation;
mod read;
mod siginfo;
mod stack;
mod summary;
mod values;
mod waiting;
mod waits_on;
mod write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use calls::{Args, Child, RestartOutcome, Rusage, TargetName, Wait, WaitEntry};
pub use held::{Held, Until};
pub use lifecycle::{
    Adopt, Attach, DeathSignal, Exec, ExecFailed, Exit, ExitsWith, Fork, Found, Handler, Image,
    Kill, Namespaces, Received, Stop, Thread, UntracedChild, Usage,
};
pub use observation::{
    BlockedChild, Listener, Observation, Owner, Pipe, PipeSide, Stream, Survivor,
};
pub use read::can_read;
pub use siginfo::{Info, InfoFields};
pub use stack::{Frame, Function, Stack};
pub use summary::{Ending, Latency, Summary, SummaryRow};
pub use values::{Address, Int, Meaning, Named, Options, Status, Text};
pub use waiting::{Cause, Waiting, WaitingTask};
pub use waits_on::{Fifo, On, OwnerIs};
pub use write::{event, start};

/// The version that is written. A reader of this version reads every line of a
/// record whose first line has the same number, ignoring fields and kinds that
/// were added later.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// The version of the format; in the first line only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v: Option<u32>,
    /// Events count from 1 in the order in which the tracer observed them, which is
    /// not causal between threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The rest.
    #[serde(flatten)]
    pub body: Body,
}

/// The content of a line, by `type`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[expect(
    clippy::large_enum_variant,
    reason = "a line lives as long as it takes to write or read it"
)]
pub enum Body {
    /// The first line: what holds for the whole trace.
    Start(Start),
    /// The trace of a task begins without an observed fork: the launched root, an
    /// attached thread, or a child whose creator died too early.
    Found(About<Found>),
    /// A process is traced from here on (`-p`).
    Attach(About<Attach>),
    /// A process was created.
    Fork(About<Fork>),
    /// A thread was created.
    Thread(About<Thread>),
    /// A program was executed.
    Exec(About<Exec>),
    /// An exec failed.
    ExecFailed(About<ExecFailed>),
    /// What a process has used; before its `exit`.
    Usage(About<Usage>),
    /// A thread has ended; the last one ends the process.
    Exit(About<Exit>),
    /// A signal was delivered.
    Signal(About<Received>),
    /// A group-stop began.
    Stop(About<Stop>),
    /// A group-stop ended.
    Continue(About<Nothing>),
    /// A wait call began.
    WaitEntry(About<WaitEntry>),
    /// A wait call ended, or was interrupted.
    Wait(About<Wait>),
    /// A signal handler interrupted the thread's last wait: whether it is restarted.
    RestartOutcome(About<RestartOutcome>),
    /// The task is the new parent of an orphan.
    Adopt(About<Adopt>),
    /// The task is no longer traced, and runs on.
    Detach(About<Nothing>),
    /// A child of an attached process that is not traced itself: it is older than the
    /// attach, or an orphan from outside the trace.
    UntracedChild(About<UntracedChild>),
    /// The disposition of SIGCHLD was changed (`rt_sigaction`).
    Sigchld(About<Handler>),
    /// A parent-death signal was set (`PR_SET_PDEATHSIG`).
    DeathSignal(About<DeathSignal>),
    /// A seccomp filter with a listener was requested: calls that its supervisor
    /// answers are not observed.
    SeccompListener(About<Nothing>),
    /// The process exits with a number of which its parent gets only 8 bits.
    ExitsWith(About<ExitsWith>),
    /// The task sends a signal by a system call.
    Kill(About<Kill>),
    /// The task was held back by a schedule (`--schedule`), and goes on now.
    Held(About<Held>),
    /// A probe of `/proc`, requested by a rule.
    Observation(About<Observation>),
    /// What the living processes are blocked in.
    Waiting(About<Waiting>),
    /// A rule's deadline passed and no stop was left to be taken: every earlier event
    /// has been written.
    QueueDrained(About<Nothing>),
    /// The trace is over for the rules; tracees may still run.
    Over(About<Nothing>),
    /// A message to the user; only where the lines go to standard error.
    Message(Message),
    /// A fault that a rule found.
    Finding(Finding),
    /// The counts (`-c`, `-C`).
    Summary(Summary),
    /// The last line.
    End(End),
    /// A kind that was added after this version; never written.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// An event, with its time and task.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}Event")]
pub struct About<T> {
    /// Nanoseconds of the monotonic clock since the trace began, at the stop.
    pub t_ns: u64,
    /// The process, in the tracer's pid namespace.
    pub pid: i32,
    /// The thread, in the tracer's pid namespace.
    pub tid: i32,
    /// The process in its own pid namespace, if that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns_pid: Option<i32>,
    /// The thread's name; empty if it is not known.
    #[serde(default)]
    pub comm: Text,
    /// The event.
    #[serde(flatten)]
    pub what: T,
}

/// No fields.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Nothing {}

/// What holds for the whole trace.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Start {
    /// The program that recorded the trace, with its version.
    #[serde(default)]
    pub tracer: String,
    /// The command that was launched and its arguments; empty with `-p`.
    #[serde(default)]
    pub command: Vec<Text>,
    /// The processes that were attached to.
    #[serde(default)]
    pub attached: Vec<i32>,
    /// The kernel's release (`uname -r`).
    #[serde(default)]
    pub kernel: String,
    /// The machine (`uname -m`).
    #[serde(default)]
    pub arch: String,
    /// Wall-clock time of `t_ns` 0, in RFC 3339 format.
    #[serde(default)]
    pub began: String,
    /// What the trace could observe.
    #[serde(default)]
    pub sees: Sees,
}

/// What a trace could observe.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Sees {
    /// Children were followed.
    pub children: bool,
    /// Whether an interrupted wait was restarted is known (`restart-outcome`).
    pub restart_outcomes: bool,
    /// `/proc` could be read.
    pub proc: bool,
}

impl Default for Sees {
    fn default() -> Sees {
        Sees {
            children: true,
            restart_outcomes: true,
            proc: true,
        }
    }
}

/// A message to the user.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// A sentence.
    pub text: String,
}

/// A fault of one process, found by one rule. Written at the end of the trace;
/// the rules run anew when the lines are read.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The rule (`--explain` lists them).
    pub rule: String,
    /// `error`, `warning` or `info`.
    pub severity: String,
    /// The process at fault.
    pub pid: i32,
    /// Its name.
    pub comm: Text,
    /// The affected children; the first few.
    pub children: Vec<i32>,
    /// How many are affected.
    pub count: u64,
    /// What happened, in a sentence.
    pub message: String,
    /// How to fix it.
    pub help: String,
    /// The `seq` of the events that show it.
    pub evidence: Vec<u64>,
}

/// The end of the trace, with totals.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// Processes that were observed.
    pub processes: u64,
    /// Children that observed waits reaped; they need not have been observed themselves.
    pub reaped: u64,
    /// Zombies that were not reaped while their parent lived; null if the rules did
    /// not run.
    pub zombies: Option<u64>,
    /// Findings of the severity `error`.
    pub errors: u64,
    /// Findings of the severity `warning`.
    pub warnings: u64,
    /// Findings of the severity `info`.
    pub infos: u64,
    /// What the trace could not observe, one clause each, and which rules that
    /// disables.
    pub unseen: Vec<String>,
    /// What else is said: of a record that was read the wait that it ends in, say; of a trace
    /// that the out-of-memory killer was at work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
