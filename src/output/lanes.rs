//! One lane per process, for outputs that collect what each process did until
//! the trace is over.

use rustc_hash::FxHashMap;

use crate::ledger::{Process, ProcessId};

/// A lane's index among all lanes.
pub(super) type LaneId = usize;

/// What is collected of one process.
pub(super) trait Lane {
    /// The lane of its parent.
    fn parent(&self) -> Option<LaneId>;
}

/// The lanes of all processes, in the order in which they were first observed.
#[derive(Debug)]
pub(super) struct Lanes<L> {
    all: Vec<L>,
    by_process: FxHashMap<ProcessId, LaneId>,
    entries: usize,
    limits: Limits,
    is_cut: bool,
}

/// How much is collected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) lanes: usize,
    /// Entries of all lanes together.
    pub(super) entries: usize,
}

impl<L> Lanes<L> {
    pub(super) fn new(limits: Limits) -> Lanes<L> {
        Lanes {
            all: Vec::new(),
            by_process: FxHashMap::default(),
            entries: 0,
            limits,
            is_cut: false,
        }
    }

    pub(super) fn all(&self) -> &[L] {
        &self.all
    }

    pub(super) fn get_mut(&mut self, id: LaneId) -> Option<&mut L> {
        self.all.get_mut(id)
    }

    /// The lane of a process, if it has one.
    pub(super) fn find(&self, process: ProcessId) -> Option<LaneId> {
        self.by_process.get(&process).copied()
    }

    /// The lane of a process. If it has none, `make` makes it from the lane of
    /// its parent; `None` if there are too many.
    pub(super) fn find_or_add(
        &mut self,
        process: &Process,
        make: impl FnOnce(Option<(LaneId, &L)>) -> L,
    ) -> Option<LaneId> {
        if let Some(id) = self.find(process.id) {
            return Some(id);
        }
        if self.all.len() >= self.limits.lanes {
            self.is_cut = true;
            return None;
        }
        // A parent that is not traced has no lane.
        let parent = process.parent.and_then(|parent| parent.id);
        let parent = parent.and_then(|parent| self.find(parent));
        let lane = make(parent.and_then(|id| Some((id, self.all.get(id)?))));
        let id = self.all.len();
        self.all.push(lane);
        self.by_process.insert(process.id, id);
        Some(id)
    }

    /// This process has a lane already: it was first known under another id.
    pub(super) fn identify(&mut self, process: ProcessId, lane: LaneId) {
        self.by_process.insert(process, lane);
    }

    /// Count an entry; `false` if it is one too many.
    pub(super) fn has_room(&mut self) -> bool {
        self.entries += 1;
        self.is_cut |= self.entries > self.limits.entries;
        self.entries <= self.limits.entries
    }

    /// Whether something was left out.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }
}

/// The lanes as trees, by their parents.
#[derive(Debug)]
pub(super) struct Forest {
    children: Vec<Vec<LaneId>>,
    roots: Vec<LaneId>,
}

/// A lane's place in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: LaneId,
    pub(super) parent: Option<LaneId>,
    /// 0 for a root.
    pub(super) depth: usize,
    /// Its index among its siblings.
    pub(super) turn: usize,
}

impl Forest {
    /// Siblings in the order of their lanes.
    pub(super) fn of(lanes: &[impl Lane]) -> Forest {
        let mut forest = Forest {
            children: vec![Vec::new(); lanes.len()],
            roots: Vec::new(),
        };
        for (id, lane) in lanes.iter().enumerate() {
            let parent = lane.parent();
            let siblings = parent.and_then(|parent| forest.children.get_mut(parent));
            siblings.unwrap_or(&mut forest.roots).push(id);
        }
        forest
    }

    /// Put siblings in another order.
    pub(super) fn sort_by_key<K: Ord>(&mut self, key: impl Fn(LaneId) -> K) {
        for siblings in self.children.iter_mut().chain([&mut self.roots]) {
            siblings.sort_by_key(|id| key(*id));
        }
    }

    /// How many lanes have no parent.
    pub(super) fn root_count(&self) -> usize {
        self.roots.len()
    }

    /// Depth first: children right behind their parents and elder siblings.
    pub(super) fn walk(&self) -> Vec<Place> {
        let places = |siblings: &[LaneId], parent: Option<LaneId>, depth: usize| {
            let siblings = siblings.iter().enumerate().rev();
            let places = siblings.map(|(turn, id)| Place {
                id: *id,
                parent,
                depth,
                turn,
            });
            places.collect::<Vec<Place>>()
        };
        let mut order = Vec::new();
        let mut open = places(&self.roots, None, 0);
        while let Some(place) = open.pop() {
            order.push(place);
            let children = self.children.get(place.id);
            let children = children.map(Vec::as_slice).unwrap_or_default();
            open.extend(places(children, Some(place.id), place.depth + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Of(Option<LaneId>);

    impl Lane for Of {
        fn parent(&self) -> Option<LaneId> {
            self.0
        }
    }

    #[test]
    fn children_stand_behind_their_parents() {
        // 0 has 1 and 3, 1 has 4, and 2 is another root.
        let lanes = [None, Some(0), None, Some(0), Some(1)].map(Of);
        let mut forest = Forest::of(&lanes);
        let walked = |forest: &Forest| {
            let places = forest.walk().into_iter();
            let places = places.map(|place| (place.id, place.depth, place.turn));
            places.collect::<Vec<_>>()
        };
        assert_eq!(
            walked(&forest),
            [(0, 0, 0), (1, 1, 0), (4, 2, 0), (3, 1, 1), (2, 0, 1)]
        );
        forest.sort_by_key(std::cmp::Reverse);
        assert_eq!(
            walked(&forest),
            [(2, 0, 0), (0, 0, 1), (3, 1, 0), (1, 1, 1), (4, 2, 0)]
        );
        assert_eq!(forest.root_count(), 2);
    }

    #[test]
    fn what_is_too_much_is_left_out() {
        let limits = Limits {
            lanes: 0,
            entries: 1,
        };
        let mut lanes: Lanes<Of> = Lanes::new(limits);
        assert!(lanes.has_room() && !lanes.is_cut());
        assert!(!lanes.has_room() && lanes.is_cut());
    }
}
