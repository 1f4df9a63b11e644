//! Logs of strace's: `strace -f`, with what stands before its lines and how it
//! spells them from 4.x to 7.x, from `-o`, standard error or `-ff`.
//!
//! What a log does not hold is unknown. strace names no parent, so a task is
//! whose call created it; where the log has no such call it is a stranger, and
//! rules about children are out of reach ([`super::gaps`]).

mod call;
mod names;
mod order;
mod parser;
mod prefix;
mod split;
mod stderr;
mod task_log;
mod values;
mod waits;

use std::collections::HashSet;
use std::io::Read;
use std::time::Duration;

use memchr::memmem;

use super::gaps::Record;
use super::lines::Lines;
use super::log::{Log, Time, Translator, origin};
use super::{Source, text};
use crate::kernel::System;
use parser::Strace;
use prefix::split as taken_apart;
use stderr::Stderr;

pub(super) use split::{files, open as open_split};

/// What is known of every log's translator.
const OF_STRACE: (System, Record) = (System::Linux, Record::Strace);

/// A log in one piece, of which nothing was read yet.
///
/// Looks ahead for what the first lines leave out: the pid of the first task,
/// which strace names only while there are others. If no line has it, it is
/// `pid`.
///
/// # Errors
/// Why it cannot be read, as a clause: it is not strace's, say.
pub(super) fn open(
    mut lines: Lines<impl Read + 'static>,
    pid: Option<i32>,
) -> Result<Box<dyn Source>, String> {
    let text = lines.ahead().map_err(|error| error.to_string())?;
    if !text.split(|byte| *byte == b'\n').any(is_strace_s) {
        return Err(
            "no record that is known here: JSON lines of wait4-strace's or Tracee's, a log of \
             strace's or truss's, or a listing of kdump's"
                .to_owned(),
        );
    }
    let mut origin = origin("strace".to_owned());
    if let Some(Time::Epoch(nanos)) = first_time(text) {
        origin.began += Duration::from_nanos(nanos);
    }
    let first = first_pid(text).or(pid);
    let translator = Translator::new(Strace, OF_STRACE, first, false);
    Ok(Box::new(Log::new(Stderr::new(lines), translator, origin)))
}

/// Whether a line is one that strace writes.
fn is_strace_s(line: &[u8]) -> bool {
    let rest = taken_apart(line).rest;
    let marks: [&[u8]; 4] = [b"+++ ", b"--- ", b"<... ", b"strace: "];
    let is_call = || {
        let ends = memmem::find(rest, b") = ").or_else(|| memmem::find(rest, b")  "));
        ends.or_else(|| memmem::find(rest, b"<unfinished ...>"))
            .is_some()
    };
    marks.iter().any(|mark| rest.starts_with(mark)) || names::name(rest).is_some() && is_call()
}

/// The time of the first line that has one.
fn first_time(text: &[u8]) -> Option<Time> {
    let mut lines = text.split(|byte| *byte == b'\n').take(100);
    lines.find_map(|line| taken_apart(line).time)
}

/// The first pid in brackets that no message announced as a new task's.
fn first_pid(text: &[u8]) -> Option<i32> {
    let mut children = HashSet::new();
    for line in text.split(|byte| *byte == b'\n') {
        let announced = memmem::rfind(line, b"strace: Process ");
        let announced = announced.and_then(|at| line.get(at + 16..));
        if let Some((child, _)) = announced.and_then(text::number) {
            children.insert(child);
            continue;
        }
        let Some(tid) = taken_apart(line).tid else {
            continue;
        };
        let is_child = u64::try_from(tid).is_ok_and(|tid| children.contains(&tid));
        if line.starts_with(b"[pid ") && !is_child {
            return Some(tid);
        }
    }
    None
}
