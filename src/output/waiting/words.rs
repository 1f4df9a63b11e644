//! In what a process or a thread is, in words.

use std::fmt::Write;

use rustc_hash::FxHashSet;

use super::{MOST_OF_A_COMMAND, Tree, cut};
use crate::event::{BlockedTask, Comm, PipeSide, WaitsOn, escape_controls};
use crate::kernel::phrases::how_it_ended;
use crate::kernel::{Signal, Tgid, Tid};
use crate::output::frames::short_place;
use crate::output::report::{call_words, shell_word};
use crate::output::span::Span;

/// How much of the command line of a process that stands elsewhere in the tree.
const MOST_OF_A_REFERENCE: usize = 30;
/// How many of several holders are named.
const MOST_HOLDERS: usize = 2;

impl Tree<'_> {
    /// A process's command line.
    pub(super) fn command(&self, tgid: Tgid) -> String {
        let known = self.ledger.process(tgid).map(|process| &process.image);
        let seen = self.tasks.get(&tgid).and_then(|tasks| tasks.first());
        let argv = seen.map(|task| &task.argv).filter(|argv| !argv.is_empty());
        let argv = argv.or_else(|| known.map(|image| &image.argv));
        let words: Vec<String> = argv
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .map(|word| shell_word(word))
            .collect();
        if words.is_empty() {
            let comm = seen.map(|task| task.comm).or(known.map(|image| image.comm));
            return shown(comm.unwrap_or_default());
        }
        let all = words.join(" ");
        cut(&all, MOST_OF_A_COMMAND)
    }

    /// In what a process is.
    pub(super) fn words(&self, tgid: Tgid, task: Option<&BlockedTask>) -> String {
        let process = self
            .ledger
            .process(tgid)
            .filter(|process| process.reaped.is_none());
        if let Some(end) = process.and_then(|process| process.ended) {
            let age = Span(self.at.since(end.when.at));
            return format!("zombie for {age}: {}", how_it_ended(end.status));
        }
        if self.is_dead(tgid) {
            return "zombie".to_owned();
        }
        if let Some((since, signal)) = process.and_then(|process| process.stopped) {
            let reason = match signal {
                Signal::TTIN => ": it read the terminal from the background",
                Signal::TTOU => ": it wrote to the terminal from the background",
                _ => "",
            };
            let age = Span(self.at.since(since.at));
            return format!("stopped by {signal} for {age}{reason}");
        }
        if let Some((since, child)) = process.and_then(|process| process.vforking) {
            let age = Span(self.at.since(since.at));
            return format!("vfork for {age}, until {child} executes or ends");
        }
        match task {
            Some(task) => self.words_of_task(task),
            None => match self
                .ledger
                .waits_of(tgid)
                .find(|(_, waiting)| waiting.blocks())
            {
                Some((tid, _)) => self.wait_words(tid).unwrap_or_default(),
                None => "unknown: /proc does not show it, or not in time".to_owned(),
            },
        }
    }

    /// The wait that a thread is in: `wait4(-1) for 24.9 s`.
    fn wait_words(&self, tid: Tid) -> Option<String> {
        let (tgid, waiting) = self.ledger.waiting(tid)?;
        let waiting = Some(waiting).filter(|waiting| waiting.blocks())?;
        let process = self.ledger.process(tgid);
        // The first wait after an attach may have begun before it.
        let is_older = process
            .is_some_and(|process| process.born.is_before_attach && process.waits().last.is_none());
        let at_least = if is_older { "at least " } else { "" };
        let age = Span(self.at.since(waiting.when.at));
        let call = call_words(waiting.call, waiting.named);
        let from = waiting.stack.as_deref().and_then(short_place);
        let from = from.map_or_else(String::new, |place| format!(", from {place}"));
        Some(format!("{call} for {at_least}{age}{from}"))
    }

    /// In what a thread is.
    pub(super) fn words_of_task(&self, task: &BlockedTask) -> String {
        if let Some(words) = self.wait_words(task.tid) {
            return words;
        }
        match task.state {
            b'R' => return "running".to_owned(),
            b'T' => return "stopped".to_owned(),
            b't' => return "stopped by its tracer".to_owned(),
            b'Z' | b'X' => return "has ended, other threads live".to_owned(),
            _ => {}
        }
        let Some(call) = &task.call else {
            return "asleep, and may not be examined".to_owned();
        };
        let mut text = String::new();
        let _ = escape_controls(call.name.as_bytes(), &mut text);
        if let Some(argument) = call.argument {
            let _ = write!(text, "({argument})");
        }
        if task.state == b'D' {
            text.push_str(", uninterruptible,");
        }
        if let Some(asleep) = task.asleep {
            let _ = write!(text, " for {}", Span(asleep));
        }
        let mut joint = " on ";
        for on in &task.on {
            text.push_str(joint);
            text.push_str(&self.on(task, on));
            joint = ", and ";
        }
        text
    }

    /// What a thread waits for, as the end of a sentence.
    fn on(&self, task: &BlockedTask, on: &WaitsOn) -> String {
        let path = |path: &[u8]| {
            let mut text = String::new();
            let _ = escape_controls(path, &mut text);
            text
        };
        match on {
            WaitsOn::Stream {
                is_pipe,
                others,
                complete,
                writes,
                ..
            } => self.on_stream(task.tgid, *is_pipe, *writes, others, *complete),
            WaitsOn::Connection { local, peer, .. } => match peer {
                Some(peer) => format!("the connection to {peer}"),
                None => format!("the socket {local}"),
            },
            WaitsOn::Terminal { path: name, .. } => format!("the terminal {}", path(name)),
            WaitsOn::File {
                path: name,
                is_fifo: true,
                fd,
            } => {
                let until = if fd.is_none() {
                    ", until its other end is opened"
                } else {
                    ""
                };
                format!("the named pipe {}{until}", path(name))
            }
            WaitsOn::File { path: name, .. } => path(name),
            WaitsOn::ProcessEnd { tgid } => format!("the end of {}", self.name(*tgid, None)),
            WaitsOn::Lock {
                path: name,
                holders: sides,
            } => {
                let holders = self.holders(task.tgid, sides);
                let own = sides.iter().find(|side| side.tgid == task.tgid);
                match (holders, own) {
                    (Some(holders), _) => format!("the lock of {} that {holders}", path(name)),
                    (None, Some(own)) => {
                        let (name, fd) = (path(name), own.fd);
                        format!("the lock of {name} that it holds itself as descriptor {fd}")
                    }
                    (None, None) => format!("the lock of {}", path(name)),
                }
            }
            WaitsOn::Mutex { owner } => format!("a mutex that thread {owner} holds"),
            WaitsOn::ThreadEnd { tid } => format!("the end of thread {tid}"),
        }
    }

    fn on_stream(
        &self,
        waiter: Tgid,
        is_pipe: bool,
        writes: bool,
        others: &[PipeSide],
        complete: bool,
    ) -> String {
        let kind = if is_pipe { "pipe" } else { "socket" };
        if let Some(holders) = self.holders(waiter, others) {
            let mut text = format!("the {kind} that {holders}");
            if let Some(dead) = self.dead_between(waiter, others) {
                let _ = write!(text, " ({dead})");
            }
            return text;
        }
        let other = if writes { "reads from" } else { "writes to" };
        match (others.is_empty(), complete) {
            (false, true) => format!("a {kind} whose other end it alone holds"),
            (true, true) if is_pipe => format!("a {kind} that no process {other}"),
            _ => format!("a {kind}"),
        }
    }

    /// `9633 sleep 60 holds`, `9633 sleep 60 and 2 more hold`; `None` for nobody but the
    /// process itself.
    fn holders(&self, waiter: Tgid, sides: &[PipeSide]) -> Option<String> {
        let mut seen = FxHashSet::default();
        let others: Vec<&PipeSide> = sides
            .iter()
            .filter(|side| side.tgid != waiter && seen.insert(side.tgid))
            .collect();
        let named = others.iter().take(MOST_HOLDERS);
        let named: Vec<String> = named
            .map(|side| self.name(side.tgid, Some(side.comm)))
            .collect();
        let more = others.len() - named.len();
        Some(match (named.as_slice(), more) {
            ([], _) => return None,
            ([one], _) => format!("{one} holds"),
            ([first, ..], 1..) => format!("{first} and {} more hold", more + 1),
            (all, 0) => format!("{} hold", all.join(" and ")),
        })
    }

    /// `9408 sleep 60`
    fn name(&self, tgid: Tgid, comm: Option<Comm>) -> String {
        let is_known = self.tasks.contains_key(&tgid) || self.ledger.process(tgid).is_some();
        match comm.filter(|_| !is_known) {
            Some(comm) => format!("{tgid} {}", shown(comm)),
            None => format!("{tgid} {}", cut(&self.command(tgid), MOST_OF_A_REFERENCE)),
        }
    }

    /// The dead child of the waiter by which all of the holders came to the pipe:
    /// `its child 9632 is reaped`.
    fn dead_between(&self, waiter: Tgid, others: &[PipeSide]) -> Option<String> {
        let ledger = self.ledger;
        let waiter = ledger.process(waiter)?;
        let holder = ledger.process(others.iter().find(|side| side.tgid != waiter.tgid)?.tgid)?;
        let mut at = holder;
        for _ in 0..64 {
            let creator = ledger.parent(at.created_by?)?;
            if creator.id == waiter.id {
                let is_between = at.id != holder.id && at.ended.is_some();
                let how = if at.reaped.is_some() {
                    "reaped"
                } else {
                    "dead"
                };
                return is_between.then(|| format!("its child {} is {how}", at.tgid));
            }
            at = creator;
        }
        None
    }
}

/// A name that a tracee chose.
pub(super) fn shown(comm: Comm) -> String {
    let mut text = String::new();
    let _ = escape_controls(comm.as_bytes(), &mut text);
    text
}
