//! Logs as people paste them: wrapped in what mail programs, loggers and issue
//! trackers put around them, or with lines and parts of lines missing.

use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;

use crate::support::{heads, read_again, run, wait4_strace};
use tempfile::TempDir;
use wait4_strace::records;

/// The trace and the report of a log that is written here.
fn read(log: impl AsRef<[u8]>) -> (String, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    fs::write(&path, log).unwrap();
    read_again(path.to_str().unwrap())
}

/// A log's events, one a line, and what was said of its lines.
pub(crate) fn events(log: &[u8]) -> (String, Vec<String>) {
    events_if_known(log).unwrap_or_else(|why| {
        panic!(
            "{why}:\n{}",
            String::from_utf8_lossy(&log[..log.len().min(2000)])
        )
    })
}

/// The same, or why a text is no log.
pub(crate) fn events_if_known(log: &[u8]) -> Result<(String, Vec<String>), String> {
    let input = Box::new(Cursor::new(log.to_vec()));
    let mut source = records::from(input, None)?;
    let (mut events, mut text) = (Vec::new(), String::new());
    loop {
        let more = source.read(&mut events).unwrap();
        for event in events.drain(..) {
            writeln!(text, "{event:?}").unwrap();
        }
        if !more {
            break;
        }
    }
    Ok((text, [source.notes(), source.passed_over()].concat()))
}

/// The logs that are kept, those of thousands of lines aside.
pub(crate) fn kept() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/strace_logs");
    let logs = fs::read_dir(directory)
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let is_log = entry.path().extension().is_some_and(|end| end == "log")
                && entry.metadata().unwrap().len() < 20_000;
            is_log.then(|| (name, fs::read_to_string(entry.path()).unwrap()))
        });
    let mut logs: Vec<_> = logs.collect();
    logs.sort();
    assert!(logs.len() > 15);
    logs
}

pub(crate) type Wrapper = (&'static str, fn(&str) -> String);

/// Each line behind what `before` says of its number.
pub(crate) fn behind(log: &str, before: impl Fn(usize) -> String) -> String {
    let lines = log.lines().enumerate();
    let lines =
        lines.flat_map(|(number, line)| [before(number + 1), line.to_owned(), "\n".to_owned()]);
    lines.collect()
}

/// Lines that are broken where they are longer than `width`; at spaces, or
/// wherever that is.
fn broken(log: &str, width: usize, at_spaces: bool) -> String {
    let mut text = String::new();
    for line in log.lines() {
        let mut rest = line;
        while rest.len() > width {
            let space = rest[..width].rfind(' ').filter(|at| *at > 20);
            let (end, next) = match space.filter(|_| at_spaces) {
                Some(at) => (at, at + 1),
                None if at_spaces => break,
                None => (width, width),
            };
            text += &rest[..end];
            text.push('\n');
            rest = &rest[next..];
        }
        text += rest;
        text.push('\n');
    }
    text
}

/// What is done to a text as a whole, each undone without a trace.
pub(crate) const WRAPPERS: [Wrapper; 32] = [
    ("indented", |log| behind(log, |_| "    ".to_owned())),
    ("by a tab", |log| behind(log, |_| "\t".to_owned())),
    ("quoted", |log| behind(log, |_| "> ".to_owned())),
    ("quoted twice", |log| behind(log, |_| "> > ".to_owned())),
    ("with bars", |log| behind(log, |_| "| ".to_owned())),
    ("cat -n", |log| {
        behind(log, |number| format!("{number:6}\t"))
    }),
    ("grep -n", |log| behind(log, |number| format!("{number}:"))),
    ("numbered in brackets", |log| {
        behind(log, |number| format!("[{number}] "))
    }),
    ("ts", |log| behind(log, |_| "Nov 27 03:48:01 ".to_owned())),
    ("GitHub Actions", |log| {
        behind(log, |_| "2026-11-27T03:48:01.1234567Z ".to_owned())
    }),
    ("syslog", |log| {
        behind(log, |_| "Nov  7 03:48:01 host prog[123]: ".to_owned())
    }),
    ("CRI", |log| {
        behind(log, |_| {
            "2026-11-27T03:48:01.123456789+01:00 stderr F ".to_owned()
        })
    }),
    ("compose", |log| behind(log, |_| "web-1  | ".to_owned())),
    ("kubectl --prefix", |log| {
        behind(log, |_| "[pod/web-1/main] ".to_owned())
    }),
    ("initials", |log| behind(log, |_| "JD> ".to_owned())),
    ("nl", |log| behind(log, |number| format!("{number:6}  "))),
    ("bat", |log| {
        behind(log, |number| format!("{number:4} \u{2502} "))
    }),
    ("a comment", |log| behind(log, |_| "# ".to_owned())),
    ("a diff", |log| behind(log, |_| "+".to_owned())),
    ("grep -Hn", |log| {
        behind(log, |number| format!("out/log:{number}:"))
    }),
    ("ts %.s", |log| {
        behind(log, |number| format!("1700000000.{number:06} "))
    }),
    ("journalctl -o short-monotonic", |log| {
        behind(log, |_| "[   12.345678] host prog[123]: ".to_owned())
    }),
    ("gh run view --log", |log| {
        behind(log, |_| {
            "build\tRun make\t2026-11-27T03:48:01.1234567Z ".to_owned()
        })
    }),
    ("a logger", |log| {
        behind(log, |number| {
            format!("2026-11-27 03:48:01,123 - worker.{number} - INFO - ")
        })
    }),
    ("journald's JSON", |log| {
        let lines = log.lines().flat_map(|line| {
            let line = serde_json::json!({"PRIORITY": "6", "MESSAGE": line});
            [line.to_string(), "\n".to_owned()]
        });
        lines.collect()
    }),
    ("docker's JSON", |log| {
        let lines = log.lines().flat_map(|line| {
            let line = serde_json::json!({"log": format!("{line}\n"), "stream": "stderr"});
            [line.to_string(), "\n".to_owned()]
        });
        lines.collect()
    }),
    ("CRLF", |log| log.replace('\n', "\r\n")),
    ("coloured", |log| {
        behind(log, |_| "\u{1b}[32m".to_owned()).replace('\n', "\u{1b}[0m\n")
    }),
    ("HTML", |log| {
        let log = log.replace('&', "&amp;").replace('<', "&lt;");
        log.replace('>', "&gt;").replace('"', "&quot;")
    }),
    ("typographic", |log| {
        log.replace("...", "\u{2026}").replace('"', "\u{201c}")
    }),
    ("quoted-printable", |log| log.replace('=', "=3D")),
    ("in a fence", |log| {
        format!("This is what strace says:\n\n```\n{log}```\n\nWhy?\n")
    }),
];

/// Each line with this before and behind it.
fn between(log: &str, before: &str, behind: &str) -> String {
    let lines = log.lines();
    lines
        .flat_map(|line| [before, line, behind, "\n"])
        .collect()
}

/// What is done to the ends of lines, or to some of their characters.
const AROUND: [Wrapper; 13] = [
    ("backticks", |log| between(log, "`", "`  ")),
    ("a list of JSON", |log| {
        let lines = log.lines().map(|line| serde_json::to_string(line).unwrap());
        lines
            .flat_map(|line| ["    ".to_owned(), line, ",\n".to_owned()])
            .collect()
    }),
    ("CSV", |log| between(&log.replace('"', "\"\""), "\"", "\"")),
    ("a list of Python", |log| {
        let log = log.replace('\\', "\\\\").replace('\'', "\\'");
        between(&log, "    u'", "\\n'")
    }),
    ("commas", |log| between(log, "", ",")),
    ("continued", |log| between(log, "", " \\")),
    ("NULs behind", |log| between(log, "", "\0")),
    ("NULs between characters", |log| {
        let log = log.chars().flat_map(|char| [char, '\0']);
        std::iter::once('\n').chain(log).collect()
    }),
    ("NULs for line feeds", |log| log.replace('\n', "\0")),
    ("carriage returns", |log| log.replace('\n', "\r")),
    ("entities with numbers", |log| {
        let log = log.replace('&', "&#38;").replace('=', "&#61;");
        log.replace('"', "&#x22;").replace('(', "&#x28;")
    }),
    ("colours with carets", |log| {
        between(log, "^[[0;32m", "^[[0m")
    }),
    ("web page's spaces", |log| {
        let words = log.split(' ').filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" ")
    }),
];

#[test]
fn what_stands_around_lines_is_taken_off() {
    for (name, log) in kept() {
        let (clean, _) = events(log.as_bytes());
        for (wrapper, wrap) in AROUND {
            let (unwrapped, said) = events(wrap(&log).as_bytes());
            assert!(
                unwrapped == clean,
                "{name} {wrapper} {said:?}\n{clean}\n{unwrapped}"
            );
        }
    }
}

/// With `-t` a zombie of a moment may end in the next second.
#[test]
fn times_in_whole_seconds_are_judged_by_what_they_prove() {
    let log = |end: u32, fraction: &str| {
        format!(
            "7 14:00:00{fraction} execve(\"./a\", [\"./a\"], 0x7ffd /* 1 var */) = 0\n\
             7 14:00:00{fraction} mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, 3, 0) = 0x7f6ad5e01000\n\
             7 14:00:00{fraction} openat(AT_FDCWD, \"/etc/x\", O_RDONLY) = 3\n\
             7 14:00:00{fraction} close(3)                = 0\n\
             7 14:00:00{fraction} clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD) = 8\n\
             8 14:00:00{fraction} exit_group(1)       = ?\n\
             8 14:00:00{fraction} +++ exited with 1 +++\n\
             7 14:00:00{fraction} --- SIGCHLD {{si_signo=SIGCHLD, si_code=CLD_EXITED, \
             si_pid=8, si_uid=0, si_status=1, si_utime=0, si_stime=0}} ---\n\
             7 14:00:0{end}{fraction} exit_group(0)       = ?\n\
             7 14:00:0{end}{fraction} +++ exited with 0 +++\n"
        )
    };
    for (end, fraction, expected) in [
        (1, "", false),
        (2, "", true),
        (0, ".900000", false),
        (1, ".900000", true),
    ] {
        let (_, report) = read(log(end, fraction));
        let found = report.contains("[zombie-leak]");
        assert_eq!(found, expected, "{end}{fraction}: {report}");
    }
}

#[test]
fn numbers_of_calls_are_known_with_one_space_too() {
    let (clean, _) = read(LEAK);
    for times in [true, false] {
        let mut log = String::new();
        for line in LEAK.lines() {
            let mut words = line.splitn(3, ' ');
            let [pid, time, rest] = [(); 3].map(|()| words.next().unwrap());
            let number = if rest.starts_with("wait4") {
                " 61"
            } else {
                " 3"
            };
            let time = if times {
                format!("{time} ")
            } else {
                String::new()
            };
            writeln!(log, "{pid} {time}[{number}] {rest}").unwrap();
        }
        let (trace, report) = read(&log);
        assert!(trace.contains("# reaped 72"), "{log}{trace}{report}");
        assert!(!times || trace == clean, "{trace}");
    }
}

/// Of a paragraph all is found that is whole, and nothing that the log has not; what is
/// not whole is said.
#[test]
fn lines_that_became_a_paragraph_are_taken_apart() {
    let mut same = 0;
    for (name, log) in kept() {
        let (clean, _) = events(log.as_bytes());
        let paragraph = log.replace('\n', " ");
        let input = Box::new(Cursor::new(paragraph.clone().into_bytes()));
        let Ok(mut source) = records::from(input, None) else {
            continue;
        };
        let mut found = Vec::new();
        while source.read(&mut found).unwrap() {}
        let said = [source.notes(), source.passed_over(), source.lacks()].concat();
        let found: Vec<String> = found.iter().map(|event| format!("{event:?}")).collect();
        let is_same = found.iter().eq(clean.lines());
        same += usize::from(is_same);
        let is_said = said.iter().any(|said| {
            let words = ["cut short", "not strace's", "half", "halves"];
            words.iter().any(|word| said.contains(word))
        });
        assert!(
            is_same || is_said,
            "{name} {said:?}\n{clean}\n{}",
            found.join("\n")
        );
    }
    assert!(same > 10, "{same}");
}

/// How many pairs of wrappers are tried on each log.
const PAIRS_OF_EACH: usize = 8;

#[test]
fn what_a_log_is_wrapped_in_is_undone() {
    for (name, log) in kept() {
        let (clean, _) = events(log.as_bytes());
        for (wrapper, wrap) in WRAPPERS {
            let (unwrapped, said) = events(wrap(&log).as_bytes());
            assert!(
                unwrapped == clean,
                "{name} {wrapper} {said:?}\n{clean}\n{unwrapped}"
            );
        }
    }
}

#[test]
fn a_wiki_s_braces_and_blanks_behind_lines_are_passed_over() {
    for (name, log) in kept() {
        let (clean, _) = events(log.as_bytes());
        for wrapped in [
            format!("{{code}}\n{log}{{code}}\n"),
            format!("{{\n{log}}}\n"),
            log.replace('\n', "  \n"),
        ] {
            let (unwrapped, said) = events(wrapped.as_bytes());
            assert!(unwrapped == clean, "{name} {said:?}\n{clean}\n{unwrapped}");
        }
    }
}

#[test]
fn a_pid_between_tabs_is_no_line_number() {
    let log = "100 execve(\"./a\", [\"./a\"], 0x7ffd /* 1 var */) = 0\n\
               100 clone(child_stack=NULL, flags=SIGCHLD) = 101\n\
               100 wait4(-1,  <unfinished ...>\n\
               101 exit_group(1) = ?\n\
               101 +++ exited with 1 +++\n\
               100 <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 1}], 0, NULL) = 101\n";
    let (clean, _) = events(log.as_bytes());
    let tabbed = log.replace("100 ", "\t100\t").replace("101 ", "\t101\t");
    let (unwrapped, said) = events(tabbed.as_bytes());
    assert_eq!(unwrapped, clean, "{said:?}");
}

/// Numbers that look random, the same in each run.
pub(crate) fn numbers(seed: u64) -> impl Iterator<Item = usize> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).unwrap()
    })
}

#[test]
fn two_wrappings_are_undone_too() {
    for (seed, (name, log)) in (0..).zip(kept()) {
        let (clean, _) = events(log.as_bytes());
        let pairs = (0..WRAPPERS.len()).flat_map(|inner| {
            let outers = 0..WRAPPERS.len();
            outers.map(move |outer| (inner, outer))
        });
        let pairs: Vec<(usize, usize)> = pairs.filter(|(inner, outer)| inner != outer).collect();
        // Of one log all, of each other some.
        let some = numbers(seed).map(|number| pairs[number % pairs.len()]);
        let tried: Vec<(usize, usize)> = match name.as_str() {
            "stolen-6.1-ttt-T.log" => pairs.clone(),
            _ => some.take(PAIRS_OF_EACH).collect(),
        };
        for (inner, outer) in tried {
            let [(inner, wrap), (outer, wrap_again)] = [WRAPPERS[inner], WRAPPERS[outer]];
            let (unwrapped, said) = events(wrap_again(&wrap(&log)).as_bytes());
            assert!(
                unwrapped == clean,
                "{name}: {inner} in {outer}: {said:?}\n{unwrapped}"
            );
        }
    }
}

/// Records of other programs than strace.
fn of_others() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records");
    let records = fs::read_dir(directory).unwrap().flatten().map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read_to_string(entry.path()).unwrap())
    });
    let mut records: Vec<_> = records.collect();
    records.sort();
    assert!(records.len() >= 5);
    records
}

#[test]
fn records_of_other_programs_are_unwrapped_too() {
    for (name, record) in of_others() {
        let (clean, said) = events(record.as_bytes());
        assert!(!said.iter().any(|said| said.contains("undone")), "{said:?}");
        for (wrapper, wrap) in WRAPPERS {
            // Each line of a record of JSON must be one.
            if wrapper == "in a fence" && record.starts_with('{') {
                continue;
            }
            let (unwrapped, said) = events(wrap(&record).as_bytes());
            assert!(
                unwrapped == clean,
                "{name} {wrapper} {said:?}\n{clean}\n{unwrapped}"
            );
        }
    }
}

#[test]
fn lines_that_a_mailer_or_a_terminal_broke_are_joined() {
    for (name, log) in kept() {
        let (clean, _) = events(log.as_bytes());
        for (width, at_spaces) in [(72, true), (78, true), (80, false)] {
            // A line that strace itself tore.
            if log.contains("SIGCHLDstrace: Process") {
                continue;
            }
            let wrapped = broken(&log, width, at_spaces);
            let (unwrapped, said) = events(wrapped.as_bytes());
            assert!(
                unwrapped == clean,
                "{name} {width} {at_spaces} {said:?}\n{clean}\n{unwrapped}"
            );
            let quoted = behind(&wrapped, |_| "> ".to_owned());
            assert!(
                events(quoted.as_bytes()).0 == clean,
                "{name} {width} quoted"
            );
        }
    }
}

#[test]
fn encodings_and_compression_are_undone() {
    let (name, log) = kept().swap_remove(0);
    let (clean, _) = events(log.as_bytes());
    let units = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let units = "\u{feff}".encode_utf16().chain(log.encode_utf16());
        units.flat_map(order).collect()
    };
    let mut gzip = Vec::new();
    for half in [&log[..300], &log[300..]] {
        let mut part = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        part.write_all(half.as_bytes()).unwrap();
        gzip.extend(part.finish().unwrap());
    }
    for wrapped in [units(u16::to_le_bytes), units(u16::to_be_bytes), gzip] {
        let (unwrapped, said) = events(&wrapped);
        assert!(unwrapped == clean, "{name} {said:?}");
        assert!(said[0].starts_with("undone before reading: "), "{said:?}");
    }
    let (_, said) = events(log.as_bytes());
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn what_can_be_unpacked_of_a_file_without_its_end_is_read() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(LEAK.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let (trace, report) = read(&packed[..packed.len() - 60]);
    assert!(trace.contains("+++ forked 72 +++"), "{trace}{report}");
    assert!(
        report.contains("the end of the gzip file is missing"),
        "{report}"
    );
    assert!(trace.contains("wait4(72 <unfinished ...>"), "{trace}");
    assert_eq!(heads(&report), Vec::<String>::new(), "{report}");
}

#[test]
fn a_program_that_says_what_it_calls_is_not_taken_for_strace() {
    let said = "\
fork() = 77
wait4 = 3
+++ done +++
--- SIGCHLD received ---
wait4(77, NULL, 0, NULL) = 77
";
    let padded: String = LEAK
        .lines()
        .map(|line| {
            let line = line.get(21..).unwrap();
            match line.rsplit_once(" = ") {
                Some((call, result)) => format!("{call:39} = {result}\n"),
                None => format!("{line}\n"),
            }
        })
        .collect();
    let brk = "brk(NULL)                               = 0x55d0\n".repeat(6);
    // Times or pids in all lines, or spaces before results, show which lines are strace's.
    for log in [LEAK.to_owned(), LEAK.replace("70 17", "17"), brk + &padded] {
        let (clean, _) = read(&log);
        let mut mixed = String::new();
        for line in log.lines() {
            writeln!(mixed, "{line}").unwrap();
            if line.contains("= 72") {
                mixed += said;
            }
        }
        let (trace, report) = read(&mixed);
        assert_eq!(trace, clean, "{mixed}{report}");
        assert!(report.contains("lines are not strace's"), "{report}");
    }
}

#[test]
fn a_wait_whose_end_comes_alone_keeps_its_beginning() {
    let rest = "[{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 77";
    for log in [
        format!("[pid    76] wait4(-1, \n[pid    77] exit_group(3) = ?\n{rest}\n"),
        format!(
            "[pid    77] getuid() = 0\n[pid    76] wait4(-1, cat: x: Is a directory\n[pid    76] {rest}\n"
        ),
        format!("76 wait4(-1, \n77 exit_group(3) = ?\n77 +++ exited with 3 +++\n76 {rest}\n"),
        format!("[pid    76] wait4(-1,  <unfinished ...>\n[pid    77] exit(3) = ?\n{rest}\n"),
    ] {
        let (trace, report) = read(&log);
        assert!(trace.contains(&format!("wait4(-1, {rest}")), "{log}{trace}");
        assert!(!report.contains("cut short"), "{log}{report}");
        assert!(!report.contains("half of a call"), "{log}{report}");
    }
}

#[test]
fn what_a_terminal_shows_of_an_attached_hang_is_a_log() {
    // strace up to 4.7, and what forums and mailers take the last blank of.
    for (attached, wait) in [
        ("Process 20814 attached - interrupt to quit", "wait4(-1, "),
        ("Process 20814 attached - interrupt to quit", "wait4(-1,"),
        ("$ strace -p 20814\nProcess 20814 attached", "waitpid(-1, "),
        ("strace: Process 20814 attached", "waitid(P_ALL, 0,"),
    ] {
        let (trace, report) = read(format!("{attached}\n{wait}\n"));
        let call = wait.trim_end().trim_end_matches(',');
        assert!(trace.contains(call), "{wait}: {trace}{report}");
        let ends = format!("the log ends in a wait: 20814 is in {call})");
        assert!(report.contains(&ends), "{wait}: {report}");
    }
}

#[test]
fn source_code_and_prose_are_no_log() {
    for text in [
        "It hangs in\nwaitpid(child,\nwhich is odd.\n",
        "    waitpid(pid,\n            &status, 0);\n",
        "See waitpid(2), wait4(2),\nand others.\n",
    ] {
        assert!(events_if_known(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn a_log_that_ends_amid_a_wait_ends_in_a_wait() {
    for end in ["wait4(-1, ", "wait4(-1, some output\nand more"] {
        let (trace, report) = read(format!("60 getuid() = 0\n60 {end}"));
        assert!(trace.contains("wait4(-1 <unfinished ...>"), "{trace}");
        assert!(
            report.contains("the log ends in a wait: 60 is in wait4(-1)"),
            "{report}"
        );
    }
}

#[test]
fn a_wait_of_a_task_that_no_line_names_is_open_too() {
    let (_, report) = read("getuid() = 0\nwait4(7, ");
    assert!(report.contains("? is in wait4(7)"), "{report}");
}

#[test]
fn a_second_half_may_begin_with_the_comma() {
    let rest = "[{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 77";
    let (trace, report) = read(format!("76 <... wait4 resumed>, {rest}\n"));
    assert!(
        trace.contains(&format!("wait4(?, {rest}")),
        "{trace}{report}"
    );
    let both = format!("76 wait4(77 <unfinished ...>\n76 <... wait4 resumed>, {rest}\n");
    let (trace, report) = read(both);
    assert!(
        trace.contains(&format!("wait4(77, {rest}")),
        "{trace}{report}"
    );
}

#[test]
fn lines_of_gdb_amid_a_log_are_passed_over() {
    let gdb = [
        "(gdb) run",
        "Continuing.",
        "[New Thread 0x7ffff7d8a700 (LWP 4712)]",
        "[Detaching after fork from child process 4711]",
        "[Inferior 1 (process 4711) exited normally]",
        "Program received signal SIGCHLD, Child status changed.",
        "#0  0x00007f in wait4 () from /lib/libc.so.6",
    ];
    let (clean, _) = read(LEAK);
    let mut mixed = String::new();
    for (line, gdb) in LEAK.lines().zip(gdb.iter().cycle()) {
        writeln!(mixed, "{line}\n{gdb}").unwrap();
    }
    let (trace, report) = read(&mixed);
    assert_eq!(trace, clean, "{report}");
    assert!(report.contains("15 lines are not strace's"), "{report}");
}

/// What was undone of a log, in the words of the report.
fn undone(log: &str) -> Option<String> {
    let (_, said) = events(log.as_bytes());
    let mut said = said.into_iter();
    said.find(|said| said.starts_with("undone before reading"))
}

#[test]
fn a_record_of_json_is_read_as_it_is() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("json");
    let argument = "\u{201c}a\u{2026}\u{201d} &lt;... &quot; a(1) =3D 5";
    let flags = ["--format", "json", "--report", "none", "-o"];
    let mut program = wait4_strace();
    program
        .args(flags)
        .arg(&path)
        .args(["--", "true", argument]);
    assert_eq!(run(&mut program).status, 0);
    let own = fs::read_to_string(&path).unwrap();
    assert!(own.lines().next().unwrap().contains('\u{201c}'), "{own}");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records/tracee-newer.jsonl");
    let tracee = fs::read_to_string(kept).unwrap();
    let quoted = serde_json::to_string(argument).unwrap();
    let tracee = tracee.replacen("\"server\"", &quoted, 1);
    assert!(tracee.lines().next().unwrap().contains('\u{201c}'));
    for record in [own, tracee] {
        let (events, said) = events(record.as_bytes());
        assert!(!events.is_empty());
        assert!(!said.iter().any(|said| said.contains("undone")), "{said:?}");
        let (quoted, _) = self::events(behind(&record, |_| "> ".to_owned()).as_bytes());
        assert!(quoted == events, "{quoted}\n{events}");
    }
}

#[test]
fn what_a_program_encoded_itself_stays_as_it_is() {
    let (name, log) = kept().swap_remove(0);
    assert_eq!(undone(&log), None);
    let lines: Vec<&str> = log.lines().collect();
    for line in [
        "600 execve(\"/bin/echo\", [\"echo\", \"<b>&#34;x&#34;, \\\"y\"], 0x7ffd /* 20 vars */) = 0",
        "600 write(1, \"f(&quot;a&quot;) &lt;b&gt;\", 24) = 24",
        "600 write(1, \"a(1) =3D 5=3D\", 13) = 13",
        "progress \u{2026}",
        "say \u{201c}x\u{201d} \u{2014} f(&quot;x&quot;) =3D 5",
    ] {
        for many in [1, lines.len()] {
            let mut log = lines.clone();
            log.splice(1..1, std::iter::repeat_n(line, many));
            let log = log.join("\n");
            assert_eq!(undone(&log), None, "{name} {many} {line}");
            let quoted = undone(&behind(&log, |_| "> ".to_owned()));
            let expected = "undone before reading: quote marks before the lines";
            assert_eq!(quoted.as_deref(), Some(expected), "{name} {many} {line}");
        }
    }
}

#[test]
fn what_is_encoded_is_undone_where_each_line_can_be_read_as_it_is_too() {
    let log = "\
600 execve(\"./x\", [\"./x\"], 0x7ffd /* 20 vars */) = 0
600 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 601
";
    let (clean, _) = events(log.as_bytes());
    let html = log.replace('&', "&amp;");
    for (name, wrapped) in [
        ("HTML", html.clone()),
        ("HTML", html.replace('"', "&quot;")),
        ("HTML", html.replace('"', "&#34;")),
        ("typographic characters", log.replace('"', "\u{201c}")),
        ("typographic characters", log.replace("(-1", "(\u{2212}1")),
        ("colours", log.replace("601", "\u{1b}[1m601\u{1b}[0m")),
        ("quoted-printable", log.replace('=', "=3D")),
    ] {
        let (unwrapped, _) = events(wrapped.as_bytes());
        assert!(unwrapped == clean, "{wrapped}{unwrapped}");
        let expected = format!("undone before reading: {name}");
        assert_eq!(undone(&wrapped), Some(expected), "{wrapped}");
    }
}

#[test]
fn prose_before_a_log_may_be_long() {
    let (_, log) = kept().swap_remove(0);
    let (clean, _) = events(log.as_bytes());
    let prose = "It hangs now and then, as it did before.\n".repeat(250);
    for wrap in [
        |log: &str| log.to_owned(),
        |log: &str| behind(log, |_| "> ".to_owned()),
        |log: &str| behind(&log.replace('=', "=3D"), |_| "    > ".to_owned()),
    ] {
        let text = prose.clone() + &wrap(&log);
        let (unwrapped, said) = events(text.as_bytes());
        assert!(unwrapped == clean, "{said:?}\n{unwrapped}");
        assert!(
            said.iter().any(|said| said.contains("the first is line 1")),
            "{said:?}"
        );
    }
}

#[test]
fn a_line_that_is_too_long_gives_no_call() {
    let (_, log) = kept().swap_remove(0);
    let forged = "900 wait4(-1, NULL, 0, NULL) = 901";
    let long = "x".repeat(1 << 20) + forged;
    for wrap in [
        |log: &str| log.to_owned(),
        |log: &str| behind(log, |_| "> ".to_owned()),
    ] {
        let (events, said) = events(wrap(&format!("{log}{long}\n")).as_bytes());
        assert!(!events.contains("901"), "{events}");
        assert!(
            said.iter().any(|said| said == "1 line is too long"),
            "{said:?}"
        );
    }
}

#[test]
fn a_wait_that_was_broken_at_a_space_is_read_though_other_lines_are_not() {
    let log = |end: &str| {
        format!(
            "\
60 fork() = 61
60 getuid() = 0
60 wait4(-1,  <unfinished ...>
61 getuid() = 0
61 exit_group(3) = ?
60 <... wait4 resumed> [{{WIFEXITED(s) && WEXITSTATUS(s) == 3}}],{end}
60 --- SIGCHLD (Child exited) @ 0 (0) ---
60 exit_group(0) = ?
"
        )
    };
    let (clean, _) = events(log(" 0, NULL) = 61").as_bytes());
    for end in [
        "  \n0, NULL) = 61",
        " 0, NULL) =\n61",
        " 0, NULL) = \n    61",
    ] {
        let (broken, _) = events(log(end).as_bytes());
        assert!(broken == clean, "{end}\n{broken}");
    }
    let (_, report) = read(log(" 0,\nhello"));
    assert!(report.contains("1 call that is cut short"), "{report}");
    assert!(
        report.contains("1 line is not strace's: line 7"),
        "{report}"
    );
}

#[test]
fn output_in_a_wait_is_not_taken_for_the_rest_of_a_broken_line() {
    let log = "\
sudo ./launch
here  is the output of strace

- SIGCHLD (Child exited) @ 0 (0) ---
clone(child_stack=0, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 94
wait4(-1, Shutting down due to signal #11
[{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV}], 0, NULL) = 94
--- SIGCHLD (Child exited) @ 0 (0) ---
write(2, \"Segmentation fault\\n\", 19Segmentation fault
)    = 19
exit_group(139)                         = ?
";
    let (trace, report) = read(log);
    let wait = "wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV}], 0, NULL) = 94";
    assert!(trace.contains(wait), "{trace}");
    assert!(!report.contains("cut short"), "{report}");
}

#[test]
fn a_second_half_of_which_the_name_is_missing_is_a_reap() {
    let log = "\
say: no such file
[{WIFEXITED(s) && WEXITSTATUS(s) == 1}], 0, NULL) = 73
--- SIGCHLD (Child exited) @ 0 (0) ---
wait4(-1, 0x7fff96f1aa58, WNOHANG, NULL) = -1 ECHILD (No child processes)
";
    let (trace, report) = read(log);
    let wait = "wait4(?, [{WIFEXITED(s) && WEXITSTATUS(s) == 1}], 0, NULL) = 73";
    assert!(trace.contains(wait), "{trace}");
    assert!(
        report.contains("1 line is not strace's: line 1"),
        "{report}"
    );
}

#[test]
fn a_pid_is_no_line_number_and_a_rule_no_soft_line_end() {
    let log = "\
15156 getuid() = 0
15155\u{20}
openat(AT_FDCWD, \"/usr/lib/locale/locale-archive\",
O_RDONLY) = 3
15156 openat(AT_FDCWD, \"/usr/lib/charset.alias\", O_RDONLY) = -1 ENOENT (No such file or
directory)
15156 vfork( <unfinished ...>
15161 execve(\"/usr/bin/cc1\",
[\"cc1\", \"-E\"], [/* 69 vars */]
<unfinished ...>
15156 <... vfork resumed> )             = 15161
15161 <... execve resumed> )            = 0
15156 wait4(15161,  <unfinished ...>
15161 exit_group(0)                     = ?
15156 <... wait4 resumed> [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) =
15161
15156 --- SIGCHLD (Child exited) @ 0 (0) ---
==============================
";
    let (trace, report) = read(log);
    let undone = "undone before reading: lines that were broken at spaces\n";
    assert!(report.contains(undone), "{report}");
    assert!(
        trace.contains("15156                 +++ vforked 15161 +++"),
        "{trace}"
    );
    assert!(trace.contains("# reaped 15161 cc1"), "{trace}");
    assert!(
        report.contains("1 line is not strace's: line 18"),
        "{report}"
    );
}

#[test]
fn lines_after_the_end_of_a_thread_are_not_the_thread_s() {
    let log = "\
[pid    98] exit(0)                     = ?
[pid    98] +++ exited with 0 +++
[pid    89] write(1, \"bye\\n\", 4bye
)        = 4
[pid    89] exit_group(1)               = ?
[pid    89] +++ exited with 1 +++
<... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 1}], 0, NULL) = 89
exit_group(1)                           = ?
+++ exited with 1 +++
";
    let (trace, report) = read(log);
    assert!(
        trace.contains("?                     wait4(?, [{WIF"),
        "{trace}"
    );
    assert!(trace.contains("# reaped 89"), "{trace}");
    assert!(!report.contains("not strace's"), "{report}");
    assert_eq!(undone(log), None);
}

#[test]
fn output_that_begins_with_a_number_is_counted_as_the_program_s() {
    let (_, report) = read("7 fork() = 8\n42 is the answer\n8 exit_group(0) = ?\n");
    assert!(
        report.contains("1 line is not strace's: line 2"),
        "{report}"
    );
}

#[test]
fn output_amid_a_line_of_a_log_is_not_undone() {
    for tail in ["<unfinished ...>", "<detached ...>"] {
        let log = format!(
            "\
strace: Process 801 attached
[pid   801] write(1, \"hello\\n\", 6 <unfinished ...>
[pid   800] wait4(801, hello
 {tail}
[pid   801] <... write resumed>)        = 6
[pid   801] exit_group(0)               = ?
[pid   801] +++ exited with 0 +++
"
        );
        let (trace, report) = read(&log);
        assert!(trace.contains("wait4(801"), "{trace}");
        assert!(!report.contains("undone"), "{report}");
        assert_eq!(undone(&log), None, "{log}");
    }
}

#[test]
fn lines_of_ours_that_a_program_wrote_amid_a_log_are_no_reason_to_refuse_it() {
    let ours = "600   prog   wait4(601, NULL, 0, NULL) = 601  # reaped 601 prog\n";
    let (trace, report) = read(format!("7 fork() = 8\n{ours}8 exit_group(0) = ?\n"));
    assert!(trace.contains("forked 8"), "{trace}");
    assert!(report.contains("not strace's: line 2"), "{report}");
}

#[test]
fn a_log_that_ends_in_many_waits_describes_the_first() {
    // Quadratic, this would take minutes.
    let count = 20_000;
    let mut log = String::new();
    for parent in 1000..1000 + count {
        writeln!(log, "{parent} fork() = {}", parent + count).unwrap();
        writeln!(log, "{parent} wait4(-1,  <unfinished ...>").unwrap();
    }
    let (_, said) = events(log.as_bytes());
    let open = said.iter().find(|said| said.contains("ends in a wait"));
    let open = open.unwrap();
    assert!(
        open.contains("1000 is in wait4(-1); 21000 does nothing"),
        "{open}"
    );
    assert!(
        open.ends_with(&format!("; and {} more waits", count - 16)),
        "{open}"
    );
}

#[test]
fn a_timed_log_with_many_open_waits_is_judged_in_time() {
    // Quadratic, this would take minutes.
    let mut log = String::new();
    for parent in 1..=30_000 {
        let millis = parent % 1000;
        let at = format!("{parent} {}.{millis:03}", 1_700_000_000 + parent / 1000);
        writeln!(log, "{at} fork() = {}", parent + 30_000).unwrap();
        writeln!(log, "{at} wait4(-1,  <unfinished ...>").unwrap();
    }
    let (_, report) = read(log);
    assert!(report.contains("; and 29984 more waits"), "{report}");
}

#[test]
fn what_is_no_log_is_refused_with_the_line_and_the_way() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    let refused = |text: &[u8]| {
        fs::write(&path, text).unwrap();
        let outcome = run(wait4_strace().args(["--read", path.to_str().unwrap()]));
        assert_eq!(outcome.status, 125, "{outcome:?}");
        outcome.stderr
    };
    let why = refused(b"\nSome prose\nand more\n");
    assert!(why.contains("line 2 is \"Some prose\""), "{why}");
    let why = refused(b"BZh91AY&SY");
    assert!(
        why.contains("bzip2 -dc FILE | wait4-strace --read -"),
        "{why}"
    );
    let own = "600   prog            +++ forked 601 +++\n\
               600   prog            wait4(601, NULL, 0, NULL) = 601  # reaped 601 prog\n";
    let why = refused(own.as_bytes());
    assert!(why.contains("--record"), "{why}");
}

#[test]
fn lines_of_others_are_counted_with_the_first_one_s_number() {
    let (_, report) = read("7 fork() = 8\nhello\n8 exit_group(0) = ?\nworld\n");
    assert!(
        report.contains("2 lines are not strace's, the first is line 2"),
        "{report}"
    );
}

#[test]
fn a_second_half_without_its_first_is_a_reap() {
    let log = "\
40 getuid() = 0
41 +++ killed by SIGTERM +++
40 <... wait4 resumed>[{WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM}], 0, NULL) = 41
40 <... waitid resumed>{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=42, si_uid=0, si_status=3, si_utime=0, si_stime=0}, WEXITED, NULL) = 0
40 +++ exited with 0 +++
";
    let (trace, report) = read(log);
    assert!(
        trace.contains("wait4(?, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM}], 0, NULL) = 41"),
        "{trace}"
    );
    assert!(trace.contains("waitid(?, ?, {si_signo=SIGCHLD"), "{trace}");
    assert!(report.contains("3 processes, 2 reaped"), "{report}");
    assert!(report.contains("2 halves of calls"), "{report}");
    let directory = TempDir::new().unwrap();
    let (path, json) = (directory.path().join("log"), directory.path().join("json"));
    fs::write(&path, log).unwrap();
    let flags = ["--format", "json", "--report", "none", "-o"];
    run(wait4_strace()
        .args(flags)
        .arg(&json)
        .arg("--read")
        .arg(&path));
    let text = fs::read_to_string(&json).unwrap();
    let wait = text
        .lines()
        .find(|line| line.contains("\"type\":\"wait\""))
        .unwrap();
    for unknown in [
        "\"duration_s\":null",
        "\"entered_ns\":null",
        "\"wstatus\":\"?\"",
    ] {
        assert!(wait.contains(unknown), "{unknown}: {wait}");
    }
    assert!(text.contains("\"began\":\"\""), "{text}");
    assert_eq!(read_again(json.to_str().unwrap()).0, trace);
}

#[test]
fn a_log_that_ends_in_a_wait_shows_it_with_what_the_child_did_last() {
    let (trace, report) = read(
        "\
60 1700000000.100000 clone(child_stack=NULL, flags=SIGCHLD) = 61
60 1700000000.200000 wait4(61,  <unfinished ...>
61 1700000000.300000 futex(0x7f00, FUTEX_WAIT, 2, NULL <unfinished ...>
",
    );
    assert!(trace.contains("wait4(61 <unfinished ...>"), "{trace}");
    let open = "the log ends in a wait: 60 is in wait4(61) since +0.100 s; 61 is in futex";
    assert!(report.contains(open), "{report}");
    for log in [
        "60 wait4(-1,  <detached ...>\n",
        "strace: Process 60 attached\nwait4(-1, strace: Process 60 detached\n <detached ...>\n",
        "Process 60 attached - interrupt to quit\nwait4(-1,  <unfinished ...>\nProcess 60 detached\n",
    ] {
        let (trace, report) = read(log);
        assert!(
            trace.contains("60                    wait4(-1 <detached ...>"),
            "{log}{trace}"
        );
        assert!(
            report.contains("the log ends in a wait: 60 is in wait4(-1)"),
            "{log}{report}"
        );
    }
}

#[test]
fn output_and_notices_amid_a_line_are_taken_out() {
    let (trace, report) = read(
        "\
execve(\"./x\", [\"./x\"], 0x7ffd /* 20 vars */) = 0
clone(Process 81 attached
child_stack=0, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f) = 81
[pid    80] wait4(81, Process 80 suspended
 <unfinished ...>
[pid    81] exit_group(3)               = ?
Process 80 resumed
Process 81 detached
<... wait4 resumed> [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 81
--- SIGCHLD (Child exited) @ 0 (0) ---
clone(child_stack=0, flags=SIGCHLD) = 82
wait4(82, hello
world
[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 82
exit_group(0)                           = ?
",
    );
    for line in [
        "80    x               +++ forked 81 +++",
        "81    x               +++ exited with 3 +++",
        "wait4(81, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 81",
        "wait4(82, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 82",
    ] {
        assert!(trace.contains(line), "{line}\n{trace}");
    }
    assert!(report.contains("3 processes, 2 reaped"), "{report}");
}

/// A run of a parent that reaps one child and leaks one.
const LEAK: &str = "\
70 1700000000.000001 execve(\"./x\", [\"./x\"], 0x7ffd /* 20 vars */) = 0
70 1700000000.000500 prctl(PR_SET_NAME, \"x\") = 0
70 1700000000.001000 rt_sigaction(SIGPIPE, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=0}, NULL, 8) = 0
70 1700000000.001500 rt_sigaction(SIGCHLD, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=SA_RESTART}, NULL, 8) = 0
70 1700000000.002000 kill(70, 0) = 0
70 1700000000.010000 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 71
70 1700000000.011000 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 72
71 1700000000.012000 exit_group(3) = ?
71 1700000000.012100 +++ exited with 3 +++
70 1700000000.013000 wait4(72,  <unfinished ...>
72 1700000000.200000 exit_group(0) = ?
72 1700000000.200100 +++ exited with 0 +++
70 1700000000.200200 <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], WUNTRACED, NULL) = 72
70 1700000003.000000 exit_group(0) = ?
70 1700000003.000100 +++ exited with 0 +++
";

#[test]
fn options_that_change_the_shape_of_lines_change_no_finding() {
    let expected = heads(&read(LEAK).1);
    assert_eq!(expected.len(), 1, "{expected:?}");
    let shapes: [(&str, Vec<(&str, &str)>); 5] = [
        (
            "-X verbose",
            vec![
                (
                    "CLONE_CHILD_SETTID|SIGCHLD",
                    "0x1000011 /* CLONE_CHILD_SETTID|SIGCHLD */",
                ),
                ("rt_sigaction(SIGCHLD", "rt_sigaction(17 /* SIGCHLD */"),
                ("sa_handler=SIG_DFL", "sa_handler=0 /* SIG_DFL */"),
                (
                    "sa_flags=SA_RESTART",
                    "sa_flags=0x10000000 /* SA_RESTART */",
                ),
                ("WUNTRACED", "0x2 /* WUNTRACED */"),
            ],
        ),
        (
            "-X raw",
            vec![
                ("CLONE_CHILD_SETTID|SIGCHLD", "0x1000011"),
                ("rt_sigaction(SIGCHLD", "rt_sigaction(0x11"),
                ("sa_handler=SIG_DFL", "sa_handler=0"),
                ("sa_flags=SA_RESTART", "sa_flags=0x10000000"),
                ("WUNTRACED", "0x2"),
            ],
        ),
        (
            "-e raw",
            vec![
                ("wait4(72,  <", "wait4(0x48,  <"),
                (
                    "[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], WUNTRACED, NULL) = 72",
                    "0x7ffd, 0x2, 0) = 0x48",
                ),
                (
                    "clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 72",
                    "clone(0x1000011, 0, 0, 0x7f, 0) = 0x48",
                ),
            ],
        ),
        (
            "-i -n",
            vec![
                ("clone(", "[00007f1f3c0e2b1a] [  56] clone("),
                ("wait4(72", "[00007f1f3c0e2b1a] [  61] wait4(72"),
                ("exit_group(", "[????????????????] [ 231] exit_group("),
                ("+++", "[????????????????] +++"),
                ("---", "[00007f1f3c0e2b1a] ---"),
            ],
        ),
        (
            "--secontext",
            vec![
                ("clone(", "[unconfined_t] clone("),
                ("wait4(72", "[unconfined_t] wait4(72 [unconfined_t]"),
            ],
        ),
    ];
    for (shape, changes) in shapes {
        let mut log = LEAK.to_owned();
        for (from, to) in changes {
            log = log
                .replace(from, to)
                .replace(&format!(" {to} +++"), " +++ +++");
        }
        let log = log.replace("exited with 3 [????????????????] +++", "exited with 3 +++");
        let log = log.replace("exited with 0 [????????????????] +++", "exited with 0 +++");
        let (trace, report) = read(&log);
        assert_eq!(heads(&report), expected, "{shape}\n{log}{trace}{report}");
        assert!(
            report.contains("3 processes, 1 reaped, 1 zombie left"),
            "{shape}\n{trace}{report}"
        );
    }
}

#[test]
fn lines_without_a_pid_are_of_the_root_and_never_of_a_child() {
    let (trace, report) = read(
        "\
[pid    31] exit_group(1)               = ?
[pid    31] +++ exited with 1 +++
<... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 1}], 0, NULL) = 31
exit_group(2)                           = ?
+++ exited with 2 +++
",
    );
    assert!(trace.contains("?                     wait4(?, "), "{trace}");
    assert!(
        trace.contains("?                     +++ exited with 2 +++"),
        "{trace}"
    );
    assert!(report.contains("2 processes, 1 reaped"), "{report}");
    // Where it asks for its pid, that is known from its first line on.
    let (trace, _) = read("fork() = 31\ngetpid() = 30\nwait4(31, NULL, 0, NULL) = 31\n");
    assert!(trace.starts_with("30 "), "{trace}");
}

#[test]
fn a_child_is_one_in_whichever_pid_namespace_it_is_named() {
    for shown_first in [true, false] {
        let (begin, end) = if shown_first {
            (
                "11 vfork( <unfinished ...>\n12 getpid() = 2\n11 <... vfork resumed>) = 2\n",
                "",
            )
        } else {
            ("11 vfork() = 2\n", "12 getpid() = 2\n")
        };
        let (trace, report) = read(format!(
            "\
10 execve(\"./x\", [\"./x\"], 0x7ffd /* 20 vars */) = 0
10 unshare(CLONE_NEWPID) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
{begin}{end}12 exit_group(0) = ?
12 +++ exited with 0 +++
11 wait4(-1, [{{WIFEXITED(s) && WEXITSTATUS(s) == 0}}], 0, NULL) = 2
11 +++ exited with 0 +++
10 wait4(11, [{{WIFEXITED(s) && WEXITSTATUS(s) == 0}}], 0, NULL) = 11
10 +++ exited with 0 +++
"
        ));
        assert!(trace.contains("= 2  # reaped 12 x"), "{trace}");
        assert!(
            report.contains("3 processes, 2 reaped, 0 zombies left"),
            "{trace}{report}"
        );
    }
}

#[test]
fn evidence_of_missing_lines_silences_what_needs_them() {
    let without = |part: &str| -> String {
        let lines = LEAK.lines().filter(|line| !line.contains(part));
        lines.flat_map(|line| [line, "\n"]).collect()
    };
    let cut = LEAK.replace(" WUNTRACED, NULL) = 72", "");
    let contradicts = LEAK.replace("NULL) = 72", "NULL) = 7");
    for (log, said) in [
        (without("wait4 resumed"), "1 half of a call"),
        (without("<unfinished"), "1 half of a call"),
        (cut, "1 call that is cut short"),
        (contradicts, "1 call that is cut short"),
        (without("= 71"), "1 task without a creator"),
    ] {
        let (_, report) = read(&log);
        assert!(heads(&report).is_empty(), "{log}{report}");
        assert!(report.contains(said), "{said}\n{report}");
    }
}

/// Take lines out of, or cut lines in, each log: what is found then was found
/// before, or is no more than an information.
#[test]
fn a_log_that_lacks_lines_gives_no_finding_that_the_whole_has_not() {
    let harm = |log: &str| -> Vec<String> {
        let mut heads = heads(&read(log).1);
        heads.retain(|head| !head.starts_with("info["));
        heads
    };
    for (name, log) in kept() {
        let lines: Vec<&str> = log.lines().collect();
        if lines.len() > 60 {
            continue;
        }
        let whole = harm(&log);
        for at in (0..lines.len()).step_by(2) {
            let half = &lines[at][..lines[at].len() / 2];
            let mut cut = lines.clone();
            cut[at] = half;
            let found = harm(&cut.join("\n"));
            let new = found.iter().find(|head| !whole.contains(head));
            assert_eq!(new, None, "{name}: line {} cut to {half}", at + 1);
        }
    }
}
