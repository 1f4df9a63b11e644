//! Which findings are the same in each run.

use std::collections::HashMap;

use super::lane::LaneId;
use crate::ledger::ProcessId;
use crate::rules::{Finding, RuleId, Severity};

/// A finding, by lanes.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// `error[stolen-child]`
    pub(super) head: String,
    pub(super) parent: Option<LaneId>,
    /// The children that suffered; empty where not all of them are known.
    pub(super) children: Vec<LaneId>,
}

/// Those that do not depend on the machine's speed, and are not mere remarks.
pub(super) fn kept(findings: &[Finding], lanes: &HashMap<ProcessId, LaneId>) -> Vec<Kept> {
    let lane = |id: Option<ProcessId>| id.and_then(|id| lanes.get(&id).copied());
    let stable = findings
        .iter()
        .filter(|finding| finding.severity > Severity::Info && !is_timed(finding.rule));
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

/// Whether a rule measures time or counts calls in a span: near its threshold
/// it finds something in one run and not in the next. What it is about shows
/// in the lanes.
fn is_timed(rule: RuleId) -> bool {
    match rule {
        RuleId::ParentStopped
        | RuleId::VforkStall
        | RuleId::ReaperIdle
        | RuleId::ExecInheritedChild
        | RuleId::CloneChildInvisible
        | RuleId::WnowaitOnly
        | RuleId::StopMistakenForExit
        | RuleId::EintrAbandoned
        | RuleId::SpawnFailedZombie
        | RuleId::PgrpMiss
        | RuleId::SigchldBlocked
        | RuleId::HandlerReplaced
        | RuleId::CoalescedSigchld
        | RuleId::SigchldDiscarded
        | RuleId::ZombieLeak
        | RuleId::LateReap
        | RuleId::SignalDeathHidden
        | RuleId::WnohangSpin
        | RuleId::EchildSpin
        | RuleId::PipeHeldByDescendant
        | RuleId::StoppedChildHang
        | RuleId::OutlivesCommand
        | RuleId::LeaderZombie
        | RuleId::PdeathsigThread => true,
        RuleId::StolenChild
        | RuleId::DoubleWait
        | RuleId::NotMyChild
        | RuleId::AutoreapEchild
        | RuleId::InheritedSigchldIgnore
        | RuleId::EfaultLostStatus
        | RuleId::StatusDiscarded
        | RuleId::RawStatusExit
        | RuleId::WrongThreadWait
        | RuleId::BadWaitArgs
        | RuleId::PipeFullDeadlock
        | RuleId::PipeEofDeadlock
        | RuleId::PidnsInitExit
        | RuleId::KillAfterReap
        | RuleId::UnexpectedExit => false,
    }
}
