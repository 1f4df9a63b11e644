//! Made-up events, counted.

use super::*;
use crate::event::EventKind;
use crate::event::script::{NOHANG, Script, exited};

const MILLISECOND: u64 = 1_000_000;

/// A summary that takes the events of a script in.
struct Count {
    summary: Summary,
    ledger: Ledger,
}

impl Count {
    fn new() -> Count {
        Count {
            summary: Summary::new(10 * MILLISECOND, SortBy::default()),
            ledger: Ledger::new(),
        }
    }

    fn add(&mut self, script: &mut Script) {
        for event in script.take() {
            self.ledger.apply(&event);
            self.summary.event(&event, &self.ledger);
        }
    }
}

#[test]
fn what_a_process_does_is_counted() {
    let mut script = Script::default();
    script.found(1, None).fork(1, 2).fork(1, 3).fork(1, 4);
    script.wait(1, -1, NOHANG, Ok((0, 0))).end(2, exited(3));
    script
        .enter(1, -1, 0)
        .after(5)
        .leave(1, -1, 0, Ok((2, exited(3))));
    script.end(3, 15).after(20);
    script.enter(1, -1, 0).after(1).leave(1, -1, 0, Ok((3, 15)));
    script.end(4, 0).after(100).event(1, EventKind::Over);
    let mut count = Count::new();
    count.add(&mut script);
    count.summary.end(&count.ledger, None);
    let row = count.summary.total();
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
        cpu: 0,
        peak: 0,
    };
    assert_eq!(row, expected);
    insta::assert_snapshot!(count.summary.text(), @r"
    forked  reaped  left  late  polls  blocked  longest  cpu  peak  process
         3       2     1     1      1   6.0 ms    0.1 s    -     -  1
    ------  ------  ----  ----  -----  -------  -------  ---  ----  -------
         3       2     1     1      1   6.0 ms    0.1 s    -     -  1 in all

    from exit to reap: p50 5.0 ms, p90 21 ms, p99 21 ms, max 21 ms (2 children)
      < 10 ms          1  ########################################
      < 100 ms         1  ########################################

    ends: exited 0 (1), exited 3 (1), SIGTERM (1)
    ");
    let json = serde_json::to_value(count.summary.wire()).unwrap();
    assert_eq!(json["total"]["reaped"], 2);
    assert_eq!(json["ends"][1]["code"], 3);
    assert_eq!(json["ends"][2]["signal"]["name"], "SIGTERM");
}

#[test]
fn a_hundred_thousand_children_take_no_more_room_than_one() {
    let mut count = Count::new();
    let mut script = Script::default();
    script.found(1, None);
    for child in 0..100_000 {
        let pid = 2 + child % 1000;
        script.fork(1, pid).end(pid, 0);
        script
            .enter(1, -1, 0)
            .after(1)
            .leave(1, -1, 0, Ok((pid, 0)));
        count.add(&mut script);
    }
    let summary = &count.summary;
    assert_eq!(summary.total().reaped, 100_000);
    assert_eq!((summary.rows.len(), summary.open.len()), (1, 0));
    assert!(summary.latency.buckets() < 64);
    assert_eq!(summary.ends.len(), 1);
}

#[test]
fn rows_are_sorted_by_what_was_asked_for() {
    let mut script = Script::default();
    for (parent, children) in [(10, 1), (20, 3), (30, 2)] {
        script.found(parent, None);
        for child in 0..children {
            script.fork(parent, parent + 1 + child);
        }
    }
    let mut count = Count::new();
    count.add(&mut script);
    let pids = |count: &mut Count, sort| {
        count.summary.sort = sort;
        let rows = count.summary.sorted();
        let pids = rows.iter().filter_map(|row| row.pid.map(Tgid::raw));
        pids.collect::<Vec<i32>>()
    };
    assert_eq!(pids(&mut count, SortBy::Forked), [20, 30, 10]);
    assert_eq!(pids(&mut count, SortBy::Pid), [10, 20, 30]);
    assert_eq!(pids(&mut count, SortBy::Longest), [10, 20, 30]);
}

#[test]
fn an_exec_ends_the_waits_of_a_process() {
    let mut script = Script::default();
    script.found(1, None).thread(1, 8).fork(1, 2);
    // The leader waits, and another thread, which execs, did so before.
    script.enter(1, -1, 0).enter((8, 1), -1, 0).after(5);
    script
        .exec((8, 1), "sh")
        .after(100)
        .event(1, EventKind::Over);
    let mut count = Count::new();
    count.add(&mut script);
    count.summary.end(&count.ledger, None);
    let rows = count.summary.sorted();
    let [row] = &rows[..] else {
        panic!("{rows:?}");
    };
    assert_eq!(row.blocked, 2 * 5 * MILLISECOND);
    assert!(count.summary.open.is_empty());
}
