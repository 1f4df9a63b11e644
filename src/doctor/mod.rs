//! The zombie doctor (`--zombies`): who is a zombie now, why, and what would
//! free it. Nobody is traced; all is read from `/proc`.

mod cause;
mod clock;
mod findings;
mod json;
mod parent;
mod survey;
mod text;

use std::io::{self, IsTerminal, Write};
use std::thread::sleep;
use std::time::Duration;

use crate::exit::Exit;
use crate::output::Styles;
use crate::run::complain;
use findings::Findings;

/// What to look at, and how to tell it.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The roots of the trees that are looked at; empty for the machine.
    pub roots: Vec<i32>,
    /// A process in the pid namespace that is looked at, if it is one.
    pub namespace_of: Option<i32>,
    /// Look again after this time, until the end.
    pub every: Option<Duration>,
    /// Tell it as JSON.
    pub json: bool,
    /// Colours are wanted.
    pub coloured: bool,
}

/// Look, and tell what is seen.
#[must_use]
pub(crate) fn run(wish: &Wish) -> Exit {
    loop {
        let findings = match Findings::take(wish) {
            Ok(findings) => findings,
            Err(sentence) => {
                complain(&sentence);
                return Exit::Failed;
            }
        };
        if let Err(error) = tell(wish, &findings) {
            if error.kind() != io::ErrorKind::BrokenPipe {
                complain(&format!("cannot write the zombies: {error}"));
            }
            return Exit::Failed;
        }
        match wish.every {
            Some(every) => sleep(every),
            None => return Exit::Code(u8::from(findings.count() > 0)),
        }
    }
}

fn tell(wish: &Wish, findings: &Findings) -> io::Result<()> {
    let styles = if wish.coloured {
        Styles::coloured()
    } else {
        Styles::plain()
    };
    let mut to = io::stdout().lock();
    let text = if wish.json {
        json::json(findings)
    } else {
        text::text(findings, &styles)
    };
    if wish.every.is_some() && !wish.json {
        // Home, and all below is wiped; elsewhere a blank line between looks.
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
