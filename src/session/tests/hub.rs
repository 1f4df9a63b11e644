//! What reaches the ledger, the outputs and the rules, in which order.

use super::*;

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
