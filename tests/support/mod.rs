//! What the tests share: where the programs are, and running them with a limit.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "each test uses a part of it, and one that cannot go on has failed"
)]

pub mod call_stacks;
pub mod torture;

use std::any::Any;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use wait4_strace::rules::{self, RULES, RuleId};

/// How long a run may take before it counts as a hang. Generous: the machine
/// may be busy or, a virtual one, not run at all for a while, and nothing is
/// measured.
pub const LIMIT: Duration = Duration::from_secs(180);

/// Whether calls that were woken by a stop of the tracer's are made again on this
/// architecture.
pub const REWINDS: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// How a program ended, and what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code, or 128 + N for signal N, as a shell sees it.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// How many fixtures run at a time: more than there are CPUs, as most of them
/// sleep for most of their time.
const AT_ONCE: usize = 32;

/// The results of `check` for each of the items, in their order.
pub fn many_at_once<T: Sync, R: Send>(items: &[T], check: impl Fn(&T) -> R + Sync) -> Vec<R> {
    // The tests of a binary share them.
    static POOL: LazyLock<rayon::ThreadPool> = LazyLock::new(|| {
        // An emulated machine takes fewer (`.ci/aarch64`).
        let asked = std::env::var("WAIT4_STRACE_AT_ONCE").ok();
        let asked = asked.and_then(|count| count.parse().ok());
        let threads = rayon::ThreadPoolBuilder::new().num_threads(asked.unwrap_or(AT_ONCE));
        threads.build().unwrap()
    });
    let check = |item| panic::catch_unwind(AssertUnwindSafe(|| check(item)));
    let all: Vec<_> = POOL.install(|| items.par_iter().with_max_len(1).map(check).collect());
    // A thread of the pool writes into the output of the test that made the pool.
    let said = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
        Ok(text) => panic!("{text}"),
        Err(other) => panic::resume_unwind(other),
    };
    all.into_iter()
        .map(|one| one.unwrap_or_else(said))
        .collect()
}

/// The command under test.
pub fn wait4_strace() -> Command {
    Command::new(env!("CARGO_BIN_EXE_wait4-strace"))
}

/// The path of the program with the small tracees (`fixtures/`).
pub fn fixture_path() -> PathBuf {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_wait4-strace"));
    let path = binary.parent().unwrap().join("examples/fixture");
    assert!(
        path.exists(),
        "{} is missing: `cargo build --examples` makes it",
        path.display()
    );
    path
}

/// A fixture, untraced.
pub fn fixture(name: &str) -> Command {
    let mut command = Command::new(fixture_path());
    command.arg(name);
    command
}

/// A fixture under trace, with these flags.
pub fn traced_fixture(flags: &[&str], name: &str) -> Command {
    traced(flags, [fixture_path().as_os_str(), OsStr::new(name)])
}

/// A command under trace, with these flags.
pub fn traced<S: AsRef<OsStr>>(flags: &[&str], words: impl IntoIterator<Item = S>) -> Command {
    let mut command = wait4_strace();
    command.args(flags).arg("--").args(words);
    command
}

/// The trace and the report of a recording that is read again.
pub fn read_again(recording: &str) -> (String, String) {
    read_with(&[], recording)
}

/// The same with flags.
pub fn read_with(flags: &[&str], recording: &str) -> (String, String) {
    let directory = tempfile::TempDir::new().unwrap();
    let path = |name| directory.path().join(name).display().to_string();
    let (trace, report) = (path("trace"), path("report"));
    let files = ["--read", recording, "-o", &trace, "--report-file", &report];
    let outcome = run(wait4_strace().args(flags).args(files));
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let text = |path| std::fs::read_to_string(path).unwrap();
    (text(trace), text(report))
}

/// The rule whose name a fixture's begins with.
fn begins_with(name: &str) -> Option<RuleId> {
    let begins = |rule: &&rules::Rule| name.starts_with(&rule.name.replace('-', "_"));
    let fitting = RULES.iter().filter(begins);
    let longest = fitting.max_by_key(|rule| rule.name.len())?;
    Some(longest.id)
}

/// The rule that a fixture is named after, and whether it must be found. One
/// rule's own name begins with "not".
pub fn named_after(name: &str) -> (RuleId, bool) {
    let near_miss = || {
        let rule = begins_with(name.strip_prefix("not_")?)?;
        Some((rule, false))
    };
    let bug = begins_with(name).map(|rule| (rule, true));
    bug.or_else(near_miss).unwrap_or_else(|| {
        panic!("{name} is named after no rule; `cargo build --examples` updates the fixtures")
    })
}

/// The names of the fixtures that are bugs or near misses.
pub fn bugs() -> Vec<String> {
    let list = run(&mut fixture("bugs")).stdout;
    let names = list.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

/// The findings of a report.
pub fn heads(report: &str) -> Vec<String> {
    let heads = report.lines().filter_map(|line| {
        let (head, _) = line.split_once(": ")?;
        let known = ["error[", "warning[", "info["];
        known
            .iter()
            .any(|level| head.starts_with(level))
            .then_some(head)
    });
    let mut heads: Vec<String> = heads.map(str::to_owned).collect();
    heads.sort();
    heads
}

/// Say that a test is passed over, and why: past the harness, which shows nothing
/// of a test that passes.
pub fn passed_over(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let _ = writeln!(std::io::stderr(), "passed over: {test}: {why}");
}

/// Whether the CPU is an emulated one (`.ci/aarch64`), too slow for what is then left out.
pub fn is_too_slow_for(what: &str) -> bool {
    let is_emulated = std::env::var_os("WAIT4_STRACE_EMULATED").is_some();
    if is_emulated {
        passed_over(&format!("an emulated CPU is too slow for {what}"));
    }
    is_emulated
}

/// Whether a program is installed. A test that needs one says so when it is
/// passed over.
pub fn have(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    if !found {
        passed_over(&format!("{program} is not installed"));
    }
    found
}

/// Copy a program that will be executed. By another process: a descriptor that
/// is open for writing here goes to whatever another test forks meanwhile, and
/// while that has it the kernel executes the file for nobody (ETXTBSY).
pub fn install(from: &Path, to: &Path, mode: u32) {
    let mut install = Command::new("install");
    install.arg(format!("-m{mode:o}")).args([from, to]);
    assert!(install.status().unwrap().success(), "{install:?}");
}

/// The same with a script.
pub fn install_script(text: &str, to: &Path, mode: u32) {
    let mut install = Command::new("install");
    install.arg(format!("-m{mode:o}")).arg("/dev/stdin").arg(to);
    let mut child = install.stdin(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success(), "{install:?}");
}

/// Run to the end without input; panics with what was written if it hangs, and
/// kills its whole process group then.
pub fn run(command: &mut Command) -> Outcome {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn().unwrap();
    let stdout = reader(child.stdout.take().unwrap());
    let stderr = reader(child.stderr.take().unwrap());
    let status = wait(&mut child);
    if status.is_none() {
        let group = i32::try_from(child.id()).unwrap();
        nix::sys::signal::killpg(
            nix::unistd::Pid::from_raw(group),
            nix::sys::signal::Signal::SIGKILL,
        )
        .ok();
        child.wait().unwrap();
    }
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    let Some(status) = status else {
        panic!("{command:?} hangs; it wrote:\n{stdout}\n{stderr}");
    };
    Outcome {
        status,
        stdout,
        stderr,
    }
}

/// Wait for a child's end as a shell sees it; `None` after [`LIMIT`].
pub fn wait(child: &mut Child) -> Option<i32> {
    let begun = Instant::now();
    while begun.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().unwrap() {
            let signal = status.signal().map(|signal| 128 + signal);
            return status.code().or(signal);
        }
        thread::sleep(Duration::from_millis(2));
    }
    None
}

/// Wait until `condition` holds; panics after [`LIMIT`].
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < LIMIT, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn reader(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The directory of PostgreSQL's programs, which may stand outside of PATH.
pub fn postgres() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let directories = versions.flatten().map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has_all = |directory: &PathBuf| {
        let programs = ["initdb", "postgres", "pg_ctl", "psql"];
        programs.iter().all(|name| directory.join(name).is_file())
    };
    directories
        .filter(has_all)
        .max()
        .or_else(|| std::env::split_paths(&path).find(has_all))
}

/// Words that run a command without privilege, if we have any.
pub fn as_nobody() -> Vec<OsString> {
    if !nix::unistd::geteuid().is_root() {
        return Vec::new();
    }
    let words = [
        "setpriv",
        "--reuid=nobody",
        "--regid=nogroup",
        "--clear-groups",
    ];
    words.map(OsString::from).to_vec()
}
