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

/// By the times of the lines.
#[derive(Default)]
pub(super) struct ByTime {
    ready: BTreeSet<(u64, Rank, i32)>,
    /// Tasks whose waits wait for the last line of this one.
    held: BTreeMap<i32, Vec<i32>>,
    now: u64,
}

/// Who comes first at the same time, which may be in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Usual,
    /// It was not created yet.
    Unborn,
    /// Its next line comes now, though the child that it waits for goes on:
    /// it is another of the same pid.
    Overdue,
}

impl ByTime {
    pub(super) fn new(parts: &Parts, first: i32) -> ByTime {
        let mut order = ByTime::default();
        for (pid, part) in parts.iter().filter(|(_, part)| !part.is_over()) {
            let rank = if *pid == first {
                Rank::Usual
            } else {
                Rank::Unborn
            };
            order.ready.insert((part.due(), rank, *pid));
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
        let (time, rank, pid) = self.ready.pop_first()?;
        if rank == Rank::Overdue {
            for waiters in self.held.values_mut() {
                waiters.retain(|waiter| *waiter != pid);
            }
        }
        self.now = self.now.max(time);
        Some(Turn {
            pid,
            time: Some(self.now),
        })
    }

    fn add(&mut self, pid: i32, parts: &Parts, story: &Story) {
        if let Some(part) = parts.get(&pid) {
            let is_born = part.has_begun || story.tasks.contains_key(&pid);
            let rank = if is_born { Rank::Usual } else { Rank::Unborn };
            self.ready.insert((part.due().max(self.now), rank, pid));
        }
    }

    fn told(&mut self, pid: i32, parts: &Parts, story: &Story) {
        if let Some((child, part)) = story.newest.and_then(|child| parts.get_key_value(&child))
            && !part.has_begun
            && self.ready.remove(&(part.due(), Rank::Unborn, *child))
        {
            self.add(*child, parts, story);
        }
        let Some(part) = parts.get(&pid) else {
            return;
        };
        if part.is_over() {
            self.release(pid, parts, story);
        } else if let Some(child) = awaited(pid, part, parts) {
            self.held.entry(child).or_default().push(pid);
            self.ready.extend(overdue(pid, part));
        } else {
            self.add(pid, parts, story);
        }
    }

    /// The last line of a task was told.
    fn release(&mut self, child: i32, parts: &Parts, story: &Story) {
        for waiter in self.held.remove(&child).unwrap_or_default() {
            if let Some(key) = parts.get(&waiter).and_then(|part| overdue(waiter, part)) {
                self.ready.remove(&key);
            }
            self.add(waiter, parts, story);
        }
    }
}

/// When a task's wait is over at the latest: by its next line.
fn overdue(pid: i32, part: &Part) -> Option<(u64, Rank, i32)> {
    Some((part.time()?, Rank::Overdue, pid))
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
