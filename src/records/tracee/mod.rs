//! Events of Tracee's (`tracee --output json`), of wait calls and of the
//! scheduler's forks, execs and exits; live from a pipe too.
//!
//! An event of a system call is written when the call returns and bears the
//! time at which it began. It never holds what lies behind a pointer: the
//! status of a wait comes from the exit of the child that it returned.

mod event;
mod translate;

use std::io::Read;
use std::time::Duration;

use memchr::memmem;
use serde_json::{Map, Value};

use super::gaps::{Coverage, Record};
use super::json_lines::{JsonObjects, explain};
use super::process_tree::ProcessTree;
use super::{Broken, Source, log};
use crate::event::{Event, Moment, Origin};
use crate::kernel::{System, Tgid};
use crate::rules::RuleId;
use event::TraceeEvent;
use translate::Translator;

/// How many lines are read before the events are handed on.
const AT_ONCE: usize = 256;
/// What a line holds that may matter: most events are of other kinds, and need
/// not be taken apart.
const KINDS: [&[u8]; 8] = [
    b"\"wait4\"",
    b"\"waitid\"",
    b"\"waitpid\"",
    b"\"sched_process_fork\"",
    b"\"sched_process_exec\"",
    b"\"sched_process_exit\"",
    b"sigaction\"",
    b"kill\"",
];

/// Events of Tracee's.
pub(super) struct TraceeEvents<R> {
    lines: JsonObjects<R>,
    /// The first line was read, and is not taken in yet.
    has_line: bool,
    tree: ProcessTree,
    /// The time of the first event.
    first: Option<u64>,
    /// Objects that are no events.
    foreign: u64,
    origin: Origin,
}

impl<R: Read> TraceeEvents<R> {
    /// The first line was read.
    pub(super) fn begun(lines: JsonObjects<R>) -> Result<TraceeEvents<R>, Broken> {
        let event = TraceeEvent::parse(&lines.line);
        let event = event.map_err(|error| lines.broken(explain(&error)))?;
        let first = event.map(|event| event.time);
        let mut origin = log::origin("Tracee".to_owned());
        origin.began += Duration::from_nanos(first.unwrap_or(0));
        let mut coverage = Coverage::of(Record::Tracee);
        coverage.times = true;
        Ok(TraceeEvents {
            lines,
            has_line: true,
            tree: ProcessTree::new(System::Linux, coverage),
            first,
            foreign: 0,
            origin,
        })
    }

    fn take_line(&mut self) -> Result<(), Broken> {
        let line = &self.lines.line;
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let matters = KINDS.iter().any(|kind| memmem::find(line, kind).is_some());
        if !matters {
            // It is an event of another kind, or it is broken.
            let whole: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(line);
            return match whole {
                Ok(_) if line.trim_ascii_start().starts_with(b"{") => Ok(()),
                Ok(_) => Err(self.lines.broken("is no event: it is no object")),
                Err(error) => Err(self.lines.broken(explain(&error))),
            };
        }
        match TraceeEvent::parse(line) {
            Ok(Some(event)) => {
                let first = *self.first.get_or_insert(event.time);
                let at = Moment(event.time.saturating_sub(first)).min(Moment::LAST);
                Translator {
                    tree: &mut self.tree,
                    event: &event,
                    at,
                }
                .translate();
                Ok(())
            }
            Ok(None) => {
                self.foreign += 1;
                Ok(())
            }
            Err(error) => Err(self.lines.broken(explain(&error))),
        }
    }
}

impl<R: Read> Source for TraceeEvents<R> {
    fn read(&mut self, events: &mut Vec<Event>) -> Result<bool, Broken> {
        for _ in 0..AT_ONCE {
            let has_line = std::mem::take(&mut self.has_line) || self.lines.next()?;
            if !has_line {
                self.tree.end();
                self.tree.take(events);
                return Ok(false);
            }
            let taken = self.take_line();
            if taken.is_err() {
                self.tree.end();
                self.tree.take(events);
            }
            taken?;
            if self.tree.has_events() && !self.lines.has_more() {
                break;
            }
        }
        self.tree.take(events);
        Ok(true)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lacks(&self) -> Vec<String> {
        vec![self.tree.coverage.clause()]
    }

    fn passed_over(&self) -> Vec<String> {
        self.tree.coverage.passed_over(self.foreign, None, 0)
    }

    fn out_of_reach(&self) -> Vec<RuleId> {
        self.tree.coverage.out_of_reach()
    }

    fn knows_zombies(&self, parent: Tgid) -> bool {
        self.tree.knows_zombies(parent.raw())
    }
}

/// Whether an object is an event of Tracee's.
pub(super) fn is_event(line: &[u8]) -> bool {
    let object: Result<Map<String, Value>, _> = serde_json::from_slice(line);
    object.is_ok_and(|object| TraceeEvent::is_one(&object))
}
