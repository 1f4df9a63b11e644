//! What a record without `/proc` can answer itself: that a child which died
//! long ago and was not reaped is a zombie, and that nothing else happened in
//! a while.

use super::session::Session;
use crate::event::{Corpse, Event, EventKind, Moment, Observation, Owner, Question};
use crate::kernel::{Tgid, Tid};
use crate::records::Source;

/// Stops that were ready at the same time are told within this, in
/// nanoseconds.
const SETTLING: u64 = 20_000_000;

/// Feeds a session with events, and with answers in between.
#[derive(Debug, Default)]
pub(super) struct Inquest {
    /// Events count anew, with the answers.
    seq: u64,
    last: Moment,
}

impl Inquest {
    /// Take events in. A zombie is one only if the record tells all that a
    /// zombie is known by.
    pub(super) fn take(
        &mut self,
        events: &mut Vec<Event>,
        record: &dyn Source,
        session: &mut Session,
    ) {
        for event in events.drain(..) {
            self.before(event.at, record, session);
            self.last = self.last.max(event.at);
            self.tell(event, session);
        }
    }

    /// The record is over.
    pub(super) fn end(&mut self, session: &mut Session) {
        if session.wants_quiet() {
            self.tell(anybody(self.last, EventKind::Quiet), session);
        }
    }

    /// What is due before an event.
    fn before(&mut self, at: Moment, record: &dyn Source, session: &mut Session) {
        if at.since(self.last) >= SETTLING && session.wants_quiet() {
            self.tell(anybody(self.last, EventKind::Quiet), session);
        }
        while let Some(due) = session.next_deadline().filter(|due| *due <= at) {
            let asked = session.questions(due).map(|(questions, _)| questions);
            for question in asked.unwrap_or_default() {
                if let Question::Corpse { child, parent } = question
                    && record.knows_zombies(parent)
                {
                    self.tell(zombie(due, child, parent), session);
                }
            }
        }
    }

    fn tell(&mut self, mut event: Event, session: &mut Session) {
        self.seq += 1;
        event.seq = self.seq;
        session.take(&mut vec![event]);
    }
}

fn anybody(at: Moment, kind: EventKind) -> Event {
    Event {
        seq: 0,
        at,
        tid: Tid::new(0),
        tgid: Tgid::new(0),
        kind,
    }
}

/// A zombie, as far as the record tells: its groups are not known.
fn zombie(at: Moment, child: Tgid, parent: Tgid) -> Event {
    let owner = Owner {
        parent,
        child_group: 0,
        group: 0,
        traced: false,
        blocked_and_pending: false,
        parent_call: None,
        listener: None,
    };
    let corpse = Corpse {
        child,
        zombie: Some(owner),
    };
    Event {
        tid: child.leader(),
        tgid: child,
        ..anybody(at, EventKind::Observed(Observation::Corpse(corpse)))
    }
}
