//! How many stops there were, of which kind: what the trace costs the family.

use std::fmt;

use super::stop::Stop;

/// Counts of stops and ends (`--stats`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    births: u64,
    execs: u64,
    calls: u64,
    signals: u64,
    groups: u64,
    plain: u64,
    other: u64,
    /// Processes that were created.
    pub(super) children: u64,
    /// Threads and processes whose end was waited for.
    pub(super) ends: u64,
}

impl Tally {
    /// Count a stop.
    pub(super) fn count(&mut self, stop: Stop) {
        *match stop {
            Stop::Created(_) => &mut self.births,
            Stop::Executed => &mut self.execs,
            Stop::Syscall | Stop::Seccomp => &mut self.calls,
            Stop::Signal(_) => &mut self.signals,
            Stop::Group(_) => &mut self.groups,
            Stop::Plain => &mut self.plain,
            Stop::Exiting | Stop::Other => &mut self.other,
        } += 1;
    }

    fn stops(&self) -> u64 {
        let of_tasks = self.births + self.execs + self.plain;
        of_tasks + self.calls + self.signals + self.groups + self.other
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "for people, with one decimal")]
        let a_child = |count: u64| count as f64 / self.children.max(1) as f64;
        let (stops, ends) = (self.stops(), self.ends);
        write!(
            f,
            "children {}, stops {stops} ({:.1} a child), ends {ends} ({:.1}); births {}, \
             first stops and continuations {}, entries and exits of calls {}, signals {}, \
             group-stops {}, execs {}, others {}",
            self.children,
            a_child(stops),
            a_child(ends),
            self.births,
            self.plain,
            self.calls,
            self.signals,
            self.groups,
            self.execs,
            self.other,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Signal;
    use crate::tracer::stop::Creation;

    #[test]
    fn every_stop_is_counted_once() {
        let mut tally = Tally {
            children: 2,
            ends: 3,
            ..Tally::default()
        };
        for stop in [
            Stop::Created(Creation::Fork),
            Stop::Created(Creation::Vfork),
            Stop::Plain,
            Stop::Seccomp,
            Stop::Syscall,
            Stop::Signal(Signal::CHLD),
            Stop::Group(Signal::STOP),
            Stop::Executed,
            Stop::Exiting,
            Stop::Other,
        ] {
            tally.count(stop);
        }
        assert_eq!(
            tally.to_string(),
            "children 2, stops 10 (5.0 a child), ends 3 (1.5); births 2, first stops and \
             continuations 1, entries and exits of calls 2, signals 1, group-stops 1, execs 1, \
             others 2"
        );
    }
}
