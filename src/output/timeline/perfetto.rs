//! The model in Chrome's trace-event format, which Perfetto and
//! `chrome://tracing` open: lives, waits and zombies as slices, and a flow from
//! each exit to the wait that reaped it.
//!
//! The format: "Trace Event Format", Google, 2016. Times are microseconds.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::model::{Lane, Model};
use crate::event::harmless_json;

/// Pids of processes that had one before them are moved out of the way.
const NEXT_PROCESS: i64 = 100_000_000;

/// The whole file.
pub(super) fn trace(model: &Model) -> String {
    let mut uses: HashMap<i32, i64> = HashMap::new();
    let pids: Vec<i64> = model
        .lanes
        .iter()
        .map(|lane| {
            let turn = uses.entry(lane.pid).or_default();
            *turn += 1;
            i64::from(lane.pid) + (*turn - 1) * NEXT_PROCESS
        })
        .collect();
    let mut events = Vec::new();
    for (id, lane) in model.lanes.iter().enumerate() {
        let lane = Track {
            lane,
            pid: pids.get(id).copied().unwrap_or_default(),
            id,
            end: model.end,
        };
        lane.write(&mut events, &pids);
    }
    for finding in &model.findings {
        let pid = finding.parent.and_then(|parent| pids.get(parent));
        if let Some(pid) = pid {
            events.push(json!({
                "ph": "i", "s": "p", "name": format!("{}[{}]", finding.severity, finding.rule),
                "cat": "finding", "pid": pid, "tid": pid, "ts": micros(finding.to),
                "args": {"what": finding.sentence, "help": finding.help},
            }));
        }
    }
    let file = json!({
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {"title": model.title, "tool": "wait4-strace"},
    });
    let mut text = harmless_json(&file.to_string()).into_owned();
    text.push('\n');
    text
}

/// A lane as a process of the trace; its leader's track has the pid for tid.
struct Track<'a> {
    lane: &'a Lane,
    pid: i64,
    id: usize,
    /// The end of the trace.
    end: u64,
}

impl Track<'_> {
    fn write(&self, events: &mut Vec<Value>, pids: &[i64]) {
        let Track { lane, pid, .. } = self;
        let name = format!("{} {}", lane.pid, lane.name());
        events.push(json!({
            "ph": "M", "name": "process_name", "pid": pid, "args": {"name": name},
        }));
        events.push(json!({
            "ph": "M", "name": "process_sort_index", "pid": pid, "args": {"sort_index": self.id},
        }));
        // The main thread first, the others by their birth.
        self.track(events, lane.pid, "main thread", 0);
        for (turn, (tid, ..)) in lane.threads.iter().enumerate() {
            self.track(events, *tid, "thread", turn + 1);
        }
        self.life(events);
        for (tid, from, to) in &lane.threads {
            events.push(self.slice("thread", "life", self.tid(*tid), *from, *to));
        }
        for wait in &lane.waits {
            let mut slice = self.slice(&wait.call, "wait", self.tid(wait.tid), wait.from, wait.to);
            if let Some(slice) = slice.as_object_mut() {
                let args = json!({"result": wait.result, "polls": wait.polls});
                slice.insert("args".to_owned(), args);
            }
            events.push(slice);
        }
        for (at, signal) in &lane.signals {
            events.push(json!({
                "ph": "i", "s": "t", "name": signal, "cat": "signal", "pid": pid, "tid": pid,
                "ts": micros(*at),
            }));
        }
        self.zombie(events, pids);
    }

    /// The name and the place of a thread's track.
    fn track(&self, events: &mut Vec<Value>, tid: i32, name: &str, turn: usize) {
        for (kind, args) in [
            ("thread_name", json!({"name": name})),
            ("thread_sort_index", json!({"sort_index": turn})),
        ] {
            events.push(json!({
                "ph": "M", "name": kind, "pid": self.pid, "tid": self.tid(tid), "args": args,
            }));
        }
    }

    /// One slice for each program that it executed.
    fn life(&self, events: &mut Vec<Value>) {
        let lane = self.lane;
        let until = lane.ended.unwrap_or(self.end);
        let ends = lane.names.iter().skip(1).map(|(from, _)| *from);
        for ((from, name), to) in lane.names.iter().zip(ends.chain([until])) {
            events.push(self.slice(name, "life", self.pid, *from, to.max(*from)));
        }
    }

    /// The time between its end and its reap, and the way from one to the
    /// other.
    fn zombie(&self, events: &mut Vec<Value>, pids: &[i64]) {
        let lane = self.lane;
        let Some(ended) = lane.ended else {
            return;
        };
        let reaped = lane.reaped.as_ref();
        let until = reaped.map_or(self.end, |reap| reap.at).max(ended);
        let mut slice = self.slice("zombie", "zombie", self.pid, ended, until);
        if let Some(slice) = slice.as_object_mut() {
            let colour = if lane.late { "terrible" } else { "grey" };
            slice.insert("cname".to_owned(), json!(colour));
            slice.insert("args".to_owned(), json!({"status": lane.status}));
        }
        events.push(slice);
        let by = reaped.and_then(|reap| Some((reap, *pids.get(reap.by?)?)));
        if let Some((reap, reaper)) = by {
            let tid = if i64::from(reap.tid) == reaper % NEXT_PROCESS {
                reaper
            } else {
                i64::from(reap.tid)
            };
            let flow = |phase: &str, pid: i64, tid: i64, at: u64| {
                json!({
                    "ph": phase, "bp": "e", "id": self.id + 1, "name": "reap", "cat": "reap",
                    "pid": pid, "tid": tid, "ts": micros(at),
                })
            };
            events.push(flow("s", self.pid, self.pid, ended));
            events.push(flow("f", reaper, tid, reap.at));
        }
    }

    /// The track of a thread; the leader's is that of the process.
    fn tid(&self, tid: i32) -> i64 {
        if tid == self.lane.pid {
            self.pid
        } else {
            i64::from(tid)
        }
    }

    fn slice(&self, name: &str, category: &str, tid: i64, from: u64, to: u64) -> Value {
        json!({
            "ph": "X", "name": name, "cat": category, "pid": self.pid, "tid": tid,
            "ts": micros(from), "dur": micros(to.saturating_sub(from)),
        })
    }
}

/// Nanoseconds as microseconds.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53 nanoseconds")]
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}
