//! The rule on death signals (`PR_SET_PDEATHSIG`) that are sent when a thread
//! ends, while its process lives on.

use rustc_hash::FxHashMap;

use super::RuleContext;
use super::diagnosis::End;
use super::finding::{Action, Evidence, Finding, ProcessRef};
use crate::event::EventKind;
use crate::kernel::{Signal, Status, Tgid, Tid};
use crate::ledger::{Ledger, ParentId, ProcessId, Stamp};

/// How long after the end of a thread its death signal may be seen, in nanoseconds: it is
/// certain that it was sent.
const AFTER: u64 = 1_000_000_000;
/// How long before, as stops are not seen in the order that they are made in, and a machine
/// may be busy or emulated.
const BEFORE: u64 = 250_000_000;
/// How long after it the process must still live, in nanoseconds.
const LIVES_ON: u64 = 100_000_000;

#[derive(Clone, Debug, Default)]
pub(super) struct DeathSignals {
    bound: FxHashMap<Tgid, Bound>,
}

/// A process that set a death signal.
#[derive(Clone, Copy, Debug)]
struct Bound {
    child: ProcessId,
    creator: Tid,
    parent: ParentId,
    signal: Signal,
    /// When the thread that created it ended.
    thread_ended: Option<Stamp>,
    /// When it got the signal, or was killed by it.
    hit: Option<Stamp>,
}

impl DeathSignals {
    pub(super) fn event(&mut self, context: &mut RuleContext) {
        let event = context.event;
        match &event.kind {
            EventKind::DeathSignalSet(signal) => self.bind(*signal, context),
            EventKind::Signalled { signal, .. } => self.hit(*signal, context),
            EventKind::Ended { status } if event.tgid.leader() == event.tid => {
                if let Status::Signaled { signal, .. } = status.decode() {
                    self.hit(signal, context);
                }
                // A process that was killed by the signal is judged when the queue is drained.
                let bound = self.bound.get(&event.tgid);
                if bound.is_some_and(|bound| bound.hit.is_none()) {
                    self.bound.remove(&event.tgid);
                }
            }
            EventKind::Ended { .. } => self.thread_ended(context),
            EventKind::QueueDrained | EventKind::Over => self.judge(context),
            _ => {}
        }
    }

    fn bind(&mut self, signal: Option<Signal>, context: &RuleContext) {
        let tgid = context.event.tgid;
        self.bound.remove(&tgid);
        let child = context.ledger.process(tgid);
        if let Some(child) = child
            && let (Some(signal), Some((creator, _)), Some(parent)) =
                (signal, child.creator, child.parent)
        {
            let bound = Bound {
                child: child.id,
                creator,
                parent,
                signal,
                thread_ended: None,
                hit: None,
            };
            self.bound.insert(tgid, bound);
        }
    }

    fn thread_ended(&mut self, context: &mut RuleContext) {
        let (tid, now) = (context.event.tid, context.stamp());
        for bound in self.bound.values_mut().filter(|bound| bound.creator == tid) {
            bound.thread_ended = Some(now);
            context.unsettled = true;
        }
    }

    fn hit(&mut self, signal: Signal, context: &mut RuleContext) {
        let now = context.stamp();
        let bound = self.bound.get_mut(&context.event.tgid);
        if let Some(bound) = bound.filter(|bound| bound.signal == signal) {
            bound.hit.get_or_insert(now);
            context.unsettled = true;
        }
    }

    fn judge(&mut self, context: &mut RuleContext) {
        if self.bound.is_empty() {
            return;
        }
        let now = context.event.at;
        let mut settled = Vec::new();
        for (tgid, bound) in &self.bound {
            let Some(hit) = bound.hit else {
                continue;
            };
            let newest = bound.thread_ended.map_or(hit.at, |end| end.at.max(hit.at));
            if now.since(newest) < LIVES_ON && !waited_since(*tgid, bound, context.ledger) {
                // The rest of the parent's threads may be about to end too.
                context.unsettled = true;
                continue;
            }
            settled.push(*tgid);
        }
        settled.sort_unstable();
        for tgid in settled {
            if let Some(bound) = self.bound.remove(&tgid) {
                death_signal(tgid, &bound, context);
            }
        }
    }
}

/// Whether the parent has waited for the child since the thread ended: then it was not
/// about to end with it.
fn waited_since(tgid: Tgid, bound: &Bound, ledger: &Ledger) -> bool {
    let child = ledger.process(tgid).filter(|child| child.id == bound.child);
    let reaped = child.and_then(|child| child.reaped);
    reaped.zip(bound.thread_ended).is_some_and(|(reap, ended)| {
        reap.way.is_wait() && reap.by_process == bound.parent && reap.when.seq > ended.seq
    })
}

/// Report a death signal that the end of a thread sent, while its process lives on.
fn death_signal(tgid: Tgid, bound: &Bound, context: &mut RuleContext) {
    let ledger = context.ledger;
    let child = ledger.process(tgid).filter(|child| child.id == bound.child);
    let (Some(child), Some(parent)) = (child, ledger.parent(bound.parent)) else {
        return;
    };
    let (Some(ended), Some(hit)) = (bound.thread_ended, bound.hit) else {
        return;
    };
    // One is 0.
    let soon = hit.at.since(ended.at) <= AFTER && ended.at.since(hit.at) <= BEFORE;
    // A thread that reaps the child lives on after its death.
    let outlived = child
        .reaped
        .is_some_and(|reap| reap.by == bound.creator && reap.when.seq < ended.seq);
    let sent = child.history.killed.is_some();
    // The parent must have lived on after the thread's end.
    let lived_on = parent
        .ended
        .is_none_or(|end| end.when.at.since(ended.at) >= LIVES_ON)
        || waited_since(tgid, bound, ledger);
    if !soon || outlived || sent || !lived_on {
        return;
    }
    let diagnosis = End::PdeathsigThread {
        thread: bound.creator,
        signal: bound.signal,
    };
    let thread = Evidence {
        when: ended,
        tid: bound.creator,
        tgid: parent.tgid,
        comm: parent.image.comm,
        action: Action::ThreadEnded,
        remark: "the thread that had created the child",
    };
    let got = Evidence::of(child, hit, Action::Got(bound.signal), "its parent is alive");
    let finding = Finding::new(diagnosis, ProcessRef::new(parent), hit)
        .about(child)
        .evidence([thread, got]);
    context.findings.add(finding);
}
