//! Programs that make a tracer's life hard: storms of forks and kills, execs
//! from threads, tracers under tracers, filters, namespaces. Whatever they do,
//! nothing hangs, nobody is lost, and the status is right.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::{
    Outcome, fixture_path, have, install, passed_over, run, traced, traced_fixture, until, wait,
    wait4_strace,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The ways to trace that differ in what stops and what is kept.
const WAYS: [&[&str]; 3] = [&[], &["--seccomp-bpf=never"], &["--strace"]];

/// The variable by which a test finds its processes again.
const MARK: &str = "WAIT4_STRACE_TEST_MARK";

/// A trace of its own, with what is to be found of it afterwards. What it
/// leaves behind is killed with it.
struct Trace {
    directory: TempDir,
    mark: String,
}

impl Trace {
    fn new() -> Trace {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = tempfile::tempdir().unwrap();
        // Other users trace too.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        Trace {
            directory,
            mark: format!("hostile-{}-{next}", std::process::id()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `wait4-strace FLAGS -o log -- WORDS`
    fn command<S: AsRef<OsStr>>(
        &self,
        flags: &[&str],
        words: impl IntoIterator<Item = S>,
    ) -> Command {
        let log = self.path("log").to_string_lossy().into_owned();
        let flags: Vec<&str> = flags.iter().copied().chain(["-v", "-o", &log]).collect();
        let mut command = traced(&flags, words);
        command.env(MARK, &self.mark);
        command
    }

    fn fixture(&self, flags: &[&str], words: &[&str]) -> Command {
        let path = fixture_path();
        let words = words.iter().map(OsStr::new);
        // Standard error is compared with that of the fixture alone.
        let flags: Vec<&str> = flags.iter().copied().chain(["--report=none"]).collect();
        self.command(&flags, [path.as_os_str()].into_iter().chain(words))
    }

    fn spawn(&self, command: &mut Command) -> Child {
        let errors = fs::File::create(self.path("errors")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.path("errors")).unwrap_or_default()
    }

    /// The living processes of this trace.
    fn living(&self) -> Vec<i32> {
        let wanted = format!("{MARK}={}", self.mark);
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            let mut words = environment.split(|byte| *byte == 0);
            if words.any(|word| word == wanted.as_bytes()) {
                found.push(pid);
            }
        }
        found
    }

    fn nobody_is_left(&self) {
        until("nobody is left", || self.living().is_empty());
    }

    /// That the outcome is right and the trace is whole.
    fn check(&self, outcome: &Outcome, status: i32) {
        let log = self.log();
        assert_eq!(outcome.status, status, "{outcome:?}\n{log}");
        assert!(!outcome.stderr.contains("panicked"), "{outcome:?}");
        self.nobody_is_left();
        is_whole(&log);
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        for pid in self.living() {
            kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
        }
    }
}

/// That in an annotated log every task that was started has ended, as often.
fn is_whole(log: &str) {
    let mut tasks: HashMap<&str, (u32, u32)> = HashMap::new();
    let mut started = |tid, by| tasks.entry(tid).or_default().0 += by;
    let mut ended: Vec<&str> = Vec::new();
    for line in log.lines() {
        let tid = line.split(' ').next().unwrap();
        let word_behind = |words: &str| {
            let (_, rest) = line.split_once(words)?;
            rest.split(' ').next()
        };
        for words in [
            "+++ forked ",
            "+++ vforked ",
            "+++ cloned ",
            "+++ started thread ",
        ] {
            if let Some(child) = word_behind(words) {
                started(child, 1);
            }
        }
        if line.contains("+++ created under ") {
            started(tid, 1);
        }
        if line.contains("+++ exited with ") || line.contains("+++ killed by ") {
            ended.push(tid);
        }
        // The thread that calls exec goes on under the leader's tid.
        if let Some(former) = word_behind("+++ superseded by execve in pid ") {
            ended.push(former);
        }
    }
    let Some(root) = log.split(' ').next().filter(|root| !root.is_empty()) else {
        // Killed before its program ran.
        return;
    };
    started(root, 1);
    for tid in ended {
        tasks.entry(tid).or_default().1 += 1;
    }
    for (tid, (started, ended)) in tasks {
        assert!(
            started == ended,
            "{tid} is started {started} times and ended {ended} times:\n{log}"
        );
    }
}

/// Run a fixture in all ways; it prints what it does untraced.
fn fixture_is_unharmed(words: &[&str]) {
    let path = fixture_path();
    let plain = run(Command::new(&path).args(words));
    assert_eq!(plain.status, 0, "{words:?}: {plain:?}");
    for way in WAYS {
        let trace = Trace::new();
        let outcome = run(&mut trace.fixture(way, words));
        assert_eq!(
            outcome.status,
            0,
            "{words:?} {way:?}: {outcome:?}\n{}",
            trace.log()
        );
        assert_eq!(outcome.stdout, plain.stdout, "{words:?} {way:?}");
        assert_eq!(outcome.stderr, "", "{words:?} {way:?}");
        trace.nobody_is_left();
        if !way.contains(&"--strace") {
            is_whole(&trace.log());
        }
    }
}

#[test]
fn a_storm_of_forks_that_kill_each_other_loses_nobody() {
    fixture_is_unharmed(&["fork_storm", "1000"]);
}

#[test]
fn creators_that_are_killed_as_they_fork_lose_no_child() {
    // How many are forked before the kill is a race: only the end is equal.
    fixture_is_unharmed(&["fork_kill_parent_storm", "60"]);
}

#[test]
fn many_children_at_once_are_all_seen() {
    fixture_is_unharmed(&["many_live", "800"]);
    fixture_is_unharmed(&["fork_exit_wait", "500"]);
    fixture_is_unharmed(&["threads_fork_and_wait", "8", "30"]);
    fixture_is_unharmed(&["threads_start_and_end", "500"]);
}

#[test]
fn an_exec_by_a_thread_takes_over_the_leader_whatever_that_does() {
    fixture_is_unharmed(&["exec_from_thread_loop", "100"]);
    fixture_is_unharmed(&["exec_from_nonleader_while_leader_exits", "100"]);
    fixture_is_unharmed(&["exec_from_nonleader_thread"]);
    fixture_is_unharmed(&["leader_exits_first"].map(|name| {
        // Its own status is 7, so it is looked at alone below.
        if name == "leader_exits_first" {
            "exec_from_leader"
        } else {
            name
        }
    }));
}

#[test]
fn a_process_whose_leader_exits_first_ends_with_its_last_thread() {
    for way in WAYS {
        let trace = Trace::new();
        let outcome = run(&mut trace.fixture(way, &["leader_exits_first"]));
        assert_eq!(outcome.status, 7, "{way:?}: {outcome:?}\n{}", trace.log());
        trace.nobody_is_left();
    }
}

#[test]
fn threads_that_end_as_the_leader_execs_are_accounted_for() {
    if !have("python3") {
        return;
    }
    let script = "import os, sys, threading\n\
                  left = int(sys.argv[1])\n\
                  if left == 0: sys.exit(5)\n\
                  for _ in range(8): threading.Thread(target=lambda: None).start()\n\
                  os.execv(sys.executable, [sys.executable, '-S', '-c', sys.argv[2], \
                  str(left - 1), sys.argv[2]])\n";
    for way in WAYS {
        let trace = Trace::new();
        let words = ["python3", "-S", "-c", script, "15", script];
        let outcome = run(&mut trace.command(way, words));
        assert_eq!(outcome.status, 5, "{outcome:?}\n{}", trace.log());
        trace.nobody_is_left();
        if !way.contains(&"--strace") {
            threads_end_at_an_exec(&trace.log());
        }
    }
}

/// As [`is_whole`], for a root whose threads may be killed by its exec: they
/// too have an end of their own.
fn threads_end_at_an_exec(log: &str) {
    is_whole(log);
}

#[test]
fn vforks_many_deep_come_back_in_order() {
    fixture_is_unharmed(&["vfork_chain", "50"]);
    fixture_is_unharmed(&["vfork_exec"]);
    fixture_is_unharmed(&["posix_spawn"]);
}

#[test]
fn stops_and_continues_in_a_loop_are_passed_on() {
    fixture_is_unharmed(&["group_stop_loop", "100"]);
    fixture_is_unharmed(&["self_stop"]);
    fixture_is_unharmed(&["root_stops_itself"]);
}

#[test]
fn filters_of_the_program_s_own_work_as_without_a_trace() {
    for name in [
        "seccomp_own_filter_errno",
        "seccomp_own_filter_trap",
        "seccomp_own_filter_kill",
        "seccomp_own_filter_trace",
        "seccomp_own_filter_trace_wait4",
        "seccomp_listener",
    ] {
        fixture_is_unharmed(&[name]);
    }
}

#[test]
fn pid_namespaces_two_deep_are_followed() {
    fixture_is_unharmed(&["pidns_two_deep"]);
    fixture_is_unharmed(&["pidns_clone_newpid"]);
    fixture_is_unharmed(&["pidns_orphan_goes_to_init"]);
}

#[test]
fn children_that_want_to_escape_are_followed() {
    for name in [
        "clone_untraced",
        "clone_parent",
        "clone_no_exit_signal",
        "clone_exit_signal_usr1",
        "clone3_fork",
        "clone3_thread",
    ] {
        let plain = run(Command::new(fixture_path()).arg(name));
        for way in WAYS {
            let trace = Trace::new();
            let outcome = run(&mut trace.fixture(way, &[name]));
            assert_eq!(
                (outcome.status, &outcome.stdout),
                (plain.status, &plain.stdout),
                "{name} {way:?}: {outcome:?}\n{}",
                trace.log()
            );
            trace.nobody_is_left();
        }
    }
}

#[test]
fn a_root_that_is_killed_at_any_moment_of_a_storm_ends_the_trace() {
    // Each round kills a little later; the family goes on without its root and
    // ends by itself.
    for round in 0..40 {
        let trace = Trace::new();
        let mut command = trace.fixture(&[], &["threads_fork_and_wait", "6", "200"]);
        let mut tracer = trace.spawn(&mut command);
        until("there is a root", || {
            trace.living().len() > 1 || tracer_is_done(&mut tracer)
        });
        std::thread::sleep(Duration::from_micros(700 * round));
        let own = i32::try_from(tracer.id()).unwrap();
        for pid in children(own) {
            kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
        }
        let status = wait(&mut tracer);
        assert!(
            matches!(status, Some(137 | 0)),
            "{status:?}: {}",
            trace.errors()
        );
        assert!(!trace.errors().contains("panicked"), "{}", trace.errors());
        trace.nobody_is_left();
        is_whole(&trace.log());
    }
}

fn tracer_is_done(tracer: &mut Child) -> bool {
    tracer.try_wait().unwrap().is_some()
}

/// The children of all threads of a process.
fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists = threads
        .flatten()
        .map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let all: String = lists.collect::<Vec<_>>().join(" ");
    all.split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

#[test]
fn a_tracer_that_is_killed_at_any_moment_of_a_storm_leaves_nobody() {
    for round in 0..30 {
        for way in [&[][..], &["--seccomp-bpf=never"]] {
            let trace = Trace::new();
            let mut command = trace.fixture(way, &["threads_fork_and_wait", "6", "500"]);
            let mut tracer = trace.spawn(&mut command);
            std::thread::sleep(Duration::from_micros(900 * round));
            tracer.kill().unwrap();
            let status = wait(&mut tracer);
            assert!(matches!(status, Some(137 | 0)), "{status:?}");
            trace.nobody_is_left();
        }
    }
}

#[test]
fn members_that_are_killed_at_random_are_missed_by_nobody() {
    for way in WAYS {
        let trace = Trace::new();
        let script = "n=0; while [ $n -lt 150 ]; do n=$((n+1)); \
                      sh -c 'while :; do (exit 3); done' & a=$!; \
                      (while :; do (exit 4); done) & b=$!; \
                      (exit 3); kill -KILL $a $b; wait $a; [ $? = 137 ] || exit 9; \
                      wait $b; [ $? = 137 ] || exit 9; done; exit 6";
        let outcome = run(&mut trace.command(way, ["sh", "-c", script]));
        assert_eq!(outcome.status, 6, "{way:?}: {outcome:?}");
        trace.nobody_is_left();
        if !way.contains(&"--strace") {
            is_whole(&trace.log());
        }
    }
}

#[test]
fn termination_is_passed_on_to_the_root() {
    for (signal, number) in [(Signal::SIGTERM, 15), (Signal::SIGHUP, 1)] {
        for way in WAYS {
            let trace = Trace::new();
            let ready = trace.path("ready");
            let script = "trap 'echo > \"$0\".caught; exit 9' TERM HUP; : > \"$0\"; \
                          while :; do sleep 0.05; done";
            let words = ["sh", "-c", script, ready.to_str().unwrap()];
            let mut tracer = trace.spawn(&mut trace.command(way, words));
            until("the trap is set", || ready.exists());
            kill(Pid::from_raw(i32::try_from(tracer.id()).unwrap()), signal).unwrap();
            assert_eq!(wait(&mut tracer), Some(9), "{signal} {}", trace.log());
            assert!(trace.path("ready.caught").exists());
            trace.nobody_is_left();

            let trace = Trace::new();
            let mut tracer = trace.spawn(&mut trace.command(way, ["sleep", "1000"]));
            until("it runs", || {
                trace.log().contains("executed") || sleeps(&trace)
            });
            kill(Pid::from_raw(i32::try_from(tracer.id()).unwrap()), signal).unwrap();
            assert_eq!(wait(&mut tracer), Some(128 + number), "{signal}");
            trace.nobody_is_left();
        }
    }
}

/// Whether the program of the trace is `sleep` by now.
fn sleeps(trace: &Trace) -> bool {
    trace.living().into_iter().any(|pid| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == "sleep\n")
    })
}

#[test]
fn the_trace_ends_when_the_last_process_does() {
    for way in WAYS {
        let trace = Trace::new();
        let outcome = run(&mut trace.fixture(way, &["orphan_daemon"]));
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let log = trace.log();
        let root_s_end = log.find("exited with 0").unwrap();
        let daemon_s_end = log.rfind("exited with 3").unwrap();
        assert!(root_s_end < daemon_s_end, "{log}");
        trace.nobody_is_left();
    }
}

#[test]
fn an_interrupt_kills_what_the_root_left_and_says_so() {
    for (signal, way) in [
        (Signal::SIGINT, WAYS[0]),
        (Signal::SIGINT, WAYS[1]),
        (Signal::SIGTERM, WAYS[2]),
    ] {
        let trace = Trace::new();
        let script = "(trap '' INT TERM; while :; do sleep 0.05; done) & \
                      (trap '' INT TERM; while :; do sleep 0.05; done) & exit 4";
        let mut tracer = trace.spawn(&mut trace.command(way, ["sh", "-c", script]));
        until("the root has ended", || {
            trace.log().contains("exited with 4")
        });
        kill(Pid::from_raw(i32::try_from(tracer.id()).unwrap()), signal).unwrap();
        assert_eq!(wait(&mut tracer), Some(4), "{}", trace.errors());
        let errors = trace.errors();
        assert!(
            errors.contains("the command has ended; killing the"),
            "{errors}"
        );
        trace.nobody_is_left();
    }
}

#[test]
fn a_tracer_under_the_trace_is_refused_honestly() {
    if have("strace") {
        let trace = Trace::new();
        let outcome = run(&mut trace.command(&[], ["strace", "-o", "/dev/null", "true"]));
        assert!(
            outcome.stderr.contains("Operation not permitted"),
            "{outcome:?}"
        );
        assert_ne!(outcome.status, 0);
        trace.nobody_is_left();
    }
    if have("gdb") {
        let trace = Trace::new();
        let words = ["gdb", "-nx", "-batch", "-ex", "run", "true"];
        let outcome = run(&mut trace.command(&[], words));
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(
            said.contains("Operation not permitted") || said.contains("ptrace"),
            "{said}"
        );
        trace.nobody_is_left();
    }
    let trace = Trace::new();
    let tracer = wait4_strace();
    let tracer = tracer.get_program();
    let words = [tracer, OsStr::new("--"), OsStr::new("true")];
    let outcome = run(&mut trace.command(&[], words));
    assert_eq!(outcome.status, 125, "{outcome:?}");
    assert!(outcome.stderr.contains("cannot trace"), "{outcome:?}");
    assert!(
        outcome.stderr.contains("is traced by") && outcome.stderr.contains("outside of that trace"),
        "{outcome:?}"
    );
    trace.nobody_is_left();
    for name in ["nested_tracer", "ptrace_event_status"] {
        let trace = Trace::new();
        let outcome = run(traced_fixture(&["-qqq"], name).env(MARK, &trace.mark));
        assert!(outcome.status < 100, "{name}: {outcome:?}");
        trace.nobody_is_left();
    }
}

#[test]
fn under_a_tracer_we_are_refused_honestly_and_leave_nobody() {
    if !have("strace") {
        return;
    }
    let trace = Trace::new();
    let tracer = wait4_strace();
    let outcome = run(Command::new("strace")
        .args(["-f", "-o", "/dev/null"])
        .arg(tracer.get_program())
        .args(["--", "sh", "-c", "exit 3"])
        .env(MARK, &trace.mark));
    assert_eq!(outcome.status, 125, "{outcome:?}");
    assert!(outcome.stderr.contains("cannot trace"), "{outcome:?}");
    trace.nobody_is_left();
    // strace that does not follow lets us trace.
    let outcome = run(Command::new("strace")
        .args(["-o", "/dev/null"])
        .arg(tracer.get_program())
        .args(["--", "sh", "-c", "(exit 2); exit 3"])
        .env(MARK, &trace.mark));
    assert_eq!(outcome.status, 3, "{outcome:?}");
    assert!(outcome.stderr.contains("exited with 2"), "{outcome:?}");
    trace.nobody_is_left();
}

#[test]
fn a_tracer_that_does_not_follow_lets_another_trace_the_children() {
    let trace = Trace::new();
    let tracer = wait4_strace();
    let words = [
        tracer.get_program(),
        OsStr::new("--"),
        OsStr::new("sh"),
        OsStr::new("-c"),
        OsStr::new("(exit 2); exit 3"),
    ];
    let outcome = run(&mut trace.command(&["--no-follow"], words));
    assert_eq!(outcome.status, 3, "{outcome:?}\n{}", trace.log());
    assert!(outcome.stderr.contains("exited with 2"), "{outcome:?}");
    trace.nobody_is_left();
}

/// Words in front of a command that make it an unprivileged user's; `None`
/// where we are not root, or the kernel does not want it.
fn unprivileged() -> Option<Command> {
    if !have("setpriv") {
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=12345", "--regid=12345", "--clear-groups"]);
    let mut probe = Command::new("setpriv");
    let probe = probe.args(["--reuid=12345", "--regid=12345", "--clear-groups", "true"]);
    if run(probe).status != 0 {
        passed_over("not root");
        return None;
    }
    Some(command)
}

/// A copy of a program in the trace's directory, with this mode.
fn copy(trace: &Trace, from: &Path, name: &str, mode: u32) -> PathBuf {
    let to = trace.path(name);
    install(from, &to, mode);
    to
}

#[test]
fn an_unprivileged_user_s_namespaces_are_followed() {
    for way in WAYS {
        let Some(mut command) = unprivileged() else {
            return;
        };
        let trace = Trace::new();
        let tracer = wait4_strace();
        let tracer = copy(&trace, Path::new(tracer.get_program()), "w", 0o755);
        let fixture = copy(&trace, &fixture_path(), "fixture", 0o755);
        let script = "unshare -Urpf --mount-proc sh -c '\"$0\" pidns_two_deep; \
                      \"$0\" fork_exit_wait 50; exit 6' \"$0\"; status=$?; exit $status";
        command
            .arg(&tracer)
            .args(way)
            .args(["-v", "-o"])
            .arg(trace.path("log"))
            .args(["--", "sh", "-c", script])
            .arg(&fixture)
            .env(MARK, &trace.mark);
        let outcome = run(&mut command);
        if outcome.stderr.contains("unshare") {
            passed_over(&outcome.stderr);
            return;
        }
        assert_eq!(outcome.status, 6, "{outcome:?}\n{}", trace.log());
        assert!(outcome.stdout.contains("level 2"), "{outcome:?}");
        trace.nobody_is_left();
        if !way.contains(&"--strace") {
            is_whole(&trace.log());
        }
    }
}

/// The kernel drops what the first process of a pid namespace has no handler for, and
/// what a member of the namespace would stop it by. Of a tracee it drops all but the stop.
#[test]
fn the_first_process_of_a_namespace_is_not_stopped_from_within() {
    let of_main = "kill -TERM $$; kill -STOP $$; trap : USR1; kill -USR1 $$; exit 3";
    let of_thread = "import os, signal as s, threading as t\n\
                     def run():\n \
                     for n in s.SIGTERM, s.SIGSTOP: s.pthread_kill(t.get_ident(), n)\n\
                     it = t.Thread(target=run)\n\
                     it.start()\n\
                     it.join()\n\
                     os._exit(3)";
    let programs = [["sh", "-c", of_main], ["python3", "-c", of_thread]];
    let programs = programs.iter().filter(|program| have(program[0]));
    for (program, way) in programs.flat_map(|program| WAYS.map(|way| (program, way))) {
        let words = [&["unshare", "-pf"], &program[..]].concat();
        if run(Command::new(words[0]).args(&words[1..])).status != 3 {
            passed_over("unshare makes no pid namespace");
            return;
        }
        let trace = Trace::new();
        let log = trace.path("log");
        let flags = [way, &["-o", log.to_str().unwrap()]].concat();
        let outcome = run(traced(&flags, &words).env(MARK, &trace.mark));
        let log = trace.log();
        assert_eq!(outcome.status, 3, "{program:?} {way:?}: {outcome:?}\n{log}");
        assert!(!log.contains("stopped by"), "{log}");
        if !way.contains(&"--strace") {
            let is_dropped = |line: &&str| line.contains("# dropped: ");
            let dropped: Vec<&str> = log.lines().filter(is_dropped).collect();
            assert!(
                matches!(dropped[..], [term, stop] if term.contains("--- SIGTERM ")
                    && stop.contains("--- SIGSTOP ")),
                "{log}"
            );
        }
        trace.nobody_is_left();
    }
}

#[test]
fn a_program_that_may_not_be_read_is_traced_all_the_same() {
    for way in WAYS {
        let Some(mut command) = unprivileged() else {
            return;
        };
        let trace = Trace::new();
        let tracer = wait4_strace();
        let tracer = copy(&trace, Path::new(tracer.get_program()), "w", 0o755);
        let hidden = copy(&trace, Path::new("/bin/sh"), "hidden", 0o711);
        command
            .arg(&tracer)
            .args(way)
            .arg("--report=none")
            .args(["-v", "-o"])
            .arg(trace.path("log"))
            .arg("--")
            .arg(&hidden)
            .args(["-c", "(exit 3); (exit 4); exit 6"])
            .env(MARK, &trace.mark);
        let outcome = run(&mut command);
        let log = trace.log();
        assert_eq!(outcome.status, 6, "{way:?}: {outcome:?}\n{log}");
        assert_eq!(outcome.stderr, "", "{way:?}");
        for end in ["exited with 3", "exited with 4", "exited with 6", "wait4("] {
            assert!(log.contains(end), "{way:?}: {log}");
        }
        trace.nobody_is_left();
        if !way.contains(&"--strace") {
            is_whole(&log);
        }
    }
}

#[test]
fn a_fork_that_is_refused_is_no_event() {
    // No more processes for this user: the fork fails, the program says so.
    let Some(mut command) = unprivileged() else {
        return;
    };
    let trace = Trace::new();
    let tracer = wait4_strace();
    let tracer = copy(&trace, Path::new(tracer.get_program()), "w", 0o755);
    command
        .arg(&tracer)
        .args(["-v", "-o"])
        .arg(trace.path("log"))
        .args(["--", "prlimit", "--nproc=1", "sh", "-c", "(exit 3); exit 4"])
        .env(MARK, &trace.mark);
    let outcome = run(&mut command);
    assert_eq!(
        outcome.status,
        2,
        "a shell that cannot fork: {outcome:?}\n{}",
        trace.log()
    );
    trace.nobody_is_left();
    is_whole(&trace.log());
}

#[test]
fn a_tracer_without_descriptors_to_spare_says_so_or_works() {
    for limit in [4, 5, 6, 8, 10, 12, 16] {
        let trace = Trace::new();
        let tracer = wait4_strace();
        let outcome = run(Command::new("prlimit")
            .arg(format!("--nofile={limit}"))
            .arg(tracer.get_program())
            .args(["--", "sh", "-c", "(exit 3); exit 6"])
            .env(MARK, &trace.mark));
        assert!(
            outcome.status == 6
                || (outcome.status == 125 && outcome.stderr.contains("cannot"))
                || outcome.status == 127,
            "{limit}: {outcome:?}"
        );
        assert!(!outcome.stderr.contains("panicked"), "{limit}: {outcome:?}");
        trace.nobody_is_left();
    }
}

#[test]
fn many_polls_are_counted_and_end_right() {
    fixture_is_unharmed(&["wnohang_poll", "20000"]);
}

#[test]
fn real_time_signals_are_all_passed_on() {
    fixture_is_unharmed(&["rt_signal_stop"]);
    fixture_is_unharmed(&["siginfo_kinds"]);
    fixture_is_unharmed(&["sigsegv_handled"]);
}

#[test]
fn calls_that_a_signal_interrupts_end_as_without_a_trace() {
    for name in [
        "restart_with_sa_restart",
        "eintr_without_sa_restart",
        "restart_without_handler",
        "sigchld_handler_reaps",
        "longjmp_out_of_wait",
        "sigchld_ignored_autoreaps",
        "sa_nocldwait_autoreaps",
    ] {
        for _ in 0..3 {
            fixture_is_unharmed(&[name]);
        }
    }
}

#[test]
fn a_signal_storm_on_a_waiting_program_changes_no_result() {
    if !have("perl") {
        return;
    }
    // Handlers with and without SA_RESTART, timers, and children that end.
    // Without `safe`, perl itself crashes now and then, untraced too.
    let script = "use POSIX qw(:signal_h :sys_wait_h); use Time::HiRes qw(setitimer ITIMER_REAL);\n\
        my $n = 0; \n\
        my $act = POSIX::SigAction->new(sub { $n++ }, POSIX::SigSet->new, $ARGV[0] ? SA_RESTART : 0);\n\
        $act->safe(1); sigaction(SIGALRM, $act);\n\
        setitimer(ITIMER_REAL, 0.003, 0.003);\n\
        for my $round (1..150) {\n\
          my $pid; do { $pid = fork } until defined $pid;\n\
          if (!$pid) { setitimer(ITIMER_REAL, 0, 0); select(undef, undef, undef, 0.005); POSIX::_exit($round % 7) }\n\
          my $got; do { $got = waitpid($pid, 0) } while ($got == -1 && $!{EINTR});\n\
          die \"lost $pid\" unless $got == $pid && WEXITSTATUS($?) == $round % 7;\n\
        }\n\
        exit($n ? 6 : 7);\n";
    for way in WAYS {
        for restart in ["0", "1"] {
            let words = ["perl", "-e", script, restart];
            let mut trace = Trace::new();
            let mut outcome = run(&mut trace.command(way, words));
            // perl gives up where a child takes 120 periods of the timer.
            for _ in 0..5 {
                if outcome
                    .stderr
                    .starts_with("Maximal count of pending signals")
                {
                    trace = Trace::new();
                    outcome = run(&mut trace.command(way, words));
                }
            }
            assert_eq!(outcome.status, 6, "{way:?}: {outcome:?}");
            trace.nobody_is_left();
            if !way.contains(&"--strace") {
                is_whole(&trace.log());
            }
        }
    }
}

#[test]
fn a_program_that_traces_its_own_stepping_keeps_its_sigtraps() {
    // SIGTRAPs of the program's own are delivered, not taken for ours.
    if !have("perl") {
        return;
    }
    let script = "my $n = 0; $SIG{TRAP} = sub { $n++ }; $SIG{USR1} = sub { };\n\
        for (1..50) { my $pid = fork // die; \n\
          if (!$pid) { kill 'TRAP', getppid; kill 'USR1', getppid; kill 'TRAP', getppid; exit 3 }\n\
          my $got; do { $got = waitpid($pid, 0) } while ($got == -1 && $!{EINTR});\n\
          die unless $got == $pid && $? >> 8 == 3 }\n\
        exit($n >= 50 ? 6 : 7);\n";
    for way in WAYS {
        let trace = Trace::new();
        let outcome = run(&mut trace.command(way, ["perl", "-MErrno", "-e", script]));
        assert_eq!(outcome.status, 6, "{way:?}: {outcome:?}\n{}", trace.log());
        trace.nobody_is_left();
    }
}

#[test]
fn everything_that_is_checked_of_a_log_can_fail() {
    is_whole("1 sh +++ forked 2 +++\n2 sh +++ exited with 0 +++\n1 sh +++ exited with 0 +++\n");
    let lost = "1 sh +++ forked 2 +++\n1 sh +++ exited with 0 +++\n";
    assert!(std::panic::catch_unwind(|| is_whole(lost)).is_err());
    let trace = Trace::new();
    let outcome = run(&mut trace.command(&[], ["sh", "-c", "(exit 3); exit 6"]));
    trace.check(&outcome, 6);
}

#[test]
fn waits_that_a_supervisor_may_let_run_unseen_are_a_gap_in_the_view() {
    let fixture = fixture_path();
    let words = [fixture.as_os_str(), OsStr::new("seccomp_listener")];
    let gap = "partial view: fixture[";
    let hidden = run(&mut traced(&["-o", "/dev/null"], words));
    assert!(hidden.stderr.contains(gap), "{hidden:?}");
    let log = ["-o", "/dev/null", "--seccomp-bpf=never"];
    let seen = run(&mut traced(&log, words));
    assert!(
        seen.stderr.contains("1 reaped") && !seen.stderr.contains("partial view"),
        "{seen:?}"
    );
    let other = [fixture.as_os_str(), OsStr::new("seccomp_own_filter_errno")];
    let other = run(&mut traced(&["-o", "/dev/null"], other));
    assert!(!other.stderr.contains("partial view"), "{other:?}");
}

#[test]
fn an_argument_that_the_program_must_fill_itself_is_read_when_it_is_filled() {
    fixture_is_unharmed(&["filled_sigaction"]);
    let fixture = fixture_path();
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("recording");
    let flags = ["-o", "/dev/null", "--record", recording.to_str().unwrap()];
    let words = [fixture.as_os_str(), OsStr::new("filled_sigaction")];
    let outcome = run(&mut traced(&flags, words));
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let recording = fs::read_to_string(recording).unwrap();
    let has_read = recording
        .lines()
        .any(|line| line.contains(r#""type":"sigchld""#) && line.contains("ignore"));
    assert!(has_read, "{recording}");
}
