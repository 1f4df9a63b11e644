//! A packed input whose end is missing, as a download or a copy of a file that is still
//! written leaves it: what could be unpacked is a text.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// How much is unpacked at once, and of how long a line the beginning is held back.
const AT_ONCE: usize = 1 << 16;
const LONGEST_HELD: usize = 1 << 20;

/// A flag that the readers of an input share.
#[derive(Clone, Debug, Default)]
pub(in crate::records) struct Flag(Rc<Cell<bool>>);

impl Flag {
    pub(in crate::records) fn is_set(&self) -> bool {
        self.0.get()
    }

    fn set(&self) {
        self.0.set(true);
    }
}

/// An input that notes when it is over.
pub(super) struct Watched<R> {
    input: R,
    is_over: Flag,
}

impl<R> Watched<R> {
    pub(super) fn new(input: R) -> (Watched<R>, Flag) {
        let is_over = Flag::default();
        let watched = Watched {
            input,
            is_over: is_over.clone(),
        };
        (watched, is_over)
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(to)?;
        if count == 0 && !to.is_empty() {
            self.is_over.set();
        }
        Ok(count)
    }
}

/// What an unpacker gives, up to the last whole line if its input is over too early.
pub(super) struct Whole<R> {
    input: R,
    /// Whether the packed input is over.
    is_over: Flag,
    is_cut: Flag,
    /// What was unpacked; so much of it is to be handed out, and so much was.
    text: Vec<u8>,
    ready: usize,
    given: usize,
    has_ended: bool,
}

impl<R> Whole<R> {
    pub(super) fn new(input: R, is_over: Flag) -> (Whole<R>, Flag) {
        let is_cut = Flag::default();
        let whole = Whole {
            input,
            is_over,
            is_cut: is_cut.clone(),
            text: Vec::new(),
            ready: 0,
            given: 0,
            has_ended: false,
        };
        (whole, is_cut)
    }
}

impl<R: Read> Whole<R> {
    /// Unpack more.
    fn fill(&mut self) -> io::Result<()> {
        self.text.drain(..self.given);
        self.ready -= self.given;
        self.given = 0;
        let held = self.text.len();
        self.text.resize(held + AT_ONCE, 0);
        let read = self
            .input
            .read(self.text.get_mut(held..).unwrap_or(&mut []));
        let count = *read.as_ref().unwrap_or(&0);
        self.text.truncate(held + count);
        match read {
            Ok(0) => {
                self.has_ended = true;
                self.ready = self.text.len();
            }
            Ok(_) => {
                let end = memchr::memrchr(b'\n', &self.text).map_or(0, |end| end + 1);
                let is_long = self.text.len() - end > LONGEST_HELD;
                self.ready = if is_long { self.text.len() } else { end };
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if self.is_over.is_set() => {
                // A number at the end may lack digits.
                self.has_ended = true;
                self.is_cut.set();
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready && !self.has_ended {
            self.fill()?;
        }
        let mut rest = self.text.get(self.given..self.ready).unwrap_or(&[]);
        let count = rest.read(to)?;
        self.given += count;
        Ok(count)
    }
}
