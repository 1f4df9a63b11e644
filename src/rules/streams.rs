//! The rule on reads that block after the child that wrote has ended: its
//! descendants hold the other end of the pipe.

use rustc_hash::FxHashMap;

use super::RuleContext;
use super::diagnosis::Hang;
use super::finding::{Action, Evidence, Finding, ProcessRef};
use crate::event::{BlockedReader, EventKind, Observation, PipeSide, Stream};
use crate::kernel::Tid;
use crate::ledger::{Ledger, Process, ProcessId};

/// A thread that is blocked on streams, and its count of voluntary context
/// switches.
type Look = (Tid, u64);

/// State kept between events.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    /// The first look after the death of a child.
    seen: FxHashMap<ProcessId, Look>,
}

impl Streams {
    pub(super) fn event(&mut self, case: &mut RuleContext) {
        if let EventKind::Observed(Observation::Streams(reader)) = &case.event.kind {
            self.looked(reader, case);
        }
    }

    /// A finding needs two looks between which the thread did not run: no byte
    /// arrived, and no other event woke it.
    fn looked(&mut self, reader: &BlockedReader, case: &mut RuleContext) {
        let ledger = case.ledger;
        let (tid, parent) = (case.event.tid, ledger.process(case.event.tgid));
        let child = ledger.process(reader.child);
        let (Some(parent), Some(child)) = (parent, child.filter(|child| child.ended.is_some()))
        else {
            return;
        };
        let look = (tid, reader.sleeps);
        let Some(before) = self.seen.remove(&child.id) else {
            self.seen.insert(child.id, look);
            return;
        };
        let mut streams = reader.streams.iter();
        let held = streams.find_map(|stream| Some((stream, holder(stream, child, ledger)?)));
        if let Some((stream, holder)) = held.filter(|_| before == look) {
            let finding = finding(tid, stream, holder, parent, child, case);
            case.warn(finding);
        }
    }
}

/// A process that holds the other end, if only descendants of `child` do.
fn holder<'a>(stream: &'a Stream, child: &Process, ledger: &Ledger) -> Option<&'a PipeSide> {
    let is_descendant = |side: &PipeSide| {
        let process = ledger.process(side.tgid);
        process.is_some_and(|process| ledger.descends_from(process, child.id))
    };
    let knows_all = stream.complete || ledger.knows_all();
    let sides = &stream.others;
    sides
        .first()
        .filter(|_| knows_all && sides.iter().all(is_descendant))
}

fn finding(
    tid: Tid,
    stream: &Stream,
    holder: &PipeSide,
    parent: &Process,
    child: &Process,
    case: &RuleContext,
) -> Finding {
    let (when, ledger) = (case.stamp(), case.ledger);
    let diagnosis = Hang::PipeHeldByDescendant {
        fd: stream.fd,
        holder: ProcessRef::find(holder.tgid, ledger),
    };
    let blocked = Evidence {
        when,
        tid,
        tgid: parent.tgid,
        comm: ledger.comm(tid),
        action: Action::AwaitsStream(stream.fd),
        remark: "does not end with the child",
    };
    let born = ledger.process(holder.tgid).map(|process| {
        let remark = "inherited the other end of the pipe";
        Evidence::of(process, process.born, Action::Born, remark)
    });
    Finding::new(diagnosis, ProcessRef::new(parent), when)
        .about(child)
        .evidence(born)
        .evidence(Evidence::ended(child, ""))
        .evidence([blocked])
}
