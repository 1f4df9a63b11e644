//! Logs of the BSDs: FreeBSD's truss, and kdump's listings of a ktrace of
//! FreeBSD or NetBSD.
//!
//! wait, waitpid and wait3 are the call wait4 there, and waitid is wait6. Only
//! truss shows statuses; in a listing they are joined with the children's ends.

mod calls;
mod deeds;
mod kdump;
mod story;
mod truss;

use std::io::Read;

use super::gaps::{self, Record};
use super::lines::Lines;
use super::{Broken, Source};
use crate::event::{Event, Origin, ProcView};
use crate::kernel::{System, Tgid};
use crate::rules::RuleId;
use story::Story;

/// How many lines are read before the events are handed on.
const AT_ONCE: usize = 4096;
/// How many lines are looked at to know a log by.
const LOOKED_AT: usize = 1000;

/// Which program wrote a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Truss,
    Kdump,
}

/// A log of truss's or kdump's.
pub struct BsdLog<R> {
    lines: Lines<R>,
    form: Form,
    story: Story,
    /// Lines of others.
    foreign: u64,
    origin: Origin,
}

impl<R: Read> BsdLog<R> {
    /// A log, if its beginning is one of truss's or kdump's; of this system, if
    /// it was said. Else the lines are given back.
    pub(super) fn open(
        mut lines: Lines<R>,
        system: Option<System>,
    ) -> std::io::Result<Result<BsdLog<R>, Lines<R>>> {
        let ahead = lines.ahead()?;
        let Some(form) = form(ahead) else {
            return Ok(Err(lines));
        };
        let system = system.unwrap_or_else(|| match form {
            Form::Truss => System::FreeBsd,
            Form::Kdump => kdump::system(ahead),
        });
        let record = match form {
            Form::Truss => Record::Truss,
            Form::Kdump => Record::Kdump,
        };
        let story = match form {
            Form::Truss => Story::new(system, record, truss::said, truss::times(ahead)),
            Form::Kdump => Story::new(system, record, kdump::said, kdump::times(ahead)),
        };
        let tracer = match form {
            Form::Truss => "truss".to_owned(),
            Form::Kdump => format!("kdump ({system})"),
        };
        let origin = Origin {
            tracer,
            fates: false,
            proc: ProcView::Unseen,
            ..Origin::default()
        };
        Ok(Ok(BsdLog {
            lines,
            form,
            story,
            foreign: 0,
            origin,
        }))
    }

    fn take_line(&mut self) -> std::io::Result<bool> {
        let Some(line) = self.lines.next()? else {
            return Ok(false);
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !self.story.line(line) {
            self.foreign += u64::from(!is_data(line));
        }
        Ok(true)
    }
}

impl<R: Read> Source for BsdLog<R> {
    fn read(&mut self, events: &mut Vec<Event>) -> Result<bool, Broken> {
        for _ in 0..AT_ONCE {
            let read = self.take_line();
            let read = read.map_err(|error| Broken {
                line: self.lines.number + 1,
                why: format!("cannot be read: {error}"),
            });
            if !read? {
                self.story.end();
                self.story.family.take(events);
                return Ok(false);
            }
        }
        self.story.family.take(events);
        Ok(true)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lacks(&self) -> Vec<String> {
        vec![gaps::clause(&self.story.family.seen)]
    }

    fn passed_over(&self) -> Vec<String> {
        let whose = match self.form {
            Form::Truss => "truss's",
            Form::Kdump => "kdump's",
        };
        gaps::passed_over(whose, self.foreign, self.lines.overlong)
    }

    fn out_of_reach(&self) -> Vec<RuleId> {
        let gaps = self.story.family.seen.gaps();
        gaps.into_iter().flat_map(|(_, rules)| rules).collect()
    }

    fn knows_zombies(&self, parent: Tgid) -> bool {
        self.story.family.keeps_children(parent.raw())
    }
}

/// Whose log a text is, if it is one of these.
fn form(text: &[u8]) -> Option<Form> {
    let lines = text.split(|byte| *byte == b'\n').take(LOOKED_AT);
    lines.into_iter().find_map(|line| {
        if kdump::is_sure(line) {
            Some(Form::Kdump)
        } else if truss::is_sure(line) {
            Some(Form::Truss)
        } else {
            None
        }
    })
}

/// Whether a line may be a part of what a program read or wrote, which kdump
/// shows indented, or is empty.
fn is_data(line: &[u8]) -> bool {
    line.first().is_none_or(|byte| matches!(byte, b' ' | b'\t'))
}
