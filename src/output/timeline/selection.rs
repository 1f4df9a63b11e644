//! Which lanes a still picture has rows for: of thousands only the upper levels of
//! the tree, and what findings are about.

use rustc_hash::FxHashSet;

use super::model::Model;
use crate::output::lanes::LaneId;

/// How many children of a finding have rows.
const MOST_OF_FINDING: usize = 10;

/// A lane that has a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) lane: LaneId,
    /// The lanes below it that have none, and no nearer one above them with one.
    pub(super) folded: Vec<LaneId>,
}

/// The rows, in the order of the tree, and how many lanes are in none of them.
pub(super) fn select(model: &Model, most: usize) -> (Vec<Row>, usize) {
    let lanes = &model.lanes;
    let shown = if lanes.len() <= most {
        (0..lanes.len()).collect()
    } else {
        let mut shown = upper_levels(model, most);
        of_findings(model, most, &mut shown);
        shown
    };
    let mut rows: Vec<Row> = Vec::new();
    let mut row_of = vec![None; lanes.len()];
    let mut rest = 0;
    for (id, lane) in lanes.iter().enumerate() {
        // Parents are before their children.
        let above = lane.parent.and_then(|parent| *row_of.get(parent)?);
        let row = if shown.contains(&id) {
            rows.push(Row {
                lane: id,
                folded: Vec::new(),
            });
            Some(rows.len() - 1)
        } else {
            match above.and_then(|row: usize| rows.get_mut(row)) {
                Some(row) => row.folded.push(id),
                None => rest += 1,
            }
            above
        };
        if let Some(place) = row_of.get_mut(id) {
            *place = row;
        }
    }
    (rows, rest)
}

/// All lanes of the upper levels that are few enough. Of the two uppermost there are
/// always some.
fn upper_levels(model: &Model, most: usize) -> FxHashSet<LaneId> {
    let mut levels: Vec<Vec<LaneId>> = Vec::new();
    for (id, lane) in model.lanes.iter().enumerate() {
        if levels.len() <= lane.depth {
            levels.resize(lane.depth + 1, Vec::new());
        }
        if let Some(level) = levels.get_mut(lane.depth) {
            level.push(id);
        }
    }
    let mut shown = FxHashSet::default();
    for (depth, level) in levels.iter().enumerate() {
        let room = most - shown.len();
        if depth > 1 && level.len() > room {
            break;
        }
        let level = level.iter().copied().filter(|id| {
            let parent = model.lanes.get(*id).and_then(|lane| lane.parent);
            parent.is_none_or(|parent| shown.contains(&parent))
        });
        let level: Vec<LaneId> = level.take(room).collect();
        shown.extend(level);
    }
    shown
}

/// Adds what findings are about, with all that is above it: as much again.
fn of_findings(model: &Model, most: usize, shown: &mut FxHashSet<LaneId>) {
    let limit = shown.len() + most;
    for found in &model.findings {
        let children = found.children.iter().take(MOST_OF_FINDING);
        for id in found.parent.iter().chain(children) {
            let mut next = Some(*id);
            while let Some(id) = next.filter(|_| shown.len() < limit) {
                shown.insert(id);
                next = model.lanes.get(id).and_then(|lane| lane.parent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{Lane, ModelFinding};
    use super::*;

    /// Lanes with these parents.
    fn model(parents: &[Option<usize>]) -> Model {
        let mut model = Model::default();
        for parent in parents {
            let depth = parent.map_or(0, |parent| model.lanes[parent].depth + 1);
            model.lanes.push(Lane {
                parent: *parent,
                depth,
                ..Lane::default()
            });
        }
        model
    }

    fn lanes(rows: &[Row]) -> Vec<(LaneId, usize)> {
        let rows = rows.iter();
        rows.map(|row| (row.lane, row.folded.len())).collect()
    }

    #[test]
    fn levels_that_are_too_many_rows_are_folded() {
        // 0 has 1 and 4; each of those has two more.
        let mut model = model(&[None, Some(0), Some(1), Some(1), Some(0), Some(4), Some(4)]);
        let (rows, rest) = select(&model, 7);
        assert_eq!((rows.len(), rest), (7, 0));
        let (rows, rest) = select(&model, 4);
        assert_eq!((lanes(&rows), rest), (vec![(0, 0), (1, 2), (4, 2)], 0));
        model.findings.push(ModelFinding {
            rule: "zombie-leak",
            severity: "warning",
            sentence: String::new(),
            help: String::new(),
            parent: Some(4),
            children: vec![6],
            from: 0,
            to: 0,
            evidence: Vec::new(),
        });
        let (rows, _) = select(&model, 4);
        assert_eq!(lanes(&rows), [(0, 0), (1, 2), (4, 1), (6, 0)]);
        model.survey();
        let below: Vec<usize> = model.lanes.iter().map(|lane| lane.below).collect();
        assert_eq!(below, [6, 2, 0, 0, 2, 0, 0]);
    }

    #[test]
    fn of_many_children_or_roots_there_are_some() {
        let one = [&[None][..], &[Some(0); 9]].concat();
        let (rows, rest) = select(&model(&one), 4);
        assert_eq!(lanes(&rows), [(0, 6), (1, 0), (2, 0), (3, 0)]);
        assert_eq!(rest, 0);
        let (rows, rest) = select(&model(&[None; 9]), 4);
        assert_eq!((rows.len(), rest), (4, 5));
    }
}
