//! What may be done to the lines of a record, in the order in which it is likely.

use memchr::memmem;

use super::before::{
    bar, bracket, container, cut, diff, file_name, grep, indentation, mark, number, pid_in_bracket,
    quote, runner, stamp, syslog,
};
use super::broken::{broken_at_space, broken_at_width, soft_end};
use super::encodings::{colours, html, json, quoted_printable, tabs, typography};

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
    /// So many words before each line.
    Words(usize),
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
pub(super) const ENCODINGS: [(Stage, Shows); 5] = [
    (line("JSON around the lines", json), |text| {
        let first = text.split(|byte| *byte == b'\n').next();
        first.is_some_and(|first| json(first.trim_ascii_end()).is_some())
    }),
    (line("colours", colours), |text| has(text, "\u{1b}")),
    (line("HTML", html), |text| {
        let marks = [
            "&lt;unfinished",
            "&lt;...",
            "(&quot;",
            "&#34;",
            "s) &amp;&amp; W",
        ];
        let is_plain = has(text, "<unfinished ...>") || has(text, "<... ");
        !is_plain && marks.iter().any(|mark| has(text, mark))
    }),
    // strace itself escapes what is not ASCII.
    (line("typographic characters", typography), |text| {
        let marks = [
            "\u{2026}", "\u{201c}", "\u{201d}", "\u{2013}", "\u{2014}", "\u{2212}", "\u{a0}",
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
pub(super) const STAGES: [Stage; 19] = [
    line("indentation", |line| cut(line, indentation(line))),
    line("quote marks before the lines", |line| {
        cut(line, quote(line))
    }),
    line("brackets before the lines", |line| cut(line, bracket(line))),
    line("pids in brackets", pid_in_bracket),
    line("times before the lines", |line| cut(line, stamp(line))),
    line("syslog's or journald's prefixes", |line| {
        cut(line, syslog(line))
    }),
    line("the prefixes of a container's log", |line| {
        cut(line, container(line))
    }),
    line("names before a bar", |line| cut(line, bar(line))),
    line("line numbers", |line| cut(line, number(line))),
    line("marks before the lines", |line| cut(line, mark(line))),
    line("marks of a diff", |line| cut(line, diff(line))),
    line("names of files with pids", file_name),
    line("names of files", |line| cut(line, grep(line))),
    line("a CI runner's columns", |line| cut(line, runner(line))),
    line("tabs", tabs),
    line("JSON around the lines", json),
    join("soft line ends of quoted-printable", soft_end),
    join("lines that were broken at spaces", broken_at_space),
    join("lines that were broken at a width", broken_at_width),
];

/// The stage that takes so many words from before each line.
pub(super) const fn words(count: usize) -> Stage {
    Stage {
        name: "words before the lines",
        step: Step::Words(count),
    }
}
