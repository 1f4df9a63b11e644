//! Who waits for whom: when it is told, and what it says of each way to hang.
#![cfg(target_os = "linux")]

mod ways_to_hang;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Outcome, have, passed_over, run, traced, until, wait, wait4_strace};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Runs a script that hangs, until its time is up.
fn hangs(flags: &[&str], script: &str) -> Outcome {
    let flags = [&["-o", "/dev/null", "--duration", "1"], flags].concat();
    run(&mut traced(&flags, ["bash", "-c", script]))
}

/// The lines of the tree, without what moves.
fn tree(text: &str) -> Vec<&str> {
    let lines = text
        .lines()
        .skip_while(|line| !line.ends_with("who waits for whom:"));
    lines
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .collect()
}

/// The line of the process that runs this command.
fn line<'a>(text: &'a str, command: &str) -> &'a str {
    let tree = tree(text);
    let found = tree.iter().find(|line| line.contains(command));
    found.unwrap_or_else(|| panic!("{command} is not in {text}"))
}

#[test]
fn a_parent_that_waits_stands_above_its_child() {
    let text = hangs(&[], "sleep 1000 & wait $!").stderr;
    let tree = tree(&text);
    assert_eq!(tree.len(), 2, "{text}");
    assert!(
        tree[0].contains(" bash -c 'sleep 1000 & wait $!'  wait4(-1) for "),
        "{text}"
    );
    assert!(tree[1].starts_with("  └ "), "{text}");
    assert!(tree[1].contains(" sleep 1000 "), "{text}");
    assert!(tree[1].contains("nanosleep"), "{text}");
}

#[test]
fn a_pipe_that_a_grandchild_holds_is_named() {
    let text = hangs(&[], "x=$( (sleep 999 &) ; echo hi); echo $x").stderr;
    let reader = line(&text, "bash -c");
    assert!(reader.contains("on the pipe that "), "{text}");
    assert!(reader.contains(" sleep 999 holds (its child "), "{text}");
    assert!(reader.ends_with(" is reaped)"), "{text}");
}

#[test]
fn a_file_s_lock_has_its_holder() {
    if !have("flock") {
        return passed_over("flock is not installed");
    }
    let directory = TempDir::new().unwrap();
    let lock = directory.path().join("lock");
    let script = format!("exec 9>{0}; flock 9; flock {0} true; true", lock.display());
    let text = hangs(&[], &script).stderr;
    let waiter = line(&text, "└ ");
    assert!(waiter.contains("flock("), "{text}");
    assert!(waiter.contains("/lock that "), "{text}");
    assert!(waiter.contains(" bash -c "), "{text}");
    // bash replaces itself by its last command, which then waits for itself.
    let script = format!("exec 9>{0}; flock 9; exec flock {0} true", lock.display());
    let text = hangs(&[], &script).stderr;
    assert!(
        line(&text, " flock /").ends_with("/lock that it holds itself as descriptor 9"),
        "{text}"
    );
}

#[test]
fn a_record_s_lock_has_its_holder() {
    let python = "/usr/bin/python3";
    if !Path::new(python).exists() {
        return passed_over("/usr/bin/python3 is not installed");
    }
    let directory = TempDir::new().unwrap();
    let program = "import fcntl,os,sys,time\n\
        f=open(sys.argv[1],'w')\n\
        fcntl.lockf(f,fcntl.LOCK_EX)\n\
        if os.fork()==0:\n fcntl.lockf(f,fcntl.LOCK_EX)\n\
        os.wait()\n";
    let file = directory.path().join("record");
    let flags = ["-o", "/dev/null", "--duration", "4"];
    let words = [python, "-c", program, file.to_str().unwrap()];
    let text = run(&mut traced(&flags, words)).stderr;
    let tree = tree(&text);
    assert!(tree[0].contains("wait4("), "{text}");
    assert!(tree[1].contains("fcntl("), "{text}");
    assert!(tree[1].contains("/record that "), "{text}");
}

#[test]
fn a_parent_that_reads_one_pipe_while_its_child_fills_another_is_found() {
    let python = "/usr/bin/python3";
    if !Path::new(python).exists() {
        return passed_over("/usr/bin/python3 is not installed");
    }
    let deadlocks = |read: &str| {
        let program = format!(
            "import subprocess as s\n\
             p=s.Popen(['sh','-c','head -c 200000 /dev/zero >&2; echo'],stdout=s.PIPE,stderr=s.PIPE)\n\
             {read}\n"
        );
        let flags = ["-o", "/dev/null", "--duration", "5"];
        run(&mut traced(&flags, [python, "-c", &program])).stderr
    };
    // The shell waits for head, and Python for the shell.
    let text = deadlocks("p.stdout.read()");
    for part in [
        "error[pipe-full-deadlock]: python3[",
        "  is in wait4(-1, …)  has not returned\n",
        "  is in write(1, …)   the pipe is full\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let fills = "import subprocess as s\n\
        p=s.Popen('cat',stdin=s.PIPE,stdout=s.PIPE)\np.stdin.write(b'x'*400000)\n";
    let flags = ["-o", "/dev/null", "--duration", "5"];
    let text = run(&mut traced(&flags, [python, "-c", fills])).stderr;
    assert!(text.contains(" writes to a pipe (fd "), "{text}");
    let text = deadlocks("p.communicate()");
    assert!(text.ends_with("; no findings\n"), "{text}");
}

#[test]
fn a_reader_whose_leader_has_ended_may_drain_a_pipe_later() {
    let python = "/usr/bin/python3";
    if !Path::new(python).exists() {
        return passed_over("/usr/bin/python3 is not installed");
    }
    let program = format!(
        "import ctypes,os,threading,time\n\
         (r,w),(pr,pw)=os.pipe(),os.pipe()\n\
         if os.fork()==0:\n \
          threading.Thread(target=time.sleep,args=(99,)).start()\n \
          os.close(w),os.close(pw),ctypes.CDLL(None).syscall({exit},0)\n\
         if os.fork()==0:\n os.write(pw,b'x'*200000)\n os._exit(0)\n\
         os.close(w),os.close(pw),os.read(r,1)\n",
        exit = libc::SYS_exit,
    );
    let flags = ["-o", "/dev/null", "--duration", "4"];
    let text = run(&mut traced(&flags, [python, "-c", &program])).stderr;
    assert!(tree(&text).len() == 3, "{text}");
    assert!(!text.contains("pipe-full-deadlock"), "{text}");
}

#[test]
fn a_stopped_child_is_told_with_its_signal() {
    let text = hangs(&[], "sleep 999 & sleep 0.3; kill -STOP $!; wait $!").stderr;
    assert!(
        line(&text, " sleep 999").contains("stopped by SIGSTOP for "),
        "{text}"
    );
}

#[test]
fn a_named_pipe_that_nobody_opens_is_told() {
    let directory = TempDir::new().unwrap();
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let text = hangs(&[], &format!("cat {}; true", fifo.display())).stderr;
    let reader = line(&text, " cat /");
    assert!(
        reader.contains("/fifo, until its other end is opened"),
        "{text}"
    );
}

#[test]
fn a_mutex_and_a_join_name_their_threads() {
    if !have("gcc") {
        return passed_over("gcc is not installed");
    }
    let directory = TempDir::new().unwrap();
    let source = directory.path().join("locked.c");
    let program = directory.path().join("locked");
    fs::write(
        &source,
        "#include <pthread.h>\n#include <unistd.h>\n\
         static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;\n\
         static void *locks(void *p) { pthread_mutex_lock(&m); return p; }\n\
         int main(void) { pthread_t t; pthread_mutex_lock(&m);\n\
         pthread_create(&t, 0, locks, 0); pthread_join(t, 0); return 0; }\n",
    )
    .unwrap();
    let compiled = Command::new("gcc")
        .args(["-pthread", "-o"])
        .arg(&program)
        .arg(&source)
        .status();
    assert!(compiled.unwrap().success());
    let flags = ["-o", "/dev/null", "--duration", "1"];
    let text = run(&mut traced(&flags, [&program])).stderr;
    let tree = tree(&text);
    assert_eq!(tree.len(), 2, "{text}");
    assert!(tree[0].contains(" on the end of thread "), "{text}");
    assert!(tree[1].trim_start().starts_with("thread "), "{text}");
    assert!(tree[1].contains(" on a mutex that thread "), "{text}");
}

/// Processes that end with the test.
struct Ends(Vec<std::process::Child>, Vec<Pid>);

impl Drop for Ends {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().ok();
            child.wait().ok();
        }
        for pid in &self.1 {
            kill(*pid, Signal::SIGKILL).ok();
        }
    }
}

/// The first number of a line.
fn pid_in(line: &str) -> Pid {
    let mut words = line.split(|c: char| !c.is_ascii_digit());
    let number = words.find(|word| !word.is_empty());
    Pid::from_raw(number.unwrap().parse().unwrap())
}

#[test]
fn an_attach_shows_children_that_are_not_traced_and_theirs() {
    let directory = TempDir::new().unwrap();
    let said = directory.path().join("said");
    let target = Command::new("bash")
        .args(["-c", "(sleep 998; true) & wait $!"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut running = Ends(vec![target], Vec::new());
    let children = format!("/proc/{0}/task/{0}/children", running.0[0].id());
    until("the child is there", || {
        fs::read_to_string(&children).is_ok_and(|children| !children.is_empty())
    });
    let child = fs::read_to_string(&children).unwrap();
    running.1.push(pid_in(&child));
    let tracer = wait4_strace()
        .args(["-o", "/dev/null", "-p", &running.0[0].id().to_string()])
        .stdout(Stdio::null())
        .stderr(fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(tracer.id()).unwrap());
    running.0.push(tracer);
    let text = || fs::read_to_string(&said).unwrap();
    until("it is attached", || text().contains(" attached"));
    until("the tree", || {
        kill(pid, Signal::SIGUSR1).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        text().contains("  wait4(-1) for at least ") && text().contains("    └ ")
    });
    let before = text();
    let sleeper = before
        .lines()
        .find(|line| line.contains("    └ ") && line.contains(" sleep 998"));
    running.1.push(pid_in(sleeper.expect(&before)));
    // ^C tells it too.
    kill(pid, Signal::SIGINT).unwrap();
    assert_eq!(wait(&mut running.0[1]), Some(128 + 2));
    let trees = |text: &str| text.matches("who waits for whom").count();
    assert!(trees(&text()) > trees(&before), "{}", text());
}

/// The lines that are objects.
fn lines_of_json(text: &str) -> String {
    let lines = text.lines().filter(|line| line.starts_with('{'));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn it_is_an_event_that_is_read_back() {
    let outcome = run(&mut traced(
        &["--format", "json", "--duration", "1"],
        ["bash", "-c", "x=$(sleep 999); true"],
    ));
    let lines: Vec<Value> = outcome
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let waiting: Vec<&Value> = lines
        .iter()
        .filter(|line| line["type"] == "waiting")
        .collect();
    assert_eq!(waiting.len(), 1, "{}", outcome.stderr);
    assert_eq!(waiting[0]["cause"], "time-is-up");
    let reader = &waiting[0]["tasks"][0];
    assert_eq!(reader["call"], "read");
    assert_eq!(reader["on"][0]["kind"], "stream");
    assert_eq!(reader["on"][0]["others"][0]["comm"], "sleep");
    let directory = TempDir::new().unwrap();
    let recording = directory.path().join("recording");
    fs::write(&recording, lines_of_json(&outcome.stderr)).unwrap();
    let read = run(wait4_strace().arg("--read").arg(&recording));
    let trace = read.stderr;
    assert!(
        tree(&trace)
            .iter()
            .any(|line| line.contains(" sleep 999 holds")),
        "{trace}"
    );
}

#[test]
fn what_outlives_the_command_is_told_and_waited_for() {
    let outcome = run(&mut traced(
        &["-o", "/dev/null"],
        ["bash", "-c", "sleep 2 & exit 3"],
    ));
    assert_eq!(outcome.status, 3, "{outcome:?}");
    let said = "wait4-strace: bash has exited with 3; this is left, ^C ends it:\n";
    let (_, rest) = outcome.stderr.split_once(said).expect(&outcome.stderr);
    assert!(rest.lines().next().unwrap().contains(" sleep 2 "), "{rest}");
    // With -q, and without a report.
    for flags in [["-q", "-o", "/dev/null"], ["--strace", "-o", "/dev/null"]] {
        let outcome = run(&mut traced(&flags, ["bash", "-c", "sleep 1 & exit 3"]));
        assert!(!outcome.stderr.contains("left"), "{outcome:?}");
    }
    // What ends at once is not worth a word.
    let outcome = run(&mut traced(
        &["-o", "/dev/null"],
        ["bash", "-c", "sleep 0.01 &"],
    ));
    assert!(!outcome.stderr.contains("is left"), "{outcome:?}");
}

#[test]
fn the_end_of_the_time_lets_a_shell_clean_up() {
    let directory = TempDir::new().unwrap();
    // It runs its trap once its child has ended.
    let script = "trap 'echo cleaned >cleaned; exit 7' TERM; sleep 994; true";
    let mut command = traced(
        &["-o", "/dev/null", "--duration", "1"],
        ["bash", "-c", script],
    );
    let outcome = run(command.current_dir(directory.path()));
    assert!(directory.path().join("cleaned").exists(), "{outcome:?}");
}

#[test]
fn a_process_that_the_tracer_kills_says_so() {
    let script = "trap '' TERM; sleep 993 & wait; sleep 992";
    let outcome = run(&mut traced(&["--duration", "1"], ["bash", "-c", script]));
    let text = outcome.stderr;
    let killed = text.lines().filter(|line| line.contains("SIGKILL"));
    let killed: Vec<&str> = killed.collect();
    assert!(!killed.is_empty(), "{text}");
    let all = killed.iter().all(|line| line.contains("from wait4-strace"));
    assert!(all, "{text}");
}

#[test]
fn leftovers_are_ended_if_the_user_says_so() {
    let flags = ["-o", "/dev/null", "--leftovers", "kill"];
    let script = "trap '' TERM; sleep 997 & (trap - TERM; exec sleep 996) & exit 4";
    let outcome = run(&mut traced(&flags, ["bash", "-c", script]));
    assert_eq!(outcome.status, 4, "{outcome:?}");
    let text = outcome.stderr;
    assert!(
        text.contains("bash has exited with 4; this is left:\n"),
        "{text}"
    );
    assert!(
        text.contains("ending the 2 processes that are left (--leftovers kill)"),
        "{text}"
    );
}

#[test]
fn leftovers_are_let_go_if_the_user_says_so() {
    let directory = TempDir::new().unwrap();
    let flags = ["-o", "/dev/null", "--leftovers", "report"];
    let script = "sleep 995 >/dev/null 2>&1 & echo $! >pid; exit 5";
    let mut command = traced(&flags, ["bash", "-c", script]);
    let outcome = run(command.current_dir(directory.path()));
    assert_eq!(outcome.status, 5, "{outcome:?}");
    let text = outcome.stderr;
    assert!(
        text.contains("detached from 1 process (--leftovers report)"),
        "{text}"
    );
    assert!(text.contains("[outlives-command]"), "{text}");
    let pid = fs::read_to_string(directory.path().join("pid")).unwrap();
    let pid = pid_in(&pid);
    let _left = Ends(Vec::new(), vec![pid]);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("TracerPid:\t0\n"), "{status}");
}
