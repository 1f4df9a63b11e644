//! `--zombies`: which processes are zombies now, why, and what would free them.
//! Nothing is traced; everything is read from `/proc`.

mod cause;
mod clock;
mod json;
mod parent;
mod report;
mod survey;
mod text;

use std::io::{self, IsTerminal, Write};
use std::thread::sleep;
use std::time::Duration;

use crate::kernel::Tgid;
use crate::output::Styles;
use report::Report;

/// What to look at, and how to show it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The roots of the process trees to examine; empty for the whole machine.
    pub roots: Vec<Tgid>,
    /// A process in the pid namespace to examine, if limited to one.
    pub namespace_of: Option<Tgid>,
    /// Repeat after this time.
    pub every: Option<Duration>,
    pub json: bool,
    pub coloured: bool,
}

/// Shows the zombies. Returns whether there is one.
///
/// # Errors
/// What cannot be read or written; `BrokenPipe` if the reader of
/// standard output is gone.
pub(crate) fn run(options: &Options) -> io::Result<bool> {
    loop {
        let report = Report::take(options).map_err(io::Error::other)?;
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
