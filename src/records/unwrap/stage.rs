//! What may be done to the lines of a record, in the order in which it is likely.

use memchr::memmem;

use super::around::{behind_line, in_fence, quoted, status_behind};
use super::before::{
    bar, bracket, container, cut, diff, escapes, file_name, grep, mark, number, pid_in_bracket,
    quote, runner, spaces, stamp, syslog,
};
use super::broken::{broken_at_space, broken_at_width, soft_end};
use super::choice::has_mark;
use super::encodings::{
    colours, has_numeric_entity, html, json, nuls, quoted_printable, tabs, typography,
};
use super::paragraph::next_line;

/// Something that was done to each line, or to many.
#[derive(Clone, Copy)]
pub(super) struct Stage {
    /// What is undone, in a phrase.
    pub(super) name: &'static str,
    pub(super) step: Step,
}

/// Both lines in one; `None` if they are two.
pub(super) type Join = fn(&[u8], &[u8]) -> Option<Vec<u8>>;

/// Where the second line begins in a text that is several; `None` if it is one.
pub(super) type Split = fn(&[u8]) -> Option<usize>;

/// How it is undone.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// A line alone; `None` if nothing was done to it.
    Line(fn(&[u8]) -> Option<Vec<u8>>),
    /// So many words before each line.
    Words(usize),
    /// A name of so many bytes, with its mark, before each line.
    Name(usize),
    /// A line that may be several.
    Split(Split),
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

/// What is done to a text's characters.
pub(super) struct Encoding {
    pub(super) stage: Stage,
    /// What a text of which it may be undone has.
    pub(super) shows: Shows,
    /// Whether lines that are a record's as they are show it too: strace writes none of
    /// this outside of strings, and escapes in them what is not ASCII. A string may hold
    /// what another program encoded.
    pub(super) shows_in_known: Shows,
}

/// What is done to a text's characters.
pub(super) const ENCODINGS: [Encoding; 8] = [
    Encoding {
        stage: line("NUL bytes", nuls),
        shows: |text| has(text, "\0"),
        shows_in_known: |text| has(text, "\0"),
    },
    Encoding {
        stage: line("JSON around the lines", json),
        shows: |text| {
            let first = text.split(|byte| *byte == b'\n').next();
            first.is_some_and(|first| json(first.trim_ascii_end()).is_some())
        },
        shows_in_known: |_| false,
    },
    Encoding {
        stage: line("fences around the log", in_fence),
        shows: |text| {
            let mut lines = text.split(|byte| *byte == b'\n');
            lines.any(|line| has_mark(line) && in_fence(line.trim_ascii_end()).is_some())
        },
        shows_in_known: |_| false,
    },
    Encoding {
        stage: line("qemu-user's statuses", status_behind),
        shows: |text| has(text, " (wstatus={"),
        shows_in_known: |text| has(text, " (wstatus={"),
    },
    Encoding {
        stage: line("colours", colours),
        shows: |text| has_any(text, &["\u{1b}", "^[["]),
        shows_in_known: |text| has(text, "\u{1b}"),
    },
    Encoding {
        stage: line("HTML", html),
        shows: |text| {
            let marks = ["&lt;", "(&quot;", " &quot;", "{&quot;", "&#34;"];
            let is_plain = has(text, "<unfinished ...>") || has(text, "<... ");
            let is_encoded = !is_plain && has_any(text, &marks);
            is_encoded
                || has_breaks(text)
                || has(text, "s) &amp;&amp; W")
                || has_numeric_entity(text)
        },
        shows_in_known: |text| {
            let is_quoted = has_any(text, &["&quot;", "&#34;"]) && !has_strings(text);
            let has_tags = has(text, "&lt;") && !has(text, "<") && !has_strings(text);
            let is_status = has(text, "s) &amp;&amp; W") && !has(text, "s) && W");
            let has_numbers = has_numeric_entity(text) && !has_strings(text);
            is_quoted || has_breaks(text) || has_tags || is_status || has_numbers
        },
    },
    Encoding {
        stage: line("typographic characters", typography),
        shows: |text| {
            let marks = [
                "\u{2026}", "\u{201c}", "\u{201d}", "\u{2013}", "\u{2014}", "\u{2212}", "\u{a0}",
            ];
            has_any(text, &marks)
        },
        shows_in_known: |text| {
            let numbers = [
                "(\u{2013}",
                "(\u{2212}",
                "= \u{2013}",
                "= \u{2212}",
                "\u{a0}",
            ];
            let is_quoted = has_any(text, &["\u{201c}", "\u{201d}"]) && !has_strings(text);
            is_quoted || has_any(text, &numbers)
        },
    },
    Encoding {
        stage: line("quoted-printable", quoted_printable),
        shows: |text| has(text, ") =3D ") || has(text, "s) =3D=3D ") || is_quoted_printable(text),
        shows_in_known: is_quoted_printable,
    },
];

fn has_any(text: &[u8], marks: &[&str]) -> bool {
    marks.iter().any(|mark| has(text, mark))
}

/// Whether lines end in a web page's line breaks.
fn has_breaks(text: &[u8]) -> bool {
    let mut lines = text
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end);
    lines.any(|line| line.ends_with(b"<br />") || line.ends_with(b"<br>"))
}

/// Whether a record's strings, or keys, are in the quotes that they are written in.
fn has_strings(text: &[u8]) -> bool {
    has_any(text, &["(\"", "[\"", " \"", "{\""])
}

/// Whether each `=` of a text is one of quoted-printable.
fn is_quoted_printable(text: &[u8]) -> bool {
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
    let mut signs = memchr::memchr_iter(b'=', text);
    has(text, "=3D")
        && signs.all(|at| match text.get(at + 1..) {
            Some([b'\r' | b'\n', ..] | []) | None => true,
            Some(rest) => rest.len() < 2 || rest.iter().take(2).all(is_hex),
        })
}

fn has(text: &[u8], mark: &str) -> bool {
    memmem::find(text, mark.as_bytes()).is_some()
}

/// The stage of numbers in brackets that are pids.
pub(super) const PIDS: &str = "pids in brackets";

/// The stage of lines that quoted-printable goes on with.
pub(super) const SOFT_ENDS: &str = "soft line ends of quoted-printable";

/// The stage of what stands behind lines.
pub(super) const MARKS_BEHIND: &str = "marks behind the lines";

/// The stage of line ends that are lost.
pub(super) const PARAGRAPH: &str = "several lines in one";

/// The stage of line numbers.
pub(super) const NUMBERS: &str = "line numbers";

/// What is done to lines, in the order in which it is likely.
pub(super) const STAGES: [Stage; 23] = [
    line("indentation", |line| cut(line, spaces(line))),
    line("quote marks before the lines", |line| {
        cut(line, quote(line))
    }),
    line("brackets before the lines", |line| cut(line, bracket(line))),
    line(PIDS, pid_in_bracket),
    line("times before the lines", |line| cut(line, stamp(line))),
    line("syslog's or journald's prefixes", |line| {
        cut(line, syslog(line))
    }),
    line("what syslog escapes", |line| cut(line, escapes(line))),
    line("the prefixes of a container's log", |line| {
        cut(line, container(line))
    }),
    line("names before a bar", |line| cut(line, bar(line))),
    line(NUMBERS, |line| cut(line, number(line))),
    line("marks before the lines", |line| cut(line, mark(line))),
    line("marks of a diff", |line| cut(line, diff(line))),
    line("names of files with pids", file_name),
    line("names of files", |line| cut(line, grep(line))),
    line("a CI runner's columns", |line| cut(line, runner(line))),
    line("tabs", tabs),
    line("JSON around the lines", json),
    line("quotes around the lines", quoted),
    line(MARKS_BEHIND, behind_line),
    Stage {
        name: PARAGRAPH,
        step: Step::Split(next_line),
    },
    join(SOFT_ENDS, soft_end),
    join("lines that were broken at spaces", broken_at_space),
    join("lines that were broken at a width", broken_at_width),
];

/// The stage that takes a file's name, of so many bytes with its mark.
pub(super) const fn name(length: usize) -> Stage {
    Stage {
        name: "names of files",
        step: Step::Name(length),
    }
}

/// The stage that takes so many words from before each line.
pub(super) const fn words(count: usize) -> Stage {
    Stage {
        name: "words before the lines",
        step: Step::Words(count),
    }
}
