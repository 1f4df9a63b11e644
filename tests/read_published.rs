//! Logs as people publish them: with parts left out, several in one text, or of programs
//! that write as strace does.

use std::fs;

use crate::support::{heads, read_again, run, wait4_strace};
use tempfile::TempDir;

/// The trace and the report of a log that is written here.
fn read(log: &str) -> (String, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    fs::write(&path, log).unwrap();
    read_again(path.to_str().unwrap())
}

/// Without `-f` a child's end is in the signal alone, and a wait may not have asked.
#[test]
fn a_wait_without_a_status_reaps_whom_the_signal_behind_it_names() {
    let signal = "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=31, si_uid=0, \
                  si_status=3, si_utime=0, si_stime=0} ---\n";
    for (wait, is_reaped) in [
        ("wait4(31, NULL, 0, NULL) = 31\n", true),
        ("wait4(-1, NULL, WNOHANG, NULL) = 31\n", true),
        ("waitid(P_PID, 31, NULL, WEXITED, NULL) = 0\n", true),
        ("wait4(31, NULL, WUNTRACED, NULL) = 31\n", false),
        (
            "waitid(P_PID, 31, NULL, WEXITED|WNOWAIT, NULL) = 0\n",
            false,
        ),
    ] {
        let (trace, report) = read(&format!("getpid() = 30\nfork() = 31\n{wait}{signal}"));
        let count = u32::from(is_reaped);
        let counts = format!("2 processes, {count} reaped, 0 zombies left");
        assert!(report.contains(&counts), "{wait}{trace}{report}");
        assert_eq!(trace.contains("# reaped 31"), is_reaped, "{wait}{trace}");
    }
    let wait = "wait4(-1, NULL, WNOHANG, NULL) = 31\nwait4(-1, NULL, WNOHANG, NULL) = -1 ECHILD \
                (No child processes)\n";
    let (trace, report) = read(&format!("getpid() = 30\nfork() = 31\n{signal}{wait}"));
    assert!(report.contains("2 processes, 1 reaped"), "{trace}{report}");
    // The end of another child, and one that comes late, prove nothing.
    for between in ["getppid() = 1\n", "fork() = 32\n"] {
        let wait = "wait4(31, NULL, 0, NULL) = 31\n";
        let log = format!("getpid() = 30\nfork() = 31\n{wait}{between}{signal}");
        let (trace, report) = read(&log);
        assert!(report.contains("0 zombies left"), "{trace}{report}");
        assert!(!trace.contains("31    "), "{trace}");
    }
}

/// Without `-f` another thread may wait for a child, and no line shows it.
#[test]
fn who_was_not_followed_is_no_zombie_for_sure() {
    let (trace, report) = read(
        "\
1700000000.000001 execve(\"./x\", [\"./x\"], 0x7ffd /* 20 vars */) = 0
1700000000.000100 brk(NULL) = 0x55
1700000000.000200 openat(AT_FDCWD, \"/etc/ld.so.cache\", O_RDONLY|O_CLOEXEC) = 3
1700000000.000300 close(3) = 0
1700000000.000400 clone(child_stack=0x7f, flags=CLONE_VM|CLONE_SIGHAND|CLONE_THREAD) = 40
1700000000.010000 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 31
1700000000.200000 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=31, si_uid=0, \
si_status=0, si_utime=0, si_stime=0} ---
1700000009.200100 exit_group(0) = ?
1700000009.200200 +++ exited with 0 +++
",
    );
    assert!(heads(&report).is_empty(), "{trace}{report}");
    assert!(
        report.contains("1 child that was not followed (-f)"),
        "{report}"
    );
}

#[test]
fn who_was_reaped_does_nothing_more() {
    let (trace, report) = read(
        "\
execve(\"./a\", [\"./a\"], 0x7ffd /* 20 vars */) = 0
fork() = 21
wait4(21, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 21
exit_group(0) = ?
+++ exited with 0 +++
execve(\"./b\", [\"./b\"], 0x7ffd /* 20 vars */) = 0
fork() = 31
wait4(31, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 31
fork() = 32
wait4(-1,  <unfinished ...>
",
    );
    assert!(
        trace.contains("?     b               +++ executed ./b"),
        "{trace}"
    );
    assert!(!trace.contains("\n21 "), "{trace}");
    let open = "? is in wait4(-1); 32 does nothing that is in the log";
    assert!(report.contains(open), "{report}");
    assert!(!report.contains("; 31 does"), "{report}");
}

#[test]
fn several_logs_in_one_text_have_roots_of_their_own() {
    let log = "\
$ strace ./a
execve(\"./a\", [\"./a\"], 0x7ffd /* 20 vars */) = 0
getpid() = 20
fork() = 21
wait4(21, ^C

Then I tried the other one:

me@host:~/x$ sudo strace ./b
execve(\"./b\", [\"./b\"], 0x7ffd /* 20 vars */) = 0
fork() = 31
wait4(31, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 31
+++ exited with 0 +++
";
    for log in [log.to_owned(), log.replace('\n', "\n> ")] {
        let (trace, report) = read(&log);
        assert!(
            trace.contains("20    a               +++ forked 21 +++"),
            "{trace}"
        );
        assert!(
            trace.contains("?     b               +++ executed ./b"),
            "{trace}"
        );
        assert!(report.contains("20 is in wait4(21)"), "{report}");
        assert!(report.contains("4 processes, 1 reaped"), "{trace}{report}");
    }
}

#[test]
fn what_the_author_left_out_is_not_known_and_all_else_is() {
    let (trace, report) = read(
        "\
    50  execve(\"./a\", [\"./a\"], 0x7ffd... /* 20 vars */) = 0
    50  clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|..., child_tidptr=0x7f) = 51
    \u{2026}
    50  wait4(51, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], ...) = 51
    50  --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=51, ...} ---
    \u{2026}
    50  clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHL, child_tidptr=0x7f) = 52
    50  <... wait4 resumed> \u{2026} WTERMSIG(s) == SIGKILL \u{2026}) = 52
    50  wait4(-1, ..., 0, NULL) = 53

  - `[pid 50] wait4(51, ...` waits,
  - `[pid 51] execve(\"/bin/ls\", ...)` runs.
",
    );
    for line in [
        "50    a               +++ forked 51 +++",
        "50    a               +++ forked 52 +++",
        "wait4(51, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], ?, ?) = 51  # reaped 51",
        "[{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], ?, ?) = 52  # reaped 52",
        "wait4(-1, ?, 0, NULL)                   = 53\n",
    ] {
        assert!(trace.contains(line), "{line}\n{trace}");
    }
    assert!(report.contains("3 processes, 2 reaped"), "{trace}{report}");
    assert!(report.contains("cut short"), "{report}");
}

#[test]
fn a_notice_behind_flags_is_none_of_them() {
    let (trace, _) = read(
        "\
execve(\"./a\", [\"./a\"], 0x7ffd /* 20 vars */) = 0
clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLDstrace: Process 61 attached
, child_tidptr=0x7f) = 61
[pid    61] +++ exited with 0 +++
",
    );
    assert!(trace.contains("+++ forked 61 +++"), "{trace}");
}

#[test]
fn a_wait_that_blocks_returns_no_0() {
    let (trace, report) = read(
        "\
70 execve(\"./a\", [\"./a\"], 0x7ffd /* 20 vars */) = 0
70 wait4(-1, 0x7ffd, 0, NULL) = 0
70 wait4(-1, 0x7ffd, WNOHANG, NULL) = 0
",
    );
    assert_eq!(trace.matches("wait4").count(), 1, "{trace}");
    assert!(report.contains("1 call that is cut short"), "{report}");
}

#[test]
fn qemu_s_statuses_are_behind_its_calls() {
    let (trace, report) = read(
        "\
474 clone(CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|0x11,child_stack=0x0,tls=0x0) = 475
474 wait4(-1,0x7f00767ff0a0,0,(nil)) = 475 (wstatus={WIFEXITED(s) && WEXITSTATUS(s) == 1})
474 waitpid(476,0x7f44eea00340,0) = 476 (wstatus={WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL})
474 wait4(-1,0x7f00767ff0a0,WNOHANG,(nil)) = -1 errno=10 (No child processes)
",
    );
    let wait = "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 1}], 0, NULL) = 475  # reaped 475";
    assert!(trace.contains(wait), "{trace}");
    assert!(trace.contains("+++ forked 475 +++"), "{trace}");
    assert!(report.contains("3 processes, 2 reaped"), "{trace}{report}");
}

#[test]
fn logs_of_other_programs_are_refused_by_name() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    for (log, who) in [
        (
            "fork() = 77\nwait(0x7ffd10) = 77\n+++ exited (status 0) +++\n",
            "ltrace's log",
        ),
        ("(gdb) next\nfork() = 77\n", "gdb's"),
        (
            "77/0x1f3a:  43987 8 5 wait4(0xFFFFFFFF, 0x7FFF, 0x0) = 78 0\n",
            "dtruss",
        ),
        (
            "1211:\twaitid(P_ALL, 0, 0x08047A50, WEXITED|WTRAPPED) Err#10 ECHILD\n",
            "another truss",
        ),
    ] {
        for quote in ["", "> "] {
            let log = log.replace('\n', &format!("\n{quote}"));
            fs::write(&path, format!("{quote}{log}")).unwrap();
            let said = run(wait4_strace().arg("--read").arg(&path)).stderr;
            assert!(said.contains(who) && said.contains("is read"), "{said}");
        }
    }
}
