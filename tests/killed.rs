//! What is said of how processes ended: who sent the signal, the out-of-memory killer, execs
//! that failed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    reason = "a test that cannot go on has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{have, passed_over, run, wait4_strace};

/// The lines of a shell script's trace.
fn traced(script: &str) -> String {
    run(wait4_strace().args(["--", "sh", "-c", script])).stderr
}

/// The line that a text is in.
fn line_with<'a>(text: &'a str, part: &str) -> &'a str {
    let found = text.lines().find(|line| line.contains(part));
    found.unwrap_or_else(|| panic!("no {part:?} in {text}"))
}

#[test]
fn a_copy_that_could_not_exec_is_told_from_a_program_that_exits_so() {
    let text = traced("/no/such/command; :");
    let end = line_with(&text, "+++ exited with 127 +++");
    assert!(
        end.contains("# executed nothing; of a shell, 127"),
        "{text}"
    );
    let text = traced("sh -c 'exit 127'; :");
    assert!(!text.contains("executed nothing"), "{text}");
    let text = traced("(sh -c 'exit 127'; exit 127); :");
    assert!(!text.contains("executed nothing"), "{text}");
}

#[test]
fn a_process_group_may_have_been_killed_by_the_one_that_killed_a_group() {
    let text = traced("exec bash -c 'set -m; sleep 60 & kill -9 -- -$!; wait'");
    let end = line_with(&text, "+++ killed by SIGKILL +++");
    assert!(end.contains("# perhaps from "), "{text}");
}

#[test]
fn a_signal_through_a_pidfd_has_a_sender() {
    if !have("python3") {
        passed_over("there is no python3");
        return;
    }
    let code = "import os,signal,time\nchild=os.fork()\nif not child: time.sleep(60)\n\
                signal.pidfd_send_signal(os.pidfd_open(child),9)\nos.wait()";
    for filter in ["--seccomp-bpf=auto", "--seccomp-bpf=never"] {
        let outcome = run(wait4_strace().args([filter, "--", "python3", "-c", code]));
        let end = line_with(&outcome.stderr, "+++ killed by SIGKILL +++");
        assert!(end.contains("# from ") && end.contains(" python3"), "{end}");
    }
}

/// A control group of memory, removed in the end.
struct Group(PathBuf);

impl Group {
    /// `None` where we may not make one.
    fn with_limit(bytes: &str) -> Option<Group> {
        let name = format!("wait4-strace-test-{}", std::process::id());
        let roots = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        for (root, limit) in roots {
            let group = Group(Path::new(root).join(&name));
            let made = fs::create_dir(&group.0).is_ok();
            if made && fs::write(group.0.join(limit), bytes).is_ok() {
                // Where swap is limited too, nothing is moved there instead.
                let _ = fs::write(group.0.join("memory.swap.max"), "0");
                return Some(group);
            }
        }
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn the_out_of_memory_killer_is_named_where_the_kernel_says_so() {
    let group = Group::with_limit("67108864").filter(|_| have("python3"));
    let Some(group) = group else {
        passed_over("no control group with a limit can be made, or there is no python3");
        return;
    };
    let procs = group.0.join("cgroup.procs");
    let script = "echo $$ >\"$0\" && exec \"$@\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(&procs);
    shell.arg(env!("CARGO_BIN_EXE_wait4-strace"));
    let hog = "python3 -c 'x=bytearray(512*1024*1024)'; echo $?";
    let outcome = run(shell.args(["--", "sh", "-c", hog]));
    if outcome.stdout.trim() != "137" {
        passed_over("the limit did not kill");
        return;
    }
    line_with(
        &outcome.stderr,
        "+++ killed by SIGKILL +++  # sender not seen",
    );
    line_with(&outcome.stderr, "out-of-memory killer");
}
