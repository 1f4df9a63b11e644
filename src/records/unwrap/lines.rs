//! Lines of a text that pass through stages, one at a time.

use std::io::{self, BufRead, BufReader, Read};

use super::before::behind_words;
use super::stage::{Join, Stage, Step};

/// A line that is longer is handed on in pieces.
const LONGEST_LINE: u64 = 1 << 20;
/// How many lines one may be joined of.
const MOST_JOINED: usize = 64;

/// A text whose lines are unwrapped.
pub(super) struct Unwrapped<R> {
    input: BufReader<R>,
    stages: Vec<Stage>,
    /// The line at hand, and what of it was handed out.
    line: Vec<u8>,
    given: usize,
    /// A line that was read on, and belongs to the next.
    ahead: Option<Vec<u8>>,
    /// Empty lines that stand for those that were joined: lines keep their
    /// numbers.
    owed: usize,
}

impl<R: Read> Unwrapped<R> {
    pub(super) fn new(input: R, stages: Vec<Stage>) -> Unwrapped<R> {
        Unwrapped {
            input: BufReader::new(input),
            stages,
            line: Vec::new(),
            given: 0,
            ahead: None,
            owed: 0,
        }
    }

    /// The next line, with its end.
    pub(super) fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        self.given = 0;
        if self.owed > 0 {
            self.owed -= 1;
            self.line.clear();
            self.line.push(b'\n');
            return Ok(Some(&self.line));
        }
        let Some(mut line) = self
            .ahead
            .take()
            .map_or_else(|| self.read(), |it| Ok(Some(it)))?
        else {
            return Ok(None);
        };
        let joins: Vec<Join> = self
            .stages
            .iter()
            .filter_map(|stage| match stage.step {
                Step::Join(join) => Some(join),
                Step::Line(_) | Step::Words(_) => None,
            })
            .collect();
        while !joins.is_empty() && self.owed < MOST_JOINED {
            let Some(next) = self.read()? else {
                break;
            };
            if let Some(whole) = joins.iter().find_map(|join| join(&line, &next)) {
                line = whole;
                self.owed += 1;
            } else {
                self.ahead = Some(next);
                break;
            }
        }
        line.push(b'\n');
        self.line = line;
        Ok(Some(&self.line))
    }

    /// The next line of the input, through the stages that need no other.
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.input).take(LONGEST_LINE);
        if limited.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        for end in [b"\n", b"\r"] {
            if line.ends_with(end) {
                line.pop();
            }
        }
        for stage in &self.stages {
            let plain = match stage.step {
                Step::Line(undo) => undo(&line),
                Step::Words(count) => behind_words(&line, count),
                Step::Join(_) => None,
            };
            line = plain.unwrap_or(line);
        }
        Ok(Some(line))
    }
}

impl<R: Read> Read for Unwrapped<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.given == self.line.len() && self.next_line()?.is_none() {
            self.line.clear();
            return Ok(0);
        }
        let mut rest = self.line.get(self.given..).unwrap_or(&[]);
        let count = rest.read(to)?;
        self.given += count;
        Ok(count)
    }
}

/// Whether a line holds anything.
pub(super) fn is_line(line: &[u8]) -> bool {
    !line.trim_ascii().is_empty()
}
