//! Wait calls as JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::siginfo::Info;
use super::stack::Stack;
use super::values::{Address, Int, Named, Options, Status, Text};
use crate::kernel::{self, TimeVal};

/// A wait call that begins.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WaitEntry {
    /// `wait4`, `waitid`, `waitpid` or, on a BSD, `wait6`.
    pub call: String,
    /// The ABI of the call, which may differ from the machine's. In a record from a
    /// BSD it is `freebsd` or `netbsd`; the options and the id type are that
    /// system's.
    pub abi: String,
    /// Its arguments.
    pub args: Args,
    /// The kernel restarts an interrupted call.
    #[serde(default, skip_serializing_if = "is_false")]
    pub restart: bool,
    /// The process that it waits for, if it names one that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Child>,
    /// What the pid or descriptor refers to, if asked for (`-y`, `-Y`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_name: Option<TargetName>,
    /// The process that the pidfd refers to; -1 if it has been reaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pidfd: Option<i32>,
    /// Where the call was made (`-k`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<Stack>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The arguments of a wait call, as the tracee passed them: pids are those of its
/// own namespace. `pid`, or `idtype` and `id`, are absent where a record does
/// not show them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Args {
    /// wait4 and waitpid: a pid, a negated process group, 0 or -1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// waitid and wait6: the type of `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idtype: Option<Named>,
    /// waitid and wait6: a pid, a process group, a pidfd or another id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// Where to write the status, or for waitid the siginfo; null for NULL.
    pub wstatus: Option<Address>,
    /// The options; null if a record does not show them.
    pub options: Option<Options>,
    /// Where to write the rusage; null for NULL.
    pub rusage: Option<Address>,
    /// wait6: where to write the siginfo, if not NULL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Address>,
}

/// What the pid or descriptor of a wait refers to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TargetName {
    /// The process's name.
    Comm(Text),
    /// The descriptor's link in `/proc`.
    Link(Text),
    /// The pid that the pidfd refers to.
    Pid(i32),
}

/// A wait call that ended.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Wait {
    /// The call and its arguments.
    #[serde(flatten)]
    pub entry: WaitEntry,
    /// What it returned: a pid as the tracee sees it, 0, or -1.
    pub ret: i32,
    /// The error; those above 511 are internal to the kernel, the program never sees
    /// them.
    pub errno: Option<Named>,
    /// The status that it wrote.
    pub status: Option<Status>,
    /// The siginfo that waitid wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Info>,
    /// The rusage that it wrote.
    pub rusage: Option<Rusage>,
    /// Why the status or siginfo could not be read, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_unreadable: Option<Named>,
    /// Why the rusage could not be read, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rusage_unreadable: Option<Named>,
    /// The child that it reported.
    pub child: Option<Child>,
    /// How long the child had been dead when it was reaped, in seconds; null if not
    /// known, as for a child that ended before an attach.
    pub zombie_s: Option<f64>,
    /// How long the call took, in seconds; for a restarted call, the last time. Null
    /// if a record does not show the beginning of the call.
    pub duration_s: Option<f64>,
    /// When the call began, in nanoseconds since the start; for a restarted call, the
    /// last time. Null if a record does not show that.
    pub entered_ns: Option<u64>,
    /// The name of the child in the result, if asked for (`-Y`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child_name: Option<Text>,
    /// After EFAULT: the children that the process still has, alive or zombie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<Vec<i32>>,
    /// The child was stopped or continued; the record that was read does not show
    /// which.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lives_on: bool,
    /// For a wait that reaped a child it did not name, as the only one, in a process
    /// that handles SIGCHLD: whether it was called within that handler. Absent if
    /// that is not known or was not examined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_handler: Option<bool>,
}

/// The process that an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Child {
    /// Its pid in the tracer's namespace.
    pub pid: i32,
    /// Its pid as the caller sees it, if different.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns_pid: Option<i32>,
    /// Its name; empty if it is not known.
    #[serde(default)]
    pub comm: Text,
}

/// A `struct rusage` (`man 2 getrusage`); names without `ru_`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the fields of getrusage(2), without ru_")]
pub struct Rusage {
    /// User CPU time: seconds and microseconds.
    pub utime: [Int; 2],
    /// System CPU time: seconds and microseconds.
    pub stime: [Int; 2],
    pub maxrss: Int,
    pub ixrss: Int,
    pub idrss: Int,
    pub isrss: Int,
    pub minflt: Int,
    pub majflt: Int,
    pub nswap: Int,
    pub inblock: Int,
    pub oublock: Int,
    pub msgsnd: Int,
    pub msgrcv: Int,
    pub nsignals: Int,
    pub nvcsw: Int,
    pub nivcsw: Int,
}

/// Whether an interrupted wait is restarted.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RestartOutcome {
    /// The signal whose handler runs.
    pub by: Named,
    /// The program gets EINTR. If false, the kernel restarts the call.
    pub eintr: bool,
}

impl From<&kernel::Rusage> for Rusage {
    fn from(rusage: &kernel::Rusage) -> Rusage {
        let time = |time: kernel::TimeVal| [Int::from(time.sec), Int::from(time.usec)];
        Rusage {
            utime: time(rusage.utime),
            stime: time(rusage.stime),
            maxrss: rusage.maxrss.into(),
            ixrss: rusage.ixrss.into(),
            idrss: rusage.idrss.into(),
            isrss: rusage.isrss.into(),
            minflt: rusage.minflt.into(),
            majflt: rusage.majflt.into(),
            nswap: rusage.nswap.into(),
            inblock: rusage.inblock.into(),
            oublock: rusage.oublock.into(),
            msgsnd: rusage.msgsnd.into(),
            msgrcv: rusage.msgrcv.into(),
            nsignals: rusage.nsignals.into(),
            nvcsw: rusage.nvcsw.into(),
            nivcsw: rusage.nivcsw.into(),
        }
    }
}

impl From<Rusage> for kernel::Rusage {
    fn from(rusage: Rusage) -> kernel::Rusage {
        let time = |[sec, usec]: [Int; 2]| TimeVal {
            sec: sec.signed(),
            usec: usec.signed(),
        };
        kernel::Rusage {
            utime: time(rusage.utime),
            stime: time(rusage.stime),
            maxrss: rusage.maxrss.signed(),
            ixrss: rusage.ixrss.signed(),
            idrss: rusage.idrss.signed(),
            isrss: rusage.isrss.signed(),
            minflt: rusage.minflt.signed(),
            majflt: rusage.majflt.signed(),
            nswap: rusage.nswap.signed(),
            inblock: rusage.inblock.signed(),
            oublock: rusage.oublock.signed(),
            msgsnd: rusage.msgsnd.signed(),
            msgrcv: rusage.msgrcv.signed(),
            nsignals: rusage.nsignals.signed(),
            nvcsw: rusage.nvcsw.signed(),
            nivcsw: rusage.nivcsw.signed(),
        }
    }
}
