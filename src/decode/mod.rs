//! Single values in words (`--decode`): from a log, a debugger, a core.

mod answer;
mod number;

use std::io::{self, BufRead, Read, Write};

use crate::event::one_line;
use crate::exit::Exit;
use crate::kernel::System;
use crate::run::complain;
use answer::Answer;

/// A longer line of standard input holds no value.
const LONGEST_LINE: u64 = 64 * 1024;

/// Stands for standard input.
const STDIN: &str = "-";

/// What to decode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The values; none, or `-`, stands for those on standard input.
    pub values: Vec<String>,
    /// The system whose words they are, if it was said.
    pub system: Option<System>,
}

/// Tell what each value means.
#[must_use]
pub(crate) fn run(wish: &Wish) -> Exit {
    let mut teller = Teller {
        system: wish.system,
        mean_nothing: false,
        to: io::stdout().lock(),
    };
    let stdin = [STDIN.to_owned()];
    let values = if wish.values.is_empty() {
        &stdin[..]
    } else {
        &wish.values
    };
    for value in values {
        let told = if value == STDIN {
            teller.tell_input()
        } else {
            teller.tell(value)
        };
        if let Err(error) = told {
            if error.kind() != io::ErrorKind::BrokenPipe {
                complain(&format!("cannot decode: {error}"));
            }
            return Exit::Failed;
        }
    }
    Exit::Code(u8::from(teller.mean_nothing))
}

struct Teller<W> {
    system: Option<System>,
    /// Some value meant nothing.
    mean_nothing: bool,
    to: W,
}

impl<W: Write> Teller<W> {
    fn tell(&mut self, value: &str) -> io::Result<()> {
        let answer = Answer::of(value, self.system);
        self.mean_nothing |= !answer.means_something;
        // What was typed stands on one line, whatever it is.
        self.to.write_all(one_line(value).as_bytes())?;
        self.to.write_all(answer.text.as_bytes())?;
        self.to.flush()
    }

    /// The words of standard input, as they come.
    fn tell_input(&mut self) -> io::Result<()> {
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
                self.tell(word)?;
            }
        }
        if !has_word {
            self.mean_nothing = true;
            complain("standard input had no value to decode: give some there, or behind --decode");
        }
        Ok(())
    }
}
