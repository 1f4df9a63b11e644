//! What happened: the one type that the tracer makes and everything else reads.
//!
//! An event owns its data. Whatever had to be read from a tracee or from
//! `/proc` was read at the stop; nothing behind an event touches a tracee, so
//! ledger and outputs run on made-up events as well.

use std::fmt;
use std::sync::Arc;

use crate::kernel::{
    Abi, Errno, IdType, NsPid, Rusage, SigInfo, Signal, Tgid, Tid, WaitCall, WaitOptions,
    WaitStatus,
};

/// Nanoseconds of the monotonic clock since the trace began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// Nanoseconds from `earlier` to `self`, 0 if it was not earlier.
    #[must_use]
    pub fn since(self, earlier: Moment) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A fact about one task, in the order in which the tracer learned it.
///
/// That order is not causal: the kernel hands out stops that are ready at the
/// same time in the order of its list, not in that of their making.
#[derive(Clone, Debug)]
pub struct Event {
    /// Counts from 1.
    pub seq: u64,
    /// When the tracer took the stop.
    pub at: Moment,
    /// The thread.
    pub tid: Tid,
    /// Its process.
    pub tgid: Tgid,
    /// What happened to it.
    pub kind: EventKind,
}

/// The kinds of events.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "an event is made at a stop, where a box would be an allocation"
)]
pub enum EventKind {
    /// The task came under trace without a fork that we saw: the launched
    /// root, an attached thread, or a child whose creator died too early.
    Found(Found),
    /// `-p` now traces this process, with that many threads.
    Attached {
        /// Threads, the leader included.
        threads: usize,
    },
    /// The task created a process or a thread.
    Created(Created),
    /// The process executed a program.
    Executed {
        /// What it is now.
        image: Arc<Image>,
        /// The thread that called exec, where that was not the leader. Its
        /// tid is gone: it goes on under the leader's.
        former: Option<Tid>,
    },
    /// The thread, or with its last thread the process, is dead.
    Ended {
        /// How.
        status: WaitStatus,
    },
    /// A signal is delivered.
    Signalled {
        /// Which.
        signal: Signal,
        /// Its siginfo, if it could be read.
        info: Option<SigInfo>,
        /// The name of the process that `si_pid` names, if asked for (`-Y`).
        sender: Option<Comm>,
    },
    /// The process is in a group-stop.
    GroupStopped {
        /// What stopped it.
        signal: Signal,
    },
    /// The process left its group-stop.
    Resumed,
    /// A wait call begins.
    WaitEntered(WaitEntry),
    /// A wait call ends, or is interrupted ([`WaitExit::is_interrupted`]).
    WaitEnded(WaitExit),
    /// A signal handler runs in the midst of the last wait that was
    /// interrupted, and what the program will see was read from its frame.
    WaitFate {
        /// The signal whose handler runs.
        by: Signal,
        /// Whether the program sees EINTR; else the kernel restarts the call.
        eintr: bool,
    },
    /// The task is the new parent of a process whose parent died.
    Adopted {
        /// The orphan.
        child: Tgid,
        /// Who died.
        from: Tgid,
        /// The name of the new parent, which may not be traced.
        comm: Comm,
    },
    /// The task is no longer traced and runs on.
    Detached,
}

/// A task that came under trace without a fork that we saw.
#[derive(Clone, Debug)]
pub struct Found {
    /// The real parent of its process.
    pub parent: Option<Tgid>,
    /// What it runs, where that was asked for.
    pub image: Option<Arc<Image>>,
    /// Its pids in other namespaces than the tracer's, if it has any.
    pub ns: Option<Arc<NsPids>>,
    /// Its own name, where that differs from its process's.
    pub comm: Option<Comm>,
}

/// A new process or thread.
#[derive(Clone, Debug)]
pub struct Created {
    /// Its tid; for a process its pid.
    pub child: Tid,
    /// By which kind of call.
    pub how: How,
    /// Its parent, where that is not the creator (`CLONE_PARENT`).
    pub parent: Option<Tgid>,
    /// Its pids in other namespaces than the tracer's, if it has any.
    pub ns: Option<Arc<NsPids>>,
}

/// How a task was created, as the kernel's events tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `fork`, or a clone that sends SIGCHLD.
    Fork,
    /// With `CLONE_VFORK`: the creator sleeps until the child execs or exits.
    Vfork,
    /// A process whose exit signal is not SIGCHLD.
    Clone,
    /// A thread of the creator's process.
    Thread,
}

/// What a process executes; made once an exec and shared from then on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The kernel's name for it, 15 bytes at most.
    pub comm: Comm,
    /// The executable, if it could be read.
    pub path: Option<Vec<u8>>,
    /// The arguments, if they could be read.
    pub argv: Vec<Vec<u8>>,
}

/// The pids of a process that lives in another pid namespace than the tracer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NsPids {
    /// Inode of its own, innermost namespace; 0 where it could not be read.
    pub inode: u64,
    /// Its pid in each namespace, from the tracer's inwards (`NSpid:` in
    /// `/proc/PID/status`).
    pub chain: Vec<NsPid>,
}

/// A task's name (`/proc/TID/comm`): at most 15 bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Comm {
    bytes: [u8; 15],
    length: u8,
}

impl Comm {
    /// The first 15 bytes of `name`.
    #[must_use]
    pub fn new(name: &[u8]) -> Comm {
        let mut bytes = [0; 15];
        let mut length = 0;
        for (to, from) in bytes.iter_mut().zip(name) {
            *to = *from;
            length += 1;
        }
        Comm { bytes, length }
    }

    /// The bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }
}

impl fmt::Display for Comm {
    /// The name, with control bytes and quotes escaped: a tracee chooses it,
    /// and it must not move the cursor of a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(self.as_bytes(), f)
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// Write bytes that a tracee chose, so that they cannot harm a terminal:
/// control characters and what is no UTF-8 become `\n`, `\33` and their like.
///
/// # Errors
/// Those of the writer.
pub fn escape(bytes: &[u8], f: &mut dyn fmt::Write) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                '\r' => f.write_str("\\r")?,
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                c if c.is_control() => write!(f, "\\{:o}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        for byte in chunk.invalid() {
            write!(f, "\\{byte:o}")?;
        }
    }
    Ok(())
}

/// Something that lay in a tracee's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched<T> {
    /// The pointer was NULL.
    Null,
    /// It was not read: the call wrote nothing there.
    Unread {
        /// The pointer.
        addr: u64,
    },
    /// It could not be read.
    Unreadable {
        /// The pointer.
        addr: u64,
        /// Why not.
        errno: Errno,
    },
    /// What was there.
    Value {
        /// The pointer.
        addr: u64,
        /// What was there.
        value: T,
    },
}

impl<T> Fetched<T> {
    /// The value, if it was read.
    pub fn value(&self) -> Option<&T> {
        match self {
            Fetched::Value { value, .. } => Some(value),
            _ => None,
        }
    }
}

/// Whom a wait call names, by the words it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// wait4 and waitpid: a pid, a negated group, 0 or -1.
    Pid(i32),
    /// waitid: a type and an id, unsigned as strace prints it.
    Id(IdType, u32),
}

impl Named {
    /// The one process that is named.
    #[must_use]
    pub fn process(self) -> Option<NsPid> {
        match self {
            Named::Pid(pid) if pid > 0 => Some(NsPid::new(pid)),
            Named::Id(IdType::PID, pid) => Some(NsPid::new(pid.cast_signed())),
            Named::Pid(_) | Named::Id(..) => None,
        }
    }
}

/// The arguments of a wait call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitEntry {
    /// Which call.
    pub call: WaitCall,
    /// Of which ABI; decided at each stop.
    pub abi: Abi,
    /// Whom it waits for.
    pub named: Named,
    /// Its options.
    pub options: WaitOptions,
    /// The pointer to the status, or for waitid to the siginfo.
    pub result_at: u64,
    /// The pointer to the rusage; 0 for waitpid, which has none.
    pub rusage_at: u64,
    /// Whether the kernel restarts a call that was interrupted.
    pub is_restart: bool,
    /// What stands behind the pid or file descriptor, if asked for.
    pub target: Option<TargetName>,
}

/// What stands behind the pid or descriptor that a wait names.
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
    /// What the call was given.
    pub entry: WaitEntry,
    /// When it was given it; of a restarted call, the last time.
    pub entered: Moment,
    /// A pid or 0, or an error, kernel-internal ones included.
    pub result: Result<NsPid, Errno>,
    /// wait4's and waitpid's status word.
    pub status: Fetched<WaitStatus>,
    /// waitid's siginfo.
    pub info: Fetched<SigInfo>,
    /// The rusage of the child.
    pub rusage: Fetched<Rusage>,
    /// The name of the child in the result or siginfo, if asked for (`-Y`).
    pub child: Option<Comm>,
    /// After EFAULT: the children that the process still has, dead or alive.
    pub remaining: Option<Vec<Tgid>>,
}

impl WaitExit {
    /// Whether the kernel interrupted the call and may restart it.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        matches!(self.result, Err(errno) if errno.is_restart())
    }

    /// The child that the call reports and its status word, if it does.
    ///
    /// waitid tells the status in two fields; the word is made from them.
    #[must_use]
    pub fn reported(&self) -> Option<(NsPid, Option<WaitStatus>)> {
        let pid = self.result.ok()?;
        if self.entry.call == WaitCall::Waitid {
            let (pid, status) = self.info.value()?.child()?;
            return Some((pid, Some(status)));
        }
        (pid.raw() > 0).then(|| (pid, self.status.value().copied()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_tracee_chose_cannot_move_the_cursor() {
        let comm = Comm::new(b"a\x1b[2Jb\n\xff and more than fifteen");
        assert_eq!(comm.to_string(), "a\\33[2Jb\\n\\377 and mo");
    }

    #[test]
    fn a_name_is_cut_after_fifteen_bytes() {
        assert_eq!(
            Comm::new(b"0123456789abcdefgh").as_bytes(),
            b"0123456789abcde"
        );
    }
}
