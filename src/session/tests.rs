//! The loop on made-up events.

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

#[test]
fn an_event_reaches_the_ledger_then_the_outputs_then_the_observer() {
    let log = Log::default();
    let mut source = MadeUp::new(&log, [went(zombie().events)]);
    let seen = Rc::clone(&log);
    let mut observer = |event: Event, ledger: &Ledger| {
        let place = format!("{} seen, {} tasks", event.seq, ledger.tasks());
        seen.borrow_mut().push(place);
    };
    let mut session = Session {
        policy: None,
        observer: Some(&mut observer),
        ..session(&log, source.origin())
    };
    let snapshot = add_snapshot(&mut session);
    drive(&mut source, &mut session, &mut ());
    let outcome = session.finish(true);
    assert!(snapshot.get().is_some_and(|text| text.contains("root.1")));
    assert!(outcome.policy.is_none() && outcome.findings.is_empty());
    let expected = [
        "1 of 1",
        "1 seen, 1 tasks",
        "2 of 1",
        "2 seen, 1 tasks",
        "3 of 2",
        "3 seen, 2 tasks",
        "4 of 2",
        "4 seen, 2 tasks",
        "0 findings",
    ];
    assert_eq!(
        *log.borrow(),
        expected,
        "without rules nothing is concluded"
    );
}

#[test]
fn a_deadline_is_an_alarm_and_its_question_is_answered_and_judged() {
    let log = Log::default();
    let begin = zombie().events;
    let mut source = MadeUp::new(&log, [went(begin), (Step::Due, Vec::new())]);
    let mut session = session(&log, source.origin());
    drive(&mut source, &mut session, &mut ());
    let due: Vec<Option<Moment>> = source.alarms.iter().map(|alarm| alarm.due).collect();
    let [before, at, after] = due[..] else {
        panic!("{due:?}");
    };
    assert_eq!((before, at), (None, Some(Moment(SECOND))));
    assert!(after > at, "the next look");
    let outcome = session.finish(true);
    let found: Vec<RuleId> = outcome
        .findings
        .iter()
        .map(|finding| finding.rule)
        .collect();
    assert_eq!(found, [RuleId::ZombieLeak]);
    assert_eq!(
        outcome
            .policy
            .and_then(|policy| policy.left().map(ZombiesLeft::total)),
        Some(1)
    );
    let log = log.borrow();
    assert_eq!(
        log[4..],
        ["asked", "1000 of 1", "concluded", "1000 of 1", "1 findings"]
    );
}

#[test]
fn a_judgement_that_needs_every_event_waits_until_the_source_has_settled() {
    let log = Log::default();
    let mut script = Script::launched(P);
    script.wait(P, X, NOHANG, Err(Errno::CHILD));
    let steps = [went(script.take()), (Step::Woken, Vec::new())];
    let mut source = MadeUp::new(&log, steps);
    let mut session = session(&log, source.origin());
    drive(&mut source, &mut session, &mut ());
    let settles: Vec<bool> = source.alarms.iter().map(|alarm| alarm.settles).collect();
    assert_eq!(settles, [false, true, false]);
    let log = log.borrow();
    let settled = log.iter().position(|line| line == "settled");
    assert_eq!(
        log[settled.unwrap()..][..3],
        ["settled", "1000 of 1", "tick"]
    );
}

#[test]
fn a_warning_follows_the_event_that_shows_it() {
    let log = Log::default();
    let mut script = zombie();
    let begin = script.take();
    script.after(6000).look(P, X, |_| ());
    let mut source = MadeUp::new(&log, [went(begin), went(script.take())]);
    let mut session = session(&log, source.origin());
    drive(&mut source, &mut session, &mut ());
    let log = log.borrow();
    assert_eq!(log[4], "5 of 1");
    assert!(log[5].contains("zombie-leak"), "{log:?}");
}

#[test]
fn events_wait_for_each_other_where_the_source_lets_them() {
    let log = Log::default();
    let mut events = zombie().events.into_iter().map(|event| vec![event]);
    let steps: Vec<_> = events.by_ref().map(went).collect();
    let mut source = MadeUp::new(&log, steps);
    source.batch = 3;
    let mut session = session(&log, source.origin());
    drive(&mut source, &mut session, &mut ());
    let flush: Vec<bool> = source
        .alarms
        .iter()
        .map(|alarm| alarm.flush.is_some())
        .collect();
    assert_eq!(
        flush,
        [false, true, true, true, true],
        "what waits is written in time"
    );
    assert_eq!(log.borrow()[..3], ["1 of 1", "2 of 1", "3 of 2"]);
}

/// Ends the trace when it is woken.
struct Ends;

impl Control<MadeUp> for Ends {
    fn woken(&mut self, source: &mut MadeUp, session: &mut Session<'_>) {
        session.conclude(source);
    }

    fn job_stopped(&mut self, source: &mut MadeUp) {
        source.say("job stopped");
    }
}

#[test]
fn a_trace_is_concluded_once_and_nothing_is_judged_or_asked_after_it() {
    let log = Log::default();
    let mut script = zombie();
    let begin = script.take();
    script.after(6000).look(P, X, |_| ());
    let steps = [
        went(begin),
        (Step::JobStopped, Vec::new()),
        (Step::Woken, Vec::new()),
        went(script.take()),
        (Step::Woken, Vec::new()),
    ];
    let mut source = MadeUp::new(&log, steps);
    let mut session = session(&log, source.origin());
    drive(&mut source, &mut session, &mut Ends);
    assert_eq!(source.alarms[3..], [Alarm::default(); 3]);
    let outcome = session.finish(true);
    assert!(outcome.findings.is_empty() && outcome.policy.is_some());
    let log = log.borrow();
    let expected = [
        "tick",
        "pause",
        "job stopped",
        "concluded",
        "1000 of 1",
        "tick",
        "5 of 1",
        "tick",
        "0 findings",
    ];
    assert_eq!(log[4..], expected);
}

#[test]
fn nothing_is_judged_of_a_program_that_never_ran() {
    let log = Log::default();
    let mut source = MadeUp::new(&log, [went(Script::launched(P).events)]);
    let mut session = session(&log, source.origin());
    let snapshot = add_snapshot(&mut session);
    drive(&mut source, &mut session, &mut ());
    let outcome = session.finish(false);
    assert!(outcome.policy.is_none() && snapshot.get().is_none());
}

/// A record that is read in these parts.
struct MadeUpRecord {
    origin: Origin,
    steps: VecDeque<Vec<Event>>,
    is_broken: bool,
}

impl MadeUpRecord {
    fn new(proc: ProcView, parts: impl IntoIterator<Item = Vec<Event>>) -> MadeUpRecord {
        MadeUpRecord {
            origin: origin(proc),
            steps: parts.into_iter().collect(),
            is_broken: false,
        }
    }
}

impl Source for MadeUpRecord {
    fn read(&mut self, events: &mut Vec<Event>) -> Result<bool, Broken> {
        events.extend(self.steps.pop_front().unwrap_or_default());
        if self.is_broken && self.steps.is_empty() {
            let why = "made up".to_owned();
            return Err(Broken { line: 7, why });
        }
        Ok(!self.steps.is_empty())
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lacks(&self) -> Vec<String> {
        Vec::new()
    }

    fn out_of_reach(&self) -> Vec<RuleId> {
        if self.steps.is_empty() {
            vec![RuleId::LateReap]
        } else {
            Vec::new()
        }
    }

    fn knows_zombies(&self, _: Tgid) -> bool {
        true
    }
}

/// Reads all of a record: the steps, and the events with their numbers.
fn steps(record: MadeUpRecord, alarm: &Alarm) -> (Vec<Step>, Vec<Event>) {
    let mut source = Recorded::new(Box::new(record));
    let (mut steps, mut events) = (Vec::new(), Vec::new());
    loop {
        let step = source.poll(alarm, &mut events);
        steps.push(step);
        match step {
            Step::Due => {
                source.settle(&mut events);
                let (child, parent) = (Tgid::new(X), Tgid::new(P));
                source.answer(Question::ZombieProbe { child, parent }, &mut events);
            }
            Step::Over => break,
            Step::Went | Step::Woken | Step::JobStopped => {}
        }
        assert!(steps.len() < 100, "{steps:?}");
    }
    events.push(source.conclude());
    (steps, events)
}

#[test]
fn a_recording_of_ours_is_handed_on_as_it_is() {
    let mut script = zombie();
    let first = script.take();
    script.after(5000).look(P, X, |_| ());
    let record = MadeUpRecord::new(ProcView::Seen, [first, script.take()]);
    let alarm = Alarm {
        due: Some(Moment(0)),
        settles: true,
        ..Alarm::default()
    };
    let (steps, events) = steps(record, &alarm);
    let pause = [Step::Went, Step::Woken];
    assert_eq!(steps, [&pause[..], &pause, &[Step::Over]].concat());
    let numbers: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn another_tracer_s_record_is_asked_between_its_events() {
    let mut script = zombie();
    script.after(1500).end(P, exited(0));
    let record = MadeUpRecord::new(ProcView::Unseen, [script.events]);
    let alarm = Alarm {
        due: Some(Moment(SECOND)),
        ..Alarm::default()
    };
    let mut source = Recorded::new(Box::new(record));
    let mut events = Vec::new();
    for _ in 0..4 {
        assert_eq!(source.poll(&alarm, &mut events), Step::Went);
    }
    assert_eq!(source.poll(&alarm, &mut events), Step::Due);
    assert_eq!(source.now(), Moment(SECOND));
    let (child, parent) = (Tgid::new(X), Tgid::new(P));
    source.answer(Question::ZombieProbe { child, parent }, &mut events);
    assert_eq!(source.poll(&Alarm::default(), &mut events), Step::Went);
    let last: Vec<(u64, Moment)> = events.iter().skip(4).map(|e| (e.seq, e.at)).collect();
    assert_eq!(last, [(5, Moment(SECOND)), (6, Moment(SECOND * 3 / 2))]);
}

#[test]
fn a_record_is_quiet_where_nothing_happens_for_a_while_and_at_its_end() {
    let mut script = Script::launched(P);
    script.after(10).fork(P, X).after(30).end(X, exited(0));
    let record = MadeUpRecord::new(ProcView::Unseen, [script.events]);
    let alarm = Alarm {
        settles: true,
        ..Alarm::default()
    };
    let mut source = Recorded::new(Box::new(record));
    let mut events = Vec::new();
    let mut settled = Vec::new();
    loop {
        match source.poll(&alarm, &mut events) {
            Step::Over => break,
            Step::Due => {
                source.settle(&mut events);
                settled.push(events.last().map(|event| event.at));
            }
            _ => {}
        }
    }
    let millis = |count: u64| Some(Moment(count * 1_000_000));
    assert_eq!(settled, [millis(10), millis(40)]);
}

#[test]
fn the_rules_that_a_record_excludes_are_news_once_a_read() {
    let script = Script::launched(P);
    let record = MadeUpRecord::new(ProcView::Seen, [script.events, Vec::new()]);
    let mut source = Recorded::new(Box::new(record));
    let mut events = Vec::new();
    source.poll(&Alarm::default(), &mut events);
    assert_eq!(source.excluded_rules(), Some(Vec::new()));
    assert_eq!(source.poll(&Alarm::default(), &mut events), Step::Woken);
    assert_eq!(source.excluded_rules(), None);
    source.poll(&Alarm::default(), &mut events);
    assert_eq!(source.excluded_rules(), Some(vec![RuleId::LateReap]));
}

#[test]
fn what_came_before_a_break_is_handed_on() {
    let mut record = MadeUpRecord::new(ProcView::Seen, [zombie().events]);
    record.is_broken = true;
    let mut source = Recorded::new(Box::new(record));
    let mut events = Vec::new();
    assert_eq!(source.poll(&Alarm::default(), &mut events), Step::Went);
    assert_eq!(source.poll(&Alarm::default(), &mut events), Step::Woken);
    assert_eq!(source.poll(&Alarm::default(), &mut events), Step::Over);
    assert_eq!(events.len(), 4);
    let (_, broken) = source.finish();
    assert_eq!(broken.map(|broken| broken.line), Some(7));
}
