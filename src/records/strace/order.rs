//! In which order the files of `strace -ff` are read: which task is next.
//!
//! The end of a wait that reaped a child comes behind all of the child's
//! lines, and a child's first line behind its creation.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::parser::Strace;
use super::task_log::TaskLog;
use crate::records::log::Translator;

type TaskLogs = BTreeMap<i32, TaskLog>;
type Known = Translator<Strace>;

/// Which task is next, and when its step was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) pid: i32,
    pub(super) time: Option<u64>,
}

/// An order.
pub(super) enum Order {
    ByTime(ByTime),
    ByCreation(ByCreation),
}

impl Order {
    /// Which task is next; `None` if all steps were taken.
    pub(super) fn turn(&mut self, logs: &TaskLogs, known: &Known) -> Option<Turn> {
        match self {
            Order::ByTime(order) => order.turn(logs, known),
            Order::ByCreation(order) => order.turn(logs, known),
        }
    }

    /// A step of this task was taken.
    pub(super) fn taken(&mut self, pid: i32, logs: &TaskLogs, known: &Known) {
        if let Order::ByTime(order) = self {
            order.taken(pid, logs, known);
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

/// Which task comes first at the same time, which may be in seconds.
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
    pub(super) fn new(logs: &TaskLogs, first: i32) -> ByTime {
        let mut order = ByTime::default();
        for (pid, log) in logs.iter().filter(|(_, log)| !log.is_over()) {
            let rank = if *pid == first {
                Rank::Usual
            } else {
                Rank::Unborn
            };
            order.ready.insert((log.due(), rank, *pid));
        }
        order
    }

    fn turn(&mut self, logs: &TaskLogs, known: &Known) -> Option<Turn> {
        if self.ready.is_empty() {
            // A cycle of waits means that the log is corrupt.
            for pid in std::mem::take(&mut self.held).into_values().flatten() {
                self.add(pid, logs, known);
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

    fn add(&mut self, pid: i32, logs: &TaskLogs, known: &Known) {
        if let Some(log) = logs.get(&pid) {
            let is_born = log.has_begun || known.tree.knows(pid);
            let rank = if is_born { Rank::Usual } else { Rank::Unborn };
            self.ready.insert((log.due().max(self.now), rank, pid));
        }
    }

    fn taken(&mut self, pid: i32, logs: &TaskLogs, known: &Known) {
        if let Some((child, log)) = known.newest.and_then(|child| logs.get_key_value(&child))
            && !log.has_begun
            && self.ready.remove(&(log.due(), Rank::Unborn, *child))
        {
            self.add(*child, logs, known);
        }
        let Some(log) = logs.get(&pid) else {
            return;
        };
        if log.is_over() {
            self.release(pid, logs, known);
        } else if let Some(child) = awaited(pid, log, logs) {
            self.held.entry(child).or_default().push(pid);
            self.ready.extend(overdue(pid, log));
        } else {
            self.add(pid, logs, known);
        }
    }

    /// The last line of a task was read.
    fn release(&mut self, child: i32, logs: &TaskLogs, known: &Known) {
        for waiter in self.held.remove(&child).unwrap_or_default() {
            if let Some(key) = logs.get(&waiter).and_then(|log| overdue(waiter, log)) {
                self.ready.remove(&key);
            }
            self.add(waiter, logs, known);
        }
    }
}

/// When a task's wait is over at the latest: by its next line.
fn overdue(pid: i32, log: &TaskLog) -> Option<(u64, Rank, i32)> {
    Some((log.time()?, Rank::Overdue, pid))
}

/// Without times: a task's lines one after the other, until one needs those of
/// another.
pub(super) struct ByCreation {
    /// Each is needed by the one before it.
    stack: Vec<i32>,
    creators: HashMap<i32, i32>,
}

impl ByCreation {
    pub(super) fn new(first: i32, creators: HashMap<i32, i32>) -> ByCreation {
        ByCreation {
            stack: vec![first],
            creators,
        }
    }

    fn turn(&mut self, logs: &TaskLogs, known: &Known) -> Option<Turn> {
        loop {
            let Some(pid) = self.stack.last().copied() else {
                let left = logs.iter().find(|(_, log)| !log.is_over());
                self.stack.push(*left?.0);
                continue;
            };
            let below = self.stack.iter().rev().nth(1).copied();
            if below.is_some_and(|below| self.needs(below, logs, known) != Some(pid)) {
                self.stack.pop();
                continue;
            }
            match self.needs(pid, logs, known) {
                Some(other) if !self.stack.contains(&other) => self.stack.push(other),
                _ if logs.get(&pid).is_none_or(TaskLog::is_over) => {
                    self.stack.pop();
                }
                _ => return Some(Turn { pid, time: None }),
            }
        }
    }

    /// The task whose lines come before the next step of this one.
    fn needs(&self, pid: i32, logs: &TaskLogs, known: &Known) -> Option<i32> {
        let log = logs.get(&pid)?;
        if !log.has_begun && !known.tree.knows(pid) {
            let creator = self.creators.get(&pid).copied()?;
            return logs
                .get(&creator)
                .filter(|creator| !creator.is_over())
                .map(|_| creator);
        }
        awaited(pid, log, logs)
    }
}

/// The child whose lines come before the end of the wait that a task is in.
fn awaited(pid: i32, log: &TaskLog, logs: &TaskLogs) -> Option<i32> {
    let child = log.wait?.child.filter(|child| *child != pid)?;
    let lives = logs.get(&child).is_some_and(|child| !child.is_over());
    lives.then_some(child)
}
