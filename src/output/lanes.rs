//! Where each line goes, and which lines are still open.
//!
//! A line is open while its call is under way. When another task writes to
//! the same place, the open line is ended with ` <unfinished ...>`.

use std::io;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::held::Lines;
use super::line::Line;
use super::sink::{Files, Sink};
use crate::event::Stack;
use crate::kernel::Tid;

/// Where the lines go.
pub enum Target {
    /// To standard error, with messages in between.
    Stderr(Sink),
    /// To a file (`-o`); messages go to standard error.
    File(Sink),
    /// To a file for each task (`-ff -o`).
    Each(Files),
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Target::Stderr(_) => "Stderr",
            Target::File(_) => "File",
            Target::Each(_) => "Each",
        })
    }
}

/// A sink and the line that is open in it.
struct Lane {
    sink: Sink,
    open: Option<Tid>,
    column: usize,
}

impl Lane {
    fn new(sink: Sink) -> Lane {
        Lane {
            sink,
            open: None,
            column: 0,
        }
    }

    fn end_open_line(&mut self, with: &str) {
        if self.open.take().is_some() {
            self.sink.push(with.as_bytes());
        }
    }
}

/// All places that lines go to.
pub(super) struct Lanes {
    shared: Option<Lane>,
    each: FxHashMap<Tid, Lane>,
    /// Files of tasks that are gone, whose last lines wait for call stacks.
    retired: Vec<Lane>,
    files: Option<Files>,
    is_stderr: bool,
    /// For messages, where the lines go elsewhere.
    messages: Lane,
}

impl Lanes {
    pub(super) fn new(target: Target, messages: Sink) -> Lanes {
        let is_stderr = matches!(target, Target::Stderr(_));
        let (shared, files) = match target {
            Target::Stderr(sink) | Target::File(sink) => (Some(Lane::new(sink)), None),
            Target::Each(files) => (None, Some(files)),
        };
        Lanes {
            shared,
            each: FxHashMap::default(),
            retired: Vec::new(),
            files,
            is_stderr,
            messages: Lane::new(messages),
        }
    }

    /// Whether lines go to standard error.
    pub(super) fn is_stderr(&self) -> bool {
        self.is_stderr
    }

    /// Whether each task has a file of its own.
    pub(super) fn is_split(&self) -> bool {
        self.files.is_some()
    }

    /// Whether the open line is this task's.
    pub(super) fn is_open(&self, tid: Tid) -> bool {
        let lane = self.shared.as_ref().or_else(|| self.each.get(&tid));
        lane.is_some_and(|lane| lane.open == Some(tid))
    }

    /// The column that this task's open line has reached.
    pub(super) fn column(&self, tid: Tid) -> usize {
        let lane = self.shared.as_ref().or_else(|| self.each.get(&tid));
        lane.filter(|lane| lane.open == Some(tid))
            .map_or(0, |lane| lane.column)
    }

    /// Write a line, or the rest of one; with `open` it is not at its end yet
    /// and has reached that column. `line` is empty afterwards.
    pub(super) fn write(&mut self, tid: Tid, line: &mut Line, open: Option<usize>) {
        if let Some(lane) = self.lane(tid) {
            if lane.open != Some(tid) {
                lane.end_open_line(" <unfinished ...>\n");
            }
            if open.is_none() {
                line.text.push('\n');
            }
            lane.sink.push(line.text.as_bytes());
            lane.open = open.map(|_| tid);
            lane.column = open.unwrap_or(0);
        }
        line.text.clear();
    }

    /// Write the lines of a call stack, as soon as it is known.
    pub(super) fn write_stack(&mut self, tid: Tid, stack: &Arc<Stack>, lines: Lines) {
        if let Some(lane) = self.lane(tid) {
            lane.end_open_line(" <unfinished ...>\n");
            lane.sink.push_stack(stack, lines);
        }
    }

    /// End the open line, whoever's it is, before a new one of this task.
    pub(super) fn interrupt(&mut self, tid: Tid) {
        if let Some(lane) = self.lane(tid) {
            lane.end_open_line(" <unfinished ...>\n");
        }
    }

    /// Write a message: a whole line to standard error.
    pub(super) fn message(&mut self, text: &str) {
        let lane = match &mut self.shared {
            Some(shared) if self.is_stderr => shared,
            _ => &mut self.messages,
        };
        lane.end_open_line(" <unfinished ...>\n");
        lane.sink.push(text.as_bytes());
        lane.sink.push(b"\n");
    }

    /// Write whole lines to where all tasks' lines go.
    pub(super) fn text(&mut self, text: &str) {
        if let Some(lane) = &mut self.shared {
            lane.end_open_line(" <unfinished ...>\n");
            lane.sink.push(text.as_bytes());
        }
    }

    /// Make a task's file even if nothing is ever written to it.
    pub(super) fn open(&mut self, tid: Tid) {
        if self.is_split() {
            self.lane(tid);
        }
    }

    /// A task is gone: its file is done.
    pub(super) fn retire(&mut self, tid: Tid) {
        if let Some(mut lane) = self.each.remove(&tid) {
            if lane.sink.is_held() {
                self.retired.push(lane);
            } else {
                lane.sink.finish_later();
            }
        }
    }

    fn lane(&mut self, tid: Tid) -> Option<&mut Lane> {
        if self.shared.is_some() {
            return self.shared.as_mut();
        }
        let files = self.files.as_ref()?;
        let lane = self.each.entry(tid);
        Some(lane.or_insert_with(|| Lane::new(files.open(tid))))
    }

    fn sinks(&mut self) -> impl Iterator<Item = &mut Sink> {
        let lanes = self.shared.iter_mut().chain(self.each.values_mut());
        let lanes = lanes.chain(&mut self.retired);
        lanes.chain([&mut self.messages]).map(|lane| &mut lane.sink)
    }

    /// The event is over: terminals see what there is.
    pub(super) fn settle(&mut self, tid: Tid) {
        let lane = self.shared.as_mut().or_else(|| self.each.get_mut(&tid));
        if let Some(lane) = lane {
            lane.sink.settle();
        }
        self.messages.sink.write_out();
    }

    /// Whether a terminal shows the lines. A terminal that each task has for a
    /// file is none to sit before.
    pub(super) fn is_watched(&self) -> bool {
        let shared = self.shared.as_ref();
        shared.is_some_and(|lane| lane.sink.is_watched())
    }

    pub(super) fn is_dirty(&self) -> bool {
        let mut lanes = self.shared.iter().chain(self.each.values());
        !self.retired.is_empty() || lanes.any(|lane| lane.sink.is_dirty())
    }

    pub(super) fn write_out(&mut self) {
        self.sinks().for_each(Sink::write_out);
        self.retired.retain_mut(|lane| {
            let is_held = lane.sink.is_held();
            if !is_held {
                lane.sink.finish_later();
            }
            is_held
        });
    }

    /// Wait a moment for what is written.
    pub(super) fn pause(&mut self) {
        let shared = self.shared.iter_mut();
        shared
            .chain([&mut self.messages])
            .for_each(|lane| lane.sink.pause());
        self.files.iter().for_each(Files::pause);
    }

    /// Write all there is; the first error that any write met.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let mut written = Ok(());
        self.sinks().for_each(Sink::finish_later);
        for sink in self.sinks() {
            written = written.and(sink.finish());
        }
        written.and(self.files.as_ref().map_or(Ok(()), Files::finish))
    }
}
