//! Job control on a real terminal: `wait4-strace` behaves in an interactive
//! shell as its program would.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{LIMIT, fixture_path, have, until, wait4_strace};
use expectrl::session::OsSession;
use expectrl::{ControlCode, Expect, Regex, Session};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

/// What the outer shell's prompt looks like, and an inner one's.
const PROMPT: &str = "outer> ";
const INNER: &str = "inner> ";

/// An interactive bash on a terminal, in a directory of its own, that finds
/// `w` (wait4-strace with its lines in the file `log`) and `fixture`.
struct Shell {
    session: OsSession,
    directory: TempDir,
}

impl Shell {
    fn start() -> Option<Shell> {
        if !have("bash") {
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let tracer = wait4_strace();
        let link = |to: &Path, name: &str| {
            std::os::unix::fs::symlink(to, directory.path().join(name)).unwrap();
        };
        link(Path::new(tracer.get_program()), "wait4-strace");
        link(&fixture_path(), "fixture");
        let mut command = Command::new("bash");
        command
            .args(["--norc", "--noprofile", "-i"])
            .current_dir(directory.path())
            .env("TERM", "dumb")
            .env("PS1", PROMPT)
            .env("W", format!("./wait4-strace -o {}", log.display()))
            .env_remove("PROMPT_COMMAND")
            .env_remove("BASH_ENV");
        let mut session = Session::spawn(command).unwrap();
        session.set_expect_timeout(Some(LIMIT));
        let mut shell = Shell { session, directory };
        shell.expect(PROMPT);
        // What is typed is not to be found in what is printed.
        shell.send("stty -echo; bind 'set enable-bracketed-paste off' 2>/dev/null");
        shell.expect(PROMPT);
        Some(shell)
    }

    fn send(&mut self, line: &str) {
        self.session.send_line(line).unwrap();
    }

    fn press(&mut self, key: ControlCode) {
        self.session.send(key).unwrap();
    }

    /// Wait for this text; returns what was printed before it.
    fn expect(&mut self, text: &str) -> String {
        match self.session.expect(text) {
            Ok(found) => String::from_utf8_lossy(found.before()).into_owned(),
            Err(error) => {
                let mut rest = [0; 4096];
                let count = self.session.try_read(&mut rest).unwrap_or(0);
                let rest = String::from_utf8_lossy(&rest[..count]).into_owned();
                panic!("{text:?} does not come ({error}): {rest:?}\n{}", self.log());
            }
        }
    }

    /// Run a line, and return what it printed.
    fn run(&mut self, line: &str) -> String {
        self.send(line);
        self.expect(PROMPT)
    }

    /// What `jobs` prints. bash misses the SIGCHLD that comes while a builtin
    /// runs, untraced too; the end of another child makes it look again.
    fn jobs(&mut self) -> String {
        self.run("/bin/true; jobs")
    }

    /// The status of the last command, as the shell sees it.
    fn status(&mut self) -> String {
        self.send("echo \"<$?>\"");
        self.expect("<");
        let status = self.expect(">");
        self.expect(PROMPT);
        status
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn until_log(&self, words: &str) {
        until(words, || self.log().contains(words));
    }

    /// Wait for a number that the program prints behind `key=`.
    fn number(&mut self, key: &str) -> i32 {
        let pattern = format!("{key}=(\\d+)\r?\n");
        let found = self.session.expect(Regex(&pattern)).unwrap();
        let text = String::from_utf8_lossy(found.get(1).unwrap()).into_owned();
        text.parse().unwrap()
    }

    /// The pid of the first process that the log tells of.
    fn root(&self) -> i32 {
        let log = self.log();
        let word = log.split_whitespace().next().unwrap_or_default();
        word.parse().unwrap()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Jobs too, whatever state they are in: all that is in the session.
        let shell = self.session.get_process().pid().as_raw();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            let session = nix::unistd::getsid(Some(Pid::from_raw(pid)));
            if pid != shell && session.is_ok_and(|session| session.as_raw() == shell) {
                kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
            }
        }
        kill(Pid::from_raw(shell), Signal::SIGKILL).ok();
    }
}

/// The state letter of a process.
fn state(pid: i32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let behind = stat.rsplit(") ").next().unwrap_or_default();
    behind.chars().next().unwrap_or(' ')
}

#[test]
fn interrupt_kills_the_program_and_the_shell_sees_130() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    for flags in ["", "--strace", "--seccomp-bpf=never", "--no-follow"] {
        shell.send(&format!("rm -f log; $W {flags} -- sleep 100"));
        shell.until_log(if flags == "--strace" { "" } else { "executed" });
        let log = shell.directory.path().join("log");
        until("the program runs", || log.exists());
        wait_for_foreground_sleep(&shell);
        shell.press(ControlCode::EndOfText);
        shell.expect(PROMPT);
        assert_eq!(shell.status(), "130", "{flags}");
        assert!(shell.log().contains("killed by SIGINT"), "{}", shell.log());
    }
}

/// Until a `sleep` is in the terminal's foreground group.
fn wait_for_foreground_sleep(shell: &Shell) {
    let session = shell.session.get_process().pid().as_raw();
    until("sleep is in the foreground", || {
        fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let Some((head, rest)) = stat.split_once("(sleep) ") else {
                return false;
            };
            let fields: Vec<&str> = rest.split(' ').collect();
            !head.is_empty()
                && fields[3] == session.to_string()
                && fields[2] == fields[5]
                && fields[0] == "S"
        })
    });
}

#[test]
fn quit_kills_the_program_and_the_shell_sees_131() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.run("ulimit -c 0");
    shell.send("$W -- sleep 100");
    wait_for_foreground_sleep(&shell);
    shell.press(ControlCode::FileSeparator);
    shell.expect(PROMPT);
    assert_eq!(shell.status(), "131");
}

#[test]
fn a_program_that_handles_the_interrupt_decides_itself() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.send(
        "$W -- sh -c 'trap \"echo caught; exit 9\" INT; echo ready; while :; do sleep 0.1; done'",
    );
    shell.expect("ready");
    shell.press(ControlCode::EndOfText);
    shell.expect("caught");
    shell.expect(PROMPT);
    assert_eq!(shell.status(), "9");
}

#[test]
fn a_program_that_ignores_the_interrupt_goes_on() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.send("$W -- sh -c 'trap \"\" INT; echo ready; read line; echo \"got $line\"; exit 4'");
    shell.expect("ready");
    shell.press(ControlCode::EndOfText);
    shell.send("words");
    shell.expect("got words");
    shell.expect(PROMPT);
    assert_eq!(shell.status(), "4");
}

#[test]
fn a_job_is_stopped_and_continued_in_the_foreground() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    for flags in ["", "--seccomp-bpf=never", "--no-follow"] {
        let line =
            format!("$W {flags} -- sh -c 'echo ready; read line; echo \"got $line\"; exit 7'");
        shell.send(&line);
        shell.expect("ready");
        for round in 1..=3 {
            shell.press(ControlCode::Substitute);
            shell.expect("Stopped");
            shell.expect(PROMPT);
            assert!(shell.run("jobs").contains("Stopped"), "{flags}");
            shell.send("fg");
            // The shell names the job before that has the terminal and goes on.
            shell.expect("read line");
            until("it goes on", || {
                shell.log().matches("--- SIGCONT").count() == round
            });
        }
        shell.send("words");
        shell.expect("got words");
        shell.expect(PROMPT);
        assert_eq!(shell.status(), "7", "{flags}");
    }
}

#[test]
fn a_stopped_family_stands_still_and_goes_on_in_the_background() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    let script = "echo \"parent=$$\"; (echo child=$(sh -c \"echo \\$PPID\"); while [ ! -e go ]; \
                  do sleep 0.05; done; exit 3); echo status $?; exit 8";
    shell.send(&format!("$W -- sh -c '{script}'"));
    let parent = shell.number("parent");
    let child = shell.number("child");
    shell.press(ControlCode::Substitute);
    shell.expect("Stopped");
    shell.expect(PROMPT);
    until("both stand still", || {
        [parent, child]
            .iter()
            // A vfork whose child is stopped sleeps on.
            .all(|pid| matches!(state(*pid), 'T' | 't' | 'D'))
    });
    shell.run("bg");
    assert!(shell.run("jobs").contains("Running"));
    until("the child goes on", || !matches!(state(child), 'T' | 't'));
    fs::write(shell.directory.path().join("go"), "").unwrap();
    shell.expect("status 3");
    shell.send("wait %1");
    shell.expect(PROMPT);
    until("the trace has ended", || {
        shell.log().contains("exited with 8")
    });
}

#[test]
fn a_stopped_job_can_be_killed() {
    for signal in ["TERM", "KILL", "HUP"] {
        // A shell each: one that has not let go of its job 1 calls the next 2.
        let Some(mut shell) = Shell::start() else {
            return;
        };
        shell.send("$W -- sleep 100");
        wait_for_foreground_sleep(&shell);
        shell.press(ControlCode::Substitute);
        shell.expect("Stopped");
        shell.expect(PROMPT);
        let root = shell.root();
        // bash continues a stopped job that it sends TERM or HUP.
        shell.run(&format!("kill -{signal} %1"));
        until("the shell knows of the end", || {
            !shell.jobs().contains("Stopped")
        });
        until("the program is gone", || matches!(state(root), ' ' | 'Z'));
    }
}

#[test]
fn a_running_background_job_can_be_killed() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.run("$W -- sleep 100 &");
    shell.until_log("executed");
    let root = shell.root();
    shell.run("kill %1");
    shell.send("wait %1; echo over");
    shell.expect("over");
    shell.expect(PROMPT);
    until("the program is gone", || matches!(state(root), ' ' | 'Z'));
    assert!(shell.log().contains("killed by SIGTERM"), "{}", shell.log());
}

#[test]
fn a_background_reader_is_stopped_and_reads_in_the_foreground() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.run("$W -- sh -c 'read line; echo \"got $line\"; exit 6' &");
    shell.until_log("stopped by SIGTTIN");
    until("the shell knows", || shell.jobs().contains("Stopped"));
    shell.send("fg");
    shell.expect("read line");
    shell.send("words");
    shell.expect("got words");
    shell.expect(PROMPT);
    assert_eq!(shell.status(), "6");
}

#[test]
fn a_background_writer_is_stopped_when_the_terminal_says_so() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.run("stty tostop");
    shell.run("$W -- sh -c 'echo written; exit 6' &");
    shell.until_log("stopped by SIGTTOU");
    until("the shell knows", || shell.jobs().contains("Stopped"));
    shell.send("fg");
    shell.expect("written\r\n");
    shell.expect(PROMPT);
    assert_eq!(shell.status(), "6");
}

#[test]
fn lines_on_the_terminal_of_a_background_trace_stop_nobody() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.run("stty tostop");
    shell.run("./wait4-strace -- sh -c '(exit 3); exit 6' &");
    shell.send("wait %1; echo \"over=$?\"");
    assert_eq!(shell.number("over"), 6);
}

#[test]
fn a_pipeline_is_one_job() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.send("$W -- sh -c 'echo first; sleep 0.1; read line; echo \"second $line\"' | cat");
    shell.expect("first");
    until("its child runs", || shell.log().contains("sleep 0.1 +++"));
    shell.press(ControlCode::Substitute);
    shell.expect("Stopped");
    shell.expect(PROMPT);
    shell.send("fg");
    shell.expect("| cat");
    shell.send("words");
    shell.expect("second words");
    shell.expect(PROMPT);
    assert_eq!(shell.status(), "0");
}

#[test]
fn an_interactive_shell_inside_has_its_own_job_control() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.send(&format!("PS1='{INNER}' $W -- bash --norc --noprofile -i"));
    shell.expect(INNER);
    for _ in 0..3 {
        shell.send("sleep 100");
        wait_for_foreground_sleep(&shell);
        shell.press(ControlCode::Substitute);
        shell.expect("Stopped");
        shell.expect(INNER);
        shell.send("fg");
        shell.expect("sleep 100");
        wait_for_foreground_sleep(&shell);
        shell.press(ControlCode::EndOfText);
        shell.expect(INNER);
        shell.send("echo \"<$?>\"");
        assert!(shell.expect(INNER).contains("<130>"));
    }
    shell.send("sleep 100 &");
    shell.expect(INNER);
    shell.send("kill %1; wait %1; echo \"<$?>\"");
    shell.expect("<143>");
    shell.send("exit 5");
    shell.expect(PROMPT);
    assert_eq!(shell.status(), "5");
}

#[test]
fn a_shell_inside_that_suspends_itself_is_continued_by_fg() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.send(&format!("PS1='{INNER}' $W -- bash --norc --noprofile -i"));
    shell.expect(INNER);
    shell.send("suspend");
    shell.expect("Stopped");
    shell.expect(PROMPT);
    shell.send("fg");
    shell.expect(INNER);
    shell.send("exit 5");
    shell.expect(PROMPT);
    assert_eq!(shell.status(), "5");
}

#[test]
fn a_root_that_stops_itself_alone_is_a_stopped_job_and_fg_continues_it() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.send("$W -- sh -c 'echo \"pid=$$\"; kill -STOP $$; echo went on; exit 3'");
    let pid = shell.number("pid");
    shell.expect("Stopped");
    shell.expect(PROMPT);
    until("it is stopped", || matches!(state(pid), 'T' | 't'));
    shell.send("fg");
    shell.expect("went on");
    shell.expect(PROMPT);
    assert_eq!(shell.status(), "3");
}

#[test]
fn a_root_that_stops_itself_is_continued_with_its_group() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.send("$W -- sh -c 'echo \"pid=$$\"; kill -STOP $$; echo went on; exit 3'");
    let pid = shell.number("pid");
    shell.expect("Stopped");
    shell.expect(PROMPT);
    let group = nix::unistd::getpgid(Some(Pid::from_raw(pid))).unwrap();
    killpg(group, Signal::SIGCONT).unwrap();
    shell.expect("went on");
    shell.send("wait %1; echo \"over=$?\"");
    assert_eq!(shell.number("over"), 3);
}

#[test]
fn a_root_that_its_own_child_continues_stops_no_job() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    for _ in 0..3 {
        shell.run("$W -- ./fixture root_stops_itself");
        assert_eq!(shell.status(), "0", "{}", shell.log());
    }
}

#[test]
fn without_a_shell_above_a_self_stop_waits_for_its_continuation() {
    // A session leader on a terminal with no shell to continue it, as under
    // `ssh -t` or in a container.
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut command = wait4_strace();
    command.arg("-o").arg(&log).args([
        "--",
        "sh",
        "-c",
        "echo \"pid=$$\"; kill -STOP $$; echo went on; exit 3",
    ]);
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(LIMIT));
    let found = session.expect(Regex("pid=(\\d+)")).unwrap();
    let pid: i32 = String::from_utf8_lossy(found.get(1).unwrap())
        .parse()
        .unwrap();
    until("the stop is in the log", || {
        matches!(state(pid), 'T' | 't')
            && fs::read_to_string(&log).is_ok_and(|log| log.contains("stopped by SIGSTOP"))
    });
    kill(Pid::from_raw(pid), Signal::SIGCONT).unwrap();
    session.expect("went on").unwrap();
    let status = session.get_process().wait().unwrap();
    assert!(format!("{status:?}").contains(", 3)"), "{status:?}");
}

#[test]
fn an_attach_is_ended_by_the_interrupt_key_and_the_target_lives_on() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.run("sleep 1000 & target=$!; echo \"pid=$target\"");
    let pid = {
        shell.send("echo \"pid=$target\"");
        shell.number("pid")
    };
    shell.expect(PROMPT);
    shell.send("./wait4-strace -p $target");
    shell.expect("attached");
    shell.press(ControlCode::EndOfText);
    shell.expect("detached");
    shell.expect(PROMPT);
    assert_eq!(shell.status(), "130");
    assert_eq!(state(pid), 'S');
    shell.run("kill $target");
}

#[test]
fn an_attach_is_ended_by_the_quit_key_too() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.run("ulimit -c 0; sleep 1000 & target=$!");
    shell.send("./wait4-strace -p $target");
    shell.expect("attached");
    shell.press(ControlCode::FileSeparator);
    shell.expect("detached");
    shell.expect(PROMPT);
    assert_eq!(shell.status(), "131");
    shell.run("kill $target");
}

#[test]
fn the_suspend_key_does_not_stop_an_attach_as_its_target_would_hang() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    shell.run("sleep 1000 & target=$!");
    shell.send("./wait4-strace -p $target");
    shell.expect("attached");
    shell.press(ControlCode::Substitute);
    shell.press(ControlCode::EndOfText);
    shell.expect("detached");
    shell.expect(PROMPT);
    assert_eq!(shell.status(), "130");
    shell.run("kill $target");
}

#[test]
fn the_interrupt_key_kills_what_outlives_the_command_and_says_so() {
    let Some(mut shell) = Shell::start() else {
        return;
    };
    let script = "(trap \"\" INT; echo ready; while :; do sleep 0.1; done) & exit 4";
    shell.send(&format!("$W -- sh -c '{script}'"));
    shell.expect("ready");
    shell.until_log("exited with 4");
    shell.press(ControlCode::EndOfText);
    shell.expect("the command has ended; killing the");
    shell.expect(PROMPT);
    assert_eq!(shell.status(), "4");
}

#[test]
fn a_hangup_of_the_terminal_ends_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut command = wait4_strace();
    command
        .arg("-o")
        .arg(&log)
        .args(["--", "sh", "-c", "echo ready; exec sleep 1000"]);
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(LIMIT));
    session.expect("ready").unwrap();
    let pid = session.get_process().pid().as_raw();
    kill(Pid::from_raw(pid), Signal::SIGHUP).unwrap();
    let status = session.get_process().wait().unwrap();
    assert!(format!("{status:?}").contains("SIGHUP"), "{status:?}");
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.contains("killed by SIGHUP"), "{log}");
}

#[test]
fn a_terminal_that_goes_away_leaves_no_process_behind() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut command = wait4_strace();
    command
        .arg("-o")
        .arg(&log)
        .args(["--", "sh", "-c", "echo ready; sleep 1000; exit 3"]);
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(LIMIT));
    session.expect("ready").unwrap();
    let pid = session.get_process().pid().as_raw();
    // The hangup comes from the kernel as the terminal's other end is closed.
    drop(session);
    until("the tracer is gone", || matches!(state(pid), ' ' | 'Z'));
    let text = fs::read_to_string(&log).unwrap_or_default();
    let root: i32 = text
        .split_whitespace()
        .next()
        .unwrap_or("0")
        .parse()
        .unwrap();
    until("the program is gone", || matches!(state(root), ' ' | 'Z'));
}
