//! How often each point was reached, and by which program.

use rustc_hash::FxHashMap;

use crate::event::Comm;
use crate::explore::schedule::Point;

/// Of more occurrences it is not kept who reached them.
const MOST_PLACES: usize = 1 << 12;

/// Who reached a point, and where in it: what a program does ten times in the same way is
/// one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The program.
    pub program: Comm,
    /// What it did: the kind of call, or nothing.
    pub call: &'static str,
}

/// How often each point was reached in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    counts: FxHashMap<Point, u32>,
    places: FxHashMap<Point, Vec<Place>>,
}

impl Counts {
    /// How often.
    #[must_use]
    pub fn of(&self, point: Point) -> u32 {
        self.counts.get(&point).copied().unwrap_or(0)
    }

    /// Who reached it, in the order of the occurrences; of very many, the first ones.
    #[must_use]
    pub fn places(&self, point: Point) -> &[Place] {
        self.places.get(&point).map_or(&[], Vec::as_slice)
    }

    /// Count one more; which one it is.
    pub(in crate::explore) fn next(&mut self, point: Point) -> u32 {
        let count = self.counts.entry(point).or_insert(0);
        *count += 1;
        *count
    }

    /// Count one more at a place; which one it is.
    pub(in crate::explore) fn next_at(&mut self, point: Point, place: Place) -> u32 {
        let places = self.places.entry(point).or_default();
        if places.len() < MOST_PLACES {
            places.push(place);
        }
        self.next(point)
    }

    /// The larger of both, for each point.
    pub(in crate::explore) fn join(&mut self, other: &Counts) {
        for (point, count) in &other.counts {
            let own = self.counts.entry(*point).or_insert(0);
            *own = (*own).max(*count);
        }
        for (point, places) in &other.places {
            let own = self.places.entry(*point).or_default();
            if places.len() > own.len() {
                own.clone_from(places);
            }
        }
    }
}
