//! Waits that a log ends in: often why it was kept. Who waits for which
//! children, since when, and what those were last seen doing.

use std::fmt::Write as _;

use rustc_hash::FxHashMap;

use super::calls::Pending;
use super::line::{Format, Kind, LogLine};
use super::translate::{Translator, UNKNOWN};
use crate::event::{Moment, Named, WaitEntry, escape};
use crate::records::text::signed;

/// How many bytes are kept of a task's last line.
const KEPT: usize = 32;
/// How many waits are described: for each the children are looked for.
const MOST_WAITS: usize = 16;
/// How many children of a wait's are described.
const MOST_CHILDREN: usize = 3;

/// A task's last line.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastLine {
    begin: [u8; KEPT],
    length: usize,
    is_unfinished: bool,
}

/// The last line of each task.
#[derive(Debug, Default)]
pub(super) struct LastLines {
    of_others: FxHashMap<i32, LastLine>,
    /// That of the task whose line came last: most are of the same as the one before.
    newest: Option<(i32, LastLine)>,
}

impl LastLines {
    pub(super) fn note(&mut self, tid: i32, line: LastLine) {
        let before = self.newest.replace((tid, line));
        if let Some((other, line)) = before.filter(|(other, _)| *other != tid) {
            self.of_others.insert(other, line);
        }
    }

    pub(super) fn get(&self, tid: i32) -> Option<&LastLine> {
        let newest = self.newest.as_ref().filter(|(newest, _)| *newest == tid);
        let newest = newest.map(|(_, line)| line);
        newest.or_else(|| self.of_others.get(&tid))
    }

    pub(super) fn remove(&mut self, tid: i32) {
        self.newest = self.newest.filter(|(newest, _)| *newest != tid);
        self.of_others.remove(&tid);
    }
}

impl LastLine {
    pub(super) fn of(line: &LogLine<'_>) -> LastLine {
        let mut begin = [0; KEPT];
        let length = line.text.len().min(KEPT);
        if let (Some(to), Some(from)) = (begin.get_mut(..length), line.text.get(..length)) {
            to.copy_from_slice(from);
        }
        LastLine {
            begin,
            length,
            is_unfinished: line.text.ends_with(b"<unfinished ...>"),
        }
    }

    /// The code of an `exit_group(3)`.
    pub(super) fn exit_code(&self) -> Option<i32> {
        let text = self.begin.get(..self.length)?;
        let code = text
            .strip_prefix(b"exit_group(")
            .or(text.strip_prefix(b"_exit("))?;
        i32::try_from(signed(code)?.0).ok()
    }

    /// `in futex`, `got SIGTERM`; `None` if that is not clear.
    fn describe(&self, to: &mut String) -> Option<()> {
        let text = self.begin.get(..self.length)?;
        let (verb, rest) = if let Some(rest) = text.strip_prefix(b"<... ") {
            ("returned from", rest)
        } else if let Some(rest) = text.strip_prefix(b"--- stopped by ") {
            ("stopped by", rest)
        } else if let Some(rest) = text.strip_prefix(b"--- ") {
            ("got", rest)
        } else if self.is_unfinished {
            ("is in", text)
        } else {
            ("called", text)
        };
        let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let length = rest.iter().take_while(is_word).count();
        let name = rest.get(..length).filter(|name| !name.is_empty())?;
        write!(to, "{verb} ").ok()?;
        escape(name, to).ok()
    }
}

impl<F: Format> Translator<F> {
    /// The record is over: waits that have not ended are events now.
    pub(super) fn open_waits(&mut self) {
        let is_wait = |pending: &Pending| matches!(pending.kind, Kind::Wait(_));
        let open = self.pending.iter().filter(|(_, pending)| is_wait(pending));
        let mut open: Vec<(Moment, i32)> = open.map(|(tid, it)| (it.entered, *tid)).collect();
        open.sort_unstable();
        for (_, tid) in open {
            self.open_wait(tid);
        }
    }

    /// A thread is in a wait that the log does not show the end of.
    pub(super) fn open_wait(&mut self, tid: i32) {
        let Some(pending) = self.pending.remove(&tid) else {
            return;
        };
        let Kind::Wait(call) = pending.kind else {
            return;
        };
        let Some(entry) = self.format.half_of_wait(call, &pending.args) else {
            return;
        };
        if self.open.len() < MOST_WAITS {
            let clause = self.clause(tid, &entry, pending.entered);
            self.open.push(clause);
        } else {
            self.more_open += 1;
        }
        if !pending.is_entered {
            self.tree.wait(tid, pending.entered, entry);
        }
    }

    /// The waits that the log does not show the end of, in a clause.
    pub(super) fn open_at_end(&self) -> Option<String> {
        let mut open = self.open.join("; ");
        match self.more_open {
            0 => {}
            1 => open.push_str("; and 1 more wait"),
            more => {
                let _ = write!(open, "; and {more} more waits");
            }
        }
        (!open.is_empty()).then(|| format!("the log ends in a wait: {open}"))
    }

    /// `600 is in wait4(601) since +0.100 s; 601 is in futex`
    fn clause(&self, tid: i32, entry: &WaitEntry, since: Moment) -> String {
        let mut text = match tid {
            UNKNOWN => "?".to_owned(),
            tid => tid.to_string(),
        };
        let _ = write!(text, " is in {}", entry.call.name());
        let _ = match entry.named {
            Named::Pid(pid) => write!(text, "({pid})"),
            Named::Id(kind, id) => write!(text, "({kind}, {})", id.cast_signed()),
            Named::Unknown => Ok(()),
        };
        if self.tree.coverage.times {
            let millis = since.0 / 1_000_000;
            let _ = write!(text, " since +{}.{:03} s", millis / 1000, millis % 1000);
        }
        let children = match entry.named.process() {
            Some(pid) => vec![pid.raw()],
            None => self.tree.children_of(tid),
        };
        for child in children.iter().take(MOST_CHILDREN) {
            let _ = write!(text, "; {child} ");
            let last = self.last_lines.get(*child);
            if self.tree.has_ended(*child) {
                text.push_str("has ended");
            } else if last.and_then(|last| last.describe(&mut text)).is_none() {
                text.push_str("does nothing that is in the log");
            }
        }
        if children.is_empty() && self.tree.coverage.forks {
            text.push_str("; no child of it is alive in the log");
        }
        if let Some(more @ 1..) = children.len().checked_sub(MOST_CHILDREN) {
            let _ = write!(text, "; and {more} more");
        }
        text
    }
}
