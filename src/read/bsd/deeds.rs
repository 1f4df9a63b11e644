//! What a line of a log tells, whichever program wrote it.

use crate::kernel::Signal;

/// A line, taken apart.
#[derive(Debug)]
pub(super) struct Said<'a> {
    /// The process, if the line names it.
    pub(super) pid: Option<i32>,
    /// The thread, if the line names it.
    pub(super) tid: Option<i32>,
    /// The process's name, if the line has it.
    pub(super) comm: Option<&'a [u8]>,
    /// The time, in nanoseconds of whatever the log counts.
    pub(super) time: Option<u64>,
    /// How long the call took, in nanoseconds.
    pub(super) took: Option<u64>,
    pub(super) deed: Deed<'a>,
}

/// What a task did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed<'a> {
    /// It called: a name and what stands between the parentheses.
    Called(&'a [u8], &'a [u8]),
    /// A call of that name returned.
    Returned(&'a [u8], Returned),
    /// A call from its begin to its end.
    Did(&'a [u8], &'a [u8], Returned),
    /// A signal came.
    Signalled {
        /// Its name, or what stands for it.
        signal: &'a [u8],
        fate: Fate,
        /// What is said of its cause.
        cause: &'a [u8],
    },
    /// The process exited with a number.
    Exited(i32),
    /// The process was killed.
    Killed { signal: i32, core: bool },
    /// The process is new.
    Born,
    /// A thread of that number is new.
    ThreadBorn(i32),
    /// The thread has ended.
    ThreadGone,
    /// A file's name was looked up.
    Named(&'a [u8]),
    /// An argument of a program that is executed.
    Argument(&'a [u8]),
    /// Nothing that matters.
    Other,
}

/// What a call returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Returned {
    Number(i64),
    /// The system's number of an error.
    Error(i32),
    /// It will be made again.
    Restart,
    /// It does not return, or its result is not its own.
    Never,
}

/// What becomes of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// A handler runs.
    Caught,
    /// What it does by default.
    Default,
    /// The log does not tell.
    Unknown,
}

/// Whether a signal kills by default (signal(7) of the BSDs).
pub(super) fn kills(signal: Signal) -> bool {
    let harmless = [
        Signal::CHLD,
        Signal::CONT,
        Signal::URG,
        Signal::WINCH,
        Signal::INFO,
        Signal::IO,
        Signal::PWR,
        Signal::THR,
    ];
    signal.raw() > 0 && !harmless.contains(&signal) && !signal.is_stopping()
}
