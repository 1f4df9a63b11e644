//! Output that nobody reads: it may hold up a trace, as a pager does, but no
//! signal to the tracer and no `--duration`.

use std::any::Any;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::support::{fixture_path, run, traced, until, wait, wait4_strace};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use tempfile::TempDir;

/// A child that is killed with the test, and its process group.
struct Killed(Child);

impl Killed {
    fn start(command: &mut Command) -> Killed {
        Killed(command.process_group(0).spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Its status as a shell sees it.
    fn end(&mut self) -> i32 {
        wait(&mut self.0).expect("it hangs")
    }

    /// What it wrote to standard error; it must have ended.
    fn errors(&mut self) -> String {
        let mut text = String::new();
        let stderr = self.0.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

/// A program without an end, each of whose steps makes lines.
fn busy() -> Command {
    let mut command = Command::new(fixture_path());
    command.args(["fork_exit_wait", "100000000"]);
    command.stdin(Stdio::null());
    command
}

fn field(pid: i32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().trim().to_owned()
}

/// Wait until a traced process makes no step any more, and the tracer waits for its
/// reader: on a busy machine both may not have run for a while.
fn until_it_stands_still(pid: i32) {
    let steps = || field(pid, "voluntary_ctxt_switches:");
    until("the trace stands still", || {
        let before = steps();
        let tracer = field(pid, "TracerPid:");
        let stands = || !before.is_empty() && steps() == before && !runs(pid);
        tracer != "0" && stands() && all_asleep(&tracer) && stands()
    });
}

/// Whether a process or a child of it runs, or waits for a CPU.
fn runs(pid: i32) -> bool {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    children
        .chain([pid])
        .any(|pid: i32| field(pid, "State:").starts_with('R'))
}

/// Whether all threads of this process sleep, over a while.
fn all_asleep(pid: &str) -> bool {
    (0..10).all(|_| {
        thread::sleep(Duration::from_millis(30));
        let threads = fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten();
        let mut stats =
            threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("stat")).ok());
        stats.all(|stat| stat.contains(") S "))
    })
}

/// The first child of a process's main thread.
fn child_of(pid: i32) -> i32 {
    let mut found = 0;
    until("the command runs", || {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        found = children
            .split(' ')
            .next()
            .and_then(|pid| pid.parse().ok())
            .unwrap_or(0);
        found != 0
    });
    found
}

/// Places that lines go to and nobody reads: flags, standard error, and what
/// keeps the place open.
const UNREAD: [&str; 6] = ["pipe", "json", "socket", "terminal", "fifo", "command"];

struct Unread {
    flags: Vec<String>,
    stderr: Stdio,
    /// Messages and the report go somewhere else.
    has_report: bool,
    _open: Box<dyn Any>,
}

impl Unread {
    fn new(kind: &str, directory: &Path) -> Unread {
        let (flags, stderr, open): (Vec<String>, Stdio, Box<dyn Any>) = match kind {
            "pipe" | "json" => {
                let (read, write) = std::io::pipe().unwrap();
                let flags = match kind {
                    "json" => vec!["--format=json".to_owned()],
                    _ => Vec::new(),
                };
                (flags, write.into(), Box::new(read))
            }
            "socket" => {
                let (read, write) = UnixStream::pair().unwrap();
                (Vec::new(), OwnedFd::from(write).into(), Box::new(read))
            }
            "terminal" => {
                let pty = openpty(None, None).unwrap();
                (Vec::new(), pty.slave.into(), Box::new(pty.master))
            }
            "fifo" => {
                let path = directory.join("fifo");
                mkfifo(&path, Mode::S_IRWXU).unwrap();
                let mut reader = OpenOptions::new();
                let reader = reader.read(true).custom_flags(libc::O_NONBLOCK);
                let open = reader.open(&path).unwrap();
                let flags = vec!["-o".to_owned(), path.display().to_string()];
                (flags, Stdio::piped(), Box::new(open))
            }
            _ => {
                let flags = ["-o", "|exec sleep 60 2>/dev/null"].map(str::to_owned);
                (flags.to_vec(), Stdio::piped(), Box::new(()))
            }
        };
        Unread {
            has_report: !flags.is_empty() && kind != "json",
            flags,
            stderr,
            _open: open,
        }
    }
}

/// Each place, and what ends a trace: a signal, or `--duration`. That all of them do is
/// shown with two of the places.
fn places_and_ends() -> Vec<(&'static str, Option<Signal>)> {
    let by_term = UNREAD.map(|kind| (kind, Some(Signal::SIGTERM)));
    let others = ["pipe", "fifo"].map(|kind| [(kind, Some(Signal::SIGINT)), (kind, None)]);
    [&by_term[..], others.as_flattened()].concat()
}

fn duration(end: Option<Signal>) -> &'static [&'static str] {
    // Long enough for the place to be full, or it is no test.
    if end.is_none() {
        &["--duration=6"]
    } else {
        &[]
    }
}

#[test]
fn an_attach_is_ended_whatever_the_reader_does() {
    // One at a time: where many are busy a trace seems to stand still that only waits
    // for a CPU.
    for (kind, end) in places_and_ends() {
        let directory = TempDir::new().unwrap();
        let place = Unread::new(kind, directory.path());
        let mut target = Killed::start(&mut busy());
        let mut tracer = wait4_strace();
        tracer.args(&place.flags).args(duration(end));
        tracer.args(["-p", &target.pid().to_string()]);
        tracer.stdin(Stdio::null()).stderr(place.stderr);
        let mut tracer = Killed::start(&mut tracer);
        until("it is traced", || field(target.pid(), "TracerPid:") != "0");
        if let Some(signal) = end {
            until_it_stands_still(target.pid());
            tracer.signal(signal);
        }
        until("the target goes on", || {
            field(target.pid(), "TracerPid:") == "0"
        });
        // It need not keep a CPU busy any more.
        target.signal(Signal::SIGSTOP);
        // The lines are lost, and that is said.
        assert_eq!(tracer.end(), 125, "{kind} {end:?}");
        assert!(target.0.try_wait().unwrap().is_none(), "{kind} {end:?}");
        if place.has_report {
            let errors = tracer.errors();
            assert!(errors.contains(" processes, "), "{kind} {end:?}: {errors}");
            assert!(
                errors.contains("it is not read"),
                "{kind} {end:?}: {errors}"
            );
        }
    }
}

#[test]
fn a_command_is_ended_whatever_the_reader_does() {
    for (kind, end) in places_and_ends() {
        let directory = TempDir::new().unwrap();
        let place = Unread::new(kind, directory.path());
        let command = busy();
        let words = [command.get_program()]
            .into_iter()
            .chain(command.get_args());
        let mut flags: Vec<&str> = place.flags.iter().map(String::as_str).collect();
        flags.extend(duration(end));
        let mut tracer = traced(&flags, words);
        tracer.stdin(Stdio::null()).stderr(place.stderr);
        let mut tracer = Killed::start(&mut tracer);
        let root = child_of(tracer.pid());
        if let Some(signal) = end {
            until_it_stands_still(root);
            if signal == Signal::SIGINT {
                // As the key sends it: to tracer and command.
                killpg(Pid::from_raw(tracer.pid()), signal).unwrap();
            } else {
                tracer.signal(signal);
            }
        }
        assert_eq!(tracer.end(), 125, "{kind} {end:?}");
        if place.has_report {
            let errors = tracer.errors();
            assert!(errors.contains(" processes, "), "{kind} {end:?}: {errors}");
        }
    }
}

#[test]
fn a_task_s_file_that_cannot_be_opened_yet_holds_up_no_signal() {
    let directory = TempDir::new().unwrap();
    let mut target = Killed::start(&mut busy());
    let prefix = directory.path().join("log");
    let file = directory.path().join(format!("log.{}", target.pid()));
    mkfifo(&file, Mode::S_IRWXU).unwrap();
    let mut tracer = wait4_strace();
    tracer.arg("-ff").arg("-o").arg(&prefix);
    tracer.args(["-p", &target.pid().to_string()]);
    tracer.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut tracer = Killed::start(&mut tracer);
    until_it_stands_still(target.pid());
    tracer.signal(Signal::SIGTERM);
    until("the target goes on", || {
        field(target.pid(), "TracerPid:") == "0"
    });
    assert_eq!(tracer.end(), 125);
    let errors = tracer.errors();
    assert!(errors.contains(" processes, "), "{errors}");
    assert!(target.0.try_wait().unwrap().is_none());
}

#[test]
fn a_pipe_without_a_reader_can_be_given_up_before_the_trace() {
    let directory = TempDir::new().unwrap();
    let fifo = directory.path().join("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let words = ["-o", fifo.to_str().unwrap()];
    let mut tracer = Killed::start(traced(&words, ["true"]).stderr(Stdio::piped()));
    let handled = || u64::from_str_radix(&field(tracer.pid(), "SigCgt:"), 16).unwrap_or(0);
    until("it is ready for signals", || handled() & (1 << 14) != 0);
    tracer.signal(Signal::SIGTERM);
    assert_eq!(tracer.end(), 128 + 15);
}

#[test]
fn a_command_that_reads_the_lines_and_stays_is_not_waited_for_after_a_signal() {
    let words = ["-o", "|exec 2>/dev/null; cat >/dev/null; exec sleep 60"];
    let directory = TempDir::new().unwrap();
    let end = directory.path().join("end");
    let script = format!("mkdir {}; exit 3", end.display());
    let mut tracer = traced(&words, ["sh", "-c", &script]);
    let mut tracer = Killed::start(tracer.stderr(Stdio::piped()));
    until("the traced command ends", || {
        let pid = tracer.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        end.exists() && children.unwrap().is_empty()
    });
    tracer.signal(Signal::SIGTERM);
    assert_eq!(tracer.end(), 3);
    let errors = tracer.errors();
    assert!(errors.contains("2 processes, "), "{errors}");
}

#[test]
fn a_reader_that_takes_its_time_gets_every_line() {
    let command = [fixture_path().to_str().unwrap().to_owned()];
    let command = command.iter().map(String::as_str);
    let words = command.chain(["fork_exit_wait", "2000"]);
    let mut tracer = traced(&["--format=json"], words);
    let mut tracer = Killed::start(tracer.stdin(Stdio::null()).stderr(Stdio::piped()));
    until_it_stands_still(child_of(tracer.pid()));
    let lines = BufReader::new(tracer.0.stderr.take().unwrap()).lines();
    let lines: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(tracer.end(), 0);
    // One that a signal interrupts is restarted, and has two lines.
    let waits = lines
        .iter()
        .filter(|line| line.contains(r#""type":"wait""#) && line.contains(r#""errno":null"#));
    assert_eq!(waits.count(), 2000);
    let last = lines.last().unwrap();
    assert!(last.contains(r#""type":"end""#), "{last}");
}

#[test]
fn closed_outputs_do_not_cost_the_report() {
    for output in ["/dev/full", "|head -2 >/dev/null", "|exec <&-; sleep 1"] {
        let words = ["-o", output];
        let fixture = fixture_path();
        let command = [fixture.to_str().unwrap(), "fork_exit_wait", "2000"];
        let outcome = run(&mut traced(&words, command));
        assert_eq!(outcome.status, 125, "{output}: {outcome:?}");
        let errors = outcome.stderr;
        assert!(errors.contains("2001 processes, "), "{output}: {errors}");
        assert!(errors.contains("cannot write"), "{output}: {errors}");
    }
}

#[test]
fn signals_that_were_ignored_at_the_start_are_answered_all_the_same() {
    for (signal, name) in [(Signal::SIGINT, "INT"), (Signal::SIGTERM, "TERM")] {
        let mut target = Killed::start(&mut busy());
        let mut tracer = Command::new("env");
        tracer.arg(format!("--ignore-signal={name}"));
        tracer.arg(wait4_strace().get_program());
        tracer.args(["-o", "/dev/null", "-p", &target.pid().to_string()]);
        tracer.stdin(Stdio::null()).stderr(Stdio::null());
        let mut tracer = Killed::start(&mut tracer);
        until("it is traced", || field(target.pid(), "TracerPid:") != "0");
        tracer.signal(signal);
        assert_eq!(tracer.end(), 128 + signal as i32);
        assert!(target.0.try_wait().unwrap().is_none());
    }
}

#[test]
fn a_hangup_that_was_ignored_at_the_start_stays_ignored() {
    let mut target = Killed::start(&mut busy());
    let mut tracer = Command::new("env");
    tracer.arg("--ignore-signal=HUP");
    tracer.arg(wait4_strace().get_program());
    tracer.args(["-o", "/dev/null", "-p", &target.pid().to_string()]);
    tracer.stdin(Stdio::null()).stderr(Stdio::null());
    let mut tracer = Killed::start(&mut tracer);
    until("it is traced", || field(target.pid(), "TracerPid:") != "0");
    let ignored = u64::from_str_radix(&field(tracer.pid(), "SigIgn:"), 16).unwrap();
    assert_eq!(ignored & 1, 1);
    tracer.signal(Signal::SIGHUP);
    tracer.signal(Signal::SIGINT);
    assert_eq!(tracer.end(), 128 + 2);
    assert!(target.0.try_wait().unwrap().is_none());
}

#[test]
fn a_report_so_far_that_nobody_reads_holds_up_nothing() {
    let directory = TempDir::new().unwrap();
    let log = directory.path().join("log");
    let (read, write) = std::io::pipe().unwrap();
    let mut target = Killed::start(&mut busy());
    let mut tracer = wait4_strace();
    tracer.args(["-o", log.to_str().unwrap(), "-p", &target.pid().to_string()]);
    tracer.stdin(Stdio::null()).stderr(write);
    let mut tracer = Killed::start(&mut tracer);
    until("it is traced", || field(target.pid(), "TracerPid:") != "0");
    // More than a pipe holds.
    for _ in 0..1000 {
        tracer.signal(Signal::SIGUSR1);
        thread::sleep(Duration::from_millis(2));
    }
    tracer.signal(Signal::SIGTERM);
    until("the target goes on", || {
        field(target.pid(), "TracerPid:") == "0"
    });
    tracer.end();
    drop(read);
    assert!(target.0.try_wait().unwrap().is_none());
    assert!(File::open(&log).unwrap().metadata().unwrap().len() > 0);
}
