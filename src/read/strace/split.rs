//! `strace -ff`: a file for each task, told in one order.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::order::{ByKinship, ByTime, Order, Turn};
use super::part::{Part, Wait, nanos};
use super::prefix::{Time, split};
use super::story::Story;
use crate::event::{Event, Origin};
use crate::kernel::Tgid;
use crate::read::gaps;
use crate::read::{Broken, Source};
use crate::rules::RuleId;

/// How many deeds are told before the events are handed on.
const AT_ONCE: usize = 4096;

/// The files of a log.
pub struct SplitLog {
    parts: BTreeMap<i32, Part>,
    order: Order,
    /// The times are those of a day.
    of_day: bool,
    /// Lines that are not strace's.
    foreign: u64,
    story: Story,
    origin: Origin,
}

impl SplitLog {
    /// The files `PREFIX.PID`; `None` if there are none.
    ///
    /// # Errors
    /// Why one of them cannot be read, as a clause.
    pub fn open(prefix: &Path) -> Result<Option<SplitLog>, String> {
        let mut parts = BTreeMap::new();
        for (pid, path) in files(prefix) {
            let shown = path.display().to_string();
            let part = Part::open(path).map_err(|error| format!("{shown}: {error}"))?;
            parts.insert(pid, part);
        }
        let is_timed = parts.values().any(|part| part.time().is_some());
        let mut creators = HashMap::new();
        if !is_timed {
            for (pid, part) in &parts {
                let children = part.children().map_err(|error| error.to_string())?;
                creators.extend(children.into_iter().map(|child| (child, *pid)));
            }
        }
        let Some(first) = first(&parts, &creators) else {
            return Ok(None);
        };
        let begin = parts.get(&first).and_then(|part| part.next.as_deref());
        let begin = begin.and_then(|line| split(line).time);
        let mut origin = super::origin();
        if let Some(Time::Epoch(nanos)) = begin {
            origin.began += std::time::Duration::from_nanos(nanos);
        }
        let order = if is_timed {
            Order::ByTime(ByTime::new(&parts, first))
        } else {
            Order::ByKinship(ByKinship::new(first, creators))
        };
        Ok(Some(SplitLog {
            parts,
            order,
            of_day: matches!(begin, Some(Time::OfDay(_))),
            foreign: 0,
            story: Story::split(first),
            origin,
        }))
    }

    /// Tell the next line of a task, or the end of the wait that it is in.
    fn tell(&mut self, turn: Turn) {
        let Some(part) = self.parts.get_mut(&turn.pid) else {
            return;
        };
        if let Some(wait) = part.wait.take() {
            part.last = turn.time.unwrap_or(part.last).max(part.last);
            let time = if self.of_day {
                Time::OfDay
            } else {
                Time::Epoch
            };
            self.story.wait_is_over(turn.pid, turn.time.map(time));
            if let Some(child) = wait.child {
                self.story.forget(child);
            }
            return;
        }
        let text = part.take();
        let mut line = split(&text);
        line.tid = Some(turn.pid);
        // Those since the line before are of lines in other files.
        line.time = line.time.filter(|time| nanos(*time).is_some());
        self.foreign += u64::from(!self.story.line(line));
        let exit = self.story.awaited(turn.pid);
        let wait = exit.map(|exit| {
            let has_file = |pid| self.parts.contains_key(&pid);
            let has_whom = self.story.may_await(turn.pid, exit.entry.named);
            Wait::new(&text, exit, has_file, has_whom)
        });
        if let Some(part) = self.parts.get_mut(&turn.pid) {
            part.wait = wait;
        }
    }
}

impl Source for SplitLog {
    fn read(&mut self, events: &mut Vec<Event>) -> Result<bool, Broken> {
        for _ in 0..AT_ONCE {
            let Some(turn) = self.order.turn(&self.parts, &self.story) else {
                self.story.end();
                self.story.take(events);
                return Ok(false);
            };
            self.tell(turn);
            self.order.told(turn.pid, &self.parts, &self.story);
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
        gaps::passed_over("strace's", self.foreign, 0)
    }

    fn out_of_reach(&self) -> Vec<RuleId> {
        let gaps = self.story.seen.gaps();
        gaps.into_iter().flat_map(|(_, rules)| rules).collect()
    }

    fn knows_zombies(&self, _: Tgid) -> bool {
        self.story.seen.knows_zombies()
    }
}

/// The files of a prefix, by pid.
pub(in crate::read) fn files(prefix: &Path) -> Vec<(i32, PathBuf)> {
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

/// The task that began: the one with the earliest line, else the one that none
/// of the others created, and of those one whose first call is an execve.
fn first(parts: &BTreeMap<i32, Part>, creators: &HashMap<i32, i32>) -> Option<i32> {
    let all = parts.iter().map(|(pid, part)| {
        let line = part.next.as_deref();
        let execs = line.is_some_and(|line| split(line).rest.starts_with(b"execve"));
        (part.time(), creators.contains_key(pid), !execs, *pid)
    });
    all.min().map(|(.., pid)| pid)
}
