//! Targets that sleep in vfork.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use super::harness::{
    MARK, Target, Tracer, all_traced_by, children, marked, new_mark, process, send, state,
};
use crate::support::{have, until};

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
        crate::support::passed_over("python3 is a shim with a process of its own");
        drop(target);
        for pid in marked(mark) {
            send(pid, Signal::SIGKILL);
        }
        return None;
    }
    // Before the child is listed the fork is under way, and has no event.
    until("it is in vfork", || children(pid).len() == 1);
    until("the child sleeps in open", || {
        children(pid).iter().all(|child| state(*child) == "S")
    });
    Some((target, fifo))
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
    // From its seizure to its interrupt it may do what it wants.
    until("it is attached to", || tracer.errors().contains("attached"));
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
