//! JSON lines (`--format json`, `--record`), back into events.

use std::io::Read;

use serde::Deserialize;

use super::json_lines::{JsonObjects, explain};
use super::{Broken, Source};
use crate::event::{Event, Origin};
use crate::wire::{Body, Line, VERSION, can_read};

/// How many lines are read before the events are handed on.
const AT_ONCE: usize = 256;

/// JSON lines.
pub(super) struct JsonLines<R> {
    lines: JsonObjects<R>,
    origin: Origin,
    /// Lines of kinds that were added after this version.
    unknown: u64,
    /// The last line was read.
    has_end: bool,
}

impl<R: Read> JsonLines<R> {
    /// The first line was read.
    ///
    /// # Errors
    /// Where that is not the first line of a trace, or of a version that is
    /// not known here.
    pub(super) fn begun(lines: JsonObjects<R>) -> Result<JsonLines<R>, Broken> {
        let origin = first(&lines.line).map_err(|why| lines.broken(why))?;
        Ok(JsonLines {
            lines,
            origin,
            unknown: 0,
            has_end: false,
        })
    }

    fn take_line(&mut self, events: &mut Vec<Event>) -> Result<(), Broken> {
        if self.lines.line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let line: Result<Line, _> = serde_json::from_slice(&self.lines.line);
        let line = line.map_err(|error| self.lines.broken(explain(&error)))?;
        if matches!(line.body, Body::Start(_)) {
            return Err(self
                .lines
                .broken("another trace begins here, and a file holds one"));
        }
        self.has_end |= matches!(line.body, Body::End(_));
        self.unknown += u64::from(matches!(line.body, Body::Unknown));
        let event = line.into_event().map_err(|why| self.lines.broken(why))?;
        events.extend(event);
        Ok(())
    }
}

impl<R: Read> Source for JsonLines<R> {
    fn read(&mut self, events: &mut Vec<Event>) -> Result<bool, Broken> {
        for _ in 0..AT_ONCE {
            if !self.lines.next()? {
                return Ok(false);
            }
            self.take_line(events)?;
            if !self.lines.has_more() {
                break;
            }
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
