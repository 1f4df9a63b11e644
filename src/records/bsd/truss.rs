//! Lines of FreeBSD's truss, as `usr.bin/truss` prints them: a call when it
//! returns, behind `-f`'s pid, `-H`'s thread, `-d`'s and `-D`'s times.

use memchr::memmem;

use super::Times;
use super::calls::{exit_word, kind, siginfo, signal};
use crate::kernel::{Errno, System, WaitStatus};
use crate::records::log::{Effect, Kind, LogLine, Returned, Time, What};
use crate::records::text::{number, seconds, signed, spaces};

/// The first number of a thread on FreeBSD; pids are smaller.
const FIRST_THREAD: u64 = 100_000;
const EXITED: &[u8] = b"process exit, rval = ";
const KILLED: &[u8] = b"process killed, signal = ";

/// Take a line apart; `None` if it is none of truss's.
pub(super) fn line(system: System, line: &[u8]) -> Option<LogLine<'_>> {
    let Prefixed {
        pid,
        tid,
        time,
        took,
        rest,
    } = prefixed(line);
    Some(LogLine {
        // Without `-f` truss names no process: there is one.
        pid: pid.or(Some(0)),
        tid,
        comm: None,
        time: time.map(Time::Epoch),
        took,
        what: what(system, rest)?,
        text: rest,
    })
}

/// A line without what stands before a call.
struct Prefixed<'a> {
    pid: Option<i32>,
    tid: Option<i32>,
    time: Option<u64>,
    took: Option<u64>,
    rest: &'a [u8],
}

fn prefixed(line: &[u8]) -> Prefixed<'_> {
    let (pid, tid, rest) = task(line);
    let (time, rest) = stamp(rest);
    let (took, rest) = time.map_or((None, rest), |_| stamp(rest));
    Prefixed {
        pid,
        tid,
        time,
        took,
        rest,
    }
}

/// `12345: `, `12345 100123: ` or `100123: `
fn task(line: &[u8]) -> (Option<i32>, Option<i32>, &[u8]) {
    let none = (None, None, line);
    let Some((first, rest)) = number(spaces(line)) else {
        return none;
    };
    if let Some(rest) = rest.strip_prefix(b": ") {
        let number = i32::try_from(first).ok();
        return if first >= FIRST_THREAD {
            (None, number, rest)
        } else {
            (number, None, rest)
        };
    }
    let second = number(spaces(rest)).filter(|_| rest.starts_with(b" "));
    match second.and_then(|(second, rest)| Some((second, rest.strip_prefix(b": ")?))) {
        Some((second, rest)) => (i32::try_from(first).ok(), i32::try_from(second).ok(), rest),
        None => none,
    }
}

/// `0.000123456 `
fn stamp(text: &[u8]) -> (Option<u64>, &[u8]) {
    let time = number(text).filter(|(_, rest)| rest.first() == Some(&b'.'));
    let time = time.and_then(|_| seconds(text));
    match time.and_then(|(time, rest)| Some((time, rest.strip_prefix(b" ")?))) {
        Some((time, rest)) => (Some(time), rest),
        None => (None, text),
    }
}

fn what(system: System, rest: &[u8]) -> Option<What<'_>> {
    if let Some(text) = rest.strip_prefix(b"SIGNAL ") {
        let start = memchr::memchr(b'(', text)? + 1;
        let end = memchr::memchr(b')', text)?;
        let name = text.get(start..end)?;
        // An unknown one has no name: the number stands for it.
        let number = text.split(|byte| *byte == b' ').next()?;
        let name = if name == b"?" { number } else { name };
        let signal = signal(system, name);
        let cause = text.get(end + 1..)?;
        return Some(What::Signalled {
            signal,
            info: signal.and_then(|signal| siginfo(system, signal, cause)),
            effect: Effect::Unknown,
        });
    }
    if let Some(text) = rest.strip_prefix(EXITED) {
        let (code, _) = signed(text)?;
        return Some(What::Exited(i32::try_from(code).ok()?));
    }
    if let Some(text) = rest.strip_prefix(KILLED) {
        let (signal, rest) = number(text)?;
        let signal = i32::try_from(signal).ok()?;
        let word = exit_word(signal, rest.starts_with(b" (core dumped)"));
        return Some(What::Ended(WaitStatus::of(system, word)));
    }
    if let Some(text) = rest.strip_prefix(b"<") {
        return notice(system, text);
    }
    let (name, args, result) = call(rest)?;
    let returned = returned(system, result)?;
    Some(match kind(name) {
        // The end has a line of its own, with the code.
        Some(Kind::Exit) | None => What::OtherCall(name),
        Some(kind) => What::Whole(kind, args, returned),
    })
}

/// `new process>`, `new thread 100123>`, `thread 100123 exited>`
fn notice(system: System, text: &[u8]) -> Option<What<'_>> {
    if text == b"new process>" || text.starts_with(b"new thread ") {
        return Some(What::Nothing);
    }
    let (_, rest) = number(text.strip_prefix(b"thread ")?)?;
    let status = WaitStatus::of(system, 0);
    let is_over = rest.starts_with(b" exited>");
    is_over.then_some(What::ThreadEnded(status))
}

/// `wait4(-1,{ EXITED,val=0 },0x0,0x0)\t\t = 1234 (0x4d2)`: name, arguments
/// and result.
fn call(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let length = text.iter().take_while(is_word).count();
    let name = text.get(..length).filter(|name| !name.is_empty())?;
    let inner = text.get(length..)?.strip_prefix(b"(")?;
    let end = closing(inner)?;
    Some((name, inner.get(..end)?, inner.get(end + 1..)?.trim_ascii()))
}

/// Where the parenthesis closes that is open.
fn closing(text: &[u8]) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0u32, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' => depth += 1,
            b')' if depth == 0 => return Some(at),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn returned(system: System, result: &[u8]) -> Option<Returned> {
    if let Some(text) = result.strip_prefix(b"= ") {
        return Some(Returned::Number(signed(text)?.0, None));
    }
    if let Some(text) = result.strip_prefix(b"ERR#") {
        let number = i32::try_from(signed(text)?.0).ok()?;
        return Some(Returned::Error(Errno::of(system, number)));
    }
    match result {
        b"ERESTART" => Some(Returned::Error(Errno::BSD_RESTART)),
        b"" | b"EJUSTRETURN" => Some(Returned::Replaced),
        _ => None,
    }
}

/// Whether no other program writes such a line.
pub(super) fn is_sure(line: &[u8]) -> bool {
    let rest = prefixed(line).rest;
    if rest.starts_with(EXITED) || rest.starts_with(KILLED) || rest == b"<new process>" {
        return true;
    }
    let Some((_, _, result)) = call(rest) else {
        return false;
    };
    match returned(System::FreeBsd, result) {
        // ` = 1234 (0x4d2)`; strace explains other numbers so.
        Some(Returned::Number(value, _)) => {
            let both = format!("= {value} (0x");
            memmem::find(result, both.as_bytes()).is_some()
        }
        Some(Returned::Error(_)) => result.starts_with(b"ERR#"),
        _ => false,
    }
}

/// Whether a line names its process.
pub(super) fn has_pid(line: &[u8]) -> bool {
    prefixed(line).pid.is_some()
}

/// What the times before the lines count. `-D` alone counts from each
/// thread's last event, which places no line among those of others.
pub(super) fn times(text: &[u8]) -> Times {
    let lines = text.split(|byte| *byte == b'\n');
    let own = lines.filter(|line| self::line(System::FreeBsd, line).is_some());
    let all = own.filter_map(|line| prefixed(line).time);
    if all.is_sorted() {
        Times::Elapsed
    } else {
        Times::None
    }
}
