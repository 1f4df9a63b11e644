//! The processes of a run as a graph, to give them names that are the same in
//! each run.

use std::collections::BTreeMap;

use super::LaneId;
use super::canon::{self, Edge, Node};
use super::findings::StableFinding;
use super::lane::{Among, Awaited, Lane, Outcome, ReportedState, Wait};
use super::waits::is_ordered;
use crate::kernel::WaitOptions;

/// What joins two processes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Relation {
    /// It is its child.
    Parent,
    /// It cloned it, though the child is another's.
    Cloned,
    /// It reaped it.
    Reaped,
    /// It waited for it: where in the order, and how that went.
    Waited(usize, String),
    /// It heard of it from a wait for any child.
    Reported(String, ReportedState),
    /// It waited for its group.
    Group(bool),
    /// It is the child in a finding.
    Found(String),
}

/// A wait as it is printed.
pub(super) struct Shown {
    pub(super) awaited: Awaited,
    /// Before the name of the process.
    pub(super) before: String,
    /// After it, up to the result.
    pub(super) after: String,
    pub(super) outcome: Outcome,
}

/// The waits of a lane for single processes: those whose order says something,
/// then the others, by what they wait for.
pub(super) struct ShownWaits {
    pub(super) ordered: Vec<Shown>,
    pub(super) grouped: BTreeMap<Awaited, Vec<Shown>>,
}

impl ShownWaits {
    pub(super) fn of(lane: &Lane) -> ShownWaits {
        let mut waits = ShownWaits {
            ordered: Vec::new(),
            grouped: BTreeMap::new(),
        };
        for wait in &lane.waits {
            let shown = Shown::new(wait, lane);
            if is_ordered(lane, wait.awaited) {
                waits.ordered.push(shown);
            } else {
                waits.grouped.entry(wait.awaited).or_default().push(shown);
            }
        }
        for (awaited, group) in &mut waits.grouped {
            settle(*awaited, group);
        }
        waits
    }
}

/// Put waits of several threads in an order that is no thread's. For one child
/// reports keep their order, and failures come behind them, sorted.
fn settle(awaited: Awaited, group: &mut Vec<Shown>) {
    if awaited.process().is_none() {
        group.sort_by_key(Shown::label);
    } else {
        group.sort_by_cached_key(|shown| match shown.outcome {
            Outcome::Reported(_) => None,
            Outcome::Failed(_) => Some(shown.label()),
        });
    }
    group.dedup_by(|one, other| {
        matches!(one.outcome, Outcome::Failed(_)) && one.label() == other.label()
    });
}

impl Shown {
    fn new(wait: &Wait, lane: &Lane) -> Shown {
        // Whether a poll takes a child or the wait after it is a race: either
        // has the options of both.
        let polled = lane.polls.get(&wait.awaited).copied().unwrap_or_default();
        let is_look = wait.options.contains(WaitOptions::NOWAIT);
        let options = match wait.outcome {
            Outcome::Reported(_) if !is_look => {
                let polled = polled & !WaitOptions::NOWAIT.raw();
                WaitOptions::of(wait.options.system(), wait.options.raw() | polled)
            }
            _ => wait.options,
        };
        Shown {
            awaited: wait.awaited,
            before: format!(
                "{}({}",
                wait.call.name(),
                super::waits::before_name(wait.kind)
            ),
            after: format!("{})", super::lane::Options(wait.call, options)),
            outcome: wait.outcome,
        }
    }

    fn label(&self) -> String {
        format!("{}{} {:?}", self.before, self.after, self.outcome)
    }
}

/// The lanes in the order of their contents: a rank each.
pub(super) fn ranks(lanes: &[Lane], findings: &[StableFinding]) -> Vec<u32> {
    let nodes: Vec<Node<_>> = lanes
        .iter()
        .enumerate()
        .map(|(id, lane)| {
            let about = findings.iter().filter(|finding| finding.parent == Some(id));
            let mut heads: Vec<&str> = about.map(|finding| finding.head.as_str()).collect();
            heads.sort_unstable();
            Node {
                content: (content(lane), heads),
                depth: depth(lanes, id),
                parent: lane.parent,
            }
        })
        .collect();
    let mut edges = Vec::new();
    for (id, lane) in lanes.iter().enumerate() {
        relations(id, lane, &mut |from, label, to| {
            edges.push(Edge { from, label, to });
        });
    }
    for finding in findings {
        let parent = finding.parent.into_iter();
        let pairs = parent.flat_map(|parent| finding.children.iter().map(move |to| (parent, *to)));
        edges.extend(pairs.map(|(from, to)| Edge {
            from,
            label: Relation::Found(finding.head.clone()),
            to,
        }));
    }
    canon::ranks(&nodes, &edges)
}

/// What a lane holds without others; the first decides most.
fn content(lane: &Lane) -> impl Ord + use<> {
    let waits = ShownWaits::of(lane);
    let all = waits.ordered.iter().chain(waits.grouped.values().flatten());
    let mut labels: Vec<String> = all.map(Shown::label).collect();
    labels.sort_unstable();
    (
        lane.name.clone(),
        lane.execs.clone(),
        lane.ended,
        lane.reaper.is_some(),
        (lane.has_threads, lane.ignores_sigchld, lane.stops.clone()),
        lane.exit_signal,
        (labels, lane.certain().count()),
    )
}

fn depth(lanes: &[Lane], id: LaneId) -> usize {
    let up = |id: &LaneId| lanes.get(*id).and_then(|lane| lane.parent);
    // A parent is older than its child, so this ends; the bound is for events
    // that were made up.
    std::iter::successors(up(&id), up).take(lanes.len()).count()
}

fn relations(id: LaneId, lane: &Lane, relate: &mut impl FnMut(LaneId, Relation, LaneId)) {
    if let Some(parent) = lane.parent {
        relate(parent, Relation::Parent, id);
    }
    if let Some(creator) = lane.cloned_by {
        relate(creator, Relation::Cloned, id);
    }
    if let Some(reaper) = lane.reaper {
        relate(reaper, Relation::Reaped, id);
    }
    let waits = ShownWaits::of(lane);
    let grouped = waits
        .grouped
        .values()
        .flat_map(|waits| waits.iter().enumerate());
    for (place, wait) in waits.ordered.iter().enumerate().chain(grouped) {
        if let Some(awaited) = wait.awaited.process() {
            relate(id, Relation::Waited(place, wait.label()), awaited);
        }
    }
    for (wildcard, reported) in lane.certain() {
        if let Among::Group(Some(leader)) | Among::GroupById(Some(leader)) = wildcard.awaited {
            relate(id, Relation::Group(wildcard.reaps), leader);
        }
        let label = match wildcard.awaited {
            Among::Group(_) => "group".to_owned(),
            Among::GroupById(_) => "P_PGID".to_owned(),
            awaited => format!("{awaited:?}"),
        };
        let label = format!("{} {} {label}", wildcard.reaps, wildcard.call);
        for (child, reported) in reported {
            relate(id, Relation::Reported(label.clone(), *reported), *child);
        }
    }
}
