//! `--explore` and `--schedule`: each race of the fixtures is found with the
//! schedule that its line names, its healthy twin has no problems, and so have
//! healthy programs.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use std::ffi::OsStr;
use std::process::Command;

use crate::support::{self, Outcome, fixture_path, run, wait4_strace};

/// The call that pause(3) makes: aarch64 has none of this name.
const PAUSE: &str = if cfg!(target_arch = "x86_64") {
    "pause"
} else {
    "ppoll"
};

/// The report of an exploration.
fn explored(flags: &[&str], words: &[&OsStr]) -> Outcome {
    explored_in(90, flags, words)
}

/// The same of so many runs.
fn explored_in(runs: u32, flags: &[&str], words: &[&OsStr]) -> Outcome {
    let mut command = wait4_strace();
    command.arg(format!("--explore={runs}"));
    command.args(["--budget", "60"]).args(flags);
    command.arg("--").args(words);
    run(&mut command)
}

fn explored_fixture(flags: &[&str], name: &str, args: &[&str]) -> Outcome {
    let path = fixture_path();
    let mut words = vec![path.as_os_str(), OsStr::new(name)];
    words.extend(args.iter().map(OsStr::new));
    explored(flags, &words)
}

/// A point that shows a race of a fixture.
struct Shows<'a> {
    flags: &'a [&'a str],
    fixture: &'a str,
    /// The schedule of the shortest form, or how it begins.
    schedule: &'a str,
    symptom: &'a str,
    /// What the trace says of the hold.
    held: &'a str,
}

impl Shows<'_> {
    /// The search reports the race under this schedule, the schedule by itself shows
    /// it again, and neither finds it in the healthy twin.
    fn check(&self) {
        let Shows { flags, fixture, .. } = self;
        let heading = format!("[{}] under {}", self.symptom, self.schedule);
        // On a busy machine the race may happen by itself, and then it is no
        // difference.
        let mut attempts = (0..5).map(|_| explored_fixture(flags, fixture, &[]));
        let found = attempts.find(|found| found.stderr.contains(&heading));
        let found = found.unwrap_or_else(|| {
            let last = explored_fixture(flags, fixture, &[]);
            panic!("{heading}: not found in five searches: {}", last.stderr)
        });
        let lines = found
            .stderr
            .lines()
            .skip_while(|line| !line.contains(&heading));
        let replay = lines
            .into_iter()
            .find_map(|line| line.split_once("--schedule "));
        let schedule = replay.unwrap().1.split(' ').next().unwrap();
        // The schedule itself comes below.
        let path = fixture_path();
        let fixed = explored_in(
            45,
            flags,
            &[path.as_os_str(), OsStr::new(fixture), OsStr::new("fixed")],
        );
        assert!(
            fixed.stderr.contains("; no problems"),
            "{fixture} fixed: {}",
            fixed.stderr
        );
        // Nine of ten show it: what is not held may be in another order.
        let path = path.to_str().unwrap();
        let replays: Vec<Outcome> = (0..5)
            .map(|_| scheduled(schedule, &[path, fixture]))
            .collect();
        let shown = replays
            .iter()
            .filter(|replay| self.is_shown(replay))
            .count();
        assert!(
            shown >= 3,
            "{fixture} under {schedule}: {shown} of 5: {replays:?}"
        );
        let fixed = scheduled(schedule, &[path, fixture, "fixed"]);
        assert!(!self.is_wrong(&fixed), "{fixture} fixed: {fixed:?}");
    }

    /// Whether a replay was held where it should, and went wrong in the same way.
    fn is_shown(&self, replay: &Outcome) -> bool {
        let held = format!("~~~ held at {}", self.held);
        replay.stderr.contains(&held) && self.is_wrong(replay)
    }

    fn is_wrong(&self, replay: &Outcome) -> bool {
        match self.symptom {
            "status" => replay.status == 1,
            // It ends by itself.
            "hang" => replay.stderr.contains("the command can never end") && replay.status == 137,
            "kills-all" => replay.stderr.contains("called kill(-1, …)"),
            "runs-on" => replay.stderr.contains("went on as its parent"),
            rule => replay.stderr.contains(&format!("[{rule}]")),
        }
    }
}

fn shows(fixture: &str, schedule: &str, symptom: &str, held: &str) {
    let flags: &[&str] = if schedule.contains("-fail") {
        &["--faults"]
    } else {
        &[]
    };
    Shows {
        flags,
        fixture,
        schedule,
        symptom,
        held,
    }
    .check();
}

#[test]
fn deaths_that_coalesce_are_forced() {
    let held = "exit until 2 children could end together";
    shows("race_one_wait_a_signal", "hold-deaths@1,", "hang", held);
}

#[test]
fn a_child_that_ends_before_it_is_recorded_is_forced() {
    shows(
        "race_recorded_too_late",
        "child-first@1,",
        "hang",
        "fork until ",
    );
}

#[test]
fn a_lost_wake_up_is_forced() {
    let held = "call until a signal was pending";
    shows("race_lost_wakeup", "before@1,", "hang", held);
}

#[test]
fn an_interrupted_call_is_forced() {
    shows("race_eintr_is_an_error", "eintr@", "status", "exit until ");
}

#[test]
fn a_thread_that_steals_a_child_is_forced() {
    shows(
        "race_thread_steals",
        "steal@1,",
        "stolen-child",
        "call until ",
    );
}

#[test]
fn a_parent_that_is_faster_than_its_child_is_forced() {
    shows(
        "race_group_is_set_late",
        "parent-first@1,",
        "status",
        "start until ",
    );
}

#[test]
fn the_end_of_a_pipe_before_the_death_is_forced() {
    shows(
        "race_end_of_pipe_is_no_death",
        "eof-first@1,",
        "status",
        "death until ",
    );
}

#[test]
fn a_handler_between_a_failure_and_errno_is_forced() {
    shows(
        "race_errno_of_a_handler",
        "skew@",
        "status",
        "delivery until ",
    );
}

#[test]
fn a_child_that_ends_long_after_the_only_call_that_fails_is_forced() {
    shows(
        "race_errno_of_one_call",
        "skew@",
        "status",
        "delivery until ",
    );
}

#[test]
fn a_thread_that_steals_until_its_own_child_came_is_forced() {
    shows(
        "race_thread_steals_later",
        "steal@1,",
        "stolen-child",
        "call until ",
    );
}

#[test]
fn points_whose_order_never_came_about_are_listed() {
    // One child at a time, and no call that fails beside a living child.
    let script = "use POSIX ':sys_wait_h'; $SIG{CHLD} = sub { 1 while waitpid(-1, WNOHANG) > 0 }; \
                  fork or exit; select undef, undef, undef, 0.05";
    let found = explored(&[], &["perl", "-e", script].map(OsStr::new));
    let never = found
        .stderr
        .lines()
        .find(|line| line.contains("never reached"));
    let never = never.unwrap_or_else(|| panic!("{}", found.stderr));
    for point in ["hold-deaths", "steal", "skew"] {
        assert!(never.contains(point), "{}", found.stderr);
    }
}

#[test]
fn a_pid_that_is_used_again_is_forced() {
    if !may_choose_pids() {
        crate::support::passed_over("no right to choose pids (CAP_CHECKPOINT_RESTORE)");
        return;
    }
    let held = "fork and made to use the pid ";
    shows("race_stale_pid", "pid-reuse@1,", "status", held);
}

#[test]
fn a_pid_that_a_group_has_is_not_used_again() {
    // The group of the dead child lives, so that the kernel refuses its pid: the call is
    // made as it was.
    let script = "use POSIX; my $a = fork; \
        if (!$a) { setsid; if (!fork) { sleep 1; exit 0 } POSIX::_exit(0) } waitpid $a, 0; \
        my $b = fork; if (!$b) { POSIX::_exit(7) } waitpid $b, 0; exit($? >> 8)";
    let outcome = scheduled("pid-reuse", &["perl", "-e", script]);
    assert_eq!(outcome.status, 7, "{outcome:?}");
    assert!(!outcome.stderr.contains("again ~~~"), "{outcome:?}");
    assert_eq!(
        outcome.stderr.matches("+++ forked ").count(),
        3,
        "{outcome:?}"
    );
}

/// Whether this process has the capability, in the first user namespace.
fn may_choose_pids() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = u64::from_str_radix(line.unwrap().trim(), 16).unwrap();
    let ids = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    capabilities & (1 << 21 | 1 << 40) != 0 && ids.contains("4294967295")
}

#[test]
fn a_fork_that_fails_makes_no_kill_of_all() {
    let held = "call and made to fail with EPERM";
    shows("race_unchecked_fork", "fork-fail@1,", "kills-all", held);
}

#[test]
fn a_child_that_goes_on_after_its_exec_failed_is_seen() {
    let held = "call and made to fail with ENOMEM";
    shows("race_exec_returns", "exec-fail@", "runs-on", held);
}

#[test]
fn a_replay_of_a_hang_ends_by_itself_and_fails_if_it_is_to() {
    let mut command = wait4_strace();
    command.args(["--schedule", "before@1", "--fail-on", "error", "--"]);
    let found = run(command.arg(fixture_path()).arg("race_lost_wakeup"));
    assert_eq!(found.status, 120, "{}", found.stderr);
    let heading = "the command can never end; who waits for whom:";
    let (_, tree) = found.stderr.split_once(heading).unwrap();
    assert!(
        tree.lines()
            .nth(1)
            .unwrap()
            .contains(&format!("  {PAUSE} for ")),
        "{tree}"
    );
    // One that only takes its time is not ended.
    let slow = scheduled("before@1", &["sh", "-c", "(sleep 0.5; exit 3) & wait $!"]);
    assert_eq!(slow.status, 3, "{}", slow.stderr);
}

#[test]
fn healthy_programs_have_no_problems() {
    let scripts = [
        "ls / | cat | wc -l; (exit 3); echo $?",
        "true & sleep 0.01 & wait; echo done",
        "for i in 1 2 3; do (sleep 0.0$i; echo $i) & done; wait",
        "trap 'echo got' TERM; (sleep 0.01) & wait $!; echo end",
        "echo a | while read x; do echo $x; done; seq 4 | xargs -P2 -n1 echo | sort",
    ];
    for script in scripts {
        let words = ["sh", "-c", script].map(OsStr::new);
        let found = explored_in(50, &["--faults"], &words);
        assert!(
            found.stderr.contains("; no problems"),
            "{script}: {}",
            found.stderr
        );
        assert_eq!(found.status, 0);
    }
}

#[test]
fn what_waits_for_the_world_is_no_hang() {
    // A FIFO whose other end anyone may open, and a socket.
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let script = format!("cat <> {}", fifo.display());
    let mut command = wait4_strace();
    command.args(["--explore", "--budget", "2", "--", "sh", "-c", &script]);
    let found = run(&mut command);
    assert!(
        found.stderr.contains("did not end in the time"),
        "{}",
        found.stderr
    );
    assert_eq!(found.status, 125);
}

#[test]
fn a_command_that_hangs_without_a_schedule_is_told_so() {
    let mut command = wait4_strace();
    command.args(["--explore", "--budget", "20", "--"]);
    command.args(["perl", "-MPOSIX", "-e", "POSIX::pause()"]);
    let found = run(&mut command);
    assert!(
        found
            .stderr
            .contains("without a schedule the command hangs"),
        "{}",
        found.stderr
    );
    assert!(
        found.stderr.contains(&format!("{PAUSE}(")),
        "{}",
        found.stderr
    );
}

#[test]
fn problems_fail_the_run_if_they_are_to() {
    let found = explored_fixture(&["--fail-on", "error"], "race_lost_wakeup", &[]);
    assert_eq!(found.status, 120, "{}", found.stderr);
    let fixed = explored_fixture(&["--fail-on", "error"], "race_lost_wakeup", &["fixed"]);
    assert_eq!(fixed.status, 0, "{}", fixed.stderr);
}

#[test]
fn a_schedule_that_does_not_apply_says_where_it_left() {
    let mut command = wait4_strace();
    command.args([
        "--schedule",
        "child-first@7",
        "--",
        "sh",
        "-c",
        "true & wait",
    ]);
    let found = run(&mut command);
    let left = "the schedule child-first@7 left at child-first@7 (reached 1 times)";
    assert!(found.stderr.contains(left), "{}", found.stderr);
    assert_eq!(found.status, 0);
}

#[test]
fn a_search_without_a_schedule_says_that_nothing_was_searched() {
    for flags in [["--explore=2"], ["--explore=3"], ["--budget=0"]] {
        let mut command = wait4_strace();
        if flags == ["--budget=0"] {
            command.arg("--explore");
        }
        command.args(flags);
        let found = run(command.args(["--", "sh", "-c", "true & wait"]));
        assert!(
            found.stderr.contains("; nothing searched"),
            "{flags:?}: {}",
            found.stderr
        );
        assert_eq!(found.status, 125, "{flags:?}");
    }
}

#[test]
fn a_command_that_writes_much_needs_little_memory() {
    // 250 MB of address space, and more than that of output in each run.
    let script = "ulimit -v 250000; exec \"$0\" --explore=1 --budget 100 -- \
                  head -c 300000000 /dev/zero";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(wait4_strace().get_program());
    let found = run(&mut shell);
    assert!(
        found.stderr.contains("explore: 1 baseline run,"),
        "{}",
        found.stderr
    );
}

#[test]
fn the_line_of_a_replay_repeats_the_run_with_its_environment() {
    // The race is there with this environment alone, and as this user.
    let script = "[ \"$A:$USER_IS\" = \"b c:$(id -un)\" ] && [ -z \"$HOME\" ] && \
                  exec \"$0\" race_group_is_set_late; exit 7";
    let user = nix::unistd::User::from_uid(nix::unistd::getuid());
    let user = user.unwrap().unwrap().name;
    let is_root = nix::unistd::getuid().is_root();
    let mut command = wait4_strace();
    command.args(["--explore=90", "--budget=60", "-E", "A=b c", "-E", "HOME"]);
    command.arg("-E").arg(format!("USER_IS={user}"));
    if is_root {
        command.args(["-u", &user]);
    }
    command.args(["--", "sh", "-c", script]).arg(fixture_path());
    let found = run(&mut command);
    let line = found
        .stderr
        .lines()
        .find_map(|line| line.split_once("= replay: wait4-strace "));
    let (_, line) = line.unwrap_or_else(|| panic!("{}", found.stderr));
    assert_eq!(line.contains(&format!(" -u {user} ")), is_root, "{line}");
    let replay = format!("exec \"$0\" {line}");
    let replays = || {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &replay])
            .arg(wait4_strace().get_program());
        run(&mut shell)
    };
    // The race, and not the 7 of another environment.
    assert!((0..5).any(|_| replays().status == 1), "{:?}", replays());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |args: &[&str]| {
        let mut command = wait4_strace();
        command.args(args);
        let outcome = run(&mut command);
        assert_eq!(outcome.status, 125, "{args:?}: {}", outcome.stderr);
        outcome.stderr
    };
    assert!(refused(&["--explore"]).contains("name one"));
    assert!(refused(&["--explore=0", "true"]).contains("number of runs"));
    let unused = [
        "--stack-trace",
        "--write-suppressions=x",
        "--no-follow",
        "--leftovers=wait",
        "--kill-on-exit",
        "--every-call",
        "--no-polls",
        "--seccomp-bpf=never",
    ];
    for flag in unused {
        let (name, _) = flag.split_once("=x").unwrap_or((flag, ""));
        let (name, _) = name.split_once("=wait").unwrap_or((name, ""));
        let sentence = format!("{name} means nothing with --explore, which ");
        let said = refused(&["--explore", flag, "true"]);
        assert!(said.contains(&sentence), "{said}");
    }
    let unscheduled = [
        "--leftovers=report",
        "--kill-on-exit",
        "--every-call",
        "--no-polls",
        "--seccomp-bpf=never",
    ];
    for flag in unscheduled {
        let sentence = format!("{flag} means nothing with --schedule, which ");
        let said = refused(&["--schedule=before", flag, "true"]);
        assert!(said.contains(&sentence), "{said}");
    }
    assert!(refused(&["--schedule", "nope", "true"]).contains("there is no point"));
    assert!(refused(&["--explore", "--schedule", "before", "true"]).contains("cannot be used"));
    let unknown = {
        let mut command = wait4_strace();
        command.args(["--explore", "--", "/no/such/program"]);
        run(&mut command)
    };
    assert_eq!(unknown.status, 127, "{}", unknown.stderr);
}

/// Whether a process has this word among its arguments, beside the tracer.
fn is_running(marker: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.any(|line| {
        let mut words = line.split(|byte| *byte == 0);
        let is_shell = words.next() == Some(b"sh");
        is_shell && words.any(|word| word == marker.as_bytes())
    })
}

/// Wait until something holds; the machine may be busy.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < support::LIMIT, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

#[test]
fn a_tracer_that_is_killed_during_a_hold_leaves_nobody() {
    for schedule in [
        "child-first",
        "parent-first",
        "hold-deaths",
        "eof-first",
        "rand@3",
    ] {
        let marker = format!("marker-{}-{schedule}", std::process::id());
        // Children that end and children that never get quiet.
        let script = "while :; do (exit 0); (while :; do :; done) & wait $!; done";
        let mut command = wait4_strace();
        command.args([
            "-o",
            "/dev/null",
            "--schedule",
            schedule,
            "--",
            "sh",
            "-c",
            script,
        ]);
        command.arg(&marker).stderr(std::process::Stdio::null());
        let mut tracer = command.spawn().unwrap();
        until("the shell runs", || is_running(&marker));
        // In the hold at the first or second child, most likely.
        std::thread::sleep(std::time::Duration::from_millis(50));
        tracer.kill().unwrap();
        tracer.wait().unwrap();
        until("all are gone", || !is_running(&marker));
    }
}

#[test]
fn children_that_come_late_to_a_group_leave_their_parent_no_hold() {
    if !support::have("make") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let makefile = folder.path().join("Makefile");
    let rules =
        "all: a b c d\na b c d: ; @sh -c 'sleep 0.0$(words $@)'; echo $@ $(shell echo $@)\n";
    std::fs::write(&makefile, rules).unwrap();
    // It depends on the time at which they come, and hung in three of four runs.
    for _ in 0..8 {
        let mut command = wait4_strace();
        command.args(["--schedule", "hold-deaths", "--duration", "20", "--"]);
        let ran = run(command.args(["make", "-s", "-j4", "-f"]).arg(&makefile));
        assert!(!ran.stderr.contains("the time is up"), "{}", ran.stderr);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
    }
}

#[test]
fn no_hold_outlasts_its_limit() {
    let mut command = wait4_strace();
    // The child never gets quiet, and the parent neither.
    let script = "(i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done) & wait";
    let flags = ["--schedule", "child-first", "--format", "json", "-o", "-"];
    command.args(flags).args(["--", "sh", "-c", script]);
    let outcome = run(&mut command);
    let held: Vec<u64> = outcome
        .stdout
        .lines()
        .filter(|line| line.contains(r#""type":"held""#))
        .map(|line| {
            let (_, rest) = line.split_once(r#""lasted_ns":"#).unwrap();
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
            rest[..end].parse().unwrap()
        })
        .collect();
    assert!(!held.is_empty(), "{}", outcome.stdout);
    // The limit is one second; a busy machine may not run the tracer at once.
    assert!(held.iter().all(|nanos| *nanos < 5_000_000_000), "{held:?}");
}

#[test]
fn an_interrupt_ends_a_search_at_once_with_the_report_so_far() {
    let marker = format!("marker-{}-interrupt", std::process::id());
    let mut command = wait4_strace();
    command.args(["--explore", "--budget", "100000", "--", "sh", "-c"]);
    command.args(["sleep 0.05 & sleep 1000000", &marker]);
    command.stderr(std::process::Stdio::piped());
    let search = command.spawn().unwrap();
    until("a run has begun", || is_running(&marker));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(search.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let ended = search.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(stderr.contains("explore: 0 baseline runs"), "{stderr}");
    let signal = std::os::unix::process::ExitStatusExt::signal(&ended.status);
    assert_eq!(signal, Some(2), "{stderr}");
    until("the run is gone", || !is_running(&marker));
}

#[test]
fn an_interrupt_keeps_the_problems_that_were_found() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("runs");
    let script = "echo >> \"$1\"; exec \"$0\" race_lost_wakeup";
    let mut command = wait4_strace();
    command.args(["--explore", "--budget", "100000", "--", "sh", "-c", script]);
    command.arg(fixture_path()).arg(&log);
    command.stderr(std::process::Stdio::piped());
    let search = command.spawn().unwrap();
    // By then it was found, confirmed and minimised; there are some 30 more runs.
    until("many runs", || {
        std::fs::read(&log).is_ok_and(|log| log.len() >= 30)
    });
    let pid = nix::unistd::Pid::from_raw(i32::try_from(search.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let ended = search.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(stderr.contains("[hang] under before@1,"), "{stderr}");
    assert!(
        stderr.contains("not all occurrences were tried"),
        "{stderr}"
    );
    let signal = std::os::unix::process::ExitStatusExt::signal(&ended.status);
    assert_eq!(signal, Some(2), "{stderr}");
}

#[test]
fn a_search_from_a_test_gives_the_problems_as_values() {
    let explored = wait4_strace::Explore::new(fixture_path())
        .arg("race_lost_wakeup")
        .runs(60)
        .budget(std::time::Duration::from_secs(60))
        .run()
        .unwrap();
    assert_eq!(
        explored.snapshot(),
        format!("hang of fixture in {PAUSE} under before@1\n")
    );
    let [problem] = explored.problems() else {
        panic!("{}", explored.report());
    };
    assert_eq!(problem.schedule, "before@1".parse().unwrap());
    let fixed = wait4_strace::Explore::new(fixture_path())
        .args(["race_lost_wakeup", "fixed"])
        .runs(60)
        .budget(std::time::Duration::MAX)
        .run()
        .unwrap();
    assert_eq!(fixed.snapshot(), "no problems\n");
    // The race is there with this environment alone.
    let script = "[ \"$A\" ] && [ -z \"$HOME\" ] && exec \"$0\" race_lost_wakeup";
    let explored = wait4_strace::Explore::new("sh")
        .args(["-c", script])
        .arg(fixture_path())
        .env("A", "1")
        .env_remove("HOME")
        .runs(60)
        .budget(std::time::Duration::from_secs(60))
        .run()
        .unwrap();
    assert!(
        explored
            .snapshot()
            .starts_with(&format!("hang of fixture in {PAUSE}")),
        "{}",
        explored.report()
    );
    let wrong = wait4_strace::Explore::new("true");
    let wrong = wrong.threshold("no-such", std::time::Duration::ZERO).run();
    assert!(matches!(wrong, Err(wait4_strace::Error::Invalid(_))));
    let unknown = wait4_strace::Explore::new("/no/such/program");
    let unknown = unknown.budget(std::time::Duration::MAX).run();
    assert!(matches!(unknown, Err(wait4_strace::Error::NotFound(_))));
}

#[test]
fn a_replay_gets_no_input_as_the_search_gets_none() {
    let mut command = wait4_strace();
    command.args(["--schedule", "before", "--", "sh", "-c"]);
    command.arg("read line; (exit 3) & wait $!; echo \"$? and <$line>\"");
    let (theirs, mut ours) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut ours, b"some input\n").unwrap();
    let ran = run(command.stdin(theirs));
    assert!(ran.stdout.contains("3 and <>"), "{ran:?}");
}

#[test]
fn a_schedule_applies_to_waits_that_are_not_shown() {
    let ran = || {
        let mut command = wait4_strace();
        command.args(["-e", "trace=none", "--schedule", "steal@1", "--"]);
        run(command.arg(fixture_path()).arg("race_thread_steals")).stderr
    };
    // On a busy machine the child may end before the other thread runs.
    assert!((0..5).any(|_| ran().contains("held at call")), "{}", ran());
}

#[test]
fn a_server_that_is_waited_for_by_mistake_is_a_stall() {
    // It says by a signal that it serves, which may come before the wait.
    let script = r#"trap : USR1
        (trap '' USR1; exec perl -MIO::Socket::UNIX -e '
            $s = IO::Socket::UNIX->new(Listen => 1, Local => "\0w4-$$") or die;
            kill USR1 => getppid; $s->accept') &
        server=$!; wait; kill $server"#;
    let found = {
        let mut command = wait4_strace();
        command.args(["--explore=12", "--budget", "100", "--", "sh", "-c", script]);
        run(&mut command)
    };
    let heading = "warning[stall] under child-first";
    assert!(found.stderr.contains(heading), "{}", found.stderr);
    for part in [
        "perl  accept",
        "until something outside wakes it",
        "rt_sigsuspend(…), for ever",
        "help: SIGUSR1 came before fork returned",
        " --duration ",
    ] {
        assert!(found.stderr.contains(part), "{part}: {}", found.stderr);
    }
}

/// A run under a schedule.
fn scheduled(schedule: &str, words: &[&str]) -> Outcome {
    let mut command = wait4_strace();
    command.args(["--schedule", schedule, "--"]).args(words);
    run(&mut command)
}

#[test]
fn a_program_with_a_timer_that_repeats_does_not_hang() {
    let script = "$SIG{ALRM} = sub { $n++ }; setitimer(ITIMER_REAL, 0.3, 0.5); \
                  pause() while $n < 3";
    let mut command = wait4_strace();
    command.args(["--explore", "--budget", "60", "--", "perl"]);
    command.args(["-MPOSIX=pause", "-MTime::HiRes=setitimer,ITIMER_REAL"]);
    let found = run(command.args(["-e", script]));
    assert!(
        found.stderr.contains("; nothing to try"),
        "{}",
        found.stderr
    );
    assert_eq!(found.status, 0);
}

#[test]
fn a_hold_that_is_put_off_waits_on_for_its_signal() {
    // The parent and its child are held at the same time, and nothing else goes on.
    // The parent goes first, and signals the child.
    let script = r"
        use POSIX ();
        $SIG{USR2} = sub {};
        my $child = fork;
        if (!$child) {
            # Three hundredths of a second.
            my $until = (POSIX::times)[0] + 3;
            1 while (POSIX::times)[0] < $until;
            $SIG{USR1} = sub {};
            fork or do { select undef, undef, undef, 0.5; exit };
            sleep 1;
            exit;
        }
        select undef, undef, undef, 0.001;
        kill USR1 => $child;
        waitpid $child, 0;
    ";
    // On a busy machine they are not held at the same time.
    let ends = ["nothing else went on", "a signal was pending"];
    let ends = ends.map(|end| format!("~~~ held at call until {end} ~~~"));
    let is_shown = (0..5).any(|_| {
        let ran = scheduled("before", &["perl", "-e", script]);
        let [first, second] = ends.each_ref().map(|end| ran.stderr.find(end));
        first.is_some() && first < second
    });
    assert!(is_shown);
}

#[test]
fn a_child_of_vfork_is_no_occurrence_of_parent_first() {
    let path = fixture_path();
    let script = r"$f = shift; system { $f } $f, 'vfork_exec'; fork or exit; wait";
    let words = ["perl", "-e", script, path.to_str().unwrap()];
    // The fork of system, that of perl; the vfork between them is not counted.
    let ran = scheduled("parent-first@2", &words);
    assert!(ran.stderr.contains("held at start"), "{}", ran.stderr);
    let third = scheduled("parent-first@3", &words);
    let left = "left at parent-first@3 (reached 2 times)";
    assert!(third.stderr.contains(left), "{}", third.stderr);
}

#[test]
fn a_child_that_stops_itself_after_it_was_continued_hangs() {
    let script = "my $child = fork; if (!$child) { kill STOP => $$; exit } \
                  select undef, undef, undef, 0.01; kill CONT => $child; waitpid $child, 0";
    // On a busy machine it is not held long enough.
    let is_shown = (0..5).any(|_| {
        let ran = scheduled("parent-first@1", &["perl", "-e", script]);
        ran.stderr.contains("the command can never end") && ran.status == 137
    });
    assert!(is_shown);
}

#[test]
fn all_holds_of_a_run_have_a_limit_together() {
    // The parent never sleeps, so each hold lasts as long as one may.
    let script = "$SIG{CHLD} = sub {}; for (1 .. 200) { my $child = fork; \
                  exit if !$child; 1 while !waitpid $child, 1 }";
    for schedule in ["eintr", "skew@3"] {
        let ran = scheduled(schedule, &["perl", "-e", script]);
        let held = ran.stderr.matches("~~~ held at exit").count();
        assert!((1..200).contains(&held), "{schedule}: {held}");
    }
}
