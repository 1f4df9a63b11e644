//! `strace -ff`: a file for each task, brought into one order.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::call::{Call, Returned};
use super::gaps;
use super::kind::name;
use super::prefix::{Time, split};
use super::story::Story;
use crate::event::{Event, Origin};
use crate::read::{Broken, Source};
use crate::rules::RuleId;

/// How many lines are read before the events are handed on.
const AT_ONCE: usize = 4096;

/// The files of a log.
pub struct SplitLog {
    files: BTreeMap<i32, Part>,
    /// Whose lines come now; those below wait for the ones above.
    stack: Vec<i32>,
    story: Story,
    origin: Origin,
}

/// One file.
struct Part {
    input: BufReader<File>,
    /// The next line; `None` at the end.
    next: Option<Vec<u8>>,
}

impl Part {
    fn advance(&mut self) {
        let mut line = Vec::new();
        // A file that cannot be read on is over.
        let read = self.input.read_until(b'\n', &mut line).unwrap_or(0);
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        self.next = (read > 0).then_some(line);
    }
}

impl SplitLog {
    /// The files `PREFIX.PID`; `None` if there are none.
    ///
    /// # Errors
    /// Why one of them cannot be read, as a clause.
    pub fn open(prefix: &Path) -> Result<Option<SplitLog>, String> {
        let mut files = BTreeMap::new();
        for (pid, path) in parts(prefix) {
            let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let mut part = Part {
                input: BufReader::new(file),
                next: None,
            };
            part.advance();
            files.insert(pid, part);
        }
        // Files of what is no task of strace's would wait forever.
        let first = first(&files);
        Ok(first.map(|first| SplitLog {
            files,
            stack: vec![first],
            story: Story::begun_by(first),
            origin: super::origin(),
        }))
    }

    /// Whose line comes next: by time if there are times, else a child's lines
    /// before its reap.
    fn turn(&mut self) -> Option<i32> {
        let timed = self.files.iter().filter_map(|(pid, part)| {
            let line = part.next.as_deref()?;
            let time = match split(line).time? {
                Time::Epoch(nanos) | Time::OfDay(nanos) => nanos,
                Time::Relative(_) => return None,
            };
            // Its time is that of the call, not that of the reap.
            Some((self.waits_for(*pid, line).is_some(), time, *pid))
        });
        if let Some((_, _, pid)) = timed.min() {
            return Some(pid);
        }
        loop {
            let Some(pid) = self.stack.last().copied() else {
                let left = self.files.iter().find(|(_, part)| part.next.is_some());
                self.stack.push(*left?.0);
                continue;
            };
            let line = self.files.get(&pid).and_then(|part| part.next.as_deref());
            let Some(line) = line else {
                self.stack.pop();
                continue;
            };
            let child = self.waits_for(pid, line);
            match child.filter(|child| !self.stack.contains(child)) {
                Some(child) => self.stack.push(child),
                None => return Some(pid),
            }
        }
    }

    /// The task whose lines come before this line of another, which reaps it.
    fn waits_for(&self, pid: i32, line: &[u8]) -> Option<i32> {
        let child = reaped(line).filter(|child| *child != pid)?;
        let part = self.files.get(&child)?;
        part.next.is_some().then_some(child)
    }
}

impl Source for SplitLog {
    fn read(&mut self, events: &mut Vec<Event>) -> Result<bool, Broken> {
        for _ in 0..AT_ONCE {
            let Some(pid) = self.turn() else {
                self.story.end();
                self.story.take(events);
                return Ok(false);
            };
            if let Some(part) = self.files.get_mut(&pid) {
                let line = part.next.take().unwrap_or_default();
                part.advance();
                let mut line = split(&line);
                line.tid = Some(pid);
                self.story.line(line);
            }
        }
        self.story.take(events);
        Ok(true)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lacks(&self) -> Vec<String> {
        vec![gaps::clause(&self.story.seen.gaps())]
    }

    fn out_of_reach(&self) -> Vec<RuleId> {
        let gaps = self.story.seen.gaps();
        gaps.into_iter().flat_map(|(_, rules)| rules).collect()
    }

    fn knows_zombies(&self) -> bool {
        self.story.seen.knows_zombies()
    }
}

/// The files of a prefix, by pid.
fn parts(prefix: &Path) -> Vec<(i32, PathBuf)> {
    let directory = match prefix.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let Some(base) = prefix.file_name() else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let parts = entries.filter_map(|entry| {
        let path = entry.path();
        let pid = path.extension()?.to_str()?.parse().ok()?;
        (path.file_stem() == Some(base)).then_some((pid, path))
    });
    parts.collect()
}

/// The task that began: the one with the earliest line, else the one whose
/// first call is an execve, else the lowest pid.
fn first(files: &BTreeMap<i32, Part>) -> Option<i32> {
    let begins = |part: &Part| {
        let line = part.next.as_deref().map(split);
        let time = line.and_then(|line| match line.time? {
            Time::Epoch(nanos) | Time::OfDay(nanos) => Some(nanos),
            Time::Relative(_) => None,
        });
        let execs = line.is_some_and(|line| line.rest.starts_with(b"execve"));
        (time, !execs)
    };
    let mut all: Vec<_> = files
        .iter()
        .map(|(pid, part)| (begins(part), *pid))
        .collect();
    all.sort_unstable();
    all.first().map(|(_, pid)| *pid)
}

/// The child that a line reaps, if it is a wait's.
fn reaped(line: &[u8]) -> Option<i32> {
    let rest = split(line).rest;
    let call = name(rest)?;
    let args = rest.get(call.len() + 1..)?;
    match (call, Call::parse(args)?.returned) {
        (b"wait4" | b"waitpid", Returned::Number(pid, ours)) => {
            ours.or(i32::try_from(pid).ok()).filter(|pid| *pid > 0)
        }
        (b"waitid", _) => {
            let pid = super::words::after(args, "si_pid=")?;
            i32::try_from(super::call::signed(pid)?.0).ok()
        }
        _ => None,
    }
}
