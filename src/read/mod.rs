//! Records of a trace, read back into events: one file or folder a format.

mod json;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::event::{Event, Origin};

pub use json::JsonLines;

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
}

/// Open a record of any format that is known here; `-` is standard input.
///
/// # Errors
/// Why it cannot be read, as a clause.
pub fn open(path: &Path) -> Result<Box<dyn Source>, String> {
    let input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(|error| error.to_string())?)
    };
    let lines = JsonLines::open(input).map_err(|broken| broken.to_string())?;
    Ok(Box::new(lines))
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
