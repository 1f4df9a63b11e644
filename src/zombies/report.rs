//! The zombies of the machine, each with its cause.

use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Options;
use super::cause::{Cause, cause};
use super::clock::Clock;
use super::parent::Parent;
use super::survey::{self, Survey};
use super::text::MOST_ZOMBIES;
use crate::kernel::{Tgid, WaitStatus};
use crate::proc::{self, Stat};

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
    pub(super) cause: Cause,
}

/// The result of one look.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Sorted by parent.
    pub(super) zombies: Vec<Zombie>,
    pub(super) parents: FxHashMap<Tgid, Parent>,
    pub(super) survey: Survey,
    /// What could not be observed, one clause each.
    pub(super) unseen: Vec<String>,
}

impl Report {
    /// Examines the machine, or the requested part of it.
    ///
    /// # Errors
    /// Which process does not exist.
    pub(super) fn take(options: &Options) -> Result<Report, String> {
        let survey = Survey::take().map_err(|error| format!("cannot read /proc: {error}"))?;
        let mut unseen = Vec::new();
        let mut dead = survey.dead();
        if !options.roots.is_empty() {
            let mut trees = FxHashSet::default();
            for root in &options.roots {
                if !survey.stats.contains_key(root) {
                    return Err(format!("there is no process {root}"));
                }
                trees.extend(survey.tree(*root));
            }
            dead.retain(|stat| trees.contains(&stat.pid));
        }
        if let Some(member) = options.namespace_of {
            retain_namespace(&mut dead, member, &mut unseen)?;
        }
        let mut clock = Clock::new();
        let mut parents = FxHashMap::default();
        for stat in &dead {
            let parent = survey.stats.get(&stat.parent);
            if let Some(parent) = parent.filter(|_| !parents.contains_key(&stat.parent))
                && let Some(read) = Parent::read(*parent, &mut clock)
            {
                parents.insert(stat.parent, read);
            }
        }
        let mut examiner = Examiner {
            parents: &parents,
            clock: &mut clock,
            may_see: FxHashMap::default(),
        };
        let mut siblings: FxHashMap<Tgid, usize> = FxHashMap::default();
        let zombies = dead.into_iter().map(|stat| {
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
        Ok(Report {
            zombies,
            parents,
            survey,
            unseen,
        })
    }

    /// How many zombies there are, without processes that have live threads.
    pub(super) fn count(&self) -> usize {
        let zombies = self.zombies.iter();
        zombies.filter(|zombie| zombie.stat.is_zombie()).count()
    }
}

/// Keeps those in the pid namespace of a process.
fn retain_namespace(
    dead: &mut Vec<Stat>,
    member: Tgid,
    unseen: &mut Vec<String>,
) -> Result<(), String> {
    let wanted = proc::pid_namespace(member).ok_or_else(|| {
        format!(
            "the pid namespace of {member} cannot be read: there is no such process, or it is \
             another user's (use sudo)"
        )
    })?;
    let mut unknown = 0;
    dead.retain(|stat| {
        let namespace = proc::pid_namespace(stat.pid);
        unknown += usize::from(namespace.is_none());
        namespace == Some(wanted)
    });
    if unknown > 0 {
        unseen.push(format!(
            "{unknown} zombies of other users, whose namespace root may see"
        ));
    }
    Ok(())
}

/// The shared state for examining zombies.
struct Examiner<'a> {
    parents: &'a FxHashMap<Tgid, Parent>,
    clock: &'a mut Clock,
    /// Whether the status of zombies with these uids is readable.
    may_see: FxHashMap<Vec<u32>, bool>,
}

impl Examiner<'_> {
    /// Examines one zombie; its times only if they are shown.
    fn examine(&mut self, stat: Stat, with_times: bool) -> Zombie {
        let (tracer, user) = survey::tracer_and_user(stat.pid);
        let may_see = self.may_see.entry(user);
        let may_see = *may_see.or_insert_with(|| proc::shows_status(stat.pid));
        let status = (stat.exit_code != 0 || may_see).then(|| WaitStatus::from_raw(stat.exit_code));
        let dead_for =
            with_times.then(|| self.clock.since_run(stat.pid, stat.pid.leader(), stat.cpu));
        Zombie {
            cause: cause(&stat, tracer, self.parents.get(&stat.parent)),
            status: status.filter(|_| stat.is_zombie()),
            dead_for: dead_for.flatten(),
            age: self.clock.since_start(stat.started),
            stat,
        }
    }
}
