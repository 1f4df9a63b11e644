//! `--zombies`: the zombies of the machine, without a trace.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{
    self, LIMIT, Outcome, as_nobody, fixture, have, install, passed_over, run, wait4_strace,
};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;

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

/// One look, at zombies of any age unless said otherwise.
fn look(flags: &[&str]) -> Value {
    let any_age = ["--format", "json", "--threshold", "zombie=0"];
    let outcome = zombies(&[&any_age, flags].concat());
    assert!(outcome.status <= 1, "{}", outcome.stderr);
    let look = serde_json::from_str(&outcome.stdout).unwrap();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/zombies-schema.json");
    let schema = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&look)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}: {look:#}");
    look
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
    let pid = farm.pid();
    let first = text.lines().next().unwrap();
    assert!(first.starts_with(&format!("{pid} ")), "{text}");
    assert!(
        first.ends_with("fixture holds_a_zombie 12: 12 zombies"),
        "{text}"
    );
    let own = std::process::id().to_string();
    assert!(line("  below   ").contains(&format!(" {own} ")), "{text}");
    let uid = nix::unistd::geteuid().to_string();
    assert!(line("  user    ").contains(&uid), "{text}");
    assert!(line("NAME").ends_with("STARTED"), "{text}");
    assert!(line("exited 5").contains("  fixture  "), "{text}");
    assert_eq!(line("… ").trim(), "…  2 more", "{text}");
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

/// A healthy program has a zombie at nearly any moment, for a moment.
#[test]
fn a_program_that_reaps_is_never_blamed() {
    let script = "while :; do (exit 3) & (exit 4) & wait; /bin/true | /bin/true; done";
    let shell = Farm::start(Command::new("sh").args(["-c", script]));
    let blames = |farm: &Farm| {
        let outcome = zombies(&["-p", &farm.pid()]);
        assert_eq!(outcome.status, 0, "{}", outcome.stdout);
    };
    for _ in 0..10 {
        blames(&shell);
    }
    drop(shell);
    let text = "ready()\nwhile True:\n    pid = os.fork() or os._exit(7)\n    \
        dead(pid); time.sleep(0.05); os.waitpid(pid, 0)";
    let Some(slow) = Farm::python(text) else {
        return;
    };
    // A single look meets one.
    let begun = Instant::now();
    while look(&["-p", &slow.pid()])["count"] == 0 {
        assert!(begun.elapsed() < LIMIT);
    }
    for _ in 0..5 {
        blames(&slow);
    }
}

#[test]
fn a_zombie_is_judged_from_the_age_that_is_asked_for() {
    let mut farm = Farm::start(fixture("holds_a_zombie").arg("2"));
    for _ in 0..2 {
        farm.line();
    }
    let pid = farm.pid();
    let of = |threshold: &str| zombies(&["-p", &pid, "--threshold", threshold]);
    assert_eq!(of("zombie=0").status, 1);
    assert_eq!(of("zombie=0.2").status, 1);
    let old = look(&["-p", &pid])["zombies"][0]["dead_for_seconds"].is_f64();
    if !old {
        passed_over("the kernel does not show how long it is dead");
        return;
    }
    let young = of("zombie=3600");
    assert_eq!(young.status, 0);
    let line = young.stdout.lines().last().unwrap();
    assert!(
        line.starts_with("wait4-strace: 0 zombies among ")
            && line.ends_with("; 2 more, dead for less than 60 min"),
        "{line}"
    );
    let young = look(&["-p", &pid, "--threshold", "zombie=3600"]);
    assert_eq!((&young["count"], &young["young"]), (&0.into(), &2.into()));
    assert!(young["zombies"].as_array().unwrap().is_empty());
}

#[test]
fn whose_it_is_and_what_runs_is_told() {
    let text = "pid = os.fork() or os._exit(7)\ndead(pid); ready(); os.read(0, 1)";
    let Some(farm) = Farm::python(text) else {
        return;
    };
    let zombie = farm.has("zombie-leak");
    let parent = &farm.look()["parents"][0];
    assert_eq!(parent["pid"], zombie["parent"]["pid"]);
    assert_eq!(parent["zombies"], 1);
    assert_eq!(parent["argv"][1], "-c");
    assert!(
        parent["argv"][2]
            .as_str()
            .unwrap()
            .ends_with("os.read(0, 1)"),
        "{parent:#}"
    );
    // Its memory is gone, and its arguments with it.
    assert!(zombie["argv"].is_null() && zombie["comm"].is_string());
    let uid = nix::unistd::geteuid().as_raw();
    assert_eq!((&zombie["uid"], &parent["uid"]), (&uid.into(), &uid.into()));
    if uid == 0 {
        assert_eq!(parent["user"], "root");
    }
    assert_eq!(parent["ancestors"][0]["pid"], std::process::id());
    // A process with live threads has its memory, whichever thread is dead.
    let headless = Farm::start(fixture("leader_zombie").arg("60000"));
    let process = headless.has("leader-zombie");
    assert_eq!(process["argv"][1], "leader_zombie");
}

#[test]
fn the_worst_parent_comes_first() {
    let mut one = Farm::start(fixture("holds_a_zombie").arg("1"));
    let mut two = Farm::start(fixture("holds_a_zombie").arg("2"));
    one.line();
    two.line();
    two.line();
    let both = ["-p", &one.pid(), "-p", &two.pid()];
    let parents = look(&both)["parents"].clone();
    assert_eq!(parents[0]["pid"].to_string(), two.pid());
    assert_eq!(
        (&parents[0]["zombies"], &parents[1]["zombies"]),
        (&2.into(), &1.into())
    );
    let outcome = zombies(&both);
    let text = outcome.stdout;
    let at = |pid: String| text.find(&format!("{pid} ")).unwrap();
    assert!(at(two.pid()) < at(one.pid()), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.contains("3 zombies of 2 parents"), "{text}");
    assert!(last.contains(&format!("; 2 of {} ", two.pid())), "{text}");
}

/// A control group of its own, if one can be made here.
struct Group(std::path::PathBuf);

impl Group {
    fn with(name: &str, pid: &str) -> Option<Group> {
        let unified = Path::new("/sys/fs/cgroup/unified");
        let top = if unified.exists() {
            unified
        } else {
            Path::new("/sys/fs/cgroup")
        };
        let group = Group(top.join(format!("wait4-strace-{}", std::process::id())));
        let inner = group.0.join(name);
        let made = std::fs::create_dir_all(&inner);
        let moved = made.and_then(|()| std::fs::write(inner.join("cgroup.procs"), pid));
        if let Err(error) = moved {
            passed_over(&format!("no control group can be made here: {error}"));
            return None;
        }
        Some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group can be removed once its processes are reaped.
        let begun = Instant::now();
        let inner = || std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        while begun.elapsed() < LIMIT {
            let done = inner()
                .all(|entry| !entry.path().is_dir() || std::fs::remove_dir(entry.path()).is_ok());
            if done {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_container_is_named() {
    let id = "3f2a91c07be4".repeat(6);
    let id = &id[..64];
    // Dropped after what runs in it.
    let _group;
    let mut farm = Farm::start(fixture("holds_a_zombie").arg("1"));
    farm.line();
    let Some(group) = Group::with(&format!("docker-{id}.scope"), &farm.pid()) else {
        return;
    };
    _group = group;
    let parent = farm.look()["parents"][0].clone();
    let container = &parent["cgroup"]["container"];
    assert_eq!(container["runtime"], "docker", "{parent:#}");
    assert_eq!(container["id"], id);
    let text = zombies(&["-p", &farm.pid()]).stdout;
    assert!(
        text.contains("  in      docker container 3f2a91c07be4\n"),
        "{text}"
    );
}

/// `docker exec` is such a parent.
#[test]
fn a_parent_outside_of_the_namespace_is_not_said_to_be_gone() {
    if !have("unshare") || !have("nsenter") || !nix::unistd::geteuid().is_root() {
        passed_over("needs root, unshare and nsenter");
        return;
    }
    let inside = "mount -t proc proc /proc && echo ready && exec sleep 60";
    let mut command = Command::new("unshare");
    let command = command.args([
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "sh",
        "-c",
        inside,
    ]);
    let mut room = Farm::start(command);
    if room.line() != "ready" {
        passed_over("no pid namespace can be made here");
        return;
    }
    let room_pid = proc_children(&room.pid());
    let text = format!(
        "fd = os.open('/proc/{room_pid}/ns/pid', os.O_RDONLY)\n\
         assert ctypes.CDLL(None).setns(fd, 0) == 0\n\
         pid = os.fork() or os._exit(7)\ndead(pid); ready(); os.read(0, 1)"
    );
    let Some(_parent) = Farm::python(&text) else {
        return;
    };
    let mut enter = Command::new("nsenter");
    enter.args([
        "-t",
        &room_pid,
        "-p",
        "-m",
        env!("CARGO_BIN_EXE_wait4-strace"),
    ]);
    let outcome = run(enter.args(["--zombies"]));
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.stdout.contains("[parent-outside]"), "{outcome:?}");
    assert!(!outcome.stdout.contains("kill 0"), "{outcome:?}");
}

/// The only child of a process.
fn proc_children(pid: &str) -> String {
    let path = format!("/proc/{pid}/task/{pid}/children");
    std::fs::read_to_string(path).unwrap().trim().to_owned()
}

#[test]
fn what_proc_hides_is_not_said_to_be_absent() {
    let words = as_nobody();
    if words.is_empty() || !have("unshare") {
        passed_over("needs root and unshare");
        return;
    }
    let mut farm = Farm::start(fixture("holds_a_zombie").arg("1"));
    farm.line();
    let room = open_room();
    let binary = room.path().join("wait4-strace");
    for hiding in ["invisible", "noaccess"] {
        let script =
            format!("mount -t proc -o hidepid={hiding} proc /proc && exec \"$@\" --zombies");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script, "sh"]);
        let outcome = run(command.args(&words).arg(&binary));
        if outcome.stderr.contains("mount") {
            passed_over(&format!("/proc cannot be mounted here: {}", outcome.stderr));
            return;
        }
        let text = &outcome.stdout;
        assert!(
            text.contains("not seen: other users' processes, which /proc hides (hidepid)"),
            "{outcome:?}"
        );
    }
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

/// The binary may lie where nobody may not go: a room with a copy.
fn open_room() -> tempfile::TempDir {
    let room = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(room.path(), open).unwrap();
    let binary = room.path().join("wait4-strace");
    install(
        Path::new(env!("CARGO_BIN_EXE_wait4-strace")),
        &binary,
        0o755,
    );
    room
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
    let room = open_room();
    let binary = room.path().join("wait4-strace");
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
    // What everybody may see: the arguments of the parent, and the user.
    assert!(
        text.contains("fixture holds_a_zombie 1: 1 zombie\n"),
        "{text}"
    );
    assert!(text.contains("  user    root (0)\n"), "{text}");
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
    for _ in 0..40 {
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
        (&["--threshold", "zombie"], "wants NAME=SECONDS"),
        (
            &["--threshold", "live=2"],
            "--threshold live means nothing with --zombies",
        ),
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
