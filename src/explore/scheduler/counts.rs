//! How often each point was reached.

use rustc_hash::FxHashMap;

use crate::explore::schedule::Point;

/// How often each point was reached in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(FxHashMap<Point, u32>);

impl Counts {
    /// How often.
    #[must_use]
    pub fn of(&self, point: Point) -> u32 {
        self.0.get(&point).copied().unwrap_or(0)
    }

    /// Count one more; which one it is.
    pub(in crate::explore) fn next(&mut self, point: Point) -> u32 {
        let count = self.0.entry(point).or_insert(0);
        *count += 1;
        *count
    }

    /// The larger of both, for each point.
    pub(in crate::explore) fn join(&mut self, other: &Counts) {
        for (point, count) in &other.0 {
            let own = self.0.entry(*point).or_insert(0);
            *own = (*own).max(*count);
        }
    }
}
