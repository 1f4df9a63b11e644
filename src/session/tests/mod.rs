//! The loop on made-up events.

mod hub;
mod mutations;
mod records;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::findings_policy::{FindingsPolicy, RuleOptions};
use super::hub::{NamedOutput, Session};
use super::source::{Alarm, EventSource, Step};
use super::{Control, Recorded, drive};
use crate::event::script::{NOHANG, Script, exited};
use crate::event::{
    Event, EventKind, Moment, Observation, Origin, Owner, ProcView, Question, ZombieProbe,
};
use crate::kernel::{Errno, Tgid, Tid};
use crate::ledger::Ledger;
use crate::output::{Conclusion, Output, Snapshot, SnapshotText};
use crate::records::{Broken, Source};
use crate::rules::{RuleId, ZombiesLeft};

const P: i32 = 10;
const X: i32 = 20;
const SECOND: u64 = 1_000_000_000;

/// What is to be seen of a loop, in order.
type Log = Rc<RefCell<Vec<String>>>;

fn origin(proc: ProcView) -> Origin {
    Origin {
        proc,
        ..Origin::default()
    }
}

/// A source with a script. [`Step::Due`] comes at the moment of the alarm.
struct MadeUp {
    origin: Origin,
    steps: VecDeque<(Step, Vec<Event>)>,
    now: Moment,
    log: Log,
    alarms: Vec<Alarm>,
    batch: usize,
}

impl MadeUp {
    fn new(log: &Log, steps: impl IntoIterator<Item = (Step, Vec<Event>)>) -> MadeUp {
        MadeUp {
            origin: origin(ProcView::Seen),
            steps: steps.into_iter().collect(),
            now: Moment::default(),
            log: Rc::clone(log),
            alarms: Vec::new(),
            batch: 1,
        }
    }

    fn say(&self, what: &str) {
        self.log.borrow_mut().push(what.to_owned());
    }

    fn at_now(&self, pid: i32, kind: EventKind) -> Event {
        Event {
            seq: 1000,
            at: self.now,
            tid: Tid::new(pid),
            tgid: Tgid::new(pid),
            kind,
        }
    }
}

impl EventSource for MadeUp {
    fn poll(&mut self, alarm: &Alarm, events: &mut Vec<Event>) -> Step {
        self.alarms.push(*alarm);
        let (step, next) = self.steps.pop_front().unwrap_or((Step::Over, Vec::new()));
        self.now = next.last().map_or(self.now, |event| event.at);
        if step == Step::Due {
            self.now = alarm.due.unwrap_or(self.now);
        }
        events.extend(next);
        step
    }

    fn answer(&mut self, question: Question, events: &mut Vec<Event>) {
        self.say("asked");
        if let Question::ZombieProbe { child, parent } = question {
            let owner = Owner {
                parent,
                child_group: 0,
                group: 0,
                traced: false,
                blocked_and_pending: false,
                parent_call: None,
                listener: None,
            };
            let zombie = Some(owner);
            let probe = Observation::ZombieProbe(ZombieProbe { child, zombie });
            events.push(self.at_now(parent.raw(), EventKind::Observed(probe)));
        }
    }

    fn settle(&mut self, events: &mut Vec<Event>) {
        self.say("settled");
        events.push(self.at_now(0, EventKind::QueueDrained));
    }

    fn conclude(&mut self) -> Event {
        self.say("concluded");
        self.at_now(0, EventKind::Over)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn now(&self) -> Moment {
        self.now
    }

    fn batch(&self) -> usize {
        self.batch
    }
}

/// An output that notes what it is shown.
struct Noting(Log);

impl Output for Noting {
    fn event(&mut self, event: &Event, ledger: &Ledger) {
        let tasks = ledger.tasks();
        self.0
            .borrow_mut()
            .push(format!("{} of {tasks}", event.seq));
    }

    fn message(&mut self, text: &str) {
        let rule = text.split(':').next().unwrap_or_default();
        self.0.borrow_mut().push(rule.to_owned());
    }

    fn tick(&mut self, _: Moment, _: &Ledger) {
        self.0.borrow_mut().push("tick".to_owned());
    }

    fn wants_tick(&self) -> bool {
        false
    }

    fn pause(&mut self) {
        self.0.borrow_mut().push("pause".to_owned());
    }

    fn is_watched(&self) -> bool {
        false
    }

    fn finish(&mut self, end: &Conclusion<'_>) -> std::io::Result<()> {
        let count = end.findings.len();
        self.0.borrow_mut().push(format!("{count} findings"));
        Ok(())
    }
}

/// A session with rules and an output that notes.
fn session(log: &Log, origin: &Origin) -> Session<'static> {
    Session {
        policy: Some(FindingsPolicy::new(RuleOptions::default(), origin)),
        warns: true,
        outputs: vec![NamedOutput {
            name: "noting".to_owned(),
            output: Box::new(Noting(Rc::clone(log))),
        }],
        ..Session::default()
    }
}

/// Add a snapshot to the outputs.
fn add_snapshot(session: &mut Session<'_>) -> SnapshotText {
    let text = SnapshotText::default();
    session.outputs.push(NamedOutput {
        name: "snapshot".to_owned(),
        output: Box::new(Snapshot::new(&text)),
    });
    text
}

/// A process with a child that has died.
fn zombie() -> Script {
    let mut script = Script::launched(P);
    script.fork(P, X).end(X, exited(3));
    script
}

fn went(events: Vec<Event>) -> (Step, Vec<Event>) {
    (Step::Went, events)
}
