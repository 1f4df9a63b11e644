//! How long is too long: `--threshold NAME=SECONDS`.

use std::time::Duration;

/// The times by which rules judge, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// How old a zombie must be for a verdict.
    pub zombie: u64,
    /// How old for a warning while the trace goes on.
    pub live: u64,
    /// How long a wait must have blocked.
    pub blocked: u64,
    /// How long it must go on when it is looked at a second time.
    pub again: u64,
    /// How late a reap is late.
    pub late: u64,
    /// In how short a time a thousand polls are a spin.
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
    /// Every name, with what it is.
    pub const NAMES: [(&str, &str); 6] = [
        ("zombie", "age of a zombie for a verdict"),
        ("live", "age of a zombie for a warning during the trace"),
        ("blocked", "time that a wait must have blocked"),
        ("again", "time until a blocked wait is looked at again"),
        ("late", "age of a zombie at its reap that is late"),
        ("spin", "time in which a thousand polls are a spin"),
    ];

    /// Set the one of this name; `None` if there is none.
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
    fn each_threshold_can_be_set_by_its_name() {
        for (name, _) in Thresholds::NAMES {
            let mut changed = Thresholds::default();
            changed.set(name, Duration::from_secs(77)).unwrap();
            assert_ne!(changed, Thresholds::default(), "{name}");
        }
        assert_eq!(Thresholds::default().set("nope", Duration::ZERO), None);
    }
}
