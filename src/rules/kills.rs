//! The rule on signals that are sent to a pid after its process was reaped.

use super::RuleContext;
use super::diagnosis::End;
use super::finding::{Action, Evidence, Finding, ProcessRef};
use crate::event::EventKind;
use crate::kernel::{NsPid, Signal};

/// How far apart two threads must act for their order to be certain, in
/// nanoseconds.
const APART: u64 = 10_000_000;

pub(super) fn event(context: &mut RuleContext) {
    match context.event.kind {
        // Others are process groups.
        EventKind::Kills { target, signal } if target.raw() > 0 => kills(target, signal, context),
        _ => {}
    }
}

fn kills(target: NsPid, signal: Signal, context: &mut RuleContext) {
    let (event, ledger) = (context.event, context.ledger);
    let target = ledger.recall(event.tgid, target);
    let (Some(child), Some(caller)) = (target, ledger.process(event.tgid)) else {
        return;
    };
    let Some(reap) = child
        .reaped
        .filter(|reap| reap.way.is_wait() && reap.by_process == caller.as_parent())
    else {
        return;
    };
    let since = event.at.since(reap.when.at);
    if reap.by != event.tid && since < APART {
        return;
    }
    let diagnosis = End::KillAfterReap {
        signal,
        after: since,
    };
    let reaped = child.history.last.as_ref().map(|completed| {
        Evidence::waited(completed, ledger, caller.tgid, "reaped it: the pid is free")
    });
    let kill = Evidence {
        when: context.stamp(),
        tid: event.tid,
        tgid: caller.tgid,
        comm: ledger.comm(event.tid),
        action: Action::Kills(child.tgid, signal),
        remark: "may hit an unrelated process",
    };
    let finding = Finding::new(diagnosis, ProcessRef::new(caller), context.stamp())
        .about(child)
        .evidence(reaped.into_iter().chain([kill]));
    context.findings.add(finding);
}
