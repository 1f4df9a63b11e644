//! Polls between which a process sleeps, on made-up events.

use crate::event::{
    Created, Event, EventKind, Fetched, Found, How, Moment, Named, Observation, Question,
    WaitEntry, WaitExit,
};
use crate::kernel::{Abi, NsPid, Signal, Tgid, Tid, WaitCall, WaitOptions};
use crate::ledger::Ledger;
use crate::rules::{Expected, Judge, Thresholds};

const SECOND: u64 = 1_000_000_000;
const PARENT: i32 = 10;

#[derive(Debug)]
struct Trace {
    judge: Judge,
    ledger: Ledger,
    seq: u64,
    now: u64,
}

impl Trace {
    /// A process with these children.
    fn new(children: &[i32]) -> Trace {
        let mut trace = Trace {
            judge: Judge::new(Thresholds::default(), Expected::default()),
            ledger: Ledger::new(),
            seq: 0,
            now: 0,
        };
        let found = Found {
            parent: None,
            image: None,
            ns: None,
            comm: None,
            sigchld: None,
        };
        trace.event(PARENT, EventKind::Found(found));
        for child in children {
            trace.create(*child, How::Fork);
        }
        trace
    }

    fn create(&mut self, child: i32, how: How) {
        let created = Created {
            child: Tid::new(child),
            how,
            parent: None,
            ns: None,
            exit_signal: Some(Signal::CHLD),
            stack: None,
        };
        self.event(PARENT, EventKind::Created(created));
    }

    fn event(&mut self, pid: i32, kind: EventKind) {
        self.seq += 1;
        let event = Event {
            seq: self.seq,
            at: Moment(self.now),
            tid: Tid::new(pid),
            tgid: Tgid::new(pid),
            kind,
        };
        self.ledger.apply(&event);
        self.judge.event(&event, &self.ledger);
    }

    fn stop(&mut self, child: i32) {
        let signal = Signal::TTIN;
        self.event(child, EventKind::GroupStopped { signal });
    }

    /// A poll that finds nothing.
    fn poll(&mut self, pid: i32, options: WaitOptions) {
        let entry = WaitEntry {
            call: WaitCall::Wait4,
            abi: Abi::X86_64,
            named: Named::Pid(pid),
            options: WaitOptions::from_raw(options.raw() | WaitOptions::NOHANG.raw()),
            result_at: 8,
            rusage_at: 0,
            info_at: 0,
            is_restart: false,
            is_half: false,
            target: None,
            pidfd: None,
            stack: None,
        };
        self.event(PARENT, EventKind::WaitEntered(entry.clone()));
        let exit = WaitExit {
            entry,
            entered: Moment(self.now),
            result: Ok(NsPid::new(0)),
            status: Fetched::Unread { addr: 8 },
            info: Fetched::Null,
            rusage: Fetched::Null,
            child: None,
            remaining: None,
            lives_on: false,
            in_handler: None,
        };
        self.event(PARENT, EventKind::WaitEnded(exit));
    }

    /// Time passes; the parent sleeps until a signal comes, if that is asked.
    /// How many findings there are then.
    fn sleep(&mut self, seconds: u64) -> usize {
        self.now += seconds * SECOND;
        let asked = self.judge.questions(Moment(self.now), &self.ledger);
        if asked.contains(&Question::AwaitsSignal(Tgid::new(PARENT))) {
            self.event(PARENT, EventKind::Observed(Observation::AwaitsSignal));
        }
        self.judge.findings().len()
    }
}

#[test]
fn a_poll_for_a_stopped_child_and_a_sleep_are_a_wait() {
    for named in [11, -1] {
        let mut trace = Trace::new(&[11]);
        trace.stop(11);
        trace.now += 5 * SECOND;
        trace.poll(named, WaitOptions::from_raw(0));
        assert_eq!(trace.sleep(1), 0);
        assert_eq!(trace.sleep(1), 1, "{named}");
        assert_eq!(trace.judge.take_warnings().len(), 1);
    }
}

#[test]
fn the_child_may_stop_after_the_poll() {
    let mut trace = Trace::new(&[11]);
    trace.poll(-1, WaitOptions::from_raw(0));
    trace.now += 5 * SECOND;
    trace.stop(11);
    assert_eq!(trace.sleep(1), 0);
    assert_eq!(trace.sleep(1), 1);
}

#[test]
fn a_poll_puts_the_look_off() {
    let mut trace = Trace::new(&[11]);
    trace.stop(11);
    for _ in 0..10 {
        trace.poll(11, WaitOptions::from_raw(0));
        assert_eq!(trace.sleep(1), 0);
    }
    assert_eq!(trace.sleep(1), 1);
}

#[test]
fn one_that_runs_may_be_what_is_waited_for() {
    for (named, count) in [(-1, 0), (-10, 0), (0, 0), (12, 0), (11, 1)] {
        let mut trace = Trace::new(&[11, 12]);
        trace.stop(11);
        trace.poll(named, WaitOptions::from_raw(0));
        assert_eq!(trace.sleep(3), count, "{named}");
    }
}

#[test]
fn no_finding_where_the_stop_was_told_or_is_over() {
    let mut told = Trace::new(&[11]);
    told.stop(11);
    told.poll(11, WaitOptions::STOPPED);
    assert_eq!(told.sleep(3), 0);

    let mut over = Trace::new(&[11]);
    over.stop(11);
    over.poll(11, WaitOptions::from_raw(0));
    over.event(11, EventKind::Resumed);
    assert_eq!(over.sleep(3), 0);
}

#[test]
fn a_process_with_threads_or_one_that_is_stopped_itself_is_not_judged() {
    let mut threads = Trace::new(&[11]);
    threads.create(20, How::Thread);
    threads.stop(11);
    threads.poll(11, WaitOptions::from_raw(0));
    assert_eq!(threads.sleep(3), 0);

    let mut itself = Trace::new(&[11]);
    itself.stop(11);
    itself.poll(11, WaitOptions::from_raw(0));
    itself.stop(PARENT);
    assert_eq!(itself.sleep(3), 0);
}
