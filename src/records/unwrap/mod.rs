//! What records pick up on the way to us: compression, other encodings, and
//! what mail programs, loggers and issue trackers do to their lines. It is
//! undone here, before any parser; where nothing is to be undone, the input
//! passes through as it is.

mod around;
mod before;
mod broken;
mod bytes;
mod choice;
mod cut;
mod documents;
mod encodings;
mod line_ends;
mod lines;
mod paragraph;
mod stage;

use std::io::{self, Cursor, Read};

use super::others;

use bytes::Unpacked;
use line_ends::LineEnds;
use lines::Unwrapped;

pub(super) use cut::Flag;

/// How deep documents may be nested.
const MOST_DOCUMENTS: usize = 3;
/// How much of an input shows what its lines are wrapped in.
const SAMPLE: u64 = 1 << 16;

/// An input of which all is undone that can be.
pub(super) struct Input {
    pub(super) text: Box<dyn Read>,
    /// What was undone, a phrase each.
    pub(super) undone: Vec<&'static str>,
    /// What it was packed in whose end may be missing; known at the end.
    pub(super) cut: Vec<(&'static str, Flag)>,
}

/// Undo what a record is wrapped in.
///
/// # Errors
/// Where it cannot be read, or is packed in a way that is not known here.
pub(super) fn unwrap(input: Box<dyn Read>) -> io::Result<Input> {
    let Unpacked {
        mut input,
        mut undone,
        mut cut,
    } = bytes::unpacked(input)?;
    let mut sample = Vec::new();
    for _ in 0..MOST_DOCUMENTS {
        sample.clear();
        (&mut input).take(1).read_to_end(&mut sample)?;
        if sample == b"{" {
            // JSON lines may be written just now: no more is waited for than one.
            first_line(&mut input, &mut sample)?;
        }
        let document = documents::of(&sample);
        if document.is_none() && is_json(&sample) {
            let text = Box::new(Cursor::new(sample).chain(input));
            return Ok(Input { text, undone, cut });
        }
        (&mut input).take(SAMPLE).read_to_end(&mut sample)?;
        let Some(document) = document.or_else(|| documents::of(&sample)) else {
            break;
        };
        (&mut input)
            .take(documents::MOST)
            .read_to_end(&mut sample)?;
        undone.push(document.name);
        let plain = Box::new(Cursor::new((document.plain)(&sample)));
        let inner = bytes::unpacked(plain)?;
        undone.extend(inner.undone);
        cut.extend(inner.cut);
        input = inner.input;
    }
    if let Some(why) = others::refusal(&sample) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let ends = line_ends::other_ends(&sample);
    let mut input: Box<dyn Read> = Box::new(Cursor::new(sample.clone()).chain(input));
    if let Some((end, name)) = ends {
        undone.push(name);
        input = Box::new(LineEnds::new(input, end));
        sample.clear();
        (&mut input).take(SAMPLE).read_to_end(&mut sample)?;
        input = Box::new(Cursor::new(sample.clone()).chain(input));
    }
    let stages = choice::stages(&sample);
    if stages.is_empty() {
        let text = input;
        return Ok(Input { text, undone, cut });
    }
    undone.extend(stages.iter().map(|stage| stage.name));
    let text = Box::new(Unwrapped::new(input, stages));
    Ok(Input { text, undone, cut })
}

/// Read on to the end of a line.
fn first_line(input: &mut impl Read, line: &mut Vec<u8>) -> io::Result<()> {
    let mut byte = [0];
    while (line.len() as u64) < SAMPLE && line.last() != Some(&b'\n') {
        match input.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => line.extend(byte),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a line is an object, and none of a logger's with a line in it.
fn is_json(line: &[u8]) -> bool {
    line.starts_with(b"{\"") && encodings::json(line.trim_ascii_end()).is_none()
}
