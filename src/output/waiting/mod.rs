//! Who waits for whom: the living processes as a tree, and what keeps each.

mod words;

use std::fmt::Write;

use owo_colors::Style;
use rustc_hash::{FxHashMap, FxHashSet};

use super::span::Span;
use super::text::Text;
use crate::event::{BlockedTask, LookCause, Moment, WaitingLook, WaitsOn};
use crate::kernel::phrases::Ended;
use crate::kernel::{Status, Tgid, Tid};
use crate::ledger::{Ledger, Process, Waiting};
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

/// Words in lines of so many characters, if there is room for any.
fn wrapped(words: &str, room: Option<usize>) -> Vec<String> {
    let room = room.filter(|room| *room >= LEAST_ROOM);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in words.split(' ') {
        let length = word.chars().count();
        let is_full = room.is_some_and(|room| used + length > room);
        match lines.last_mut() {
            Some(line) if used == 0 || !is_full => {
                if used > 0 {
                    line.push(' ');
                }
                line.push_str(word);
                used += length + 1;
            }
            _ => {
                lines.push(word.to_owned());
                used = length + 1;
            }
        }
    }
    lines
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
            name: format!("{branch}{tgid} {}", self.command(tgid)),
            words: self.words(tgid, first),
        });
        let more: Vec<&&BlockedTask> = tasks
            .iter()
            .filter(|task| first.is_none_or(|first| first.tid != task.tid))
            .filter(|task| self.matters(task, tasks))
            .collect();
        let bar = if self.children.contains_key(&tgid) {
            "│ "
        } else {
            "  "
        };
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
    /// mutex, or another waits for it.
    fn matters(&self, task: &BlockedTask, all: &[&BlockedTask]) -> bool {
        let is_kept = task.on.iter().any(|on| {
            matches!(
                on,
                WaitsOn::Lock { .. } | WaitsOn::Mutex { .. } | WaitsOn::ThreadEnd { .. }
            )
        });
        let is_awaited = all.iter().flat_map(|other| &other.on).any(|on| match on {
            WaitsOn::Mutex { owner: tid } | WaitsOn::ThreadEnd { tid } => *tid == task.tid,
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
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::script::{Script, exited};
    use crate::event::{BlockedCall, Comm, EventKind, Frame, Function, Stack};

    /// A thread in a call.
    fn task(pid: i32, parent: i32, argv: &[&str], call: &str) -> BlockedTask {
        BlockedTask {
            tid: Tid::new(pid),
            tgid: Tgid::new(pid),
            parent: Tgid::new(parent),
            comm: Comm::new(argv.first().map_or(b"", |word| word.as_bytes())),
            argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
            state: b'S',
            call: Some(BlockedCall {
                name: call.to_owned(),
                argument: None,
            }),
            asleep: Some(3_000_000_000),
            on: Vec::new(),
        }
    }

    fn shown_tree(script: &Script, tasks: Vec<BlockedTask>, width: Option<usize>) -> String {
        let mut ledger = Ledger::new();
        for event in &script.events {
            ledger.apply(event);
        }
        let look = WaitingLook {
            cause: LookCause::Asked,
            tasks,
        };
        tree(&look, Moment(5_000_000_000), &ledger, width).unwrap_or_default()
    }

    #[test]
    fn many_zombies_of_a_parent_are_one_line() {
        let tree = |count: i32| {
            let mut script = Script::launched(10);
            let mut tasks = vec![task(10, 1, &["sh"], "wait4")];
            for child in 11..11 + count {
                script.fork(10, child).end(child, exited(0));
            }
            script.fork(10, 99);
            tasks.push(task(99, 10, &["sleep", "9"], "clock_nanosleep"));
            shown_tree(&script, tasks, None)
        };
        assert_eq!(tree(6).matches("zombie for").count(), 6);
        let many = tree(40);
        assert!(many.contains("├ 40 zombies"), "{many}");
        assert!(many.contains("└ 99 sleep 9"), "{many}");
        assert_eq!(many.lines().count(), 4, "{many}");
    }

    #[test]
    fn words_go_on_under_themselves_where_a_terminal_is_narrow() {
        let text = "read(3) for 10.0 s on the pipe that 17 sleep holds";
        let lines = wrapped(text, Some(24));
        assert_eq!(
            lines,
            ["read(3) for 10.0 s on", "the pipe that 17 sleep", "holds"]
        );
        assert_eq!(wrapped("exactly twenty-four here", Some(24)).len(), 1);
        assert_eq!(wrapped(text, None), [text]);
        assert_eq!(wrapped(text, Some(10)), [text], "no room for words");
        let long = "x".repeat(40);
        assert_eq!(wrapped(&long, Some(24)), [long]);
    }

    #[test]
    fn a_wait_stands_above_the_child_that_keeps_it() {
        let mut script = Script::launched(10);
        script.after(100).fork(10, 11);
        script.after(100).enter(10, -1, 0);
        let tasks = vec![
            task(10, 1, &["bash", "-c", "sleep 1000 & wait $!"], "wait4"),
            task(11, 10, &["sleep", "1000"], "clock_nanosleep"),
        ];
        let text = shown_tree(&script, tasks, None);
        let expected = "after 5.0 s, who waits for whom:\n  \
            10 bash -c 'sleep 1000 & wait $!'  wait4(-1) for 4.8 s\n  \
            └ 11 sleep 1000                    clock_nanosleep for 3.0 s\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_wait_says_from_where_it_was_made_where_that_is_known() {
        let mut script = Script::launched(10);
        script.after(100).fork(10, 11);
        script.after(100).enter(10, 11, 0);
        let line = Function {
            name: Some("wait_for".to_owned()),
            file: Some("/srv/job.py".to_owned()),
            line: Some(12),
            ..Function::default()
        };
        let frame = Frame::new(Some(b"/srv/job".as_slice().into()), 8, vec![line]);
        for event in &mut script.events {
            if let EventKind::WaitEntered(entry) = &mut event.kind {
                let frames = vec![Arc::new(frame.with_script(Vec::new()))];
                entry.stack = Some(Arc::new(Stack::new(frames, None)));
            }
        }
        let tasks = vec![
            task(10, 1, &["job"], "wait4"),
            task(11, 10, &["sleep", "9"], "clock_nanosleep"),
        ];
        let text = shown_tree(&script, tasks, None);
        let expected = "wait4(11) for 4.8 s, from wait_for at job.py:12\n";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn nothing_alive_is_no_tree() {
        let mut script = Script::launched(10);
        script.end(10, exited(0));
        assert_eq!(shown_tree(&script, Vec::new(), None), "");
    }
}
