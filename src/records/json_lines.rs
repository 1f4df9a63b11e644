//! Lines of a record of which each is a JSON object.

use std::io::{BufRead, BufReader, Read};

use super::Broken;

/// A line that is longer is broken: the longest have a command line, which the
/// kernel limits to some megabytes.
const LONGEST_LINE: u64 = 64 << 20;

/// The lines of an input, one at a time.
pub(super) struct JsonObjects<R> {
    input: BufReader<R>,
    pub(super) line: Vec<u8>,
    /// Counted from 1.
    pub(super) number: u64,
}

impl<R: Read> JsonObjects<R> {
    pub(super) fn new(input: R) -> JsonObjects<R> {
        JsonObjects {
            input: BufReader::with_capacity(1 << 18, input),
            line: Vec::new(),
            number: 0,
        }
    }

    pub(super) fn broken(&self, why: impl Into<String>) -> Broken {
        Broken {
            line: self.number,
            why: why.into(),
        }
    }

    /// Read the next line, without its end; `false` if there is none.
    pub(super) fn next(&mut self) -> Result<bool, Broken> {
        self.line.clear();
        self.number += 1;
        let mut limited = (&mut self.input).take(LONGEST_LINE);
        let read = limited.read_until(b'\n', &mut self.line);
        read.map_err(|error| self.broken(format!("cannot be read: {error}")))?;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if self.line.len() as u64 == LONGEST_LINE {
            return Err(self.broken(format!("is longer than {LONGEST_LINE} bytes")));
        } else {
            // The last line has no end: the writer was killed amid it, or it
            // is whole all the same.
            return Ok(!self.line.is_empty());
        }
        Ok(true)
    }

    /// Whether a whole line is there already: the next one may be long in
    /// coming.
    pub(super) fn has_more(&self) -> bool {
        memchr::memchr(b'\n', self.input.buffer()).is_some()
    }
}

/// What is wrong, without the place in the line's own count of lines.
pub(super) fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    match error.column() {
        0 => format!("is no event: {text}"),
        column => format!("is no event: {text} (column {column})"),
    }
}
