//! What may be done to the lines of a record, and how each is undone.

use memchr::memmem;

use crate::records::strace;

/// Something that was done to each line, or to many.
#[derive(Clone, Copy)]
pub(super) struct Stage {
    /// What is undone, in a phrase.
    pub(super) name: &'static str,
    pub(super) step: Step,
}

/// Both lines in one; `None` if they are two.
pub(super) type Join = fn(&[u8], &[u8]) -> Option<Vec<u8>>;

/// How it is undone.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// A line alone; `None` if nothing was done to it.
    Line(fn(&[u8]) -> Option<Vec<u8>>),
    /// A line and what may be its continuation; `None` if it is not.
    Join(Join),
}

const fn line(name: &'static str, undo: fn(&[u8]) -> Option<Vec<u8>>) -> Stage {
    Stage {
        name,
        step: Step::Line(undo),
    }
}

const fn join(name: &'static str, undo: fn(&[u8], &[u8]) -> Option<Vec<u8>>) -> Stage {
    Stage {
        name,
        step: Step::Join(undo),
    }
}

/// Whether a text shows that something was done to it.
type Shows = fn(&[u8]) -> bool;

/// What is done to a text's characters, and what shows that.
pub(super) const ENCODINGS: [(Stage, Shows); 4] = [
    (line("colours", colours), |text| has(text, "\u{1b}[")),
    (line("HTML", html), |text| {
        let is_plain = has(text, "<unfinished ...>") || has(text, "<... ");
        !is_plain && (has(text, "&lt;") || has(text, "&quot;"))
    }),
    (line("typographic characters", typography), |text| {
        let marks = [
            "<\u{2026}",
            "\u{2026}>",
            "&lt;\u{2026}",
            "\u{2026}&gt;",
            "\u{201c}",
        ];
        marks.iter().any(|mark| has(text, mark))
    }),
    (line("quoted-printable", quoted_printable), |text| {
        has(text, ") =3D ") || has(text, "s) =3D=3D ")
    }),
];

fn has(text: &[u8], mark: &str) -> bool {
    memmem::find(text, mark.as_bytes()).is_some()
}

/// What is done to lines, in the order in which it is likely.
pub(super) const STAGES: [Stage; 12] = [
    line("indentation", |line| cut(line, indentation(line))),
    line("quote marks before the lines", |line| {
        cut(line, quote(line))
    }),
    line("brackets before the lines", |line| cut(line, bracket(line))),
    line("times before the lines", |line| cut(line, stamp(line))),
    line("syslog's or journald's prefixes", |line| {
        cut(line, syslog(line))
    }),
    line("the prefixes of a container's log", |line| {
        cut(line, container(line))
    }),
    line("names before a bar", |line| cut(line, bar(line))),
    line("line numbers", |line| cut(line, number(line))),
    line("docker's JSON", docker_json),
    join("soft line ends of quoted-printable", soft_end),
    join("lines that were broken at spaces", broken_at_space),
    join("lines that were broken at a width", broken_at_width),
];

/// What is left behind so many bytes.
fn cut(line: &[u8], length: usize) -> Option<Vec<u8>> {
    let rest = line.get(length..).filter(|_| length > 0)?;
    Some(rest.to_vec())
}

fn spaces(line: &[u8]) -> usize {
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t');
    line.iter().take_while(is_space).count()
}

fn indentation(line: &[u8]) -> usize {
    spaces(line)
}

/// `> `, `> > `, `| `
fn quote(line: &[u8]) -> usize {
    let mut length = 0;
    loop {
        let rest = line.get(length..).unwrap_or(&[]);
        let before = spaces(rest);
        if !matches!(rest.get(before), Some(b'>' | b'|')) {
            return length;
        }
        length += before + 1;
        length += usize::from(line.get(length) == Some(&b' '));
    }
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// `     1\t` (`cat -n`, `nl`), `12:` (`grep -n`), `12. `, `12 | `
fn number(line: &[u8]) -> usize {
    let begin = spaces(line);
    let rest = line.get(begin..).unwrap_or(&[]);
    let count = digits(rest);
    let Some(rest) = rest.get(count..).filter(|_| (1..9).contains(&count)) else {
        return 0;
    };
    let mark = match rest {
        [b' ', b'|', b' ', ..] => 3,
        [b':' | b'.', b' ', ..] => 2,
        [b'\t' | b':' | b' ', ..] => 1,
        _ => return 0,
    };
    begin + count + mark
}

/// `[12] `, `[   12.345678] `, `[pod/name/container] `
fn bracket(line: &[u8]) -> usize {
    let is_ours = line.starts_with(b"[") && !line.starts_with(b"[pid ");
    let end = memmem::find(line.get(..line.len().min(200)).unwrap_or(&[]), b"] ");
    end.filter(|_| is_ours).map_or(0, |end| end + 2)
}

/// `2026-11-27T03:48:01.123Z `, `2026-11-27 03:48:01,123 `, `Nov 27 03:48:01 `,
/// `03:48:01 `
fn stamp(line: &[u8]) -> usize {
    let date = match line {
        [_, _, _, _, b'-', _, _, b'-', _, _, b'T' | b' ', ..] if digits(line) == 4 => 11,
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
        _ => 0,
    };
    let time = line.get(date..).unwrap_or(&[]);
    let [_, _, b':', _, _, b':', _, _, ..] = time else {
        return 0;
    };
    let is_inner = |byte: &&u8| byte.is_ascii_digit() || b":.,+-Z".contains(byte);
    let length = time.iter().take_while(is_inner).count();
    match time.get(length) {
        Some(b' ' | b'\t') if digits(time) == 2 => date + length + 1,
        _ => 0,
    }
}

/// `Nov 27 03:48:01 host strace[123]: `, with any stamp
fn syslog(line: &[u8]) -> usize {
    let stamp = stamp(line);
    let rest = line.get(stamp..).unwrap_or(&[]);
    let head = rest.get(..rest.len().min(120)).unwrap_or(&[]);
    let Some(end) = memmem::find(head, b": ").filter(|_| stamp > 0) else {
        return 0;
    };
    let words = head.get(..end).unwrap_or(&[]);
    let is_name = words
        .iter()
        .all(|byte| !matches!(byte, b'(' | b'"' | b',' | b'='));
    if is_name { stamp + end + 2 } else { 0 }
}

/// `2026-11-27T03:48:01.123456789Z stderr F `
fn container(line: &[u8]) -> usize {
    let stamp = stamp(line);
    let rest = line.get(stamp..).unwrap_or(&[]);
    let is_ours = stamp > 0 && (rest.starts_with(b"stdout ") || rest.starts_with(b"stderr "));
    match rest.get(7..9) {
        Some([b'F' | b'P', b' ']) if is_ours => stamp + 9,
        _ => 0,
    }
}

/// `name-1  | `
fn bar(line: &[u8]) -> usize {
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

/// `{"log":"wait4(…\n","stream":"stderr","time":"…"}`
fn docker_json(line: &[u8]) -> Option<Vec<u8>> {
    if !line.starts_with(b"{\"log\":") {
        return None;
    }
    let line: serde_json::Value = serde_json::from_slice(line).ok()?;
    let text = line.get("log")?.as_str()?;
    Some(
        text.trim_end_matches(['\r', '\n'])
            .replace('\n', " ")
            .into_bytes(),
    )
}

/// Escape sequences of a terminal.
fn colours(line: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(0x1b, line)?;
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memchr(0x1b, rest) {
        plain.extend(rest.get(..at)?);
        rest = rest.get(at + 1..)?;
        let Some(inner) = rest.strip_prefix(b"[") else {
            continue;
        };
        let end = inner.iter().position(|byte| (0x40..0x7f).contains(byte));
        rest = inner.get(end? + 1..)?;
    }
    plain.extend(rest);
    Some(plain)
}

/// Replace each of the first by its second; `None` if there are none.
fn replaced(line: &[u8], pairs: &[(&str, &str)]) -> Option<Vec<u8>> {
    let mut text = std::borrow::Cow::Borrowed(line);
    for (from, to) in pairs {
        if memmem::find(&text, from.as_bytes()).is_some() {
            let mut whole = Vec::with_capacity(text.len());
            let mut begun = 0;
            for at in memmem::find_iter(&text, from.as_bytes()) {
                whole.extend(text.get(begun..at)?);
                whole.extend(to.as_bytes());
                begun = at + from.len();
            }
            whole.extend(text.get(begun..)?);
            text = whole.into();
        }
    }
    match text {
        std::borrow::Cow::Owned(text) => Some(text),
        std::borrow::Cow::Borrowed(_) => None,
    }
}

fn html(line: &[u8]) -> Option<Vec<u8>> {
    const PAIRS: [(&str, &str); 15] = [
        ("<pre>", ""),
        ("</pre>", ""),
        ("<code>", ""),
        ("</code>", ""),
        ("<p>", ""),
        ("</p>", ""),
        ("<br>", ""),
        ("<br/>", ""),
        ("<br />", ""),
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    replaced(line, &PAIRS)
}

fn typography(line: &[u8]) -> Option<Vec<u8>> {
    const PAIRS: [(&str, &str); 7] = [
        ("\u{2026}", "..."),
        ("\u{201c}", "\""),
        ("\u{201d}", "\""),
        ("\u{2018}", "'"),
        ("\u{2019}", "'"),
        ("\u{a0}", " "),
        ("\u{2013}", "-"),
    ];
    replaced(line, &PAIRS)
}

/// `=3D`; an `=` at the end is a soft line end, and stays.
fn quoted_printable(line: &[u8]) -> Option<Vec<u8>> {
    memmem::find(line, b"=3D").or_else(|| memmem::find(line, b"=20"))?;
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memchr(b'=', rest) {
        plain.extend(rest.get(..at)?);
        rest = rest.get(at..)?;
        let hex = rest.get(1..3).and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            plain.push(byte);
            rest = rest.get(3..)?;
        } else {
            plain.push(b'=');
            rest = rest.get(1..)?;
        }
    }
    plain.extend(rest);
    Some(plain)
}

fn soft_end(line: &[u8], next: &[u8]) -> Option<Vec<u8>> {
    Some([line.strip_suffix(b"=")?, next].concat())
}

/// Whether the next line is no line of its own, and this one lacks an end.
fn goes_on(line: &[u8], next: &[u8]) -> bool {
    let has = |mark: &str| has(line, mark);
    if strace::is_prefix(line) {
        return begins(next) && !strace::has_prefix(next);
    }
    let lacks_end = if has("--- SIG") || line.ends_with(b"---") {
        !line.ends_with(b"---")
    } else if has("+++ ") {
        !line.ends_with(b"+++")
    } else if let Some(at) = memmem::rfind(line, b" = ").filter(|_| has(") = ") || has(")  ")) {
        lacks_result(line.get(at + 3..).unwrap_or(&[]), next)
    } else {
        let is_begun = memchr::memchr(b'(', line).is_some() || has("<... ");
        is_begun && !line.ends_with(b" ...>") && !strace::ends_in_notice(line)
    };
    lacks_end && !next.is_empty() && !begins(next)
}

/// Whether the rest of a result may be on the next line: of an error with its
/// explanation, of a number, or how long the call took.
fn lacks_result(result: &[u8], next: &[u8]) -> bool {
    if result.starts_with(b"-1 E") || result.starts_with(b"? E") {
        return !result.ends_with(b")") && !result.ends_with(b">");
    }
    let is_number = result.last().is_some_and(u8::is_ascii_digit);
    next.starts_with(b"E")
        || next.starts_with(b"<0.")
        || is_number && next.iter().all(u8::is_ascii_digit)
}

/// Whether a line begins as those of records do: behind a pid and a time, if
/// any, with a mark or the name of a call.
fn begins(line: &[u8]) -> bool {
    strace::is_prefix(line) || strace::begins(line)
}

fn broken_at_space(line: &[u8], next: &[u8]) -> Option<Vec<u8>> {
    goes_on(line, next).then(|| [line.trim_ascii_end(), b" ", next.trim_ascii_start()].concat())
}

fn broken_at_width(line: &[u8], next: &[u8]) -> Option<Vec<u8>> {
    goes_on(line, next).then(|| [line, next].concat())
}

/// Whether lines were broken at a width, and not at spaces: all of them are of
/// one length.
pub(super) fn is_broken_at_width(text: &[u8]) -> bool {
    let bare = |line| cut(line, quote(line)).unwrap_or_else(|| line.to_vec());
    let lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(bare).collect();
    let pairs = lines.iter().zip(lines.iter().skip(1));
    let broken = pairs.filter(|(line, next)| goes_on(line, next));
    let mut lengths: Vec<usize> = broken.map(|(line, _)| line.len()).collect();
    let count = lengths.len();
    lengths.dedup();
    lengths.len() == 1 && (count > 1 || lengths.contains(&80))
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
            rest(container, "2026-11-27T03:48:01.1Z stderr F 6 a("),
            "6 a("
        );
        assert_eq!(rest(bar, "web-1  | 6 a("), "6 a(");
        assert_eq!(rest(bar, "6 a(A | B"), "6 a(A | B");
    }

    #[test]
    fn what_is_written_otherwise_is_plain_again() {
        let plain = |undo: fn(&[u8]) -> Option<Vec<u8>>, line: &str| {
            undo(line.as_bytes()).map(|line| String::from_utf8_lossy(&line).into_owned())
        };
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(plain(colours, "\u{1b}[1;31mwait4\u{1b}[0m("), is("wait4("));
        assert_eq!(
            plain(html, "&lt;... wait4 resumed&gt;"),
            is("<... wait4 resumed>")
        );
        assert_eq!(
            plain(typography, "<\u{2026} \u{201c}a\u{201d}"),
            is("<... \"a\"")
        );
        assert_eq!(plain(quoted_printable, "a =3D 1=20"), is("a = 1 "));
        let json = r#"{"log":"a() = 1\n","stream":"stderr"}"#;
        assert_eq!(plain(docker_json, json), is("a() = 1"));
        for undo in [colours, html, typography, quoted_printable, docker_json] {
            assert_eq!(plain(undo, "wait4(-1, NULL, 0, NULL) = 1"), None);
        }
    }

    #[test]
    fn only_the_rest_of_a_call_is_joined() {
        let first = b"600 wait4(-1, [{WIFEXITED(s) &&";
        let rest = b"WEXITSTATUS(s) == 0}], 0, NULL) = 7";
        let whole = broken_at_space(first, rest).unwrap_or_default();
        assert!(strace::is_strace_s(&whole));
        assert_eq!(broken_at_space(first, b"601 exit(0"), None);
        assert_eq!(broken_at_space(b"some prose", rest), None);
        assert_eq!(soft_end(b"a=", b"b"), Some(b"ab".to_vec()));
    }
}
