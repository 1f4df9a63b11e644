//! What the user sees, made from events and the ledger alone.
//!
//! | file | subject |
//! |---|---|
//! | `text`, `lifecycle_lines` | lines of calls, and of forks, execs, ends and signals |
//! | `call_syntax`, `annotations`, `frames`, `places` | the parts of a line: strace's syntax, what a call did, call stacks |
//! | `causes` | where signals came from, and who killed a process |
//! | `only` | the lines of some processes |
//! | `prefix`, `stamps`, `styles`, `line`, `fit`, `options` | how lines look |
//! | `poll_runs` | equal polls, shown as one line |
//! | `json` | JSON lines |
//! | `summary` | the table of who reaped how much how late |
//! | `snapshot` | the normal form of a run |
//! | `timeline` | pictures of a run |
//! | `lanes` | one lane per process, for snapshots and timelines |
//! | `report` | findings in words |
//! | `waiting` | who waits for whom, as a tree |
//! | `streams`, `sink`, `held_lines`, `outbox` | where lines go, and how they are written |

mod annotations;
mod call_syntax;
mod causes;
mod fit;
mod frames;
mod held_lines;
mod json;
mod lanes;
mod lifecycle_lines;
mod line;
mod only;
mod options;
mod outbox;
mod places;
mod poll_runs;
mod prefix;
mod report;
mod sink;
mod snapshot;
mod span;
mod stamps;
mod streams;
mod styles;
mod summary;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
mod waiting;

pub use json::{Json, Messages};
pub use only::Wanted;
pub use options::{Pids, Shown, SignalSet, Style, TextOptions};
pub(crate) use report::{
    GitlabEntry, JunitCase, github_command, gitlab_array, junit_suite, shell_word,
};
pub use report::{Report, ReportForm, warning};
pub use sink::{Destination, Files, OpenFile, Sink};
pub use snapshot::{Snapshot, SnapshotText, diff};
pub use stamps::{Clock, Stamps, WallClock};
pub use streams::Target;
pub use styles::Styles;
pub use summary::{SortBy, Summarized, Summary};
pub use text::Text;
pub use timeline::{Picture, Timeline};

use crate::event::{Event, Moment};
use crate::ledger::Ledger;
use crate::rules::{Finding, ZombiesLeft};

/// Shows events. One that shows nothing before the trace is over has only
/// [`Output::event`] and [`Output::finish`].
pub trait Output {
    /// Take an event, after the ledger has.
    fn event(&mut self, event: &Event, ledger: &Ledger);

    /// Show the user a sentence that is no event. One output of a trace does.
    fn message(&mut self, _text: &str) {}

    /// Time has passed: show what was held back, write what was buffered.
    fn tick(&mut self, _now: Moment, _ledger: &Ledger) {}

    /// Whether something is held back or buffered, so that a tick is wanted.
    fn wants_tick(&self) -> bool {
        false
    }

    /// The tracer is about to be stopped: wait a moment for pending writes.
    fn pause(&mut self) {}

    /// Whether it is a terminal, which shows events as they happen.
    fn is_watched(&self) -> bool {
        false
    }

    /// The trace is over: show the rest.
    ///
    /// # Errors
    /// The first error that any write met; nothing was written after it.
    fn finish(&mut self, end: &Conclusion<'_>) -> std::io::Result<()>;
}

/// What is known when a trace is over.
#[derive(Clone, Copy, Debug)]
pub struct Conclusion<'a> {
    /// The processes.
    pub ledger: &'a Ledger,
    /// The findings that the policy lets through.
    pub findings: &'a [Finding],
    /// The zombies that were never reaped while their parent lived on, if the
    /// rules judged.
    pub left: Option<&'a ZombiesLeft>,
    /// What was not observed, a clause each.
    pub unseen: &'a [String],
    /// What else is said of a record, a sentence each.
    pub notes: &'a [String],
    /// The table of the processes, if one is shown with the events.
    pub summary: Option<&'a Summary>,
    /// The program ran at all.
    pub has_run: bool,
}

impl<'a> Conclusion<'a> {
    /// That of a trace that was not judged.
    #[must_use]
    pub fn unjudged(ledger: &'a Ledger) -> Conclusion<'a> {
        Conclusion {
            ledger,
            findings: &[],
            left: None,
            unseen: &[],
            notes: &[],
            summary: None,
            has_run: true,
        }
    }
}
