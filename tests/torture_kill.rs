//! The tracer dies, or loses its output, at any moment: attached programs go
//! on and end as they would have, launched ones are gone with it, and its file
//! holds whole lines.
//!
//! `WAIT4_STRACE_KILL_ROUNDS` says how often, `WAIT4_STRACE_KILL_SEED` which
//! rounds.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and says with which seed"
)]

mod support;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use support::torture::{MARK, Random, held, marked, new_mark, seed, wished};
use support::{fixture_path, have, until, wait, wait4_strace};
use tempfile::TempDir;

/// A program that takes some hundredths of a second, and what it prints.
struct Target {
    words: Vec<String>,
    prints: &'static str,
}

fn target(words: &[&str], prints: &'static str) -> Target {
    Target {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        prints,
    }
}

fn targets(directory: &Path) -> Vec<Target> {
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do /bin/true & wait $!; (exit 3); \
                  [ $? = 3 ] || exit 9; done; echo twelve";
    let fixture = fixture_path().display().to_string();
    let mut all = vec![
        target(&["bash", "-c", script], "twelve\n"),
        target(
            &[&fixture, "threads_fork_and_wait", "4", "20"],
            "4 threads reaped 20 children each\n",
        ),
    ];
    if have("make") {
        let makefile = directory.join("makefile");
        let rule = ".PHONY: all\nall: 1 2 3 4 5 6 7 8 9\n\t@echo made\n%:\n\t@sh -c 'true; true'\n";
        fs::write(&makefile, rule).unwrap();
        let makefile = makefile.display().to_string();
        all.push(target(&["make", "-s", "-j2", "-f", &makefile], "made\n"));
    }
    if have("unshare") && geteuid().is_root() {
        let inner = ["unshare", "-pf", "--mount-proc", "bash", "-c", script];
        all.push(target(&inner, "twelve\n"));
    }
    all
}

/// How a tracer comes to grief.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Kill,
    Segv,
    /// No more memory than it has.
    NoMemory,
    /// Its file may not grow any more.
    NoSpace,
}

const BLOWS: [Blow; 4] = [Blow::Kill, Blow::Segv, Blow::NoMemory, Blow::NoSpace];

impl Blow {
    fn strike(self, tracer: &Child) {
        let pid = i32::try_from(tracer.id()).unwrap();
        // ESRCH: the run was over before.
        match self {
            Blow::Kill => drop(kill(Pid::from_raw(pid), Signal::SIGKILL)),
            Blow::Segv => drop(kill(Pid::from_raw(pid), Signal::SIGSEGV)),
            Blow::NoMemory => limit(pid, "--as=4096:4096"),
            Blow::NoSpace => limit(pid, "--fsize=100:100"),
        }
    }

    /// Whether the tracer dies of it at once.
    fn is_deadly(self) -> bool {
        matches!(self, Blow::Kill | Blow::Segv)
    }
}

fn limit(pid: i32, what: &str) {
    let pid = pid.to_string();
    let prlimit = Command::new("prlimit")
        .args(["--pid", &pid, what])
        .stderr(Stdio::null())
        .status();
    // It may have been over before.
    let _ = prlimit.unwrap();
}

/// Start a command with a mark.
fn start(mut command: Command, mark: &str) -> Child {
    command.env(MARK, mark);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::null()).spawn().unwrap()
}

/// How it ended, and what it printed.
fn end(mut program: Child) -> (i32, String) {
    let status = wait(&mut program).unwrap_or_else(|| panic!("it hangs"));
    let mut printed = String::new();
    let mut stdout = program.stdout.take().unwrap();
    stdout.read_to_string(&mut printed).unwrap();
    (status, printed)
}

fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// Whatever happened, the file has no half of a line.
fn check_lines(log: &Path) {
    let text = fs::read(log).unwrap_or_default();
    assert!(
        text.is_empty() || text.ends_with(b"\n"),
        "half a line: {:?}",
        String::from_utf8_lossy(&text[text.len().saturating_sub(200)..])
    );
}

fn attached(target: &Target, blow: Blow, random: &mut Random, log: &Path) {
    let (mark, tracers_mark) = (new_mark(), new_mark());
    let program = start(command(&target.words), &mark);
    sleep(random.time(Duration::from_millis(15)));
    let mut tracer = wait4_strace();
    tracer
        .args(["-p", &program.id().to_string(), "-o"])
        .arg(log);
    let mut tracer = start(tracer, &tracers_mark);
    sleep(random.time(Duration::from_millis(40)));
    blow.strike(&tracer);
    assert_eq!(end(program), (0, target.prints.to_owned()));
    if blow.is_deadly() {
        tracer.wait().unwrap();
        assert_eq!(held(&mark), [""; 0]);
    } else {
        let (status, _) = end(tracer);
        // For want of memory it aborts, or its stack cannot grow.
        assert!([0, 125, 134, 139].contains(&status), "{status}");
    }
    until("everything has ended", || marked(&mark).is_empty());
    check_lines(log);
}

fn launched(target: &Target, blow: Blow, random: &mut Random, log: &Path) {
    let mark = new_mark();
    let mut tracer = wait4_strace();
    tracer.arg("-o").arg(log).arg("--").args(&target.words);
    let tracer = start(tracer, &mark);
    sleep(random.time(Duration::from_millis(60)));
    blow.strike(&tracer);
    let (status, printed) = end(tracer);
    match blow {
        // What does not kill it harms nobody else.
        Blow::NoSpace => {
            assert!([0, 125].contains(&status), "{status}");
            assert_eq!(printed, target.prints);
        }
        _ if status == 0 => assert_eq!(printed, target.prints),
        _ => {}
    }
    until("nobody runs on under the filter", || {
        marked(&mark).is_empty()
    });
    check_lines(log);
}

#[test]
fn whatever_becomes_of_the_tracer_harms_no_program() {
    if !have("prlimit") {
        return;
    }
    let directory = TempDir::new().unwrap();
    let targets = targets(directory.path());
    let (rounds, seed) = (
        wished("WAIT4_STRACE_KILL_ROUNDS", 80),
        seed("WAIT4_STRACE_KILL_SEED"),
    );
    for round in seed..seed + rounds {
        let mut random = Random::new(round);
        let (target, blow) = (random.pick(&targets), *random.pick(&BLOWS));
        let is_attached = random.below(2) == 0;
        eprintln!(
            "seed {round}: {blow:?}, {} {:?}",
            if is_attached {
                "attached to"
            } else {
                "launched"
            },
            target.words
        );
        let log = directory.path().join(format!("log-{round}"));
        if is_attached {
            attached(target, blow, &mut random, &log);
        } else {
            launched(target, blow, &mut random, &log);
        }
        let _ = fs::remove_file(log);
    }
}

#[test]
fn an_output_that_takes_nothing_harms_no_program() {
    let directory = TempDir::new().unwrap();
    for target in targets(directory.path()) {
        for output in ["/dev/full", "|true", "|exec 0<&-; sleep 0.05"] {
            let mut tracer = wait4_strace();
            tracer.args(["-o", output, "--"]).args(&target.words);
            let expected = (125, target.prints.to_owned());
            assert_eq!(end(start(tracer, &new_mark())), expected, "{output}");
        }
    }
}
