//! Logs of strace's: `strace -f`, with what stands before its lines and how it
//! spells them from 4.x to 7.x, from `-o`, standard error or `-ff`.
//!
//! What a log does not hold is unknown. strace names no parent, so a task is
//! whose call created it; where the log has no such call it is a stranger, and
//! rules about children are out of reach ([`gaps`]).

mod call;
mod clock;
mod deeds;
mod execs;
mod kind;
mod order;
mod part;
mod prefix;
mod split;
mod story;
mod waits;
mod words;

use std::io::Read;
use std::time::Duration;

use memchr::memmem;

use super::lines::Lines;
use super::{Broken, Source, gaps, text};
use crate::event::{Event, Origin, ProcView};
use crate::kernel::Tgid;
use crate::rules::RuleId;
use prefix::{Time, split as taken_apart};
use story::Story;

pub use split::SplitLog;
pub(super) use split::files;

/// How many lines are read before the events are handed on.
const AT_ONCE: usize = 4096;
/// What a line of standard error ends with, if a message of strace's is in it.
const ATTACHED: &[u8] = b" attached";

/// A log in one piece.
pub struct StraceLog<R> {
    lines: Lines<R>,
    story: Story,
    /// The first part of a line that a message of strace's broke in two.
    torn: Vec<u8>,
    /// Lines of others, of the program that was traced say.
    foreign: u64,
    origin: Origin,
}

impl<R: Read> StraceLog<R> {
    /// Looks ahead for what the first lines leave out: the pid of the first
    /// task, which strace names only while there are others. If no line has
    /// it, it is `pid`.
    ///
    /// # Errors
    /// Why it cannot be read, as a clause: it is no log of strace's, say.
    pub fn open(input: R, pid: Option<i32>) -> Result<StraceLog<R>, String> {
        StraceLog::begun(Lines::new(input), pid)
    }

    /// Nothing was handed out of the lines.
    pub(super) fn begun(mut lines: Lines<R>, pid: Option<i32>) -> Result<StraceLog<R>, String> {
        let text = lines.ahead().map_err(|error| error.to_string())?;
        if !text.split(|byte| *byte == b'\n').any(is_strace_s) {
            return Err(
                "no record that is known here: JSON lines of wait4-strace's or Tracee's, a log of \
                        strace's or truss's, or a listing of kdump's"
                    .to_owned(),
            );
        }
        let mut origin = origin();
        if let Some(Time::Epoch(nanos)) = first_time(text) {
            origin.began += Duration::from_nanos(nanos);
        }
        let mut story = Story::default();
        story.first = first_pid(text).or(pid);
        Ok(StraceLog {
            lines,
            story,
            torn: Vec::new(),
            foreign: 0,
            origin,
        })
    }

    fn take_line(&mut self) -> std::io::Result<bool> {
        let Some(line) = self.lines.next()? else {
            return Ok(false);
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let joined;
        let line = if self.torn.is_empty() || !goes_on(line) {
            line
        } else {
            let mut whole = std::mem::take(&mut self.torn);
            whole.extend_from_slice(line);
            joined = whole;
            &joined
        };
        if line.ends_with(ATTACHED)
            && let Some(at) = memmem::rfind(line, b"strace: Process ")
            && at > 0
            && !taken_apart(line).rest.starts_with(b"strace: ")
        {
            self.torn = line.get(..at).unwrap_or(&[]).to_vec();
            return Ok(true);
        }
        self.foreign += u64::from(!self.story.line(taken_apart(line)));
        Ok(true)
    }
}

impl<R: Read> Source for StraceLog<R> {
    fn read(&mut self, events: &mut Vec<Event>) -> Result<bool, Broken> {
        let broken = |line, error: std::io::Error| Broken {
            line,
            why: format!("cannot be read: {error}"),
        };
        for _ in 0..AT_ONCE {
            let read = self.take_line();
            if !read.map_err(|error| broken(self.lines.number + 1, error))? {
                self.story.end();
                self.story.take(events);
                return Ok(false);
            }
        }
        self.story.take(events);
        Ok(true)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lacks(&self) -> Vec<String> {
        vec![gaps::clause(&self.story.seen)]
    }

    fn passed_over(&self) -> Vec<String> {
        gaps::passed_over("strace's", self.foreign, self.lines.overlong)
    }

    fn out_of_reach(&self) -> Vec<RuleId> {
        let gaps = self.story.seen.gaps();
        gaps.into_iter().flat_map(|(_, rules)| rules).collect()
    }

    fn knows_zombies(&self, _: Tgid) -> bool {
        self.story.seen.knows_zombies()
    }
}

/// What holds for every log.
fn origin() -> Origin {
    Origin {
        tracer: "strace".to_owned(),
        fates: false,
        proc: ProcView::Unseen,
        ..Origin::default()
    }
}

/// Whether a line may be the second part of one that was torn; between the two
/// the program may have written.
fn goes_on(line: &[u8]) -> bool {
    matches!(
        line,
        [b',' | b')' | b'}' | b'|', ..] | [b' ', b'<' | b'=', ..]
    )
}

/// Whether a line is one that strace writes.
fn is_strace_s(line: &[u8]) -> bool {
    let rest = taken_apart(line).rest;
    let marks: [&[u8]; 4] = [b"+++ ", b"--- ", b"<... ", b"strace: "];
    let is_call = || {
        let ends = memmem::find(rest, b") = ").or_else(|| memmem::find(rest, b")  "));
        ends.or_else(|| memmem::find(rest, b"<unfinished ...>"))
            .is_some()
    };
    marks.iter().any(|mark| rest.starts_with(mark)) || kind::name(rest).is_some() && is_call()
}

/// The time of the first line that has one.
fn first_time(text: &[u8]) -> Option<Time> {
    let mut lines = text.split(|byte| *byte == b'\n').take(100);
    lines.find_map(|line| taken_apart(line).time)
}

/// The first pid in brackets of whom no message said that it was attached.
fn first_pid(text: &[u8]) -> Option<i32> {
    let mut children = std::collections::HashSet::new();
    for line in text.split(|byte| *byte == b'\n') {
        let announced = memmem::rfind(line, b"strace: Process ");
        let announced = announced.and_then(|at| line.get(at + 16..));
        if let Some((child, _)) = announced.and_then(text::number) {
            children.insert(child);
            continue;
        }
        let Some(tid) = taken_apart(line).tid else {
            continue;
        };
        let is_child = u64::try_from(tid).is_ok_and(|tid| children.contains(&tid));
        if line.starts_with(b"[pid ") && !is_child {
            return Some(tid);
        }
    }
    None
}
