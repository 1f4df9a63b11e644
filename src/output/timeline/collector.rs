//! Collects the events of a trace into the lanes of a picture.

use rustc_hash::FxHashMap;

use super::model::{Lane, Model, ModelFinding, Reap, Wait};
use crate::event::{Comm, Created, Event, EventKind, How, Observation, WaitExit, one_line};
use crate::kernel::phrases::EndedBriefly;
use crate::kernel::{Tgid, Tid, WaitOptions, WaitStatus};
use crate::ledger::{Ledger, ProcessId};
use crate::output::Conclusion;
use crate::output::lanes::{Forest, LaneId, Lanes, Limits};
use crate::output::report::{advice, call_words, evidence_lines, sentence, shortly};
use crate::output::span::Used;
use crate::output::waiting;
use crate::rules::{Finding, ZombiesLeft};

/// How much is collected; a picture of more shows nothing.
const LIMITS: Limits = Limits {
    lanes: 50_000,
    entries: 500_000,
};

/// As wide a terminal has names as long as the panel has room for.
const PANEL: usize = 68;

/// How many looks at who waits for whom are kept.
const MOST_LOOKS: usize = 32;

/// The lanes so far.
#[derive(Debug)]
pub(super) struct Collector {
    lanes: Lanes<Lane>,
    /// Waits that go on: in which lane, since when, and which call.
    open: FxHashMap<Tid, (LaneId, u64, String)>,
    /// Group-stops that go on.
    stopped: FxHashMap<LaneId, u64>,
    /// Who waits for whom, when asked.
    looks: Vec<(u64, String)>,
    now: u64,
}

impl Default for Collector {
    fn default() -> Collector {
        Collector {
            lanes: Lanes::new(LIMITS),
            open: FxHashMap::default(),
            stopped: FxHashMap::default(),
            looks: Vec::new(),
            now: 0,
        }
    }
}

impl Collector {
    /// Take an event, after the ledger has.
    pub(super) fn event(&mut self, event: &Event, ledger: &Ledger) {
        if !matches!(
            event.kind,
            EventKind::QueueDrained | EventKind::Looked(_) | EventKind::Over
        ) {
            self.now = event.at.0;
        }
        match &event.kind {
            EventKind::Created(created) => self.created(event, created, ledger),
            EventKind::Executed { image, former } => {
                if let Some(former) = former {
                    // The caller goes on with the leader's tid; the leader is gone.
                    self.close(event.tid, "ended with its thread, as another called exec");
                    self.close(*former, "ended with exec");
                }
                if let Some(lane) = self.add_to(event.tgid, ledger) {
                    // The root is found by its exec, and had no name before.
                    lane.names.retain(|(at, _)| *at != event.at.0);
                    lane.names.push((event.at.0, image.comm.to_string()));
                }
            }
            EventKind::Ended { status } => self.ended(event, *status, ledger),
            EventKind::Signalled { signal, .. } => {
                if let Some(lane) = self.add_to(event.tgid, ledger) {
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
                if let Some(lane) = self.add_to(*child, ledger) {
                    lane.moves.push((event.at.0, parent, event.tgid.raw()));
                }
            }
            EventKind::Observed(Observation::ZombieProbe(probe)) => self.moved(probe.child, ledger),
            EventKind::Looked(look) if self.looks.len() < MOST_LOOKS => {
                let tree = waiting::tree(look, event.at, ledger, Some(PANEL));
                self.looks.extend(tree.map(|text| (event.at.0, text)));
            }
            EventKind::Found(_) | EventKind::UntracedChild(_) | EventKind::Attached { .. } => {
                self.lane(event.tgid, ledger);
            }
            _ => {}
        }
        self.note_reap(ledger);
    }

    fn created(&mut self, event: &Event, created: &Created, ledger: &Ledger) {
        if created.how == How::Thread {
            if let Some(lane) = self.add_to(event.tgid, ledger) {
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
        if let Some(lane) = self.add_to(child, ledger)
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
        lane.status = Some(EndedBriefly(status).to_string());
        let usage = ledger.process(event.tgid).and_then(|dead| dead.usage);
        lane.used = usage.map(|usage| Used(usage).to_string());
    }

    fn resumed(&mut self, event: &Event, ledger: &Ledger) {
        let now = self.now;
        if let Some(id) = self.lane(event.tgid, ledger)
            && let Some(from) = self.stopped.remove(&id)
            && let Some(lane) = self.add_to(event.tgid, ledger)
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
        if let Some(lane) = self.add_to(event.tgid, ledger) {
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
        let by = self.lane(reap.by_process.tgid, ledger);
        let Some(id) = self.lanes.find(child.id) else {
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
        let born = process.born.at.0;
        self.lanes.find_or_add(process, |parent| Lane {
            pid: tgid.raw(),
            parent: parent.map(|(parent, _)| parent),
            born,
            names: vec![(born, name(process.image.comm))],
            ..Lane::default()
        })
    }

    /// The lane of a process, to which an entry is added.
    fn add_to(&mut self, tgid: Tgid, ledger: &Ledger) -> Option<&mut Lane> {
        let id = self.lane(tgid, ledger)?;
        if !self.lanes.has_room() {
            return None;
        }
        self.lanes.get_mut(id)
    }

    /// The model, its lanes in the order of the tree.
    pub(super) fn finish(mut self, title: &str, end: &Conclusion<'_>) -> Model {
        for tid in self.open.keys().copied().collect::<Vec<Tid>>() {
            self.close(tid, "has not returned");
        }
        for (id, from) in std::mem::take(&mut self.stopped) {
            if let Some(lane) = self.lanes.get_mut(id) {
                lane.stops.push((from, self.now));
            }
        }
        let order = Forest::of(self.lanes.all()).walk();
        let mut moved = vec![None; self.lanes.all().len()];
        for (new, place) in order.iter().enumerate() {
            if let Some(moved) = moved.get_mut(place.id) {
                *moved = Some(new);
            }
        }
        let moved = |id: LaneId| moved.get(id).copied().flatten();
        let now = self.now;
        let lanes = order.iter().filter_map(|place| {
            let mut lane = std::mem::take(self.lanes.get_mut(place.id)?);
            lane.depth = place.depth;
            renumber(&mut lane, moved);
            settle(&mut lane, now);
            Some(lane)
        });
        let lanes: Vec<Lane> = lanes.collect();
        let lane_of = |id: ProcessId| self.lanes.find(id).and_then(moved);
        let findings = end.findings.iter();
        let mut model = Model {
            title: one_line(title).into_owned(),
            end: now,
            findings: findings
                .map(|finding| model_finding(finding, lane_of))
                .collect(),
            lanes,
            looks: self.looks,
            zombies: end.left.map(ZombiesLeft::total),
            is_cut: self.lanes.is_cut(),
        };
        model.survey();
        model
    }
}

/// Give the lanes that this one refers to their new numbers.
fn renumber(lane: &mut Lane, moved: impl Fn(LaneId) -> Option<LaneId>) {
    lane.parent = lane.parent.and_then(&moved);
    for wait in &mut lane.waits {
        wait.child = wait.child.and_then(&moved);
    }
    for (_, parent, _) in &mut lane.moves {
        *parent = parent.and_then(&moved);
    }
    if let Some(reap) = &mut lane.reaped {
        reap.by = reap.by.and_then(&moved);
    }
}

/// End what is still open when the trace is over.
fn settle(lane: &mut Lane, now: u64) {
    let until = lane.ended.unwrap_or(now);
    if lane.parent.is_none() {
        // Its parent is not in the picture, and neither is the reap.
        lane.reaped.get_or_insert(Reap {
            at: until,
            by: None,
            tid: 0,
        });
    }
    for thread in &mut lane.threads {
        thread.2 = thread.2.min(until);
    }
}

fn model_finding(finding: &Finding, lane_of: impl Fn(ProcessId) -> Option<LaneId>) -> ModelFinding {
    let times = || finding.evidence.iter().map(|line| line.when.at.0);
    let children = finding.children.iter();
    ModelFinding {
        rule: finding.rule.name(),
        severity: finding.severity.name(),
        sentence: sentence(finding),
        help: advice(finding).to_owned(),
        parent: finding.parent.id.and_then(&lane_of),
        children: children
            .filter_map(|child| child.process.id.and_then(&lane_of))
            .collect(),
        from: times().min().unwrap_or(finding.when.at.0),
        to: times().max().unwrap_or(finding.when.at.0),
        evidence: evidence_lines(finding),
    }
}

fn name(comm: Comm) -> String {
    let name = comm.to_string();
    if name.is_empty() {
        "?".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::script::Script;

    #[test]
    fn an_exec_ends_the_waits_of_a_process() {
        let mut script = Script::default();
        script.found(1, None).thread(1, 8).fork(1, 2);
        script.enter(1, -1, 0).enter((8, 1), -1, 0).after(5);
        script
            .exec((8, 1), "sh")
            .after(100)
            .event(1, EventKind::Over);
        let (mut collector, mut ledger) = (Collector::default(), Ledger::new());
        for event in script.take() {
            ledger.apply(&event);
            collector.event(&event, &ledger);
        }
        assert!(collector.open.is_empty());
        let waits = &collector.lanes.all()[0].waits;
        let waits: Vec<(i32, u64, &str)> = waits
            .iter()
            .map(|wait| (wait.tid, wait.to, wait.result.as_str()))
            .collect();
        let (at, superseded) = (5_000_000, "ended with its thread, as another called exec");
        assert_eq!(waits, [(1, at, superseded), (8, at, "ended with exec")]);
    }
}
