//! `strace -ff`: a file for each task, read in one order.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::OF_STRACE;
use super::order::{ByCreation, ByTime, Order, Turn};
use super::parser::Strace;
use super::prefix::split;
use super::task_log::{TaskLog, Wait};
use crate::records::log::{Fed, Input, Log, Root, Time, Translator, origin};
use crate::records::{Broken, Source};

/// The files of a log.
struct TaskLogs {
    logs: BTreeMap<i32, TaskLog>,
    order: Order,
    /// The times are those of a day.
    of_day: bool,
}

/// The files `PREFIX.PID`; `None` if there are none.
///
/// # Errors
/// Why one of them cannot be read, as a clause.
pub(in crate::records) fn open(prefix: &Path) -> Result<Option<Box<dyn Source>>, String> {
    let mut logs = BTreeMap::new();
    for (pid, path) in files(prefix) {
        let shown = path.display().to_string();
        let log = TaskLog::open(path).map_err(|error| format!("{shown}: {error}"))?;
        logs.insert(pid, log);
    }
    let mut begins = logs.values().filter_map(|log| log.next.as_deref());
    if begins.any(super::is_ours) {
        return Err(super::OURS.to_owned());
    }
    let is_timed = logs.values().any(|log| log.time().is_some());
    let mut creators = HashMap::new();
    if !is_timed {
        for (pid, log) in &logs {
            let children = log.children().map_err(|error| error.to_string())?;
            creators.extend(children.into_iter().map(|child| (child, *pid)));
        }
    }
    let Some(first) = first(&logs, &creators) else {
        return Ok(None);
    };
    let begin = logs.get(&first).and_then(|log| log.next.as_deref());
    let begin = begin.and_then(|line| split(line).time);
    let mut origin = origin("strace".to_owned());
    if let Some(Time::Epoch(nanos)) = begin {
        origin.began += Duration::from_nanos(nanos);
    }
    origin.resolution = super::resolution(
        logs.values()
            .filter_map(|log| split(log.next.as_deref()?).time),
    );
    let order = if is_timed {
        Order::ByTime(ByTime::new(&logs, first))
    } else {
        Order::ByCreation(ByCreation::new(first, creators))
    };
    let input = TaskLogs {
        logs,
        order,
        of_day: matches!(begin, Some(Time::OfDay(_))),
    };
    let root = Root {
        pid: Some(first),
        ..Root::default()
    };
    let translator = Translator::new(Strace, OF_STRACE, root, true);
    Ok(Some(Box::new(Log::new(input, translator, origin))))
}

impl TaskLogs {
    /// Take the next line of a task, or the end of the wait that it is in.
    fn step(&mut self, turn: Turn, translator: &mut Translator<Strace>) -> Fed {
        let Some(log) = self.logs.get_mut(&turn.pid) else {
            return Fed::Own;
        };
        if let Some(wait) = log.wait.take() {
            log.last = turn.time.unwrap_or(log.last).max(log.last);
            let time = if self.of_day {
                Time::OfDay
            } else {
                Time::Epoch
            };
            translator.wait_is_over(turn.pid, turn.time.map(time));
            if let Some(child) = wait.child {
                translator.tree.forget(child);
            }
            return Fed::Own;
        }
        let line = log.take();
        let fed = translator.feed_of(turn.pid, &line);
        let wait = translator.awaited(turn.pid).map(|exit| {
            let has_file = |pid| self.logs.contains_key(&pid);
            let candidate = translator.tree.may_await(turn.pid, exit.entry.named);
            Wait::new(&line, exit, has_file, candidate)
        });
        if let Some(log) = self.logs.get_mut(&turn.pid) {
            log.wait = wait;
        }
        fed
    }
}

impl Input<Strace> for TaskLogs {
    fn feed(&mut self, translator: &mut Translator<Strace>) -> Result<Fed, Broken> {
        let Some(turn) = self.order.turn(&self.logs, translator) else {
            return Ok(Fed::End);
        };
        let fed = self.step(turn, translator);
        self.order.taken(turn.pid, &self.logs, translator);
        Ok(fed)
    }
}

/// The files of a prefix, by pid.
pub(in crate::records) fn files(prefix: &Path) -> Vec<(i32, PathBuf)> {
    let directory = match prefix.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let Some(base) = prefix.file_name() else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let logs = entries.filter_map(|entry| {
        let path = entry.path();
        let pid = path.extension()?.to_str()?.parse().ok()?;
        (path.file_stem() == Some(base)).then_some((pid, path))
    });
    logs.collect()
}

/// The task that began: the one with the earliest line, else the one that none
/// of the others created, and of those one whose first call is an execve.
fn first(logs: &BTreeMap<i32, TaskLog>, creators: &HashMap<i32, i32>) -> Option<i32> {
    let all = logs.iter().map(|(pid, log)| {
        let line = log.next.as_deref();
        let execs = line.is_some_and(|line| split(line).rest.starts_with(b"execve"));
        (log.time(), creators.contains_key(pid), !execs, *pid)
    });
    all.min().map(|(.., pid)| pid)
}
