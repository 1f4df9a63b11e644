//! The ledger's record of wait calls: not a history, only what can explain why a
//! child is not reaped.

use std::sync::Arc;

use super::process::Stamp;
use crate::event::{Comm, Moment, Named, Stack, WaitEntry, WaitExit};
use crate::kernel::{
    Errno, IdType, NsPid, SigInfo, Signal, Status, Tgid, Tid, WaitCall, WaitOptions, WaitStatus,
};

/// What kind of wait reaped a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReapKind {
    /// Any child.
    Wildcard,
    /// Any child of a process group.
    Group,
    /// One process.
    Specific,
    /// The call failed with EFAULT and reaped it all the same.
    Fault,
    /// The kernel reaped it, since its parent ignores SIGCHLD.
    Kernel,
    /// A reap that was not observed: its parent is not traced, or it was not by a wait
    /// call.
    Unseen,
}

impl ReapKind {
    /// Whether it was a wait call that succeeded.
    #[must_use]
    pub fn is_wait(self) -> bool {
        matches!(
            self,
            ReapKind::Wildcard | ReapKind::Group | ReapKind::Specific
        )
    }

    /// The kind of a wait with these arguments.
    #[must_use]
    pub fn of(named: Named) -> ReapKind {
        match named {
            Named::Pid(-1) | Named::Id(IdType::ALL, _) => ReapKind::Wildcard,
            Named::Pid(pid) if pid > 0 => ReapKind::Specific,
            Named::Id(IdType::PID | IdType::PIDFD, _) => ReapKind::Specific,
            // A group, or on a BSD the children of a user, a session and so on.
            Named::Pid(_) | Named::Id(..) | Named::Unknown => ReapKind::Group,
        }
    }
}

/// A wait that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedWait {
    /// When it ended.
    pub when: Stamp,
    /// When it began.
    pub entered: Moment,
    /// The thread that called.
    pub tid: Tid,
    /// Which call.
    pub call: WaitCall,
    /// What it waited for.
    pub named: Named,
    /// Its options.
    pub options: WaitOptions,
    /// It passed a place for the status.
    pub takes_status: bool,
    /// Its result.
    pub outcome: Outcome,
    /// Whether it was called within a handler of SIGCHLD, if examined.
    pub in_handler: Option<bool>,
    /// The call stack (`-k`).
    pub stack: Option<Arc<Stack>>,
}

/// The result of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A child, with its pid in the caller's namespace.
    Child(NsPid, Option<WaitStatus>),
    /// No child was ready (`WNOHANG`).
    Nothing,
    /// It was interrupted by a handler of this signal and not restarted: EINTR.
    Eintr(Signal),
    /// An error.
    Error(Errno),
}

impl CompletedWait {
    /// The record of a wait that ended at `when`.
    #[must_use]
    pub fn new(tid: Tid, when: Stamp, exit: &WaitExit) -> CompletedWait {
        let outcome = match (exit.reported(), exit.result) {
            (Some((pid, status)), _) => Outcome::Child(pid, status),
            (None, Err(errno)) => Outcome::Error(errno),
            // waitid without a siginfo succeeds without reporting which child it took.
            (None, Ok(pid)) => {
                let blocks = !exit.entry.options.contains(WaitOptions::NOHANG);
                if blocks && exit.entry.call == WaitCall::Waitid {
                    Outcome::Child(pid, None)
                } else {
                    Outcome::Nothing
                }
            }
        };
        CompletedWait {
            when,
            entered: exit.entered,
            tid,
            call: exit.entry.call,
            named: exit.entry.named,
            options: exit.entry.options,
            takes_status: exit.entry.result_at != 0,
            in_handler: exit.in_handler,
            outcome,
            stack: exit.entry.stack.clone(),
        }
    }

    /// The kind of wait.
    #[must_use]
    pub fn way(&self) -> ReapKind {
        ReapKind::of(self.named)
    }

    /// The process group that it was for; `own` is the caller's. 0 if it was for none.
    #[must_use]
    pub fn group(&self, own: i32) -> i32 {
        match self.named {
            Named::Pid(0) | Named::Id(IdType::PGID, 0) => own,
            Named::Pid(pid) if pid < -1 => pid.checked_neg().unwrap_or(0),
            Named::Id(IdType::PGID, group) => group.cast_signed(),
            _ => 0,
        }
    }

    /// Whether it reported the end of a child, not a stop.
    #[must_use]
    pub fn reported_an_end(&self) -> bool {
        let Outcome::Child(_, status) = self.outcome else {
            return false;
        };
        status.is_none_or(WaitStatus::is_end)
    }

    /// Whether it reported that a child was continued.
    #[must_use]
    pub fn reported_a_continue(&self) -> bool {
        let Outcome::Child(_, Some(status)) = self.outcome else {
            return false;
        };
        status.decode() == Status::Continued
    }

    /// Whether it was a poll.
    #[must_use]
    pub fn polls(&self) -> bool {
        self.options.contains(WaitOptions::NOHANG)
    }
}

/// The waits of a process that a rule may ask about.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// The last one for any child.
    pub last_wildcard: Option<CompletedWait>,
    /// The last one for a group.
    pub last_group: Option<CompletedWait>,
    /// Polls for any child that returned one, since the last that found nothing: how
    /// many, and the first three.
    pub singles: (u64, Vec<CompletedWait>),
    /// At one of them there were other children, for which a loop would have waited
    /// again.
    pub stopped_early: bool,
    /// When a wait for any child last blocked or found nothing.
    pub drained: Option<Stamp>,
    /// The last child that was reaped, and how many were.
    pub last_reaped: Option<(Tgid, u64)>,
    /// The last one of all.
    pub last: Option<CompletedWait>,
    /// The last few waits that returned the status of an end.
    statuses: Vec<CompletedWait>,
}

/// How many statuses are remembered.
const MOST_STATUSES: usize = 8;

/// The waits of a process that made none.
pub(super) static NO_WAITS: Waits = Waits {
    last_wildcard: None,
    last_group: None,
    singles: (0, Vec::new()),
    stopped_early: false,
    drained: None,
    last_reaped: None,
    last: None,
    statuses: Vec::new(),
};

impl Waits {
    /// The last wait that returned this raw status.
    #[must_use]
    pub fn last_status(&self, word: i32) -> Option<CompletedWait> {
        let mut last = self.statuses.iter().rev();
        last.find(|completed| matches!(completed.outcome, Outcome::Child(_, Some(status)) if status.raw() == word))
            .cloned()
    }

    /// Records a wait of a process that has so many children.
    pub(super) fn record(&mut self, completed: &CompletedWait, children: u32) {
        self.last = Some(completed.clone());
        if let Outcome::Child(_, Some(status)) = completed.outcome
            && status.raw() > 0xff
            && status.is_end()
        {
            // Only those that are not in the range of an exit code are asked for.
            if self.statuses.len() == MOST_STATUSES {
                self.statuses.remove(0);
            }
            self.statuses.push(completed.clone());
        }
        match completed.way() {
            ReapKind::Wildcard => {
                self.last_wildcard = Some(completed.clone());
                let found = matches!(completed.outcome, Outcome::Child(..)) && completed.polls();
                if found {
                    self.singles.0 += 1;
                    self.stopped_early |= children > 1;
                    if self.singles.1.len() < 3 {
                        self.singles.1.push(completed.clone());
                    }
                } else {
                    self.singles = (0, Vec::new());
                    self.drained = Some(completed.when);
                }
            }
            ReapKind::Group => self.last_group = Some(completed.clone()),
            _ => {}
        }
    }
}

/// What waits reported of a process.
#[derive(Clone, Debug, Default)]
pub struct WaitHistory {
    /// The last wait that reported its end with `WNOWAIT`.
    pub peeked: Option<CompletedWait>,
    /// The last wait that reported an end or a stop.
    pub last: Option<CompletedWait>,
    /// The last wait that named it.
    pub named: Option<CompletedWait>,
    /// When its parent last sent it a signal.
    pub killed: Option<Stamp>,
    /// When any process last sent it a signal.
    pub signalled: Option<Stamp>,
    /// The last signal that was delivered to it and may have killed it.
    pub delivered: Option<Delivered>,
    /// The process that last sent it SIGKILL by a call.
    pub kill_sent_by: Option<Tgid>,
    /// That is the tracer.
    pub killed_by_tracer: bool,
    /// Its parent sent it a signal that looks like a crash, by any call.
    pub crash_was_sent: bool,
}

/// A signal that was delivered.
#[derive(Clone, Copy, Debug)]
pub struct Delivered {
    /// The signal.
    pub signal: Signal,
    /// Its cause, if it could be read.
    pub info: Option<SigInfo>,
    /// The sender's name, if it was looked up.
    pub sender: Option<Comm>,
}

/// How long a process has been unable to reap, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockedTime {
    /// At least one thread was blocked in a wait.
    pub waiting: u64,
    /// It was in a group-stop.
    pub stopped: u64,
    /// A thread of it was suspended in vfork.
    pub suspended: u64,
    /// How many of its waits ended.
    pub waits: u64,
    /// How many of these were polls.
    pub polls: u64,
    pub(super) blocked_threads: u32,
    pub(super) blocked_since: Moment,
}

impl BlockedTime {
    /// The difference to `earlier`.
    #[must_use]
    pub fn since(self, earlier: BlockedTime) -> BlockedTime {
        BlockedTime {
            waiting: self.waiting.saturating_sub(earlier.waiting),
            stopped: self.stopped.saturating_sub(earlier.stopped),
            suspended: self.suspended.saturating_sub(earlier.suspended),
            waits: self.waits.saturating_sub(earlier.waits),
            polls: self.polls.saturating_sub(earlier.polls),
            ..BlockedTime::default()
        }
    }

    pub(super) fn enter(&mut self, at: Moment) {
        if self.blocked_threads == 0 {
            self.blocked_since = at;
        }
        self.blocked_threads += 1;
    }

    pub(super) fn leave(&mut self, at: Moment) {
        if self.blocked_threads == 1 {
            self.waiting = self.waiting.saturating_add(at.since(self.blocked_since));
        }
        self.blocked_threads = self.blocked_threads.saturating_sub(1);
    }

    /// No thread is in a wait any more.
    pub(super) fn leave_all(&mut self, at: Moment) {
        self.blocked_threads = self.blocked_threads.min(1);
        self.leave(at);
    }
}

/// A wait that a thread is in.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// When it began.
    pub when: Stamp,
    /// Which call.
    pub call: WaitCall,
    /// What it waits for.
    pub named: Named,
    /// Its options.
    pub options: WaitOptions,
    /// The one process that it waits for, if known.
    pub target: Option<Tgid>,
    /// The call stack (`-k`).
    pub stack: Option<Arc<Stack>>,
}

impl Waiting {
    pub(super) fn new(when: Stamp, entry: &WaitEntry, target: Option<Tgid>) -> Waiting {
        Waiting {
            when,
            call: entry.call,
            named: entry.named,
            options: entry.options,
            target,
            stack: entry.stack.clone(),
        }
    }

    /// Whether it blocks until a child is ready.
    #[must_use]
    pub fn blocks(&self) -> bool {
        !self.options.contains(WaitOptions::NOHANG)
    }
}
