//! What packages install besides the command, from the same source as
//! `--help`: its man page and the completions of shells (`--generate`).

use std::io::{self, Write};

use clap::{Command, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::EXAMPLES;
use crate::command::exit::Exit;

/// What can be generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Generated {
    /// The man page
    Man,
    /// Completions of bash
    Bash,
    /// Completions of elvish
    Elvish,
    /// Completions of fish
    Fish,
    /// Completions of PowerShell
    Powershell,
    /// Completions of zsh
    Zsh,
}

/// Other pages.
const SEE_ALSO: &str = "strace(1), wait4(2), waitid(2), ptrace(2), proc(5)";

const LIMITS: &str = "A process has one tracer: a tracee that uses ptrace gets EPERM. Tracing shifts \
    timing, and with it who wins a race. Programs with SIGCHLD at its default see EINTR from \
    epoll_wait and its like when a child dies. The README has all that is known.";

/// Write it to standard output.
pub(super) fn generate(what: Generated, command: Command) -> io::Result<()> {
    let mut bytes = Vec::new();
    let shell = match what {
        Generated::Man => {
            man(command, &mut bytes)?;
            None
        }
        Generated::Bash => Some((Shell::Bash, command)),
        Generated::Elvish => Some((Shell::Elvish, command)),
        Generated::Fish => Some((Shell::Fish, command)),
        Generated::Powershell => Some((Shell::PowerShell, command)),
        Generated::Zsh => Some((Shell::Zsh, command)),
    };
    if let Some((shell, mut command)) = shell {
        clap_complete::generate(shell, &mut command, "wait4-strace", &mut bytes);
    }
    let mut to = io::stdout().lock();
    to.write_all(&bytes)?;
    to.flush()
}

fn man(command: Command, to: &mut Vec<u8>) -> io::Result<()> {
    // What stands behind the flags in `--help` has sections of its own.
    let command = command.after_help("").after_long_help("");
    let command = command.mut_args(|arg| arg.hide_short_help(false));
    let man = Man::new(command).manual("User Commands").date("");
    man.render_title(to)?;
    man.render_name_section(to)?;
    man.render_synopsis_section(to)?;
    man.render_description_section(to)?;
    man.render_options_section(to)?;
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    roff.control("nf", []);
    for line in EXAMPLES.lines().skip(1) {
        roff.text([roman(line.trim_start())]);
    }
    roff.control("fi", []);
    roff.control("SH", ["EXIT STATUS"]);
    for (what, status) in Exit::TABLE {
        roff.control("TP", []);
        roff.text([bold(*what)]);
        roff.text([roman(*status)]);
    }
    for (section, text) in [("LIMITS", LIMITS), ("SEE ALSO", SEE_ALSO)] {
        roff.control("SH", [section]);
        roff.text([roman(text)]);
    }
    roff.to_writer(to)
}
