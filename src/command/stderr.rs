//! What the command itself writes to standard error, behind all that went there.

use std::io;

use crate::event::one_line;
use crate::output::{Destination, Sink};

/// Say what went wrong. If standard error is closed or broken, the exit status
/// is all there is.
pub(super) fn complain(message: &str) {
    let _ = print_all(&format!("wait4-strace: {}\n", one_line(message)));
}

/// Write lines, sooner or later.
pub(super) fn print(lines: &str) {
    let mut stderr = Sink::stderr(Destination::Terminal);
    stderr.push(lines.as_bytes());
    stderr.finish_later();
}

/// Write lines, and wait until they and all before them are there.
///
/// # Errors
/// The first error that any write to standard error met.
pub(super) fn print_all(lines: &str) -> io::Result<()> {
    let mut stderr = Sink::stderr(Destination::Terminal);
    stderr.push(lines.as_bytes());
    stderr.finish()
}
