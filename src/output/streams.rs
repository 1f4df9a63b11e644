//! Where each line goes, and which lines are still open.
//!
//! A line is open while its call is under way. When another task writes to
//! the same place, the open line is ended with ` <unfinished ...>`.

use std::io;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::fit;
use super::held_lines::Lines;
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
struct Stream {
    sink: Sink,
    open: Option<Tid>,
    column: usize,
    /// The columns that the open line takes.
    visible: usize,
}

impl Stream {
    fn new(sink: Sink) -> Stream {
        Stream {
            sink,
            open: None,
            column: 0,
            visible: 0,
        }
    }

    fn end_open_line(&mut self, with: &str) {
        if self.open.take().is_some() {
            self.sink.push(with.as_bytes());
        }
    }
}

/// All places that lines go to.
pub(super) struct Streams {
    shared: Option<Stream>,
    each: FxHashMap<Tid, Stream>,
    /// Files of tasks that are gone, whose last lines wait for call stacks.
    retired: Vec<Stream>,
    files: Option<Files>,
    is_stderr: bool,
    /// For messages, where the lines go elsewhere.
    messages: Stream,
}

impl Streams {
    pub(super) fn new(target: Target, messages: Sink) -> Streams {
        let is_stderr = matches!(target, Target::Stderr(_));
        let (shared, files) = match target {
            Target::Stderr(sink) | Target::File(sink) => (Some(Stream::new(sink)), None),
            Target::Each(files) => (None, Some(files)),
        };
        Streams {
            shared,
            each: FxHashMap::default(),
            retired: Vec::new(),
            files,
            is_stderr,
            messages: Stream::new(messages),
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
        let stream = self.shared.as_ref().or_else(|| self.each.get(&tid));
        stream.is_some_and(|stream| stream.open == Some(tid))
    }

    /// The column that this task's open line has reached.
    pub(super) fn column(&self, tid: Tid) -> usize {
        let stream = self.shared.as_ref().or_else(|| self.each.get(&tid));
        stream
            .filter(|stream| stream.open == Some(tid))
            .map_or(0, |stream| stream.column)
    }

    /// The columns that this task's open line takes, with its prefix.
    pub(super) fn visible(&self, tid: Tid) -> usize {
        let stream = self.shared.as_ref().or_else(|| self.each.get(&tid));
        stream
            .filter(|stream| stream.open == Some(tid))
            .map_or(0, |stream| stream.visible)
    }

    /// Write a line, or the rest of one; with `open` it is not at its end yet
    /// and has reached that column. `line` is empty afterwards.
    pub(super) fn write(&mut self, tid: Tid, line: &mut Line, open: Option<usize>) {
        if let Some(stream) = self.stream(tid) {
            if stream.open != Some(tid) {
                stream.end_open_line(" <unfinished ...>\n");
            }
            if open.is_none() {
                line.text.push('\n');
            }
            stream.sink.push(line.text.as_bytes());
            stream.visible = open.map_or(0, |_| fit::columns(&line.text));
            stream.open = open.map(|_| tid);
            stream.column = open.unwrap_or(0);
        }
        line.text.clear();
    }

    /// Write the lines of a call stack, as soon as it is known.
    pub(super) fn write_stack(&mut self, tid: Tid, stack: &Arc<Stack>, lines: Lines) {
        if let Some(stream) = self.stream(tid) {
            stream.end_open_line(" <unfinished ...>\n");
            stream.sink.push_stack(stack, lines);
        }
    }

    /// End the open line, whoever's it is, before a new one of this task.
    pub(super) fn interrupt(&mut self, tid: Tid) {
        if let Some(stream) = self.stream(tid) {
            stream.end_open_line(" <unfinished ...>\n");
        }
    }

    /// Write a message: a whole line to standard error.
    pub(super) fn message(&mut self, text: &str) {
        let stream = match &mut self.shared {
            Some(shared) if self.is_stderr => shared,
            _ => &mut self.messages,
        };
        stream.end_open_line(" <unfinished ...>\n");
        stream.sink.push(text.as_bytes());
        stream.sink.push(b"\n");
    }

    /// Write whole lines to where all tasks' lines go.
    pub(super) fn text(&mut self, text: &str) {
        if let Some(stream) = &mut self.shared {
            stream.end_open_line(" <unfinished ...>\n");
            stream.sink.push(text.as_bytes());
        }
    }

    /// Make a task's file even if nothing is ever written to it.
    pub(super) fn open(&mut self, tid: Tid) {
        if self.is_split() {
            self.stream(tid);
        }
    }

    /// A task is gone: its file is done.
    pub(super) fn retire(&mut self, tid: Tid) {
        if let Some(mut stream) = self.each.remove(&tid) {
            if stream.sink.is_held() {
                self.retired.push(stream);
            } else {
                stream.sink.finish_later();
            }
        }
    }

    fn stream(&mut self, tid: Tid) -> Option<&mut Stream> {
        if self.shared.is_some() {
            return self.shared.as_mut();
        }
        let files = self.files.as_ref()?;
        let stream = self.each.entry(tid);
        Some(stream.or_insert_with(|| Stream::new(files.open(tid))))
    }

    fn sinks(&mut self) -> impl Iterator<Item = &mut Sink> {
        let streams = self.shared.iter_mut().chain(self.each.values_mut());
        let streams = streams.chain(&mut self.retired);
        streams
            .chain([&mut self.messages])
            .map(|stream| &mut stream.sink)
    }

    /// The event is over: terminals see what there is.
    pub(super) fn settle(&mut self, tid: Tid) {
        let stream = self.shared.as_mut().or_else(|| self.each.get_mut(&tid));
        if let Some(stream) = stream {
            stream.sink.settle();
        }
        self.messages.sink.write_out();
    }

    /// Whether a terminal shows the lines. A terminal that each task has for a
    /// file is none to sit before.
    pub(super) fn is_watched(&self) -> bool {
        let shared = self.shared.as_ref();
        shared.is_some_and(|stream| stream.sink.is_watched())
    }

    pub(super) fn is_dirty(&self) -> bool {
        let mut streams = self.shared.iter().chain(self.each.values());
        !self.retired.is_empty() || streams.any(|stream| stream.sink.is_dirty())
    }

    pub(super) fn write_out(&mut self) {
        self.sinks().for_each(Sink::write_out);
        self.retired.retain_mut(|stream| {
            let is_held = stream.sink.is_held();
            if !is_held {
                stream.sink.finish_later();
            }
            is_held
        });
    }

    /// Wait a moment for what is written.
    pub(super) fn pause(&mut self) {
        let shared = self.shared.iter_mut();
        shared
            .chain([&mut self.messages])
            .for_each(|stream| stream.sink.pause());
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
