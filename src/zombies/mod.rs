//! `--zombies`: which processes are zombies now, why, and what would free them.
//! Nothing is traced; everything is read from `/proc`.

mod cause;
mod clock;
mod json;
mod look;
mod parent;
mod place;
mod report;
mod sightings;
mod survey;
mod text;
mod users;
mod wording;

use std::io::{self, IsTerminal, Write};
use std::thread::sleep;
use std::time::Duration;

use crate::kernel::Tgid;
use crate::output::Styles;
use look::Looker;
use report::Report;

/// What to look at, and how to show it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The roots of the process trees to examine; empty for the whole machine.
    pub roots: Vec<Tgid>,
    /// A process in the pid namespace to examine, if limited to one.
    pub namespace_of: Option<Tgid>,
    /// The age from which a zombie is judged. A younger one may just be about to be
    /// reaped.
    pub least: Duration,
    /// Repeat after this time.
    pub every: Option<Duration>,
    pub json: bool,
    pub coloured: bool,
}

/// Shows the zombies. Returns whether there is one that is old enough to be judged.
///
/// # Errors
/// What cannot be read or written; `BrokenPipe` if the reader of
/// standard output is gone.
pub(crate) fn run(options: &Options) -> io::Result<bool> {
    let mut looker = Looker::new(options).map_err(io::Error::other)?;
    loop {
        let report = looker.look().map_err(io::Error::other)?;
        show(options, &report).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot write the zombies: {error}"))
        })?;
        match options.every {
            Some(every) => sleep(every),
            None => return Ok(report.count() > 0),
        }
    }
}

fn show(options: &Options, report: &Report) -> io::Result<()> {
    let styles = if options.coloured {
        Styles::coloured()
    } else {
        Styles::plain()
    };
    let mut to = io::stdout().lock();
    let text = if options.json {
        json::json(report)
    } else {
        text::text(report, &styles)
    };
    if options.every.is_some() && !options.json {
        // On a terminal: cursor home, clear below; elsewhere a blank line between looks.
        let before: &[u8] = if to.is_terminal() {
            b"\x1b[H\x1b[J"
        } else {
            b"\n"
        };
        to.write_all(before)?;
    }
    to.write_all(text.as_bytes())?;
    to.flush()
}
