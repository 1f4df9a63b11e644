//! Which findings are the same in each run.

use std::collections::HashMap;

use super::lane::LaneId;
use crate::ledger::ProcessId;
use crate::rules::{Finding, Severity};

/// A finding, by lanes.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// `error[stolen-child]`
    pub(super) head: String,
    pub(super) parent: Option<LaneId>,
    /// The children that suffered; empty where not all of them are known.
    pub(super) children: Vec<LaneId>,
}

/// Those that do not depend on the machine's speed, and are not mere remarks. What
/// timed rules are about shows in the lanes.
pub(super) fn kept(findings: &[Finding], lanes: &HashMap<ProcessId, LaneId>) -> Vec<Kept> {
    let lane = |id: Option<ProcessId>| id.and_then(|id| lanes.get(&id).copied());
    let stable = findings
        .iter()
        .filter(|finding| finding.severity > Severity::Info && !finding.rule.rule().is_timed);
    stable
        .map(|finding| {
            let all = finding.children.iter();
            let children: Vec<LaneId> = all.filter_map(|child| lane(child.party.id)).collect();
            let are_all = children.len() as u64 == finding.count;
            Kept {
                head: format!("{}[{}]", finding.severity.name(), finding.rule.name()),
                parent: lane(finding.parent.id),
                children: if are_all { children } else { Vec::new() },
            }
        })
        .collect()
}
