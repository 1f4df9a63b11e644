//! The zombies that are judged, each with its cause, the worst parent first.

use std::cmp::Reverse;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::Options;
use super::cause::{Cause, cause};
use super::clock::Clock;
use super::look::Scene;
use super::parent::Parent;
use super::survey::Survey;
use super::text::MOST_ZOMBIES;
use super::users::Users;
use crate::kernel::{Tgid, WaitStatus};
use crate::proc::{self, ArgumentReader, Cgroup, Stat};

/// A process that is dead and not reaped.
#[derive(Clone, Debug)]
pub(super) struct Zombie {
    pub(super) stat: Stat,
    /// How it ended, if that may be read.
    pub(super) status: Option<WaitStatus>,
    /// Time since it ended, if the kernel shows it.
    pub(super) dead_for: Option<Duration>,
    /// Time since it was started.
    pub(super) age: Option<Duration>,
    /// Its arguments: a zombie has no memory, so those of processes with live threads
    /// alone.
    pub(super) argv: Option<Vec<Vec<u8>>>,
    /// Its real uid.
    pub(super) uid: Option<u32>,
    /// With cgroup v2, unless it is the root.
    pub(super) cgroup: Option<Cgroup>,
    pub(super) cause: Cause,
}

/// The result of one look.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// By parent, that with most zombies first; then by cause. At the end are processes
    /// with live threads.
    pub(super) zombies: Vec<Zombie>,
    /// How many more are too young to be judged.
    pub(super) young: usize,
    /// The least age of a zombie that is judged.
    pub(super) least: Duration,
    pub(super) parents: FxHashMap<Tgid, Parent>,
    pub(super) survey: Survey,
    pub(super) users: Users,
    /// What could not be observed, one clause each.
    pub(super) unseen: Vec<String>,
}

impl Report {
    /// Examines the dead processes of a look.
    pub(super) fn of(scene: Scene, young: usize, options: &Options) -> Report {
        let Scene {
            survey,
            dead,
            mut unseen,
            ..
        } = scene;
        let mut clock = Clock::new();
        let mut arguments = ArgumentReader::default();
        let mut parents = FxHashMap::default();
        for stat in &dead {
            let parent = survey.stats.get(&stat.parent);
            if let Some(parent) = parent.filter(|_| !parents.contains_key(&stat.parent))
                && let Some(read) = Parent::read(*parent, &mut clock, &mut arguments)
            {
                parents.insert(stat.parent, read);
            }
        }
        let mut examiner = Examiner {
            parents: &parents,
            clock: &mut clock,
            arguments: &mut arguments,
            may_see: FxHashMap::default(),
            hides_others: survey.hides_others,
        };
        let mut siblings: FxHashMap<Tgid, usize> = FxHashMap::default();
        let zombies = dead.into_iter().filter_map(|stat| {
            let before = siblings.entry(stat.parent).or_default();
            *before += 1;
            examiner.examine(stat, options.json || *before <= MOST_ZOMBIES)
        });
        let zombies: Vec<Zombie> = zombies.collect();
        let hidden = zombies.iter().filter(|zombie| zombie.status.is_none());
        let hidden = hidden.filter(|zombie| zombie.stat.is_zombie()).count();
        if hidden > 0 {
            unseen.push(format!(
                "the exit status of {hidden} of them, which their user or root may see"
            ));
        }
        Report {
            zombies: worst_first(zombies),
            young,
            least: options.least,
            parents,
            survey,
            users: Users::read(),
            unseen,
        }
    }

    /// How many zombies there are, without processes that have live threads.
    pub(super) fn count(&self) -> usize {
        let zombies = self.zombies.iter();
        zombies.filter(|zombie| zombie.stat.is_zombie()).count()
    }
}

/// Sorts by the number of zombies that a parent has, then that of a cause.
fn worst_first(mut zombies: Vec<Zombie>) -> Vec<Zombie> {
    let mut of_parent: FxHashMap<Tgid, usize> = FxHashMap::default();
    // Of each cause: its place, to keep it together, and how many have it.
    let mut of_cause: FxHashMap<(Tgid, Cause), (usize, usize)> = FxHashMap::default();
    for zombie in &zombies {
        *of_parent.entry(zombie.stat.parent).or_default() += usize::from(zombie.stat.is_zombie());
        let next = of_cause.len();
        let cause = of_cause.entry((zombie.stat.parent, zombie.cause.clone()));
        cause.or_insert((next, 0)).1 += 1;
    }
    zombies.sort_by_cached_key(|zombie| {
        let parent = zombie.stat.parent;
        let cause = of_cause.get(&(parent, zombie.cause.clone()));
        let (place, with_cause) = cause.copied().unwrap_or_default();
        (
            !zombie.stat.is_zombie(),
            Reverse(of_parent.get(&parent).copied()),
            parent,
            Reverse(with_cause),
            place,
            (zombie.stat.started, zombie.stat.pid),
        )
    });
    zombies
}

/// The shared state for examining zombies.
struct Examiner<'a> {
    parents: &'a FxHashMap<Tgid, Parent>,
    clock: &'a mut Clock,
    arguments: &'a mut ArgumentReader,
    /// Whether the status of zombies with these uids is readable.
    may_see: FxHashMap<Vec<u32>, bool>,
    hides_others: bool,
}

impl Examiner<'_> {
    /// Examines one zombie, and in detail if that is shown. `None` if it is reaped: its
    /// parent was examined before, so what that does is no cause then.
    fn examine(&mut self, stat: Stat, in_detail: bool) -> Option<Zombie> {
        let now = proc::status(stat.pid.leader())?;
        if now.state != b'Z' || now.parent != Some(stat.parent) {
            return None;
        }
        let uid = now.uids.first().copied();
        let tracer = now.tracer.filter(|tracer| tracer.raw() != 0);
        let may_see = self.may_see.entry(now.uids);
        let may_see = *may_see.or_insert_with(|| proc::shows_status(stat.pid));
        let status = (stat.exit_code != 0 || may_see).then(|| WaitStatus::from_raw(stat.exit_code));
        let dead_for =
            in_detail.then(|| self.clock.since_run(stat.pid, stat.pid.leader(), stat.cpu));
        let argv = stat.is_headless().then(|| self.arguments.read(stat.pid));
        let cgroup = in_detail.then(|| Cgroup::read(stat.pid));
        let parent = self.parents.get(&stat.parent);
        Some(Zombie {
            cause: cause(&stat, tracer, parent, self.hides_others),
            status: status.filter(|_| stat.is_zombie()),
            dead_for: dead_for.flatten(),
            age: self.clock.since_start(stat.started),
            argv: argv.flatten(),
            uid,
            cgroup: cgroup.flatten(),
            stat,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zombie(pid: i32, parent: i32, cause: Cause) -> Zombie {
        let threads = if matches!(cause, Cause::Headless(_)) {
            2
        } else {
            1
        };
        Zombie {
            stat: Stat {
                state: b'Z',
                threads,
                ..Stat::of_pids(pid, parent)
            },
            status: None,
            dead_for: None,
            age: None,
            argv: None,
            uid: None,
            cgroup: None,
            cause,
        }
    }

    #[test]
    fn the_parent_with_most_zombies_comes_first() {
        let traced = || Cause::Traced(crate::kernel::Tid::new(9));
        let zombies = vec![
            zombie(10, 2, Cause::Headless(1)),
            zombie(11, 2, Cause::Stopped),
            zombie(12, 3, traced()),
            zombie(13, 3, Cause::Hidden),
            zombie(14, 3, Cause::Hidden),
            zombie(15, 4, Cause::Hidden),
        ];
        let sorted = worst_first(zombies);
        let pids: Vec<i32> = sorted.iter().map(|zombie| zombie.stat.pid.raw()).collect();
        assert_eq!(pids, [13, 14, 12, 11, 15, 10]);
    }
}
