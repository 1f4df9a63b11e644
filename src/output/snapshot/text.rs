//! A snapshot's lines.

use std::fmt::{self, Write};

use super::LaneId;
use super::findings::StableFinding;
use super::graph::{self, Shown, ShownWaits};
use super::lane::{Among, Awaited, Lane, Outcome};
use crate::kernel::{Errno, Signal};
use crate::output::lanes::{Forest, Place};

/// The first line; a later form has a later number.
pub(super) const HEAD: &str = "wait4-strace snapshot v1";

/// The text of a snapshot.
pub(super) fn text(lanes: &[Lane], findings: &[StableFinding], is_cut: bool) -> String {
    let tree = Tree::new(lanes, findings);
    let mut to = format!("{HEAD}\n");
    // Writing to a String cannot fail.
    for id in &tree.order {
        if let Some(lane) = lanes.get(*id) {
            let _ = tree.lane(&mut to, *id, lane);
        }
    }
    if is_cut {
        to.push_str("more than a snapshot holds: the rest is left out\n");
    }
    let _ = tree.findings(&mut to, findings);
    to
}

/// The processes and their names in the snapshot.
struct Tree {
    /// The children that each forked.
    forked: Vec<Vec<LaneId>>,
    /// The lanes as they are printed.
    order: Vec<LaneId>,
    /// The place of each in that order.
    places: Vec<usize>,
    names: Vec<String>,
}

impl Tree {
    fn new(lanes: &[Lane], findings: &[StableFinding]) -> Tree {
        let mut forked = vec![Vec::new(); lanes.len()];
        for (id, lane) in lanes.iter().enumerate() {
            let creator = lane.cloned_by.or(lane.parent);
            if let Some(forked) = creator.and_then(|creator| forked.get_mut(creator)) {
                forked.push(id);
            }
        }
        let ranks = graph::ranks(lanes, findings);
        let mut forest = Forest::of(lanes);
        forest.sort_by_key(|id| ranks.get(id));
        let mut tree = Tree {
            forked,
            order: Vec::new(),
            places: vec![usize::MAX; lanes.len()],
            names: vec![String::new(); lanes.len()],
        };
        let is_only_root = forest.root_count() == 1;
        for Place {
            id, parent, turn, ..
        } in forest.walk()
        {
            let name = match parent {
                Some(parent) => format!("{}.{}", tree.name(Some(parent)), turn + 1),
                None if is_only_root => "root".to_owned(),
                None => format!("root{}", turn + 1),
            };
            if let Some(place) = tree.places.get_mut(id) {
                *place = tree.order.len();
            }
            tree.order.push(id);
            if let Some(slot) = tree.names.get_mut(id) {
                *slot = name;
            }
        }
        tree
    }

    fn name(&self, id: Option<LaneId>) -> &str {
        let name = id.and_then(|id| self.names.get(id));
        name.map_or("unknown", String::as_str)
    }

    fn place(&self, id: LaneId) -> usize {
        self.places.get(id).copied().unwrap_or(usize::MAX)
    }

    /// Names, in their order, with commas.
    fn list(&self, mut ids: Vec<LaneId>) -> String {
        ids.sort_by_key(|id| self.place(*id));
        let names: Vec<&str> = ids.into_iter().map(|id| self.name(Some(id))).collect();
        names.join(", ")
    }

    fn lane(&self, to: &mut String, id: LaneId, lane: &Lane) -> fmt::Result {
        let name = if lane.name.is_empty() {
            "?"
        } else {
            &lane.name
        };
        writeln!(to, "{}: {name}", self.name(Some(id)))?;
        for exec in &lane.execs {
            writeln!(to, "  exec {exec}")?;
        }
        match lane.exit_signal {
            None => {}
            Some(0) => writeln!(to, "  sends no signal at its end")?,
            Some(signal) => writeln!(to, "  sends {} at its end", Signal::from_raw(signal))?,
        }
        if lane.has_threads {
            writeln!(to, "  has threads")?;
        }
        self.forks(to, id, lane)?;
        self.waits(to, lane)?;
        self.reported(to, lane)?;
        for signal in &lane.stops {
            let signal = Signal::from_raw(*signal);
            writeln!(to, "  stops itself by {signal}")?;
        }
        match lane.ended {
            Some(end) if lane.parent.is_none() => writeln!(to, "  {end}"),
            Some(end) => {
                let reaper = lane.reaper.map_or("nobody", |id| self.name(Some(id)));
                writeln!(to, "  {end}, reaped by {reaper}")
            }
            None => writeln!(to, "  still there at the end"),
        }
    }

    fn forks(&self, to: &mut String, id: LaneId, lane: &Lane) -> fmt::Result {
        let forked = self.forked.get(id).filter(|forked| !forked.is_empty());
        let Some(forked) = forked else {
            return Ok(());
        };
        if lane.ignores_sigchld {
            writeln!(to, "  ignores SIGCHLD")?;
        }
        writeln!(to, "  forks {}", self.list(forked.clone()))
    }

    fn waits(&self, to: &mut String, lane: &Lane) -> fmt::Result {
        let waits = ShownWaits::of(lane);
        for wait in &waits.ordered {
            self.wait(to, wait)?;
        }
        let mut grouped: Vec<_> = waits.grouped.into_iter().collect();
        grouped.sort_by_key(|(awaited, _)| {
            let place = awaited.process().map_or(usize::MAX, |id| self.place(id));
            (place, *awaited)
        });
        for wait in grouped.iter().flat_map(|(_, waits)| waits) {
            self.wait(to, wait)?;
        }
        Ok(())
    }

    fn wait(&self, to: &mut String, wait: &Shown) -> fmt::Result {
        let name = match wait.awaited {
            Awaited::Among(among) => self.among(among),
            awaited => self.name(awaited.process()).to_owned(),
        };
        write!(to, "  {}{name}{} = ", wait.before, wait.after)?;
        match wait.outcome {
            Outcome::Reported(reported) => writeln!(to, "{name}{reported}"),
            Outcome::Failed(errno) => writeln!(to, "{}", Short(errno)),
        }
    }

    fn reported(&self, to: &mut String, lane: &Lane) -> fmt::Result {
        let mut lines: Vec<_> = lane.certain().collect();
        lines.sort_by_key(|(wildcard, _)| {
            let leader = wildcard.awaited.leader().map(|id| self.place(id));
            (
                !wildcard.reaps,
                wildcard.call,
                wildcard.awaited.kind(),
                leader,
            )
        });
        for (wildcard, reported) in lines {
            let mut reported: Vec<_> = reported.iter().collect();
            reported.sort_by_key(|(child, reported)| (self.place(*child), *reported));
            let reported = reported
                .into_iter()
                .map(|(child, reported)| format!("{}{reported}", self.name(Some(*child))));
            let reported: Vec<String> = reported.collect();
            let did = if wildcard.reaps { "reaps" } else { "hears" };
            let awaited = self.among(wildcard.awaited);
            let (call, reported) = (wildcard.call, reported.join(", "));
            writeln!(to, "  {did} by {call}({awaited}): {reported}")?;
        }
        Ok(())
    }

    fn among(&self, among: Among) -> String {
        match among {
            Among::Any => "-1".to_owned(),
            Among::All => "P_ALL".to_owned(),
            Among::OwnGroup => "0".to_owned(),
            Among::OwnGroupById => "P_PGID, 0".to_owned(),
            Among::Group(leader) => format!("-{}", self.name(leader)),
            Among::GroupById(leader) => format!("P_PGID, {}", self.name(leader)),
        }
    }

    fn findings(&self, to: &mut String, findings: &[StableFinding]) -> fmt::Result {
        let lines = findings.iter().map(|finding| {
            let mut line = format!("  {} {}", finding.head, self.name(finding.parent));
            if !finding.children.is_empty() {
                // Writing to a String cannot fail.
                let _ = write!(line, ": {}", self.list(finding.children.clone()));
            }
            line
        });
        let mut lines: Vec<String> = lines.collect();
        if lines.is_empty() {
            return writeln!(to, "findings: none");
        }
        lines.sort_unstable();
        writeln!(to, "findings:\n{}", lines.join("\n"))
    }
}

/// An error by its name alone.
struct Short(Errno);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0.raw()),
        }
    }
}
