//! `--zombies`: the zombies of the machine, without a trace.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;
use support::{LIMIT, Outcome, as_nobody, fixture, have, install, passed_over, run, wait4_strace};

/// A program with zombies; it ends with the test, and all below it.
struct Farm {
    child: Child,
    stdin: Option<std::process::ChildStdin>,
}

impl Farm {
    fn start(command: &mut Command) -> Farm {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        Farm { child, stdin }
    }

    /// A Python program that prints a line when it has what it is to have.
    fn python(text: &str) -> Option<Farm> {
        if !have("python3") {
            passed_over("there is no python3");
            return None;
        }
        let head = "import os, signal, sys, time, threading, ctypes\n\
            def dead(pid):\n    \
                while open(f'/proc/{pid}/stat').read().rsplit(')')[1].split()[0] != 'Z': \
                    time.sleep(0.001)\n\
            def ready():\n    print('ready', flush=True)\n";
        let text = format!("{head}{text}");
        let mut farm = Farm::start(Command::new("python3").args(["-c", &text]));
        farm.line();
        Some(farm)
    }

    fn line(&mut self) -> String {
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut line = Vec::new();
        let mut byte = [0];
        while stdout.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Look until there is something.
    fn look(&self) -> Value {
        let begun = Instant::now();
        loop {
            let look = look(&["-p", &self.pid()]);
            if !look["zombies"].as_array().unwrap().is_empty() || begun.elapsed() > LIMIT {
                return look;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Look until the first zombie has this cause.
    fn has(&self, cause: &str) -> Value {
        let begun = Instant::now();
        loop {
            let look = self.look();
            if look["zombies"][0]["cause"] == cause {
                return look["zombies"][0].clone();
            }
            assert!(begun.elapsed() < LIMIT, "{cause}: {look:#}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let group = self.child.id().cast_signed();
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

fn zombies(flags: &[&str]) -> Outcome {
    run(wait4_strace().arg("--zombies").args(flags))
}

fn look(flags: &[&str]) -> Value {
    let outcome = zombies(&[flags, &["--format", "json"]].concat());
    assert!(outcome.status <= 1, "{}", outcome.stderr);
    serde_json::from_str(&outcome.stdout).unwrap()
}

/// Fixtures, and the cause that their zombies have; they live for a minute.
#[test]
fn each_cause_is_named() {
    let causes = [
        ("zombie_leak", "zombie-leak"),
        ("parent_stopped", "parent-stopped"),
        ("vfork_stall", "vfork-stall"),
        ("sigchld_blocked", "sigchld-blocked"),
        ("leader_zombie", "leader-zombie"),
    ];
    for (name, cause) in causes {
        let farm = Farm::start(fixture(name).arg("60000"));
        let zombie = farm.has(cause);
        assert!(zombie["why"].as_str().is_some_and(|why| why.len() > 20));
        let headless = name == "leader_zombie";
        assert_eq!(zombie["is_zombie"], !headless);
        assert_eq!(zombies(&["-p", &farm.pid()]).status, i32::from(!headless));
    }
}

#[test]
fn what_the_parent_does_is_told() {
    let cases = [
        (
            "pid = os.fork() or os._exit(7)\nother = os.fork() or time.sleep(60) or os._exit(0)\n\
             dead(pid); ready(); os.waitpid(other, 0)",
            "waits-for-another",
            "alone",
        ),
        (
            "pid = os.fork() or os.setpgid(0, 0) or os._exit(7)\n\
             other = os.fork() or time.sleep(60) or os._exit(0)\n\
             dead(pid); ready(); os.waitpid(0, 0)",
            "pgrp-miss",
            "process group",
        ),
        (
            "pid = os.fork() or os._exit(7)\ndead(pid)\n\
             signal.signal(signal.SIGCHLD, signal.SIG_IGN)\nready(); time.sleep(60)",
            "sigchld-ignored-late",
            "ignores SIGCHLD",
        ),
        (
            "pid = os.fork() or os._exit(7)\ndead(pid); ready()\n\
             lock = threading.Lock(); lock.acquire(); lock.acquire()",
            "zombie-leak",
            "for a lock",
        ),
        (
            "pid = os.fork() or os._exit(7)\ndead(pid); ready()\nos.read(0, 1)",
            "zombie-leak",
            "sleeps in read",
        ),
        (
            "pid = os.fork() or os._exit(7)\ndead(pid); ready()\nwhile True: pass",
            "zombie-leak",
            "its parent runs",
        ),
        (
            "signal.signal(signal.SIGCHLD, lambda *_: None)\npid = os.fork() or os._exit(7)\n\
             dead(pid); ready(); os.read(0, 1)",
            "zombie-leak",
            "handler of SIGCHLD did not reap",
        ),
        // A child of a session's leader that is gone: 36 is PR_SET_CHILD_SUBREAPER.
        (
            "ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\npipe = os.pipe()\n\
             pid = os.fork()\n\
             if pid == 0:\n    os.setsid()\n    child = os.fork() or time.sleep(0.2) or os._exit(7)\n    \
                 os.write(pipe[1], b'%d' % child)\n    os._exit(0)\n\
             os.waitpid(pid, 0); child = int(os.read(pipe[0], 20))\n\
             dead(child); ready(); os.read(0, 1)",
            "reaper-idle",
            "adopted it",
        ),
    ];
    for (text, cause, word) in cases {
        let Some(farm) = Farm::python(text) else {
            return;
        };
        let zombie = farm.has(cause);
        let why = zombie["why"].as_str().unwrap();
        assert!(why.contains(word), "{why}");
        assert_eq!(zombie["ended"], "exited 7");
        assert_eq!(zombie["parent"]["pid"].to_string(), farm.pid());
        for field in ["help", "way_out"] {
            assert!(zombie[field].is_string(), "{zombie:#}");
        }
    }
}

#[test]
fn the_first_process_of_a_namespace_gets_all_orphans() {
    if !have("unshare") || !nix::unistd::geteuid().is_root() {
        passed_over("needs root and unshare");
        return;
    }
    let orphan = "sh -c 'sleep 0.1 &'; echo ready; exec sleep 60";
    let mut command = Command::new("unshare");
    let command = command.args(["--pid", "--fork", "--kill-child", "sh", "-c", orphan]);
    let mut farm = Farm::start(command);
    if farm.line() != "ready" {
        passed_over("no pid namespace can be made here");
        return;
    }
    let zombie = farm.has("reaper-idle");
    let why = zombie["why"].as_str().unwrap();
    assert!(why.contains("first process of its namespace"), "{why}");
    // The namespace alone, named by one of its members.
    let member = zombie["parent"]["pid"].to_string();
    let inside = look(&["--pidns-of", &member]);
    assert_eq!(inside["count"], 1, "{inside:#}");
    assert_eq!(inside["zombies"][0]["pid"], zombie["pid"]);
}

#[test]
fn the_text_says_who_why_and_what_to_do() {
    let mut farm = Farm::start(fixture("holds_a_zombie").arg("12"));
    for _ in 0..12 {
        farm.line();
    }
    let outcome = zombies(&["-p", &farm.pid()]);
    assert_eq!(outcome.status, 1);
    let text = outcome.stdout;
    let line = |word: &str| {
        text.lines()
            .find(|line| line.contains(word))
            .unwrap_or_default()
    };
    assert!(line("COMMAND").ends_with("STARTED"), "{text}");
    assert!(line("12 zombies").contains("fixture"), "{text}");
    assert!(line("exited 5").contains("├─ fixture"), "{text}");
    assert!(line("└─ … 2 more").len() > 10, "{text}");
    let head = line("[zombie-leak]");
    assert!(
        head.contains("fixture and 11 more: its parent sleeps in read"),
        "{text}"
    );
    assert!(
        line("= or: ").contains(&format!("kill {}", farm.pid())),
        "{text}"
    );
    assert!(
        text.lines()
            .last()
            .unwrap()
            .starts_with("wait4-strace: 12 zombies of 1 parent among")
    );
    assert!(!text.contains('\x1b'), "{text:?}");
    let coloured = zombies(&["-p", &farm.pid(), "--color=always"]).stdout;
    assert!(coloured.contains('\x1b'));
}

#[test]
fn without_zombies_the_status_is_zero() {
    let farm = Farm::start(Command::new("cat").arg("-"));
    let outcome = zombies(&["-p", &farm.pid()]);
    assert_eq!(outcome.status, 0, "{}", outcome.stdout);
    assert!(
        outcome.stdout.starts_with("wait4-strace: 0 zombies among "),
        "{}",
        outcome.stdout
    );
}

#[test]
fn without_privilege_it_says_what_it_could_not_see() {
    let words = as_nobody();
    let Some((first, rest)) = words.split_first() else {
        passed_over("this is somebody without privilege already");
        return;
    };
    let mut farm = Farm::start(fixture("holds_a_zombie").arg("1"));
    farm.line();
    // The binary may lie where nobody may not go.
    let room = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(room.path(), open).unwrap();
    let binary = room.path().join("wait4-strace");
    install(
        Path::new(env!("CARGO_BIN_EXE_wait4-strace")),
        &binary,
        0o755,
    );
    let mut command = Command::new(first);
    let outcome = run(command
        .args(rest)
        .arg(&binary)
        .args(["--zombies", "-p", &farm.pid()]));
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    let text = outcome.stdout;
    assert!(text.contains("not readable"), "{text}");
    assert!(!text.contains("exited 0"), "{text}");
    assert!(
        text.contains("not seen: the exit status of 1 of them"),
        "{text}"
    );
    assert!(text.contains("[hidden]"), "{text}");
}

#[test]
fn names_cannot_move_the_cursor() {
    let name = r"\x1b[2J) Z 1\n\xff";
    let text = format!(
        "pid = os.fork() or ctypes.CDLL(None).prctl(15, b'{name}', 0, 0, 0) or os._exit(7)\n\
         ctypes.CDLL(None).prctl(15, b'{name}', 0, 0, 0)\ndead(pid); ready(); os.read(0, 1)"
    );
    let Some(farm) = Farm::python(&text) else {
        return;
    };
    let zombie = farm.has("zombie-leak");
    assert_eq!(zombie["comm"], r"\33[2J) Z 1\n\377");
    let text = zombies(&["-p", &farm.pid()]).stdout;
    assert!(text.contains(r"\33[2J) Z 1\n\377"), "{text}");
    assert!(
        text.bytes().all(|byte| byte == b'\n' || byte >= b' '),
        "{text:?}"
    );
}

#[test]
fn processes_may_vanish_while_they_are_read() {
    let storm = "while :; do (exit 3) & (exit 4) & wait; done";
    let farm = Farm::start(Command::new("sh").args(["-c", storm]));
    for _ in 0..100 {
        let outcome = zombies(&["-p", &farm.pid()]);
        assert!(
            outcome.status <= 1 && outcome.stderr.is_empty(),
            "{outcome:?}"
        );
    }
}

#[test]
fn it_looks_again_and_again() {
    let farm = Farm::start(fixture("holds_a_zombie").arg("1"));
    let mut watch = wait4_strace()
        .args([
            "--zombies",
            "--watch",
            "0.05",
            "--format",
            "json",
            "-p",
            &farm.pid(),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        let look: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(look["v"], 1);
    }
    // A reader that has enough ends it.
    drop(lines);
    assert!(support::wait(&mut watch).is_some());
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (flags, word) in [
        (&["-o", "x"][..], "--output means nothing with --zombies"),
        (&["--strace"], "--strace means nothing"),
        (&["--fail-on", "error"], "--fail-on means nothing"),
        (&["true"], "a COMMAND means nothing"),
        (&["--watch", "0"], "never rest"),
        (&["--watch", "soon"], "is no time"),
        (&["--pidns-of", "0"], "0 is not in"),
        (&["--pidns-of", "4194305"], "there is no such process"),
        (&["-p", "4194305"], "there is no process 4194305"),
    ] {
        let outcome = zombies(flags);
        assert_eq!(outcome.status, 125, "{flags:?}: {}", outcome.stdout);
        assert!(
            outcome.stderr.contains(word),
            "{flags:?}: {}",
            outcome.stderr
        );
    }
    let alone = run(wait4_strace().args(["--watch", "1", "true"]));
    assert_eq!(alone.status, 125);
}
