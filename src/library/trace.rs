//! A trace that is over.

use std::process::ExitStatus;

use super::lines::lines;
use crate::event::Event;
use crate::ledger::Ledger;
use crate::rules::Finding;

/// A trace that is over.
#[derive(Debug)]
pub struct Trace {
    pub(super) events: Vec<Event>,
    pub(super) ledger: Ledger,
    pub(super) findings: Vec<Finding>,
    pub(super) snapshot: String,
    pub(super) report: String,
    pub(super) status: Option<ExitStatus>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) timed_out: bool,
    /// The events say which interrupted waits are restarted.
    pub(super) restart_outcomes: bool,
}

impl Trace {
    /// What happened, in the order in which the kernel reported it. Empty after
    /// a `for_each`, which has handed them on.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The lines of the trace, as the command line prints them: every wait, what
    /// it did, and which processes began and ended. Empty after a `for_each`.
    #[must_use]
    pub fn lines(&self) -> String {
        lines(&self.events, self.restart_outcomes)
    }

    /// The processes with their parents and reapers, as of the end.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What is wrong, in the order in which it became certain.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The report, as the command line prints it: the findings with their
    /// evidence and a remedy, and a last line that counts them.
    #[must_use]
    pub fn report(&self) -> &str {
        &self.report
    }

    /// The normal form of the trace: equal for every run in which the program
    /// behaved the same, without pids and times. For `insta::assert_snapshot!`,
    /// or to be compared with what `--snapshot FILE` wrote.
    ///
    /// ```
    /// let trace = wait4_strace::Launch::new("sh").args(["-c", "(exit 3) & wait $!"]).record()?;
    /// assert!(trace.snapshot().contains("exited 3, reaped by root"));
    /// # Ok::<(), wait4_strace::Error>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> &str {
        &self.snapshot
    }

    /// How the launched command ended; `None` of an attached process.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// What the command and all that it started wrote to standard output, if
    /// that was captured.
    #[must_use]
    pub fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    /// The same of standard error.
    #[must_use]
    pub fn stderr(&self) -> &[u8] {
        &self.stderr
    }

    /// Whether the trace was ended by its time, not by the end of what
    /// was traced.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.timed_out
    }
}
