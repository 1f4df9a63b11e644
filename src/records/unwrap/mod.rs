//! What records pick up on the way to us: compression, other encodings, and
//! what mail programs, loggers and issue trackers do to their lines. It is
//! undone here, before any parser; where nothing is to be undone, the input
//! passes through as it is.

mod bytes;
mod lines;
mod stage;

use std::io::{self, Cursor, Read};

use memchr::memmem;

use lines::{Unwrapped, is_line};
use stage::{ENCODINGS, STAGES, Stage, Step, is_broken_at_width};

use super::{bsd, strace};

/// How much of an input shows what its lines are wrapped in.
const SAMPLE: u64 = 1 << 16;
/// How much of it shows that it is JSON.
const BEGINNING: u64 = 8;
/// How many of its lines are looked at.
const LINES: usize = 200;
/// How many stages are undone at most.
const MOST_STAGES: usize = 4;

/// An input of which all is undone that can be.
pub(super) struct Input {
    pub(super) input: Box<dyn Read>,
    /// What was undone, a phrase each.
    pub(super) undone: Vec<&'static str>,
}

/// Undo what a record is wrapped in.
///
/// # Errors
/// Where it cannot be read, or is packed in a way that is not known here.
pub(super) fn unwrap(input: Box<dyn Read>) -> io::Result<Input> {
    let (mut input, mut undone) = bytes::unpacked(input)?;
    let mut sample = Vec::new();
    (&mut input).take(BEGINNING).read_to_end(&mut sample)?;
    // JSON lines may be written just now: no more is waited for.
    if !is_json(&sample) {
        (&mut input).take(SAMPLE).read_to_end(&mut sample)?;
    }
    let stages = stages(&sample);
    let input: Box<dyn Read> = Box::new(Cursor::new(sample).chain(input));
    if stages.is_empty() {
        return Ok(Input { input, undone });
    }
    undone.extend(stages.iter().map(|stage| stage.name));
    let input = Box::new(Unwrapped::new(input, stages));
    Ok(Input { input, undone })
}

/// Whether a line is an object, and none of docker's with a line in it.
fn is_json(line: &[u8]) -> bool {
    line.starts_with(b"{\"") && !line.starts_with(b"{\"log\"")
}

/// Whether a line is one of a record's.
fn is_record_s(line: &[u8]) -> bool {
    let is_broken = memmem::find(line, b"--- SIG").is_some() && !line.ends_with(b"---");
    is_json(line) || strace::is_strace_s(line) && !is_broken || bsd::is_sure(line)
}

/// How many lines of a text are a record's, after these stages.
fn score(sample: &[u8], stages: &[Stage]) -> usize {
    let mut text = Unwrapped::new(sample, stages.to_vec());
    let mut score = 0;
    while let Ok(Some(line)) = text.next_line() {
        score += usize::from(is_record_s(line.trim_ascii_end()));
    }
    score
}

/// The stages that make the most lines a record's; one after the other, or two
/// at once where neither helps alone.
fn stages(sample: &[u8]) -> Vec<Stage> {
    let end = sample
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .nth(LINES);
    let sample = sample
        .get(..end.map_or(sample.len(), |(at, _)| at))
        .unwrap_or(sample);
    let lines = sample
        .split(|byte| *byte == b'\n')
        .filter(|line| is_line(line))
        .count();
    let shown = ENCODINGS.iter().filter(|(_, shows)| shows(sample));
    let mut chosen: Vec<Stage> = shown.map(|(stage, _)| *stage).collect();
    let mut best = score(sample, &chosen);
    let mut known = STAGES;
    if is_broken_at_width(sample) {
        let [.., at_spaces, at_width] = &mut known;
        std::mem::swap(at_spaces, at_width);
    }
    // Where nearly all lines are known, nothing is wrapped.
    for _ in 0..MOST_STAGES {
        if best * 10 >= lines * 9 {
            break;
        }
        let with = |more: &[Stage]| {
            let stages = [&chosen[..], more].concat();
            (score(sample, &stages), stages)
        };
        let single = known.iter().map(|stage| with(&[*stage]));
        let found = first_best(single.collect()).filter(|found| is_better(best, found));
        let found = found.or_else(|| {
            let pairs = known
                .iter()
                .flat_map(|first| known.iter().map(|second| [*first, *second]));
            let pairs = pairs.map(|pair| with(&pair)).collect();
            first_best(pairs).filter(|found| is_better(best, found))
        });
        match found {
            Some((score, stages)) => (best, chosen) = (score, stages),
            None => break,
        }
    }
    chosen
}

type Scored = (usize, Vec<Stage>);

/// The best, of equals the first.
fn first_best(scored: Vec<Scored>) -> Option<Scored> {
    scored.into_iter().rev().max_by_key(|(score, _)| *score)
}

/// Whether so many lines more are known. Of joins more is wanted: a program's
/// output within a line looks like the rest of one.
fn is_better(before: usize, (score, stages): &Scored) -> bool {
    let joins = stages
        .iter()
        .any(|stage| matches!(stage.step, Step::Join(_)));
    *score > before + before / if joins { 6 } else { 10 }
}
