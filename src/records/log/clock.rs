//! From the times before lines to moments since the first.

use crate::event::Moment;

const DAY: u64 = 86_400_000_000_000;

/// A time before a line, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::records) enum Time {
    /// Since midnight.
    OfDay(u64),
    /// Since 1970, or another beginning that holds for all lines.
    Epoch(u64),
    /// Since the line before.
    Relative(u64),
}

/// Remembers the first time and the last.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Nanoseconds of the first line, in its own count.
    first: Option<u64>,
    /// Midnights that were passed, in nanoseconds.
    days: u64,
    /// The last time of day.
    of_day: u64,
    last: Moment,
}

impl Clock {
    /// The moment of a line; it is never before that of another.
    pub(super) fn moment(&mut self, time: Time) -> Moment {
        let nanos = match time {
            Time::Relative(since) => self.last.0.saturating_add(since),
            Time::Epoch(nanos) => self.since_first(nanos),
            Time::OfDay(nanos) => {
                // Lines of several tasks may be a little out of order.
                if nanos.saturating_add(DAY / 2) < self.of_day {
                    self.days = self.days.saturating_add(DAY);
                }
                self.of_day = nanos;
                self.since_first(nanos.saturating_add(self.days))
            }
        };
        self.last = self.last.max(Moment(nanos)).min(Moment::LAST);
        self.last
    }

    /// The moment so long after the last line's.
    pub(super) fn later(&mut self, nanos: u64) -> Moment {
        Moment(self.last.0.saturating_add(nanos)).min(Moment::LAST)
    }

    fn since_first(&mut self, nanos: u64) -> u64 {
        nanos.saturating_sub(*self.first.get_or_insert(nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_is_passed() {
        let mut clock = Clock::default();
        let at = |clock: &mut Clock, nanos| clock.moment(Time::OfDay(nanos)).0;
        assert_eq!(at(&mut clock, DAY - 10), 0);
        assert_eq!(at(&mut clock, 5), 15);
        assert_eq!(at(&mut clock, 3), 15, "never backwards");
    }

    #[test]
    fn relative_times_add_up() {
        let mut clock = Clock::default();
        assert_eq!(clock.moment(Time::Relative(3)).0, 3);
        assert_eq!(clock.moment(Time::Relative(4)).0, 7);
    }
}
