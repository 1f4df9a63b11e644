//! Logs of lines: what strace, truss and kdump have in common. A format is a
//! [`Format`], which takes one line apart; all else is done here.

mod births;
mod calls;
mod clock;
mod ends;
mod line;
mod open_waits;
mod translate;

use std::io::{self, Read};

use super::lines::Lines;
use super::{Broken, Source};
use crate::event::{Event, Origin, ProcView};
use crate::kernel::Tgid;
use crate::rules::RuleId;

pub(super) use clock::Time;
pub(super) use line::{
    Action, Beginning, Birth, Effect, Format, Kind, LogLine, Program, Returned, Wait, What,
};
pub(super) use translate::{Root, Translator};

/// How many lines are read before the events are handed on.
const AT_ONCE: usize = 4096;

/// What was read of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fed {
    /// A line of the log.
    Own,
    /// A line of another program, of the one that was traced say.
    Foreign,
    /// Nothing: the log is over.
    End,
}

/// Where the lines of a log come from.
pub(super) trait Input<F> {
    /// Feed a translator with the next line.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn feed(&mut self, translator: &mut Translator<F>) -> Result<Fed, Broken>;

    /// The number of the line that was fed last, if lines are numbered.
    fn number(&self) -> Option<u64> {
        None
    }

    /// How many lines were too long.
    fn overlong(&self) -> u64 {
        0
    }
}

/// A log.
pub(super) struct Log<F, I> {
    input: I,
    translator: Translator<F>,
    /// Lines of others.
    foreign: u64,
    first_foreign: Option<u64>,
    origin: Origin,
}

impl<F: Format, I: Input<F>> Log<F, I> {
    pub(super) fn new(input: I, translator: Translator<F>, origin: Origin) -> Log<F, I> {
        Log {
            input,
            translator,
            foreign: 0,
            first_foreign: None,
            origin,
        }
    }
}

impl<F: Format, I: Input<F>> Source for Log<F, I> {
    fn read(&mut self, events: &mut Vec<Event>) -> Result<bool, Broken> {
        for _ in 0..AT_ONCE {
            match self.input.feed(&mut self.translator)? {
                Fed::Own => {}
                Fed::Foreign => {
                    self.foreign += 1;
                    self.first_foreign = self.first_foreign.or(self.input.number());
                }
                Fed::End => {
                    self.translator.end();
                    self.translator.tree.take(events);
                    return Ok(false);
                }
            }
        }
        self.translator.tree.take(events);
        Ok(true)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lacks(&self) -> Vec<String> {
        vec![self.translator.tree.coverage.clause()]
    }

    fn notes(&self) -> Vec<String> {
        self.translator.open_at_end().into_iter().collect()
    }

    fn passed_over(&self) -> Vec<String> {
        let coverage = &self.translator.tree.coverage;
        coverage.passed_over(self.foreign, self.first_foreign, self.input.overlong())
    }

    fn out_of_reach(&self) -> Vec<RuleId> {
        self.translator.tree.coverage.out_of_reach()
    }

    fn knows_zombies(&self, parent: Tgid) -> bool {
        self.translator.tree.knows_zombies(parent.raw())
    }
}

/// A log in one piece.
impl<F: Format, R: Read> Input<F> for Lines<R> {
    fn feed(&mut self, translator: &mut Translator<F>) -> Result<Fed, Broken> {
        let number = self.number + 1;
        let line = self.next().map_err(|error| unread(number, &error))?;
        Ok(line.map_or(Fed::End, |line| translator.feed(line)))
    }

    fn number(&self) -> Option<u64> {
        Some(self.number)
    }

    fn overlong(&self) -> u64 {
        self.overlong
    }
}

/// A line that cannot be read.
pub(super) fn unread(line: u64, error: &io::Error) -> Broken {
    Broken {
        line,
        why: format!("cannot be read: {error}"),
    }
}

/// What holds for every log of a tracer.
pub(super) fn origin(tracer: String) -> Origin {
    Origin {
        tracer,
        restart_outcomes: false,
        proc: ProcView::Unseen,
        ..Origin::default()
    }
}
