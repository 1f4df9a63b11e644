//! `--decode`: explains single values from a log, a debugger or a core.

mod answer;
mod number;

use std::io::{self, BufRead, Read, Write};

use crate::event::one_line;
use crate::kernel::System;
use answer::Answer;

/// In bytes; a longer line of standard input is refused.
const LONGEST_LINE: u64 = 64 * 1024;

/// Stands for standard input.
const STDIN: &str = "-";

/// What to decode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The values; none, or `-`, means those on standard input.
    pub values: Vec<String>,
    /// The system that they are from, if given.
    pub system: Option<System>,
}

/// For the exit status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// A value had no meaning, or there was none.
    pub(crate) has_unknown: bool,
    /// Standard input had no value.
    pub(crate) was_empty: bool,
}

/// Prints the meaning of each value.
///
/// # Errors
/// What cannot be read or written; `BrokenPipe` if the reader of
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
        // Escaped, so that any argument stays on one line.
        self.to.write_all(one_line(value).as_bytes())?;
        self.to.write_all(answer.text.as_bytes())?;
        self.to.flush()
    }

    /// The values on standard input, as they arrive.
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
            // Options may be joined by bars with spaces around them.
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
