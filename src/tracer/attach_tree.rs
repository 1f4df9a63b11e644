//! `-p --tree`: a process with all of its living descendants.

use rustc_hash::FxHashSet;

use super::engine::Tracer;
use super::refusal;
use super::scheduler::Scheduler;
use crate::event::Event;
use crate::kernel::{Errno, Tgid, Tid};
use crate::proc;

impl<S: Scheduler> Tracer<S> {
    /// Attach to a process and all of its descendants, but not to ourselves, our
    /// ancestors and kernel threads. Returns what was refused, a sentence each;
    /// a process that ends meanwhile is none.
    ///
    /// Parents come first, so that what they fork from then on is followed; what
    /// was forked before is found by another pass, until one finds nothing new.
    pub(crate) fn attach_tree(&mut self, pid: Tid, events: &mut Vec<Event>) -> Vec<String> {
        let status = proc::status(pid).filter(|_| self.sees_proc());
        let root = status.and_then(|status| status.tgid);
        let Some(root) = root else {
            return vec![refusal::explain(pid, Errno::SRCH)];
        };
        let left_out = ourselves_and_above();
        let mut refused = Vec::new();
        let mut tried = FxHashSet::default();
        loop {
            let before = tried.len();
            for tgid in family_of(root) {
                let is_traced = self.tasks.processes.contains_key(&tgid);
                if left_out.contains(&tgid) || is_traced || !tried.insert(tgid) {
                    continue;
                }
                match self.attach(tgid.leader(), events) {
                    Ok(partial) => refused.extend(partial),
                    Err(_) if tgid != root && !can_be_asked(tgid) => {}
                    Err(sentence) => refused.push(sentence),
                }
            }
            if tried.len() == before {
                return refused;
            }
        }
    }
}

/// A process and its descendants, parents first.
fn family_of(root: Tgid) -> Vec<Tgid> {
    let mut family = vec![root];
    let mut seen: FxHashSet<Tgid> = family.iter().copied().collect();
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        let children = proc::children(parent).unwrap_or_default();
        family.extend(children.into_iter().filter(|child| seen.insert(*child)));
        next += 1;
    }
    family
}

/// This process, its parent, and so on.
fn ourselves_and_above() -> FxHashSet<Tgid> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let parent = |tgid: &Tgid| proc::Stat::read(*tgid).map(|stat| stat.parent);
    let line = std::iter::successors(Some(Tgid::new(own)), parent);
    line.take_while(|tgid| tgid.raw() > 0).collect()
}

/// Whether a process lives and is none of the kernel's.
fn can_be_asked(tgid: Tgid) -> bool {
    let status = proc::status(tgid.leader());
    status.is_some_and(|status| status.has_memory && !matches!(status.state, b'Z' | b'X'))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_family_is_found_with_parents_first_and_we_are_above() {
        let mut shell = Command::new("sh")
            .args(["-c", "sh -c 'cat; :' ; :"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let root = Tgid::new(i32::try_from(shell.id()).unwrap());
        let mut family = family_of(root);
        for _ in 0..1000 {
            if family.len() == 3 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
            family = family_of(root);
        }
        let parents = family.iter().skip(1).zip(&family);
        for (child, parent) in parents {
            assert_eq!(proc::Stat::read(*child).unwrap().parent, *parent);
        }
        assert_eq!(family.first(), Some(&root));
        assert!(family.iter().copied().all(can_be_asked));
        let above = ourselves_and_above();
        assert!(above.contains(&proc::Stat::read(root).unwrap().parent));
        assert!(!above.contains(&root));
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}
