//! Records of a trace, read back into events: one file or folder a format.

use crate::event::Event;

/// A record of a trace, from its beginning on.
pub trait Source {
    /// Append the next few events, in the order in which they happened.
    /// `false` once the record is over.
    ///
    /// # Errors
    /// Where the record is broken. What came before was appended.
    fn read(&mut self, events: &mut Vec<Event>) -> Result<bool, Broken>;
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
