//! Lines of kdump, as `usr.bin/kdump` of FreeBSD and of NetBSD prints them:
//! pid, a thread (always on NetBSD, with `-H` on FreeBSD), the name, a time
//! (`-T`, `-E` or `-R`), the kind of the record, the record.

use memchr::memmem;

use super::Times;
use super::calls::{int, kind as call_kind, siginfo, signal};
use crate::kernel::{Errno, System, WaitStatus};
use crate::records::log::{Effect, Kind, LogLine, Returned, Time, What};
use crate::records::text::{number, seconds, signed, spaces};

/// The kinds of records, each with what stands behind it.
const KINDS: [&[u8]; 17] = [
    b"CALL  ", b"RET   ", b"NAMI  ", b"PSIG  ", b"GIO   ", b"CSW   ", b"USER  ", b"STRU  ",
    b"SCTL  ", b"CAP   ", b"PFLT  ", b"PRET  ", b"EMUL  ", b"MISC  ", b"ARG   ", b"ENV   ",
    b"MIB   ",
];
/// A kind stands in the first bytes of a line.
const WITHIN: usize = 96;
/// A pid, a thread, a time, and a name that may have a space.
const MOST_WORDS: usize = 5;
/// The first number of a thread on FreeBSD; NetBSD counts them from 1.
const FIRST_THREAD: i32 = 100_000;

/// Take a line apart; `None` if it is none of kdump's.
pub(super) fn line(system: System, line: &[u8]) -> Option<LogLine<'_>> {
    let (kind, at) = kind(line)?;
    let rest = line.get(at + kind.len()..)?;
    let head = line.get(..at)?;
    let (pid, head) = number(spaces(head))?;
    let pid = i32::try_from(pid).ok()?;
    let (tid, comm, time) = named(head);
    Some(LogLine {
        pid: Some(pid),
        tid: tid.map(|tid| thread(pid, tid)),
        comm,
        time: time.map(Time::Epoch),
        took: None,
        what: what(system, kind, rest),
        text: rest,
    })
}

/// NetBSD counts threads anew in each process: number 2 of 5651 is 205651
/// here.
fn thread(pid: i32, tid: i32) -> i32 {
    let within = (tid < FIRST_THREAD).then(|| tid.checked_mul(FIRST_THREAD));
    let first = within.flatten();
    first.map_or(tid, |first| first.saturating_add(pid))
}

/// The kind of a line's record, and where it stands.
fn kind(line: &[u8]) -> Option<(&'static [u8], usize)> {
    let pid = spaces(line).split(|byte| *byte == b' ').next()?;
    if pid.is_empty() || !pid.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let head = line.get(..line.len().min(WITHIN))?;
    let is_short = |at: &usize| {
        let words = head.get(..*at).unwrap_or(&[]).split(|byte| *byte == b' ');
        words.filter(|word| !word.is_empty()).count() <= MOST_WORDS
    };
    let found = KINDS.iter().filter_map(|kind| {
        // What ends a line has no spaces behind it.
        let at = memmem::find(head, kind)?;
        (at > 0 && head.get(at - 1) == Some(&b' ')).then_some((*kind, at))
    });
    let first = found.min_by_key(|(_, at)| *at);
    first.filter(|(_, at)| is_short(at))
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

fn what<'a>(system: System, kind: &[u8], rest: &'a [u8]) -> What<'a> {
    let found = match kind {
        b"CALL  " => Some(called(system, rest)),
        b"RET   " => returned(system, rest),
        b"PSIG  " => signalled(system, rest),
        b"NAMI  " => quoted(rest).map(What::Path),
        b"ARG   " => quoted(rest).map(What::Argument),
        _ => None,
    };
    found.unwrap_or(What::Nothing)
}

/// `wait4(0xffffffff,0x7fffffffe0ac,0x2<WUNTRACED>,0)`, or `fork` alone.
fn called(system: System, rest: &[u8]) -> What<'_> {
    let at = memchr::memchr(b'(', rest);
    let (name, args) = at.map_or((rest.trim_ascii(), &[][..]), |at| rest.split_at(at));
    let args = args.trim_ascii_end();
    let args = args.strip_prefix(b"(").unwrap_or(args);
    let args = args.strip_suffix(b")").unwrap_or(args);
    match (name, call_kind(name)) {
        (b"thr_exit" | b"_lwp_exit", _) => What::ThreadEnded(WaitStatus::of(system, 0)),
        (_, None) => What::OtherCall(name),
        (_, Some(Kind::Exit)) => What::Exited(int(args).unwrap_or(0)),
        (_, Some(kind)) => What::Begins(kind, args),
    }
}

/// `wait4 1235/0x4d3`, `wait4 -1 errno 10 No child processes`, `wait4 RESTART`
fn returned(system: System, rest: &[u8]) -> Option<What<'_>> {
    let at = memchr::memchr(b' ', rest)?;
    let (name, result) = rest.split_at(at);
    let kind = call_kind(name)?;
    let result = result.trim_ascii();
    let returned = match result {
        b"RESTART" => Returned::Error(Errno::BSD_RESTART),
        b"JUSTRETURN" => Returned::Replaced,
        _ => match result.strip_prefix(b"-1 errno ") {
            Some(text) => {
                let number = i32::try_from(signed(text)?.0).ok()?;
                Returned::Error(Errno::of(system, number))
            }
            None => Returned::Number(signed(result)?.0, None),
        },
    };
    Some(What::Ends(kind, b"", returned))
}

/// `SIGCHLD caught handler=0x… mask=0x0 code=CLD_EXITED`, `SIGKILL SIG_DFL…`
fn signalled(system: System, rest: &[u8]) -> Option<What<'_>> {
    // `SIG 65` is FreeBSD's for those without a name.
    let rest = rest.strip_prefix(b"SIG ").unwrap_or(rest);
    let at = memchr::memchr(b' ', rest)?;
    let (name, cause) = rest.split_at(at);
    let cause = cause.trim_ascii_start();
    let effect = if cause.starts_with(b"caught") {
        Effect::Caught
    } else if cause.starts_with(b"SIG_DFL") {
        Effect::Default
    } else {
        Effect::Unknown
    };
    let signal = signal(system, name);
    Some(What::Signalled {
        signal,
        info: signal.and_then(|signal| siginfo(system, signal, cause)),
        effect,
    })
}

fn quoted(rest: &[u8]) -> Option<&[u8]> {
    rest.trim_ascii_end()
        .strip_prefix(b"\"")?
        .strip_suffix(b"\"")
}

/// Whether no other program writes such a line.
pub(super) fn is_sure(line: &[u8]) -> bool {
    self::line(System::FreeBsd, line).is_some()
}

/// Which system's kdump wrote a listing: what only one of them writes; else
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
        if threads_count_from_1(line, at) {
            system = System::NetBsd;
        }
    }
    system
}

/// Whether a line names a thread, in the way of NetBSD's.
fn threads_count_from_1(line: &[u8], end: usize) -> bool {
    let head = line.get(..end).unwrap_or(&[]);
    let tid = number(spaces(head)).and_then(|(_, head)| named(head).0);
    tid.is_some_and(|tid| tid < FIRST_THREAD)
}

/// What the times before the lines count.
pub(super) fn times(text: &[u8]) -> Times {
    let lines = text.split(|byte| *byte == b'\n');
    let own = lines.filter_map(|line| self::line(System::FreeBsd, line));
    let all = own.filter_map(|line| match line.time {
        Some(Time::Epoch(nanos)) => Some(nanos),
        _ => None,
    });
    if all.is_sorted() {
        // Since the first line (-E) or since 1970 (-T).
        Times::Elapsed
    } else {
        Times::SinceLast
    }
}
