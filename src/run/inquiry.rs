//! What rules and tracer want of each other while a trace goes on.

use super::session::Session;
use crate::event::Event;
use crate::tracer::Tracer;

/// What is said of attached processes that were not made to stop at calls.
const RAN_FREE: &str = "calls of processes without children were not seen; autoreap-echild by \
                        SA_NOCLDWAIT, bad-wait-args, double-wait, echild-spin, \
                        handler-replaced, kill-after-reap, not-my-child, pdeathsig-thread and \
                        raw-status-exit of those are out of reach (--every-call shows them)";

/// Set the alarm for what the rules wait for.
pub(crate) fn arm(tracer: &Tracer, session: &mut Session) {
    let now = tracer.latest();
    if let Some(due) = session.judging().and_then(|judge| judge.due_at(now)) {
        tracer.wake_at(due);
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
    session.judging()?;
    if tracer.has_run_free() {
        session.miss(RAN_FREE);
    }
    Some(tracer.conclude())
}
