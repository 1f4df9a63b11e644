//! Who waits for whom: the living processes as a tree, and what keeps each.

mod keepers;
mod killed;
mod words;

use std::borrow::Cow;
use std::fmt::Write;

use owo_colors::Style;
use rustc_hash::{FxHashMap, FxHashSet};

use super::span::Span;
use super::text::Text;
use crate::event::{BlockedTask, LookCause, Moment, MutexHolder, WaitingLook, WaitsOn};
use crate::kernel::phrases::Ended;
use crate::kernel::{Status, Tgid, Tid};
use crate::ledger::{Ledger, Process, Waiting};
use killed::Killed;
use words::shown;

/// How much of a command line is shown.
const MOST_OF_A_COMMAND: usize = 60;
/// What is left to the words about a process on a terminal, at least.
const ROOM_FOR_WORDS: usize = 44;
/// How many zombies of a parent have lines of their own at most.
const MOST_ZOMBIES: usize = 6;
/// The blanks before a name and behind it.
const MARGIN: usize = 4;
/// Words in fewer columns than that are left to the terminal.
const LEAST_ROOM: usize = 24;
/// How many lines there are at most.
const MOST_LINES: usize = 60;

impl Text {
    /// Shows the tree where messages go.
    pub(super) fn looked(&mut self, look: &WaitingLook, at: Moment, ledger: &Ledger) {
        let columns = self.options.columns;
        let Some(tree) = tree(look, at, ledger, columns()) else {
            return;
        };
        let style = match look.cause {
            LookCause::Silence(_) => self.styles.dim,
            _ => Style::new(),
        };
        let mut prefix = "wait4-strace: ";
        for line in tree.lines() {
            let text = format!("{prefix}{line}");
            self.streams.message(&style.style(text).to_string());
            prefix = "";
        }
        self.streams.write_out();
    }
}

/// The tree as text, a line each, or nothing if nothing is alive. `at` is the moment of
/// the look; `width` that of the terminal.
#[must_use]
pub(super) fn tree(
    look: &WaitingLook,
    at: Moment,
    ledger: &Ledger,
    width: Option<usize>,
) -> Option<String> {
    let tree = Tree::new(look, at, ledger);
    let rows = tree.rows();
    if rows.is_empty() {
        return None;
    }
    let mut text = heading(look, at, ledger);
    text.push('\n');
    let longest = width.map_or(MOST_OF_A_COMMAND, |width| {
        MOST_OF_A_COMMAND.min(width.saturating_sub(ROOM_FOR_WORDS).max(16))
    });
    let named: Vec<(String, &str)> = rows
        .iter()
        .take(MOST_LINES)
        .map(|row| (cut(&row.name, longest), row.words.as_str()))
        .collect();
    let column = named.iter().map(|(name, _)| name.chars().count());
    let column = column.max().unwrap_or(0);
    let room = width.map(|width| width.saturating_sub(column + MARGIN));
    for (name, words) in &named {
        let mut name = name.as_str();
        for part in wrapped(words, room) {
            let _ = writeln!(text, "  {name:<column$}  {part}");
            name = "";
        }
    }
    if rows.len() > MOST_LINES {
        let _ = writeln!(text, "  … and {} more", rows.len() - MOST_LINES);
    }
    Some(text)
}

/// Words in lines of so many characters, if there is room for any. No word is broken.
fn wrapped(words: &str, room: Option<usize>) -> Vec<Cow<'_, str>> {
    match room.filter(|room| *room >= LEAST_ROOM) {
        Some(room) => {
            let options = textwrap::Options::new(room);
            let options = options.word_splitter(textwrap::WordSplitter::NoHyphenation);
            textwrap::wrap(words, options.break_words(false))
        }
        None => vec![words.into()],
    }
}

/// A text, cut to so many characters.
fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let kept = text.chars().take(longest.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// The line above the tree.
fn heading(look: &WaitingLook, at: Moment, ledger: &Ledger) -> String {
    let since_start = Span(at.0);
    match look.cause {
        LookCause::Asked | LookCause::TimeIsUp => {
            format!("after {since_start}, who waits for whom:")
        }
        LookCause::Silence(nanos) => {
            format!(
                "nothing has happened for {}; who waits for whom:",
                Span(nanos)
            )
        }
        LookCause::Hang => {
            format!("after {since_start} the command can never end; who waits for whom:")
        }
        LookCause::CommandEnded { waits } => {
            let root = ledger.root().and_then(|root| ledger.parent(root));
            let ended = root.and_then(|root| Some((root, root.ended?)));
            let ended = ended.map_or("the command has ended".to_owned(), |(root, end)| {
                let been = match end.status.decode() {
                    Status::Signaled { .. } => "been ",
                    _ => "",
                };
                format!("{} has {been}{}", shown(root.image.comm), Ended(end.status))
            });
            let end = if waits { ", ^C ends it" } else { "" };
            format!("{ended}; this is left{end}:")
        }
    }
}

/// A line: who, with the branches of the tree before it, and in what.
struct Row {
    name: String,
    words: String,
}

/// What is known of the living processes.
struct Tree<'a> {
    ledger: &'a Ledger,
    at: Moment,
    tasks: FxHashMap<Tgid, Vec<&'a BlockedTask>>,
    /// In the order of the look; then zombies that only the ledger knows.
    order: Vec<Tgid>,
    children: FxHashMap<Tgid, Vec<Tgid>>,
    killed: Killed<'a>,
    roots: Vec<Tgid>,
}

impl<'a> Tree<'a> {
    fn new(look: &'a WaitingLook, at: Moment, ledger: &'a Ledger) -> Tree<'a> {
        let mut tree = Tree {
            ledger,
            at,
            tasks: FxHashMap::default(),
            order: Vec::new(),
            children: FxHashMap::default(),
            killed: killed::killed(ledger),
            roots: Vec::new(),
        };
        for task in &look.tasks {
            // It ended while it was looked at.
            let process = ledger.process(task.tgid);
            if process.is_some_and(|process| process.reaped.is_some()) {
                continue;
            }
            let tasks = tree.tasks.entry(task.tgid).or_default();
            if tasks.is_empty() {
                tree.order.push(task.tgid);
            }
            tasks.push(task);
        }
        // What `/proc` did not show.
        let mut rest: Vec<&Process> = ledger
            .processes()
            .filter(|process| process.reaped.is_none() && !tree.tasks.contains_key(&process.tgid))
            .collect();
        rest.sort_by_key(|process| process.id);
        tree.order.extend(rest.iter().map(|process| process.tgid));
        tree.link();
        tree
    }

    fn link(&mut self) {
        let known: FxHashSet<Tgid> = self.order.iter().copied().collect();
        for tgid in self.order.clone() {
            let parent = self.parent(tgid).filter(|parent| known.contains(parent));
            match parent.filter(|parent| *parent != tgid) {
                Some(parent) => self.children.entry(parent).or_default().push(tgid),
                None => self.roots.push(tgid),
            }
        }
    }

    fn parent(&self, tgid: Tgid) -> Option<Tgid> {
        let seen = self.tasks.get(&tgid).and_then(|tasks| tasks.first());
        let known = || self.ledger.process(tgid)?.parent_pid();
        seen.map(|task| task.parent).or_else(known)
    }

    /// The lines, children under their parents. Nothing of dead processes whose parent
    /// is dead or not looked at.
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut known = FxHashSet::default();
        // A corrupt record may have a circle, which has no root.
        let mut next: Vec<(Tgid, String, String)> = Vec::new();
        for root in self.roots.iter().rev() {
            if !self.is_dead(*root) {
                next.push((*root, String::new(), String::new()));
            }
        }
        while let Some((tgid, branch, below)) = next.pop() {
            if !known.insert(tgid) {
                continue;
            }
            self.rows_of(tgid, &branch, &below, &mut rows);
            let (children, zombies) = self.children_of(tgid);
            let are_last = children.is_empty() && zombies == 0;
            rows.extend(self.rows_of_killed(tgid, &below, are_last));
            if zombies > 0 {
                let branch = if children.is_empty() { "└" } else { "├" };
                rows.push(Row {
                    name: format!("{below}{branch} {zombies} zombies"),
                    words: "not reaped".to_owned(),
                });
            }
            for (index, child) in children.iter().enumerate().rev() {
                let is_last = index + 1 == children.len();
                let (branch, more) = if is_last {
                    ("└ ", "  ")
                } else {
                    ("├ ", "│ ")
                };
                next.push((*child, format!("{below}{branch}"), format!("{below}{more}")));
            }
        }
        rows
    }

    /// The children that have rows of their own, and how many zombies have one together.
    fn children_of(&self, tgid: Tgid) -> (Vec<Tgid>, usize) {
        let children = self.children.get(&tgid).cloned().unwrap_or_default();
        let (dead, living): (Vec<Tgid>, Vec<Tgid>) =
            children.iter().partition(|child| self.is_dead(**child));
        if dead.len() > MOST_ZOMBIES {
            (living, dead.len())
        } else {
            (children, 0)
        }
    }

    fn rows_of(&self, tgid: Tgid, branch: &str, below: &str, rows: &mut Vec<Row>) {
        let tasks = self.tasks.get(&tgid).map_or(&[][..], Vec::as_slice);
        let first = self.spokesman(tgid, tasks);
        rows.push(Row {
            name: format!("{branch}{tgid} {}", self.command(tgid, MOST_OF_A_COMMAND)),
            words: self.words(tgid, first),
        });
        let more: Vec<&&BlockedTask> = tasks
            .iter()
            .filter(|task| first.is_none_or(|first| first.tid != task.tid))
            .filter(|task| self.matters(task, tasks))
            .collect();
        let has_below = self.children.contains_key(&tgid) || self.killed.contains_key(&tgid);
        let bar = if has_below { "│ " } else { "  " };
        for task in &more {
            rows.push(Row {
                name: format!("{below}{bar}thread {} {}", task.tid, shown(task.comm)),
                words: self.words_of_task(task),
            });
        }
    }

    /// The thread that stands for its process: one that is blocked in a wait, or else
    /// its leader.
    fn spokesman<'t>(&self, tgid: Tgid, tasks: &[&'t BlockedTask]) -> Option<&'t BlockedTask> {
        let waits = |task: &&&BlockedTask| self.waiting(task.tid).is_some();
        let leader = tasks.iter().find(|task| task.tid == tgid.leader());
        let leader_waits = leader.filter(waits);
        let any = leader_waits.or_else(|| tasks.iter().find(waits));
        any.or(leader).or(tasks.first()).copied()
    }

    fn waiting(&self, tid: Tid) -> Option<&Waiting> {
        let waiting = self.ledger.waiting(tid)?.1;
        waiting.blocks().then_some(waiting)
    }

    /// Whether a thread has a line of its own: it waits for children, for a lock or a
    /// mutex, or until what is full is drained; or another waits for it.
    fn matters(&self, task: &BlockedTask, all: &[&BlockedTask]) -> bool {
        let is_kept = task.on.iter().any(|on| {
            matches!(
                on,
                WaitsOn::Lock { .. }
                    | WaitsOn::Mutex { .. }
                    | WaitsOn::ThreadEnd { .. }
                    | WaitsOn::Stream { writes: true, .. }
            )
        });
        let is_awaited = all.iter().flat_map(|other| &other.on).any(|on| match on {
            WaitsOn::Mutex {
                holder: Some(MutexHolder::Thread(_, tid)),
                ..
            }
            | WaitsOn::ThreadEnd { tid } => *tid == task.tid,
            _ => false,
        });
        is_kept || is_awaited || self.waiting(task.tid).is_some()
    }

    fn is_dead(&self, tgid: Tgid) -> bool {
        let seen = self.tasks.get(&tgid);
        match seen {
            Some(tasks) => tasks.iter().all(|task| matches!(task.state, b'Z' | b'X')),
            None => self
                .ledger
                .process(tgid)
                .is_none_or(|process| process.ended.is_some()),
        }
    }
}

#[cfg(test)]
mod tests;
