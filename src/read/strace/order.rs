//! In which order the files of `strace -ff` are told: whose deed is next.
//!
//! The end of a wait that reaped a child comes behind all of the child's
//! lines, and a child's first line behind its creation.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::part::Part;
use super::story::Story;

type Parts = BTreeMap<i32, Part>;

/// Whose deed is next, and when it was done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) pid: i32,
    pub(super) time: Option<u64>,
}

/// An order.
pub(super) enum Order {
    ByTime(ByTime),
    ByKinship(ByKinship),
}

impl Order {
    /// Whose deed is next; `None` if all was told.
    pub(super) fn turn(&mut self, parts: &Parts, story: &Story) -> Option<Turn> {
        match self {
            Order::ByTime(order) => order.turn(parts, story),
            Order::ByKinship(order) => order.turn(parts, story),
        }
    }

    /// A deed of this task was told.
    pub(super) fn told(&mut self, pid: i32, parts: &Parts, story: &Story) {
        if let Order::ByTime(order) = self {
            order.told(pid, parts, story);
        }
    }
}

/// By the times of the lines. At the same time, those come last who were not
/// created yet: times may be in seconds.
#[derive(Default)]
pub(super) struct ByTime {
    ready: BTreeSet<(u64, bool, i32)>,
    /// Tasks whose waits wait for the last line of this one.
    held: BTreeMap<i32, Vec<i32>>,
    now: u64,
}

impl ByTime {
    pub(super) fn new(parts: &Parts, first: i32) -> ByTime {
        let mut order = ByTime::default();
        for (pid, part) in parts.iter().filter(|(_, part)| !part.is_over()) {
            order.ready.insert((part.due(), *pid != first, *pid));
        }
        order
    }

    fn turn(&mut self, parts: &Parts, story: &Story) -> Option<Turn> {
        if self.ready.is_empty() {
            // Who waits for each other in a circle is in no true log.
            for pid in std::mem::take(&mut self.held).into_values().flatten() {
                self.add(pid, parts, story);
            }
        }
        let (time, _, pid) = self.ready.pop_first()?;
        self.now = time;
        Some(Turn {
            pid,
            time: Some(time),
        })
    }

    fn add(&mut self, pid: i32, parts: &Parts, story: &Story) {
        if let Some(part) = parts.get(&pid) {
            let is_born = part.has_begun || story.tasks.contains_key(&pid);
            self.ready.insert((part.due().max(self.now), !is_born, pid));
        }
    }

    fn told(&mut self, pid: i32, parts: &Parts, story: &Story) {
        if let Some((child, part)) = story.newest.and_then(|child| parts.get_key_value(&child))
            && !part.has_begun
            && self.ready.remove(&(part.due(), true, *child))
        {
            self.add(*child, parts, story);
        }
        let Some(part) = parts.get(&pid) else {
            return;
        };
        if part.is_over() {
            for waiter in self.held.remove(&pid).unwrap_or_default() {
                self.add(waiter, parts, story);
            }
        } else if let Some(child) = awaited(pid, part, parts) {
            self.held.entry(child).or_default().push(pid);
        } else {
            self.add(pid, parts, story);
        }
    }
}

/// Without times: a task's lines one after the other, until one needs those of
/// another.
pub(super) struct ByKinship {
    /// Each is needed by the one before it.
    stack: Vec<i32>,
    creators: HashMap<i32, i32>,
}

impl ByKinship {
    pub(super) fn new(first: i32, creators: HashMap<i32, i32>) -> ByKinship {
        ByKinship {
            stack: vec![first],
            creators,
        }
    }

    fn turn(&mut self, parts: &Parts, story: &Story) -> Option<Turn> {
        loop {
            let Some(pid) = self.stack.last().copied() else {
                let left = parts.iter().find(|(_, part)| !part.is_over());
                self.stack.push(*left?.0);
                continue;
            };
            let below = self.stack.iter().rev().nth(1).copied();
            if below.is_some_and(|below| self.needs(below, parts, story) != Some(pid)) {
                self.stack.pop();
                continue;
            }
            match self.needs(pid, parts, story) {
                Some(other) if !self.stack.contains(&other) => self.stack.push(other),
                _ if parts.get(&pid).is_none_or(Part::is_over) => {
                    self.stack.pop();
                }
                _ => return Some(Turn { pid, time: None }),
            }
        }
    }

    /// Whose lines come before the next deed of a task.
    fn needs(&self, pid: i32, parts: &Parts, story: &Story) -> Option<i32> {
        let part = parts.get(&pid)?;
        if !part.has_begun && !story.tasks.contains_key(&pid) {
            let creator = self.creators.get(&pid).copied()?;
            return parts
                .get(&creator)
                .filter(|creator| !creator.is_over())
                .map(|_| creator);
        }
        awaited(pid, part, parts)
    }
}

/// The child whose lines come before the end of the wait that a task is in.
fn awaited(pid: i32, part: &Part, parts: &Parts) -> Option<i32> {
    let child = part.wait?.child.filter(|child| *child != pid)?;
    let lives = parts.get(&child).is_some_and(|child| !child.is_over());
    lives.then_some(child)
}
