//! Nothing that a tracee, a record or the user's own words hold forges a line,
//! moves a cursor or turns the order of what is read: names are escaped
//! wherever they are shown.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{fixture_path, wait4_strace};
use serde_json::Value;
use tempfile::TempDir;
use wait4_strace::output::Snapshot;

/// Names of 15 bytes at most, which is what a task's name has.
const HOSTILE: [&[u8]; 9] = [
    b"\n::error::x\r\n",
    b"a\r+++ killed",
    b"\x1b]0;x\x07\x1b[2J\x7f",
    b"\xc2\x9b2J\xc2\x85\xc2\x84",
    b"\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8",
    b"\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x81\xa9",
    b"\xff\x9b\x85\xed\xa0\x80",
    b"]]>\"}\t##[error]",
    b"\x0b\x0c\x08\x00\xe2\x80\xa9",
];

/// The ways to show a trace.
const FORMS: [&[&str]; 10] = [
    &[],
    &["-y", "-Y", "-v", "-tt"],
    &["--strace", "-Y"],
    &["--report=github", "--fail-on=error"],
    &["--report=gitlab"],
    &["--format=json"],
    &["--snapshot=kept"],
    &["-c", "--timeline=run.html"],
    &["-C", "-k", "--timeline=run.svg"],
    &["-c", "--format=json", "--timeline=run.json"],
];

/// A program that loses a status, which is found at once.
const TRACEE: &str = "stolen_child_by_wildcard_wait";

/// A name that a file can have.
fn in_a_path(name: &[u8]) -> OsString {
    let possible = name.iter().filter(|byte| !b"\0/".contains(byte));
    OsString::from_vec(possible.copied().collect())
}

fn run_in(directory: &Path, command: &mut Command) -> Output {
    command.current_dir(directory).stdin(Stdio::null());
    command.env_remove("CI").output().unwrap()
}

/// A character that moves a cursor, ends a line for some reader, or turns the
/// order of what follows.
fn harms(c: char) -> bool {
    matches!(c, '\0'..='\x09' | '\x0b'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}'
        | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text, in which nothing harms. The only lines that a CI takes for
/// commands are those of its own report.
fn harmless(what: &str, bytes: &[u8]) -> String {
    let text = str::from_utf8(bytes).unwrap_or_else(|_| panic!("{what}: {}", bytes.escape_ascii()));
    if let Some(bad) = text.chars().find(|c| harms(*c)) {
        panic!("{what} shows {bad:?} in:\n{text:?}");
    }
    assert!(text.is_empty() || text.ends_with('\n'), "{what}: {text:?}");
    for line in text.lines().map(str::trim_start) {
        let is_command = line.starts_with("::") || line.starts_with("##");
        let is_ours = |head: &str| line.starts_with(&format!("::{head} title=stolen-child%3A "));
        assert!(
            !is_command || is_ours("error") || is_ours("warning"),
            "{what}: {text:?}"
        );
    }
    text.to_owned()
}

/// All that was written, harmless and with the number of its lines.
fn shown(what: &str, output: &Output) -> (usize, String) {
    let (out, err) = (&output.stdout, &output.stderr);
    let text = harmless(what, out) + &harmless(what, err);
    assert_ne!(output.status.code(), Some(101), "{what}: {text}");
    (text.lines().count(), text)
}

/// A record in every form, with the number of lines of each.
fn shown_in_all_forms(directory: &Path, record: &str) -> Vec<usize> {
    let forms = FORMS.iter().map(|form| {
        let what = format!("{record:?} in {form:?}");
        fs::write(directory.join("kept"), format!("{}\n", Snapshot::HEAD)).unwrap();
        let mut command = wait4_strace();
        command.args(*form).arg("--read").arg(record);
        let (lines, text) = shown(&what, &run_in(directory, &mut command));
        assert!(lines > 1, "{what}: {text}");
        for line in text.lines().filter(|_| form.contains(&"--format=json")) {
            serde_json::from_str::<Value>(line).unwrap();
        }
        let form = form.iter().chain(&["-o", "trace", "--report-file=report"]);
        command.args(form).arg("--update");
        run_in(directory, &mut command);
        for file in ["trace", "report", "kept", "run.html", "run.svg", "run.json"] {
            harmless(&what, &fs::read(directory.join(file)).unwrap_or_default());
        }
        lines
    });
    forms.collect()
}

#[test]
fn a_tracee_forges_nothing_by_its_name_or_arguments() {
    for name in HOSTILE {
        let directory = TempDir::new().unwrap();
        let name = in_a_path(name);
        let program = Path::new(".").join(&name);
        symlink(fixture_path(), directory.path().join(&name)).unwrap();
        for form in [&["--record=record"][..], &["--strace", "-Y"]] {
            let mut command = wait4_strace();
            command.args(form).arg("--").arg(&program).arg(TRACEE);
            let output = run_in(directory.path(), command.arg(&name));
            let (_, text) = shown(&format!("{name:?} with {form:?}"), &output);
            assert!(text.contains("+++ exited with 42 +++"), "{text}");
        }
        let record = fs::read(directory.path().join("record")).unwrap();
        let record = harmless(&format!("the record of {name:?}"), &record);
        assert!(record.contains("\"stolen-child\""), "{record}");
        shown_in_all_forms(directory.path(), "record");
    }
}

/// A record of a program with that name, made from one of a harmless name.
fn forged(record: &str, name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    // A record of ours has it escaped; one that somebody made may not.
    let quoted = serde_json::to_string(&text).unwrap();
    record.replace("NAME", quoted.trim_matches('"'))
}

#[test]
fn a_record_forges_nothing_and_its_names_make_no_lines() {
    let directory = TempDir::new().unwrap();
    let directory = directory.path();
    symlink(fixture_path(), directory.join("NAME")).unwrap();
    let mut command = wait4_strace();
    command.args(["--record=benign", "--", "./NAME", TRACEE, "NAME"]);
    run_in(directory, &mut command);
    let benign = fs::read_to_string(directory.join("benign")).unwrap();
    assert!(benign.contains("\"comm\":\"NAME\""), "{benign}");
    let lines = shown_in_all_forms(directory, "benign");
    for name in HOSTILE {
        fs::write(directory.join("forged"), forged(&benign, name)).unwrap();
        let forged = shown_in_all_forms(directory, "forged");
        assert_eq!(lines, forged, "{}", name.escape_ascii());
    }
}

#[test]
fn a_log_of_strace_forges_nothing_and_its_names_make_no_lines() {
    let directory = TempDir::new().unwrap();
    let directory = directory.path();
    let log = |name: &[u8]| {
        let log = br#"7<@> execve("./@", ["./@", "@"], 0x7ffd5e9580c8 /* 42 vars */) = 0
7<@> clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f1) = 8<@>
8<@> execve("@", ["@", "@"], 0x7ffd5e9580c8 /* 42 vars */) = 0
8<@> exit_group(3) = ?
8<@> +++ exited with 3 +++
7<@> --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=8<@>, si_uid=0} ---
7<@> wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 8<@>
7<@> wait4(8<@>, 0x7ffd5e9580c8, 0, NULL) = -1 ECHILD (No child processes)
7<@> exit_group(0) = ?
7<@> +++ exited with 0 +++
"#;
        let parts: Vec<&[u8]> = log.split(|byte| *byte == b'@').collect();
        parts.join(name)
    };
    fs::write(directory.join("benign"), log(b"NAME")).unwrap();
    let lines = shown_in_all_forms(directory, "benign");
    for name in HOSTILE {
        // A line's end is one in any log; the rest may stand there as it is.
        let one_line: Vec<u8> = name.iter().copied().filter(|byte| *byte != b'\n').collect();
        fs::write(directory.join("forged"), log(&one_line)).unwrap();
        shown_in_all_forms(directory, "forged");
        // As strace itself writes it.
        let octal: Vec<String> = name.iter().map(|byte| format!("\\{byte:03o}")).collect();
        let octal = octal.concat();
        fs::write(directory.join("forged"), log(octal.as_bytes())).unwrap();
        let forged = shown_in_all_forms(directory, "forged");
        assert_eq!(lines, forged, "{octal}");
    }
}

/// Words in which NAME is what the user got from somewhere. All are refused.
const REFUSED: [&str; 38] = [
    "NAME",
    "./NAME/NAME",
    "-p NAME",
    "-u NAME true",
    "-o NAME/NAME true",
    "-ff -o NAME/NAME true",
    "--record=NAME/NAME true",
    "--report-file=NAME/NAME true",
    "--snapshot=NAME true",
    "--snapshot=NAME/NAME --update true",
    "--suppress=NAME true",
    "--suppress=file true",
    "--read=NAME",
    "--read=file",
    "-e NAME true",
    "-e trace=NAME true",
    "--trace=NAME true",
    "--signal=NAME true",
    "--status=NAME true",
    "--duration=NAME true",
    "-a NAME true",
    "--color=NAME true",
    "--format=NAME true",
    "--report=NAME true",
    "--fail-on=NAME true",
    "--allow=NAME true",
    "--threshold=NAME true",
    "--threshold=NAME=1 true",
    "--expect-exit=NAME true",
    "--expect-signal=NAME true",
    "--explain=NAME",
    "--timeline=NAME true",
    "--timeline=NAME/NAME.svg true",
    "-c -S NAME true",
    "--zombies --watch=NAME",
    "--zombies --pidns-of=NAME",
    "--zombies -p NAME",
    "--generate=NAME",
];

/// What is said of those words with that name, and the status.
fn refused(directory: &Path, words: &str, name: &[u8]) -> (usize, Option<i32>) {
    let words = words.split(' ').map(|word| {
        let parts: Vec<&[u8]> = word.split("NAME").map(str::as_bytes).collect();
        OsString::from_vec(parts.join(name))
    });
    let words: Vec<OsString> = words.collect();
    let output = run_in(directory, wait4_strace().args(&words));
    let (lines, text) = shown(&format!("{words:?}"), &output);
    assert!(text.contains("wait4-strace: "), "{words:?}: {text}");
    (lines, output.status.code())
}

#[test]
fn the_users_own_words_come_back_harmless_in_messages() {
    let directory = TempDir::new().unwrap();
    for name in HOSTILE {
        fs::write(directory.path().join("file"), name).unwrap();
        let name = in_a_path(name);
        // Flags that take text alone refuse other bytes in words of their own.
        let like: &[u8] = name.to_str().map_or(b"\xff", |_| b"name");
        let mut options = REFUSED.to_vec();
        options.extend([
            "--NAME true",
            "--strace=NAME true",
            "--format json -o NAME/NAME true",
        ]);
        for words in options {
            let benign = refused(directory.path(), words, like);
            let hostile = refused(directory.path(), words, name.as_bytes());
            assert_eq!(benign, hostile, "{words} with {name:?}");
        }
    }
}

#[test]
fn a_kept_snapshot_forges_nothing_in_the_difference() {
    let directory = TempDir::new().unwrap();
    for name in HOSTILE {
        let name_as_text = String::from_utf8_lossy(name);
        let text = format!("{}\nroot: true\n{name_as_text}\n", Snapshot::HEAD);
        let path = in_a_path(name);
        fs::write(directory.path().join(&path), &text).unwrap();
        let mut command = wait4_strace();
        command.arg("--snapshot").arg(&path).args(["--", "true"]);
        let output = run_in(directory.path(), &mut command);
        let (_, text) = shown(&format!("{name:?}"), &output);
        assert_eq!(output.status.code(), Some(121), "{text}");
    }
}
