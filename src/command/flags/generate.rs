//! What packages install besides the command, from the same source as
//! `--help`: its man page and the completions of shells (`--generate`).

use std::io::{self, Write};

use clap::{Command, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::EXAMPLES;
use super::rules::{LEVELS, rule_names};
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
    epoll_wait and its like when a child dies. docs/limits.md has all that is known.";

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
    if let Some((shell, command)) = shell {
        complete(shell, command, &mut bytes);
    }
    let mut to = io::stdout().lock();
    to.write_all(&bytes)?;
    to.flush()
}

/// The flags that take names of rules, and whether they take levels too.
const TAKE_RULES: [(&str, bool); 5] = [
    ("allow", false),
    ("warn", false),
    ("deny", false),
    ("explain", false),
    ("fail_on", true),
];

/// Completions, with the names of rules where they are taken. (The flags themselves read any
/// word, and say what is near to it.)
fn complete(shell: Shell, mut command: Command, to: &mut Vec<u8>) {
    for (flag, takes_levels) in TAKE_RULES {
        let levels = LEVELS.into_iter().filter(|_| takes_levels);
        let names: Vec<&str> = levels.chain(rule_names()).collect();
        command = command.mut_arg(flag, |arg| arg.value_parser(names));
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "wait4-strace", &mut script);
    let (end, with_rules) = match shell {
        Shell::Elvish => (ELVISH_END, elvish_rules()),
        Shell::PowerShell => (POWERSHELL_END, powershell_rules()),
        _ => return to.extend(script),
    };
    // clap_complete gives these two no values. The last place is the one: help has none of it.
    let script = String::from_utf8_lossy(&script);
    let (before, behind) = script.rsplit_once(end).unwrap_or((&script, ""));
    to.extend(
        before
            .bytes()
            .chain(with_rules.bytes())
            .chain(behind.bytes()),
    );
}

/// Where `clap_complete`'s script for Elvish gives its answer.
const ELVISH_END: &str = "    $completions[$command]\n";

/// Where `clap_complete`'s script for PowerShell gives its answer.
const POWERSHELL_END: &str = "    $completions.Where{";

/// The long spelling of each flag that takes rules, and the words that it takes.
fn rule_words() -> impl Iterator<Item = (String, String)> {
    TAKE_RULES.iter().map(|(flag, takes_levels)| {
        let levels = LEVELS.into_iter().filter(|_| *takes_levels);
        let words: Vec<&str> = levels.chain(rule_names()).collect();
        (format!("--{}", flag.replace('_', "-")), words.join(" "))
    })
}

/// Elvish: behind a flag that takes rules their names, else what there was.
fn elvish_rules() -> String {
    let rows = rule_words().map(|(flag, words)| format!("        &'{flag}'= [{words}]\n"));
    let flags = rows.collect::<Vec<_>>().concat();
    format!(
        "    var rules = [\n{flags}    ]\n    \
         if (and (> (count $words) 2) (has-key $rules $words[-2])) {{\n        \
         all $rules[$words[-2]]\n    }} else {{\n    {ELVISH_END}    }}\n"
    )
}

/// PowerShell: the same.
fn powershell_rules() -> String {
    let rows = rule_words().map(|(flag, words)| format!("        '{flag}' = '{words}'\n"));
    let flags = rows.collect::<Vec<_>>().concat();
    format!(
        "    $rules = @{{\n{flags}    }}\n    \
         $before = $commandElements[$(if ($wordToComplete) {{ -2 }} else {{ -1 }})].ToString()\n    \
         if ($rules.ContainsKey($before)) {{\n        \
         $completions = @($rules[$before].Split(' ') | ForEach-Object {{\n            \
         [CompletionResult]::new($_, $_, [CompletionResultType]::ParameterValue, $_)\n        \
         }})\n    }}\n\n{POWERSHELL_END}"
    )
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
