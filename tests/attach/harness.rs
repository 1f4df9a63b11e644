//! A program to attach to, the tracer that does, and what `/proc` shows of both.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::{fixture, until, wait, wait4_strace};

/// The variable by which a test finds its processes again.
pub(crate) const MARK: &str = "WAIT4_STRACE_TEST_MARK";

pub(crate) fn new_mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("attach-{}-{next}", std::process::id())
}

/// The living processes that were started with this mark.
pub(crate) fn marked(mark: &str) -> Vec<i32> {
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
pub(crate) fn field(path: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(path.join("status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next().map(str::to_owned)
}

pub(crate) fn process(pid: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

pub(crate) fn threads(pid: i32) -> Vec<PathBuf> {
    let Ok(tasks) = fs::read_dir(process(pid).join("task")) else {
        return Vec::new();
    };
    tasks.flatten().map(|entry| entry.path()).collect()
}

/// The state letter of a process.
pub(crate) fn state(pid: i32) -> String {
    field(&process(pid), "State:").unwrap_or_default()
}

/// Whether every thread of `pid` is traced by `tracer`; 0 is nobody.
pub(crate) fn all_traced_by(pid: i32, tracer: u32) -> bool {
    let threads = threads(pid);
    let by = Some(tracer.to_string());
    !threads.is_empty() && threads.iter().all(|path| field(path, "TracerPid:") == by)
}

pub(crate) fn id(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap()
}

pub(crate) fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// A program to attach to, which ends when its input does; and with the test.
pub(crate) struct Target {
    pub(crate) child: Child,
    pub(crate) stdout: BufReader<ChildStdout>,
}

impl Target {
    pub(crate) fn start(command: &mut Command) -> Target {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Target { child, stdout }
    }

    pub(crate) fn fixture(words: &[&str]) -> Target {
        let mut command = fixture(words[0]);
        Target::start(command.args(&words[1..]))
    }

    /// `fixture blocked_in_wait4 CODE`, and the child that it waits for.
    pub(crate) fn blocked(code: &str) -> (Target, i32) {
        let mut target = Target::fixture(&["blocked_in_wait4", code]);
        let child = target.read_child();
        target.until_in_wait4();
        (target, child)
    }

    pub(crate) fn pid(&self) -> i32 {
        id(&self.child)
    }

    pub(crate) fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// The child that the next line says is waited for.
    pub(crate) fn read_child(&mut self) -> i32 {
        let line = self.read_line();
        line.split_whitespace().last().unwrap().parse().unwrap()
    }

    /// Until every thread that is to sleep in a wait does.
    pub(crate) fn until_in_wait4(&self) {
        let wait4 = format!("{} ", libc::SYS_wait4);
        until("the target sleeps in wait4", || {
            threads(self.pid()).iter().any(|path| {
                fs::read_to_string(path.join("syscall")).is_ok_and(|text| text.starts_with(&wait4))
            })
        });
    }

    /// Write to its input.
    pub(crate) fn say(&mut self, text: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn end_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Let it end, and say how it did.
    pub(crate) fn finish(mut self) -> Option<i32> {
        self.end_input();
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
pub(crate) struct Tracer {
    pub(crate) child: Child,
    pub(crate) directory: TempDir,
}

impl Tracer {
    pub(crate) fn start(flags: &[&str], pids: &[i32], command: &[&str]) -> Tracer {
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
    pub(crate) fn attached(flags: &[&str], pids: &[i32]) -> Tracer {
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
    pub(crate) fn settled(&self, target: i32) {
        until("the tracer and its target sleep", || {
            let call = fs::read_to_string(format!("/proc/{}/syscall", self.child.id()));
            let waits = [libc::SYS_wait4, libc::SYS_waitid].map(|nr| format!("{nr} "));
            let waits = call.is_ok_and(|call| waits.iter().any(|nr| call.starts_with(nr)));
            self.errors().contains("attached")
                && waits
                && threads(target)
                    .iter()
                    .all(|path| field(path, "State:").as_deref() == Some("S"))
        });
    }

    pub(crate) fn send(&self, signal: Signal) {
        send(id(&self.child), signal);
    }

    pub(crate) fn status(&mut self) -> Option<i32> {
        wait(&mut self.child)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(self.directory.path().join("errors")).unwrap_or_default()
    }

    /// Wait for the end by itself, and return the report.
    pub(crate) fn errors_at_end(mut self, status: i32) -> String {
        let found = self.status();
        let errors = self.errors();
        assert_eq!(found, Some(status), "{errors}\n{}", self.log());
        assert!(!errors.contains("panicked"), "{errors}");
        errors
    }

    /// Wait for the end by itself, and return the lines.
    pub(crate) fn end(mut self, status: i32) -> String {
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

/// A shell that forks and waits until a file exists, and checks all it gets.
pub(crate) fn busy_shell(directory: &Path, mark: &str) -> Target {
    let script = "n=0; while [ ! -e \"$0\" ]; do (exit 3); [ $? = 3 ] || exit 9; \
                  n=$((n+1)); echo $n | { read m; exit 4; }; [ $? = 4 ] || exit 9; \
                  done; echo done; exit 5";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(directory.join("go"));
    Target::start(command.env(MARK, mark))
}

/// That all processes with this mark are untraced, and none is in a trace-stop.
pub(crate) fn nobody_is_traced(mark: &str) {
    until("nobody is traced", || {
        marked(mark).into_iter().all(|pid| {
            threads(pid).iter().all(|thread| {
                field(thread, "TracerPid:").is_none_or(|tracer| tracer == "0")
                    && field(thread, "State:").is_none_or(|state| state != "T" && state != "t")
            })
        })
    });
}

pub(crate) fn children(pid: i32) -> Vec<i32> {
    let path = process(pid).join(format!("task/{pid}/children"));
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect()
}

/// Signals that end a trace, and the exit status then.
pub(crate) const ENDINGS: [(Signal, i32); 3] = [
    (Signal::SIGINT, 130),
    (Signal::SIGTERM, 143),
    (Signal::SIGHUP, 129),
];
