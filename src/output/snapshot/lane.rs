//! What is kept of one process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::LaneId;
use crate::kernel::{Errno, IdType, Signal, Status, WaitCall, WaitOptions, WaitStatus};

/// A process.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// What it was called last.
    pub(super) name: String,
    /// Its parent at its birth.
    pub(super) parent: Option<LaneId>,
    /// Who created it, where that is not its parent (`CLONE_PARENT`).
    pub(super) cloned_by: Option<LaneId>,
    /// The signal that its end sends, 0 for none; where it was asked for.
    pub(super) exit_signal: Option<i32>,
    /// The programs that it executed.
    pub(super) execs: Vec<String>,
    /// It has had more than one thread.
    pub(super) has_threads: bool,
    /// At some time its children were reaped by the kernel.
    pub(super) ignores_sigchld: bool,
    /// A signal that stops, sent to itself, whose stop was not observed yet.
    pub(super) own_stop: Option<Signal>,
    /// The signals by which it stopped itself.
    pub(super) stops: BTreeSet<i32>,
    /// Its waits for one process, in their order.
    pub(super) waits: Vec<Wait>,
    /// The options of polls, by what they waited for.
    pub(super) polls: BTreeMap<Awaited, u32>,
    /// It has polled for any child.
    pub(super) polls_any: bool,
    /// What waits for any child or for a group reported.
    pub(super) reported: BTreeMap<Wildcard, BTreeSet<(LaneId, ReportedState)>>,
    /// How it ended.
    pub(super) ended: Option<End>,
    /// Who reaped it.
    pub(super) reaper: Option<LaneId>,
}

/// The process or processes that a wait names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Awaited {
    Process(LaneId),
    /// One that we do not know.
    Unknown,
    /// No one process.
    Among(Among),
}

/// A wait for one process, or one that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) call: WaitCall,
    /// waitid's.
    pub(super) kind: Option<IdType>,
    pub(super) awaited: Awaited,
    pub(super) options: WaitOptions,
    pub(super) outcome: Outcome,
}

/// What a wait for one process gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Reported(ReportedState),
    Failed(Errno),
}

/// The state of a child that a wait reported; nothing without a status pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReportedState(pub(super) Option<End>);

/// How a process ended, or changed; without the core, which depends on the
/// machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum End {
    Exited(u8),
    Killed(i32),
    Stopped(i32),
    Continued,
    Unknown(i32),
}

impl crate::output::lanes::Lane for Lane {
    fn parent(&self) -> Option<LaneId> {
        self.parent
    }
}

impl Lane {
    /// What waits for any child or for a group reported, as far as it is certain: a
    /// poll may come while a child is stopped or after that, and where polls
    /// are, a wait that blocks may be too late.
    pub(super) fn certain(
        &self,
    ) -> impl Iterator<Item = (&Wildcard, &BTreeSet<(LaneId, ReportedState)>)> {
        let reported = self.reported.iter();
        reported.filter(|(wildcard, _)| wildcard.reaps || !self.polls_any)
    }
}

/// A wait for any child, or for any of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wildcard {
    /// It reported ends; else stops.
    pub(super) reaps: bool,
    pub(super) call: &'static str,
    pub(super) awaited: Among,
}

/// The set of children that a wait may choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Among {
    /// `-1`
    Any,
    /// `P_ALL`
    All,
    /// `0`
    OwnGroup,
    /// `P_PGID, 0`
    OwnGroupById,
    /// A group, by its leader.
    Group(Option<LaneId>),
    /// `P_PGID`
    GroupById(Option<LaneId>),
}

impl Awaited {
    /// The process that is named.
    pub(super) fn process(self) -> Option<LaneId> {
        match self {
            Awaited::Process(id) => Some(id),
            Awaited::Unknown | Awaited::Among(_) => None,
        }
    }
}

impl Among {
    /// The leader of the group.
    pub(super) fn leader(self) -> Option<LaneId> {
        match self {
            Among::Group(leader) | Among::GroupById(leader) => leader,
            _ => None,
        }
    }

    /// Which of the ways it is.
    pub(super) fn kind(self) -> u8 {
        match self {
            Among::Any => 0,
            Among::All => 1,
            Among::OwnGroup => 2,
            Among::OwnGroupById => 3,
            Among::Group(_) => 4,
            Among::GroupById(_) => 5,
        }
    }
}

impl Wait {
    /// Whether it says the same as the one before: a retry, or another look at
    /// what stays. The end of a child is reported once, its stops each time.
    pub(super) fn repeats(&self, before: &Wait) -> bool {
        let is_look = self.options.contains(WaitOptions::NOWAIT);
        self == before && (is_look || matches!(self.outcome, Outcome::Failed(_)))
    }
}

impl From<WaitStatus> for End {
    fn from(status: WaitStatus) -> End {
        match status.decode() {
            Status::Exited(code) => End::Exited(code),
            Status::Signaled { signal, .. } => End::Killed(signal.raw()),
            Status::Stopped { signal, .. } => End::Stopped(signal.raw()),
            Status::Continued => End::Continued,
            Status::Unknown => End::Unknown(status.raw()),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            End::Exited(code) => write!(f, "exited {code}"),
            End::Killed(signal) => write!(f, "killed {}", Signal::from_raw(signal)),
            End::Stopped(signal) => write!(f, "stopped {}", Signal::from_raw(signal)),
            End::Continued => f.write_str("continued"),
            End::Unknown(word) => write!(f, "ended {word:#x}"),
        }
    }
}

impl fmt::Display for ReportedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(end) => write!(f, " [{end}]"),
            None => Ok(()),
        }
    }
}

/// Options as programs write them: wait4's `WUNTRACED` by its name.
pub(super) struct Options(pub(super) WaitCall, pub(super) WaitOptions);

impl fmt::Display for Options {
    /// With the comma before them; nothing if there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options(call, options) = *self;
        if options.raw() == 0 {
            return Ok(());
        }
        let text = options.to_string();
        if call == WaitCall::Waitid {
            write!(f, ", {text}")
        } else {
            write!(f, ", {}", text.replace("WSTOPPED", "WUNTRACED"))
        }
    }
}
