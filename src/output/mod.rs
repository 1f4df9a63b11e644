//! What the user sees, made from events and the ledger alone.

mod annotations;
mod call_syntax;
mod frames;
mod held_lines;
mod json;
mod lifecycle_lines;
mod line;
mod options;
mod outbox;
mod polls;
mod prefix;
mod report;
mod sink;
mod snapshot;
mod span;
mod stamps;
mod streams;
mod styles;
mod summary;
mod text;
mod timeline;

pub use json::{Json, Messages};
pub use options::{Pids, Shown, SignalSet, Style, TextOptions};
pub use report::{Report, ReportForm, warning};
pub use sink::{Destination, Files, OpenFile, Sink};
pub use snapshot::{Snapshot, diff};
pub use stamps::{Clock, Stamps, WallClock};
pub use streams::Target;
pub use styles::Styles;
pub use summary::{SortBy, Summary};
pub use text::Text;
pub use timeline::{Picture, Timeline};

use crate::event::{Event, Moment};
use crate::ledger::Ledger;
use crate::rules::{Finding, ZombiesLeft};

/// Something that events are shown by.
pub trait Output {
    /// Take an event, after the ledger has.
    fn event(&mut self, event: &Event, ledger: &Ledger);

    /// Tell the user something that is no event, in a sentence. One output of
    /// a trace does.
    fn message(&mut self, text: &str);

    /// Time has passed: show what was kept back, write what was buffered.
    fn tick(&mut self, now: Moment, ledger: &Ledger);

    /// Whether something is kept back or buffered, so that a tick is wanted.
    fn wants_tick(&self) -> bool;

    /// The tracer is about to be stopped: wait a moment for what is written.
    fn pause(&mut self);

    /// Whether somebody sits before it: a terminal shows things as they happen.
    fn is_watched(&self) -> bool;

    /// The trace is over: show the rest.
    ///
    /// # Errors
    /// The first error that any write met; nothing was written after it.
    fn finish(&mut self, end: &Conclusion<'_>) -> std::io::Result<()>;
}

/// What is known when a trace is over.
#[derive(Clone, Copy, Debug)]
pub struct Conclusion<'a> {
    /// Who was who.
    pub ledger: &'a Ledger,
    /// What was found.
    pub findings: &'a [Finding],
    /// The zombies that nobody reaped while their parent lived on, if that was
    /// judged.
    pub left: Option<&'a ZombiesLeft>,
    /// What was out of sight, a clause each.
    pub unseen: &'a [String],
}
