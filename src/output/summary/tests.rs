//! Made-up events, counted.

use super::*;
use crate::event::{Created, Fetched, Found, Named, WaitEntry, WaitExit};
use crate::kernel::{Abi, NsPid, Signal, WaitCall};

const MILLISECOND: u64 = 1_000_000;

struct Story {
    summary: Summary,
    ledger: Ledger,
    seq: u64,
    now: u64,
}

impl Story {
    fn new(pids: &[i32]) -> Story {
        let mut story = Story {
            summary: Summary::new(10 * MILLISECOND, SortBy::default()),
            ledger: Ledger::new(),
            seq: 0,
            now: 0,
        };
        for pid in pids {
            let found = Found {
                parent: None,
                image: None,
                ns: None,
                comm: None,
                sigchld: None,
            };
            story.add(*pid, EventKind::Found(found));
        }
        story
    }

    fn add(&mut self, pid: i32, kind: EventKind) {
        self.seq += 1;
        let event = Event {
            seq: self.seq,
            at: Moment(self.now),
            tid: Tid::new(pid),
            tgid: Tgid::new(pid),
            kind,
        };
        self.ledger.apply(&event);
        self.summary.event(&event, &self.ledger);
    }

    fn fork(&mut self, parent: i32, child: i32) {
        let created = Created {
            child: Tid::new(child),
            how: How::Fork,
            parent: None,
            ns: None,
            exit_signal: Some(Signal::CHLD),
            stack: None,
        };
        self.add(parent, EventKind::Created(created));
    }

    fn end(&mut self, pid: i32, word: i32) {
        let status = WaitStatus::from_raw(word);
        self.add(pid, EventKind::Ended { status });
    }

    /// A wait for any child that takes so long and gives this one.
    fn wait(&mut self, pid: i32, options: u32, millis: u64, child: i32, word: i32) {
        let entry = WaitEntry {
            call: WaitCall::Wait4,
            abi: Abi::X86_64,
            named: Named::Pid(-1),
            options: WaitOptions::from_raw(options),
            result_at: 8,
            rusage_at: 0,
            info_at: 0,
            is_restart: false,
            target: None,
            pidfd: None,
            stack: None,
        };
        self.add(pid, EventKind::WaitEntered(entry.clone()));
        let entered = Moment(self.now);
        self.now += millis * MILLISECOND;
        let status = match child {
            0 => Fetched::Unread { addr: 8 },
            _ => Fetched::Value {
                addr: 8,
                value: WaitStatus::from_raw(word),
            },
        };
        let exit = WaitExit {
            entry,
            entered,
            result: Ok(NsPid::new(child)),
            status,
            info: Fetched::Null,
            rusage: Fetched::Null,
            child: None,
            remaining: None,
            lives_on: false,
            in_handler: None,
        };
        self.add(pid, EventKind::WaitEnded(exit));
    }
}

#[test]
fn what_a_process_does_is_counted() {
    let mut story = Story::new(&[1]);
    story.fork(1, 2);
    story.fork(1, 3);
    story.fork(1, 4);
    story.wait(1, 1, 0, 0, 0);
    story.end(2, 3 << 8);
    story.wait(1, 0, 5, 2, 3 << 8);
    story.end(3, 15);
    story.now += 20 * MILLISECOND;
    story.wait(1, 0, 1, 3, 15);
    story.end(4, 0);
    story.now += 100 * MILLISECOND;
    story.add(1, EventKind::Over);
    story.summary.end(&story.ledger, None);
    let row = story.summary.total();
    let expected = Row {
        pid: None,
        comm: Comm::default(),
        forked: 3,
        reaped: 2,
        late: 1,
        left: 1,
        waits: 3,
        polls: 1,
        blocked: 6 * MILLISECOND,
        longest: 100 * MILLISECOND,
    };
    assert_eq!(row, expected);
    insta::assert_snapshot!(story.summary.text(), @r"
    forked  reaped  left  late  polls  blocked  longest  process
         3       2     1     1      1   6.0 ms    0.1 s  1
    ------  ------  ----  ----  -----  -------  -------  -------
         3       2     1     1      1   6.0 ms    0.1 s  1 process

    from exit to reap: p50 5.0 ms, p90 21 ms, p99 21 ms, max 21 ms (2 children)
      < 10 ms          1  ########################################
      < 100 ms         1  ########################################

    ends: exited 0 (1), exited 3 (1), SIGTERM (1)
    ");
    let json = serde_json::to_value(story.summary.wire()).unwrap();
    assert_eq!(json["total"]["reaped"], 2);
    assert_eq!(json["ends"][1]["code"], 3);
    assert_eq!(json["ends"][2]["signal"]["name"], "SIGTERM");
}

#[test]
fn a_million_children_take_no_more_room_than_one() {
    let mut story = Story::new(&[1]);
    for child in 0..1_000_000 {
        let pid = 2 + child % 1000;
        story.fork(1, pid);
        story.end(pid, 0);
        story.wait(1, 0, 1, pid, 0);
    }
    let summary = &story.summary;
    assert_eq!(summary.total().reaped, 1_000_000);
    assert_eq!((summary.rows.len(), summary.open.len()), (1, 0));
    assert!(summary.latency.buckets() < 64);
    assert_eq!(summary.ends.len(), 1);
}

#[test]
fn rows_are_sorted_by_what_was_asked_for() {
    let mut story = Story::new(&[10, 20, 30]);
    for (parent, children) in [(10, 1), (20, 3), (30, 2)] {
        for child in 0..children {
            story.fork(parent, parent + 1 + child);
        }
    }
    let pids = |story: &mut Story, sort| {
        story.summary.sort = sort;
        let rows = story.summary.sorted();
        let pids = rows.iter().filter_map(|row| row.pid.map(Tgid::raw));
        pids.collect::<Vec<i32>>()
    };
    assert_eq!(pids(&mut story, SortBy::Forked), [20, 30, 10]);
    assert_eq!(pids(&mut story, SortBy::Pid), [10, 20, 30]);
    assert_eq!(pids(&mut story, SortBy::Longest), [10, 20, 30]);
}
