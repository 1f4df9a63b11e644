//! The normal form of a run: equal for every run in which the program behaved
//! the same. Pure: events and the ledger in, text out.
//!
//! One lane a process, never a global order. What a scheduler decides is left
//! out or put in order by its content; see `docs/snapshots.md`.

mod canon;
mod diff;
mod findings;
mod graph;
mod lane;
mod text;
mod waits;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

pub use diff::diff;

use crate::event::{Created, Event, EventKind, How, Image, escape};
use crate::kernel::{SigInfo, Signal, Tgid};
use crate::ledger::{Ledger, Process, ProcessId};
use crate::rules::Finding;
use lane::{End, Lane, LaneId};

/// How many processes are kept.
const MOST_LANES: usize = 10_000;

/// How many execs and waits are kept in all.
const MOST_ENTRIES: usize = 100_000;

/// The signals that stop a process.
const STOPS: [Signal; 4] = [Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU];

/// Collects what is in the snapshot of a run.
#[derive(Debug, Default)]
pub struct Snapshot {
    lanes: Vec<Lane>,
    by_id: HashMap<ProcessId, LaneId>,
    /// Who has a pid now, or had it last.
    by_pid: HashMap<Tgid, LaneId>,
    /// Who was found before its creator told of it.
    found: HashMap<Tgid, LaneId>,
    /// Who sent itself a signal that stops.
    stopping: HashMap<Tgid, Signal>,
    entries: usize,
    /// There was more than is kept.
    is_cut: bool,
    /// The trace is over; what is killed then is not the program's doing.
    is_over: bool,
}

impl Snapshot {
    /// The first line of every snapshot of this form.
    pub const HEAD: &'static str = text::HEAD;

    /// An empty one.
    #[must_use]
    pub fn new() -> Snapshot {
        Snapshot::default()
    }

    /// Take an event, after the ledger has.
    pub fn event(&mut self, event: &Event, ledger: &Ledger) {
        if self.is_over {
            return;
        }
        match &event.kind {
            EventKind::Found(_) => self.found(event.tgid, ledger),
            EventKind::Created(created) => self.created(event, created, ledger),
            EventKind::UntracedChild(kin) => {
                self.lane_of(kin.child, ledger);
            }
            EventKind::Executed { image, .. } => self.executed(event.tgid, image, ledger),
            EventKind::Ended { status } if event.tid == event.tgid.leader() => {
                if let Some(lane) = self.lane_of(event.tgid, ledger) {
                    lane.ended = Some(End::from(*status));
                }
            }
            EventKind::Signalled { signal, info, .. } => {
                self.signalled(event.tgid, *signal, info.as_ref(), ledger);
            }
            EventKind::GroupStopped { signal } => {
                if self.stopping.remove(&event.tgid) == Some(*signal)
                    && let Some(lane) = self.lane_of(event.tgid, ledger)
                {
                    lane.stops.insert(signal.raw());
                }
            }
            EventKind::WaitEnded(exit) => self.waited(event.tgid, exit, ledger),
            EventKind::Over => self.is_over = true,
            _ => {}
        }
        self.note_reap(ledger);
        self.note_sigchld(event.tgid, ledger);
    }

    /// The snapshot, with what was found.
    #[must_use]
    pub fn text(&mut self, findings: &[Finding]) -> String {
        let findings = findings::kept(findings, &self.by_id);
        text::text(&self.lanes, &findings, self.is_cut)
    }

    // Births.

    fn found(&mut self, tgid: Tgid, ledger: &Ledger) {
        let known = self.lanes.len();
        if self.lane_id(tgid, ledger).is_some_and(|id| id == known) {
            self.found.insert(tgid, known);
        }
    }

    fn created(&mut self, event: &Event, created: &Created, ledger: &Ledger) {
        if created.how == How::Thread {
            if let Some(lane) = self.lane_of(event.tgid, ledger) {
                lane.has_threads = true;
            }
            return;
        }
        let tgid = Tgid::new(created.child.raw());
        let creator = self.lane_id(event.tgid, ledger);
        if let Some(early) = self.found.remove(&tgid)
            && let Some(process) = ledger.process(tgid)
        {
            // Its creator's word came late.
            self.by_id.insert(process.id, early);
        }
        let parent = created.parent.and_then(|tgid| self.lane_id(tgid, ledger));
        if let Some(lane) = self.lane_of(tgid, ledger) {
            lane.parent = parent.or(creator);
            lane.cloned_by = parent.and(creator);
            lane.exit_signal =
                (created.how == How::Clone).then(|| created.exit_signal.map_or(0, Signal::raw));
        }
    }

    /// The lane of a process, made if it is new.
    fn lane_of(&mut self, tgid: Tgid, ledger: &Ledger) -> Option<&mut Lane> {
        let id = self.lane_id(tgid, ledger)?;
        self.lanes.get_mut(id)
    }

    fn lane_id(&mut self, tgid: Tgid, ledger: &Ledger) -> Option<LaneId> {
        let process = ledger.process(tgid)?;
        if let Some(id) = self.by_id.get(&process.id) {
            return Some(*id);
        }
        if self.lanes.len() >= MOST_LANES {
            self.is_cut = true;
            return None;
        }
        let parent = process.parent_pid();
        let parent = parent.filter(|parent| *parent != tgid);
        let parent = parent.and_then(|parent| self.by_pid.get(&parent).copied());
        let id = self.lanes.len();
        let lane = self.born(process, parent);
        self.lanes.push(lane);
        self.by_id.insert(process.id, id);
        self.by_pid.insert(tgid, id);
        Some(id)
    }

    fn born(&self, process: &Process, parent: Option<LaneId>) -> Lane {
        let mut name = called(&process.image);
        if name.is_empty() {
            // What it executes was not told: what its parent does.
            let parent = parent.and_then(|parent| self.lanes.get(parent));
            name = parent.map(|parent| parent.name.clone()).unwrap_or_default();
        }
        Lane {
            name,
            parent,
            ..Lane::default()
        }
    }

    // Changes.

    fn executed(&mut self, tgid: Tgid, image: &Image, ledger: &Ledger) {
        let has_room = self.has_room();
        let Some(lane) = self.lane_of(tgid, ledger) else {
            return;
        };
        // That of the command itself is no deed of the program.
        let is_launch = lane.parent.is_none() && lane.name.is_empty();
        lane.name = called(image);
        if has_room && !is_launch {
            lane.execs.push(called(image));
        }
    }

    fn signalled(&mut self, tgid: Tgid, signal: Signal, info: Option<&SigInfo>, ledger: &Ledger) {
        if !STOPS.contains(&signal) {
            return;
        }
        let sender = info.and_then(SigInfo::pid);
        let sender = sender.and_then(|pid| ledger.recall(tgid, pid));
        let is_own = sender.is_some_and(|sender| sender.tgid == tgid);
        if is_own && signal == Signal::STOP {
            // Nothing holds it up, but who continues it may be faster.
            if let Some(lane) = self.lane_of(tgid, ledger) {
                lane.stops.insert(signal.raw());
            }
        } else if is_own {
            self.stopping.insert(tgid, signal);
        } else {
            self.stopping.remove(&tgid);
        }
    }

    /// The event at hand may have told that somebody was reaped.
    fn note_reap(&mut self, ledger: &Ledger) {
        let Some(child) = ledger.just_reaped() else {
            return;
        };
        // Its pid may be another's from here on.
        self.found.remove(&child.tgid);
        let reap = child
            .reaped
            .filter(|reap| reap.way.is_wait() || reap.way == crate::ledger::ReapKind::Fault);
        let reaper = reap.and_then(|reap| self.lane_id(reap.by_process, ledger));
        let ended = child.ended.map(|end| End::from(end.status));
        if let Some(lane) = self.lane_of(child.tgid, ledger) {
            lane.ended = lane.ended.or(ended);
            lane.reaper = reaper;
        }
    }

    fn note_sigchld(&mut self, tgid: Tgid, ledger: &Ledger) {
        let process = ledger.process(tgid);
        let ignores = process.is_some_and(|process| process.sigchld.reaps_for_us() == Some(true));
        if ignores && let Some(lane) = self.lane_of(tgid, ledger) {
            lane.ignores_sigchld = true;
        }
    }

    /// Whether one exec or wait more is kept.
    fn has_room(&mut self) -> bool {
        self.entries += 1;
        self.is_cut |= self.entries > MOST_ENTRIES;
        self.entries <= MOST_ENTRIES
    }
}

/// A program's name: the kernel keeps 15 bytes of it, its path may have it
/// whole.
fn called(image: &Image) -> String {
    let comm = image.comm.as_bytes();
    let path = image.path.as_deref().unwrap_or_default();
    let base = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let whole = if comm.len() == 15 && base.starts_with(comm) {
        base
    } else {
        comm
    };
    let mut name = String::new();
    // Writing to a String cannot fail.
    let _ = escape(whole, &mut name);
    name
}
