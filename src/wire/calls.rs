//! Wait calls on the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stack::Stack;
use super::words::{Address, Int, Named, Options, Status, Text};

/// A wait call that begins.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WaitEntry {
    /// `wait4`, `waitid`, `waitpid` or, on a BSD, `wait6`.
    pub call: String,
    /// The ABI of the call, which may differ from the machine's; of a record
    /// that a BSD made, `freebsd` or `netbsd`: the options and the id type are
    /// that system's.
    pub abi: String,
    /// What it was given.
    pub args: Args,
    /// The kernel restarts a call that was interrupted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub restart: bool,
    /// The process that it waits for, if it names one that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Child>,
    /// What stands behind the pid or descriptor, if asked for (`-y`, `-Y`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_name: Option<TargetName>,
    /// The process behind a pidfd; -1 where it has been reaped.
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

/// The arguments of a wait call, as the tracee gave them: its pids are those
/// of its own namespace. `pid`, or `idtype` and `id`, may lack where a record
/// does not have them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Args {
    /// wait4 and waitpid: a pid, a negated process group, 0 or -1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// waitid and wait6: what `id` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idtype: Option<Named>,
    /// waitid and wait6: a pid, a process group, a pidfd or what the type says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// Where the status, or for waitid the siginfo, is to be written; null for
    /// NULL.
    pub wstatus: Option<Address>,
    /// The options; null where a record does not have them.
    pub options: Option<Options>,
    /// Where the rusage is to be written; null for NULL.
    pub rusage: Option<Address>,
    /// wait6: where the siginfo is to be written, if not NULL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Address>,
}

/// What stands behind the pid or descriptor that a wait names.
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
    /// What it was given.
    #[serde(flatten)]
    pub entry: WaitEntry,
    /// What it returned: a pid as the tracee sees it, 0, or -1.
    pub ret: i32,
    /// The error; those above 511 are the kernel's own, which the program
    /// never sees.
    pub errno: Option<Named>,
    /// The status that it wrote.
    pub status: Option<Status>,
    /// The siginfo that waitid wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Info>,
    /// The rusage that it wrote.
    pub rusage: Option<Rusage>,
    /// What it should have written could not be read: why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_unreadable: Option<Named>,
    /// The rusage could not be read: why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rusage_unreadable: Option<Named>,
    /// The child that it tells of.
    pub child: Option<Child>,
    /// How long the child had been dead when it was reaped, in seconds; null
    /// where that is not known, as for one that ended before an attach.
    pub zombie_s: Option<f64>,
    /// How long the call took, in seconds; of a restarted call, the last time.
    /// Null where a record does not have the call's beginning.
    pub duration_s: Option<f64>,
    /// When it was given its arguments, in nanoseconds since the start; of a
    /// restarted call, the last time. Null where a record does not have that.
    pub entered_ns: Option<u64>,
    /// The name of the child in the result, if asked for (`-Y`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child_name: Option<Text>,
    /// After EFAULT: the children that the process still has, dead or alive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<Vec<i32>>,
    /// The child was stopped or went on; the record that was read does not
    /// tell which.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lives_on: bool,
    /// It took a child that it did not name, in a process that handles SIGCHLD
    /// and had no other: whether it was called within that handler. Absent where
    /// that is not known, or was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_handler: Option<bool>,
}

/// A process that an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Child {
    /// Its pid in the tracer's namespace.
    pub pid: i32,
    /// Its pid as the caller sees it, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns_pid: Option<i32>,
    /// Its name; empty if it is not known.
    #[serde(default)]
    pub comm: Text,
}

/// A `siginfo_t`, without `si_`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Info {
    /// The signal; 0 if waitid found nothing.
    pub signo: Named,
    /// Where it comes from.
    pub code: Named,
    /// Nearly always 0.
    pub errno: i32,
    /// The rest.
    #[serde(flatten)]
    pub fields: InfoFields,
}

/// The members of a `siginfo_t` by what sent it (`man 2 sigaction`); pids are
/// those of the receiver's namespace.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "layout", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the members of siginfo_t, without si_")]
pub enum InfoFields {
    Kill {
        pid: i32,
        uid: u32,
    },
    Timer {
        timerid: i32,
        overrun: i32,
        value: Address,
    },
    Queue {
        pid: i32,
        uid: u32,
        value: Address,
    },
    Child {
        pid: i32,
        uid: u32,
        status: i32,
        utime: Int,
        stime: Int,
    },
    Fault {
        addr: Address,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        addr_lsb: Option<u16>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lower: Option<Address>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upper: Option<Address>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pkey: Option<u32>,
    },
    Poll {
        band: Int,
        fd: i32,
    },
    Nothing,
    Sys {
        call_addr: Address,
        syscall: i32,
        arch: u32,
    },
}

/// A `struct rusage` (`man 2 getrusage`), without `ru_`.
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

/// What becomes of a wait that was interrupted.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Fate {
    /// The signal whose handler runs.
    pub by: Named,
    /// The program sees EINTR; else the kernel restarts the call.
    pub eintr: bool,
}
