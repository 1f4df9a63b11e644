//! What the pictures are made of: lanes, and what happened in them.

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::super::Conclusion;
use super::super::report::{advice, call_words, sentence, shortly};
use crate::event::{Comm, Created, Event, EventKind, How, Observation, WaitExit, one_line};
use crate::kernel::{Status, Tgid, Tid, WaitOptions, WaitStatus};
use crate::ledger::{Ledger, ProcessId};
use crate::rules::{Finding, ZombiesLeft};

/// How many marks are kept; a picture of more shows nothing.
const MOST_MARKS: usize = 500_000;
/// How many lanes are.
const MOST_LANES: usize = 50_000;

/// A lane's place among the lanes.
pub(super) type LaneId = usize;

/// All that a picture shows; times are nanoseconds since the trace began.
#[derive(Debug, Default, Serialize)]
pub(super) struct WaitHistory {
    pub(super) title: String,
    /// When the trace was over.
    pub(super) end: u64,
    /// Children right behind their parents and elder siblings.
    pub(super) lanes: Vec<Lane>,
    pub(super) findings: Vec<Found>,
    /// How many zombies were left, if that was judged.
    pub(super) zombies: Option<u64>,
    /// There was more than is kept.
    pub(super) is_cut: bool,
}

/// The life of a process.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Lane {
    pub(super) pid: i32,
    /// How far below the roots it stands.
    pub(super) depth: usize,
    pub(super) parent: Option<LaneId>,
    pub(super) born: u64,
    pub(super) ended: Option<u64>,
    /// How it ended.
    pub(super) status: Option<String>,
    /// It failed: by a signal, or with another code than 0.
    pub(super) failed: bool,
    pub(super) reaped: Option<Reap>,
    /// Its names, each from a time on.
    pub(super) names: Vec<(u64, String)>,
    pub(super) waits: Vec<Wait>,
    /// Signals that it got.
    pub(super) signals: Vec<(u64, String)>,
    /// When it was stopped as a job, from and to.
    pub(super) stops: Vec<(u64, u64)>,
    /// When it was adopted, and by whom.
    pub(super) moves: Vec<(u64, Option<LaneId>, i32)>,
    /// Its threads besides the leader: tid, from and to.
    pub(super) threads: Vec<(i32, u64, u64)>,
}

/// When a process was reaped, and by whom.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Reap {
    pub(super) at: u64,
    pub(super) by: Option<LaneId>,
    pub(super) tid: i32,
}

/// A wait call, or a run of polls that found nothing.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Wait {
    pub(super) tid: i32,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) call: String,
    pub(super) result: String,
    /// How many polls it stands for; 0 for a wait that may block.
    pub(super) polls: u64,
    /// Whom it reaped.
    pub(super) child: Option<LaneId>,
}

/// A finding, and whom it is about.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    pub(super) rule: &'static str,
    pub(super) severity: &'static str,
    pub(super) sentence: String,
    pub(super) help: String,
    pub(super) parent: Option<LaneId>,
    pub(super) children: Vec<LaneId>,
    /// The times of its evidence, from the first to the last.
    pub(super) from: u64,
    pub(super) to: u64,
    /// What was seen, a line each.
    pub(super) evidence: Vec<String>,
}

/// Collects it.
#[derive(Debug, Default)]
pub(super) struct Story {
    lanes: Vec<Lane>,
    by_id: FxHashMap<ProcessId, LaneId>,
    /// Waits that go on: in which lane, since when, and which call.
    open: FxHashMap<Tid, (LaneId, u64, String)>,
    /// Job stops that go on.
    stopped: FxHashMap<LaneId, u64>,
    marks: usize,
    is_cut: bool,
    now: u64,
}

impl Story {
    /// Take an event, after the ledger has.
    pub(super) fn event(&mut self, event: &Event, ledger: &Ledger) {
        if !matches!(event.kind, EventKind::QueueDrained | EventKind::Over) {
            self.now = event.at.0;
        }
        match &event.kind {
            EventKind::Created(created) => self.created(event, created, ledger),
            EventKind::Executed { image, .. } => {
                if let Some(lane) = self.mark(event.tgid, ledger) {
                    // The root is found by its exec, and had no name before.
                    lane.names.retain(|(at, _)| *at != event.at.0);
                    lane.names.push((event.at.0, image.comm.to_string()));
                }
            }
            EventKind::Ended { status } => self.ended(event, *status, ledger),
            EventKind::Signalled { signal, .. } => {
                if let Some(lane) = self.mark(event.tgid, ledger) {
                    lane.signals.push((event.at.0, signal.to_string()));
                }
            }
            EventKind::GroupStopped { .. } => {
                if let Some(lane) = self.lane(event.tgid, ledger) {
                    self.stopped.entry(lane).or_insert(event.at.0);
                }
            }
            EventKind::Resumed => self.resumed(event, ledger),
            EventKind::WaitEntered(entry) => {
                if let Some(lane) = self.lane(event.tgid, ledger) {
                    let call = call_words(entry.call, entry.named);
                    self.open.insert(event.tid, (lane, event.at.0, call));
                }
            }
            EventKind::WaitEnded(exit) if !exit.is_interrupted() => {
                self.waited(event, exit, ledger);
            }
            EventKind::Adopted { child, .. } => {
                let parent = self.lane(event.tgid, ledger);
                if let Some(lane) = self.mark(*child, ledger) {
                    lane.moves.push((event.at.0, parent, event.tgid.raw()));
                }
            }
            EventKind::Observed(Observation::ZombieProbe(probe)) => self.moved(probe.child, ledger),
            EventKind::Found(_) | EventKind::UntracedChild(_) | EventKind::Attached { .. } => {
                self.lane(event.tgid, ledger);
            }
            _ => {}
        }
        self.note_reap(ledger);
    }

    fn created(&mut self, event: &Event, created: &Created, ledger: &Ledger) {
        if created.how == How::Thread {
            if let Some(lane) = self.mark(event.tgid, ledger) {
                let open = u64::MAX;
                lane.threads.push((created.child.raw(), event.at.0, open));
            }
            return;
        }
        self.lane(Tgid::new(created.child.raw()), ledger);
    }

    /// A dead process turned out to have another parent.
    fn moved(&mut self, child: Tgid, ledger: &Ledger) {
        let process = ledger.process(child);
        let adopted = process.and_then(|child| Some((child.adopted?.0, child.parent_pid()?)));
        let Some((when, parent)) = adopted else {
            return;
        };
        let by = self.lane(parent, ledger);
        if let Some(lane) = self.mark(child, ledger)
            && lane.moves.is_empty()
        {
            lane.moves.push((when.at.0, by, parent.raw()));
        }
    }

    fn ended(&mut self, event: &Event, status: WaitStatus, ledger: &Ledger) {
        let (now, tid) = (self.now, event.tid);
        self.close(tid, "never returned");
        let Some(id) = self.lane(event.tgid, ledger) else {
            return;
        };
        let stopped = self.stopped.remove(&id);
        let Some(lane) = self.lanes.get_mut(id) else {
            return;
        };
        if tid != event.tgid.leader() {
            let mut threads = lane.threads.iter_mut().rev();
            if let Some(thread) = threads.find(|thread| thread.0 == tid.raw()) {
                thread.2 = now;
            }
            return;
        }
        lane.ended = Some(now);
        lane.stops.extend(stopped.map(|from| (from, now)));
        lane.failed = status.raw() != 0;
        lane.status = Some(ending(status));
    }

    fn resumed(&mut self, event: &Event, ledger: &Ledger) {
        let now = self.now;
        if let Some(id) = self.lane(event.tgid, ledger)
            && let Some(from) = self.stopped.remove(&id)
            && let Some(lane) = self.mark(event.tgid, ledger)
        {
            lane.stops.push((from, now));
        }
    }

    fn waited(&mut self, event: &Event, exit: &WaitExit, ledger: &Ledger) {
        let polls = exit.entry.options.contains(WaitOptions::NOHANG);
        let found_nothing = polls && exit.found_nothing();
        let Some((id, from, call)) = self.open.remove(&event.tid) else {
            return;
        };
        let tid = event.tid.raw();
        let now = self.now;
        if let Some(last) = self
            .lanes
            .get_mut(id)
            .and_then(|lane| lane.waits.last_mut())
            && found_nothing
            && (last.tid, &last.call) == (tid, &call)
            && last.polls > 0
            && last.child.is_none()
        {
            (last.to, last.polls) = (now, last.polls + 1);
            return;
        }
        let result = shortly(exit);
        if let Some(lane) = self.mark(event.tgid, ledger) {
            lane.waits.push(Wait {
                tid,
                from,
                to: now,
                call,
                result,
                polls: u64::from(polls),
                child: None,
            });
        }
    }

    /// A thread is in no wait any more, which gave no result.
    fn close(&mut self, tid: Tid, result: &str) {
        let Some((id, from, call)) = self.open.remove(&tid) else {
            return;
        };
        let to = self.now;
        if let Some(lane) = self.lanes.get_mut(id) {
            lane.waits.push(Wait {
                tid: tid.raw(),
                from,
                to,
                call,
                result: result.to_owned(),
                polls: 0,
                child: None,
            });
        }
    }

    fn note_reap(&mut self, ledger: &Ledger) {
        let Some(child) = ledger.just_reaped() else {
            return;
        };
        let Some(reap) = child.reaped else {
            return;
        };
        let by = self.lane(reap.by_process, ledger);
        let Some(id) = self.by_id.get(&child.id).copied() else {
            return;
        };
        if let Some(lane) = self.lanes.get_mut(id) {
            let by = by.filter(|by| *by != id);
            lane.reaped = Some(Reap {
                at: reap.when.at.0,
                by,
                tid: by.map_or(0, |_| reap.by.raw()),
            });
        }
        let reaper = by.and_then(|by| self.lanes.get_mut(by));
        if let Some(wait) = reaper.and_then(|reaper| reaper.waits.last_mut())
            && reap.way.is_wait()
            && wait.tid == reap.by.raw()
        {
            wait.child = Some(id);
        }
    }

    /// The lane of a process, which is made if there is none.
    fn lane(&mut self, tgid: Tgid, ledger: &Ledger) -> Option<LaneId> {
        let process = ledger.process(tgid)?;
        if let Some(id) = self.by_id.get(&process.id) {
            return Some(*id);
        }
        if self.lanes.len() >= MOST_LANES {
            self.is_cut = true;
            return None;
        }
        let (id, comm, born) = (process.id, process.image.comm, process.born.at.0);
        // A parent that is not traced has no lane of its own.
        let parent = process.parent.and_then(|parent| parent.id);
        let parent = parent.filter(|parent| *parent != id);
        let parent = parent.and_then(|parent| self.by_id.get(&parent).copied());
        let place = self.lanes.len();
        self.by_id.insert(id, place);
        self.lanes.push(Lane {
            pid: tgid.raw(),
            parent,
            born,
            names: vec![(born, name(comm))],
            ..Lane::default()
        });
        Some(place)
    }

    /// The lane that gets one mark more.
    fn mark(&mut self, tgid: Tgid, ledger: &Ledger) -> Option<&mut Lane> {
        let id = self.lane(tgid, ledger)?;
        self.marks += 1;
        if self.marks > MOST_MARKS {
            self.is_cut = true;
            return None;
        }
        self.lanes.get_mut(id)
    }

    /// Tell it: the lanes in the order of the tree.
    pub(super) fn tell(mut self, title: &str, end: &Conclusion<'_>) -> WaitHistory {
        for tid in self.open.keys().copied().collect::<Vec<Tid>>() {
            self.close(tid, "has not returned");
        }
        for (id, from) in std::mem::take(&mut self.stopped) {
            if let Some(lane) = self.lanes.get_mut(id) {
                lane.stops.push((from, self.now));
            }
        }
        let (order, depths) = tree_order(&self.lanes);
        let mut places = vec![0; self.lanes.len()];
        for (place, id) in order.iter().enumerate() {
            if let Some(slot) = places.get_mut(*id) {
                *slot = place;
            }
        }
        let moved = |id: LaneId| places.get(id).copied();
        let now = self.now;
        let lanes = order.iter().zip(depths).filter_map(|(id, depth)| {
            let mut lane = std::mem::take(self.lanes.get_mut(*id)?);
            lane.depth = depth;
            lane.parent = lane.parent.and_then(moved);
            for wait in &mut lane.waits {
                wait.child = wait.child.and_then(moved);
            }
            for (_, parent, _) in &mut lane.moves {
                *parent = parent.and_then(moved);
            }
            if let Some(reap) = &mut lane.reaped {
                reap.by = reap.by.and_then(moved);
            }
            if lane.parent.is_none() {
                // Its parent is out of the picture, and with it what it does.
                let at = lane.ended.unwrap_or(now);
                lane.reaped.get_or_insert(Reap {
                    at,
                    by: None,
                    tid: 0,
                });
            }
            let until = lane.ended.unwrap_or(now);
            for thread in &mut lane.threads {
                thread.2 = thread.2.min(until);
            }
            Some(lane)
        });
        let lanes: Vec<Lane> = lanes.collect();
        let lane_of = |id: ProcessId| self.by_id.get(&id).copied().and_then(moved);
        let findings = end.findings.iter();
        WaitHistory {
            title: one_line(title).into_owned(),
            end: now,
            findings: findings.map(|finding| found(finding, lane_of)).collect(),
            lanes,
            zombies: end.left.map(ZombiesLeft::total),
            is_cut: self.is_cut,
        }
    }
}

fn found(finding: &Finding, lane_of: impl Fn(ProcessId) -> Option<LaneId>) -> Found {
    let times = || finding.evidence.iter().map(|line| line.when.at.0);
    let children = finding.children.iter();
    Found {
        rule: finding.rule.name(),
        severity: finding.severity.name(),
        sentence: sentence(finding),
        help: advice(finding).to_owned(),
        parent: finding.parent.id.and_then(&lane_of),
        children: children
            .filter_map(|child| child.party.id.and_then(&lane_of))
            .collect(),
        from: times().min().unwrap_or(finding.when.at.0),
        to: times().max().unwrap_or(finding.when.at.0),
        evidence: super::super::report::evidence_lines(finding),
    }
}

/// The lanes as a walk through the tree meets them, with their depths.
fn tree_order(lanes: &[Lane]) -> (Vec<LaneId>, Vec<usize>) {
    let mut children: Vec<Vec<LaneId>> = vec![Vec::new(); lanes.len()];
    let mut stack = Vec::new();
    for (id, lane) in lanes.iter().enumerate() {
        match lane.parent.and_then(|parent| children.get_mut(parent)) {
            Some(siblings) => siblings.push(id),
            None => stack.push((id, 0)),
        }
    }
    stack.reverse();
    let (mut order, mut depths) = (Vec::new(), Vec::new());
    while let Some((id, depth)) = stack.pop() {
        order.push(id);
        depths.push(depth);
        let below = children.get(id).into_iter().flatten().rev();
        stack.extend(below.map(|child| (*child, depth + 1)));
    }
    (order, depths)
}

fn name(comm: Comm) -> String {
    let name = comm.to_string();
    if name.is_empty() {
        "?".to_owned()
    } else {
        name
    }
}

/// How a process ended, shortly.
fn ending(status: WaitStatus) -> String {
    match status.decode() {
        Status::Exited(code) => format!("exited {code}"),
        Status::Signaled { signal, .. } => signal.to_string(),
        _ => format!("{:#x}", status.raw()),
    }
}

impl Lane {
    /// Its name at its end.
    pub(super) fn name(&self) -> &str {
        self.names.last().map_or("?", |(_, name)| name)
    }
}
