//! Logs of strace's: `strace -f`, with what stands before its lines and how it
//! spells them from 4.x to 7.x, from `-o`, standard error or `-ff`.
//!
//! What a log does not hold is unknown. strace names no parent, so a task is
//! whose call created it; where the log has no such call it is a stranger, and
//! rules about children are out of reach ([`super::gaps`]).

mod call;
mod command;
mod names;
mod order;
mod parser;
mod prefix;
mod shape;
mod split;
mod stderr;
mod task_log;
mod values;
mod waits;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Read;
use std::time::Duration;

use memchr::memmem;
use rustc_hash::FxHashSet;

use super::gaps::Record;
use super::lines::Lines;
use super::log::{Kind, Log, Root, Time, Translator, origin};
use super::{Source, text};
use crate::event::escape;
use crate::kernel::{System, WaitCall};
use call::Call;
use parser::{Apart, Strace};
use prefix::split as taken_apart;
use shape::Shape;
use stderr::Stderr;

pub(super) use split::{files, open as open_split};

/// How many lines with a pid in brackets are looked at for the root's.
const MOST_IN_BRACKETS: usize = 10_000;

/// What lines of strace's that are no calls begin with.
const MARKS: [&[u8]; 4] = [b"+++ ", b"--- ", b"<... ", b"strace: Process "];

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
    if is_text_of_ours(text) {
        return Err(OURS.to_owned());
    }
    if !text.split(|byte| *byte == b'\n').any(is_strace_s) {
        return Err(unknown(text));
    }
    let mut origin = origin("strace".to_owned());
    if let Some(Time::Epoch(nanos)) = first_time(text) {
        origin.began += Duration::from_nanos(nanos);
    }
    origin.resolution = resolution(first_times(text));
    let mut roots = roots(text);
    let mut root = roots.pop_front().map(|(_, root)| root).unwrap_or_default();
    root.pid = root.pid.or(pid);
    let shape = Shape::of(text);
    let translator = Translator::new(Strace, OF_STRACE, root, false);
    let input = Stderr::new(lines, shape, roots);
    Ok(Box::new(Log::new(input, translator, origin)))
}

/// Why text of wait4-strace itself is refused.
const OURS: &str = "it is text of wait4-strace's, which lacks what events hold; what --record \
                    FILE writes is read";

/// Whether a text is one of wait4-strace's: a program that was traced may have written
/// some such lines amid strace's.
fn is_text_of_ours(text: &[u8]) -> bool {
    let lines = || text.split(|byte| *byte == b'\n');
    let ours = lines().filter(|line| is_ours(line)).count();
    let is_theirs = |line: &&[u8]| is_strace_s(line) && !is_ours(line);
    ours > 0 && ours > lines().filter(is_theirs).count()
}

/// Whether a line is one that wait4-strace prints, and strace never.
fn is_ours(line: &[u8]) -> bool {
    let marks = [
        &b"  # reaped "[..],
        b"+++ forked ",
        b"+++ vforked ",
        b"+++ executed ",
    ];
    let mut found = marks.iter().filter_map(|mark| memmem::find(line, mark));
    // In a string it is what a program wrote.
    found.any(|at| !line.get(..at).is_some_and(|before| before.contains(&b'"')))
}

/// Why a text is no record, with the first line that was not understood.
fn unknown(text: &[u8]) -> String {
    let mut lines = text.split(|byte| *byte == b'\n').zip(1u64..);
    let first = lines.find(|(line, _)| !line.trim_ascii().is_empty());
    let mut why = "no record that is known here: JSON lines of wait4-strace's or Tracee's, a log \
                   of strace's or truss's, or a listing of kdump's"
        .to_owned();
    if let Some((line, number)) = first {
        let shown = line.get(..line.len().min(60)).unwrap_or(line);
        let mut quoted = String::new();
        let _ = escape(shown, &mut quoted);
        let _ = write!(
            why,
            "; line {number} is \"{quoted}\": what stands before pids or names of calls must go"
        );
    }
    why
}

/// Whether a line is one that strace writes.
pub(super) fn is_strace_s(line: &[u8]) -> bool {
    let rest = taken_apart(line).rest;
    let is_call = || {
        let ends = memmem::find(rest, b") = ").or_else(|| memmem::find(rest, b")  "));
        ends.is_some() || rest.ends_with(b" ...>") || rest.ends_with(b"= ?")
    };
    MARKS.iter().any(|mark| rest.starts_with(mark))
        || names::name(rest).is_some() && (is_call() || stderr::is_open_wait(&Apart::of(line)))
}

/// Whether a line is one that strace writes, and whole.
pub(super) fn is_whole(line: &[u8]) -> bool {
    let apart = Apart::of(line);
    let rest = apart.prefixed.rest;
    let is_call = || {
        let has_end = rest.ends_with(b" ...>") || rest.ends_with(b"<detached ...>");
        has_end || apart.args().and_then(Call::parse).is_some()
    };
    MARKS.iter().any(|mark| rest.starts_with(mark)) || apart.call.is_some() && is_call()
}

/// Whether a text is what strace writes behind a call.
pub(super) fn is_result(text: &[u8]) -> bool {
    call::is_result(text)
}

/// Whether a line is a notice of strace's alone.
pub(super) fn is_notice(line: &[u8]) -> bool {
    parser::is_notice(line)
}

/// Whether a line begins as strace's do, whatever its end is.
pub(super) fn begins(line: &[u8]) -> bool {
    let rest = taken_apart(line).rest;
    MARKS.iter().any(|mark| rest.starts_with(mark)) || names::name(rest).is_some()
}

/// Whether a line has nothing behind its task or time. A number alone is a task's if a
/// space is left behind it.
pub(super) fn is_prefix(line: &[u8]) -> bool {
    let ends_in_space = line.ends_with(b" ");
    let line = [line.trim_ascii_end(), b" "].concat();
    let taken = taken_apart(&line);
    let is_task = taken.tid.is_some() && (line.starts_with(b"[pid ") || ends_in_space);
    taken.rest.trim_ascii().is_empty() && (taken.time.is_some() || is_task)
}

/// Whether a program's output stands in a wait.
pub(super) fn has_output(line: &[u8]) -> bool {
    stderr::has_output(line)
}

/// Whether the next line is what strace writes behind a program's output in this call,
/// and not the rest of a line that was broken, which loses its space.
pub(super) fn is_behind_output(line: &[u8], next: &[u8]) -> bool {
    let writes = || {
        let name = names::name(taken_apart(line).rest);
        name.is_some_and(|name| name.starts_with(b"write"))
    };
    let is_torn = || next.starts_with(b" <") || stderr::torn(line).is_some();
    let is_result = next.starts_with(b")");
    parser::is_tail(next) && if is_result { writes() } else { is_torn() }
}

/// Whether a line names its task.
pub(super) fn has_pid(line: &[u8]) -> bool {
    taken_apart(line).tid.is_some()
}

/// Whether a line names its task or its time.
pub(super) fn has_prefix(line: &[u8]) -> bool {
    let taken = taken_apart(line);
    taken.tid.is_some() || taken.time.is_some()
}

/// Whether a notice of strace's ends a line that is another's.
pub(super) fn ends_in_notice(line: &[u8]) -> bool {
    parser::notice_at_end(line).is_some()
}

/// The time of the first line that has one.
fn first_time(text: &[u8]) -> Option<Time> {
    first_times(text).next()
}

fn first_times(text: &[u8]) -> impl Iterator<Item = Time> {
    let lines = text.split(|byte| *byte == b'\n').take(100);
    lines.filter_map(|line| taken_apart(line).time)
}

/// What times of day without a fraction leave open (`-t`), in nanoseconds.
fn resolution(times: impl IntoIterator<Item = Time>) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    let mut times = times.into_iter().peekable();
    let is_whole = |time: Time| matches!(time, Time::OfDay(nanos) if nanos % SECOND == 0);
    if times.peek().is_some() && times.all(is_whole) {
        SECOND
    } else {
        0
    }
}

/// The roots of the logs of a text, of which each but the first begins behind the line
/// of this number, with a command.
fn roots(text: &[u8]) -> VecDeque<(u64, Root)> {
    let mut roots = VecDeque::new();
    let (mut begun, mut end, mut number) = (0, 0, 0);
    for (line, at) in text.split(|byte| *byte == b'\n').zip(1..) {
        if command::runs_strace(line) {
            let log = text.get(begun..end).unwrap_or(&[]);
            roots.push_back((number, root(log)));
            (begun, number) = (end, at);
        }
        end += line.len() + 1;
    }
    roots.push_back((number, root(text.get(begun..).unwrap_or(&[]))));
    roots
}

/// What a log's first lines say of the task whose own lines have no pid: a line
/// in brackets may be its, while there are others, or it asks for its pid.
fn root(text: &[u8]) -> Root {
    let mut root = Root::default();
    let mut in_brackets = Vec::new();
    let (mut ended, mut others) = (FxHashSet::default(), FxHashSet::default());
    let (mut asked, mut began) = (None, false);
    let (mut attached, mut attaches) = (None, 0);
    for line in text.split(|byte| *byte == b'\n') {
        let taken = taken_apart(line);
        let is_call = names::name(taken.rest).is_some();
        if let Some(pid) = parser::announced(line) {
            // The first may be what strace was attached to.
            if is_call || began {
                root.children.insert(pid);
            } else {
                attached = Some(pid);
                attaches += 1;
            }
            continue;
        }
        // Of several tasks strace names each.
        if is_call && !began && (taken.tid.is_some() || attaches > 1) {
            attached = None;
        }
        began |= is_call;
        root.children.extend(child_of(line));
        match taken.tid {
            Some(tid) if line.starts_with(b"[pid ") => {
                in_brackets.push(tid);
                ended.extend(taken.rest.starts_with(b"+++ ").then_some(tid));
            }
            None => {
                asked = asked.or_else(|| own_pid(taken.rest));
                if is_call || MARKS[..3].iter().any(|mark| taken.rest.starts_with(mark)) {
                    // What has ended is not the one that goes on.
                    others.extend(ended.drain());
                }
            }
            Some(_) => {}
        }
        if in_brackets.len() > MOST_IN_BRACKETS {
            break;
        }
    }
    in_brackets.retain(|tid| !root.children.contains(tid) && !others.contains(tid));
    root.pid = asked.or(attached.filter(|_| began));
    root.pid = root.pid.or(in_brackets.first().copied());
    root
}

/// The child that a call of its parent returned, or whose end a signal reports.
pub(super) fn child_of(line: &[u8]) -> Option<i32> {
    let call = taken_apart(line).rest;
    let name = names::name(call).or_else(|| {
        let resumed = call.strip_prefix(b"<... ")?;
        resumed.split(|byte| *byte == b' ').next()
    });
    if let Some(info) = call.strip_prefix(b"--- SIGCHLD ") {
        return i32::try_from(text::number(text::after(info, "si_pid=")?)?.0).ok();
    }
    let is_ours = matches!(
        names::kind(name?)?,
        Kind::Create | Kind::Vfork | Kind::Wait(WaitCall::Wait4 | WaitCall::Waitpid)
    );
    let at = text::last_equals(call).filter(|_| is_ours)?;
    let (pid, _) = text::number(call.get(at + 3..)?)?;
    i32::try_from(pid).ok().filter(|pid| *pid > 0)
}

/// What a task learns of its own pid.
fn own_pid(call: &[u8]) -> Option<i32> {
    let is_ours = matches!(
        names::name(call)?,
        b"getpid" | b"gettid" | b"set_tid_address"
    );
    let at = text::last_equals(call).filter(|_| is_ours)?;
    let (pid, _) = text::number(call.get(at + 3..)?)?;
    i32::try_from(pid).ok().filter(|pid| *pid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_of_the_first_task_is_read_off_other_lines() {
        let root = |text: &str| root(text.as_bytes()).pid;
        assert_eq!(
            root("fork() = 7\n[pid  6] wait4(7, \n[pid  7] exit(0"),
            Some(6)
        );
        assert_eq!(root("getpid() = 6\nfork() = 7"), Some(6));
        assert_eq!(
            root("[pid 7] exit(0\n<... wait4 resumed>NULL, 0, NULL) = 7"),
            None
        );
        assert_eq!(
            root("fork()\nstrace: Process 7 attached\n[pid 7] exit(0"),
            None
        );
        assert_eq!(root("strace: Process 7 attached\n[pid 7] exit(0"), Some(7));
        assert_eq!(
            root("Process 7 attached\nclone() = 8\n[pid 8] exit(0\nwait4(8, "),
            Some(7)
        );
        assert_eq!(
            root("clone(Process 7 attached\n[pid 7] exit(0\n[pid 6] a()"),
            Some(6)
        );
        assert_eq!(
            root("[pid 7] getpid() = 7\n--- SIGCHLD {si_pid=7} ---"),
            None
        );
        // A thread that has ended is not who goes on.
        let thread = "[pid 9] a() = 0\n[pid 9] +++ exited with 0 +++\n";
        assert_eq!(root(&format!("{thread}read(3, \"\", 1) = 0")), None);
        assert_eq!(root(&format!("fork() = 8\n{thread}")), Some(9));
    }
}
