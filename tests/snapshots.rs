//! Snapshots: equal for every run in which the program behaved the same, and
//! different where it did not.

use std::ffi::OsStr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::support::{self, fixture_path, have, run, wait4_strace};
use tempfile::TempDir;
use wait4_strace::output::{Styles, diff};

/// The snapshot of a command; `start` are words that start the tracer.
fn snapshot<S: AsRef<OsStr>>(start: &[&str], words: impl IntoIterator<Item = S>) -> String {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("snapshot");
    let tracer = wait4_strace().get_program().to_owned();
    let mut command = Command::new(start.first().map_or(tracer.as_os_str(), OsStr::new));
    if !start.is_empty() {
        command.args(&start[1..]).arg(&tracer);
    }
    command.args(["-q", "--report", "none", "-o", "/dev/null", "--update"]);
    command.arg("--snapshot").arg(&file).arg("--").args(words);
    // Under CI nothing is ever written.
    command.env_remove("CI").current_dir(directory.path());
    let outcome = run(&mut command);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
}

fn family(change: &str) -> String {
    let path = fixture_path();
    let words = [path.as_os_str(), OsStr::new("family"), OsStr::new(change)];
    snapshot(&[], words)
}

// ---- what changes ----------------------------------------------------------

/// The changes of the fixture `family`, and a line that each adds to the diff.
const CHANGES: [(&str, &str); 16] = [
    ("lost-reap", "+  killed SIGTERM, reaped by nobody"),
    ("another-code", "+  exited 4, reaped by root"),
    ("another-signal", "+  killed SIGKILL, reaped by root"),
    (
        "extra-child",
        "+  forks root.1, root.2, root.3, root.4, root.5",
    ),
    (
        "another-option",
        "+  wait4(root.2, WUNTRACED|__WALL) = root.2 [exited 3]",
    ),
    (
        "poll",
        "+  wait4(root.2, WNOHANG|WUNTRACED) = root.2 [exited 3]",
    ),
    (
        "another-order",
        "-  wait4(root.3, WUNTRACED) = root.3 [exited 7]",
    ),
    (
        "stop-in-place-of-exit",
        "+  wait4(root.3, WUNTRACED) = root.3 [stopped SIGSTOP]",
    ),
    (
        "any-in-place-of-one",
        "-  wait4(root.2, WUNTRACED) = root.2 [exited 3]",
    ),
    (
        "one-in-place-of-any",
        "+  wait4(root.4) = root.4 [killed SIGTERM]",
    ),
    (
        "waitid-in-place-of-wait4",
        "+  waitid(P_PID, root.2, WEXITED) = root.2 [exited 3]",
    ),
    ("another-program", "+  exec fixture"),
    ("waited-twice", "+  wait4(root.2) = ECHILD"),
    (
        "looked-at-first",
        "+  waitid(P_PID, root.2, WEXITED|WNOWAIT) = root.2 [exited 3]",
    ),
    ("orphaned-grandchild", "+  exited 7, reaped by nobody"),
    ("sigchld-ignored", "+  ignores SIGCHLD"),
];

#[test]
fn a_change_of_the_program_shows_in_the_diff() {
    let before = family("");
    for (change, line) in CHANGES {
        let text = diff(&before, &family(change), "family.snap", &Styles::plain());
        let head = "--- family.snap\n+++ this run\n@@ ";
        assert!(text.starts_with(head), "{change}: {text}");
        assert!(
            text.lines().any(|shown| shown == line),
            "{change} lacks {line}\n{text}"
        );
    }
}

#[test]
fn a_snapshot_has_a_lane_for_each_process_and_names_in_place_of_pids() {
    let expected = "\
wait4-strace snapshot v1
root: fixture
  forks root.1, root.2, root.3, root.4
  wait4(root.2, WUNTRACED) = root.2 [exited 3]
  wait4(root.3, WUNTRACED) = root.3 [exited 7]
  wait4(root.1, WUNTRACED) = root.1 [stopped SIGSTOP]
  reaps by wait4(-1): root.1 [exited 0], root.4 [killed SIGTERM]
  exited 0
root.1: fixture
  stops itself by SIGSTOP
  exited 0, reaped by root
root.2: fixture
  exited 3, reaped by root
root.3: fixture
  forks root.3.1
  wait4(root.3.1) = root.3.1 [exited 7]
  exited 7, reaped by root
root.3.1: fixture
  exited 7, reaped by root.3
root.4: fixture
  killed SIGTERM, reaped by root
findings: none
";
    assert_eq!(family(""), expected);
}

// ---- what does not ---------------------------------------------------------

/// Commands whose outcome is the same each time: the program that must be
/// there, and the words. `FIXTURE` stands for the fixtures' program.
const STABLE: &[(&str, &[&str])] = &[
    ("bash", &["bash", "-c", "sleep 0.1 & sleep 0.05 & wait"]),
    (
        "bash",
        &["bash", "-c", "(exit 3) & (exit 4) & wait %1; wait"],
    ),
    ("bash", &["bash", "-c", "echo a | cat | tr a b | wc -c"]),
    ("bash", &["bash", "-c", "x=$(exit 3); y=$(sh -c 'exit 4')"]),
    (
        "bash",
        &["bash", "-c", "set -m; sleep 0.05 & wait; sh -c 'exit 2'"],
    ),
    (
        "bash",
        &["bash", "-c", "coproc cat; exec {COPROC[1]}>&-; wait"],
    ),
    ("sh", &["sh", "-c", "(exit 3) & (exit 4) & wait $!; wait"]),
    (
        "zsh",
        &["zsh", "-c", "sleep 0.05 & (exit 3) & wait; echo a | cat"],
    ),
    (
        "busybox",
        &["busybox", "sh", "-c", "(exit 3) & wait; echo a | cat"],
    ),
    (
        "make",
        &[
            "make",
            "-s",
            "-j4",
            "-f",
            "/dev/null",
            "--eval",
            MAKEFILE,
            "all",
        ],
    ),
    (
        "xargs",
        &["sh", "-c", "seq 12 | xargs -P4 -n1 sh -c 'exit 0'"],
    ),
    (
        "find",
        &["find", "/proc/self/ns", "-exec", "test", "-e", "{}", ";"],
    ),
    ("timeout", &["timeout", "9", "sh", "-c", "sleep 0.05; :"]),
    ("timeout", &["timeout", "1", "sleep", "60"]),
    ("setsid", &["setsid", "-w", "sh", "-c", "(exit 4) & wait"]),
    ("nohup", &["nohup", "sh", "-c", "sleep 0.01; exit 2"]),
    (
        "tini",
        &[
            "tini",
            "-s",
            "--",
            "sh",
            "-c",
            "sleep 0.05 & (exit 3) & wait",
        ],
    ),
    (
        "tini",
        &["tini", "-s", "--", "sh", "-c", "(sleep 0.03 &); sleep 2"],
    ),
    (
        "dumb-init",
        &["dumb-init", "sh", "-c", "sleep 0.02 & (exit 3) & wait"],
    ),
    ("python3", &["python3", "-c", POOL]),
    ("python3", &["python3", "-c", EXECUTOR]),
    ("python3", &["python3", "-c", THREADS]),
    ("python3", &["python3", "-c", POPENS]),
    ("python3", &["python3", "-c", POLLS]),
    ("node", &["node", "-e", NODE]),
    ("perl", &["perl", "-e", PERL]),
    ("ruby", &["ruby", "-e", RUBY]),
    ("git", &["git", "-c", "core.pager=cat", "-p", "help", "-g"]),
    ("bash", &["FIXTURE", "family"]),
    ("bash", &["FIXTURE", "threads_fork_and_wait"]),
    ("bash", &["FIXTURE", "wait_in_two_threads"]),
    ("bash", &["FIXTURE", "orphan_adopted_by_subreaper"]),
    ("bash", &["FIXTURE", "many_live"]),
];

const MAKEFILE: &str = "all: a b c d e f\n.PHONY: a b c d e f\na b c d e f:\n\t@sleep 0.02; true\n";
const POOL: &str = "\
import multiprocessing as m
p = m.get_context('fork').Pool(4)
p.map(abs, range(100))
p.close()
p.join()";
const EXECUTOR: &str = "\
import multiprocessing as m
from concurrent.futures import ProcessPoolExecutor as P
with P(4, mp_context=m.get_context('fork')) as p: list(p.map(abs, range(20)))";
const THREADS: &str = "\
import subprocess
from concurrent.futures import ThreadPoolExecutor as P
with P(4) as p: list(p.map(lambda i: subprocess.run(['sh', '-c', f'exit {i}']), range(8)))";
const POPENS: &str = "\
import subprocess as s
ps = [s.Popen(['sh', '-c', f'exit {i}']) for i in range(4)]
for p in ps: p.wait()";
const POLLS: &str = "\
import subprocess as s, time
ps = [s.Popen(['sh', '-c', f'sleep 0.0{i}; exit {i}']) for i in range(4)]
while ps:
    ps = [p for p in ps if p.poll() is None]
    time.sleep(0.005)";
const NODE: &str = "\
const c = require('child_process');
for (let i = 0; i < 4; i++) c.spawn('sh', ['-c', 'exit ' + i]);
c.spawnSync('true');";
const PERL: &str = "\
my @p;
for my $i (1 .. 4) { my $p = fork; exit $i if !$p; push @p, $p }
waitpid($_, 0) for @p;
system('true');
`echo a`;
wait;";
const RUBY: &str = "\
4.times.map { |i| fork { exit i } }.each { |p| Process.wait p }
system('true')
Process.waitall";

/// The variable with the number of runs of each command for the long form.
const RUNS: &str = "WAIT4_STRACE_STABILITY_RUNS";

#[test]
fn a_snapshot_is_the_same_in_each_run_whatever_the_scheduler_does() {
    let runs = std::env::var(RUNS).ok();
    let runs: usize = runs.map_or(2, |runs| runs.parse().unwrap());
    let fixture = fixture_path().display().to_string();
    let mut wrong = Vec::new();
    for (program, words) in STABLE {
        if !have(program) {
            continue;
        }
        let words = words.iter().map(|word| match *word {
            "FIXTURE" => fixture.as_str(),
            word => word,
        });
        let words: Vec<&str> = words.collect();
        check(&words, runs, &mut wrong);
    }
    if let Some(postgres) = Postgres::new() {
        let words = postgres.words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let text = snapshot(&[], &words);
        assert!(text.contains("exec postgres\n  forks"), "{text}");
        check(&words, runs, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Run a command, half of the times beside busy loops.
fn check(words: &[&str], runs: usize, wrong: &mut Vec<String>) {
    let begun = Instant::now();
    let first = snapshot(&[], words);
    let mut differing = 0;
    for turn in 1..runs {
        let is_loaded = turn % 2 == 1;
        let now = if is_loaded {
            let _load = Load::new();
            snapshot(random(&STARTS), words)
        } else {
            snapshot(&[], words)
        };
        if now != first {
            differing += 1;
            let text = diff(&first, &now, "the first run", &Styles::plain());
            wrong.push(format!("{words:?}, loaded: {is_loaded}\n{text}"));
        }
    }
    let took = begun.elapsed().as_secs();
    eprintln!("{differing} of {runs} differ in {took} s: {words:?}");
}

/// PostgreSQL with an empty cluster, started and stopped.
struct Postgres {
    directory: TempDir,
    programs: String,
}

impl Postgres {
    fn new() -> Option<Postgres> {
        let programs = support::postgres()?.display().to_string();
        let directory = TempDir::new().unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(directory.path(), open).unwrap();
        let postgres = Postgres {
            directory,
            programs,
        };
        let cluster = postgres.cluster();
        let initdb = format!("{}/initdb", postgres.programs);
        let mut words = support::as_nobody();
        words.extend([initdb, "-N".into(), "-D".into(), cluster].map(Into::into));
        let made = run(Command::new(&words[0]).args(&words[1..]));
        assert_eq!(made.status, 0, "{}", made.stderr);
        Some(postgres)
    }

    fn cluster(&self) -> String {
        self.directory.path().join("cluster").display().to_string()
    }

    /// Without autovacuum, whose workers come and go by the clock.
    fn words(&self) -> Vec<String> {
        let (programs, cluster) = (&self.programs, self.cluster());
        let options =
            format!("-c autovacuum=off -c listen_addresses= -c unix_socket_directories={cluster}");
        let control = format!("{programs}/pg_ctl -w -D {cluster} -l {cluster}/log");
        let script = format!("{control} -o '{options}' start && {control} -m fast stop");
        let user = support::as_nobody().into_iter();
        let user = user.map(|word| word.into_string().unwrap());
        let words = ["sh", "-c", &script].map(str::to_owned);
        user.chain(words).collect()
    }
}

// ---- load ------------------------------------------------------------------

/// Ways to start the tracer, and so the program, that make it slow.
const STARTS: [&[&str]; 6] = [
    &[],
    &["nice", "-n", "5"],
    &["nice", "-n", "19"],
    &["taskset", "-c", "0"],
    &["chrt", "-i", "0"],
    &["chrt", "-b", "0"],
];

fn random<T: Copy>(among: &[T]) -> T {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // Nobody needs better dice.
    among[usize::try_from(now.unwrap().subsec_nanos() / 7).unwrap() % among.len()]
}

/// Busy loops that come and go, and processes of the tree that are moved
/// between the processors and made nicer, until it is dropped.
struct Load {
    thread: Option<thread::JoinHandle<()>>,
    end: &'static AtomicBool,
}

impl Load {
    fn new() -> Load {
        let end: &'static AtomicBool = Box::leak(Box::default());
        let thread = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let loops: Vec<Child> = (0..random(&[0, 1])).map(|_| busy_loop()).collect();
                let until = Instant::now() + Duration::from_millis(random(&[20, 50, 100, 300]));
                while Instant::now() < until && !end.load(Ordering::Relaxed) {
                    disturb();
                    thread::sleep(Duration::from_millis(random(&[2, 5, 11, 23])));
                }
                for mut child in loops {
                    child.kill().unwrap();
                    child.wait().unwrap();
                }
            }
        });
        Load {
            thread: Some(thread),
            end,
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn busy_loop() -> Child {
    Command::new("sh")
        .args(["-c", "while :; do :; done"])
        .spawn()
        .unwrap()
}

/// Hold up or move some process below us: the last that was started, or one
/// that has been there for a while.
fn disturb() {
    let pids = below(std::process::id());
    let Some(pid) = (!pids.is_empty()).then(|| random(&pids).to_string()) else {
        return;
    };
    let words: &[&str] = random(&[
        &["taskset", "-p", "1"][..],
        &["taskset", "-p", "2"],
        &["taskset", "-p", "3"],
        &["renice", "-n", "19", "-p"],
        &["chrt", "-i", "-p", "0"],
        &["chrt", "-o", "-p", "0"],
    ]);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(pid);
    // It may be gone, or the program not installed.
    let _ = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// The processes below one.
fn below(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter();
    let tasks = tasks.flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let lists: Vec<String> = lists.collect();
    let words = lists.iter().flat_map(|list| list.split_whitespace());
    let children = words.filter_map(|word| word.parse().ok());
    children
        .flat_map(|child| [vec![child], below(child)].concat())
        .collect()
}
