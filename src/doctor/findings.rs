//! What a look at the machine found: the zombies, each with its cause.

use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Wish;
use super::cause::{Cause, cause};
use super::clock::Clock;
use super::parent::Parent;
use super::survey::{self, Row, Survey};
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
        let zombies = dead
            .into_iter()
            .map(|row| examine(row, &parents, &mut clock));
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

fn examine(row: Row, parents: &FxHashMap<i32, Parent>, clock: &mut Clock) -> Zombie {
    let parent = parents.get(&row.parent);
    let status = (row.exit_code != 0 || survey::may_see(row.pid))
        .then(|| WaitStatus::from_raw(row.exit_code));
    let tracer = survey::tracer(row.pid);
    Zombie {
        cause: cause(&row, tracer, parent),
        status: status.filter(|_| row.is_zombie()),
        dead_for: clock.since_run(row.pid, row.pid, row.cpu),
        age: clock.since_start(row.started),
        row,
    }
}
