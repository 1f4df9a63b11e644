//! A look at the living processes of the trace: what each thread is blocked in.

use super::{Comm, PipeSide};
use crate::kernel::{Tgid, Tid};

/// What `/proc` shows of the living processes at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingLook {
    /// Why it was taken.
    pub cause: LookCause,
    /// The threads, those of a process together, its leader first.
    pub tasks: Vec<BlockedTask>,
}

/// Why the processes were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookCause {
    /// The user asked, or ends the trace.
    Asked,
    /// `--duration` is over.
    TimeIsUp,
    /// No event for so many nanoseconds.
    Silence(u64),
    /// Every task sleeps, and nothing can wake one: the command can never end.
    Hang,
    /// The command has ended, and processes that it started are alive.
    CommandEnded {
        /// They are waited for.
        waits: bool,
    },
}

/// A thread, and what it is blocked in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedTask {
    /// The thread.
    pub tid: Tid,
    /// Its process.
    pub tgid: Tgid,
    /// The process's parent.
    pub parent: Tgid,
    /// The thread's name.
    pub comm: Comm,
    /// The arguments of its process; of the leader alone, and empty if they cannot be
    /// read.
    pub argv: Vec<Vec<u8>>,
    /// One letter: `R`, `S`, `D`, `T`, `Z`, …
    pub state: u8,
    /// The call that it is in; `None` for none, or if it may not be examined.
    pub call: Option<BlockedCall>,
    /// Nanoseconds since it ran last, if known.
    pub asleep: Option<u64>,
    /// It was woken then by a signal or by the tracer, and may have been in the call before.
    pub is_older: bool,
    /// Signals that its process handles, if it waits for pipes or socket pairs: bit
    /// `n - 1` for signal `n`.
    pub handled: u64,
    /// What ends the call, as far as known.
    pub on: Vec<WaitsOn>,
    /// How many descriptors more it waits for, which were not looked at.
    pub more: usize,
}

/// A system call that a thread is blocked in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockedCall {
    /// Its name, or where its number has none here, the kernel's function that the
    /// thread sleeps in.
    pub name: String,
    /// The descriptor that it is about, or the pid that a wait is for.
    pub argument: Option<i32>,
}

/// What a blocked thread waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitsOn {
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
        /// Its own address, and that of its peer; `None` if it listens or has none.
        local: String,
        /// The peer's address.
        peer: Option<String>,
    },
    /// A terminal.
    Terminal {
        /// The thread's descriptor.
        fd: i32,
        /// Its path.
        path: Vec<u8>,
    },
    /// Another file.
    File {
        /// The thread's descriptor; `None` while it is being opened.
        fd: Option<i32>,
        /// Its path.
        path: Vec<u8>,
        /// What is known of the other end, if it is a named pipe.
        fifo: Option<OtherEnd>,
    },
    /// A Unix socket whose queue of connections is full.
    Backlog {
        /// The thread's descriptor.
        fd: i32,
        /// The address: a path, or with `@` first a name.
        path: Vec<u8>,
        /// The processes that have the listening socket.
        holders: Vec<PipeSide>,
    },
    /// An object of the kernel that is no file.
    Object {
        /// The thread's descriptor.
        fd: i32,
        /// What it is.
        object: KernelObject,
    },
    /// The end of a process, by a pidfd.
    ProcessEnd {
        /// The process.
        tgid: Tgid,
    },
    /// A lock of a file (flock, fcntl).
    Lock {
        /// The file.
        path: Vec<u8>,
        /// The processes that hold it.
        holders: Vec<PipeSide>,
    },
    /// A mutex.
    Mutex {
        /// Who holds it, if known.
        holder: Option<MutexHolder>,
        /// It lies in memory that several processes may have.
        is_shared: bool,
    },
    /// Something in its own memory, which has no owner; and no other thread of its process
    /// is alive.
    NoOtherThread,
    /// The end of a thread of the same process.
    ThreadEnd {
        /// The thread.
        tid: Tid,
    },
}

/// Who has the other end of a named pipe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherEnd {
    /// The waiting thread writes; if not, it reads.
    pub writes: bool,
    /// The holders of the other end.
    pub others: Vec<PipeSide>,
    /// Whether every process could be examined.
    pub complete: bool,
}

/// An object of the kernel that a descriptor is of (`man 5 proc_pid_fdinfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelObject {
    /// A counter that a process adds to.
    Eventfd,
    /// Signals: bit `n - 1` for signal `n`.
    Signalfd {
        /// Those that it takes.
        signals: u64,
    },
    /// A timer.
    Timerfd {
        /// Nanoseconds until it expires; `None` if it is not set.
        left: Option<u64>,
    },
    /// Changes of files.
    Inotify {
        /// How many files and directories are watched.
        watches: u32,
    },
}

/// Who holds a mutex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MutexHolder {
    /// A living thread of this process.
    Thread(Tgid, Tid),
    /// A thread that has ended.
    Dead(Tid),
    /// A living thread of this ancestor, which had locked it when it forked: what waits is
    /// for a copy, which nothing unlocks.
    Ancestor(Tgid, Tid),
}
