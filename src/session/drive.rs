//! The loop.

use super::hub::Session;
use super::source::{Alarm, EventSource, Step};
use crate::event::Event;
use crate::event::Moment;

/// What happened is written after so many nanoseconds at the latest.
const FLUSH: u64 = 50_000_000;

/// What the loop's user does itself.
pub(crate) trait Control<S> {
    /// The source was woken ([`Step::Woken`]): by a signal to us, another
    /// thread or a deadline. All events before it have been taken in.
    fn woken(&mut self, source: &mut S, session: &mut Session<'_>);

    /// The command was stopped as a job ([`Step::JobStopped`]), and what
    /// happened before is written.
    fn job_stopped(&mut self, source: &mut S);
}

/// Nothing is to be done.
impl<S> Control<S> for () {
    fn woken(&mut self, _: &mut S, _: &mut Session<'_>) {}

    fn job_stopped(&mut self, _: &mut S) {}
}

/// Take in what a source has, to its end.
pub(crate) fn drive<S: EventSource>(
    source: &mut S,
    session: &mut Session<'_>,
    control: &mut impl Control<S>,
) {
    // With warm caches, ledger, rules and outputs take many events in faster
    // than one by one, and a stop is short; but an observer wants each at once.
    let batch = if session.is_watched() {
        1
    } else {
        source.batch()
    };
    let mut events = Vec::with_capacity(batch);
    let mut flush = None;
    loop {
        if flush.is_none() && (!events.is_empty() || session.wants_tick()) {
            flush = Some(source.latest().after(FLUSH));
        }
        let step = source.poll(&alarm(session, flush), &mut events);
        if let Some(rules) = source.excluded_rules() {
            session.exclude(rules);
        }
        if step != Step::Went || events.len() >= batch {
            session.take(&mut events);
        }
        match step {
            Step::Went => {}
            Step::Due => ask(source, session, &mut events),
            Step::Woken => {
                flush = None;
                control.woken(source, session);
                ask(source, session, &mut events);
                session.tick(source.now());
            }
            Step::JobStopped => {
                session.tick(source.now());
                session.pause();
                control.job_stopped(source);
            }
            Step::Over => break,
        }
    }
    session.conclude(source);
}

fn alarm(session: &mut Session<'_>, flush: Option<Moment>) -> Alarm {
    let (due, settles) = session.deadline();
    Alarm {
        due,
        flush,
        settles,
    }
}

/// Let the source answer what the rules want to know now.
fn ask<S: EventSource>(source: &mut S, session: &mut Session<'_>, events: &mut Vec<Event>) {
    let Some((questions, settles)) = session.questions(source.now()) else {
        return;
    };
    if settles {
        source.settle(events);
    }
    for question in questions {
        source.answer(question, events);
    }
    session.take(events);
}
