//! Thresholds of the rules: `--threshold NAME=SECONDS`.

use std::time::Duration;

/// The thresholds, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Age of a zombie that is a finding.
    pub zombie: u64,
    /// Age of a zombie that is a warning while the trace goes on.
    pub live: u64,
    /// How long a wait must have blocked.
    pub blocked: u64,
    /// How much longer it must block until the second look.
    pub again: u64,
    /// Age of a zombie whose reap is late.
    pub late: u64,
    /// Time in which a thousand polls are a spin; with 0 nothing is one.
    pub spin: u64,
}

const SECOND: u64 = 1_000_000_000;

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            zombie: SECOND,
            live: 5 * SECOND,
            blocked: 2 * SECOND,
            again: SECOND,
            late: 2 * SECOND,
            spin: SECOND / 2,
        }
    }
}

impl Thresholds {
    /// Every name with its meaning.
    pub const NAMES: [(&str, &str); 6] = [
        ("zombie", "age of a zombie that is a finding"),
        ("live", "age of a zombie that is a warning during the trace"),
        ("blocked", "time that a wait must have blocked"),
        ("again", "time until a blocked wait is looked at again"),
        ("late", "age of a zombie whose reap is late"),
        ("spin", "time in which a thousand polls are a spin"),
    ];

    /// Those for times of this resolution ([`Origin::resolution`]): what then exceeds a
    /// threshold has exceeded it in truth, and nothing is a spin.
    ///
    /// [`Origin::resolution`]: crate::event::Origin::resolution
    #[must_use]
    pub(crate) fn at_resolution(self, resolution: u64) -> Thresholds {
        let longer = |threshold: u64| threshold.saturating_add(resolution);
        Thresholds {
            zombie: longer(self.zombie),
            live: longer(self.live),
            blocked: longer(self.blocked),
            again: self.again,
            late: longer(self.late),
            spin: if resolution == 0 { self.spin } else { 0 },
        }
    }

    /// Sets the threshold with this name; `None` if there is none.
    pub fn set(&mut self, name: &str, time: Duration) -> Option<()> {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let field = match name {
            "zombie" => &mut self.zombie,
            "live" => &mut self.live,
            "blocked" => &mut self.blocked,
            "again" => &mut self.again,
            "late" => &mut self.late,
            "spin" => &mut self.spin,
            _ => return None,
        };
        *field = nanos;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_times_in_whole_seconds_a_second_proves_nothing() {
        let exact = Thresholds::default();
        assert_eq!(exact.at_resolution(0), exact);
        let coarse = exact.at_resolution(SECOND);
        assert_eq!((coarse.zombie, coarse.late), (2 * SECOND, 3 * SECOND));
        assert_eq!(coarse.spin, 0);
    }

    #[test]
    fn each_threshold_can_be_set_by_its_name() {
        for (name, _) in Thresholds::NAMES {
            let mut changed = Thresholds::default();
            changed.set(name, Duration::from_secs(77)).unwrap();
            assert_ne!(changed, Thresholds::default(), "{name}");
        }
        assert_eq!(Thresholds::default().set("nope", Duration::ZERO), None);
    }
}
