//! Records of a trace, read back into events: one file or folder a format.

mod json;
mod strace;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::event::{Event, Origin};
use crate::rules::RuleId;

pub use json::JsonLines;
pub use strace::{SplitLog, StraceLog};

/// A record of a trace, from its beginning on.
pub trait Source {
    /// Append the next few events, in the order in which they happened.
    /// `false` once the record is over.
    ///
    /// # Errors
    /// Where the record is broken. What came before was appended.
    fn read(&mut self, events: &mut Vec<Event>) -> Result<bool, Broken>;

    /// What holds for the whole trace.
    fn origin(&self) -> &Origin;

    /// What the record lacks, a clause each; known when it is over.
    fn lacks(&self) -> Vec<String>;

    /// Lines that were not understood, a clause a kind; known when it is over.
    fn passed_over(&self) -> Vec<String> {
        Vec::new()
    }

    /// The rules that cannot judge by this record; known when it is over.
    fn out_of_reach(&self) -> Vec<RuleId> {
        Vec::new()
    }

    /// Whether a child that is a zombie by the record so far was one in truth,
    /// though the record has no look at `/proc`.
    fn knows_zombies(&self) -> bool {
        false
    }
}

/// Open a record of any format that is known here, or the files of
/// `strace -ff`; `-` is standard input.
///
/// # Errors
/// Why it cannot be read, as a clause.
pub fn open(path: &Path) -> Result<Box<dyn Source>, String> {
    if path.as_os_str() == "-" {
        return from(Box::new(io::stdin()));
    }
    if !path.exists()
        && let Some(log) = SplitLog::open(path)?
    {
        return Ok(Box::new(log));
    }
    let file = File::open(path).map_err(|error| error.to_string())?;
    from(Box::new(file))
}

/// The files that a record's name means: those of `strace -ff`, or the one of
/// that name.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    if path.as_os_str() != "-" && !path.exists() {
        let split = strace::files(path);
        if !split.is_empty() {
            return split.into_iter().map(|(_, path)| path).collect();
        }
    }
    vec![path.to_owned()]
}

/// A record by what it begins with: JSON lines with a `{`, all else is taken
/// for a log of strace's.
///
/// # Errors
/// Why it cannot be read, as a clause.
pub fn from(mut input: Box<dyn Read>) -> Result<Box<dyn Source>, String> {
    let mut begin = [0; 1];
    let count = input.read(&mut begin).map_err(|error| error.to_string())?;
    let begin = begin.get(..count).unwrap_or(&[]).to_vec();
    let is_json = begin == b"{";
    let input = io::Cursor::new(begin).chain(input);
    if is_json {
        let lines = JsonLines::open(input).map_err(|broken| broken.to_string())?;
        return Ok(Box::new(lines));
    }
    Ok(Box::new(StraceLog::open(input)?))
}

/// A place where a record cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Broken {
    /// The line, counted from 1.
    pub line: u64,
    /// What was wrong with it, and what was expected.
    pub why: String,
}
