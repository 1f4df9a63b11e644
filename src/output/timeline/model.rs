//! What the pictures are drawn from; the page gets it as JSON.

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

impl Lane {
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
