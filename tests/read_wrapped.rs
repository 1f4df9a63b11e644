//! Logs in what chats, CI runners, loggers, mail programs and word processors make of
//! them, alone and around or within what [`crate::read_pasted`] has.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

use crate::read_pasted::{WRAPPERS, Wrapper, behind, events, events_if_known, kept, numbers};
use crate::support::{run, wait4_strace};
use tempfile::TempDir;

/// The lines of grep with `-C`: `before` each, which is told whether it was found, and
/// dashes between groups.
fn found(log: &str, before: impl Fn(usize, bool) -> String) -> String {
    let mut text = String::new();
    for (number, line) in (1..).zip(log.lines()) {
        if number % 7 == 0 {
            text.push_str("--\n");
        }
        let is_found = line.contains("wait") || line.contains("exit");
        writeln!(text, "{}{line}", before(number, is_found)).unwrap();
    }
    text
}

fn mark(is_found: bool) -> char {
    if is_found { ':' } else { '-' }
}

/// A diff of a whole file, each line behind this mark.
fn in_diff(log: &str, mark: &str) -> String {
    let count = log.lines().count();
    let head = "diff --git a/x.log b/x.log\nindex 123..456 100644\n--- a/x.log\n+++ b/x.log\n";
    let lines = behind(log, |_| mark.to_owned());
    format!("{head}@@ -0,0 +1,{count} @@\n{lines}")
}

/// What is done to lines.
const OF_LINES: [Wrapper; 24] = [
    ("grep -C", |log| found(log, |_, _| String::new())),
    ("grep -nC", |log| {
        found(log, |number, it| format!("{number}{}", mark(it)))
    }),
    ("grep -HC", |log| {
        found(log, |_, it| format!("a/x.log{}", mark(it)))
    }),
    ("grep -HnC", |log| {
        found(log, |number, it| {
            let mark = mark(it);
            format!("a/x.log{mark}{number}{mark}")
        })
    }),
    ("a diff's -", |log| in_diff(log, "-")),
    ("a diff's context", |log| in_diff(log, " ")),
    ("compose with times", |log| {
        behind(log, |_| {
            "name-1  | 2026-11-27T03:48:01.123456789Z ".to_owned()
        })
    }),
    ("journalctl -o short-iso", |log| {
        behind(log, |_| {
            "2026-11-27T03:48:01+0100 host strace[12]: ".to_owned()
        })
    }),
    ("journalctl -o short-precise", |log| {
        behind(log, |number| {
            format!("Nov 27 03:48:01.{number:06} host strace[12]: ")
        })
    }),
    ("journalctl -o with-unit", |log| {
        behind(log, |_| {
            "Fri 2026-11-27 03:48:01 CET host foo.service[12]: ".to_owned()
        })
    }),
    ("syslog's tabs", |log| {
        behind(log, |_| "Nov 27 03:48:01 host strace[12]: #011".to_owned())
    }),
    ("a cloud's JSON", |log| {
        let lines = log.lines().flat_map(|line| {
            let line = serde_json::json!({"severity": "INFO", "jsonPayload": {"message": line}});
            [line.to_string(), "\n".to_owned()]
        });
        lines.collect()
    }),
    ("TAI64N", |log| {
        behind(log, |number| format!("@400000006554f8e90a1b{number:04x} "))
    }),
    ("GitLab", |log| {
        behind(log, |_| "2026-11-27T03:48:01.123456Z 01O ".to_owned())
    }),
    ("Jenkins", |log| {
        behind(log, |_| "[2026-11-27T03:48:01.123Z] [build] ".to_owned())
    }),
    ("Azure", |log| {
        behind(log, |_| "2026-11-27T03:48:01.1234567Z ##[debug]".to_owned())
    }),
    ("CircleCI", |log| {
        behind(log, |_| "2026-11-27T03:48:01Z  ".to_owned())
    }),
    ("less -N", |log| {
        behind(log, |number| format!("\u{1b}[1m{number:7}\u{1b}[m "))
    }),
    ("rows of a web page", |log| {
        let log = log.replace('&', "&amp;").replace('<', "&lt;");
        let lines = log.lines().flat_map(|line| {
            let line = line.replace('>', "&gt;");
            [
                "<li class=\"a\"><span>".to_owned(),
                line,
                "</span></li>\n".to_owned(),
            ]
        });
        lines.collect()
    }),
    ("line breaks of Markdown", |log| {
        log.replace('\n', "<br />\n")
    }),
    ("bold", |log| {
        let lines = log.lines();
        lines.flat_map(|line| ["**", line, "**\n"]).collect()
    }),
    ("klog", |log| {
        behind(log, |_| {
            "I1127 03:48:01.123456       1 main.go:42] ".to_owned()
        })
    }),
    ("Heroku", |log| {
        behind(log, |_| {
            "2026-11-27T03:48:01.123456+00:00 app[web.1]: ".to_owned()
        })
    }),
    ("RFC 5424", |log| {
        behind(log, |_| {
            "<134>1 2026-11-27T03:48:01.123Z host strace 123 - - ".to_owned()
        })
    }),
];

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

fn base64(bytes: &[u8], width: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut bits = 0;
        for at in 0..3 {
            bits = bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0));
        }
        for at in 0..4 {
            let digit = usize::try_from(bits >> (18 - 6 * at) & 63).unwrap();
            text.push(if at <= chunk.len() {
                char::from(DIGITS[digit])
            } else {
                '='
            });
        }
    }
    let lines = text.as_bytes().chunks(width);
    let lines = lines.flat_map(|line| [std::str::from_utf8(line).unwrap(), "\n"]);
    lines.collect()
}

/// A log as word processors write it.
fn rtf(log: &str, end: &str) -> String {
    let log = log
        .replace('\\', "\\\\")
        .replace('{', "\\{")
        .replace('}', "\\}");
    let log = log.replace('\n', end);
    format!("{{\\rtf1\\ansi{{\\fonttbl\\f0\\fmodern Courier;}}\n\\pard\n\\f0\\fs24 \\cf0 {log}}}")
}

/// What is done to a text as a whole.
const OF_TEXTS: [Wrapper; 16] = [
    ("a chat's fence", |log| {
        format!("me  10:32 AM\n```{log}```\nwhy?\n")
    }),
    ("JIRA's code", |log| {
        format!("{{code:java}}\n{log}{{code}}\n")
    }),
    ("JIRA's noformat", |log| {
        format!("Here:\n{{noformat}}\n{log}{{noformat}}\n")
    }),
    ("a forum's code", |log| {
        format!("[CODE]{}[/CODE]\n", log.trim_end())
    }),
    ("HTML's pre", |log| {
        let log = log.replace('&', "&amp;").replace('<', "&lt;");
        let log = log.replace('>', "&gt;");
        format!("<html><body><pre>\n{log}</pre></body></html>\n")
    }),
    ("script", |log| {
        let log = log.replace('\n', "\r\n");
        format!(
            "Script started on 2026-11-27 03:48:01+01:00 [TERM=\"xterm\" COLUMNS=\"80\"]\n\
             \u{1b}]0;me@host: ~\u{7}me@host:~$ strace -f ./a\r\n{log}\u{1b}[?2004hme@host:~$ \
             exit\r\n\nScript done on 2026-11-27 03:48:09+01:00 [COMMAND_EXIT_CODE=\"0\"]\n"
        )
    }),
    ("asciinema", |log| {
        let log = log.replace('\n', "\r\n");
        let mut text = "{\"version\": 2, \"width\": 80, \"height\": 24}\n".to_owned();
        let chars: Vec<char> = log.chars().collect();
        for (at, chunk) in chars.chunks(97).enumerate() {
            let chunk: String = chunk.iter().collect();
            writeln!(text, "{}", serde_json::json!([at, "o", chunk])).unwrap();
        }
        text
    }),
    ("RTF", |log| rtf(log, "\\par\n")),
    ("RTF of a Mac", |log| rtf(log, "\\\n")),
    ("an attachment", |log| {
        let packed = base64(&gzip(log), 76);
        format!(
            "Content-Type: application/gzip; name=\"strace.log.gz\"\n\
             Content-Transfer-Encoding: base64\n\n{packed}\n--boundary--\n"
        )
    }),
    ("base64 of gzip", |log| base64(&gzip(log), 76)),
    ("base64", |log| base64(log.as_bytes(), 76)),
    ("base64 in one line", |log| base64(&gzip(log), 1 << 20)),
    ("a string of JSON", |log| {
        serde_json::Value::from(log).to_string()
    }),
    ("a member of JSON", |log| {
        serde_json::json!({"code": 1, "stderr": log}).to_string()
    }),
    ("syslog's line ends", |log| {
        let log = log.replace('\n', "#012");
        format!("Nov 27 03:48:01 host prog[12]: {log}\n")
    }),
];

/// Whether a text is read as these events.
fn is_read_as(text: &str, clean: &str) -> bool {
    events_if_known(text.as_bytes()).is_ok_and(|(events, _)| events == clean)
}

#[test]
fn each_wrapping_is_undone() {
    let mut failed = Vec::new();
    for (name, log) in kept() {
        let (clean, _) = events(log.as_bytes());
        for (wrapper, wrap) in OF_LINES.iter().chain(&OF_TEXTS) {
            if !is_read_as(&wrap(&log), &clean) {
                failed.push(format!("{name}: {wrapper}"));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// How many pairs are tried on each log.
const PAIRS_OF_EACH: usize = 16;

#[test]
fn a_wrapping_in_another_is_undone_too() {
    let mut failed = Vec::new();
    for (seed, (name, log)) in (0..).zip(kept()) {
        let (clean, _) = events(log.as_bytes());
        let mut some = numbers(seed);
        let mut other = |count: usize| some.next().unwrap() % count;
        let mut check = |(inner, wrap): Wrapper, (outer, wrap_again): Wrapper| {
            // A page in a page is encoded twice; Markdown is around what people see.
            let is_page = |name: &str| name.contains("HTML") || name.contains("web page");
            let is_markdown = |name: &str| name.contains("bold") || name.contains("Markdown");
            if is_page(inner) && is_page(outer) || is_markdown(outer) {
                return;
            }
            if !is_read_as(&wrap_again(&wrap(&log)), &clean) {
                failed.push(format!("{name}: {inner} in {outer}"));
            }
        };
        for _ in 0..PAIRS_OF_EACH / 4 {
            let old = |at: usize| WRAPPERS[at];
            check(old(other(WRAPPERS.len())), OF_LINES[other(OF_LINES.len())]);
            check(old(other(WRAPPERS.len())), OF_TEXTS[other(OF_TEXTS.len())]);
            check(
                OF_LINES[other(OF_LINES.len())],
                OF_TEXTS[other(OF_TEXTS.len())],
            );
            check(OF_LINES[other(OF_LINES.len())], old(other(WRAPPERS.len())));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn bzip2_in_an_attachment_is_refused_with_the_way_out() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("mail");
    let packed = [b"BZh91AY&SY".as_slice(), &[7; 60]].concat();
    for text in [base64(&packed, 76).into_bytes(), packed] {
        fs::write(&path, text).unwrap();
        let said = run(wait4_strace().arg("--read").arg(&path)).stderr;
        assert!(said.contains("bzip2 -dc"), "{said}");
    }
}
