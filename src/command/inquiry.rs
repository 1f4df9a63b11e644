//! What rules and tracer want of each other while a trace goes on.

use super::session::Session;
use crate::event::Event;
use crate::tracer::Tracer;

/// Set the alarm for what the rules wait for.
pub(crate) fn arm(tracer: &Tracer, session: &mut Session) {
    let now = tracer.latest();
    if let Some(due) = session.judging().and_then(|judge| judge.due_at(now)) {
        tracer.ring_at(due);
    }
}

/// Look up what the rules want to know now; the answers are events.
pub(crate) fn ask(tracer: &mut Tracer, session: &mut Session, events: &mut Vec<Event>) {
    let Some((questions, wants_quiet)) = session.questions(tracer.now()) else {
        return;
    };
    if wants_quiet {
        tracer.drain(events);
    }
    tracer.look(questions, events);
}

/// The event that ends the trace for the rules, if they still judge.
pub(crate) fn conclude(tracer: &mut Tracer, session: &mut Session) -> Option<Event> {
    session.judging().is_some().then(|| tracer.conclude())
}
