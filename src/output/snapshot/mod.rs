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

use std::cell::OnceCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

pub use diff::diff;

use super::lanes::{LaneId, Lanes, Limits};
use super::{Conclusion, Output};

use crate::event::{Created, Event, EventKind, How, Image, escape};
use crate::kernel::{SigInfo, Signal, Tgid};
use crate::ledger::{Ledger, Process};
use lane::{End, Lane};

/// How many processes are collected, and how many execs and waits in all.
const LIMITS: Limits = Limits {
    lanes: 10_000,
    entries: 100_000,
};

/// The signals that stop a process.
const STOPS: [Signal; 4] = [Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU];

/// Collects what is in the snapshot of a run.
#[derive(Debug)]
pub struct Snapshot {
    lanes: Lanes<Lane>,
    /// Processes that were found before the event of their creation.
    found: HashMap<Tgid, LaneId>,
    /// The trace is over; what is killed then is not the program's doing.
    is_over: bool,
    text: SnapshotText,
}

/// The text of a snapshot; its output sets it when the trace is over.
#[derive(Clone, Debug, Default)]
pub struct SnapshotText(Rc<OnceCell<String>>);

impl SnapshotText {
    /// None until the trace is over, and of a program that never ran.
    #[must_use]
    pub fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

impl Snapshot {
    /// The first line of every snapshot of this form.
    pub const HEAD: &'static str = text::HEAD;

    /// An empty one, whose text will be in `text`.
    #[must_use]
    pub fn new(text: &SnapshotText) -> Snapshot {
        Snapshot {
            lanes: Lanes::new(LIMITS),
            found: HashMap::new(),
            is_over: false,
            text: text.clone(),
        }
    }
}

impl Output for Snapshot {
    fn event(&mut self, event: &Event, ledger: &Ledger) {
        if self.is_over {
            return;
        }
        match &event.kind {
            EventKind::Found(_) => self.found(event.tgid, ledger),
            EventKind::Created(created) => self.created(event, created, ledger),
            EventKind::UntracedChild(untraced) => {
                self.lane_of(untraced.child, ledger);
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
                if let Some(lane) = self.lane_of(event.tgid, ledger)
                    && lane.own_stop.take() == Some(*signal)
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

    fn finish(&mut self, end: &Conclusion<'_>) -> io::Result<()> {
        if end.has_run {
            let findings = findings::stable(end.findings, |process| self.lanes.find(process));
            let text = text::text(self.lanes.all(), &findings, self.lanes.is_cut());
            // It is finished once.
            let _ = self.text.0.set(text);
        }
        Ok(())
    }
}

impl Snapshot {
    // Creation.

    fn found(&mut self, tgid: Tgid, ledger: &Ledger) {
        let known = self.lanes.all().len();
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
            self.lanes.identify(process.id, early);
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
        self.lanes
            .find_or_add(process, |parent| new_lane(process, parent))
    }

    // Changes.

    fn executed(&mut self, tgid: Tgid, image: &Image, ledger: &Ledger) {
        let has_room = self.lanes.has_room();
        let Some(lane) = self.lane_of(tgid, ledger) else {
            return;
        };
        // The exec of the command itself is not the program's doing.
        let is_launch = lane.parent.is_none() && lane.name.is_empty();
        lane.name = program_name(image);
        if has_room && !is_launch {
            lane.execs.push(program_name(image));
        }
    }

    fn signalled(&mut self, tgid: Tgid, signal: Signal, info: Option<&SigInfo>, ledger: &Ledger) {
        if !STOPS.contains(&signal) {
            return;
        }
        let sender = info.and_then(SigInfo::pid);
        let sender = sender.and_then(|pid| ledger.recall(tgid, pid));
        let is_own = sender.is_some_and(|sender| sender.tgid == tgid);
        let Some(lane) = self.lane_of(tgid, ledger) else {
            return;
        };
        if is_own && signal == Signal::STOP {
            // It stops at once, but SIGCONT may come before that is observed.
            lane.stops.insert(signal.raw());
        } else {
            lane.own_stop = is_own.then_some(signal);
        }
    }

    /// The event at hand may have shown that a process was reaped.
    fn note_reap(&mut self, ledger: &Ledger) {
        let Some(child) = ledger.just_reaped() else {
            return;
        };
        // Its pid may be used again from here on.
        self.found.remove(&child.tgid);
        let reap = child
            .reaped
            .filter(|reap| reap.way.is_wait() || reap.way == crate::ledger::ReapKind::Fault);
        let reaper = reap.and_then(|reap| self.lane_id(reap.by_process.tgid, ledger));
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
}

/// The lane of a process that is not known yet.
fn new_lane(process: &Process, parent: Option<(LaneId, &Lane)>) -> Lane {
    let mut name = program_name(&process.image);
    if name.is_empty() {
        // Its program was not observed: it runs what its parent does.
        name = parent.map_or_else(String::new, |(_, parent)| parent.name.clone());
    }
    Lane {
        name,
        parent: parent.map(|(id, _)| id),
        ..Lane::default()
    }
}

/// A program's name: the kernel keeps 15 bytes of it, its path may have it
/// whole.
fn program_name(image: &Image) -> String {
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
