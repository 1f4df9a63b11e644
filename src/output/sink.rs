//! Where bytes go: buffered, whole lines to files, at once to terminals.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How much is buffered at most before it is written.
const FULL: usize = 32 * 1024;

/// Whether the reader sits before it.
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
    writer: Writer,
    destination: Destination,
    buffer: Vec<u8>,
    /// How much of the buffer is whole lines.
    whole: usize,
    failed: Option<io::Error>,
}

/// What a sink writes to.
enum Writer {
    Any(Box<dyn Write>),
    /// Can be waited for, if a program that shares it made it non-blocking.
    Descriptor(Box<dyn Descriptor>),
    /// Can be cut back to its last whole line.
    File(File),
}

/// Something that is written to by its file descriptor.
trait Descriptor: Write + AsFd {}

impl<T: Write + AsFd> Descriptor for T {}

impl Writer {
    fn get(&mut self) -> &mut dyn Write {
        match self {
            Writer::Any(writer) => writer,
            Writer::Descriptor(writer) => writer,
            Writer::File(file) => file,
        }
    }

    /// Sleep until there is room; `error` if that cannot be known.
    fn wait_for_room(&self, error: io::Error) -> io::Result<()> {
        let fd = match self {
            Writer::Any(_) => return Err(error),
            Writer::Descriptor(writer) => writer.as_fd(),
            Writer::File(file) => file.as_fd(),
        };
        let mut fds = [PollFd::new(fd, PollFlags::POLLOUT)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Write all of `bytes`, whole lines if a file fails amid one.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.get().write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = rest.get(count..).unwrap_or(&[]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait_for_room(error)?;
                }
                Err(error) => {
                    let written = bytes.len() - rest.len();
                    let half_line = bytes.iter().take(written).rev();
                    let half_line = half_line.take_while(|byte| **byte != b'\n').count();
                    self.cut_back(half_line);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn cut_back(&mut self, count: usize) {
        if let Writer::File(file) = self
            && let Ok(end) = file.stream_position()
        {
            // What cannot be cut (a pipe, a device) stays as it is.
            let count = u64::try_from(count).unwrap_or(0);
            let _ = file.set_len(end.saturating_sub(count));
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
    /// A sink that writes to `writer`.
    #[must_use]
    pub fn new(writer: Box<dyn Write>, destination: Destination) -> Sink {
        Sink::with(Writer::Any(writer), destination)
    }

    /// A sink that writes to a descriptor, which may be non-blocking.
    #[must_use]
    pub fn descriptor(writer: impl Write + AsFd + 'static, destination: Destination) -> Sink {
        Sink::with(Writer::Descriptor(Box::new(writer)), destination)
    }

    /// A sink that writes to a file, and leaves whole lines if that fails.
    #[must_use]
    pub fn file(file: File, destination: Destination) -> Sink {
        Sink::with(Writer::File(file), destination)
    }

    fn with(writer: Writer, destination: Destination) -> Sink {
        Sink {
            writer,
            destination,
            buffer: Vec::new(),
            whole: 0,
            failed: None,
        }
    }

    /// Add text; a newline makes all before it a whole line.
    pub fn push(&mut self, text: &[u8]) {
        if self.failed.is_some() {
            return;
        }
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

    /// Whether somebody sits before it.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.destination == Destination::Terminal
    }

    /// Whether a call of [`Sink::write_out`] would write something.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.whole > 0
    }

    /// Write what may be written now.
    pub fn write_out(&mut self) {
        let ready = match self.destination {
            Destination::Terminal => self.buffer.len(),
            Destination::File => self.whole,
        };
        self.write_first(ready);
    }

    /// Write all there is, and say what went wrong in all this time.
    ///
    /// # Errors
    /// The first error that any write met.
    pub fn finish(&mut self) -> io::Result<()> {
        self.write_first(self.buffer.len());
        if self.failed.is_none() {
            self.failed = self.writer.get().flush().err();
        }
        self.failed.take().map_or(Ok(()), Err)
    }

    fn write_first(&mut self, count: usize) {
        let ready = self.buffer.get(..count).unwrap_or(&[]);
        if ready.is_empty() || self.failed.is_some() {
            return;
        }
        if let Err(error) = self.writer.write_all(ready) {
            self.failed = Some(error);
            self.buffer = Vec::new();
            self.whole = 0;
            return;
        }
        self.buffer.drain(..count);
        self.whole = self.whole.saturating_sub(count);
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
}
