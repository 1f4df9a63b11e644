//! `--decode`: explains single values from a log, a debugger or a core.

mod answer;
mod number;
mod phrase;
mod status;

use std::io::{self, BufRead, Read, Write};

use crate::event::one_line;
use crate::kernel::System;
use answer::Answer;

/// In bytes; a longer line of standard input is refused.
const LONGEST_LINE: u64 = 64 * 1024;

/// How many values a phrase may be of.
const MOST_WORDS: usize = 6;

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
    let mut values = values;
    while let Some((value, mut rest)) = values.split_first() {
        let printed = if value == STDIN {
            printer.print_input()
        } else if let Some((phrase, behind)) = phrase_of_several(values, options.system) {
            rest = behind;
            printer.print(&phrase)
        } else {
            printer.print(value)
        };
        values = rest;
        printed.map_err(|error| io::Error::new(error.kind(), format!("cannot decode: {error}")))?;
    }
    Ok(printer.outcome)
}

/// A phrase that was typed without quotes, as several values that mean nothing
/// each, and what is behind it.
fn phrase_of_several(values: &[String], system: Option<System>) -> Option<(String, &[String])> {
    let first = values.first()?;
    if Answer::of(first, system).means_something {
        return None;
    }
    (2..=values.len().min(MOST_WORDS)).find_map(|count| {
        let (words, rest) = values.split_at_checked(count)?;
        let phrase = words.join(" ");
        phrase::begins(&phrase, system.unwrap_or_default()).then_some((phrase, rest))
    })
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
            let phrase = line.trim();
            if phrase.contains(char::is_whitespace)
                && phrase::of(phrase, self.system.unwrap_or_default()).is_some()
            {
                has_word = true;
                self.print(phrase)?;
                continue;
            }
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
