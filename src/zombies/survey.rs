//! One pass over `/proc`: all processes, their parents, and which are zombies.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::kernel::Tgid;
use crate::proc::{Processes, Stat};

/// All processes, by pid.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) stats: FxHashMap<Tgid, Stat>,
    /// Whether `/proc` may hide processes of other users.
    pub(super) hides_others: bool,
}

impl Survey {
    /// Reads all processes. One that starts or ends meanwhile may be missed.
    ///
    /// # Errors
    /// If there is no `/proc`.
    pub(super) fn take() -> std::io::Result<Survey> {
        let all = Processes::read()?;
        let stats = all.stats.into_iter().map(|stat| (stat.pid, stat));
        Ok(Survey {
            stats: stats.collect(),
            hides_others: all.hides_others,
        })
    }

    /// Zombies, and processes with a dead leader, sorted by parent.
    pub(super) fn dead(&self) -> Vec<Stat> {
        let stats = self.stats.values().copied();
        let mut dead: Vec<Stat> = stats.filter(|stat| stat.state == b'Z').collect();
        dead.sort_by_key(|stat| (stat.parent, stat.pid));
        dead
    }

    /// A process and all its descendants.
    pub(super) fn tree(&self, root: Tgid) -> FxHashSet<Tgid> {
        let mut children: FxHashMap<Tgid, Vec<Tgid>> = FxHashMap::default();
        for stat in self.stats.values() {
            children.entry(stat.parent).or_default().push(stat.pid);
        }
        let mut tree = FxHashSet::default();
        let mut rest = vec![root];
        while let Some(pid) = rest.pop() {
            if tree.insert(pid) {
                rest.extend(children.get(&pid).into_iter().flatten());
            }
        }
        tree
    }

    /// The ancestors of a process, the nearest first.
    pub(super) fn ancestors(&self, pid: Tgid) -> Vec<Stat> {
        let mut above = Vec::new();
        let mut next = self.stats.get(&pid).map(|stat| stat.parent);
        while let Some(stat) = next.and_then(|pid| self.stats.get(&pid)) {
            // A pid that was reused meanwhile could make a cycle.
            if above.len() == self.stats.len() || above.contains(stat) {
                break;
            }
            above.push(*stat);
            next = Some(stat.parent);
        }
        above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(pids: &[(i32, i32)]) -> Survey {
        let stats = pids
            .iter()
            .map(|(pid, parent)| Stat::of_pids(*pid, *parent));
        Survey {
            stats: stats.map(|stat| (stat.pid, stat)).collect(),
            hides_others: false,
        }
    }

    #[test]
    fn a_circle_of_parents_has_an_end() {
        let survey = survey(&[(1, 0), (2, 3), (3, 2), (4, 1), (5, 4)]);
        let pid = Tgid::new;
        assert_eq!(survey.ancestors(pid(2)).len(), 2);
        let above: Vec<Tgid> = survey
            .ancestors(pid(5))
            .iter()
            .map(|stat| stat.pid)
            .collect();
        assert_eq!(above, [pid(4), pid(1)]);
        assert_eq!(survey.tree(pid(2)).len(), 2);
        assert_eq!(survey.tree(pid(1)).len(), 3);
    }
}
