//! Children that SIGKILL or a crash ended, and that were reaped: who waits for their work,
//! and not for them, waits for ever.

use rustc_hash::FxHashMap;

use super::super::span::Span;
use super::{MOST_OF_A_COMMAND, Row, Tree};
use crate::kernel::phrases::Ended;
use crate::kernel::{Signal, Status, Tgid};
use crate::ledger::{End, Ledger, Process};

/// How many of a parent have lines of their own at most, the last ones.
const MOST_KILLED: usize = 3;

/// The killed children of each process, in the order of their deaths.
pub(super) type Killed<'a> = FxHashMap<Tgid, Vec<(&'a Process, End)>>;

pub(super) fn killed(ledger: &Ledger) -> Killed<'_> {
    let mut killed = Killed::default();
    for process in ledger.processes() {
        let end = process.ended.filter(|_| process.reaped.is_some());
        let Some((parent, end)) = ledger.parent_of(process).zip(end) else {
            continue;
        };
        // What the parent itself kills, it does not wait for.
        let history = &process.history;
        let is_news = history.kill_sent_by != Some(parent.tgid)
            && !history.killed_by_tracer
            && !history.crash_was_sent;
        if is_news && is_by_force(end) {
            killed.entry(parent.tgid).or_default().push((process, end));
        }
    }
    for children in killed.values_mut() {
        children.sort_by_key(|(_, end)| end.when.seq);
    }
    killed
}

fn is_by_force(end: End) -> bool {
    let Status::Signaled { signal, .. } = end.status.decode() else {
        return false;
    };
    signal == Signal::KILL || signal.is_crash()
}

impl Tree<'_> {
    /// The lines of the killed children of a process, before those of the others.
    pub(super) fn rows_of_killed(&self, tgid: Tgid, below: &str, are_last: bool) -> Vec<Row> {
        let killed = self.killed.get(&tgid).map_or(&[][..], Vec::as_slice);
        let before = killed.len().saturating_sub(MOST_KILLED);
        let mut rows: Vec<Row> = Vec::new();
        if before > 0 {
            rows.push(Row {
                name: format!("{before}"),
                words: "or more killed before, and reaped".to_owned(),
            });
        }
        rows.extend(killed.iter().skip(before).map(|(child, end)| Row {
            name: format!(
                "{} {}",
                child.tgid,
                self.command(child.tgid, MOST_OF_A_COMMAND)
            ),
            words: format!(
                "{} {} ago, and reaped",
                Ended(end.status),
                Span(self.at.since(end.when.at))
            ),
        }));
        let count = rows.len();
        for (at, row) in rows.iter_mut().enumerate() {
            let branch = if are_last && at + 1 == count {
                "└"
            } else {
                "├"
            };
            row.name = format!("{below}{branch} {}", row.name);
        }
        rows
    }
}
