//! The run: joins what makes events, the ledger, the rules and the outputs.

mod config;
mod golden;
mod inquest;
pub(crate) mod inquiry;
mod kept;
mod live;
mod open;
mod places;
mod replay;
pub(crate) mod session;
pub(crate) mod verdicts;

use std::io::{self, Write};

pub use config::{Colour, Config, Format, Judging, OutputTo, SnapshotFile};

use crate::event::one_line;
use crate::exit::Exit;

/// Do as `config` says, to the end.
#[must_use]
pub fn run(config: &Config) -> Exit {
    if let Err(sentence) = places::check(config) {
        complain(&sentence);
        return Exit::Failed;
    }
    match &config.read {
        Some(record) => replay::read(config, record),
        None => live::trace(config),
    }
}

/// Say what went wrong. If standard error is closed or broken, the exit status
/// is all there is.
pub(crate) fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "wait4-strace: {}", one_line(message));
}
