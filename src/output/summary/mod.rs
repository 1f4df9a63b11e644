//! The summary (`-c`, `-C`): who forked, who reaped, how late. Pure: events and
//! the ledger in, a table out. Its size grows with the processes that fork or
//! wait, never with their children.

mod table;

use std::collections::BTreeMap;
use std::io;

use hdrhistogram::Histogram;
use rustc_hash::FxHashMap;

use super::{Conclusion, Output};
use crate::event::{Comm, Event, EventKind, How, Moment};
use crate::kernel::{Status, Tgid, Tid, WaitOptions, WaitStatus};
use crate::ledger::{Ledger, Process, ProcessId, ReapKind};
use crate::rules::ZombiesLeft;

/// How many processes have a row of their own; the others share one.
const MOST_ROWS: usize = 10_000;

/// What the rows are sorted by (`-S`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// The oldest zombie that it reaped or left.
    #[default]
    Longest,
    /// Children that it created.
    Forked,
    /// Children that it reaped.
    Reaped,
    /// Dead children that were not reaped.
    Left,
    /// Children that it reaped late.
    Late,
    /// Waits with `WNOHANG`.
    Polls,
    /// The time that it was blocked in waits.
    Blocked,
    /// Its pid.
    Pid,
    /// Its name.
    Command,
}

impl SortBy {
    /// All of them, by their names.
    pub const ALL: [(&str, SortBy); 9] = [
        ("longest", SortBy::Longest),
        ("forked", SortBy::Forked),
        ("reaped", SortBy::Reaped),
        ("left", SortBy::Left),
        ("late", SortBy::Late),
        ("polls", SortBy::Polls),
        ("blocked", SortBy::Blocked),
        ("pid", SortBy::Pid),
        ("command", SortBy::Command),
    ];
}

/// What is counted of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) pid: Option<Tgid>,
    pub(super) comm: Comm,
    /// Processes that it became the parent of by creating them.
    pub(super) forked: u64,
    /// Children that its waits reaped.
    pub(super) reaped: u64,
    /// Of these, those that had been dead for longer than the rule
    /// `late-reap` likes.
    pub(super) late: u64,
    /// Its dead children that were not reaped yet, or not when it ended.
    pub(super) left: u64,
    /// Waits that ended, and those of them with `WNOHANG`.
    pub(super) waits: u64,
    pub(super) polls: u64,
    /// Nanoseconds in waits without `WNOHANG`, of all threads.
    pub(super) blocked: u64,
    /// Nanoseconds that its oldest zombie was one.
    pub(super) longest: u64,
    /// CPU time of it and the children that it reaped, in nanoseconds, and the most
    /// memory of one of them in KiB; 0 if not known.
    pub(super) cpu: u64,
    pub(super) peak: u64,
}

impl Row {
    fn add(&mut self, other: &Row) {
        self.forked += other.forked;
        self.reaped += other.reaped;
        self.late += other.late;
        self.left += other.left;
        self.waits += other.waits;
        self.polls += other.polls;
        self.blocked = self.blocked.saturating_add(other.blocked);
        self.longest = self.longest.max(other.longest);
        // A parent's includes its children's.
        self.cpu = self.cpu.max(other.cpu);
        self.peak = self.peak.max(other.peak);
    }
}

/// Counts what the processes of a trace do.
#[derive(Debug)]
pub struct Summary {
    late: u64,
    sort: SortBy,
    rows: FxHashMap<ProcessId, Row>,
    /// Of those that have no row of their own.
    others: Row,
    /// Waits that go on: of which process, and since when.
    open: FxHashMap<Tid, (ProcessId, Moment)>,
    /// Nanoseconds from the end of a child to its reap.
    latency: Histogram<u64>,
    /// How children ended.
    ends: BTreeMap<Ending, u64>,
    now: Moment,
}

/// The summary as an output: the table stands where another output shows the
/// events, behind them or in their place.
pub struct Summarized {
    summary: Summary,
    shown: Box<dyn Output>,
    only: bool,
}

impl Summarized {
    /// Counts what `shown` shows; `only` for the table alone.
    #[must_use]
    pub fn new(summary: Summary, shown: Box<dyn Output>, only: bool) -> Summarized {
        Summarized {
            summary,
            shown,
            only,
        }
    }
}

impl Output for Summarized {
    fn event(&mut self, event: &Event, ledger: &Ledger) {
        self.summary.event(event, ledger);
        // Who waits for whom is no line of the trace.
        if !self.only || matches!(event.kind, EventKind::Looked(_)) {
            self.shown.event(event, ledger);
        }
    }

    fn message(&mut self, text: &str) {
        self.shown.message(text);
    }

    fn tick(&mut self, now: Moment, ledger: &Ledger) {
        self.shown.tick(now, ledger);
    }

    fn wants_tick(&self) -> bool {
        self.shown.wants_tick()
    }

    fn pause(&mut self) {
        self.shown.pause();
    }

    fn is_watched(&self) -> bool {
        self.shown.is_watched()
    }

    fn finish(&mut self, end: &Conclusion<'_>) -> io::Result<()> {
        self.summary.end(end.ledger, end.left);
        self.shown.finish(&Conclusion {
            summary: Some(&self.summary),
            ..*end
        })
    }
}

/// How a process ended: by a code, or by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Exited(u8),
    Signaled(i32),
}

impl Summary {
    /// An empty one; a reap is late after so many nanoseconds.
    ///
    /// # Panics
    /// Never: three digits are few enough.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the digits are a constant")]
    pub fn new(late: u64, sort: SortBy) -> Summary {
        Summary {
            late,
            sort,
            rows: FxHashMap::default(),
            others: Row::default(),
            open: FxHashMap::default(),
            latency: Histogram::new(3).expect("three digits are allowed"),
            ends: BTreeMap::new(),
            now: Moment::default(),
        }
    }

    /// Take an event, after the ledger has.
    pub fn event(&mut self, event: &Event, ledger: &Ledger) {
        self.now = event.at;
        match &event.kind {
            EventKind::Created(created) if created.how != How::Thread => {
                let parent = created.parent.unwrap_or(event.tgid);
                self.row(parent, ledger, |row| row.forked += 1);
            }
            EventKind::WaitEntered(entry) if !entry.options.contains(WaitOptions::NOHANG) => {
                if let Some(process) = ledger.process(event.tgid) {
                    self.open.insert(event.tid, (process.id, event.at));
                }
                // It has a row by the time that the wait is counted.
                self.row(event.tgid, ledger, |_| {});
            }
            EventKind::Executed { former, .. } => {
                // An exec ends the other threads, and gives the caller the leader's tid.
                self.close(event.tid);
                if let Some(former) = former {
                    self.close(*former);
                }
            }
            EventKind::WaitEnded(exit) => {
                self.close(event.tid);
                let polls = u64::from(exit.entry.options.contains(WaitOptions::NOHANG));
                self.row(event.tgid, ledger, |row| {
                    row.waits += 1;
                    row.polls += polls;
                });
            }
            EventKind::Ended { status } => {
                self.close(event.tid);
                if event.tid == event.tgid.leader() {
                    self.used(event.tgid, ledger);
                    self.ended(event.tgid, *status, ledger);
                }
            }
            EventKind::Adopted { child, .. } => {
                let zombie = ledger.process(*child).filter(|child| child.is_zombie());
                if let Some(parent) = zombie.and_then(Process::parent_pid) {
                    self.row(parent, ledger, |row| row.left += 1);
                }
            }
            _ => {}
        }
        if let Some(child) = ledger.just_reaped() {
            self.reaped(child, ledger);
        }
    }

    /// The trace is over: what goes on is counted up to now, and zombies that
    /// are left are as old as they are.
    /// Which of them count as left is for the rules to say, where they judge.
    pub(super) fn end(&mut self, ledger: &Ledger, left: Option<&ZombiesLeft>) {
        if let Some(left) = left {
            let mut others = left.total();
            for (id, row) in &mut self.rows {
                row.left = left.of(*id);
                others = others.saturating_sub(row.left);
            }
            self.others.left = others;
        }
        for tid in self.open.keys().copied().collect::<Vec<Tid>>() {
            self.close(tid);
        }
        for zombie in ledger.processes().filter(|process| process.is_zombie()) {
            let age = zombie.dead_for(self.now).unwrap_or(0);
            if let Some(parent) = zombie.parent_pid() {
                self.row(parent, ledger, |row| row.longest = row.longest.max(age));
            }
        }
    }

    /// The rows, sorted, and how many processes have none of their own.
    pub(super) fn sorted(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.rows.values().copied().collect();
        if self.others != Row::default() {
            rows.push(self.others);
        }
        rows.sort_by(|one, other| {
            let by = |key: fn(&Row) -> u64| key(other).cmp(&key(one));
            let order = match self.sort {
                SortBy::Longest => by(|row| row.longest),
                SortBy::Forked => by(|row| row.forked),
                SortBy::Reaped => by(|row| row.reaped),
                SortBy::Left => by(|row| row.left),
                SortBy::Late => by(|row| row.late),
                SortBy::Polls => by(|row| row.polls),
                SortBy::Blocked => by(|row| row.blocked),
                SortBy::Pid => std::cmp::Ordering::Equal,
                SortBy::Command => one.comm.as_bytes().cmp(other.comm.as_bytes()),
            };
            order.then(one.pid.map(Tgid::raw).cmp(&other.pid.map(Tgid::raw)))
        });
        rows
    }

    /// All rows in one.
    pub(super) fn total(&self) -> Row {
        let mut total = self.others;
        self.rows.values().for_each(|row| total.add(row));
        total
    }

    /// What a process has used, if it has a row.
    fn used(&mut self, tgid: Tgid, ledger: &Ledger) {
        let process = ledger.process(tgid);
        let used = process.and_then(|process| Some((process.id, process.usage?)));
        if let Some((id, usage)) = used
            && let Some(row) = self.rows.get_mut(&id)
        {
            row.cpu = (usage.user_us + usage.system_us).saturating_mul(1000);
            row.peak = usage.peak_kib;
        }
    }

    fn row(&mut self, tgid: Tgid, ledger: &Ledger, change: impl FnOnce(&mut Row)) {
        let Some(process) = ledger.process(tgid) else {
            return;
        };
        let has_room = self.rows.len() < MOST_ROWS || self.rows.contains_key(&process.id);
        if !has_room {
            change(&mut self.others);
            return;
        }
        let row = self.rows.entry(process.id).or_default();
        row.pid = Some(process.tgid);
        row.comm = process.image.comm;
        change(row);
    }

    /// A thread is in no wait any more.
    fn close(&mut self, tid: Tid) {
        let Some((id, since)) = self.open.remove(&tid) else {
            return;
        };
        let row = self.rows.get_mut(&id).unwrap_or(&mut self.others);
        row.blocked = row.blocked.saturating_add(self.now.since(since));
    }

    fn ended(&mut self, tgid: Tgid, status: WaitStatus, ledger: &Ledger) {
        let ending = match status.decode() {
            Status::Exited(code) => Some(Ending::Exited(code)),
            Status::Signaled { signal, .. } => Some(Ending::Signaled(signal.raw())),
            _ => None,
        };
        if let Some(ending) = ending {
            *self.ends.entry(ending).or_default() += 1;
        }
        for child in ledger.orphaned() {
            let age = ledger
                .process(*child)
                .and_then(|child| child.dead_for(self.now));
            let age = age.unwrap_or(0);
            self.row(tgid, ledger, |row| row.longest = row.longest.max(age));
        }
        let zombie = ledger.process(tgid).filter(|process| process.is_zombie());
        if let Some(parent) = zombie.and_then(Process::parent_pid) {
            self.row(parent, ledger, |row| row.left += 1);
        }
    }

    fn reaped(&mut self, child: &Process, ledger: &Ledger) {
        let Some(reap) = child.reaped else {
            return;
        };
        let latency = child.ended.map(|end| reap.when.at.since(end.when.at));
        let is_late = latency.is_some_and(|latency| latency > self.late);
        let by_wait = reap.way.is_wait() || reap.way == ReapKind::Fault;
        // Reaps of children that it left behind do not count for it.
        let reaper = ledger.parent(reap.by_process);
        let lives = reaper.is_some_and(|reaper| reaper.ended.is_none());
        self.row(reap.by_process.tgid, ledger, |row| {
            row.left -= u64::from(lives && row.left > 0);
            row.reaped += u64::from(by_wait);
            row.late += u64::from(by_wait && is_late);
            row.longest = row.longest.max(latency.unwrap_or(0));
        });
        if let Some(latency) = latency.filter(|_| by_wait) {
            // It grows as it must.
            let _ = self.latency.record(latency);
        }
    }
}

#[cfg(test)]
mod tests;
