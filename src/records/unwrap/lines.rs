//! Lines of a text that pass through stages, one at a time.

use std::io::{self, BufRead, BufReader, Read};

use super::before::{behind_name, behind_words};
use super::stage::{Join, Split, Stage, Step};
use crate::records::lines::BUFFER;

/// Of a line that is not shorter the rest is dropped; what is left is handed on as it
/// is, and passed over as too long by [`crate::records::lines::Lines`].
const LONGEST_LINE: usize = BUFFER;
/// How many lines one may be joined of.
const MOST_JOINED: usize = 64;

/// A text whose lines are unwrapped.
pub(super) struct Unwrapped<R> {
    input: BufReader<R>,
    stages: Vec<Stage>,
    /// Those of the stages that need two lines.
    joins: Vec<Join>,
    /// The line at hand, and what of it was handed out.
    line: Vec<u8>,
    given: usize,
    /// A line that was read on, and belongs to the next.
    ahead: Option<Vec<u8>>,
    /// A line of which the first is handed on.
    several: Option<Several>,
    /// Empty lines that stand for those that were joined: lines keep their
    /// numbers.
    owed: usize,
}

/// A line that is several.
struct Several {
    line: Vec<u8>,
    /// How much of it was handed on.
    begun: usize,
    split: Split,
    /// The stages that it has passed.
    passed: usize,
}

impl Several {
    fn next(&mut self) -> (Vec<u8>, usize) {
        let rest = self.line.get(self.begun..).unwrap_or(&[]);
        let end = (self.split)(rest).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or(rest).trim_ascii_end();
        self.begun += end;
        (line.to_vec(), self.passed)
    }

    fn is_over(&self) -> bool {
        self.begun >= self.line.len()
    }
}

impl<R: Read> Unwrapped<R> {
    pub(super) fn new(input: R, stages: Vec<Stage>) -> Unwrapped<R> {
        let joins = stages.iter().filter_map(|stage| match stage.step {
            Step::Join(join) => Some(join),
            Step::Line(_) | Step::Words(_) | Step::Name(_) | Step::Split(_) => None,
        });
        Unwrapped {
            input: BufReader::new(input),
            joins: joins.collect(),
            stages,
            line: Vec::new(),
            given: 0,
            ahead: None,
            several: None,
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
        while !self.joins.is_empty() && self.owed < MOST_JOINED {
            let Some(next) = self.read()? else {
                break;
            };
            let whole = self.joins.iter().find_map(|join| join(&line, &next));
            if let Some(whole) = whole.filter(|whole| whole.len() < LONGEST_LINE) {
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

    /// The next line, through the stages that need no other.
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        if let Some((line, passed)) = self.several.as_mut().map(Several::next) {
            self.several = self.several.take().filter(|several| !several.is_over());
            return Ok(Some(self.through(line, passed)));
        }
        let mut line = Vec::new();
        let mut limited = (&mut self.input).take(LONGEST_LINE as u64);
        if limited.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.len() == LONGEST_LINE && !line.ends_with(b"\n") {
            self.input.skip_until(b'\n')?;
            return Ok(Some(line));
        }
        for end in [b"\n", b"\r"] {
            if line.ends_with(end) {
                line.pop();
            }
        }
        Ok(Some(self.through(line, 0)))
    }

    /// A line through the stages, of which it has passed so many.
    fn through(&mut self, mut line: Vec<u8>, passed: usize) -> Vec<u8> {
        for (at, stage) in self.stages.iter().enumerate().skip(passed) {
            let plain = match stage.step {
                Step::Line(undo) => undo(&line),
                Step::Words(count) => behind_words(&line, count),
                Step::Name(length) => behind_name(&line, length),
                Step::Split(split) if split(&line).is_some() => {
                    let (line, begun, passed) = (std::mem::take(&mut line), 0, at + 1);
                    let several = self.several.insert(Several {
                        line,
                        begun,
                        split,
                        passed,
                    });
                    Some(several.next().0)
                }
                Step::Split(_) | Step::Join(_) => None,
            };
            line = plain.unwrap_or(line);
        }
        line
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

#[cfg(test)]
mod tests {
    use super::super::stage::STAGES;
    use super::*;
    use crate::records::lines::Lines;

    /// The lines of an indented text, behind [`Lines`], and how many were too long.
    fn unwrapped(text: &str, stages: &[&str]) -> (Vec<String>, u64) {
        let stages = STAGES.iter().filter(|stage| stages.contains(&stage.name));
        let stages = stages.copied().collect();
        let mut lines = Lines::new(Unwrapped::new(text.as_bytes(), stages));
        let mut all = Vec::new();
        while let Ok(Some(line)) = lines.next() {
            all.push(String::from_utf8_lossy(line).into_owned());
        }
        (all, lines.overlong)
    }

    #[test]
    fn a_line_that_is_too_long_is_one_line_and_counted() {
        for beyond in [0, 1, 2, 3 * LONGEST_LINE] {
            let long = "x".repeat(LONGEST_LINE + beyond);
            let text = format!("  a\n{long}7 wait4(-1, NULL, 0, NULL) = 8\n  b\n");
            let (lines, overlong) = unwrapped(&text, &["indentation"]);
            assert_eq!((lines, overlong), (vec!["a".to_owned(), "b".to_owned()], 1));
        }
        let fits = "x".repeat(LONGEST_LINE - 1);
        let (lines, overlong) = unwrapped(&format!("{fits}\n  b\n"), &["indentation"]);
        assert_eq!((lines.len(), overlong), (2, 0));
    }

    #[test]
    fn no_line_is_joined_to_one_that_is_too_long() {
        let half = "x".repeat(LONGEST_LINE / 2);
        let text = format!("{half}=\n{half}=\nb\n");
        let (lines, overlong) = unwrapped(&text, &["soft line ends of quoted-printable"]);
        assert_eq!(overlong, 0);
        let lengths: Vec<usize> = lines.iter().map(String::len).collect();
        // The second has the third, for which an empty line stands.
        assert_eq!(lengths, [LONGEST_LINE / 2 + 1, LONGEST_LINE / 2 + 1, 0]);
    }
}
