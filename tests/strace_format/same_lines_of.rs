//! Each fixture, under strace and under us.

use super::{
    Likeness, MODES, assert_alike, fixture, ours, same_as, same_under_both, strace, to_file,
};
use crate::support::{fixture as untraced, have, run};
use Likeness::{Lines, Reaps, SigchldAnywhere, WithoutRestarts};

/// A test for each fixture, named as it is.
macro_rules! fixtures {
    ($($name:ident: $likeness:expr,)*) => {
        const COMPARED: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                if have("strace") {
                    same_under_both(&[], &fixture(&[stringify!($name)]), $likeness);
                }
            }
        )*
    };
}

fixtures! {
    wait4_exit_codes: SigchldAnywhere,
    wait4_null_pointers: SigchldAnywhere,
    wait4_rusage: SigchldAnywhere,
    wait4_echild: SigchldAnywhere,
    wait4_esrch_int_min: Lines,
    wait4_unknown_options: SigchldAnywhere,
    wait4_wnohang_zero: SigchldAnywhere,
    // Two children end while the other is waited for.
    wait4_group: WithoutRestarts,
    wait4_specific: WithoutRestarts,
    wait4_garbage_high_bits: SigchldAnywhere,
    wait4_bad_status_pointer: SigchldAnywhere,
    wait4_bad_rusage_pointer: SigchldAnywhere,
    waitid_bad_infop: SigchldAnywhere,
    status_at_page_end: SigchldAnywhere,
    signaled_term: SigchldAnywhere,
    signaled_core: SigchldAnywhere,
    signaled_realtime: SigchldAnywhere,
    stopped_and_continued: WithoutRestarts,
    waitid_all: SigchldAnywhere,
    waitid_pid_nowait_then_reap: SigchldAnywhere,
    waitid_pgid: SigchldAnywhere,
    waitid_negative_ids: Lines,
    waitid_pidfd: SigchldAnywhere,
    waitid_pidfd_nonblock_eagain: SigchldAnywhere,
    waitid_null_infop: SigchldAnywhere,
    waitid_wnohang_empty: SigchldAnywhere,
    waitid_bad_idtype: SigchldAnywhere,
    waitid_no_event_wanted: SigchldAnywhere,
    waitid_echild_writes_zeros: Lines,
    waitid_rusage: SigchldAnywhere,
    ptrace_event_status: SigchldAnywhere,
    nested_tracer: SigchldAnywhere,
    restart_with_sa_restart: WithoutRestarts,
    eintr_without_sa_restart: WithoutRestarts,
    // Its second SIGCHLD may come while the first is pending.
    restart_without_handler: WithoutRestarts,
    sigchld_handler_reaps: SigchldAnywhere,
    longjmp_out_of_wait: WithoutRestarts,
    sigchld_ignored_autoreaps: SigchldAnywhere,
    sa_nocldwait_autoreaps: WithoutRestarts,
    exec_from_leader: SigchldAnywhere,
    exec_from_nonleader_thread: SigchldAnywhere,
    exec_from_thread_loop: Reaps,
    exec_from_nonleader_while_leader_exits: Reaps,
    threads_fork_and_wait: Reaps,
    wait_in_two_threads: Reaps,
    leader_exits_first: WithoutRestarts,
    // Its SIGCHLD may go to either thread.
    wnothread: WithoutRestarts,
    adopted_by_sibling_thread: Reaps,
    threads_start_and_end: Lines,
    vfork_exec: SigchldAnywhere,
    vfork_chain: SigchldAnywhere,
    clone_parent: WithoutRestarts,
    clone_no_exit_signal: WithoutRestarts,
    clone_exit_signal_usr1: SigchldAnywhere,
    clone3_fork: SigchldAnywhere,
    clone3_thread: Reaps,
    posix_spawn: SigchldAnywhere,
    orphan_daemon: SigchldAnywhere,
    orphan_adopted_by_subreaper: SigchldAnywhere,
    rt_signal_stop: SigchldAnywhere,
    self_stop: WithoutRestarts,
    // Its child continues it when it is in any stop, also one of the tracer's,
    // before it is stopped.
    root_stops_itself: Reaps,
    group_stop_loop: Reaps,
    siginfo_kinds: SigchldAnywhere,
    sigsegv_handled: SigchldAnywhere,
    seccomp_own_filter_trace: SigchldAnywhere,
    i386_int80_waits: SigchldAnywhere,
    pidns_two_deep: SigchldAnywhere,
    pidns_clone_newpid: SigchldAnywhere,
    pidns_orphan_goes_to_init: WithoutRestarts,
    wnohang_poll: SigchldAnywhere,
    fork_exit_wait: SigchldAnywhere,
    many_live: WithoutRestarts,
    family: Reaps,
}

/// What has a test of its own below.
const APART: &[&str] = &[
    "clone_untraced",
    "seccomp_own_filter_errno",
    "seccomp_own_filter_trap",
    "seccomp_own_filter_kill",
    "seccomp_own_filter_trace_wait4",
    "seccomp_strict",
];

/// What has no lines that could be compared: the children that it makes die at
/// random, or it waits for stdin, or shows what `tests/launch.rs` or
/// `tests/chaos.rs` compares, or goes on until stdin ends.
const LEFT_OUT: &[&str] = &[
    "filled_sigaction",
    "leader_has_left",
    "orphan_zombie_s_pid_used_again",
    // Which waits stop depends on who filters.
    "seccomp_listener",
    "chaos",
    "fork_storm",
    "fork_kill_parent_storm",
    "print_state",
    "exit_with",
    "die_by",
    "sleep_ms",
    "reap_all",
    "read_stdin_then_exit",
    "blocked_in_wait4",
    "threads_blocked_in_wait4",
    "threads_fork_when_told",
    "threads_call_all_the_time",
    // Without a filter its thread is traced by neither.
    "untraced_thread_reaps",
    "holds_a_zombie",
    "print_pid_tree",
    "torture_runs",
    "torture_waits",
    "torture_handles_sigchld",
    "torture_vforks",
    "torture_stops",
    "torture_forks",
    "torture_execs",
    "torture_threads",
    "torture_signals",
    "torture_exits",
    "torture_sleeps",
    "sleep_for_half_a_second",
    "sleep_in",
    "sleep_until_handled",
];

#[test]
fn every_fixture_is_compared_or_left_out_for_a_reason() {
    let list = run(&mut untraced("list")).stdout;
    let mut listed: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut known: Vec<&str> = [COMPARED, APART, LEFT_OUT].concat();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(known, listed);
}

/// Where calls that a signal interrupts are left out of the comparison, those
/// that are certain are in both logs.
#[test]
fn interrupted_calls_are_shown_with_the_same_words() {
    if !have("strace") {
        return;
    }
    // It jumps on x86-64 alone.
    let jumps = cfg!(target_arch = "x86_64").then_some("longjmp_out_of_wait");
    let returns = ["restart_with_sa_restart", "eintr_without_sa_restart"];
    for name in returns.into_iter().chain(jumps) {
        let interrupted = |tracer| {
            let text = to_file(tracer, &fixture(&[name])).text;
            let lines = text.lines().filter_map(|line| {
                let (_, result) = line.split_once(") = ?")?;
                Some(result.to_owned())
            });
            let mut results: Vec<String> = lines.collect();
            results.dedup();
            results
        };
        let theirs = interrupted(strace(&[]));
        assert_eq!(theirs.len(), 1, "{name}: {theirs:?}");
        for mode in MODES {
            assert_eq!(interrupted(ours(mode)), theirs, "{name} {mode:?}");
        }
    }
}

/// A program's own seccomp filter answers before the tracer's: under the
/// filter the refused call is not seen. Stopping at every call it is.
fn own_filter(name: &str, refused: &[&str]) {
    if !have("strace") {
        return;
    }
    let program = fixture(&[name]);
    let theirs = to_file(strace(&[]), &program);
    same_as(
        &theirs,
        &["--seccomp-bpf=never"],
        &[],
        &program,
        SigchldAnywhere,
    );
    let filtered = to_file(ours(&[]), &program);
    assert_eq!(filtered.outcome, theirs.outcome);
    let mut expected = theirs.log();
    for text in refused {
        expected = expected.without(text);
    }
    assert_alike(name, &filtered.log(), &expected, SigchldAnywhere);
}

#[test]
fn seccomp_own_filter_errno() {
    own_filter("seccomp_own_filter_errno", &["= -1 EPERM"]);
}

/// strace shows the refused call with what is left in its registers: on x86-64 its
/// number, 61, as result, on aarch64 its first argument, a pid, or -1, which reads as
/// EPERM. With a result that is no error, its status is garbage.
#[test]
fn seccomp_own_filter_trap() {
    own_filter("seccomp_own_filter_trap", &["|0x5a5a"]);
}

#[test]
fn seccomp_own_filter_kill() {
    let left = if cfg!(target_arch = "aarch64") {
        "= -1 EPERM"
    } else {
        "NULL) = 61"
    };
    own_filter("seccomp_own_filter_kill", &[left]);
}

#[test]
fn seccomp_own_filter_trace_wait4() {
    own_filter("seccomp_own_filter_trace_wait4", &["= -1 ENOSYS"]);
}

/// Strict mode is refused to a process that has a filter: under ours the
/// program sees that.
#[test]
fn seccomp_strict() {
    if !have("strace") {
        return;
    }
    let program = fixture(&["seccomp_strict"]);
    let theirs = to_file(strace(&[]), &program);
    same_as(
        &theirs,
        &["--seccomp-bpf=never"],
        &[],
        &program,
        SigchldAnywhere,
    );
    let filtered = to_file(ours(&[]), &program);
    assert!(
        filtered.outcome.stdout.contains("refused"),
        "{:?}",
        filtered.outcome
    );
}

/// strace leaves such children alone (and under its --seccomp-bpf they get
/// ENOSYS from wait4); we trace them. What strace shows, we show.
#[test]
fn clone_untraced() {
    if !have("strace") {
        return;
    }
    let program = fixture(&["clone_untraced"]);
    let theirs = to_file(strace(&[]), &program);
    for mode in MODES {
        let ours = to_file(ours(mode), &program);
        assert_eq!(ours.outcome, theirs.outcome, "{mode:?}");
        assert_eq!(
            (theirs.log().tasks(), ours.log().tasks()),
            (1, 3),
            "{mode:?}"
        );
        let root = |text: &str| {
            // The last to end.
            let tid = text.lines().last().unwrap().split(' ').next().unwrap();
            let lines = text.lines().filter(|line| line.starts_with(tid));
            super::Log::parse(&lines.collect::<Vec<_>>().join("\n"))
        };
        let what = format!("{mode:?}");
        assert_alike(
            &what,
            &root(&ours.text),
            &root(&theirs.text),
            SigchldAnywhere,
        );
    }
}
