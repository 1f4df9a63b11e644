//! Records of a trace, read back into events: one file or folder a format.

mod bsd;
mod gaps;
mod json;
mod json_lines;
mod lines;
mod log;
mod others;
mod process_tree;
mod strace;
mod text;
mod tracee;
mod unwrap;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::event::{Event, Origin};
use crate::kernel::{System, Tgid};
use crate::rules::RuleId;

use json::JsonLines;
use json_lines::JsonObjects;
use lines::Lines;
use tracee::TraceeEvents;

/// A record of a trace, from its beginning on.
pub trait Source {
    /// Append the next few events, in the order in which they happened.
    /// `false` once the record is over.
    ///
    /// # Errors
    /// Where the record is broken. What came before was appended.
    fn read(&mut self, events: &mut Vec<Event>) -> Result<bool, Broken>;

    /// What holds for the whole trace.
    fn origin(&self) -> &Origin;

    /// What the record lacks, a clause each; known when it is over.
    fn lacks(&self) -> Vec<String>;

    /// What else is to be said of the record, a sentence each; known when it is
    /// over.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Lines that were not understood, a clause a kind; known when it is over.
    fn passed_over(&self) -> Vec<String> {
        Vec::new()
    }

    /// The rules that cannot judge by this record; known when it is over.
    fn out_of_reach(&self) -> Vec<RuleId> {
        Vec::new()
    }

    /// Whether a child of this parent that is a zombie by the record was one in
    /// truth, though the record has no look at `/proc`.
    fn knows_zombies(&self, parent: Tgid) -> bool {
        let _ = parent;
        false
    }
}

/// Open a record of any format that is known here, or the files of
/// `strace -ff`; `-` is standard input.
///
/// # Errors
/// Why it cannot be read, as a clause.
pub fn open(path: &Path, system: Option<System>) -> Result<Box<dyn Source>, String> {
    if path.as_os_str() == "-" {
        return from(Box::new(io::stdin()), system);
    }
    if !path.exists()
        && let Some(log) = strace::open_split(path)?
    {
        return Ok(log);
    }
    let file = File::open(path).map_err(|error| error.to_string())?;
    if file.metadata().is_ok_and(|file| file.is_dir()) {
        let inside = path.join("PREFIX");
        return Err(format!(
            "it is a directory; the files of strace -ff -o {0} are read by --read {0}",
            inside.display()
        ));
    }
    // One of the files of -ff has its pid in its name alone.
    let pid = path.extension().and_then(|end| end.to_str()?.parse().ok());
    of(Box::new(file), pid.filter(|pid| *pid > 0), system)
}

/// The files that a record's name means: those of `strace -ff`, or the one of
/// that name.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    if path.as_os_str() != "-" && !path.exists() {
        let split = strace::files(path);
        if !split.is_empty() {
            return split.into_iter().map(|(_, path)| path).collect();
        }
    }
    vec![path.to_owned()]
}

/// A record by what it holds: JSON lines begin with a `{`, truss's logs and kdump's
/// listings have lines that no other program writes, all else is taken for a log of
/// strace's. What it is wrapped in is undone before.
///
/// # Errors
/// Why it cannot be read, as a clause.
pub fn from(input: Box<dyn Read>, system: Option<System>) -> Result<Box<dyn Source>, String> {
    of(input, None, system)
}

/// A record, of this task if it does not name its own.
fn of(
    input: Box<dyn Read>,
    pid: Option<i32>,
    system: Option<System>,
) -> Result<Box<dyn Source>, String> {
    let unwrap::Input { text, undone, cut } =
        unwrap::unwrap(input).map_err(|error| error.to_string())?;
    let source = parsed(text, pid, system).map_err(|why| match clause(&cut) {
        Some(cut) => format!("{why}; {cut}"),
        None => why,
    })?;
    Ok(if undone.is_empty() {
        source
    } else {
        Box::new(WrappedSource {
            source,
            undone,
            cut,
        })
    })
}

/// What is missing of what a record was packed in.
fn clause(cut: &[(&'static str, unwrap::Flag)]) -> Option<String> {
    let (packing, _) = cut.iter().find(|(_, is_cut)| is_cut.is_set())?;
    Some(format!(
        "the end of the {packing} file is missing: what is read is what could be unpacked"
    ))
}

/// A record that is no longer wrapped in anything.
fn parsed(
    mut input: Box<dyn Read>,
    pid: Option<i32>,
    system: Option<System>,
) -> Result<Box<dyn Source>, String> {
    let mut begin = Vec::new();
    let first = (&mut input).take(16).read_to_end(&mut begin);
    first.map_err(|error| error.to_string())?;
    // A wiki's `{code}` is none.
    let object = begin.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    let is_json = object.is_some_and(|rest| rest.starts_with(b"\""));
    let input = io::Cursor::new(begin).chain(input);
    if is_json {
        return json_record(input).map_err(|broken| broken.to_string());
    }
    let lines = Lines::new(input);
    match bsd::open(lines, system).map_err(|error| error.to_string())? {
        Ok(log) => Ok(log),
        Err(lines) => strace::open(lines, pid),
    }
}

/// A record that was wrapped in something.
struct WrappedSource {
    source: Box<dyn Source>,
    undone: Vec<&'static str>,
    cut: Vec<(&'static str, unwrap::Flag)>,
}

impl Source for WrappedSource {
    fn read(&mut self, events: &mut Vec<Event>) -> Result<bool, Broken> {
        self.source.read(events)
    }

    fn origin(&self) -> &Origin {
        self.source.origin()
    }

    fn lacks(&self) -> Vec<String> {
        self.source.lacks()
    }

    fn notes(&self) -> Vec<String> {
        let undone = format!("undone before reading: {}", self.undone.join(", "));
        let mut notes = vec![undone];
        notes.extend(clause(&self.cut));
        notes.extend(self.source.notes());
        notes
    }

    fn passed_over(&self) -> Vec<String> {
        self.source.passed_over()
    }

    fn out_of_reach(&self) -> Vec<RuleId> {
        self.source.out_of_reach()
    }

    fn knows_zombies(&self, parent: Tgid) -> bool {
        self.source.knows_zombies(parent)
    }
}

/// JSON lines of ours, or of Tracee's.
fn json_record(input: impl Read + 'static) -> Result<Box<dyn Source>, Broken> {
    let mut lines = JsonObjects::new(input);
    lines.next()?;
    if tracee::is_event(&lines.line) {
        return Ok(Box::new(TraceeEvents::begun(lines)?));
    }
    Ok(Box::new(JsonLines::begun(lines)?))
}

/// A place where a record cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Broken {
    /// The line, counted from 1.
    pub line: u64,
    /// What was wrong with it, and what was expected.
    pub why: String,
}
