//! The threads and processes under trace: what the tracer must know between
//! two stops of a task, and no more. Who is whose child for the *reader* is
//! the ledger's.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::failed_exec::OpenExec;
use super::full_speed::Speed;
use super::handler::{HandlerFrame, Interrupted};
use super::interruptions::MadeAgain;
use super::last_eintr::LastEintr;
use super::sigaction::Deferred;
use crate::event::{Moment, NsPids, SigchldAction, WaitEntry};
use crate::kernel::{Signal, Tgid, Tid};
use crate::sys::ptrace::How;

/// How many interrupted calls of one thread are remembered. A handler may
/// wait itself and be interrupted in turn; one that leaves by longjmp lets its
/// call lie here for ever.
const MOST_SUSPENDED: usize = 16;

/// What a task was started by, which all that it creates inherits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// We launched it: it may not outlive us, and we do not detach from it.
    pub(super) launched: bool,
    /// It runs under our seccomp filter.
    pub(super) filtered: bool,
}

/// A thread under trace.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) tgid: Tgid,
    pub(super) kind: Kind,
    /// The wait call that it is in.
    pub(super) call: Option<Call>,
    /// Wait calls that were interrupted and may be restarted, innermost last.
    pub(super) suspended: Vec<Call>,
    /// It is in a `rt_sigaction` whose argument is read at the exit.
    pub(super) sigaction: Option<Deferred>,
    /// It is in an exec, which may fail.
    pub(super) exec: Option<OpenExec>,
    /// Its last wait was interrupted, and neither a handler nor a restart has
    /// followed yet.
    pub(super) interrupted: bool,
    /// It takes one step into a handler.
    pub(super) stepping: Option<Stepping>,
    /// It is in a group-stop by this signal, and we left it in that.
    pub(super) group_stopped: Option<Signal>,
    /// Where its process's handler of SIGCHLD interrupted it last.
    pub(super) interrupted_at: Option<Interrupted>,
    /// It was interrupted by us, and its stop is still to come.
    pub(super) asked_to_stop: bool,
    /// When a signal or an interrupt of ours woke it last: it may go on with a call
    /// that it had been asleep in.
    pub(super) woken: Option<Moment>,
    /// How often in a row a call of it was made again.
    pub(super) repeats: u8,
    /// The call with a time-out that it is in, if that is made again.
    pub(super) made_again: Option<MadeAgain>,
    /// The call that failed with EINTR last, where that has to be known (aarch64).
    pub(super) last_eintr: LastEintr,
    /// It stops at no call.
    pub(super) is_free: bool,
    /// It is a new process whose first stop is still to come, and which may
    /// have to wait in it.
    pub(super) is_new: bool,
    /// Children of its process wait until it has stopped.
    pub(super) is_awaited: bool,
}

/// A step into a handler.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stepping {
    /// The handler's signal.
    pub(super) signal: Signal,
    /// Where the task was when the signal was delivered ([`Stopped::before_handler`]).
    ///
    /// [`Stopped::before_handler`]: crate::sys::ptrace::Stopped::before_handler
    pub(super) from: u64,
}

/// A wait call that is under way.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) entry: WaitEntry,
    pub(super) entered: Moment,
    /// The number and arguments as they were in the registers, with the
    /// instruction and stack pointers: a call with the same of all is the
    /// kernel's restart and no new call.
    pub(super) words: Words,
}

/// What makes a call the same call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) nr: u64,
    pub(super) args: [u64; 6],
    pub(super) instruction_pointer: u64,
    pub(super) stack_pointer: u64,
}

impl Task {
    pub(super) fn new(tgid: Tgid, kind: Kind) -> Task {
        Task {
            tgid,
            kind,
            call: None,
            suspended: Vec::new(),
            sigaction: None,
            exec: None,
            interrupted: false,
            stepping: None,
            group_stopped: None,
            interrupted_at: None,
            asked_to_stop: false,
            repeats: 0,
            made_again: None,
            last_eintr: LastEintr::None,
            is_free: false,
            is_new: false,
            is_awaited: false,
            woken: None,
        }
    }

    /// How it goes on after a stop: under the filter every call of interest
    /// asks for us, so only the exit of one that is under way is wanted; without
    /// children none is of interest.
    pub(super) fn how(&self) -> How {
        let is_in_call = self.call.is_some()
            || self.sigaction.is_some()
            || self.exec.is_some()
            || self.made_again.is_some()
            || self.last_eintr.is_followed();
        if (self.kind.filtered || self.is_free) && !is_in_call {
            How::Cont
        } else {
            How::Syscall
        }
    }

    /// Remember a call that was interrupted.
    pub(super) fn suspend(&mut self, call: Call) {
        if self.suspended.len() == MOST_SUSPENDED {
            self.suspended.remove(0);
        }
        self.suspended.push(call);
        self.interrupted = true;
    }

    /// Whether a call with these words is the restart of one that was
    /// interrupted. Calls above it on the stack were left behind.
    pub(super) fn is_restart(&mut self, words: &Words) -> bool {
        self.interrupted = false;
        let found = self.suspended.iter().rposition(|call| call.words == *words);
        if let Some(index) = found {
            self.suspended.truncate(index);
        }
        found.is_some()
    }
}

/// A process under trace.
#[derive(Debug, Default)]
pub(super) struct Process {
    /// Its real parent, as far as we know, and as long as that one is not
    /// reaped.
    pub(super) parent: Option<Tgid>,
    /// How many threads of it beside the leader are under trace.
    threads: usize,
    /// How many children of it are alive and under trace.
    pub(super) children: usize,
    /// Its pids in namespaces inside ours.
    pub(super) ns: Option<Arc<NsPids>>,
    /// It has called unshare or setns: its children may live in another pid
    /// namespace.
    pub(super) moved: bool,
    /// It is a child of this very process, which wants to reap it.
    pub(super) is_own: bool,
    /// Its leader has ended, and was let go before its death.
    pub(super) has_left: bool,
    /// Where the frame of its handler of SIGCHLD lies.
    pub(super) handler_frame: HandlerFrame,
    /// What happens at SIGCHLD, as it was last seen; `None` where that is not
    /// known. For rules.
    pub(super) sigchld: Option<SigchldAction>,
    /// Whether it stops at calls.
    pub(super) speed: Speed,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    pub(super) by_tid: FxHashMap<Tid, Task>,
    pub(super) processes: FxHashMap<Tgid, Process>,
}

impl Tasks {
    /// Add a task, after its process.
    pub(super) fn add_task(&mut self, tid: Tid, task: Task) {
        let process = self.processes.get_mut(&task.tgid);
        if let Some(process) = process.filter(|_| task.tgid.leader() != tid) {
            process.threads += 1;
        }
        self.by_tid.insert(tid, task);
    }

    /// Take a task out of the table.
    pub(super) fn remove_task(&mut self, tid: Tid) -> Option<Task> {
        let task = self.by_tid.remove(&tid)?;
        let process = self.processes.get_mut(&task.tgid);
        if let Some(process) = process.filter(|_| task.tgid.leader() != tid) {
            process.threads = process.threads.saturating_sub(1);
        }
        Some(task)
    }

    /// All threads of a process.
    pub(super) fn threads_of(&self, tgid: Tgid) -> Vec<Tid> {
        let mut threads = self.threads_left(tgid);
        let leader = tgid.leader();
        threads.extend(self.by_tid.contains_key(&leader).then_some(leader));
        threads
    }

    /// The threads of a process beside its leader; looked for only if there
    /// are any.
    pub(super) fn threads_left(&self, tgid: Tgid) -> Vec<Tid> {
        let process = self.processes.get(&tgid);
        if process.is_none_or(|process| process.threads == 0) {
            return Vec::new();
        }
        let tasks = self.by_tid.iter();
        let threads = tasks.filter(|(tid, task)| task.tgid == tgid && tgid.leader() != **tid);
        threads.map(|(tid, _)| *tid).collect()
    }

    /// Add a process, and count it with its parent.
    pub(super) fn add_process(
        &mut self,
        tgid: Tgid,
        parent: Option<Tgid>,
        ns: Option<Arc<NsPids>>,
    ) {
        if let Some(parent) = parent.and_then(|tgid| self.processes.get_mut(&tgid)) {
            parent.children += 1;
            parent.speed.had_child();
        }
        let process = Process {
            parent,
            ns,
            ..Process::default()
        };
        self.processes.insert(tgid, process);
    }

    /// A process is born with its creator's handler of SIGCHLD, and within it if
    /// the creator is.
    pub(super) fn inherit_handler(&mut self, creator: Tid, child: Tid) {
        let Some(creator) = self.by_tid.get(&creator) else {
            return;
        };
        let (tgid, interrupted_at) = (creator.tgid, creator.interrupted_at);
        if let Some(task) = self.by_tid.get_mut(&child) {
            task.interrupted_at = interrupted_at;
        }
        let creator = self.processes.get(&tgid);
        let inherited = creator.map(|process| process.handler_frame);
        if let Some(process) = self.processes.get_mut(&Tgid::new(child.raw())) {
            process.handler_frame = inherited.unwrap_or_default();
        }
    }

    /// Take a process that is dead out of the table and of its parent's count.
    /// Returns its children, which have no known parent now: its pid may soon be
    /// another process's.
    pub(super) fn remove_process(&mut self, tgid: Tgid) -> Vec<Tgid> {
        let Some(process) = self.processes.remove(&tgid) else {
            return Vec::new();
        };
        let parent = process
            .parent
            .and_then(|tgid| self.processes.get_mut(&tgid));
        if let Some(parent) = parent {
            parent.children = parent.children.saturating_sub(1);
            parent.speed.had_child();
        }
        if process.children == 0 {
            return Vec::new();
        }
        let all = self.processes.iter_mut();
        let orphans = all.filter(|(_, process)| process.parent == Some(tgid));
        let orphans = orphans.map(|(child, process)| {
            process.parent = None;
            *child
        });
        orphans.collect()
    }

    /// Give a process another parent.
    pub(super) fn reparent(&mut self, child: Tgid, parent: Tgid) {
        if let Some(process) = self.processes.get_mut(&child) {
            process.parent = Some(parent);
        }
        if let Some(parent) = self.processes.get_mut(&parent) {
            parent.children += 1;
        }
    }
}
