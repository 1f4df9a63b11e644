//! What stands before a call: its task, and when it was.

use crate::records::log::Time;
use crate::records::text::{fraction, number, seconds, spaces};

/// A line, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefixed<'a> {
    /// The thread, if the line names it.
    pub(super) tid: Option<i32>,
    /// The thread's name (`-Y`).
    pub(super) comm: Option<&'a [u8]>,
    /// The time.
    pub(super) time: Option<Time>,
    /// The rest.
    pub(super) rest: &'a [u8],
}

/// A time and the space behind it.
fn time(text: &[u8]) -> Option<(Time, &[u8])> {
    let relative = text.first() == Some(&b' ') || text.first() == Some(&b'+');
    let text = spaces(text.strip_prefix(b"+").unwrap_or(text));
    let (first, rest) = number(text)?;
    let (time, rest) = match rest.first()? {
        b':' => {
            let (minutes, rest) = number(rest.get(1..)?)?;
            let (nanos, rest) = seconds(rest.strip_prefix(b":")?)?;
            if first > 23 || minutes > 59 || nanos >= 61_000_000_000 {
                return None;
            }
            let minutes = first.checked_mul(60)?.checked_add(minutes)?;
            let nanos = minutes.checked_mul(60_000_000_000)?.checked_add(nanos)?;
            (Time::OfDay(nanos), rest)
        }
        b'.' => {
            let (nanos, rest) = fraction(first, rest)?;
            // A stamp of -r is padded to ten columns and small.
            let small = first < 100_000_000;
            if relative || small {
                (Time::Relative(nanos), rest)
            } else {
                (Time::Epoch(nanos), rest)
            }
        }
        _ => return None,
    };
    let rest = rest.strip_prefix(b" ")?;
    // `-r` beside `-t`: the time of day, then `(+     0.000123)`.
    let rest = match rest.strip_prefix(b"(+") {
        Some(inner) => inner
            .split(|byte| *byte == b')')
            .next()
            .map_or(rest, |stamp| {
                spaces(rest.get(stamp.len() + 3..).unwrap_or(&[]))
            }),
        None => rest,
    };
    Some((time, rest))
}

/// Take a line apart.
pub(super) fn split(line: &[u8]) -> Prefixed<'_> {
    let (tid, comm, rest) = task(line).unwrap_or((None, None, line));
    let (time, mut rest) = match time(rest) {
        Some((time, rest)) => (Some(time), rest),
        None => (None, rest),
    };
    let mut is_first = tid.is_none() && time.is_none();
    while let Some(inner) = column(rest, is_first) {
        (rest, is_first) = (inner, false);
    }
    Prefixed {
        tid,
        comm,
        time,
        rest,
    }
}

/// What stands behind a column in brackets: where the call was made (`-i`),
/// its number (`-n`), the caller's context (`--secontext`). A number alone at a line's
/// beginning may be another's; strace pads those of a call to four places, unless a web
/// page took all but one.
fn column(text: &[u8], is_first: bool) -> Option<&[u8]> {
    let inner = text.strip_prefix(b"[")?;
    let length = memchr::memchr(b']', inner.get(..inner.len().min(200))?)?;
    let (column, rest) = inner.split_at(length);
    let all = |is: fn(&u8) -> bool| column.iter().all(is);
    let is_address = length >= 8 && all(|byte| byte.is_ascii_hexdigit() || *byte == b'?');
    let is_padded = length >= 4 || column.starts_with(b" ");
    let is_number = column.last().is_some_and(u8::is_ascii_digit)
        && (is_padded || !is_first)
        && all(|byte| byte.is_ascii_digit() || *byte == b' ');
    let is_context = column.first().is_some_and(u8::is_ascii_alphabetic)
        && all(|byte| byte.is_ascii_alphanumeric() || b"_:.,-".contains(byte));
    let is_ours = is_address || is_number || is_context;
    rest.strip_prefix(b"] ").filter(|_| is_ours)
}

type Task<'a> = (Option<i32>, Option<&'a [u8]>, &'a [u8]);

/// `[pid 12<comm>] `, `12<comm> `, `12 `.
fn task(line: &[u8]) -> Option<Task<'_>> {
    if let Some(inner) = line.strip_prefix(b"[pid ") {
        let (tid, rest) = number(spaces(inner))?;
        let (comm, rest) = name(rest);
        let rest = rest.strip_prefix(b"] ")?;
        return Some((i32::try_from(tid).ok(), comm, rest));
    }
    let (tid, rest) = number(line)?;
    let (comm, rest) = name(rest);
    let rest = rest.strip_prefix(b" ")?;
    // A pid is padded to five columns. What is left of `-r`'s padding is its.
    let width = line.len() - rest.len();
    let padding = if comm.is_none() && width < 6 {
        let wanted = 6 - width;
        rest.iter()
            .take(wanted)
            .take_while(|byte| **byte == b' ')
            .count()
    } else {
        0
    };
    Some((i32::try_from(tid).ok(), comm, rest.get(padding..)?))
}

/// `<comm>`, if it is there; the name may hold anything but a `>` before a
/// space or bracket.
fn name(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let Some(inner) = text.strip_prefix(b"<") else {
        return (None, text);
    };
    // A name has 15 bytes, each of which may be escaped to four.
    let end = (0..inner.len().min(64))
        .find(|at| inner.get(*at) == Some(&b'>') && matches!(inner.get(at + 1), Some(b' ' | b']')));
    match end.and_then(|end| Some((inner.get(..end)?, inner.get(end + 1..)?))) {
        Some((name, rest)) => (Some(name), rest),
        None => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> (Option<i32>, Option<Time>, &str) {
        let split = split(line.as_bytes());
        (
            split.tid,
            split.time,
            std::str::from_utf8(split.rest).unwrap_or("?"),
        )
    }

    #[test]
    fn every_form_of_a_prefix_is_known() {
        assert_eq!(parts("wait4(-1"), (None, None, "wait4(-1"));
        assert_eq!(parts("12 wait4(-1"), (Some(12), None, "wait4(-1"));
        assert_eq!(parts("12    +++ x"), (Some(12), None, "+++ x"));
        assert_eq!(parts("[pid    12] a("), (Some(12), None, "a("));
        assert_eq!(parts("[pid 12<a b>] a("), (Some(12), None, "a("));
        assert_eq!(parts("12<a> a("), (Some(12), None, "a("));
        let midnight = Some(Time::OfDay(3_600_000_000_000 + 2_000_000_000));
        assert_eq!(parts("12    01:00:02 a("), (Some(12), midnight, "a("));
        assert_eq!(parts("01:00:02 a("), (None, midnight, "a("));
        let micros = Some(Time::OfDay(1_500_000_000));
        assert_eq!(
            parts("12345 00:00:01.500000 a("),
            (Some(12345), micros, "a(")
        );
        let epoch = Some(Time::Epoch(1_795_431_361_728_015_000));
        assert_eq!(parts("12 1795431361.728015 a("), (Some(12), epoch, "a("));
        assert_eq!(parts("1795431361.728015 a("), (None, epoch, "a("));
        let relative = Some(Time::Relative(4_657_000));
        assert_eq!(
            parts("30535      0.004657 a("),
            (Some(30535), relative, "a(")
        );
        assert_eq!(parts("12         0.004657 a("), (Some(12), relative, "a("));
        assert_eq!(parts("     0.004657 a("), (None, relative, "a("));
    }

    #[test]
    fn columns_in_brackets_are_no_part_of_a_call() {
        assert_eq!(parts("12 [00007f1f3c0e2b1a] a("), (Some(12), None, "a("));
        assert_eq!(parts("[pid 12] [  61] a("), (Some(12), None, "a("));
        assert_eq!(parts("[00007f1f] [  61] a("), (None, None, "a("));
        assert_eq!(parts("12 [ 61] a("), (Some(12), None, "a("));
        assert_eq!(parts("12 [61] a("), (Some(12), None, "a("));
        assert_eq!(parts("[ 61] a("), (None, None, "a("));
        assert_eq!(parts("[61] a("), (None, None, "[61] a("));
        let second = Some(Time::OfDay(1_000_000_000));
        assert_eq!(parts("12 00:00:01 [u:r:t:s0] a("), (Some(12), second, "a("));
    }

    #[test]
    fn what_is_no_prefix_is_left_alone() {
        assert_eq!(parts(""), (None, None, ""));
        assert_eq!(
            parts("99999999999999999999 x"),
            (None, None, "99999999999999999999 x")
        );
        assert_eq!(parts("[pid x] a("), (None, None, "[pid x] a("));
    }
}
