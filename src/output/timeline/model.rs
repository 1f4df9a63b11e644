//! What the pictures are drawn from; the page gets it as JSON.

use rustc_hash::FxHashSet;
use serde::Serialize;

use crate::output::lanes::{self, LaneId};

/// All that a picture shows. Times are nanoseconds since the trace began.
#[derive(Debug, Default, Serialize)]
pub(super) struct Model {
    pub(super) title: String,
    /// When the trace was over.
    pub(super) end: u64,
    /// Children right behind their parents and elder siblings.
    pub(super) lanes: Vec<Lane>,
    pub(super) findings: Vec<ModelFinding>,
    /// Who waited for whom, as the lines of text say it, and when that was looked at.
    pub(super) looks: Vec<(u64, String)>,
    /// How many zombies were left, if that was judged.
    pub(super) zombies: Option<u64>,
    /// Something was left out.
    pub(super) is_cut: bool,
}

/// A process, from its creation to its reap.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Lane {
    pub(super) pid: i32,
    /// Its depth in the tree; 0 for a root.
    pub(super) depth: usize,
    /// How many lanes are below it in the tree; they follow it.
    pub(super) below: usize,
    pub(super) parent: Option<LaneId>,
    pub(super) born: u64,
    pub(super) ended: Option<u64>,
    /// How it ended.
    pub(super) status: Option<String>,
    /// What it has used, in words, if known.
    pub(super) used: Option<String>,
    /// It failed: by a signal, or with another code than 0.
    pub(super) failed: bool,
    pub(super) reaped: Option<Reap>,
    /// It was a zombie for so long that it stands out, or a finding is about it.
    pub(super) late: bool,
    /// Its names, each from a time on.
    pub(super) names: Vec<(u64, String)>,
    pub(super) waits: Vec<Wait>,
    /// Signals that were delivered to it.
    pub(super) signals: Vec<(u64, String)>,
    /// Group-stops, from and to.
    pub(super) stops: Vec<(u64, u64)>,
    /// Adoptions: when, by which lane and by which pid.
    pub(super) moves: Vec<(u64, Option<LaneId>, i32)>,
    /// Its threads besides the leader: tid, from and to.
    pub(super) threads: Vec<(i32, u64, u64)>,
}

/// When a process was reaped, and by which lane and thread.
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
    /// The child that it reaped.
    pub(super) child: Option<LaneId>,
}

/// A finding, and the lanes that it is about.
#[derive(Debug, Serialize)]
pub(super) struct ModelFinding {
    pub(super) rule: &'static str,
    pub(super) severity: &'static str,
    pub(super) sentence: String,
    pub(super) help: String,
    pub(super) parent: Option<LaneId>,
    pub(super) children: Vec<LaneId>,
    /// The times of its evidence, from the first to the last.
    pub(super) from: u64,
    pub(super) to: u64,
    /// The evidence, a line each.
    pub(super) evidence: Vec<String>,
}

/// Nanoseconds from which a zombie stands out: as a leak is judged by default.
const LONG: u64 = 1_000_000_000;

impl Model {
    /// Counts what is below each lane, and marks the zombies that stand out.
    pub(super) fn survey(&mut self) {
        for lane in &mut self.lanes {
            lane.below = 0;
        }
        for id in (0..self.lanes.len()).rev() {
            let Some(lane) = self.lanes.get(id) else {
                continue;
            };
            let (below, parent) = (lane.below + 1, lane.parent);
            // Children are behind their parents, so that theirs is whole already.
            if let Some(parent) = parent.and_then(|parent| self.lanes.get_mut(parent)) {
                parent.below += below;
            }
        }
        let wrong = self
            .findings
            .iter()
            .filter(|found| found.severity != "info");
        let wrong: FxHashSet<LaneId> = wrong.flat_map(|found| &found.children).copied().collect();
        for (id, lane) in self.lanes.iter_mut().enumerate() {
            let zombie_for = lane.zombie_for(self.end);
            lane.late = zombie_for >= LONG || (zombie_for > 0 && wrong.contains(&id));
        }
    }
}

impl Lane {
    /// Nanoseconds between its end and its reap, or the end of the trace.
    fn zombie_for(&self, end: u64) -> u64 {
        let reaped = self.reaped.as_ref().map_or(end, |reap| reap.at);
        self.ended.map_or(0, |ended| reaped.saturating_sub(ended))
    }

    /// Its name at its end.
    pub(super) fn name(&self) -> &str {
        self.names.last().map_or("?", |(_, name)| name)
    }
}

impl lanes::Lane for Lane {
    fn parent(&self) -> Option<LaneId> {
        self.parent
    }
}
