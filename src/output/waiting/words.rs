//! In what a process or a thread is, in words.

use std::fmt::Write;

use super::{Tree, cut};
use crate::event::{BlockedTask, Comm, escape_controls};
use crate::kernel::phrases::how_it_ended;
use crate::kernel::{Signal, Tgid, Tid, WaitCall, WaitOptions};
use crate::ledger::{Process, Waiting};
use crate::output::frames::short_place;
use crate::output::report::{call_words, shell_word};
use crate::output::span::Span;

/// How much of the command line of a process that stands elsewhere in the tree.
const MOST_OF_A_REFERENCE: usize = 30;

impl Tree<'_> {
    /// A process's command line, in so many characters. One that is longer loses the
    /// directories of its program first, and then its end.
    pub(super) fn command(&self, tgid: Tgid, most: usize) -> String {
        let whole = self.whole_command(tgid);
        if whole.chars().count() <= most {
            return whole;
        }
        cut(&without_directories(&whole), most)
    }

    fn whole_command(&self, tgid: Tgid) -> String {
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
        words.join(" ")
    }

    /// In what a process is.
    pub(super) fn words(&self, tgid: Tgid, task: Option<&BlockedTask>) -> String {
        let process = self
            .ledger
            .process(tgid)
            .filter(|process| process.reaped.is_none());
        if let Some(end) = process.and_then(|process| process.ended) {
            let age = Span(self.at.since(end.when.at));
            // It was one already when it was seen first.
            let least = if end.when.is_before_attach {
                "at least "
            } else {
                ""
            };
            return format!("zombie for {least}{age}: {}", how_it_ended(end.status));
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
        if let Some((since, child)) = process.and_then(Process::vforking) {
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
        let only = self.limits(tgid, waiting);
        Some(format!("{call} for {at_least}{age}{from}{only}"))
    }

    /// Which children a wait is not for, where that is not what is usual.
    fn limits(&self, tgid: Tgid, waiting: &Waiting) -> String {
        let options = waiting.options;
        let mut text = String::new();
        let mut children = self.ledger.children(tgid);
        let takes_all = options.contains(WaitOptions::ALL);
        if options.contains(WaitOptions::CLONE) && !takes_all {
            text.push_str(", for clone children alone (__WCLONE)");
            // One that executes a program is a clone child no more.
            if children.all(|child| child.exit_signal == Some(Signal::CHLD)) {
                text.push_str(", and it has none");
            }
        } else if !takes_all
            && children.any(|child| child.created_by.is_some() && child.is_clone_child())
        {
            text.push_str(", not for clone children (no __WALL)");
        }
        if options.contains(WaitOptions::NOTHREAD) {
            text.push_str(", for the children of this thread alone (__WNOTHREAD)");
        }
        if waiting.call == WaitCall::Waitid && !options.contains(WaitOptions::EXITED) {
            text.push_str(", not for ends (no WEXITED)");
        }
        text
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
            let at_least = if task.is_older { "at least " } else { "" };
            let _ = write!(text, " for {at_least}{}", Span(asleep));
        }
        text.push_str(&self.keepers(task));
        text
    }

    /// `9408 sleep 60`
    pub(super) fn name(&self, tgid: Tgid, comm: Option<Comm>) -> String {
        let is_known = self.tasks.contains_key(&tgid) || self.ledger.process(tgid).is_some();
        match comm.filter(|_| !is_known) {
            Some(comm) => format!("{tgid} {}", shown(comm)),
            None => format!("{tgid} {}", self.command(tgid, MOST_OF_A_REFERENCE)),
        }
    }
}

/// `…/name` in place of the path at the start of a command.
fn without_directories(command: &str) -> String {
    let program = command.split_whitespace().next().unwrap_or_default();
    match program.strip_prefix('/').and_then(|path| path.rfind('/')) {
        Some(at) => format!("…{}", command.split_at(at + 1).1),
        None => command.to_owned(),
    }
}

/// A name that a tracee chose.
pub(super) fn shown(comm: Comm) -> String {
    let mut text = String::new();
    let _ = escape_controls(comm.as_bytes(), &mut text);
    text
}
