//! Lines of a large input, without a copy of each and in bounded memory.

use std::io::{self, Read};

use memchr::memchr;

/// How much is read at once. A line that does not fit is passed over.
pub(super) const BUFFER: usize = 1 << 20;

/// The lines of an input.
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// What of the buffer is not handed out yet.
    start: usize,
    end: usize,
    /// The number of the line that was handed out last, counted from 1.
    pub(super) number: u64,
    /// Lines that were too long.
    pub(super) overlong: u64,
    /// The rest of a line that is too long comes first.
    skipping: bool,
    is_over: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Lines<R> {
        Lines {
            input,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            number: 0,
            overlong: 0,
            skipping: false,
            is_over: false,
        }
    }

    /// The next line, without its end; `None` when there is none.
    ///
    /// # Errors
    /// Those of the input.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            let rest = self.buffer.get(self.start..self.end).unwrap_or(&[]);
            let from = self.start;
            if let Some(length) = memchr(b'\n', rest) {
                self.start += length + 1;
                self.number += 1;
                if std::mem::take(&mut self.skipping) {
                    continue;
                }
                return Ok(self.buffer.get(from..from + length));
            }
            if self.is_over {
                // The last line may have no end.
                self.start = self.end;
                self.number += 1;
                let is_last = from < self.end && !self.skipping;
                return Ok(is_last.then(|| self.buffer.get(from..self.end)).flatten());
            }
            self.fill()?;
        }
    }

    /// The beginning of the input, which is not handed out by this.
    ///
    /// # Errors
    /// Those of the input.
    pub(super) fn ahead(&mut self) -> io::Result<&[u8]> {
        while !self.is_over && self.end < self.buffer.len() {
            self.fill()?;
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or(&[]))
    }

    /// Read on, behind what is left.
    fn fill(&mut self) -> io::Result<()> {
        if self.end - self.start == self.buffer.len() {
            self.overlong += u64::from(!self.skipping);
            self.skipping = true;
            self.start = self.end;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let room = self.buffer.get_mut(self.end..).unwrap_or(&mut []);
        match self.input.read(room) {
            Ok(0) => self.is_over = true,
            Ok(count) => self.end += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> (Vec<Vec<u8>>, u64) {
        let mut lines = Lines::new(text);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap_or(None) {
            all.push(line.to_vec());
        }
        (all, lines.overlong)
    }

    #[test]
    fn lines_come_one_by_one_and_the_last_needs_no_end() {
        assert_eq!(all(b""), (vec![], 0));
        assert_eq!(
            all(b"a\n\nbc"),
            (vec![b"a".to_vec(), vec![], b"bc".to_vec()], 0)
        );
    }

    #[test]
    fn a_line_that_does_not_fit_is_passed_over() {
        let mut text = b"one\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', 3 * BUFFER));
        text.extend(b"\ntwo\n");
        assert_eq!(all(&text), (vec![b"one".to_vec(), b"two".to_vec()], 1));
    }
}
