//! Where events come from: a tracer, a record, made-up ones in tests.

use crate::event::{Event, Moment, Origin, Question};
use crate::rules::RuleId;

/// How long nothing must have happened before a judgement that needs every
/// event so far, in nanoseconds: stops that are ready at the same time are
/// taken within it.
pub(super) const SETTLING: u64 = 20_000_000;

/// What makes events, in the order in which it learns of them.
pub(crate) trait EventSource {
    /// Append what happens next. Returns when something has happened, or when
    /// the alarm says so.
    fn poll(&mut self, alarm: &Alarm, events: &mut Vec<Event>) -> Step;

    /// Append what is known now of a rule's question, if anything is.
    fn answer(&mut self, question: Question, events: &mut Vec<Event>);

    /// Append every event that is ready, and a [`Quiet`] behind it if nothing
    /// is missing.
    ///
    /// [`Quiet`]: crate::event::EventKind::QueueDrained
    fn settle(&mut self, events: &mut Vec<Event>);

    /// The event that ends the trace for the rules.
    fn conclude(&mut self) -> Event;

    /// What holds for the whole trace.
    fn origin(&self) -> &Origin;

    /// Now, in the time of the events.
    fn now(&self) -> Moment;

    /// The moment of the last event, or later; costs nothing.
    fn latest(&self) -> Moment {
        self.now()
    }

    /// How many events may wait to be taken in together.
    fn batch(&self) -> usize {
        1
    }

    /// What was out of sight, a clause each, at the end of the trace.
    fn unseen(&self) -> Vec<String> {
        Vec::new()
    }

    /// The rules that cannot judge by this source, if that has changed.
    fn excluded_rules(&mut self) -> Option<Vec<RuleId>> {
        None
    }
}

/// What one [`EventSource::poll`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Something happened; there may be events.
    Went,
    /// A moment of the alarm has come, before the next event.
    Due,
    /// Woken by a deadline or from outside, or nothing more is ready.
    Woken,
    /// The command was stopped as a job, and so should we be.
    JobStopped,
    /// Nothing more will happen.
    Over,
}

/// When a source that waits is to return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Alarm {
    /// At this moment rules ask again.
    pub(crate) due: Option<Moment>,
    /// At this moment buffered output is written.
    pub(crate) flush: Option<Moment>,
    /// A judgement waits until every event so far is known: [`SETTLING`] after
    /// the last one, or sooner.
    pub(crate) settles: bool,
}
