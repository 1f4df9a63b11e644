//! Lines of kdump, as `usr.bin/kdump` of FreeBSD and of NetBSD prints them:
//! pid, a thread (always on NetBSD, with `-H` on FreeBSD), the name, a time
//! (`-T`, `-E` or `-R`), the kind of the record, the record.

use memchr::memmem;

use super::deeds::{Deed, Fate, Returned, Said};
use super::story::Times;
use crate::kernel::System;
use crate::read::text::{number, seconds, signed, spaces};

/// The kinds of records, each with what stands behind it.
const KINDS: [&[u8]; 17] = [
    b"CALL  ", b"RET   ", b"NAMI  ", b"PSIG  ", b"GIO   ", b"CSW   ", b"USER  ", b"STRU  ",
    b"SCTL  ", b"CAP   ", b"PFLT  ", b"PRET  ", b"EMUL  ", b"MISC  ", b"ARG   ", b"ENV   ",
    b"MIB   ",
];
/// A kind stands in the first bytes of a line.
const WITHIN: usize = 96;
/// The first number of a thread on FreeBSD; NetBSD counts them from 1.
pub(super) const FIRST_THREAD: i32 = 100_000;

/// Take a line apart; `None` if it is none of kdump's.
pub(super) fn said(line: &[u8]) -> Option<Said<'_>> {
    let (kind, at) = kind(line)?;
    let rest = line.get(at + kind.len()..)?;
    let head = line.get(..at)?;
    let (pid, head) = number(spaces(head))?;
    let pid = i32::try_from(pid).ok()?;
    let (tid, comm, time) = named(head);
    Some(Said {
        pid: Some(pid),
        tid,
        comm,
        time,
        took: None,
        deed: deed(kind, rest),
    })
}

/// The kind of a line's record, and where it stands.
fn kind(line: &[u8]) -> Option<(&'static [u8], usize)> {
    if !spaces(line).first()?.is_ascii_digit() {
        return None;
    }
    let head = line.get(..line.len().min(WITHIN))?;
    let found = KINDS.iter().filter_map(|kind| {
        // What ends a line has no spaces behind it.
        let at = memmem::find(head, kind)?;
        (at > 0 && head.get(at - 1) == Some(&b' ')).then_some((*kind, at))
    });
    found.min_by_key(|(_, at)| *at)
}

/// ` 100123 sh       1732.000123 `: a thread, a name, a time.
fn named(head: &[u8]) -> (Option<i32>, Option<&[u8]>, Option<u64>) {
    let words: Vec<&[u8]> = head
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
        .collect();
    let is_time = |word: &[u8]| {
        let parts = memchr::memchr(b'.', word).map(|dot| word.split_at(dot));
        parts.is_some_and(|(whole, rest)| {
            let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
            digits(whole) && matches!(rest.len(), 7 | 10) && rest.get(1..).is_some_and(digits)
        })
    };
    let time = words.last().filter(|word| words.len() > 1 && is_time(word));
    let names = words.len() - usize::from(time.is_some());
    let tid = match words.first() {
        Some(first) if names > 1 => number(first).filter(|(_, rest)| rest.is_empty()),
        _ => None,
    };
    let comm = words.get(usize::from(tid.is_some())).copied();
    let tid = tid.and_then(|(tid, _)| i32::try_from(tid).ok());
    let time = time.and_then(|time| Some(seconds(time)?.0));
    (tid.filter(|tid| *tid > 0), comm, time)
}

fn deed<'a>(kind: &[u8], rest: &'a [u8]) -> Deed<'a> {
    let found = match kind {
        b"CALL  " => called(rest),
        b"RET   " => returned(rest),
        b"PSIG  " => signalled(rest),
        b"NAMI  " => quoted(rest).map(Deed::Named),
        b"ARG   " => quoted(rest).map(Deed::Argument),
        _ => None,
    };
    found.unwrap_or(Deed::Other)
}

/// `wait4(0xffffffff,0x7fffffffe0ac,0x2<WUNTRACED>,0)`, or `fork` alone.
fn called(rest: &[u8]) -> Option<Deed<'_>> {
    let Some(at) = memchr::memchr(b'(', rest) else {
        return Some(Deed::Called(rest.trim_ascii(), b""));
    };
    let (name, args) = rest.split_at(at);
    let args = args.get(1..)?.trim_ascii_end();
    Some(Deed::Called(name, args.strip_suffix(b")").unwrap_or(args)))
}

/// `wait4 1235/0x4d3`, `wait4 -1 errno 10 No child processes`, `wait4 RESTART`
fn returned(rest: &[u8]) -> Option<Deed<'_>> {
    let at = memchr::memchr(b' ', rest)?;
    let (name, result) = rest.split_at(at);
    let result = result.trim_ascii();
    let returned = match result {
        b"RESTART" => Returned::Restart,
        b"JUSTRETURN" => Returned::Never,
        _ => match result.strip_prefix(b"-1 errno ") {
            Some(text) => Returned::Error(i32::try_from(signed(text)?.0).ok()?),
            None => Returned::Number(signed(result)?.0),
        },
    };
    Some(Deed::Returned(name, returned))
}

/// `SIGCHLD caught handler=0x… mask=0x0 code=CLD_EXITED`, `SIGKILL SIG_DFL…`
fn signalled(rest: &[u8]) -> Option<Deed<'_>> {
    // `SIG 65` is FreeBSD's for those without a name.
    let rest = rest.strip_prefix(b"SIG ").unwrap_or(rest);
    let at = memchr::memchr(b' ', rest)?;
    let (signal, what) = rest.split_at(at);
    let what = what.trim_ascii_start();
    let fate = if what.starts_with(b"caught") {
        Fate::Caught
    } else if what.starts_with(b"SIG_DFL") {
        Fate::Default
    } else {
        Fate::Unknown
    };
    Some(Deed::Signalled {
        signal,
        fate,
        cause: what,
    })
}

fn quoted(rest: &[u8]) -> Option<&[u8]> {
    rest.trim_ascii_end()
        .strip_prefix(b"\"")?
        .strip_suffix(b"\"")
}

/// Whether no other program writes such a line.
pub(super) fn is_sure(line: &[u8]) -> bool {
    said(line).is_some()
}

/// Whose kdump wrote a listing. What only one of them writes tells; else
/// NetBSD's lines have a thread, which is counted from 1.
pub(super) fn system(text: &[u8]) -> System {
    let mut system = System::FreeBsd;
    for line in text.split(|byte| *byte == b'\n') {
        let Some((kind, at)) = kind(line) else {
            continue;
        };
        let has = |mark: &[u8]| memmem::find(line.get(at..).unwrap_or(&[]), mark).is_some();
        match kind {
            b"EMUL  " | b"MISC  " | b"ARG   " | b"ENV   " | b"MIB   " => return System::NetBsd,
            b"USER  " | b"STRU  " | b"SCTL  " | b"CAP   " | b"PFLT  " => return System::FreeBsd,
            b"PSIG  " if has(b"mask=(") || has(b": code=") => return System::NetBsd,
            b"CALL  " if has(b"__wait450") || has(b"__vfork14") || has(b"__sigaction") => {
                return System::NetBsd;
            }
            b"CALL  " if has(b"<W") || has(b"(P_") => return System::FreeBsd,
            _ => {}
        }
        let tid = said(line).and_then(|said| said.tid);
        if tid.is_some_and(|tid| tid < FIRST_THREAD) {
            system = System::NetBsd;
        }
    }
    system
}

/// What the times before the lines count.
pub(super) fn times(text: &[u8]) -> Times {
    let lines = text.split(|byte| *byte == b'\n');
    let all = lines.filter_map(said).filter_map(|said| said.time);
    if all.is_sorted() {
        // Since the first line (-E) or since 1970 (-T).
        Times::Elapsed
    } else {
        Times::SinceLast
    }
}
