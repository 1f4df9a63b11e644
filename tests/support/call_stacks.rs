//! Call stacks (`-k`) of programs in C: compiling, tracing, reading the lines.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Outcome, have, run, traced};

/// Compile one of the sources in `stacks/`. `None` where there is no compiler
/// for it, or not for these flags.
pub fn compiled(room: &Path, source: &str, compiler: &str, flags: &[&str]) -> Option<PathBuf> {
    if !have(compiler) {
        super::passed_over(&format!("there is no {compiler}"));
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/stacks")
        .join(source);
    let program = room.join("program");
    let mut command = Command::new(compiler);
    command.args(flags).arg("-o").arg(&program).arg(source);
    let outcome = run(&mut command);
    if outcome.status != 0 {
        super::passed_over(&format!("{compiler} {flags:?}: {}", outcome.stderr));
        return None;
    }
    Some(program)
}

pub fn room() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// The lines of the trace of a program with its stacks, and the rest of
/// standard error.
pub fn stacks(flags: &[&str], words: &[&str]) -> (Vec<String>, Outcome) {
    let room = room();
    let log = room.path().join("log");
    let flags = [&["-k", "-o", log.to_str().unwrap()], flags].concat();
    let outcome = run(&mut traced(&flags, words));
    let text = std::fs::read_to_string(log).unwrap();
    (text.lines().map(str::to_owned).collect(), outcome)
}

/// The stack below each line that says this: a list of places a stack.
pub fn below(lines: &[String], what: &str) -> Vec<Vec<String>> {
    let place = |line: &String| line.split_once(" > ").map(|(_, place)| place.to_owned());
    let mut found = Vec::new();
    let mut rest = lines.iter().peekable();
    while let Some(line) = rest.next() {
        if !line.contains(what) || line.contains(" > ") {
            continue;
        }
        let mut stack = Vec::new();
        while let Some(place) = rest.peek().copied().and_then(place) {
            stack.push(place);
            rest.next();
        }
        found.push(stack);
    }
    found
}

/// The stacks of all waits that ended.
pub fn waits(lines: &[String]) -> Vec<Vec<String>> {
    let stacks = below(lines, "wait4").into_iter();
    let stacks = stacks.chain(below(lines, "waitid"));
    stacks.filter(|stack| !stack.is_empty()).collect()
}
