//! Which findings are the same in each run.

use super::LaneId;
use crate::ledger::ProcessId;
use crate::rules::{Finding, Severity};

/// A finding, by lanes.
#[derive(Clone, Debug)]
pub(super) struct StableFinding {
    /// `error[stolen-child]`
    pub(super) head: String,
    pub(super) parent: Option<LaneId>,
    /// The affected children; empty where not all of them are known.
    pub(super) children: Vec<LaneId>,
}

/// Errors and warnings that do not depend on the machine's speed. What timed
/// rules are about shows in the lanes.
pub(super) fn stable(
    findings: &[Finding],
    lane_of: impl Fn(ProcessId) -> Option<LaneId>,
) -> Vec<StableFinding> {
    let lane = |process: Option<ProcessId>| process.and_then(&lane_of);
    let stable = findings
        .iter()
        .filter(|finding| finding.severity > Severity::Info && !finding.rule.rule().is_timed);
    stable
        .map(|finding| {
            let all = finding.children.iter();
            let children: Vec<LaneId> = all.filter_map(|child| lane(child.process.id)).collect();
            let are_all = children.len() as u64 == finding.count;
            StableFinding {
                head: format!("{}[{}]", finding.severity.name(), finding.rule.name()),
                parent: lane(finding.parent.id),
                children: if are_all { children } else { Vec::new() },
            }
        })
        .collect()
}
