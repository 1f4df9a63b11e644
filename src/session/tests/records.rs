//! A record as a source of events.

use super::*;

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
