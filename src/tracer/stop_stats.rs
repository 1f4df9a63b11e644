//! How many stops there were, of which kind: what the trace costs.

use std::fmt;

use super::stop::StopKind;

/// Counts of stops and ends (`--stats`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StopStats {
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

impl StopStats {
    /// Count a stop.
    pub(super) fn count(&mut self, stop: StopKind) {
        *match stop {
            StopKind::NewChild { .. } => &mut self.births,
            StopKind::Executed { .. } => &mut self.execs,
            StopKind::Syscall | StopKind::Seccomp => &mut self.calls,
            StopKind::Signal(_) => &mut self.signals,
            StopKind::Group(_) => &mut self.groups,
            StopKind::Plain => &mut self.plain,
            StopKind::Exiting(_) | StopKind::Other => &mut self.other,
        } += 1;
    }

    fn stops(&self) -> u64 {
        let of_tasks = self.births + self.execs + self.plain;
        of_tasks + self.calls + self.signals + self.groups + self.other
    }
}

impl fmt::Display for StopStats {
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
    use crate::kernel::{Signal, Tid, WaitStatus};
    use crate::tracer::stop::Creation;

    #[test]
    fn every_stop_is_counted_once() {
        let mut stats = StopStats {
            children: 2,
            ends: 3,
            ..StopStats::default()
        };
        let child = |creation| StopKind::NewChild {
            creation,
            child: Tid::new(2),
        };
        for stop in [
            child(Creation::Fork),
            child(Creation::Vfork),
            StopKind::Plain,
            StopKind::Seccomp,
            StopKind::Syscall,
            StopKind::Signal(Signal::CHLD),
            StopKind::Group(Signal::STOP),
            StopKind::Executed {
                former: Tid::new(1),
            },
            StopKind::Exiting(WaitStatus::from_raw(0)),
            StopKind::Other,
        ] {
            stats.count(stop);
        }
        assert_eq!(
            stats.to_string(),
            "children 2, stops 10 (5.0 a child), ends 3 (1.5); births 2, first stops and \
             continuations 1, entries and exits of calls 2, signals 1, group-stops 1, execs 1, \
             others 2"
        );
    }
}
