//! The files of `strace -ff`, read back in one order: the ends of waits and the
//! beginnings of tasks come where they belong.

use std::fs;

use crate::support::{heads, read_again};
use tempfile::TempDir;

/// The trace and the report of files that are written here, `(pid, lines)`;
/// an `@` stands for a moment, before its seconds.
fn read(files: &[(i32, &str)]) -> (String, String) {
    let directory = TempDir::new().unwrap();
    let prefix = directory.path().join("p").display().to_string();
    for (pid, lines) in files {
        let lines = lines.replace('@', "179539900");
        fs::write(format!("{prefix}.{pid}"), lines + "\n").unwrap();
    }
    read_again(&prefix)
}

const NO_HANDLER: &str =
    "rt_sigaction(SIGCHLD, NULL, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8) = 0";

/// Two children; the first lives for 8 s, the second for 0.3, and they are
/// joined in order. With the time that each wait took, or without.
fn joined(durations: bool) -> (String, String) {
    let took = |seconds: &str| {
        let took = format!(" <{seconds}>");
        if durations { took } else { String::new() }
    };
    let parent = format!(
        "@0.000000 execve(\"./x\", [\"./x\"], 0x7ffd /* 20 vars */) = 0{}
@0.100000 {NO_HANDLER}{}
@0.200000 clone(child_stack=NULL, flags=SIGCHLD) = 101{}
@0.300000 clone(child_stack=NULL, flags=SIGCHLD) = 102{}
@0.400000 wait4(101, 0x7ffe, 0, NULL) = ? ERESTARTSYS (To be restarted if SA_RESTART is set){}
@0.600100 --- SIGCHLD {{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=102, si_uid=0, si_status=0, si_utime=0, si_stime=0}} ---
@0.600200 wait4(101, [{{WIFEXITED(s) && WEXITSTATUS(s) == 0}}], 0, NULL) = 101{}
@8.200200 --- SIGCHLD {{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=101, si_uid=0, si_status=0, si_utime=0, si_stime=0}} ---
@8.200300 wait4(102, [{{WIFEXITED(s) && WEXITSTATUS(s) == 0}}], 0, NULL) = 102{}
@8.300000 exit_group(0) = ?
@8.300100 +++ exited with 0 +++",
        took("0.000100"),
        took("0.000010"),
        took("0.000100"),
        took("0.000100"),
        took("0.200000"),
        took("7.599900"),
        took("0.000010"),
    );
    let child = |begin: &str, end: &str| {
        format!(
            "@{begin} getpid() = 1{}\n@{end} exit_group(0) = ?\n@{end} +++ exited with 0 +++",
            took("0.000010")
        )
    };
    read(&[
        (100, &parent),
        (101, &child("0.200100", "8.200000")),
        (102, &child("0.300100", "0.600000")),
    ])
}

#[test]
fn the_time_that_a_wait_took_is_counted_once() {
    let (trace, report) = joined(true);
    assert!(
        trace.contains("reaped 101 x 0.1 ms after it exited"),
        "{trace}"
    );
    assert!(
        trace.contains("reaped 102 x 7.6 s after it exited"),
        "{trace}"
    );
    assert!(heads(&report).is_empty(), "{report}");
}

#[test]
fn a_parent_that_was_in_a_wait_all_the_time_is_not_late() {
    let (trace, report) = joined(false);
    assert!(trace.contains("# reaped 101 x\n"), "{trace}");
    assert!(heads(&report).is_empty(), "{report}");
}

#[test]
fn a_wait_that_told_of_a_stop_is_not_held_until_the_child_s_end() {
    let parent = format!(
        "@0.000000 execve(\"./x\", [\"./x\"], 0x7ffd /* 20 vars */) = 0
@0.100000 {NO_HANDLER}
@0.200000 clone(child_stack=NULL, flags=SIGCHLD) = 101
@0.300000 wait4(101, [{{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}}], WSTOPPED, NULL) = 101
@0.400000 clone(child_stack=NULL, flags=SIGCHLD) = 102
@0.500000 wait4(102, [{{WIFEXITED(s) && WEXITSTATUS(s) == 3}}], 0, NULL) = 102
@0.600000 kill(101, SIGCONT) = 0
@0.600100 waitid(P_PID, 101, {{si_signo=SIGCHLD, si_code=CLD_CONTINUED, si_pid=101, si_uid=0, si_status=SIGCONT, si_utime=0, si_stime=0}}, WCONTINUED, NULL) = 0
@0.700000 wait4(101, [{{WIFEXITED(s) && WEXITSTATUS(s) == 0}}], 0, NULL) = 101
@0.900000 exit_group(0) = ?
@0.900100 +++ exited with 0 +++"
    );
    let stopped = "0.200100 getpid() = 101
@0.250000 --- SIGSTOP {si_signo=SIGSTOP, si_code=SI_USER, si_pid=100, si_uid=0} ---
@0.250100 --- stopped by SIGSTOP ---
@0.600050 --- SIGCONT {si_signo=SIGCONT, si_code=SI_USER, si_pid=100, si_uid=0} ---
@0.800000 exit_group(0) = ?
@0.800100 +++ exited with 0 +++";
    let other = "0.400100 getpid() = 102
@0.450000 exit_group(3) = ?
@0.500050 +++ exited with 3 +++";
    let (trace, report) = read(&[(100, &parent), (101, stopped), (102, other)]);
    let at = |text: &str| {
        trace
            .find(text)
            .unwrap_or_else(|| panic!("no {text}\n{trace}"))
    };
    assert!(at("WIFSTOPPED") < at("+++ exited with 3"), "{trace}");
    assert!(at("+++ exited with 3") < at("CLD_CONTINUED"), "{trace}");
    assert!(report.contains("3 processes, 2 reaped"), "{report}");
    assert!(!report.contains("without a creator"), "{report}");
    assert!(heads(&report).is_empty(), "{report}");
}

#[test]
fn without_times_nobody_is_told_of_before_he_was_created() {
    // The first adopts the child of its child.
    let parent = format!(
        "execve(\"./x\", [\"./x\"], 0x7ffd /* 20 vars */) = 0
prctl(PR_SET_CHILD_SUBREAPER, 1) = 0
{NO_HANDLER}
clone(child_stack=NULL, flags=SIGCHLD) = 101
wait4(-1, [{{WIFEXITED(s) && WEXITSTATUS(s) == 4}}], 0, NULL) = 102
wait4(-1, [{{WIFEXITED(s) && WEXITSTATUS(s) == 0}}], 0, NULL) = 101
exit_group(0) = ?
+++ exited with 0 +++"
    );
    let child = "clone(child_stack=NULL, flags=SIGCHLD) = 102
exit_group(0) = ?
+++ exited with 0 +++";
    let orphan = "exit_group(4) = ?
+++ exited with 4 +++";
    let (trace, report) = read(&[(100, &parent), (101, child), (102, orphan)]);
    assert!(report.contains("3 processes, 2 reaped"), "{report}");
    assert!(!report.contains("without a creator"), "{report}");
    let at = |text: &str| {
        trace
            .find(text)
            .unwrap_or_else(|| panic!("no {text}\n{trace}"))
    };
    assert!(at("+++ exited with 4") < at("= 102"), "{trace}");
    assert!(heads(&report).is_empty(), "{report}");
}

#[test]
fn times_in_seconds_put_nobody_before_his_creation() {
    let parent = "00:00:01 execve(\"./x\", [\"./x\"], 0x7ffd /* 20 vars */) = 0
00:00:01 clone(child_stack=NULL, flags=SIGCHLD) = 50
00:00:01 wait4(50, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 50
00:00:01 +++ exited with 0 +++";
    let child = "00:00:01 exit_group(0) = ?
00:00:01 +++ exited with 0 +++";
    // The first is the one that begins with an execve.
    let (trace, report) = read(&[(100, parent), (50, child)]);
    assert!(
        report.contains("2 processes, 1 reaped"),
        "{report}\n{trace}"
    );
    assert!(!report.contains("without a creator"), "{report}\n{trace}");
}

#[test]
fn a_pid_that_was_given_again_holds_nobody() {
    // The first 101 has no file any more: that of the second took its name.
    let parent = format!(
        "@0.000000 execve(\"./x\", [\"./x\"], 0x7ffd /* 20 vars */) = 0
@0.100000 {NO_HANDLER}
@0.200000 clone(child_stack=NULL, flags=SIGCHLD) = 101
@0.300000 wait4(101, [{{WIFEXITED(s) && WEXITSTATUS(s) == 3}}], 0, NULL) = 101
@0.400000 clone(child_stack=NULL, flags=SIGCHLD) = 102
@0.500000 clone(child_stack=NULL, flags=SIGCHLD) = 101
@0.600000 wait4(102, [{{WIFEXITED(s) && WEXITSTATUS(s) == 0}}], 0, NULL) = 102
@0.700000 wait4(101, [{{WIFEXITED(s) && WEXITSTATUS(s) == 0}}], 0, NULL) = 101
@0.900000 exit_group(0) = ?
@0.900100 +++ exited with 0 +++"
    );
    let child = |begin: &str, end: &str| {
        format!("@{begin} getpid() = 1\n@{end} exit_group(0) = ?\n@{end} +++ exited with 0 +++")
    };
    let (trace, report) = read(&[
        (100, &parent),
        (101, &child("0.500100", "0.800000")),
        (102, &child("0.400100", "0.650000")),
    ]);
    assert!(
        report.contains("4 processes, 3 reaped"),
        "{report}\n{trace}"
    );
    assert!(!report.contains("without a creator"), "{report}");
    assert!(heads(&report).is_empty(), "{report}");
}
