//! Wait calls: their arguments and their results.

use std::sync::Arc;

use super::{Comm, Moment, Stack};
use crate::kernel::{
    Abi, Errno, IdType, NsPid, Rusage, SigInfo, Tgid, WaitCall, WaitOptions, WaitStatus,
};

/// Data in a tracee's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched<T> {
    /// The pointer was NULL.
    Null,
    /// It was not read, since the call wrote nothing there.
    Unread {
        /// The pointer.
        addr: u64,
    },
    /// It could not be read.
    Unreadable {
        /// The pointer.
        addr: u64,
        /// The error.
        errno: Errno,
    },
    /// It was read.
    Value {
        /// The pointer.
        addr: u64,
        /// What was there.
        value: T,
    },
}

impl<T> Fetched<T> {
    /// A pointer whose data a record does not contain.
    pub(crate) fn unread(addr: u64) -> Fetched<T> {
        match addr {
            0 => Fetched::Null,
            addr => Fetched::Unread { addr },
        }
    }

    /// The value, if it was read.
    pub fn value(&self) -> Option<&T> {
        match self {
            Fetched::Value { value, .. } => Some(value),
            _ => None,
        }
    }
}

/// What a wait call names, by its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// wait4 and waitpid: a pid, a negated group, 0 or -1.
    Pid(i32),
    /// waitid: a type and an id, unsigned as strace prints it.
    Id(IdType, u32),
    /// A record does not show it.
    Unknown,
}

/// Stands for the address of what a record shows without its address, or does
/// not show. No program has it: it is not canonical.
pub const NOT_SHOWN: u64 = 0x8000_0000_0000_0001;

impl Named {
    /// The one process that is named, if it is one.
    #[must_use]
    pub fn process(self) -> Option<NsPid> {
        match self {
            Named::Pid(pid) if pid > 0 => Some(NsPid::new(pid)),
            Named::Id(IdType::PID, pid) => Some(NsPid::new(pid.cast_signed())),
            Named::Pid(_) | Named::Id(..) | Named::Unknown => None,
        }
    }
}

/// The arguments of a wait call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitEntry {
    /// Which call.
    pub call: WaitCall,
    /// Its ABI; decided at each stop.
    pub abi: Abi,
    /// What it waits for.
    pub named: Named,
    /// Its options.
    pub options: WaitOptions,
    /// The pointer to the status, or for waitid to the siginfo.
    pub result_at: u64,
    /// The pointer to the rusage; 0 for waitpid, which has none.
    pub rusage_at: u64,
    /// wait6's pointer to the siginfo; 0 for the others.
    pub info_at: u64,
    /// Whether the kernel restarts an interrupted call.
    pub is_restart: bool,
    /// A record shows only the first half of the call: the options are not
    /// known, and are set to none.
    pub is_half: bool,
    /// What the pid or file descriptor refers to, if asked for.
    pub target: Option<TargetName>,
    /// The process that the pidfd refers to; -1 if it has been reaped.
    pub pidfd: Option<i32>,
    /// The call stack (`-k`).
    pub stack: Option<Arc<Stack>>,
}

/// What the pid or descriptor of a wait refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetName {
    /// The process's name (`-Y`).
    Comm(Comm),
    /// The descriptor's link in `/proc` (`-y`).
    Link(Vec<u8>),
    /// The pid that the pidfd refers to (`-yy`).
    PidFd(i32),
}

/// The result of a wait call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitExit {
    /// The call and its arguments.
    pub entry: WaitEntry,
    /// When the call began; for a restarted call, the last time.
    pub entered: Moment,
    /// A pid or 0, or an error, including those internal to the kernel.
    pub result: Result<NsPid, Errno>,
    /// wait4's and waitpid's status word.
    pub status: Fetched<WaitStatus>,
    /// waitid's siginfo.
    pub info: Fetched<SigInfo>,
    /// The rusage of the child.
    pub rusage: Fetched<Rusage>,
    /// The name of the child in the result or siginfo, if asked for (`-Y`).
    pub child: Option<Comm>,
    /// After EFAULT: the children that the process still has, alive or zombie.
    pub remaining: Option<Vec<Tgid>>,
    /// The child was stopped or continued, and has not ended; the record does not
    /// show which.
    pub lives_on: bool,
    /// For a wait that reaped a child it did not name, as the only one, in a process
    /// that handles SIGCHLD: whether it was called within that handler. `None` if
    /// that is not known or was not examined.
    pub in_handler: Option<bool>,
}

/// The status of a child that lives on: stopped by signal 0.
const SOME_STOP: WaitStatus = WaitStatus::from_raw(0x7f);

impl WaitExit {
    /// Whether the kernel interrupted the call and may restart it.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        matches!(self.result, Err(errno) if errno.is_restart())
    }

    /// The child that the call reports and its status word, if it does.
    ///
    /// waitid has the status in two fields, from which the word is made. For a child
    /// that lives on ([`WaitExit::lives_on`]) it is a stop by signal 0.
    #[must_use]
    pub fn reported(&self) -> Option<(NsPid, Option<WaitStatus>)> {
        let pid = self.result.ok()?;
        if self.entry.call == WaitCall::Waitid {
            if self.lives_on && self.info.value().is_none() {
                return Some((self.entry.named.process()?, Some(SOME_STOP)));
            }
            let (pid, status) = self.info.value()?.child()?;
            return Some((pid, Some(status)));
        }
        let known = self.status.value().copied();
        let status = known.or_else(|| self.lives_on.then_some(SOME_STOP));
        (pid.raw() > 0).then_some((pid, status))
    }

    /// Whether the call was a poll that found nothing.
    #[must_use]
    pub fn found_nothing(&self) -> bool {
        let polls = self.entry.options.contains(WaitOptions::NOHANG);
        polls
            && match self.result {
                Ok(pid) if self.entry.call != WaitCall::Waitid => pid.raw() == 0,
                Ok(_) => self.info.value().is_some_and(|info| info.signo.raw() == 0),
                Err(errno) => errno == Errno::CHILD,
            }
    }
}
