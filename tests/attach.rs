//! Attaching to processes that run, and leaving them as they were.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and one that is passed over says so"
)]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{fixture, fixture_path, have, traced, until, wait, wait4_strace};
use tempfile::TempDir;

/// The variable by which a test finds its processes again.
const MARK: &str = "WAIT4_STRACE_TEST_MARK";

fn new_mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("attach-{}-{next}", std::process::id())
}

/// The living processes that were started with this mark.
fn marked(mark: &str) -> Vec<i32> {
    let wanted = format!("{MARK}={mark}");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let name = entry.unwrap().file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut words = environment.split(|byte| *byte == 0);
        if words.any(|word| word == wanted.as_bytes()) {
            found.push(pid);
        }
    }
    found
}

/// A field of a `status` file below `/proc`.
fn field(path: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(path.join("status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next().map(str::to_owned)
}

fn process(pid: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

fn threads(pid: i32) -> Vec<PathBuf> {
    let Ok(tasks) = fs::read_dir(process(pid).join("task")) else {
        return Vec::new();
    };
    tasks.flatten().map(|entry| entry.path()).collect()
}

/// The state letter of a process.
fn state(pid: i32) -> String {
    field(&process(pid), "State:").unwrap_or_default()
}

/// Whether every thread of `pid` is traced by `tracer`; 0 is nobody.
fn all_traced_by(pid: i32, tracer: u32) -> bool {
    let threads = threads(pid);
    let by = Some(tracer.to_string());
    !threads.is_empty() && threads.iter().all(|path| field(path, "TracerPid:") == by)
}

fn id(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap()
}

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// A program to attach to, which ends when its input does; and with the test.
struct Target {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Target {
    fn start(command: &mut Command) -> Target {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Target { child, stdout }
    }

    fn fixture(words: &[&str]) -> Target {
        let mut command = fixture(words[0]);
        Target::start(command.args(&words[1..]))
    }

    /// `fixture blocked_in_wait4 CODE`, and the child that it waits for.
    fn blocked(code: &str) -> (Target, i32) {
        let mut target = Target::fixture(&["blocked_in_wait4", code]);
        let child = target.read_child();
        target.until_in_wait4();
        (target, child)
    }

    fn pid(&self) -> i32 {
        id(&self.child)
    }

    fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// The child that the next line says is waited for.
    fn read_child(&mut self) -> i32 {
        let line = self.read_line();
        line.split_whitespace().last().unwrap().parse().unwrap()
    }

    /// Until every thread that is to sleep in a wait does.
    fn until_in_wait4(&self) {
        until("the target sleeps in wait4", || {
            threads(self.pid()).iter().any(|path| {
                fs::read_to_string(path.join("syscall")).is_ok_and(|text| text.starts_with("61 "))
            })
        });
    }

    /// Let it end, and say how it did.
    fn finish(mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        wait(&mut self.child)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// `wait4-strace` attached to something, its lines in a file; ends with the test.
struct Tracer {
    child: Child,
    directory: TempDir,
}

impl Tracer {
    fn start(flags: &[&str], pids: &[i32], command: &[&str]) -> Tracer {
        let directory = tempfile::tempdir().unwrap();
        let list: Vec<String> = pids.iter().map(ToString::to_string).collect();
        let mut tracer = wait4_strace();
        tracer
            .args(flags)
            .arg("-o")
            .arg(directory.path().join("log"))
            .args(["-p", &list.join(",")]);
        if !command.is_empty() {
            tracer.arg("--").args(command);
        }
        let errors = fs::File::create(directory.path().join("errors")).unwrap();
        let child = tracer
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .unwrap();
        Tracer { child, directory }
    }

    /// Attached to all threads of these.
    fn attached(flags: &[&str], pids: &[i32]) -> Tracer {
        let tracer = Tracer::start(flags, pids, &[]);
        until("all threads are traced", || {
            pids.iter()
                .all(|pid| all_traced_by(*pid, tracer.child.id()))
        });
        tracer
    }

    /// Wait until a target that sleeps has made its first stops and sleeps
    /// again, so that the call it is in is under trace: an interrupted thread
    /// runs or is stopped until then, and the tracer is busy.
    fn settled(&self, target: i32) {
        until("the tracer and its target sleep", || {
            let call = fs::read_to_string(format!("/proc/{}/syscall", self.child.id()));
            // In wait4 or waitid.
            let waits = ["61 ", "247 "];
            let waits = call.is_ok_and(|call| waits.iter().any(|nr| call.starts_with(nr)));
            self.errors().contains("attached")
                && waits
                && threads(target)
                    .iter()
                    .all(|path| field(path, "State:").as_deref() == Some("S"))
        });
    }

    fn send(&self, signal: Signal) {
        send(id(&self.child), signal);
    }

    fn status(&mut self) -> Option<i32> {
        wait(&mut self.child)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.directory.path().join("errors")).unwrap_or_default()
    }

    /// Wait for the end by itself, and return the lines.
    fn end(mut self, status: i32) -> String {
        let found = self.status();
        assert_eq!(found, Some(status), "{}\n{}", self.errors(), self.log());
        assert!(!self.errors().contains("panicked"), "{}", self.errors());
        self.log()
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

const ENDINGS: [(Signal, i32); 3] = [
    (Signal::SIGINT, 130),
    (Signal::SIGTERM, 143),
    (Signal::SIGHUP, 129),
];

#[test]
fn a_call_that_was_under_way_is_shown_whole() {
    let (target, child) = Target::blocked("3");
    let pid = target.pid();
    let tracer = Tracer::attached(&["--strace"], &[pid]);
    tracer.settled(pid);
    assert_eq!(target.finish(), Some(3));
    let log = tracer.end(0);
    let call =
        format!("wait4({child}, [{{WIFEXITED(s) && WEXITSTATUS(s) == 3}}], 0, NULL) = {child}");
    assert!(log.contains(&call), "{log}");
    assert!(log.contains("+++ exited with 3 +++"), "{log}");
}

#[test]
fn the_calls_of_all_threads_are_shown() {
    let mut target = Target::fixture(&["threads_blocked_in_wait4", "5"]);
    let children: Vec<i32> = (0..5).map(|_| target.read_child()).collect();
    let tracer = Tracer::attached(&[], &[target.pid()]);
    assert!(
        tracer.child.id() > 0 && threads(target.pid()).len() == 6,
        "the leader and five threads"
    );
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(0));
    let log = tracer.end(0);
    for child in children {
        assert!(log.contains(&format!("NULL) = {child}")), "{child}: {log}");
    }
}

#[test]
fn several_processes_are_attached_to_at_once() {
    let (one, first) = Target::blocked("1");
    let (two, second) = Target::blocked("2");
    let tracer = Tracer::attached(&[], &[one.pid(), two.pid(), one.pid()]);
    tracer.settled(one.pid());
    tracer.settled(two.pid());
    assert_eq!((one.finish(), two.finish()), (Some(1), Some(2)));
    let log = tracer.end(0);
    for child in [first, second] {
        assert!(log.contains(&format!("NULL) = {child}")), "{log}");
    }
}

#[test]
fn a_thread_s_id_stands_for_its_process() {
    let mut target = Target::fixture(&["threads_blocked_in_wait4", "2"]);
    let line = target.read_line();
    let thread = line.split(['/', ' ']).nth(1).unwrap().parse().unwrap();
    target.read_line();
    let tracer = Tracer::start(&[], &[thread], &[]);
    until("all threads are traced", || {
        all_traced_by(target.pid(), tracer.child.id())
    });
    assert_eq!(target.finish(), Some(0));
    tracer.end(0);
}

#[test]
fn a_command_can_be_launched_beside_an_attach_and_its_status_counts() {
    let (target, child) = Target::blocked("3");
    let tracer = Tracer::start(
        &["--strace"],
        &[target.pid()],
        &["sh", "-c", "(exit 4); exit 7"],
    );
    until("the command has ended", || {
        tracer.log().contains("exited with 7")
    });
    assert!(all_traced_by(target.pid(), tracer.child.id()));
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(3));
    let log = tracer.end(7);
    assert!(
        log.contains(&format!("NULL) = {child}")) && log.contains("exited with 4"),
        "{log}"
    );
}

#[test]
fn a_signal_that_a_launched_command_outlives_does_not_take_its_status() {
    let (target, _) = Target::blocked("3");
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let (ready, go) = (at("ready"), at("go"));
    // It outlives the grace that the attached ones are given as well.
    let script = "trap : TERM; : > \"$0\"; while [ ! -e \"$1\" ]; do sleep 0.05; done; exit 7";
    let mut tracer = Tracer::start(&[], &[target.pid()], &["sh", "-c", script, &ready, &go]);
    until("the trap is set", || Path::new(&ready).exists());
    tracer.send(Signal::SIGTERM);
    until("the target is let go", || all_traced_by(target.pid(), 0));
    std::thread::sleep(std::time::Duration::from_millis(1500));
    fs::write(&go, "").unwrap();
    let status = tracer.status();
    assert_eq!(status, Some(7), "{}\n{}", tracer.errors(), tracer.log());
    assert_eq!(target.finish(), Some(3));
}

#[test]
fn a_signal_to_the_tracer_detaches_and_leaves_the_target_as_it_was() {
    for (signal, status) in ENDINGS {
        for flags in [&[][..], &["--strace"], &["--no-follow"]] {
            let (target, _) = Target::blocked("3");
            let tracer = Tracer::attached(flags, &[target.pid()]);
            tracer.send(signal);
            let log = tracer.end(status);
            assert!(all_traced_by(target.pid(), 0), "{signal}: {log}");
            until("the target sleeps as before", || state(target.pid()) == "S");
            assert_eq!(target.finish(), Some(3), "{signal}: {log}");
        }
    }
}

#[test]
fn a_signal_right_after_the_start_is_not_lost_on_the_target() {
    // Whenever it comes, the target must be left untraced and running.
    for round in 0..30 {
        let (target, _) = Target::blocked("3");
        let mut tracer = Tracer::start(&[], &[target.pid()], &[]);
        if round % 3 == 1 {
            until("the target is traced", || {
                field(&process(target.pid()), "TracerPid:") == Some(tracer.child.id().to_string())
            });
        } else {
            std::thread::sleep(std::time::Duration::from_micros(300 * round));
        }
        tracer.send(Signal::SIGINT);
        assert_eq!(tracer.status(), Some(130), "{}", tracer.log());
        until("the target sleeps as before", || state(target.pid()) == "S");
        assert!(all_traced_by(target.pid(), 0));
        assert_eq!(target.finish(), Some(3));
    }
}

#[test]
fn a_running_target_runs_on_after_the_detach() {
    let script = "while :; do :; done";
    let target = Target::start(Command::new("sh").args(["-c", script]));
    for (signal, status) in ENDINGS {
        let tracer = Tracer::attached(&[], &[target.pid()]);
        tracer.send(signal);
        tracer.end(status);
        assert!(all_traced_by(target.pid(), 0));
        until("it runs", || state(target.pid()) == "R");
    }
}

#[test]
fn a_stopped_target_stays_stopped() {
    for (signal, status) in ENDINGS {
        let (target, _) = Target::blocked("3");
        send(target.pid(), Signal::SIGSTOP);
        until("it is stopped", || state(target.pid()) == "T");
        let tracer = Tracer::attached(&[], &[target.pid()]);
        until("its stop is seen", || {
            tracer.log().contains("stopped by SIGSTOP")
        });
        tracer.send(signal);
        tracer.end(status);
        assert!(all_traced_by(target.pid(), 0));
        // From the tracer's stop to that of the job it runs for a moment.
        until("it is stopped again", || state(target.pid()) == "T");
        send(target.pid(), Signal::SIGCONT);
        assert_eq!(target.finish(), Some(3));
    }
}

#[test]
fn a_target_that_is_stopped_and_continued_under_trace_goes_on() {
    let (target, child) = Target::blocked("3");
    let tracer = Tracer::attached(&[], &[target.pid()]);
    for _ in 0..20 {
        send(target.pid(), Signal::SIGSTOP);
        until("it is stopped", || {
            matches!(&*state(target.pid()), "T" | "t")
        });
        send(target.pid(), Signal::SIGCONT);
        until("it sleeps again", || state(target.pid()) == "S");
    }
    assert_eq!(target.finish(), Some(3));
    let log = tracer.end(0);
    assert!(log.contains(&format!("NULL) = {child}")), "{log}");
}

#[test]
fn a_target_that_was_stopped_under_trace_stays_stopped_after_the_detach() {
    let mut target = Target::fixture(&["threads_blocked_in_wait4", "3"]);
    for _ in 0..3 {
        target.read_line();
    }
    let tracer = Tracer::attached(&[], &[target.pid()]);
    send(target.pid(), Signal::SIGSTOP);
    until("its stop is seen", || {
        tracer.log().contains("stopped by SIGSTOP")
    });
    tracer.send(Signal::SIGINT);
    tracer.end(130);
    for thread in threads(target.pid()) {
        // From the tracer's stop to that of the job it runs for a moment.
        until("it is stopped", || {
            field(&thread, "State:").as_deref() == Some("T")
        });
        assert_eq!(field(&thread, "TracerPid:").as_deref(), Some("0"));
    }
    send(target.pid(), Signal::SIGCONT);
    assert_eq!(target.finish(), Some(0));
}

#[test]
fn a_killed_tracer_leaves_the_target_running_on() {
    let (target, _) = Target::blocked("3");
    let mut tracer = Tracer::attached(&[], &[target.pid()]);
    tracer.send(Signal::SIGKILL);
    assert_eq!(tracer.status(), Some(137));
    until("it is untraced", || all_traced_by(target.pid(), 0));
    assert_eq!(target.finish(), Some(3));
}

#[test]
fn a_killed_tracer_takes_what_it_launched_along() {
    for flags in [&[][..], &["--seccomp-bpf=never"], &["--no-follow"]] {
        let mark = new_mark();
        let script = "sh -c 'sleep 1000; exit' & (sleep 1000) & sleep 1000";
        let script = if flags.contains(&"--no-follow") {
            // Those that are not followed are not ours to kill.
            "while :; do :; done"
        } else {
            script
        };
        let mut command = traced(flags, ["sh", "-c", script]);
        let mut tracer = command
            .env(MARK, &mark)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let family = if flags.contains(&"--no-follow") { 2 } else { 5 };
        until("the family is there", || marked(&mark).len() >= family);
        tracer.kill().unwrap();
        assert_eq!(wait(&mut tracer), Some(137));
        until("nobody is left", || marked(&mark).is_empty());
    }
}

/// A shell that forks and waits until a file exists, and checks all it gets.
fn busy_shell(directory: &Path, mark: &str) -> Target {
    let script = "n=0; while [ ! -e \"$0\" ]; do (exit 3); [ $? = 3 ] || exit 9; \
                  n=$((n+1)); echo $n | { read m; exit 4; }; [ $? = 4 ] || exit 9; \
                  done; echo done; exit 5";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(directory.join("go"));
    Target::start(command.env(MARK, mark))
}

/// That all processes with this mark are untraced, and none is in a trace-stop.
fn nobody_is_traced(mark: &str) {
    until("nobody is traced", || {
        marked(mark).into_iter().all(|pid| {
            threads(pid).iter().all(|thread| {
                field(thread, "TracerPid:").is_none_or(|tracer| tracer == "0")
                    && field(thread, "State:").is_none_or(|state| state != "T" && state != "t")
            })
        })
    });
}

#[test]
fn a_forking_target_is_followed_and_nobody_is_lost_or_left_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let mark = new_mark();
    let target = busy_shell(directory.path(), &mark);
    for round in 0..30 {
        let tracer = Tracer::attached(&[], &[target.pid()]);
        if round % 2 == 0 {
            until("children are followed", || {
                tracer.log().matches("exited with").count() >= 20
            });
        }
        tracer.send(Signal::SIGINT);
        tracer.end(130);
        nobody_is_traced(&mark);
    }
    let tracer = Tracer::attached(&[], &[target.pid()]);
    fs::write(directory.path().join("go"), "").unwrap();
    assert_eq!(target.finish(), Some(5));
    tracer.end(0);
    until("nobody is left", || marked(&mark).is_empty());
}

#[test]
fn every_child_that_is_forked_under_an_attach_has_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let mark = new_mark();
    let target = busy_shell(directory.path(), &mark);
    let tracer = Tracer::attached(&[], &[target.pid()]);
    until("children are followed", || {
        tracer.log().matches("exited with").count() >= 100
    });
    fs::write(directory.path().join("go"), "").unwrap();
    assert_eq!(target.finish(), Some(5));
    let log = tracer.end(0);
    for line in log.lines() {
        let Some((_, child)) = line.split_once("forked ") else {
            continue;
        };
        let child = child.split_whitespace().next().unwrap();
        let begin = format!("{child} ");
        let mut ends = log.lines().filter(|line| line.starts_with(&begin));
        assert!(
            ends.any(|line| line.contains("+++ exited with")),
            "{child}: {log}"
        );
    }
}

#[test]
fn a_busy_program_is_unharmed_by_a_hundred_attaches() {
    let directory = tempfile::tempdir().unwrap();
    let mark = new_mark();
    // The fixture checks every status that it reaps, in each of its threads.
    let script = "while [ ! -e \"$0\" ]; do \"$1\" threads_fork_and_wait 4 20 > /dev/null \
                  || exit 9; (exit 3); [ $? = 3 ] || exit 8; done; echo done; exit 5";
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .arg(directory.path().join("go"));
    let target = Target::start(command.arg(fixture_path()).env(MARK, &mark));
    for round in 0..100 {
        // The shell and whoever is there besides; those may be gone by now.
        let mut pids = vec![target.pid()];
        pids.extend(marked(&mark).into_iter().filter(|pid| *pid != target.pid()));
        let mut tracer = Tracer::start(&[], &pids, &[]);
        until("the shell is traced", || {
            all_traced_by(target.pid(), tracer.child.id())
        });
        if round % 4 == 3 {
            tracer.send(Signal::SIGKILL);
            assert_eq!(tracer.status(), Some(137));
        } else {
            if round % 4 == 0 {
                until("something is traced", || tracer.log().lines().count() > 5);
            }
            tracer.send(Signal::SIGINT);
            let status = tracer.status().unwrap();
            let refused = tracer.errors().contains("cannot attach");
            assert!(status == 130 || (status == 125 && refused), "{status}");
        }
        nobody_is_traced(&mark);
    }
    fs::write(directory.path().join("go"), "").unwrap();
    assert_eq!(target.finish(), Some(5));
    until("nobody is left", || marked(&mark).is_empty());
}

#[test]
fn a_killed_tracer_of_a_busy_program_leaves_its_result_right() {
    let directory = tempfile::tempdir().unwrap();
    let mark = new_mark();
    let target = busy_shell(directory.path(), &mark);
    for _ in 0..20 {
        let mut tracer = Tracer::attached(&[], &[target.pid()]);
        tracer.send(Signal::SIGKILL);
        assert_eq!(tracer.status(), Some(137));
        nobody_is_traced(&mark);
    }
    fs::write(directory.path().join("go"), "").unwrap();
    assert_eq!(target.finish(), Some(5));
}

#[test]
fn kill_on_exit_kills_the_target_when_the_trace_ends() {
    for (signal, status) in ENDINGS {
        let mark = new_mark();
        let mut command = fixture("threads_blocked_in_wait4");
        let mut target = Target::start(command.env(MARK, &mark));
        for _ in 0..3 {
            target.read_line();
        }
        let tracer = Tracer::attached(&["--kill-on-exit"], &[target.pid()]);
        tracer.send(signal);
        let log = tracer.end(status);
        assert_eq!(wait(&mut target.child), Some(137), "{signal}");
        assert!(log.contains("killed by SIGKILL"), "{log}");
    }
    let (mut target, _) = Target::blocked("3");
    let tracer = Tracer::attached(&["--kill-on-exit"], &[target.pid()]);
    tracer.send(Signal::SIGKILL);
    assert_eq!(wait(&mut target.child), Some(137), "by the kernel");
}

#[test]
fn without_following_the_named_task_alone_is_traced() {
    let mut target = Target::fixture(&["threads_blocked_in_wait4", "2"]);
    let line = target.read_line();
    let child: i32 = line.split_whitespace().last().unwrap().parse().unwrap();
    let thread: i32 = line.split(['/', ' ']).nth(1).unwrap().parse().unwrap();
    target.read_line();
    let tracer = Tracer::start(&["--no-follow"], &[thread], &[]);
    let path = process(target.pid()).join(format!("task/{thread}"));
    until("the thread is traced", || {
        field(&path, "TracerPid:") == Some(tracer.child.id().to_string())
    });
    assert_eq!(
        field(&process(target.pid()), "TracerPid:").as_deref(),
        Some("0")
    );
    assert_eq!(field(&process(child), "TracerPid:").as_deref(), Some("0"));
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(0));
    let log = tracer.end(0);
    assert!(log.contains(&format!("NULL) = {child}")), "{log}");
}

#[test]
fn without_following_the_children_of_a_target_are_let_be() {
    let directory = tempfile::tempdir().unwrap();
    let mark = new_mark();
    let target = busy_shell(directory.path(), &mark);
    let tracer = Tracer::attached(&["--no-follow"], &[target.pid()]);
    until("its waits are seen", || {
        tracer.log().matches("WEXITSTATUS(s) == 3").count() >= 10
    });
    fs::write(directory.path().join("go"), "").unwrap();
    assert_eq!(target.finish(), Some(5));
    let log = tracer.end(0);
    assert!(!log.contains("+++ exited with 3"), "{log}");
    assert!(log.contains("+++ exited with 5"), "{log}");
}

/// A Python program in vfork: its child opens a FIFO that nobody writes to,
/// before it execs. The second is what the program writes to.
fn in_vfork(directory: &Path, mark: &str) -> Option<(Target, PathBuf)> {
    if !have("python3") {
        return None;
    }
    let fifo = directory.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = "import os, sys\n\
                  print(os.getpid(), flush=True)\n\
                  action = (os.POSIX_SPAWN_OPEN, 5, sys.argv[1], os.O_RDONLY, 0)\n\
                  pid = os.posix_spawn('/bin/sh', ['sh', '-c', 'exit 3'], os.environ, \
                  file_actions=[action])\n\
                  sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(&fifo).env(MARK, mark);
    let mut target = Target::start(&mut command);
    // Behind a shim, the interpreter may have another pid than what we started.
    let pid = target.read_line().trim().parse::<i32>().unwrap();
    if pid != target.pid() {
        eprintln!("passed over: python3 is a shim with a process of its own");
        drop(target);
        for pid in marked(mark) {
            send(pid, Signal::SIGKILL);
        }
        return None;
    }
    until("it is in vfork", || {
        state(pid) == "D" || children(pid).len() == 1
    });
    until("the child sleeps in open", || {
        children(pid).iter().all(|child| state(*child) == "S")
    });
    Some((target, fifo))
}

fn children(pid: i32) -> Vec<i32> {
    let path = process(pid).join(format!("task/{pid}/children"));
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect()
}

/// Lets the child of [`in_vfork`] go on.
fn open_fifo(fifo: &Path) {
    fs::OpenOptions::new().write(true).open(fifo).unwrap();
}

#[test]
fn a_target_in_vfork_is_followed_when_it_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let Some((target, fifo)) = in_vfork(directory.path(), &new_mark()) else {
        return;
    };
    let tracer = Tracer::start(&[], &[target.pid()], &[]);
    until("it is traced", || {
        all_traced_by(target.pid(), tracer.child.id())
    });
    open_fifo(&fifo);
    assert_eq!(target.finish(), Some(3));
    let log = tracer.end(0);
    assert!(log.contains("WEXITSTATUS(s) == 3"), "{log}");
}

#[test]
fn a_target_in_vfork_is_let_go_without_its_child() {
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let directory = tempfile::tempdir().unwrap();
        let Some((target, fifo)) = in_vfork(directory.path(), &new_mark()) else {
            return;
        };
        let mut tracer = Tracer::start(&[], &[target.pid()], &[]);
        until("it is traced", || {
            all_traced_by(target.pid(), tracer.child.id())
        });
        tracer.send(signal);
        let begun = std::time::Instant::now();
        let mut status = None;
        until("the tracer ends although the vfork goes on", || {
            status = tracer.child.try_wait().unwrap();
            status.is_some() || begun.elapsed() > std::time::Duration::from_secs(20)
        });
        let ended = status.is_some();
        open_fifo(&fifo);
        assert!(
            ended,
            "the tracer hangs until the vfork child execs: {}",
            tracer.log()
        );
        until("it is untraced", || all_traced_by(target.pid(), 0));
        assert_eq!(target.finish(), Some(3));
        assert_eq!(tracer.status(), Some(128 + signal as i32));
    }
}

#[test]
fn a_vfork_under_trace_is_let_go_with_both_its_processes() {
    let directory = tempfile::tempdir().unwrap();
    if !have("python3") {
        return;
    }
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = "import os, sys\n\
                  print(os.getpid(), flush=True)\n\
                  sys.stdin.readline()\n\
                  action = (os.POSIX_SPAWN_OPEN, 5, sys.argv[1], os.O_RDONLY, 0)\n\
                  pid = os.posix_spawn('/bin/sh', ['sh', '-c', 'exit 3'], os.environ, \
                  file_actions=[action])\n\
                  sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
    let mut command = Command::new("python3");
    let mut target = Target::start(command.args(["-c", script]).arg(&fifo));
    let pid = target.read_line().trim().parse::<i32>().unwrap();
    let tracer = Tracer::attached(&[], &[pid]);
    drop(target.child.stdin.take());
    until("it is in vfork", || children(pid).len() == 1);
    let child = children(pid)[0];
    until("the child sleeps in open", || {
        fs::read_to_string(process(child).join("syscall"))
            .is_ok_and(|text| text.starts_with("257 "))
    });
    tracer.send(Signal::SIGINT);
    let log = tracer.end(130);
    assert!(all_traced_by(pid, 0) && all_traced_by(child, 0), "{log}");
    open_fifo(&fifo);
    assert_eq!(target.finish(), Some(3));
}

#[test]
fn the_detach_is_said_for_each_process_and_can_be_silenced() {
    let (target, _) = Target::blocked("3");
    let words = |flags: &[&str], signal| {
        let directory = tempfile::tempdir().unwrap();
        let errors = directory.path().join("errors");
        let mut tracer = wait4_strace()
            .args(flags)
            .args(["-p", &target.pid().to_string()])
            .stderr(fs::File::create(&errors).unwrap())
            .spawn()
            .unwrap();
        until("it is traced", || all_traced_by(target.pid(), tracer.id()));
        send(id(&tracer), signal);
        assert_eq!(wait(&mut tracer), Some(130));
        fs::read_to_string(errors).unwrap()
    };
    let said = words(&["--strace"], Signal::SIGINT);
    let pid = target.pid();
    assert!(said.contains(&format!("Process {pid} attached")), "{said}");
    assert!(said.contains(&format!("Process {pid} detached")), "{said}");
    let said = words(&["-qqq"], Signal::SIGINT);
    assert!(!said.contains("Process"), "{said}");
    assert_eq!(target.finish(), Some(3));
}

#[test]
fn output_that_is_lost_does_not_disturb_the_target() {
    let directory = tempfile::tempdir().unwrap();
    let mark = new_mark();
    let target = busy_shell(directory.path(), &mark);
    let mut tracer = wait4_strace();
    tracer.args(["-p", &target.pid().to_string()]);
    let mut tracer = tracer.stderr(Stdio::piped()).spawn().unwrap();
    let mut byte = [0];
    let mut stderr = tracer.stderr.take().unwrap();
    stderr.read_exact(&mut byte).unwrap();
    drop(stderr);
    fs::write(directory.path().join("go"), "").unwrap();
    assert_eq!(target.finish(), Some(5));
    assert_eq!(wait(&mut tracer), Some(125));
}

#[test]
fn a_target_that_execs_from_a_thread_is_followed() {
    let mut command = Command::new("sh");
    let script = "read line; exec \"$0\" exec_from_thread_loop 30";
    let mut target = Target::start(command.args(["-c", script]).arg(fixture_path()));
    let tracer = Tracer::attached(&[], &[target.pid()]);
    drop(target.child.stdin.take());
    assert_eq!(target.read_line(), "all threads have had their exec\n");
    assert_eq!(target.finish(), Some(0));
    let log = tracer.end(0);
    assert_eq!(log.matches("superseded by execve").count(), 30, "{log}");
}

#[test]
fn a_target_is_attached_to_while_its_threads_come_and_go() {
    let target = Target::fixture(&["threads_start_and_end", "20000"]);
    for _ in 0..20 {
        if state(target.pid()) == "Z" {
            break;
        }
        let mut tracer = Tracer::start(&[], &[target.pid()], &[]);
        until("it is traced or gone", || {
            all_traced_by(target.pid(), tracer.child.id()) || state(target.pid()) == "Z"
        });
        tracer.send(Signal::SIGINT);
        assert!(tracer.status().is_some());
        assert!(!tracer.errors().contains("panicked"), "{}", tracer.errors());
    }
    assert_eq!(target.finish(), Some(0));
}

#[test]
fn words_of_the_target_reach_the_lines() {
    let (target, _) = Target::blocked("3");
    let tracer = Tracer::attached(&[], &[target.pid()]);
    let name = fixture_path();
    let name = name.file_name().and_then(OsStr::to_str).unwrap().to_owned();
    assert_eq!(target.finish(), Some(3));
    let log = tracer.end(0);
    assert!(log.lines().all(|line| line.contains(&name)), "{log}");
}

#[test]
fn threads_from_before_the_attach_were_created_by_nobody_that_is_known() {
    let mut target = Target::fixture(&["threads_blocked_in_wait4", "5"]);
    for _ in 0..5 {
        target.read_child();
    }
    let tracer = Tracer::attached(&[], &[target.pid()]);
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(0));
    let errors = tracer.errors();
    let log = tracer.end(0);
    assert!(!log.contains("created under"), "{log}");
    assert!(errors.contains("attached with 6 threads"), "{errors}");
}

#[test]
fn children_that_are_attached_too_are_no_gap_in_the_view() {
    for parent_first in [true, false] {
        let (target, child) = Target::blocked("3");
        let pids = if parent_first {
            [target.pid(), child]
        } else {
            [child, target.pid()]
        };
        let mut tracer = Tracer::attached(&[], &pids);
        tracer.settled(target.pid());
        assert_eq!(target.finish(), Some(3));
        assert_eq!(tracer.status(), Some(0));
        let errors = tracer.errors();
        assert!(!errors.contains("partial view"), "{errors}");
    }
    let (target, _) = Target::blocked("3");
    let mut tracer = Tracer::attached(&[], &[target.pid()]);
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(3));
    assert_eq!(tracer.status(), Some(0));
    let errors = tracer.errors();
    assert!(
        errors.contains("1 child from before the attach not traced"),
        "{errors}"
    );
}

#[test]
fn a_child_that_was_dead_before_the_attach_has_no_time_of_death() {
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("recording");
    // The zombie of a program that does not know it.
    let mut target = Target::start(
        Command::new("sh").args(["-c", "sh -c 'sleep 0.2; exit 3' & echo $!; exec cat"]),
    );
    let child = target.read_child();
    until("the child is a zombie", || state(child) == "Z");
    let record = recording.to_str().unwrap().to_owned();
    let flags = ["--threshold", "zombie=0.1", "--record", &record];
    let mut tracer = Tracer::attached(&flags, &[target.pid()]);
    tracer.settled(target.pid());
    // A look at the zombie.
    until("it is old enough", || {
        fs::read_to_string(&recording).is_ok_and(|text| text.contains("\"observation\""))
    });
    tracer.send(Signal::SIGINT);
    assert_eq!(tracer.status(), Some(130));
    let errors = tracer.errors();
    assert!(
        errors.contains(&format!("child   {child} sh"))
            && errors.contains("exited with 3 before the attach"),
        "{errors}"
    );
    assert!(errors.contains("|  before the attach  "), "{errors}");
    assert!(!errors.contains("exited with 3 at"), "{errors}");
    drop(target);
}

#[test]
fn kill_on_exit_kills_a_target_whose_leader_was_dead_at_the_attach() {
    for (signal, status) in ENDINGS {
        let mut target = Target::fixture(&["leader_has_left"]);
        target.read_line();
        let tracer = Tracer::start(&["--kill-on-exit"], &[target.pid()], &[]);
        until("it is attached to", || tracer.errors().contains("attached"));
        tracer.send(signal);
        tracer.end(status);
        assert_eq!(wait(&mut target.child), Some(137), "{signal}");
    }
}

/// How many zombies were looked at, by a recording so far.
fn zombies_looked_at(recording: &Path) -> usize {
    let text = fs::read_to_string(recording).unwrap_or_default();
    let looks = text
        .lines()
        .filter(|line| line.contains(r#""about":"zombie-probe""#))
        .filter_map(|line| line.split_once(r#""child":"#));
    let pids = looks.filter_map(|(_, rest)| rest.split(',').next());
    pids.collect::<std::collections::HashSet<_>>().len()
}

#[test]
fn children_from_before_the_attach_that_die_at_once_are_all_seen() {
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("recording");
    let mut target = Target::start(Command::new("sh").args([
        "-c",
        "for i in 1 2 3; do sh -c 'sleep 1; exit 3' & done; echo go; exec cat",
    ]));
    target.read_line();
    let record = recording.to_str().unwrap().to_owned();
    let flags = ["--threshold", "zombie=0.1", "--record", &record];
    let mut tracer = Tracer::attached(&flags, &[target.pid()]);
    until("all three are known to be dead", || {
        zombies_looked_at(&recording) == 3
    });
    tracer.send(Signal::SIGINT);
    assert_eq!(tracer.status(), Some(130));
    let errors = tracer.errors();
    assert!(errors.contains("3 zombies left"), "{errors}");
    drop(target);
}

#[test]
fn an_orphan_from_outside_the_trace_is_seen_when_it_dies() {
    let namespace = ["-pf", "--mount-proc", "--kill-child"];
    let can_be = have("unshare")
        && have("nsenter")
        && Command::new("unshare")
            .args(namespace)
            .arg("true")
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
    if !can_be {
        eprintln!("passed over: no new pid namespace");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("recording");
    let mut command = Command::new("unshare");
    let mut target = Target::start(
        command
            .args(namespace)
            .args(["sh", "-c", "echo go; exec cat"]),
    );
    target.read_line();
    let init = children(target.pid())[0];
    let record = recording.to_str().unwrap().to_owned();
    let flags = ["--threshold", "zombie=0.1", "--record", &record];
    let mut tracer = Tracer::attached(&flags, &[init]);
    let probe = "sh -c 'sleep 0.3 &'";
    let init = init.to_string();
    let probed = Command::new("nsenter")
        .args(["-t", &init, "-p", "-m", "sh", "-c", probe])
        .status();
    assert!(probed.unwrap().success());
    until("it is known to be dead", || {
        zombies_looked_at(&recording) == 1
    });
    tracer.send(Signal::SIGINT);
    assert_eq!(tracer.status(), Some(130));
    let errors = tracer.errors();
    assert!(
        errors.contains("warning[reaper-idle]") && errors.contains("1 zombie left"),
        "{errors}"
    );
    drop(target);
}
