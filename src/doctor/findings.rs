//! What a look at the machine found: the zombies, each with its cause.

use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Wish;
use super::cause::{Cause, cause};
use super::clock::Clock;
use super::parent::Parent;
use super::survey::{self, Row, Survey};
use super::text::MOST_ZOMBIES;
use crate::kernel::WaitStatus;

/// A process that is dead and not reaped.
#[derive(Clone, Debug)]
pub(super) struct Zombie {
    pub(super) row: Row,
    /// How it ended, if we may know.
    pub(super) status: Option<WaitStatus>,
    /// How long it has been dead, where the kernel tells.
    pub(super) dead_for: Option<Duration>,
    /// How long ago it was started.
    pub(super) age: Option<Duration>,
    pub(super) cause: Cause,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// In the order of their parents.
    pub(super) zombies: Vec<Zombie>,
    pub(super) parents: FxHashMap<i32, Parent>,
    pub(super) survey: Survey,
    /// What could not be seen, a clause each.
    pub(super) unseen: Vec<String>,
}

impl Findings {
    /// Look at the machine, or the part of it that was asked for.
    ///
    /// # Errors
    /// A sentence on what is not there.
    pub(super) fn take(wish: &Wish) -> Result<Findings, String> {
        let survey = Survey::take().map_err(|error| format!("cannot read /proc: {error}"))?;
        let mut unseen = Vec::new();
        let mut dead = survey.dead();
        if !wish.roots.is_empty() {
            let mut trees = FxHashSet::default();
            for root in &wish.roots {
                if !survey.rows.contains_key(root) {
                    return Err(format!("there is no process {root}"));
                }
                trees.extend(survey.tree(*root));
            }
            dead.retain(|row| trees.contains(&row.pid));
        }
        if let Some(member) = wish.namespace_of {
            retain_namespace(&mut dead, member, &mut unseen)?;
        }
        let mut clock = Clock::new();
        let mut parents = FxHashMap::default();
        for row in &dead {
            let parent = survey.rows.get(&row.parent);
            if let Some(parent) = parent.filter(|_| !parents.contains_key(&row.parent))
                && let Some(read) = Parent::read(*parent, &mut clock)
            {
                parents.insert(row.parent, read);
            }
        }
        let mut examiner = Examiner {
            parents: &parents,
            clock: &mut clock,
            may_see: FxHashMap::default(),
        };
        let mut siblings: FxHashMap<i32, usize> = FxHashMap::default();
        let zombies = dead.into_iter().map(|row| {
            let before = siblings.entry(row.parent).or_default();
            *before += 1;
            examiner.examine(row, wish.json || *before <= MOST_ZOMBIES)
        });
        let zombies: Vec<Zombie> = zombies.collect();
        let hidden = zombies.iter().filter(|zombie| zombie.status.is_none());
        let hidden = hidden.filter(|zombie| zombie.row.is_zombie()).count();
        if hidden > 0 {
            unseen.push(format!(
                "the exit status of {hidden} of them, which their user or root may see"
            ));
        }
        Ok(Findings {
            zombies,
            parents,
            survey,
            unseen,
        })
    }

    /// How many zombies there are; a process that lives on is none.
    pub(super) fn count(&self) -> usize {
        let zombies = self.zombies.iter();
        zombies.filter(|zombie| zombie.row.is_zombie()).count()
    }
}

/// Keep those of the pid namespace that a process lives in.
fn retain_namespace(
    dead: &mut Vec<Row>,
    member: i32,
    unseen: &mut Vec<String>,
) -> Result<(), String> {
    let wanted = survey::namespace(member).ok_or_else(|| {
        format!(
            "the pid namespace of {member} cannot be read: there is no such process, or it is \
             another user's (use sudo)"
        )
    })?;
    let mut unknown = 0;
    dead.retain(|row| {
        let namespace = survey::namespace(row.pid);
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

/// What zombies are examined with.
struct Examiner<'a> {
    parents: &'a FxHashMap<i32, Parent>,
    clock: &'a mut Clock,
    /// Whether we may see the status of zombies of these users.
    may_see: FxHashMap<Vec<u32>, bool>,
}

impl Examiner<'_> {
    /// Find out about one; its times only if they are shown.
    fn examine(&mut self, row: Row, with_times: bool) -> Zombie {
        let (tracer, user) = survey::tracer_and_user(row.pid);
        let may_see = self.may_see.entry(user);
        let may_see = *may_see.or_insert_with(|| survey::may_see(row.pid));
        let status = (row.exit_code != 0 || may_see).then(|| WaitStatus::from_raw(row.exit_code));
        let dead_for = with_times.then(|| self.clock.since_run(row.pid, row.pid, row.cpu));
        Zombie {
            cause: cause(&row, tracer, self.parents.get(&row.parent)),
            status: status.filter(|_| row.is_zombie()),
            dead_for: dead_for.flatten(),
            age: self.clock.since_start(row.started),
            row,
        }
    }
}
