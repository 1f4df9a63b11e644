//! A log from standard error, where messages of strace's stand amid lines.

use std::io::Read;

use memchr::memmem;

use super::parser::Strace;
use super::prefix::split;
use crate::records::Broken;
use crate::records::lines::Lines;
use crate::records::log::{Fed, Input, Translator, unread};

/// What a line ends with that a message of strace's is in.
const ATTACHED: &[u8] = b" attached";

/// Lines, of which a message may have torn some in two.
pub(super) struct Stderr<R> {
    lines: Lines<R>,
    /// The first part of a line that was torn.
    torn: Vec<u8>,
}

impl<R> Stderr<R> {
    pub(super) fn new(lines: Lines<R>) -> Stderr<R> {
        Stderr {
            lines,
            torn: Vec::new(),
        }
    }
}

impl<R: Read> Input<Strace> for Stderr<R> {
    fn feed(&mut self, translator: &mut Translator<Strace>) -> Result<Fed, Broken> {
        let number = self.lines.number + 1;
        let line = self.lines.next().map_err(|error| unread(number, &error))?;
        let Some(mut line) = line else {
            return Ok(Fed::End);
        };
        let joined;
        if !self.torn.is_empty() && goes_on(line) {
            let mut whole = std::mem::take(&mut self.torn);
            whole.extend_from_slice(line);
            joined = whole;
            line = &joined;
        }
        if line.ends_with(ATTACHED)
            && let Some(at) = memmem::rfind(line, b"strace: Process ")
            && at > 0
            && !split(line).rest.starts_with(b"strace: ")
        {
            self.torn = line.get(..at).unwrap_or(&[]).to_vec();
            return Ok(Fed::Own);
        }
        Ok(translator.feed(line))
    }

    fn overlong(&self) -> u64 {
        self.lines.overlong
    }
}

/// Whether a line may be the second part of one that was torn; between the two
/// the program may have written.
fn goes_on(line: &[u8]) -> bool {
    matches!(
        line,
        [b',' | b')' | b'}' | b'|', ..] | [b' ', b'<' | b'=', ..]
    )
}
