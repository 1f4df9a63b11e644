//! One file of `strace -ff`: the lines of a task, and when its next step comes.
//!
//! A line stands where its call began. What a wait gave is on the same line,
//! but came later: that is a step of its own.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::call::Call;
use super::names::{kind, name};
use super::prefix::split;
use crate::event::WaitExit;
use crate::input::open_regular;
use crate::kernel::{Errno, NsPid, Status, WaitCall, WaitOptions};
use crate::records::log::{Kind, Returned, Time};

/// A line that is longer is taken for several, of which none is understood.
const LONGEST_LINE: u64 = 1 << 20;

/// One file.
pub(super) struct TaskLog {
    path: PathBuf,
    /// Open while its task lives: more may have lived than files can be open.
    input: Option<BufReader<File>>,
    /// How much of it was read.
    offset: u64,
    /// The next line; `None` at the end.
    pub(super) next: Option<Vec<u8>>,
    /// The wait that its task is in.
    pub(super) wait: Option<Wait>,
    pub(super) has_begun: bool,
    /// The time of the last step.
    pub(super) last: u64,
}

/// A wait that a task is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    /// The child whose end it reports.
    pub(super) child: Option<i32>,
    took: Option<u64>,
    /// Until when is not known: until the task's next line perhaps.
    blocks: bool,
}

impl TaskLog {
    /// A file at its first line.
    pub(super) fn open(path: PathBuf) -> io::Result<TaskLog> {
        let mut log = TaskLog {
            input: Some(BufReader::new(open_regular(&path)?)),
            path,
            offset: 0,
            next: None,
            wait: None,
            has_begun: false,
            last: 0,
        };
        log.next = log.read();
        log.input = None;
        Ok(log)
    }

    /// The children that are created in the whole file.
    pub(super) fn children(&self) -> io::Result<Vec<i32>> {
        let mut again = TaskLog::open(self.path.clone())?;
        let mut children = Vec::new();
        while again.next.is_some() {
            children.extend(created(&again.take()));
        }
        Ok(children)
    }

    /// Take the next line; the one behind it is the next then.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.has_begun = true;
        self.last = self.time().unwrap_or(self.last);
        let following = self.read();
        std::mem::replace(&mut self.next, following).unwrap_or_default()
    }

    /// A file that cannot be read on is over.
    fn read(&mut self) -> Option<Vec<u8>> {
        if self.input.is_none() {
            let mut file = open_regular(&self.path).ok()?;
            file.seek(SeekFrom::Start(self.offset)).ok()?;
            self.input = Some(BufReader::new(file));
        }
        let mut line = Vec::new();
        let mut limited = self.input.as_mut()?.take(LONGEST_LINE);
        let read = limited.read_until(b'\n', &mut line).unwrap_or(0);
        if read == 0 {
            self.input = None;
            return None;
        }
        self.offset = self.offset.saturating_add(read as u64);
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Some(line)
    }

    /// Whether all steps were taken.
    pub(super) fn is_over(&self) -> bool {
        self.next.is_none() && self.wait.is_none()
    }

    /// The time of the next line, if it has one that others can be compared
    /// with.
    pub(super) fn time(&self) -> Option<u64> {
        nanos(split(self.next.as_deref()?).time?)
    }

    /// When the next step comes, as far as this file tells.
    pub(super) fn due(&self) -> u64 {
        let due = match &self.wait {
            None => self.time(),
            Some(Wait {
                took: Some(took), ..
            }) => Some(self.last.saturating_add(*took)),
            Some(wait) => self.time().filter(|_| wait.blocks),
        };
        due.unwrap_or(self.last).max(self.last)
    }
}

impl Wait {
    /// The wait of a line, which gives `exit`. It lasts until the end of the
    /// child that it reports, if that has a file. Where there is a process that
    /// it may wait for, ECHILD comes when the kernel has reaped that.
    pub(super) fn new(
        line: &[u8],
        exit: &WaitExit,
        has_file: impl Fn(i32) -> bool,
        has_candidate: bool,
    ) -> Wait {
        let call = split(line).rest;
        let args = memchr::memchr(b'(', call).and_then(|at| call.get(at + 1..));
        let call = args.and_then(Call::parse);
        let polls = exit.entry.options.contains(WaitOptions::NOHANG);
        // Of other errors the kernel knows at once.
        let sleeps = match exit.result {
            Ok(_) => true,
            Err(Errno::CHILD) => has_candidate,
            Err(errno) => errno.is_restart() || errno == Errno::INTR,
        };
        let child = dead(exit, call.map(|call| call.returned)).filter(|child| has_file(*child));
        Wait {
            child,
            took: call.and_then(|call| call.took),
            blocks: !polls && sleeps && child.is_none(),
        }
    }
}

/// The child whose end a wait reports for sure. It may report a stop, of which
/// the child's file does not say that it is over.
fn dead(exit: &WaitExit, returned: Option<Returned>) -> Option<i32> {
    let options = exit.entry.options;
    let stops = [WaitOptions::STOPPED, WaitOptions::CONTINUED];
    let only_ends = !stops.into_iter().any(|stop| options.contains(stop));
    if let Some((pid, status)) = exit.reported() {
        let ends = status.map_or(only_ends, |status| {
            matches!(status.decode(), Status::Exited(_) | Status::Signaled { .. })
        });
        let ours = match returned {
            Some(Returned::Number(_, ours)) => ours,
            _ => None,
        };
        return ends.then(|| ours.unwrap_or(pid.raw()));
    }
    let without_siginfo = exit.entry.call == WaitCall::Waitid && exit.result.is_ok();
    let blocks = !options.contains(WaitOptions::NOHANG);
    let named = exit.entry.named.process();
    named
        .filter(|_| without_siginfo && blocks && only_ends)
        .map(NsPid::raw)
}

/// A time that can be compared with those of other files.
pub(super) fn nanos(time: Time) -> Option<u64> {
    match time {
        Time::Epoch(nanos) | Time::OfDay(nanos) => Some(nanos),
        Time::Relative(_) => None,
    }
}

/// The child that is created in a line.
pub(super) fn created(line: &[u8]) -> Option<i32> {
    let rest = split(line).rest;
    let call = name(rest)?;
    if !matches!(kind(call)?, Kind::Create | Kind::Vfork) {
        return None;
    }
    match Call::parse(rest.get(call.len() + 1..)?)?.returned {
        Returned::Number(child, ours) => ours.or(i32::try_from(child).ok()),
        _ => None,
    }
}
