//! What stands before the lines of a record: how long it is.

use memchr::memmem;
use rustc_hash::FxHashMap;

/// What is left behind so many bytes.
pub(super) fn cut(line: &[u8], length: usize) -> Option<Vec<u8>> {
    let rest = line.get(length..).filter(|_| length > 0)?;
    Some(rest.to_vec())
}

pub(super) fn spaces(line: &[u8]) -> usize {
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t');
    line.iter().take_while(is_space).count()
}

/// `> `, `> > `, `| `, and `JD> ` of those who quote with initials
pub(super) fn quote(line: &[u8]) -> usize {
    let mut length = 0;
    loop {
        let rest = line.get(length..).unwrap_or(&[]);
        let before = spaces(rest);
        let is_letter = |byte: &&u8| byte.is_ascii_uppercase();
        let inner = rest.get(before..).unwrap_or(&[]);
        let initials = inner.iter().take_while(is_letter).count();
        let initials = if initials > 4 { 0 } else { initials };
        match inner.get(initials) {
            Some(b'>') => {}
            Some(b'|') if initials == 0 => {}
            _ => return length,
        }
        length += before + initials + 1;
        length += usize::from(line.get(length) == Some(&b' '));
    }
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// `     1\t` (`cat -n`, `nl`), `12:` (`grep -n`), `12. `, `12 | `
pub(super) fn number(line: &[u8]) -> usize {
    let begin = spaces(line);
    let rest = line.get(begin..).unwrap_or(&[]);
    let count = digits(rest);
    let Some(rest) = rest.get(count..).filter(|_| (1..9).contains(&count)) else {
        return 0;
    };
    let inner = spaces(rest);
    let mark = match rest.get(inner..).unwrap_or(&[]) {
        [b'|', b' ', ..] => inner + 2,
        // `bat`
        [0xe2, 0x94, 0x82, b' ', ..] => inner + 4,
        _ => match rest {
            [b':' | b'.' | b')', b' ', ..] => 2,
            [b' ', ..] => inner,
            [b'\t' | b':', ..] => 1,
            // grep's context; a date has another dash.
            [b'-', rest @ ..] if !(digits(rest) == 2 && rest.get(2) == Some(&b'-')) => 1,
            _ => return 0,
        },
    };
    begin + count + mark
}

/// The number of a line that begins with one.
pub(super) fn line_number(line: &[u8]) -> Option<u64> {
    let length = number(line);
    let digits = line
        .get(..length)
        .filter(|_| length > 0)?
        .trim_ascii_start();
    let digits = digits.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// `[12] `, `[   12.345678] `, `[pod/name/container] `
pub(super) fn bracket(line: &[u8]) -> usize {
    let is_ours = line.starts_with(b"[") && !line.starts_with(b"[pid ");
    let end = memmem::find(line.get(..line.len().min(200)).unwrap_or(&[]), b"] ");
    end.filter(|_| is_ours).map_or(0, |end| end + 2)
}

/// `[2506] ` as strace's `[pid  2506] `
pub(super) fn pid_in_bracket(line: &[u8]) -> Option<Vec<u8>> {
    let inner = line.strip_prefix(b"[")?;
    let (pid, rest) = inner.split_at_checked(digits(inner))?;
    let rest = rest.strip_prefix(b"] ").filter(|_| !pid.is_empty())?;
    Some([b"[pid ", pid, b"] ", rest].concat())
}

/// The number in a bracket at a line's beginning.
pub(super) fn number_in_bracket(line: &[u8]) -> Option<u64> {
    let inner = line.strip_prefix(b"[")?;
    let (number, rest) = inner.split_at_checked(digits(inner))?;
    rest.strip_prefix(b"] ")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// `# `, `// `, `* `, `: `, `- `
pub(super) fn mark(line: &[u8]) -> usize {
    let begin = spaces(line);
    let rest = line.get(begin..).unwrap_or(&[]);
    let is_mark = |byte: &&u8| b"#/*;:%!".contains(byte);
    let count = rest.iter().take_while(is_mark).count();
    let count = count.max(usize::from(rest.starts_with(b"- ")));
    match rest.get(count) {
        Some(b' ' | b'\t') if (1..4).contains(&count) => begin + count + 1,
        _ => 0,
    }
}

/// The first column of a diff.
pub(super) fn diff(line: &[u8]) -> usize {
    usize::from(matches!(line.first(), Some(b'+' | b'-' | b' ')))
}

/// How long the name of a file is at the beginning.
fn path(line: &[u8]) -> usize {
    let is_inner = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_./".contains(byte);
    let head = line.iter().take(200);
    head.take_while(is_inner).count()
}

/// `log:12:`, `log-12-`, `log:` of grep
pub(super) fn grep(line: &[u8]) -> usize {
    let mut length = path(line);
    if line.get(length) != Some(&b':') {
        // A number between dashes ends the name.
        let name = line.get(..length).unwrap_or(&[]);
        let Some(dash) = name.iter().position(|byte| *byte == b'-') else {
            return 0;
        };
        let count = digits(line.get(dash + 1..).unwrap_or(&[]));
        length = dash + 1 + count;
        let is_ours = dash > 0 && count > 0 && line.get(length) == Some(&b'-');
        return if is_ours { length + 1 } else { 0 };
    }
    if length == 0 {
        return 0;
    }
    if let Some([b'-', hours @ ..]) = line.get(length.saturating_sub(3)..length)
        && digits(hours) == 2
        && let Some([b':', _, _, b':', _, _, b'.' | b' ', ..]) = line.get(length..)
    {
        // A dash, and a time behind it.
        return length - 2;
    }
    length += 1;
    let rest = line.get(length..).unwrap_or(&[]);
    if let [_, _, b':', _, _, b':', _, _, b'.' | b' ', ..] = rest {
        // A time, and no line's number.
        return length;
    }
    let count = digits(rest);
    match line.get(length + count) {
        Some(b':') if count > 0 => length + count + 1,
        _ => length,
    }
}

/// `log.601:wait4(…`, a line of a file of `strace -ff`, as `601 wait4(…`
pub(super) fn file_name(line: &[u8]) -> Option<Vec<u8>> {
    let name = line.get(..path(line))?;
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    let pid = name.get(dot + 1..)?;
    let is_pid = !pid.is_empty() && digits(pid) == pid.len();
    let rest = line
        .get(grep(line)..)
        .filter(|rest| rest.len() < line.len())?;
    is_pid.then(|| [pid, b" ", rest].concat())
}

/// `job\tstep\t2026-11-27T03:48:01.123Z `, `2026-11-27T03:48:01.123456Z 01O `
pub(super) fn runner(line: &[u8]) -> usize {
    let mut length = 0;
    for _ in 0..2 {
        let rest = line.get(length..).unwrap_or(&[]);
        let column = memchr::memchr(b'\t', rest.get(..rest.len().min(120)).unwrap_or(&[]));
        // A number is a pid.
        let is_name = |at: &usize| {
            rest.get(..*at)
                .is_some_and(|it| it.iter().any(u8::is_ascii_alphabetic))
        };
        match column.filter(is_name) {
            Some(at) => length += at + 1,
            None => break,
        }
    }
    let stamp = stamp(line.get(length..).unwrap_or(&[]));
    if stamp == 0 {
        return 0;
    }
    length += stamp;
    match line.get(length..).unwrap_or(&[]) {
        // Azure's kind of line.
        rest if rest.starts_with(b"##[") => {
            let end = rest.iter().take(20).position(|byte| *byte == b']');
            length + end.map_or(0, |end| end + 1)
        }
        // GitLab's stream, and whether the line goes on.
        [b'0'..=b'9', b'0'..=b'9', b'O' | b'E', b' ' | b'+', ..] => length + 4,
        _ => length,
    }
}

const WEEKDAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

/// How long a date is at the beginning: `2026-11-27T`, `2026/11/27 `, `Nov 27 `,
/// `27/Nov/2026:`
fn date(line: &[u8]) -> usize {
    match line {
        [
            _,
            _,
            _,
            _,
            b'-' | b'/',
            _,
            _,
            b'-' | b'/',
            _,
            _,
            b'T' | b' ',
            ..,
        ] if digits(line) == 4 => 11,
        [
            b'A'..=b'Z',
            b'a'..=b'z',
            b'a'..=b'z',
            b' ',
            b' ' | b'0'..=b'9',
            b'0'..=b'9',
            b' ',
            ..,
        ] => 7,
        [_, _, b'/', b'A'..=b'Z', _, _, b'/', _, _, _, _, b':', ..] if digits(line) == 2 => 12,
        _ => 0,
    }
}

/// `2026-11-27T03:48:01.123Z `, `Fri 2026-11-27 03:48:01,123 UTC `,
/// `Nov 27 03:48:01 `, `03:48:01 `, seconds since 1970, and `@4000…` of daemontools
pub(super) fn stamp(line: &[u8]) -> usize {
    let weekday = WEEKDAYS.iter().any(|day| line.starts_with(day));
    let begin = match line.get(3..) {
        Some([b' ', ..]) if weekday => 4,
        Some([b',', b' ', ..]) if weekday => 5,
        _ => 0,
    };
    let text = line.get(begin..).unwrap_or(&[]);
    let date = begin + date(text);
    let time = line.get(date..).unwrap_or(&[]);
    if let [_, _, b':', _, _, b':', _, _, ..] = time
        && digits(time) == 2
    {
        let is_inner = |byte: &&u8| byte.is_ascii_digit() || b":.,+-Z".contains(byte);
        let length = time.iter().take_while(is_inner).count();
        let length = length + zone(time.get(length..).unwrap_or(&[]));
        return match time.get(length) {
            Some(b' ' | b'\t') => date + length + 1,
            _ => 0,
        };
    }
    let label = match line.strip_prefix(b"@") {
        Some(label) => {
            let is_hex = |byte: &&u8| byte.is_ascii_hexdigit();
            let count = label.iter().take_while(is_hex).count();
            if count == 24 { 25 } else { 0 }
        }
        None if digits(line) == 10 => {
            let is_inner = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
            line.iter().take_while(is_inner).count()
        }
        None => 0,
    };
    match line.get(label) {
        Some(b' ' | b'\t') if label > 0 => label + 1,
        _ => 0,
    }
}

/// ` UTC`, ` CEST`, ` +0100`
fn zone(text: &[u8]) -> usize {
    let Some(inner) = text.strip_prefix(b" ") else {
        return 0;
    };
    let is_letter = |byte: &&u8| byte.is_ascii_uppercase();
    let name = inner.iter().take_while(is_letter).count();
    let signed = matches!(inner.first(), Some(b'+' | b'-'));
    let offset = digits(inner.get(1..).unwrap_or(&[]));
    match inner {
        _ if signed && offset == 4 => 6,
        _ if (2..6).contains(&name) && inner.get(name) == Some(&b' ') => 1 + name,
        _ => 0,
    }
}

/// `Nov 27 03:48:01 host strace[123]: `, with any stamp or the seconds since boot
pub(super) fn syslog(line: &[u8]) -> usize {
    let begin = stamp(line).max(bracket(line));
    let rest = line.get(begin..).unwrap_or(&[]);
    let head = rest.get(..rest.len().min(120)).unwrap_or(&[]);
    let Some(end) = memmem::find(head, b": ").filter(|_| begin > 0) else {
        return 0;
    };
    let words = head.get(..end).unwrap_or(&[]);
    let is_name = words
        .iter()
        .all(|byte| !matches!(byte, b'(' | b'"' | b',' | b'='));
    // A number is truss's pid.
    let tag = words.rsplit(|byte| *byte == b' ').next().unwrap_or(&[]);
    if is_name && !tag.iter().all(u8::is_ascii_digit) {
        let behind = begin + end + 2;
        behind + escapes(line.get(behind..).unwrap_or(&[]))
    } else {
        0
    }
}

/// `2026-11-27T03:48:01.123456789Z stderr F `
pub(super) fn container(line: &[u8]) -> usize {
    let stamp = stamp(line);
    let rest = line.get(stamp..).unwrap_or(&[]);
    let is_ours = stamp > 0 && (rest.starts_with(b"stdout ") || rest.starts_with(b"stderr "));
    match rest.get(7..9) {
        Some([b'F' | b'P', b' ']) if is_ours => stamp + 9,
        _ => 0,
    }
}

/// `name-1  | `
pub(super) fn bar(line: &[u8]) -> usize {
    let head = line.get(..line.len().min(80)).unwrap_or(&[]);
    let Some(end) = memmem::find(head, b" | ") else {
        return 0;
    };
    let name = head.get(..end).unwrap_or(&[]).trim_ascii_end();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./".contains(byte);
    if !name.is_empty() && name.iter().all(is_name) {
        end + 3
    } else {
        0
    }
}

/// What is left behind so many words and a space.
pub(super) fn behind_words(line: &[u8], count: usize) -> Option<Vec<u8>> {
    let mut at = 0;
    for _ in 0..count {
        at += spaces(line.get(at..)?);
        let word = line.get(at..)?.iter();
        at += word
            .take_while(|byte| !matches!(byte, b' ' | b'\t'))
            .count();
    }
    let rest = line.get(at..).filter(|rest| !rest.is_empty())?;
    rest.get(spaces(rest)..).map(<[u8]>::to_vec)
}

/// How long the name of a file is that stands before most lines, and the mark behind it:
/// grep writes a dash there for a line of the context.
pub(super) fn name_column(sample: &[u8]) -> Option<usize> {
    let mut counts: FxHashMap<&[u8], usize> = FxHashMap::default();
    let lines = sample.split(|byte| *byte == b'\n');
    for line in lines {
        let length = path(line);
        if length > 0 && line.get(length) == Some(&b':') {
            *counts.entry(line.get(..length)?).or_default() += 1;
        }
    }
    let (name, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (count > 1).then_some(name.len() + 1)
}

/// What stands behind so long a name, and its mark.
pub(super) fn behind_name(line: &[u8], length: usize) -> Option<Vec<u8>> {
    let mark = line.get(length.checked_sub(1)?)?;
    matches!(mark, b':' | b'-')
        .then(|| cut(line, length))
        .flatten()
}

/// What syslog escapes at a line's beginning, as a tab.
pub(super) fn escapes(line: &[u8]) -> usize {
    let mut length = 0;
    while line
        .get(length..)
        .is_some_and(|rest| rest.starts_with(b"#011"))
    {
        length += 4;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_line_is_measured() {
        let rest = |length: fn(&[u8]) -> usize, line: &'static str| {
            line.get(length(line.as_bytes())..).unwrap_or("?")
        };
        assert_eq!(rest(quote, "> > 1 a("), "1 a(");
        assert_eq!(rest(quote, "| 1 a("), "1 a(");
        assert_eq!(rest(quote, "1 a("), "1 a(");
        assert_eq!(rest(number, "     1\t600 a("), "600 a(");
        assert_eq!(rest(number, "12:600 a("), "600 a(");
        assert_eq!(rest(number, "12: 600 a("), "600 a(");
        assert_eq!(rest(bracket, "[   12.3] 600 a("), "600 a(");
        assert_eq!(rest(bracket, "[pid 12] a("), "[pid 12] a(");
        assert_eq!(rest(stamp, "2026-11-27T03:48:01.1234567Z a("), "a(");
        assert_eq!(rest(stamp, "2026-11-27 03:48:01,123 a("), "a(");
        assert_eq!(rest(stamp, "Nov 27 03:48:01 a("), "a(");
        assert_eq!(rest(stamp, "Nov  7 03:48:01 a("), "a(");
        assert_eq!(rest(stamp, "03:48:01 600 a("), "600 a(");
        assert_eq!(
            rest(syslog, "Nov 27 03:48:01 host strace[12]: 6 a("),
            "6 a("
        );
        assert_eq!(
            rest(syslog, "03:48:01 - INFO -  901: a("),
            "03:48:01 - INFO -  901: a("
        );
        assert_eq!(
            rest(container, "2026-11-27T03:48:01.1Z stderr F 6 a("),
            "6 a("
        );
        assert_eq!(rest(quote, "JD> 1 a("), "1 a(");
        assert_eq!(rest(quote, "ABCDE> 1 a("), "ABCDE> 1 a(");
        assert_eq!(rest(number, "  12 \u{2502} 600 a("), "600 a(");
        assert_eq!(rest(stamp, "Fri 2026-11-27 03:48:01 UTC a("), "a(");
        assert_eq!(rest(stamp, "2026/11/27 03:48:01 +0100 a("), "a(");
        assert_eq!(rest(stamp, "1700000000.123456 600 a("), "600 a(");
        assert_eq!(rest(stamp, "@400000006554f8e90a1b2c3d 600 a("), "600 a(");
        assert_eq!(rest(syslog, "[   12.345678] host strace[12]: 6 a("), "6 a(");
        assert_eq!(rest(mark, "// 6 a("), "6 a(");
        assert_eq!(rest(mark, "--- SIGCHLD"), "--- SIGCHLD");
        assert_eq!(rest(diff, "+6 a("), "6 a(");
        assert_eq!(rest(grep, "a/log:12:6 a("), "6 a(");
        assert_eq!(rest(grep, "log-12-6 a("), "6 a(");
        assert_eq!(rest(grep, "log:6 a("), "6 a(");
        assert_eq!(rest(grep, "log:10:01:02:03.4 a("), "01:02:03.4 a(");
        assert_eq!(rest(grep, "log-10:01:02.3 a("), "10:01:02.3 a(");
        assert_eq!(rest(grep, "log-7-10:01:02.3 a("), "10:01:02.3 a(");
        assert_eq!(rest(number, "12-600 a("), "600 a(");
        assert_eq!(rest(number, "12---- SIGCHLD {"), "--- SIGCHLD {");
        assert_eq!(rest(number, "2026-11-27 a("), "2026-11-27 a(");
        let azure = "2026-11-27T03:48:01.1234567Z ##[debug]6 a(";
        assert_eq!(rest(runner, azure), "6 a(");
        let tabbed = "Nov 27 03:48:01 host strace[12]: #0116 a(";
        assert_eq!(rest(syslog, tabbed), "6 a(");
        assert_eq!(rest(grep, "a(b:"), "a(b:");
        let github = "build\tRun make\t2026-11-27T03:48:01.1234567Z 6 a(";
        assert_eq!(rest(runner, github), "6 a(");
        let gitlab = "2026-11-27T03:48:01.123456Z 01O 6 a(";
        assert_eq!(rest(runner, gitlab), "6 a(");
        assert_eq!(rest(bar, "web-1  | 6 a("), "6 a(");
        assert_eq!(rest(bar, "6 a(A | B"), "6 a(A | B");
    }

    #[test]
    fn pids_are_found_in_brackets_and_names_of_files() {
        let is = |line: &str| Some(line.as_bytes().to_vec());
        assert_eq!(pid_in_bracket(b"[12] a("), is("[pid 12] a("));
        assert_eq!(pid_in_bracket(b"[pid 12] a("), None);
        assert_eq!(number_in_bracket(b"[12] a("), Some(12));
        assert_eq!(file_name(b"out/log.12:a("), is("12 a("));
        assert_eq!(file_name(b"log.12:3:a("), is("12 a("));
        assert_eq!(file_name(b"log.12:01:02:03 a("), is("12 01:02:03 a("));
        assert_eq!(file_name(b"log:a("), None);
        assert_eq!(file_name(b"a(0.5"), None);
        assert_eq!(behind_words(b"a  b c d", 2), is("c d"));
        assert_eq!(behind_words(b"a", 1), None);
    }
}
