//! Rules on children that could have been stolen: a wait for any child while
//! another wait of the same process is for one of them. Only the order of events
//! prevented the theft in this run.

use rustc_hash::FxHashMap;

use super::RuleContext;
use super::diagnosis::Loss;
use super::finding::{Evidence, Finding, ProcessRef};
use super::hangs::blocked;
use super::table::{RuleId, Severity};
use crate::event::{EventKind, WaitExit};
use crate::kernel::{Tid, WaitOptions};
use crate::ledger::{CompletedWait, Process, ProcessId, ReapKind, Waiting};

/// State kept between events.
#[derive(Clone, Debug, Default)]
pub(super) struct Hazards {
    /// The first of each process.
    found: FxHashMap<ProcessId, Finding>,
}

impl Hazards {
    pub(super) fn event(&mut self, context: &mut RuleContext) {
        match &context.event.kind {
            EventKind::WaitEnded(exit) => self.wait_ended(exit, context),
            EventKind::Over => self.over(context),
            _ => {}
        }
    }

    fn wait_ended(&mut self, exit: &WaitExit, context: &RuleContext) {
        let Some(caller) = context.ledger.process(context.event.tgid) else {
            return;
        };
        if self.found.contains_key(&caller.id) {
            return;
        }
        let finding = match ReapKind::of(exit.entry.named) {
            ReapKind::Specific => beside(caller, exit, context),
            ReapKind::Wildcard => within_handler(caller, exit, context),
            _ => None,
        };
        if let Some(finding) = finding {
            self.found.insert(caller.id, finding);
        }
    }

    /// The trace is over. A child that was stolen after all has a finding already.
    fn over(&mut self, context: &mut RuleContext) {
        let mut found: Vec<Finding> = self.found.drain().map(|(_, finding)| finding).collect();
        found.sort_by_key(|finding| finding.when.seq);
        for finding in found {
            let ProcessRef { id, .. } = finding.parent;
            let mut others = context.findings.all().iter();
            let was_robbed =
                others.any(|other| other.rule == RuleId::StolenChild && other.parent.id == id);
            if !was_robbed {
                context.findings.add(finding);
            }
        }
    }
}

/// Whether a wait with these options matches children of every thread.
fn takes(options: WaitOptions, child: &Process) -> bool {
    let is_visible = !child.is_clone_child() || options.contains(WaitOptions::ALL);
    is_visible && !options.contains(WaitOptions::NOWAIT) && !options.contains(WaitOptions::NOTHREAD)
}

/// A child was reaped by its pid while another thread waited for any child.
fn beside(caller: &Process, exit: &WaitExit, context: &RuleContext) -> Option<Finding> {
    let (tid, ledger) = (context.event.tid, context.ledger);
    let child = ledger.just_reaped()?;
    let reap = child.reaped.filter(|reap| reap.way == ReapKind::Specific)?;
    if reap.by != tid {
        return None;
    }
    let completed = CompletedWait::new(tid, context.stamp(), exit);
    // The caller's own wait has just ended.
    let waits = |(_, waiting): &(Tid, &Waiting)| {
        ReapKind::of(waiting.named) == ReapKind::Wildcard && takes(waiting.options, child)
    };
    if let Some((other, waiting)) = ledger.waits_of(caller.tgid).find(waits) {
        let thief = blocked(other, caller, waiting, ledger);
        return Some(finding(caller, child, &completed, thief, context));
    }
    let last = caller.waits().last_wildcard.as_ref().filter(|last| {
        last.tid != tid && last.when.seq > child.born.seq && takes(last.options, child)
    })?;
    let thief = Evidence::waited(last, ledger, caller.tgid, "would have taken it");
    Some(finding(caller, child, &completed, thief, context))
}

/// A signal handler waits for any child while the thread it interrupted waits for
/// one.
fn within_handler(caller: &Process, exit: &WaitExit, context: &RuleContext) -> Option<Finding> {
    let (tid, ledger) = (context.event.tid, context.ledger);
    let (interrupted, target) = ledger.restarts(tid)?;
    let child = target.and_then(|target| ledger.process(target))?;
    let lives = child.ended.is_none() && child.is_child_of(caller);
    if !lives || interrupted.way() != ReapKind::Specific || !takes(exit.entry.options, child) {
        return None;
    }
    let completed = CompletedWait::new(tid, context.stamp(), exit);
    let remark = "in a handler: would have taken it";
    let thief = Evidence::waited(&completed, ledger, caller.tgid, remark);
    Some(finding(caller, child, interrupted, thief, context))
}

fn finding(
    caller: &Process,
    child: &Process,
    wait: &CompletedWait,
    thief: Evidence,
    context: &RuleContext,
) -> Finding {
    let diagnosis = Loss::StolenChild {
        wait: Some(wait.into()),
        is_latent: true,
    };
    let own = Evidence::waited(wait, context.ledger, caller.tgid, "is for this child alone");
    Finding::new(diagnosis, ProcessRef::new(caller), context.stamp())
        .about(child)
        .severity(Severity::Info)
        .evidence([thief, own])
}
