//! What the ledger keeps of wait calls: no history, but what can still
//! explain why a child is not reaped.

use std::sync::Arc;

use super::process::Stamp;
use crate::event::{Moment, Named, Stack, WaitEntry, WaitExit};
use crate::kernel::{
    Errno, IdType, NsPid, Signal, Status, Tgid, Tid, WaitCall, WaitOptions, WaitStatus,
};

/// Whom a wait may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Any child.
    Wildcard,
    /// Any child of a process group.
    Group,
    /// One process.
    Specific,
    /// The call failed with EFAULT and consumed it nevertheless.
    Fault,
    /// The kernel reaped it, as its parent ignores SIGCHLD.
    Kernel,
    /// Somebody whose waits are not seen: a parent that is not traced, or a
    /// way to reap that is no wait call.
    Unseen,
}

impl Way {
    /// Whether it was a wait call that succeeded.
    #[must_use]
    pub fn is_wait(self) -> bool {
        matches!(self, Way::Wildcard | Way::Group | Way::Specific)
    }

    /// The kind of wait that names this.
    #[must_use]
    pub fn of(named: Named) -> Way {
        match named {
            Named::Pid(-1) | Named::Id(IdType::ALL, _) => Way::Wildcard,
            Named::Pid(pid) if pid > 0 => Way::Specific,
            Named::Id(IdType::PID | IdType::PIDFD, _) => Way::Specific,
            // A group, or on a BSD those of a user, of a session and so on.
            Named::Pid(_) | Named::Id(..) | Named::Unknown => Way::Group,
        }
    }
}

/// A wait that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    /// Its end.
    pub when: Stamp,
    /// Its begin.
    pub entered: Moment,
    /// Who called.
    pub tid: Tid,
    /// Which call.
    pub call: WaitCall,
    /// Whom it was to wait for.
    pub named: Named,
    /// Its options.
    pub options: WaitOptions,
    /// It passed a place for the status.
    pub takes_status: bool,
    /// What it gave.
    pub outcome: Outcome,
    /// Whether it was called within a handler of SIGCHLD, where that was looked
    /// at.
    pub in_handler: Option<bool>,
    /// Where it was called, if that was asked for.
    pub stack: Option<Arc<Stack>>,
}

/// What a wait gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A child, by its pid in the caller's namespace.
    Child(NsPid, Option<WaitStatus>),
    /// No child was ready (`WNOHANG`).
    Nothing,
    /// It was interrupted by a handler of this signal: EINTR.
    Eintr(Signal),
    /// An error.
    Error(Errno),
}

impl Brief {
    /// What is worth keeping of a wait that ended at `when`.
    #[must_use]
    pub fn new(tid: Tid, when: Stamp, exit: &WaitExit) -> Brief {
        let outcome = match (exit.reported(), exit.result) {
            (Some((pid, status)), _) => Outcome::Child(pid, status),
            (None, Err(errno)) => Outcome::Error(errno),
            // waitid without a siginfo succeeds without telling whom it took.
            (None, Ok(pid)) => {
                let blocks = !exit.entry.options.contains(WaitOptions::NOHANG);
                if blocks && exit.entry.call == WaitCall::Waitid {
                    Outcome::Child(pid, None)
                } else {
                    Outcome::Nothing
                }
            }
        };
        Brief {
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

    /// Which kind of wait it was.
    #[must_use]
    pub fn way(&self) -> Way {
        Way::of(self.named)
    }

    /// The process group that it was for; `own` is the caller's. 0 if it was
    /// for none.
    #[must_use]
    pub fn group(&self, own: i32) -> i32 {
        match self.named {
            Named::Pid(0) | Named::Id(IdType::PGID, 0) => own,
            Named::Pid(pid) if pid < -1 => pid.checked_neg().unwrap_or(0),
            Named::Id(IdType::PGID, group) => group.cast_signed(),
            _ => 0,
        }
    }

    /// Whether it told of the end of a child, and not of a stop.
    #[must_use]
    pub fn told_an_end(&self) -> bool {
        let Outcome::Child(_, status) = self.outcome else {
            return false;
        };
        status.is_none_or(super::is_end)
    }

    /// Whether it told that a child runs again.
    #[must_use]
    pub fn told_a_continue(&self) -> bool {
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

/// The waits of a process that a rule may still ask about.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// The last one for any child.
    pub last_wildcard: Option<Brief>,
    /// The last one for a group.
    pub last_group: Option<Brief>,
    /// Polls for any child that returned one, since the last that found
    /// nothing: how many, and the first three.
    pub singles: (u64, Vec<Brief>),
    /// At one of them there were other children, so that a loop would have
    /// asked again.
    pub stopped_early: bool,
    /// When a wait for any child blocked or last found nothing left.
    pub drained: Option<Stamp>,
    /// The last child that was reaped, and how many were.
    pub last_reaped: Option<(Tgid, u64)>,
    /// The last one of all.
    pub last: Option<Brief>,
    /// The last few waits that brought the status of an end.
    statuses: Vec<Brief>,
}

/// How many statuses are remembered.
const MOST_STATUSES: usize = 8;

/// Those of a process that made none.
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
    /// The last wait that brought this raw status.
    #[must_use]
    pub fn last_status(&self, word: i32) -> Option<Brief> {
        let mut last = self.statuses.iter().rev();
        last.find(|brief| matches!(brief.outcome, Outcome::Child(_, Some(status)) if status.raw() == word))
            .cloned()
    }

    /// Record a wait of a process that has so many children.
    pub(super) fn record(&mut self, brief: &Brief, children: u32) {
        self.last = Some(brief.clone());
        if let Outcome::Child(_, Some(status)) = brief.outcome
            && status.raw() > 0xff
            && super::is_end(status)
        {
            // Only those that do not fit an exit code are ever asked for.
            if self.statuses.len() == MOST_STATUSES {
                self.statuses.remove(0);
            }
            self.statuses.push(brief.clone());
        }
        match brief.way() {
            Way::Wildcard => {
                self.last_wildcard = Some(brief.clone());
                let found = matches!(brief.outcome, Outcome::Child(..)) && brief.polls();
                if found {
                    self.singles.0 += 1;
                    self.stopped_early |= children > 1;
                    if self.singles.1.len() < 3 {
                        self.singles.1.push(brief.clone());
                    }
                } else {
                    self.singles = (0, Vec::new());
                    self.drained = Some(brief.when);
                }
            }
            Way::Group => self.last_group = Some(brief.clone()),
            _ => {}
        }
    }
}

/// What waits told of a process.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The last wait that looked at its end with `WNOWAIT`.
    pub peeked: Option<Brief>,
    /// The last wait that told of it at all, an end or a stop.
    pub last: Option<Brief>,
    /// The last wait for it alone.
    pub named: Option<Brief>,
    /// When its parent last sent it a signal.
    pub killed: Option<Stamp>,
    /// When anybody did.
    pub signalled: Option<Stamp>,
    /// Its parent sent it the signal of a crash, by whatever call.
    pub crash_was_sent: bool,
}

/// How long a process has been unable to reap, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Busy {
    /// At least one thread was blocked in a wait.
    pub waiting: u64,
    /// It was in a group-stop.
    pub stopped: u64,
    /// A thread of it was suspended in vfork.
    pub suspended: u64,
    /// Waits of it that ended, and how many of them were polls.
    pub waits: u64,
    /// See there.
    pub polls: u64,
    pub(super) blocked_threads: u32,
    pub(super) blocked_since: Moment,
}

impl Busy {
    /// What came since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Busy) -> Busy {
        Busy {
            waiting: self.waiting.saturating_sub(earlier.waiting),
            stopped: self.stopped.saturating_sub(earlier.stopped),
            suspended: self.suspended.saturating_sub(earlier.suspended),
            waits: self.waits.saturating_sub(earlier.waits),
            polls: self.polls.saturating_sub(earlier.polls),
            ..Busy::default()
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
}

/// A wait that a thread is in.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its entry.
    pub when: Stamp,
    /// Which call.
    pub call: WaitCall,
    /// Whom it waits for.
    pub named: Named,
    /// Its options.
    pub options: WaitOptions,
    /// The one process that it waits for, if it is known.
    pub target: Option<Tgid>,
    /// Where it was called, if that was asked for.
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

    /// Whether it sleeps until a child is ready.
    #[must_use]
    pub fn blocks(&self) -> bool {
        !self.options.contains(WaitOptions::NOHANG)
    }
}
