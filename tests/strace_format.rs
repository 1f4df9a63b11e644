//! The lines of `--strace` are strace's: the same programs under both, live.
//!
//! The strace that is installed may be older than the one whose grammar is
//! ours (7.2); what is known to differ is normalised in `normal`.

mod flags;
mod normal;
mod programs;
mod same_lines_of;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::process::Command;

use crate::support::{Outcome, fixture_path, run, wait4_strace};
use normal::{Likeness, Log};
use tempfile::TempDir;

/// Our two ways to trace a launched program.
const MODES: [&[&str]; 2] = [&[], &["--seccomp-bpf=never"]];

/// What was traced, how it ended, and what was written about it.
struct Traced {
    outcome: Outcome,
    text: String,
}

impl Traced {
    fn log(&self) -> Log {
        Log::parse(&self.text)
    }
}

/// A command's words.
fn words<S: AsRef<OsStr>>(words: &[S]) -> Vec<OsString> {
    words.iter().map(|word| word.as_ref().to_owned()).collect()
}

/// A fixture's command.
fn fixture(args: &[&str]) -> Vec<OsString> {
    let mut command = vec![fixture_path().into_os_string()];
    command.extend(args.iter().map(OsString::from));
    command
}

/// strace, told to show the wait calls.
fn strace(flags: &[&str]) -> Command {
    let mut command = Command::new("strace");
    command
        .args(["-e", "trace=wait4,waitid,?waitpid"])
        .args(flags);
    command
}

/// wait4-strace, told to be strace.
fn ours(flags: &[&str]) -> Command {
    let mut command = wait4_strace();
    command.arg("--strace").args(flags);
    command
}

/// Run `program` under `tracer` with `-f -o FILE`.
fn to_file(mut tracer: Command, program: &[OsString]) -> Traced {
    let directory = TempDir::new().unwrap();
    let log = directory.path().join("log");
    tracer.args(["-f", "-o"]).arg(&log).arg("--").args(program);
    let outcome = run(&mut tracer);
    let text = fs::read_to_string(&log)
        .unwrap_or_else(|error| panic!("{tracer:?} wrote no log: {error}: {outcome:?}"));
    Traced { outcome, text }
}

/// Assert that two logs are alike.
fn assert_alike(what: &str, ours: &Log, theirs: &Log, likeness: Likeness) {
    if let Some(difference) = ours.difference(theirs, likeness) {
        panic!("{what}: strace (-) and we (+) differ by {likeness:?}:\n{difference}");
    }
}

/// Run a program under strace and under us in both modes: it writes and ends
/// as it does under strace, and the logs are alike.
fn same_under_both(flags: &[&str], program: &[OsString], likeness: Likeness) {
    let theirs = to_file(strace(flags), program);
    for mode in MODES {
        same_as(&theirs, mode, flags, program, likeness);
    }
}

fn same_as(
    theirs: &Traced,
    mode: &[&str],
    flags: &[&str],
    program: &[OsString],
    likeness: Likeness,
) {
    let mut tracer = ours(flags);
    tracer.args(mode);
    let what = format!("{program:?} {flags:?} {mode:?}");
    let ours = to_file(tracer, program);
    assert_eq!(ours.outcome, theirs.outcome, "{what}");
    assert_alike(&what, &ours.log(), &theirs.log(), likeness);
}

/// A log as strace writes it, for the tests of the comparison.
const SAMPLE: &str = "\
1000 wait4(1001,  <unfinished ...>
1001 waitid(P_PID, 1002, {si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=1002, si_uid=0, si_status=SIGTERM, si_utime=0, si_stime=0}, WNOHANG|WEXITED, NULL) = 0
1002 +++ killed by SIGTERM +++
1001 wait4(-1, 0x7ffc1234abcd, __WALL, NULL) = -1 ECHILD (No child processes)
1001 +++ exited with 3 +++
1000 <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 3}], WSTOPPED, {ru_utime={tv_sec=0, tv_usec=7}, ru_stime={tv_sec=0, tv_usec=0}, ...}) = 1001
1000 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=1001, si_uid=0, si_status=3, si_utime=0, si_stime=0} ---
1000 wait4(-1, 0x7ffc1234abcd, 0, NULL)  = ? ERESTARTSYS (To be restarted if SA_RESTART is set)
1000 +++ exited with 0 +++
";

#[test]
fn the_same_run_with_other_pids_addresses_times_and_cuts_is_alike() {
    let other = SAMPLE
        .replace("1002", "777")
        .replace("1001", "31001")
        .replace("1000", "4242")
        .replace("0x7ffc1234abcd", "0x55f01234abcd")
        .replace("tv_usec=7", "tv_usec=91827")
        .replace(
            "si_utime=0, si_stime=0} ---",
            "si_utime=12 /* 0.12 s */, si_stime=0} ---",
        )
        .replace(",  <unfinished ...>", " <unfinished ...>")
        .replace("resumed>", "resumed>, ")
        .replace("NULL)  = ?", "NULL) = ?");
    let moved = "31001 +++ exited with 3 +++\n";
    let other = other.replace(moved, "") + moved;
    for likeness in ALL {
        assert_alike("sample", &Log::parse(SAMPLE), &Log::parse(&other), likeness);
    }
}

const ALL: [Likeness; 5] = [
    Likeness::Lines,
    Likeness::SigchldAnywhere,
    Likeness::WithoutRestarts,
    Likeness::Reaps,
    Likeness::ReapsOfAll,
];

#[test]
fn a_change_of_what_a_call_says_is_a_difference() {
    let log = Log::parse(SAMPLE);
    let changes = [
        ("WEXITSTATUS(s) == 3", Some("WEXITSTATUS(s) == 4")),
        (
            "WIFEXITED(s) && WEXITSTATUS(s) == 3",
            Some("WIFSIGNALED(s) && WTERMSIG(s) == SIGHUP"),
        ),
        ("WSTOPPED", Some("WCONTINUED")),
        ("WSTOPPED", Some("WSTOPPED|__WNOTHREAD")),
        ("WSTOPPED", Some("0")),
        (", ...}) = 1001", Some(", ...}) = 1002")),
        (", ...}) = 1001", Some(", ...}) = 0")),
        (
            "{ru_utime={tv_sec=N, tv_usec=N}, ru_stime={tv_sec=N, tv_usec=N}, ...}",
            Some("NULL"),
        ),
        ("ru_stime", Some("ru_utime")),
        ("si_pid=1002", Some("si_pid=1001")),
        ("si_status=SIGTERM", Some("si_status=SIGKILL")),
        ("CLD_KILLED", Some("CLD_DUMPED")),
        ("P_PID, 1002", Some("P_PGID, 1002")),
        ("P_PID, 1002", Some("P_PID, 1001")),
        ("WEXITED, NULL", Some("WEXITED, 0xdead")),
        ("WEXITED", Some("WEXITED|WNOWAIT")),
        ("exited with 3", Some("exited with 4")),
        ("killed by SIGTERM", Some("killed by SIGTERM (core dumped)")),
        ("+++ exited with 3", None),
        ("+++ killed by", None),
        ("waitid(", None),
        ("wait4(1001", None),
    ];
    for (from, to) in changes {
        let changed = log.mutated(from, to);
        for likeness in ALL {
            let found = log.difference(&changed, likeness);
            assert!(found.is_some(), "{from} to {to:?} is lost by {likeness:?}");
        }
    }
}

#[test]
fn failures_signals_and_interruptions_are_compared_where_they_are_no_race() {
    use Likeness::{Lines, SigchldAnywhere, WithoutRestarts};
    let log = Log::parse(SAMPLE);
    let changes: [(&str, Option<&str>, &[Likeness]); 9] = [
        (
            "ECHILD (No child processes)",
            Some("EINVAL (Invalid argument)"),
            &[Lines, SigchldAnywhere, WithoutRestarts],
        ),
        (
            "(No child processes)",
            Some(""),
            &[Lines, SigchldAnywhere, WithoutRestarts],
        ),
        (
            "0xADDR, __WALL",
            Some("NULL, __WALL"),
            &[Lines, SigchldAnywhere, WithoutRestarts],
        ),
        (
            "= -1 ECHILD",
            None,
            &[Lines, SigchldAnywhere, WithoutRestarts],
        ),
        (
            "WNOHANG|",
            Some(""),
            &[Lines, SigchldAnywhere, WithoutRestarts],
        ),
        ("ERESTARTSYS", None, &[Lines, SigchldAnywhere]),
        ("--- SIGCHLD", None, &[Lines, SigchldAnywhere]),
        (
            "si_status=3, si_utime",
            Some("si_status=4, si_utime"),
            &[Lines, SigchldAnywhere],
        ),
        (
            "+++ exited with 0",
            None,
            &[Lines, SigchldAnywhere, WithoutRestarts, Likeness::Reaps],
        ),
    ];
    for (from, to, seen) in changes {
        let changed = log.mutated(from, to);
        for likeness in ALL {
            let found = log.difference(&changed, likeness).is_some();
            assert_eq!(
                found,
                seen.contains(&likeness),
                "{from} to {to:?}: {likeness:?}"
            );
        }
    }
}

#[test]
fn the_order_of_a_process_s_calls_is_compared() {
    let other = "1000 wait4(-1, NULL, 0, NULL) = -1 ECHILD (No child processes)\n\
                 1000 waitid(P_ALL, 0, NULL, WEXITED, NULL) = -1 ECHILD (No child processes)\n";
    let swapped = other.lines().rev().collect::<Vec<_>>().join("\n");
    let (log, swapped) = (Log::parse(other), Log::parse(&swapped));
    assert!(
        log.difference(&swapped, Likeness::WithoutRestarts)
            .is_some()
    );
    assert!(log.difference(&log, Likeness::Lines).is_none());
}
