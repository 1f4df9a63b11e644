//! Which lines there are, and how they look: what the user chose.

use super::only::Wanted;
use super::stamps::Stamps;
use crate::kernel::{Signal, WaitCalls};

/// The grammar of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// strace's lines with what the calls did.
    #[default]
    Annotated,
    /// strace's lines and nothing else.
    Strace,
}

/// What is shown with a pid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pids {
    /// The number.
    #[default]
    Plain,
    /// And the name (`-Y`).
    Names,
    /// And the pid in our namespace (`--pidns-translation`).
    Translated,
}

/// A set of signals (`-e signal=`), bit `n - 1` for signal `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalSet(pub u64);

impl SignalSet {
    /// Every signal.
    pub const ALL: SignalSet = SignalSet(u64::MAX);

    /// Whether `signal` is in the set; those out of range are in a full set.
    #[must_use]
    pub fn has(self, signal: Signal) -> bool {
        match u32::try_from(signal.raw().wrapping_sub(1)) {
            Ok(bit @ 0..64) => self.0 & (1 << bit) != 0,
            _ => self == SignalSet::ALL,
        }
    }
}

/// Which lines there are, and how they look.
#[derive(Clone, Debug)]
pub struct TextOptions {
    /// The grammar.
    pub style: Style,
    /// The column of the `=` (`-a`).
    pub column: usize,
    /// Times before a line.
    pub stamps: Stamps,
    /// The time in a call behind it (`-T`).
    pub durations: bool,
    /// Everything: whole rusages, every poll (`-v`).
    pub verbose: bool,
    /// How often `-q` was given: 1 drops attach messages, 2 exits too, 3 all
    /// that may be dropped.
    pub quiet: u8,
    /// Signals to show.
    pub signals: SignalSet,
    /// What is shown with a pid.
    pub pids: Pids,
    /// Children are followed (`-f`, the default).
    pub follow: bool,
    /// Results to show (`-e status=`).
    pub shown: Shown,
    /// Calls to show (`-e trace=`).
    pub calls: WaitCalls,
    /// The events say which interrupted waits are restarted; else each
    /// interruption is shown as strace shows it.
    pub restart_outcomes: bool,
    /// Call stacks are shown (`-k`).
    pub stacks: bool,
    /// Call stacks have all frames (`-kk`); else those of an interpreter are folded.
    pub whole_stacks: bool,
    /// The processes whose lines are shown, with all below them; all if empty.
    pub only: Vec<Wanted>,
    /// No lines are shown, only messages.
    pub hidden: bool,
    /// The width of the terminal that messages go to; `None` for none.
    pub columns: fn() -> Option<usize>,
}

/// Which results are shown (`-e status=`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Calls that succeeded.
    pub successful: bool,
    /// Calls that failed.
    pub failed: bool,
    /// Calls that never returned.
    pub unfinished: bool,
    /// Calls that were under way at a detach.
    pub detached: bool,
}

impl Shown {
    /// All of them.
    pub const ALL: Shown = Shown {
        successful: true,
        failed: true,
        unfinished: true,
        detached: true,
    };

    /// None of them.
    pub const NONE: Shown = Shown {
        successful: false,
        failed: false,
        unfinished: false,
        detached: false,
    };

    /// Those that are not in this set.
    #[must_use]
    pub fn complement(self) -> Shown {
        Shown {
            successful: !self.successful,
            failed: !self.failed,
            unfinished: !self.unfinished,
            detached: !self.detached,
        }
    }

    /// Whether nothing is left out: entries may be shown before results.
    #[must_use]
    pub fn is_all(self) -> bool {
        self == Shown::ALL
    }

    /// Whether a call that returned is shown.
    #[must_use]
    pub fn admits(self, succeeded: bool) -> bool {
        if succeeded {
            self.successful
        } else {
            self.failed
        }
    }
}
