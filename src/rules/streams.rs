//! The rule on reads that block after the child that wrote has ended: its
//! descendants hold the other end of the pipe.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::RuleContext;
use super::diagnosis::Hang;
use super::finding::{Action, Evidence, Finding, ProcessRef};
use crate::event::{BlockedReader, Event, EventKind, Moment, Observation, PipeSide, Stream};
use crate::kernel::{Status, Tgid, Tid};
use crate::ledger::{Ledger, Process, ProcessId};

/// A thread that is blocked on streams, and its count of voluntary context
/// switches.
type Look = (Tid, u64);

/// Within this time after an end of file the holder's end is seen, in nanoseconds.
const AT_ONCE: u64 = 100_000_000;

/// So many first looks are kept: the second comes within a second or so.
const MOST_LOOKS: usize = 1024;

/// A finding whose reader may still get bytes: a daemon that is slow to say that it is
/// ready holds the pipe in the same way.
#[derive(Clone, Debug)]
struct Blocked {
    holders: Vec<(Tgid, ProcessId)>,
    /// When the reader had something else to do.
    went_on: Option<Moment>,
    finding: Finding,
}

/// State kept between events.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    /// The first look after the death of a child.
    seen: VecDeque<(ProcessId, Look)>,
    /// By the reader's thread.
    blocked: FxHashMap<Tid, Vec<Blocked>>,
}

impl Streams {
    pub(super) fn event(&mut self, context: &mut RuleContext) {
        match &context.event.kind {
            EventKind::Observed(Observation::Streams(reader)) => self.looked(reader, context),
            EventKind::Over => self.over(context),
            _ => {
                let event = context.event;
                let blocked = self.blocked.get_mut(&event.tid);
                for blocked in blocked.filter(|_| goes_on(event)).into_iter().flatten() {
                    blocked.went_on.get_or_insert(event.at);
                }
            }
        }
    }

    /// It warns after two looks between which the thread did not run: no byte
    /// arrived, and no other event woke it.
    fn looked(&mut self, reader: &BlockedReader, context: &mut RuleContext) {
        let ledger = context.ledger;
        let (tid, parent) = (context.event.tid, ledger.process(context.event.tgid));
        let child = ledger.process(reader.child);
        let (Some(parent), Some(child)) = (parent, child.filter(|child| child.ended.is_some()))
        else {
            return;
        };
        let look = (tid, reader.sleeps);
        let before = self.seen.iter().position(|(id, _)| *id == child.id);
        let Some((_, before)) = before.and_then(|place| self.seen.remove(place)) else {
            if self.seen.len() == MOST_LOOKS {
                self.seen.pop_front();
            }
            self.seen.push_back((child.id, look));
            return;
        };
        let mut streams = reader.streams.iter();
        let held = streams.find_map(|stream| Some((stream, holder(stream, child, ledger)?)));
        if let Some((stream, holder)) = held.filter(|_| before == look) {
            let finding = finding(tid, stream, holder, parent, child, context);
            context.warnings.push(finding.clone());
            let holders = stream.others.iter();
            let holders =
                holders.filter_map(|side| Some((side.tgid, ledger.process(side.tgid)?.id)));
            self.blocked.entry(tid).or_default().push(Blocked {
                holders: holders.collect(),
                went_on: None,
                finding,
            });
        }
    }

    /// A reader that went on while the pipe was held has got what it waited for.
    fn over(&mut self, context: &mut RuleContext) {
        let mut all: Vec<Blocked> = self
            .blocked
            .drain()
            .flat_map(|(_, blocked)| blocked)
            .collect();
        all.sort_by_key(|blocked| blocked.finding.when.seq);
        for blocked in all {
            let ended_by = |until: Moment| {
                let mut holders = blocked.holders.iter();
                holders.all(|(tgid, id)| {
                    let holder = context.ledger.process(*tgid);
                    let holder = holder.filter(|holder| holder.id == *id);
                    let end = holder.and_then(|holder| holder.ended);
                    end.is_some_and(|end| end.when.at <= until)
                })
            };
            let went_on = blocked
                .went_on
                .map(|at| Moment(at.0.saturating_add(AT_ONCE)));
            if went_on.is_none_or(ended_by) {
                context.findings.add(blocked.finding);
            }
        }
    }
}

/// Whether a thread that did this has left the call that it was blocked in.
fn goes_on(event: &Event) -> bool {
    match &event.kind {
        EventKind::Created(_) | EventKind::Executed { .. } => true,
        EventKind::WaitEnded(exit) => exit.in_handler != Some(true),
        EventKind::Ended { status } => matches!(status.decode(), Status::Exited(_)),
        _ => false,
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
    context: &RuleContext,
) -> Finding {
    let (when, ledger) = (context.stamp(), context.ledger);
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
