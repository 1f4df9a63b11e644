//! JSON lines (`--format json`, `--record`), back into events.

use std::io::{BufRead, BufReader, Read};

use serde::Deserialize;

use super::{Broken, Source};
use crate::event::{Event, Origin};
use crate::wire::{Body, Line, VERSION, can_read};

/// How many lines are read before the events are handed on.
const AT_ONCE: usize = 256;
/// A line that is longer is broken: the longest have a command line, which the
/// kernel limits to some megabytes.
const LONGEST_LINE: u64 = 64 << 20;

/// JSON lines.
pub struct JsonLines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    number: u64,
    origin: Origin,
    /// Lines of kinds that were added after this version.
    unknown: u64,
    /// The last line was read.
    has_end: bool,
}

impl<R: Read> JsonLines<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// Where that is not the first line of a trace, or of a version that is
    /// not known here.
    pub fn open(input: R) -> Result<JsonLines<R>, Broken> {
        let mut lines = JsonLines {
            input: BufReader::with_capacity(1 << 18, input),
            line: Vec::new(),
            number: 0,
            origin: Origin::default(),
            unknown: 0,
            has_end: false,
        };
        lines.next_line()?;
        lines.origin = first(&lines.line).map_err(|why| lines.broken(why))?;
        Ok(lines)
    }

    fn broken(&self, why: impl Into<String>) -> Broken {
        Broken {
            line: self.number,
            why: why.into(),
        }
    }

    /// Read the next line, without its end; `false` if there is none.
    fn next_line(&mut self) -> Result<bool, Broken> {
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

    fn take_line(&mut self, events: &mut Vec<Event>) -> Result<(), Broken> {
        if self.line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let line: Result<Line, _> = serde_json::from_slice(&self.line);
        let line = line.map_err(|error| self.broken(explain(&error)))?;
        if matches!(line.body, Body::Start(_)) {
            return Err(self.broken("another trace begins here, and a file holds one"));
        }
        self.has_end |= matches!(line.body, Body::End(_));
        self.unknown += u64::from(matches!(line.body, Body::Unknown));
        let event = line.into_event().map_err(|why| self.broken(why))?;
        events.extend(event);
        Ok(())
    }
}

impl<R: Read> Source for JsonLines<R> {
    fn read(&mut self, events: &mut Vec<Event>) -> Result<bool, Broken> {
        for _ in 0..AT_ONCE {
            if !self.next_line()? {
                return Ok(false);
            }
            self.take_line(events)?;
        }
        Ok(true)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lacks(&self) -> Vec<String> {
        let cut_off = || "the recording was cut off".to_owned();
        (!self.has_end).then(cut_off).into_iter().collect()
    }

    fn passed_over(&self) -> Vec<String> {
        let many = match self.unknown {
            0 => return Vec::new(),
            1 => "1 line is of a kind".to_owned(),
            count => format!("{count} lines are of kinds"),
        };
        vec![format!("{many} that this version does not know")]
    }
}

/// What the first line says.
fn first(line: &[u8]) -> Result<Origin, String> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let expected = "the first line of a trace is {\"v\":1,\"type\":\"start\",…}";
    let Version { v } =
        serde_json::from_slice(line).map_err(|_| format!("this is no trace: {expected}"))?;
    if !can_read(v) {
        return Err(format!(
            "the trace is of version {v}, and this program reads version {VERSION}: \
             a newer wait4-strace reads it"
        ));
    }
    let line: Line = serde_json::from_slice(line).map_err(|error| explain(&error))?;
    match line.body {
        Body::Start(start) => start.origin(),
        _ => Err(expected.to_owned()),
    }
}

/// What is wrong, without the place in the line's own count of lines.
fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    match error.column() {
        0 => format!("is no event: {text}"),
        column => format!("is no event: {text} (column {column})"),
    }
}
