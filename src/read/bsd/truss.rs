//! Lines of FreeBSD's truss, as `usr.bin/truss` prints them: a call when it
//! returns, behind `-f`'s pid, `-H`'s thread, `-d`'s and `-D`'s times.

use memchr::memmem;

use super::deeds::{Deed, Fate, Returned, Said};
use super::story::Times;
use crate::read::text::{number, seconds, signed, spaces};

/// The first number of a thread on FreeBSD; pids are smaller.
const FIRST_THREAD: u64 = 100_000;

/// Take a line apart; `None` if it is none of truss's.
pub(super) fn said(line: &[u8]) -> Option<Said<'_>> {
    let (pid, tid, rest) = whose(line);
    let (first, rest) = stamp(rest);
    let (second, rest) = first.map_or((None, rest), |_| stamp(rest));
    let deed = deed(rest)?;
    Some(Said {
        pid,
        tid,
        comm: None,
        time: first,
        took: second,
        deed,
    })
}

/// `12345: `, `12345 100123: ` or `100123: `
fn whose(line: &[u8]) -> (Option<i32>, Option<i32>, &[u8]) {
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

fn deed(rest: &[u8]) -> Option<Deed<'_>> {
    if let Some(text) = rest.strip_prefix(b"SIGNAL ") {
        let start = memchr::memchr(b'(', text)? + 1;
        let end = memchr::memchr(b')', text)?;
        let name = text.get(start..end)?;
        // An unknown one has no name: the number stands for it.
        let number = text.split(|byte| *byte == b' ').next()?;
        return Some(Deed::Signalled {
            signal: if name == b"?" { number } else { name },
            fate: Fate::Unknown,
            cause: text.get(end + 1..)?,
        });
    }
    if let Some(text) = rest.strip_prefix(b"process exit, rval = ") {
        let (code, _) = signed(text)?;
        return Some(Deed::Exited(i32::try_from(code).ok()?));
    }
    if let Some(text) = rest.strip_prefix(b"process killed, signal = ") {
        let (signal, rest) = number(text)?;
        return Some(Deed::Killed {
            signal: i32::try_from(signal).ok()?,
            core: rest.starts_with(b" (core dumped)"),
        });
    }
    if let Some(text) = rest.strip_prefix(b"<") {
        return notice(text);
    }
    call(rest)
}

/// `new process>`, `new thread 100123>`, `thread 100123 exited>`
fn notice(text: &[u8]) -> Option<Deed<'_>> {
    if text == b"new process>" {
        return Some(Deed::Born);
    }
    let thread = |text| i32::try_from(number(text)?.0).ok();
    if let Some(text) = text.strip_prefix(b"new thread ") {
        return Some(Deed::ThreadBorn(thread(text)?));
    }
    let (_, rest) = number(text.strip_prefix(b"thread ")?)?;
    rest.starts_with(b" exited>").then_some(Deed::ThreadGone)
}

/// `wait4(-1,{ EXITED,val=0 },0x0,0x0)\t\t = 1234 (0x4d2)`
fn call(text: &[u8]) -> Option<Deed<'_>> {
    let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let length = text.iter().take_while(is_word).count();
    let name = text.get(..length).filter(|name| !name.is_empty())?;
    let inner = text.get(length..)?.strip_prefix(b"(")?;
    let end = closing(inner)?;
    let args = inner.get(..end)?;
    let result = inner.get(end + 1..)?.trim_ascii();
    Some(Deed::Did(name, args, returned(result)?))
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

fn returned(result: &[u8]) -> Option<Returned> {
    if let Some(text) = result.strip_prefix(b"= ") {
        return Some(Returned::Number(signed(text)?.0));
    }
    if let Some(text) = result.strip_prefix(b"ERR#") {
        return Some(Returned::Error(i32::try_from(signed(text)?.0).ok()?));
    }
    match result {
        b"ERESTART" => Some(Returned::Restart),
        b"" | b"EJUSTRETURN" => Some(Returned::Never),
        _ => None,
    }
}

/// Whether no other program writes such a line.
pub(super) fn is_sure(line: &[u8]) -> bool {
    let Some(Said { deed, .. }) = said(line) else {
        return false;
    };
    let ends = |text: &[u8]| {
        let at = memmem::rfind(line, text);
        at.and_then(|at| line.get(at..)).is_some()
    };
    match deed {
        // ` = 1234 (0x4d2)`; strace explains other numbers so.
        Deed::Did(_, _, Returned::Number(value)) => ends(format!("= {value} (0x").as_bytes()),
        Deed::Did(_, _, Returned::Error(_)) => ends(b"ERR#"),
        Deed::Exited(_) | Deed::Killed { .. } | Deed::Born => true,
        _ => false,
    }
}

/// What the times before the lines count. `-D` alone counts from each
/// thread's last event, which places no line among those of others.
pub(super) fn times(text: &[u8]) -> Times {
    let lines = text.split(|byte| *byte == b'\n');
    let all = lines.filter_map(said).filter_map(|said| said.time);
    if all.is_sorted() {
        Times::Elapsed
    } else {
        Times::None
    }
}
