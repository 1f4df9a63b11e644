//! Single values in words (`--decode`): from a log, a debugger, a core.

mod answer;
mod number;

use std::io::{self, BufRead, Read, Write};

use crate::event::one_line;
use crate::kernel::System;
use answer::Answer;

/// A longer line of standard input holds no value.
const LONGEST_LINE: u64 = 64 * 1024;

/// Stands for standard input.
const STDIN: &str = "-";

/// What to decode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The values; none, or `-`, stands for those on standard input.
    pub values: Vec<String>,
    /// The system that they are from, if it was said.
    pub system: Option<System>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Some value meant nothing, or there was none.
    pub(crate) has_unknown: bool,
    /// Standard input had no value.
    pub(crate) was_empty: bool,
}

/// Print what each value means.
///
/// # Errors
/// A sentence on what cannot be read or written; `BrokenPipe` if the reader of
/// standard output is gone.
pub(crate) fn run(options: &Options) -> io::Result<Outcome> {
    let mut printer = Printer {
        system: options.system,
        outcome: Outcome::default(),
        to: io::stdout().lock(),
    };
    let stdin = [STDIN.to_owned()];
    let values = if options.values.is_empty() {
        &stdin[..]
    } else {
        &options.values
    };
    for value in values {
        let printed = if value == STDIN {
            printer.print_input()
        } else {
            printer.print(value)
        };
        printed.map_err(|error| io::Error::new(error.kind(), format!("cannot decode: {error}")))?;
    }
    Ok(printer.outcome)
}

struct Printer<W> {
    system: Option<System>,
    outcome: Outcome,
    to: W,
}

impl<W: Write> Printer<W> {
    fn print(&mut self, value: &str) -> io::Result<()> {
        let answer = Answer::of(value, self.system);
        self.outcome.has_unknown |= !answer.means_something;
        // What was typed stands on one line, whatever it is.
        self.to.write_all(one_line(value).as_bytes())?;
        self.to.write_all(answer.text.as_bytes())?;
        self.to.flush()
    }

    /// The words of standard input, as they come.
    fn print_input(&mut self) -> io::Result<()> {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        let mut has_word = false;
        loop {
            line.clear();
            let mut limited = (&mut input).take(LONGEST_LINE + 1);
            if limited.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.len() as u64 > LONGEST_LINE {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a line of standard input is longer than 64 KiB, which no value is",
                ));
            }
            let line = String::from_utf8_lossy(&line);
            // Bars join options, whatever stands around them.
            let parts: Vec<&str> = line.split('|').map(str::trim).collect();
            for word in parts.join("|").split_whitespace() {
                has_word = true;
                self.print(word)?;
            }
        }
        if !has_word {
            self.outcome = Outcome {
                has_unknown: true,
                was_empty: true,
            };
        }
        Ok(())
    }
}
