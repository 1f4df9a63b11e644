//! `stopped-child-hang` of processes that poll and sleep until a signal comes.

use super::*;
use crate::event::script::{NOHANG, UNTRACED};
use crate::event::{Observation, Question};
use crate::kernel::Tgid;

/// The rules at work, and the answers to what they ask.
struct Trace {
    rules: RuleEngine,
    ledger: Ledger,
    script: Script,
}

impl Trace {
    /// A process with these children.
    fn new(children: &[i32]) -> Trace {
        let mut script = Script::launched(P);
        for child in children {
            script.fork(P, *child);
        }
        Trace {
            rules: engine(&Script::default()),
            ledger: Ledger::new(),
            script,
        }
    }

    /// The rules take in what has happened.
    fn play(&mut self) {
        for event in self.script.take() {
            self.ledger.apply(&event);
            self.rules.event(&event, &self.ledger);
        }
    }

    fn stop(&mut self, child: i32) {
        self.script.stop(child);
        self.play();
    }

    /// A poll that finds nothing.
    fn poll(&mut self, named: i32, options: u32) {
        self.script.wait(P, named, NOHANG | options, Ok((0, 0)));
        self.play();
    }

    /// Time passes; the parent sleeps until a signal comes, if that is asked.
    /// How many findings there are then.
    fn sleep(&mut self, seconds: u64) -> usize {
        self.script.after(seconds * 1000);
        let asked = self.rules.questions(self.script.now(), &self.ledger);
        if asked.contains(&Question::AwaitsSignal(Tgid::new(P))) {
            self.script.observe(P, Observation::AwaitsSignal);
            self.play();
        }
        self.rules.findings().len()
    }
}

#[test]
fn a_poll_for_a_stopped_child_and_a_sleep_are_a_wait() {
    for named in [X, -1] {
        let mut trace = Trace::new(&[X]);
        trace.stop(X);
        trace.script.after(5000);
        trace.poll(named, 0);
        assert_eq!(trace.sleep(1), 0);
        assert_eq!(trace.sleep(1), 1, "{named}");
        assert_eq!(trace.rules.take_warnings().len(), 1);
    }
}

#[test]
fn the_child_may_stop_after_the_poll() {
    let mut trace = Trace::new(&[X]);
    trace.poll(-1, 0);
    trace.script.after(5000);
    trace.stop(X);
    assert_eq!(trace.sleep(1), 0);
    assert_eq!(trace.sleep(1), 1);
}

#[test]
fn a_poll_puts_the_look_off() {
    let mut trace = Trace::new(&[X]);
    trace.stop(X);
    for _ in 0..10 {
        trace.poll(X, 0);
        assert_eq!(trace.sleep(1), 0);
    }
    assert_eq!(trace.sleep(1), 1);
}

#[test]
fn one_that_runs_may_be_what_is_waited_for() {
    for (named, count) in [(-1, 0), (-P, 0), (0, 0), (Y, 0), (X, 1)] {
        let mut trace = Trace::new(&[X, Y]);
        trace.stop(X);
        trace.poll(named, 0);
        assert_eq!(trace.sleep(3), count, "{named}");
    }
}

#[test]
fn no_finding_where_the_stop_was_told_or_is_over() {
    let mut stopped = Trace::new(&[X]);
    stopped.stop(X);
    stopped.poll(X, UNTRACED);
    assert_eq!(stopped.sleep(3), 0);

    let mut over = Trace::new(&[X]);
    over.stop(X);
    over.poll(X, 0);
    over.script.resume(X);
    over.play();
    assert_eq!(over.sleep(3), 0);
}

#[test]
fn a_process_with_threads_or_one_that_is_stopped_itself_is_not_judged() {
    let mut threads = Trace::new(&[X]);
    threads.script.thread(P, 11);
    threads.stop(X);
    threads.poll(X, 0);
    assert_eq!(threads.sleep(3), 0);

    let mut itself = Trace::new(&[X]);
    itself.stop(X);
    itself.poll(X, 0);
    itself.stop(P);
    assert_eq!(itself.sleep(3), 0);
}
