//! Where bytes go: buffered, whole lines to files, at once to terminals.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;

use super::held_lines::{HeldLines, Lines};
use super::outbox::{Opening, Outbox, Writer};
use crate::event::Stack;
use crate::kernel::Tid;

/// How much is buffered at most before it is written.
const FULL: usize = 32 * 1024;

/// Whether a person reads along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A terminal: everything is written at once, half lines too, so that a
    /// call that hangs is seen to hang.
    Terminal,
    /// A file or a pipe: whole lines only, so that a run that is cut off
    /// leaves whole lines.
    File,
}

/// A buffered writer that fails once and for all: after an error it takes
/// everything and writes nothing, since tracees must be served to their end.
pub struct Sink {
    writing: Writing,
    destination: Destination,
    buffer: Vec<u8>,
    /// How much of the buffer is whole lines.
    whole: usize,
    held: HeldLines,
    failed: Option<io::Error>,
}

/// How a sink writes.
enum Writing {
    Direct(Box<dyn Write>),
    /// As this sink of an outbox.
    Outbox(Rc<Outbox>, u64),
}

impl Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Writing::Direct(writer) => writer.write_all(bytes),
            Writing::Outbox(outbox, number) => outbox.write(*number, bytes),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Writing::Direct(writer) => writer.flush(),
            Writing::Outbox(outbox, _) => outbox.finish(),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Writing::Outbox(outbox, number) = &self.writing {
            outbox.close(*number);
        }
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink")
            .field("destination", &self.destination)
            .field("buffered", &self.buffer.len())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl Sink {
    /// A sink that writes to `writer`, which must not block.
    #[must_use]
    pub fn new(writer: Box<dyn Write>, destination: Destination) -> Sink {
        Sink::with(Writing::Direct(writer), destination)
    }

    /// A sink that writes to a descriptor.
    #[must_use]
    pub fn descriptor(writer: impl AsFd + Send + 'static, destination: Destination) -> Sink {
        let writer = Writer::Descriptor(Box::new(writer));
        Sink::of(Rc::new(Outbox::new()), Box::new(|| Ok(writer)), destination)
    }

    /// A sink that writes to standard error; all of them write in turn.
    #[must_use]
    pub fn stderr(destination: Destination) -> Sink {
        let open = || Ok(Writer::Descriptor(Box::new(io::stderr())));
        Sink::of(Outbox::stderr(), Box::new(open), destination)
    }

    /// A sink that writes to a file, and leaves whole lines if that fails.
    #[must_use]
    pub fn file(file: File, destination: Destination) -> Sink {
        let open = || Ok(Writer::File(file));
        Sink::of(Rc::new(Outbox::new()), Box::new(open), destination)
    }

    fn of(outbox: Rc<Outbox>, opening: Opening, destination: Destination) -> Sink {
        let number = outbox.open(opening);
        Sink::with(Writing::Outbox(outbox, number), destination)
    }

    fn with(writing: Writing, destination: Destination) -> Sink {
        Sink {
            writing,
            destination,
            buffer: Vec::new(),
            whole: 0,
            held: HeldLines::default(),
            failed: None,
        }
    }

    /// Add text; a newline makes all before it a whole line.
    pub fn push(&mut self, text: &[u8]) {
        if self.failed.is_none() && !self.held.push(text) {
            self.add(text);
        }
    }

    /// Add the lines of a stack, as soon as it is known. All that comes later
    /// stands behind them.
    pub(super) fn push_stack(&mut self, stack: &Arc<Stack>, lines: Lines) {
        if self.failed.is_some() {
            return;
        }
        self.held.push_stack(stack, lines);
        self.release();
    }

    /// Add what need not wait any more.
    fn release(&mut self) {
        while let Some(text) = self.held.next() {
            self.add(&text);
        }
    }

    fn add(&mut self, text: &[u8]) {
        self.buffer.extend_from_slice(text);
        if let Some(newline) = text.iter().rposition(|byte| *byte == b'\n') {
            self.whole = self.buffer.len() - text.len() + newline + 1;
        }
        if self.whole >= FULL {
            self.write_out();
        }
    }

    /// The event is over: a terminal sees what there is.
    pub fn settle(&mut self) {
        if self.destination == Destination::Terminal {
            self.write_out();
        }
    }

    /// Whether it is a terminal.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.destination == Destination::Terminal
    }

    /// Whether [`Sink::write_out`] would write something, now or later.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.whole > 0 || self.is_held()
    }

    /// Whether lines wait for call stacks.
    pub(super) fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Write what may be written now.
    pub fn write_out(&mut self) {
        self.release();
        let ready = match self.destination {
            Destination::Terminal => self.buffer.len(),
            Destination::File => self.whole,
        };
        self.write_first(ready);
    }

    /// Wait a moment for what is written.
    pub fn pause(&mut self) {
        if let Writing::Outbox(outbox, _) = &self.writing {
            outbox.pause();
        }
    }

    /// Write all there is, and wait for no reader.
    pub fn finish_later(&mut self) {
        self.held.wait();
        self.release();
        self.write_first(self.buffer.len());
    }

    /// Write all there is, and say what went wrong in all this time.
    ///
    /// # Errors
    /// The first error that any write met.
    pub fn finish(&mut self) -> io::Result<()> {
        self.finish_later();
        if self.failed.is_none() {
            self.failed = self.writing.finish().err();
        }
        self.failed.take().map_or(Ok(()), Err)
    }

    fn write_first(&mut self, count: usize) {
        let ready = self.buffer.get(..count).unwrap_or(&[]);
        if ready.is_empty() || self.failed.is_some() {
            return;
        }
        if let Err(error) = self.writing.write(ready) {
            self.failed = Some(error);
            self.buffer = Vec::new();
            self.held = HeldLines::default();
            self.whole = 0;
            return;
        }
        self.buffer.drain(..count);
        self.whole = self.whole.saturating_sub(count);
    }
}

/// Files that are opened one by one, and written in one order.
pub struct Files {
    outbox: Rc<Outbox>,
    open: Box<dyn Fn(Tid) -> OpenFile>,
}

/// Opens a file; may block.
pub type OpenFile = Box<dyn FnOnce() -> io::Result<File> + Send>;

impl Files {
    /// Files that `open` knows how to open, one for each task.
    #[must_use]
    pub fn new(open: Box<dyn Fn(Tid) -> OpenFile>) -> Files {
        Files {
            outbox: Rc::new(Outbox::new()),
            open,
        }
    }

    /// The file of a task. It has failed if it cannot be opened.
    pub(super) fn open(&self, tid: Tid) -> Sink {
        let open = (self.open)(tid);
        let open = || Ok(Writer::File(open()?));
        Sink::of(Rc::clone(&self.outbox), Box::new(open), Destination::File)
    }

    /// Wait a moment for what is written.
    pub(super) fn pause(&self) {
        self.outbox.pause();
    }

    /// Wait until all is written.
    ///
    /// # Errors
    /// The first error that any of the files met.
    pub(super) fn finish(&self) -> io::Result<()> {
        self.outbox.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[derive(Clone, Default)]
    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if bytes.contains(&b'!') {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_file_gets_whole_lines_only() {
        let file = Shared::default();
        let mut sink = Sink::new(Box::new(file.clone()), Destination::File);
        sink.push(b"one\ntw");
        sink.settle();
        assert_eq!(file.0.borrow().len(), 0);
        sink.write_out();
        assert_eq!(*file.0.borrow(), b"one\n");
        sink.push(b"o\n");
        sink.write_out();
        assert_eq!(*file.0.borrow(), b"one\ntwo\n");
    }

    #[test]
    fn a_terminal_sees_half_a_line() {
        let terminal = Shared::default();
        let mut sink = Sink::new(Box::new(terminal.clone()), Destination::Terminal);
        sink.push(b"wait4(-1");
        sink.settle();
        assert_eq!(*terminal.0.borrow(), b"wait4(-1");
    }

    #[test]
    fn the_first_error_is_kept_and_nothing_is_written_after_it() {
        let file = Shared::default();
        let mut sink = Sink::new(Box::new(file.clone()), Destination::File);
        sink.push(b"bad!\n");
        sink.write_out();
        sink.push(b"good\n");
        assert!(!sink.is_dirty());
        assert_eq!(
            sink.finish().unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
        assert!(file.0.borrow().is_empty());
    }

    #[derive(Debug)]
    struct NoResolver;

    impl crate::event::Resolver for NoResolver {
        fn check(&self) {}
        fn hurry(&self) {}
    }

    fn cut(stack: &Stack) -> Vec<u8> {
        format!("{:?}\n", stack.cut()).into_bytes()
    }

    #[test]
    fn lines_of_a_stack_wait_for_it_and_all_behind_them_too() {
        let file = Shared::default();
        let mut sink = Sink::new(Box::new(file.clone()), Destination::Terminal);
        let [first, second] = [(); 2].map(|()| Arc::new(Stack::pending(Arc::new(NoResolver))));
        sink.push(b"one\n");
        sink.push_stack(&first, Box::new(cut));
        sink.push(b"two\n");
        sink.push_stack(&second, Box::new(cut));
        sink.push(b"three\n");
        sink.settle();
        assert_eq!(*file.0.borrow(), b"one\n");
        second.resolve(crate::event::Frames::default());
        sink.settle();
        assert_eq!(*file.0.borrow(), b"one\n");
        assert!(sink.is_dirty(), "a tick is wanted");
        let cut = Some(crate::event::Cut::Deep);
        first.resolve(crate::event::Frames {
            frames: Vec::new(),
            cut,
        });
        sink.write_out();
        let shown = b"one\nSome(Deep)\ntwo\nNone\nthree\n";
        assert_eq!(file.0.borrow().as_slice(), shown);
        assert!(!sink.is_dirty());
    }

    #[test]
    fn what_waits_is_bounded() {
        let file = Shared::default();
        let mut sink = Sink::new(Box::new(file.clone()), Destination::File);
        let never = Arc::new(Stack::pending(Arc::new(NoResolver)));
        sink.push_stack(&never, Box::new(cut));
        let line = [&[b'x'; 4095][..], b"\n"].concat();
        for _ in 0..2000 {
            sink.push(&line);
            sink.write_out();
        }
        assert!(file.0.borrow().starts_with(b"Some(Lost)\nxxx"));
    }
}
