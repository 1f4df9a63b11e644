//! The record of a trace as a source of events.
//!
//! A recording of ours holds what the rules asked for, and is handed on as it
//! is. The record of another tracer has no looks at `/proc`; what it can answer
//! itself is asked between its events: that a child which died long ago and was
//! not reaped is a zombie, and that nothing else happened in a while.

use std::collections::VecDeque;

use super::source::{Alarm, EventSource, SETTLING, Step};
use crate::event::{
    Event, EventKind, Moment, Observation, Origin, Owner, ProcView, Question, ZombieProbe,
};
use crate::kernel::{Tgid, Tid};
use crate::records::{Broken, Source};
use crate::rules::RuleId;

/// A record, and how far it has been handed on.
pub(crate) struct Recorded {
    record: Box<dyn Source>,
    origin: Origin,
    /// It is asked between its events.
    is_asked: bool,
    /// What was read and is not yet handed on.
    ahead: VecDeque<Event>,
    /// Reused by reads.
    buffer: Vec<Event>,
    /// Of the last event.
    seq: u64,
    last: Moment,
    /// The moment of an alarm that has come.
    due: Option<Moment>,
    /// Events were handed on since the last [`Step::Woken`].
    is_fresh: bool,
    /// A read may have changed which rules cannot judge.
    has_news: bool,
    quiet: Quiet,
    /// The end of the record, or where it is broken.
    end: Option<Result<(), Broken>>,
}

/// Whether the moments after the last event are quiet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Quiet {
    /// Not asked yet.
    #[default]
    Open,
    /// They are, and the event is due.
    Yes,
    /// The event was made, or something was looked up since.
    Done,
}

impl Recorded {
    pub(crate) fn new(record: Box<dyn Source>) -> Recorded {
        let origin = record.origin().clone();
        Recorded {
            is_asked: origin.proc == ProcView::Unseen,
            record,
            origin,
            ahead: VecDeque::new(),
            buffer: Vec::new(),
            seq: 0,
            last: Moment::default(),
            due: None,
            is_fresh: false,
            has_news: false,
            quiet: Quiet::Open,
            end: None,
        }
    }

    /// The record, to be asked what it lacks, and where it is broken.
    pub(crate) fn finish(self) -> (Box<dyn Source>, Option<Broken>) {
        (self.record, self.end.and_then(Result::err))
    }

    /// Hand on the next event.
    fn advance(&mut self, events: &mut Vec<Event>) {
        if let Some(event) = self.ahead.pop_front() {
            if self.is_asked {
                self.last = self.last.max(event.at);
                // Answers are counted with the events.
                self.push(event, events);
            } else {
                (self.seq, self.last) = (event.seq, event.at);
                events.push(event);
            }
            (self.quiet, self.is_fresh) = (Quiet::Open, true);
        }
    }

    fn push(&mut self, mut event: Event, events: &mut Vec<Event>) {
        self.seq = self.seq.saturating_add(1);
        event.seq = self.seq;
        events.push(event);
    }

    /// Whether the alarm's moment comes before the next event. If it does,
    /// that moment is now.
    fn is_due(&mut self, alarm: &Alarm, next: Moment) -> bool {
        if alarm.settles && self.quiet == Quiet::Open && next.since(self.last) >= SETTLING {
            self.quiet = Quiet::Yes;
            return true;
        }
        self.due = alarm.due.filter(|due| *due <= next);
        if self.due.is_some() {
            self.quiet = Quiet::Done;
        }
        self.due.is_some()
    }

    fn read(&mut self) {
        let read = self.record.read(&mut self.buffer);
        self.ahead.extend(self.buffer.drain(..));
        self.has_news = true;
        self.end = match read {
            Ok(true) => None,
            Ok(false) => Some(Ok(())),
            Err(broken) => Some(Err(broken)),
        };
        // Of an empty read too, since output may be waiting.
        self.is_fresh = true;
    }
}

impl EventSource for Recorded {
    fn poll(&mut self, alarm: &Alarm, events: &mut Vec<Event>) -> Step {
        self.due = None;
        if self.ahead.is_empty() && !self.is_fresh && self.end.is_none() {
            self.read();
        }
        if let Some(next) = self.ahead.front().map(|event| event.at) {
            if !self.is_asked {
                while !self.ahead.is_empty() {
                    self.advance(events);
                }
                return Step::Went;
            }
            if self.is_due(alarm, next) {
                return Step::Due;
            }
            self.advance(events);
            return Step::Went;
        }
        // The next event of a record that is still written may be long in
        // coming.
        if std::mem::take(&mut self.is_fresh) {
            return Step::Woken;
        }
        if self.is_asked && alarm.settles && self.quiet == Quiet::Open {
            self.quiet = Quiet::Yes;
            return Step::Due;
        }
        Step::Over
    }

    fn answer(&mut self, question: Question, events: &mut Vec<Event>) {
        if let Question::ZombieProbe { child, parent } = question
            && self.is_asked
            && self.record.knows_zombies(parent)
        {
            self.push(zombie(self.now(), child, parent), events);
        }
    }

    fn settle(&mut self, events: &mut Vec<Event>) {
        if self.quiet == Quiet::Yes {
            self.quiet = Quiet::Done;
            self.push(of_no_task(self.last, EventKind::QueueDrained), events);
        }
    }

    fn conclude(&mut self) -> Event {
        Event {
            seq: self.seq.saturating_add(1),
            ..of_no_task(self.last, EventKind::Over)
        }
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn now(&self) -> Moment {
        self.due.unwrap_or(self.last)
    }

    fn excluded_rules(&mut self) -> Option<Vec<RuleId>> {
        std::mem::take(&mut self.has_news).then(|| self.record.out_of_reach())
    }
}

fn of_no_task(at: Moment, kind: EventKind) -> Event {
    Event {
        seq: 0,
        at,
        tid: Tid::new(0),
        tgid: Tgid::new(0),
        kind,
    }
}

/// A zombie, as far as the record shows: its groups are not known.
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
    let probe = ZombieProbe {
        child,
        zombie: Some(owner),
    };
    Event {
        tid: child.leader(),
        tgid: child,
        ..of_no_task(at, EventKind::Observed(Observation::ZombieProbe(probe)))
    }
}
