//! Which zombies are old enough to be judged. A child is a zombie for a moment
//! whenever it ends, so one look cannot tell a leak from a reap that is under way.
//! Pure.

use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::kernel::Tgid;
use crate::proc::Stat;

/// How far apart two looks are at most, where the kernel shows how long zombies are
/// dead.
const SECOND: Duration = Duration::from_secs(1);

/// A zombie of a parent; one that is handed to another parent is new to that.
type Identity = (Tgid, Tgid, u64);

/// When each zombie was first seen.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    first: FxHashMap<Identity, Duration>,
}

fn identity(stat: &Stat) -> Identity {
    (stat.pid, stat.parent, stat.started)
}

impl Sightings {
    /// Notes the zombies of a look that `ended` then, and forgets those that are gone.
    /// Times are from any fixed moment.
    pub(super) fn note<'a>(&mut self, zombies: impl Iterator<Item = &'a Stat>, ended: Duration) {
        let seen = zombies.map(|stat| {
            let identity = identity(stat);
            let first = self.first.get(&identity).copied();
            (identity, first.unwrap_or(ended))
        });
        self.first = seen.collect();
    }

    /// Whether a zombie, seen again in a look that began at `begun`, is at least as
    /// old as `least`. The kernel's `dead_for` alone does not prove it: it is that of
    /// the main thread, and others may have lived on.
    pub(super) fn is_old(
        &self,
        zombie: &Stat,
        begun: Duration,
        dead_for: Option<Duration>,
        least: Duration,
    ) -> bool {
        if least.is_zero() {
            return true;
        }
        let Some(first) = self.first.get(&identity(zombie)) else {
            return false;
        };
        let watched = begun.saturating_sub(*first);
        watched >= least || (watched >= SECOND && dead_for.is_some_and(|dead| dead >= least))
    }
}

/// How long to wait before the second look.
pub(super) fn pause(least: Duration, all_ages_are_known: bool) -> Duration {
    if all_ages_are_known {
        least.min(SECOND)
    } else {
        least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zombie(pid: i32, parent: i32) -> Stat {
        Stat {
            state: b'Z',
            ..Stat::of_pids(pid, parent)
        }
    }

    const HALF: Duration = Duration::from_millis(500);

    #[test]
    fn a_zombie_is_old_if_it_was_seen_before() {
        let mut sightings = Sightings::default();
        let [known, new] = [zombie(42, 7), zombie(43, 7)];
        let is_old =
            |sightings: &Sightings, stat, begun| sightings.is_old(stat, begun, None, SECOND);
        assert!(!is_old(&sightings, &known, SECOND));
        sightings.note([&known].into_iter(), HALF);
        assert!(!is_old(&sightings, &known, SECOND));
        assert!(is_old(&sightings, &known, HALF + SECOND));
        assert!(!is_old(&sightings, &new, HALF + SECOND));
        // The age is that since the first look, in all further ones.
        sightings.note([&known, &new].into_iter(), HALF + HALF);
        assert!(is_old(&sightings, &known, HALF + SECOND));
        // A pid that is used again, or a zombie that was handed on.
        let again = Stat {
            started: 1,
            ..known
        };
        let adopted = zombie(42, 1);
        assert!(!is_old(&sightings, &again, 9 * SECOND));
        assert!(!is_old(&sightings, &adopted, 9 * SECOND));
        sightings.note(std::iter::empty(), SECOND);
        assert!(!is_old(&sightings, &known, 9 * SECOND));
    }

    #[test]
    fn the_clock_shortens_the_wait_for_ages_above_a_second() {
        let mut sightings = Sightings::default();
        let zombie = zombie(42, 7);
        sightings.note([&zombie].into_iter(), Duration::ZERO);
        let minute = 60 * SECOND;
        let is_old = |begun, dead| sightings.is_old(&zombie, begun, dead, minute);
        assert!(is_old(SECOND, Some(minute)));
        assert!(!is_old(SECOND, Some(HALF)) && !is_old(SECOND, None));
        assert!(!is_old(HALF, Some(minute)));
        assert!(is_old(minute, None));
        assert_eq!(pause(minute, true), SECOND);
        assert_eq!(pause(minute, false), minute);
        assert_eq!(pause(HALF, true), HALF);
        assert!(sightings.is_old(&zombie, Duration::ZERO, None, Duration::ZERO));
    }
}
