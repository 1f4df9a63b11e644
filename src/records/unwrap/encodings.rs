//! What was done to the characters of a record's lines.

use std::borrow::Cow;

use memchr::memmem;

/// Keys under which loggers keep the line.
const KEYS: [&str; 12] = [
    "log",
    "message",
    "MESSAGE",
    "msg",
    "line",
    "text",
    "textPayload",
    "event",
    "@message",
    "body",
    "content",
    "output",
];

/// `{"log":"wait4(…\n","stream":"stderr","time":"…"}` of docker, `"MESSAGE"` of
/// journald, and those of others.
pub(super) fn json(line: &[u8]) -> Option<Vec<u8>> {
    if !line.starts_with(b"{\"") {
        return None;
    }
    let line: serde_json::Value = serde_json::from_slice(line).ok()?;
    let text = |object: &serde_json::Value| {
        let text = KEYS.iter().find_map(|key| object.get(*key)?.as_str());
        text.map(str::to_owned)
    };
    // Cloud loggers put it one deeper.
    let inner = || {
        ["jsonPayload", "_source"]
            .iter()
            .find_map(|key| text(line.get(*key)?))
    };
    let text = text(&line).or_else(inner)?;
    let text = text.trim_end_matches(['\r', '\n']);
    Some(text.replace('\n', " ").into_bytes())
}

/// Tabs that stand for spaces: strace writes none.
pub(super) fn tabs(line: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'\t', line)?;
    let spaces = line
        .iter()
        .map(|byte| if *byte == b'\t' { b' ' } else { *byte });
    Some(spaces.collect())
}

/// Escape sequences of a terminal, also where `^[` stands for the escape.
pub(super) fn colours(line: &[u8]) -> Option<Vec<u8>> {
    let written = replaced(line, &[("^[[", "\u{1b}[")]);
    let line = written.as_deref().unwrap_or(line);
    memchr::memchr(0x1b, line)?;
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memchr(0x1b, rest) {
        plain.extend(rest.get(..at)?);
        rest = rest.get(at + 1..)?;
        rest = behind_sequence(rest)?;
    }
    plain.extend(rest);
    Some(plain)
}

/// What is behind an escape sequence, of which the escape was taken: `[…m`, or
/// `]…` and `_…` up to a bell or another escape.
fn behind_sequence(text: &[u8]) -> Option<&[u8]> {
    match text.first() {
        Some(b'[') => {
            let inner = text.get(1..)?;
            let end = inner.iter().position(|byte| (0x40..0x7f).contains(byte));
            inner.get(end? + 1..)
        }
        Some(b']' | b'_') => {
            let end = text.iter().position(|byte| matches!(byte, 0x07 | 0x1b))?;
            let rest = text.get(end + 1..)?;
            Some(rest.strip_prefix(b"\\").unwrap_or(rest))
        }
        _ => Some(text),
    }
}

/// Replace each of the first by its second; `None` if there are none.
fn replaced(line: &[u8], pairs: &[(&str, &str)]) -> Option<Vec<u8>> {
    let mut text = Cow::Borrowed(line);
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
        Cow::Owned(text) => Some(text),
        Cow::Borrowed(_) => None,
    }
}

/// NUL bytes, as UTF-16 has them that was read as something else.
pub(super) fn nuls(line: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(0, line)?;
    Some(line.iter().copied().filter(|byte| *byte != 0).collect())
}

/// Whether an entity with a number stands in a text.
pub(super) fn has_numeric_entity(text: &[u8]) -> bool {
    let mut begins = memmem::find_iter(text, b"&#");
    begins.any(|at| text.get(at..).and_then(entity).is_some())
}

/// Entities, and the tags around them: what strace writes in such a text has
/// neither `<` nor `>`.
pub(super) fn html(line: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memchr2(b'<', b'&', rest) {
        plain.extend(rest.get(..at)?);
        rest = rest.get(at..)?;
        let end = match rest.first()? {
            b'<' => tag(rest),
            _ => entity(rest).map(|(end, char)| {
                let mut bytes = [0; 4];
                plain.extend(char.encode_utf8(&mut bytes).as_bytes());
                end
            }),
        };
        let end = end.unwrap_or_else(|| {
            plain.extend(rest.first());
            1
        });
        rest = rest.get(end..)?;
    }
    plain.extend(rest);
    (plain != line).then_some(plain)
}

/// How long a tag may be: what is longer begins with a `<` that means nothing.
const MOST_IN_TAG: usize = 1024;

/// How long a tag is.
fn tag(text: &[u8]) -> Option<usize> {
    let name = text.get(1..)?;
    let name = name.strip_prefix(b"/").unwrap_or(name);
    name.first().filter(|first| first.is_ascii_alphabetic())?;
    let head = text.get(..text.len().min(MOST_IN_TAG))?;
    // strace's own.
    let marks = [
        &b"<unfinished ...>"[..],
        b"<detached ...>",
        b"<unavailable>",
    ];
    if marks.iter().any(|mark| head.starts_with(mark)) {
        return None;
    }
    Some(memchr::memchr(b'>', head)? + 1)
}

/// How long an entity is, and what it stands for.
fn entity(text: &[u8]) -> Option<(usize, char)> {
    const NAMES: [(&str, char); 8] = [
        ("lt", '<'),
        ("gt", '>'),
        ("amp", '&'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", ' '),
        ("lbrace", '{'),
        ("hellip", '\u{2026}'),
    ];
    let end = memchr::memchr(b';', text.get(..text.len().min(10))?)?;
    let name = std::str::from_utf8(text.get(1..end)?).ok()?;
    let char = match name.strip_prefix('#') {
        Some(number) => {
            let number = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(number).map(|char| if char == '\u{a0}' { ' ' } else { char })?
        }
        None => NAMES.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((end + 1, char))
}

pub(super) fn typography(line: &[u8]) -> Option<Vec<u8>> {
    const PAIRS: [(&str, &str); 18] = [
        ("\u{2026}", "..."),
        ("\u{201c}", "\""),
        ("\u{201d}", "\""),
        ("\u{201e}", "\""),
        ("\u{2018}", "'"),
        ("\u{2019}", "'"),
        ("\u{a0}", " "),
        ("\u{202f}", " "),
        ("\u{200b}", ""),
        // A dash for two, or for three.
        ("\u{2014}-", "---"),
        ("-\u{2014}", "---"),
        ("\u{2014}", "---"),
        ("\u{2013}-", "---"),
        ("-\u{2013}", "---"),
        ("\u{2013} SIG", "--- SIG"),
        ("} \u{2013}", "} ---"),
        ("\u{2013}", "-"),
        ("\u{2212}", "-"),
    ];
    replaced(line, &PAIRS)
}

/// `=3D`; an `=` at the end is a soft line end, and stays.
pub(super) fn quoted_printable(line: &[u8]) -> Option<Vec<u8>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_tag_is_not_looked_for_far_away() {
        let tag = |inner: usize| format!("<a {}>b", "x".repeat(inner));
        let near = html(tag(MOST_IN_TAG - 4).as_bytes());
        assert_eq!(near.as_deref(), Some(&b"b"[..]));
        assert_eq!(html(tag(MOST_IN_TAG).as_bytes()), None);
        // Quadratic, this would take minutes.
        assert_eq!(html("<a".repeat(1 << 19).as_bytes()), None);
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
        let docker = r#"{"log":"a() = 1\n","stream":"stderr"}"#;
        assert_eq!(plain(json, docker), is("a() = 1"));
        let journald = r#"{"PRIORITY":"6","MESSAGE":"a() = 1"}"#;
        assert_eq!(plain(json, journald), is("a() = 1"));
        assert_eq!(plain(colours, "^[[1mwait4^[[0m("), is("wait4("));
        assert_eq!(plain(colours, "\u{1b}]0;x\u{7}a"), is("a"));
        assert_eq!(plain(colours, "\u{1b}_bk;t=1\u{7}a"), is("a"));
        assert_eq!(
            plain(html, "<span class=\"x\">a&#x28;&#34;</span>"),
            is("a(\"")
        );
        assert_eq!(plain(html, "a & b < c &x;"), None);
        assert_eq!(plain(typography, "\u{2014} SIGCHLD"), is("--- SIGCHLD"));
        assert_eq!(plain(typography, "(\u{2013}1"), is("(-1"));
        assert_eq!(plain(tabs, "a\tb"), is("a b"));
        assert_eq!(plain(html, "a&#40;) &#x3D; 1"), is("a() = 1"));
        assert!(has_numeric_entity(b"a &# &#61; b"));
        assert!(!has_numeric_entity(b"a &#; &#x; &#1114112; b"));
        assert_eq!(plain(nuls, "a\0(\0"), is("a("));
        for undo in [
            nuls,
            tabs,
            colours,
            html,
            typography,
            quoted_printable,
            json,
        ] {
            assert_eq!(plain(undo, "wait4(-1, NULL, 0, NULL) = 1"), None);
        }
    }
}
