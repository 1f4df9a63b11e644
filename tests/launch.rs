//! The traced program starts as an untraced one, is found as a shell finds it,
//! and its end is the end of `wait4-strace`.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{
    Outcome, fixture_path, have, install, install_script, passed_over, run, traced, wait4_strace,
};
use tempfile::TempDir;

/// The ways to trace that differ in how the program is started.
const WAYS: [&[&str]; 4] = [
    &[],
    &["--seccomp-bpf=never"],
    &["--strace"],
    &["--no-follow"],
];

/// A directory that other users may enter and write to.
fn open_directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
    directory
}

/// Both programs, where other users can execute them.
struct Programs {
    directory: TempDir,
}

impl Programs {
    fn copied() -> Programs {
        let directory = open_directory();
        let tracer = PathBuf::from(wait4_strace().get_program());
        for (from, name) in [(tracer, "wait4-strace"), (fixture_path(), "fixture")] {
            let to = directory.path().join(name);
            install(&from, &to, 0o755);
        }
        Programs { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// `program`, started by `starter` (words that execute what follows them), as
/// the child of a shell that leads the group, traced or not.
fn start(starter: &[&str], program: &[&OsStr]) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "\"$@\"; exit $?", "sh"])
        .args(starter)
        .args(program);
    command
}

/// That `fixture print_state` started by `starter` prints the same under trace.
fn state_is_the_same(starter: &[&str]) {
    let fixture = fixture_path();
    let state = [fixture.as_os_str(), OsStr::new("print_state")];
    let plain = run(&mut start(starter, &state));
    assert_eq!(plain.status, 0, "{starter:?}: {plain:?}");
    assert!(plain.stdout.contains("descriptor 0"), "{plain:?}");
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    for way in WAYS {
        for to_file in [false, true] {
            let tracer = wait4_strace();
            let mut words = vec![tracer.get_program()];
            words.extend(way.iter().map(OsStr::new));
            if to_file {
                words.extend([OsStr::new("-o"), log.as_os_str()]);
            }
            words.push(OsStr::new("--"));
            words.extend(state);
            let traced = run(&mut start(starter, &words));
            assert_eq!(traced.status, 0, "{starter:?} {way:?}: {traced:?}");
            assert_eq!(traced.stdout, plain.stdout, "{starter:?} {way:?}");
        }
    }
}

#[test]
fn a_traced_program_starts_as_an_untraced_one() {
    state_is_the_same(&["env"]);
}

#[test]
fn ignored_signals_stay_ignored_and_no_others_are() {
    for signals in [
        "INT",
        "PIPE",
        "CHLD",
        "HUP,TERM,QUIT",
        "TSTP,TTIN,TTOU",
        "URG,SEGV,XFSZ",
        "34,37,64",
    ] {
        state_is_the_same(&["env", &format!("--ignore-signal={signals}")]);
    }
}

#[test]
fn blocked_signals_stay_blocked_and_no_others_are() {
    for signals in [
        "INT",
        "CHLD,URG",
        "TERM,HUP,QUIT,TSTP",
        "TRAP,SEGV",
        "34,37,64",
    ] {
        state_is_the_same(&["env", &format!("--block-signal={signals}")]);
    }
    state_is_the_same(&["env", "--block-signal", "--ignore-signal"]);
}

#[test]
fn limits_directory_umask_and_priority_are_those_of_the_start() {
    state_is_the_same(&["prlimit", "--nofile=64:128", "--core=0", "--stack=4194304"]);
    state_is_the_same(&["env", "-C", "/usr"]);
    state_is_the_same(&["sh", "-c", "umask 027; exec \"$@\"", "sh"]);
    state_is_the_same(&["nice", "-n", "7"]);
    if have("setarch") {
        state_is_the_same(&["setarch", "-R"]);
    }
}

#[test]
fn open_descriptors_are_handed_on_and_none_is_added() {
    let opened = "exec 3</dev/null 5>/dev/null 9<>/dev/null; exec \"$@\"";
    state_is_the_same(&["sh", "-c", opened, "sh"]);
}

#[test]
fn a_program_in_a_session_of_its_own_finds_it_so() {
    state_is_the_same(&["setsid", "--wait", "sh", "-c", "\"$@\"; exit $?", "sh"]);
}

/// Writes which descriptors are open, without opening any, to a file.
const OPEN_ONES: &str = "open=; for fd in 0 1 2 3 4 5 6 7 8 9 10 11 12; do \
     [ -e /proc/$$/fd/$fd ] && open=\"$open $fd\"; done; echo \"open:$open\" > \"$0\"";

#[test]
fn closed_standard_descriptors_stay_closed() {
    let directory = tempfile::tempdir().unwrap();
    let (found, log) = (directory.path().join("found"), directory.path().join("log"));
    let program = [
        OsStr::new("sh"),
        OsStr::new("-c"),
        OsStr::new(OPEN_ONES),
        found.as_os_str(),
    ];
    let closings = [
        "<&-",
        ">&-",
        "2>&-",
        "<&- >&-",
        "<&- 2>&-",
        ">&- 2>&-",
        "<&- >&- 2>&-",
        "<&- 3</dev/null",
    ];
    for closing in closings {
        let script = format!("exec \"$@\" {closing}");
        let starter = ["sh", "-c", &script, "sh"];
        let plain = run(&mut start(&starter, &program));
        assert_eq!(plain.status, 0, "{plain:?}");
        let expected = fs::read_to_string(&found).unwrap();
        for way in WAYS {
            fs::remove_file(&found).unwrap();
            let tracer = wait4_strace();
            let mut words = vec![tracer.get_program()];
            words.extend(way.iter().map(OsStr::new));
            words.extend([OsStr::new("-o"), log.as_os_str(), OsStr::new("--")]);
            words.extend(program);
            let traced = run(&mut start(&starter, &words));
            assert_eq!(traced.status, 0, "{closing} {way:?}: {traced:?}");
            let found = fs::read_to_string(&found).unwrap();
            assert_eq!(found, expected, "{closing} {way:?}");
            let log = fs::read_to_string(&log).unwrap();
            assert!(log.contains("exited with 0"), "{closing} {way:?}: {log}");
        }
    }
}

#[test]
fn an_unprivileged_user_s_program_starts_as_an_untraced_one() {
    if !have("setpriv") {
        return;
    }
    let programs = Programs::copied();
    let user = [
        "setpriv",
        "--reuid=12345",
        "--regid=12345",
        "--clear-groups",
    ];
    let (tracer, fixture) = (programs.path("wait4-strace"), programs.path("fixture"));
    let state = [fixture.as_os_str(), OsStr::new("print_state")];
    let plain = run(&mut start(&user, &state));
    if plain.stderr.contains("not permitted") {
        passed_over("not root");
        return;
    }
    assert_eq!(plain.status, 0, "{plain:?}");
    for way in WAYS {
        let mut words = vec![tracer.as_os_str()];
        words.extend(way.iter().map(OsStr::new));
        words.push(OsStr::new("--"));
        words.extend(state);
        let traced = run(&mut start(&user, &words));
        assert_eq!(traced.status, 0, "{way:?}: {traced:?}");
        assert_eq!(traced.stdout, plain.stdout, "{way:?}");
        assert!(traced.stderr.contains("exited with 0"), "{traced:?}");
    }
}

#[test]
fn the_environment_is_handed_on_in_its_order() {
    // The order that a program gives its child need not be the alphabet's.
    let environment = ["-i", "Z=1", "PATH=/usr/bin:/bin", "A=x=y", "EMPTY=", "M=3"];
    let program = ["cat", "/proc/self/environ"];
    let plain = run(Command::new("env").args(environment).args(program));
    assert!(plain.stdout.starts_with("Z=1\0"), "{plain:?}");
    for way in WAYS {
        let tracer = wait4_strace();
        let mut command = Command::new("env");
        command.args(environment).arg(tracer.get_program());
        let traced = run(command.args(way).arg("--").args(program));
        assert_eq!(traced.stdout, plain.stdout, "{way:?}");
    }
}

#[test]
fn the_environment_is_changed_for_the_program_alone() {
    let script = "echo \"${SET-none} ${GONE-none} ${EMPTY-none}\"";
    let outcome = run(traced(
        &["-E", "SET=a=b", "-E", "GONE", "-E", "EMPTY="],
        ["sh", "-c", script],
    )
    .env("GONE", "here"));
    assert_eq!(outcome.stdout, "a=b none \n");
    assert_eq!(outcome.status, 0);
}

#[test]
fn the_exit_status_is_the_program_s() {
    for code in [0, 1, 7, 100, 125, 126, 127, 128, 143, 255] {
        for way in WAYS {
            let outcome = run(&mut traced(way, ["sh", "-c", &format!("exit {code}")]));
            assert_eq!(outcome.status, code, "{outcome:?}");
        }
    }
}

#[test]
fn a_program_killed_by_a_signal_takes_its_tracer_along() {
    for signal in [1, 2, 3, 4, 6, 9, 11, 13, 14, 15, 16, 24, 25, 31, 34, 50, 64] {
        let fixture = fixture_path();
        let number = signal.to_string();
        let words = [
            fixture.as_os_str(),
            OsStr::new("die_by"),
            OsStr::new(&number),
        ];
        let mut command = traced(&[], words);
        command.stderr(Stdio::null()).stdin(Stdio::null());
        let status = command.status().unwrap();
        assert_eq!(status.signal(), Some(signal), "{status:?}");
    }
}

#[test]
fn a_signal_that_is_blocked_or_ignored_for_the_tracer_kills_it_all_the_same() {
    // SIGTERM kills the program, which resets it; the tracer has it ignored
    // and blocked still.
    let fixture = fixture_path();
    let tracer = wait4_strace();
    for signal in [15, 2, 37] {
        let number = signal.to_string();
        let status = Command::new("env")
            .arg(format!("--ignore-signal={number}"))
            .arg(format!("--block-signal={number}"))
            .arg(tracer.get_program())
            .arg("--")
            .arg(&fixture)
            .args(["die_by", &number])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(signal), "{status:?}");
    }
}

#[test]
fn a_core_is_dumped_once() {
    let dies = |tracer: bool| {
        let directory = open_directory();
        let script = "ulimit -c unlimited 2>/dev/null; exec \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]);
        if tracer {
            command
                .arg(wait4_strace().get_program())
                .args(["-o", "log", "--"]);
        }
        command
            .args(["sh", "-c", "kill -ABRT $$"])
            .current_dir(directory.path())
            .stdin(Stdio::null());
        let status = command.status().unwrap();
        let log = fs::read_to_string(directory.path().join("log")).unwrap_or_default();
        (status, log)
    };
    let (plain, _) = dies(false);
    let (traced, log) = dies(true);
    assert_eq!(plain.signal(), Some(6));
    assert_eq!(traced.signal(), Some(6));
    assert!(!traced.core_dumped(), "wait4-strace dumped a core");
    assert_eq!(log.contains("(core dumped)"), plain.core_dumped(), "{log}");
}

/// A directory with programs and things that are none, and a run in it.
struct Path0 {
    directory: TempDir,
}

impl Path0 {
    fn new() -> Path0 {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["first", "second", "here/inner"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        install_script("#!/bin/sh\nexit 1\n", &at("first/tool"), 0o644);
        install_script("#!/bin/sh\nexit 2\n", &at("second/tool"), 0o755);
        install_script("#!/bin/sh\nexit 1\n", &at("first/locked"), 0o644);
        install_script("exit $((10 + $1))\n", &at("second/plain"), 0o755);
        install_script("#!/no/such/interpreter\n", &at("second/lost"), 0o755);
        install_script("#!/bin/sh\nexit 4\n", &at("here/local"), 0o755);
        fs::create_dir(at("first/dir")).unwrap();
        Path0 { directory }
    }

    fn run(&self, path: Option<&str>, words: &[&str]) -> Outcome {
        let mut command = traced(&["-qqq"], words);
        command.current_dir(self.directory.path().join("here"));
        match path {
            Some(path) => {
                let root = self.directory.path().to_string_lossy().into_owned();
                command.env("PATH", path.replace('@', &root));
            }
            None => {
                command.env_remove("PATH");
            }
        }
        run(&mut command)
    }

    fn refused(&self, path: &str, words: &[&str], status: i32, says: &str) {
        let outcome = self.run(Some(path), words);
        assert_eq!(outcome.status, status, "{words:?}: {outcome:?}");
        assert!(outcome.stderr.contains(says), "{words:?}: {outcome:?}");
        assert!(
            !outcome.stderr.contains("+++"),
            "something ran: {outcome:?}"
        );
    }
}

#[test]
fn a_command_is_looked_for_in_path_as_a_shell_does() {
    let path = Path0::new();
    let status = |list: &str, words: &[&str]| path.run(Some(list), words).status;
    assert_eq!(status("@/second", &["tool"]), 2);
    assert_eq!(
        status("@/first:@/second", &["tool"]),
        2,
        "one that may not be executed is passed over"
    );
    assert_eq!(status("@/second/tool:/nowhere:@/second", &["tool"]), 2);
    assert_eq!(
        status(":@/second", &["local"]),
        4,
        "an empty element in front"
    );
    assert_eq!(
        status("@/second:", &["local"]),
        4,
        "an empty element at the end"
    );
    assert_eq!(
        status("/nowhere::@/second", &["local"]),
        4,
        "one in between"
    );
    assert_eq!(status("", &["local"]), 4, "an empty PATH");
    assert_eq!(status("/nowhere", &["../second/tool"]), 2);
    assert_eq!(status("/nowhere", &["./local"]), 4);
    assert_eq!(
        path.run(None, &["true"]).status,
        0,
        "no PATH at all has a default"
    );
}

#[test]
fn the_path_that_is_set_for_the_program_is_the_one_that_counts() {
    let path = Path0::new();
    let second = format!("PATH={}/second", path.directory.path().display());
    let outcome = run(&mut traced(&["-E", &second], ["tool"]));
    assert_eq!(outcome.status, 2, "{outcome:?}");
}

#[test]
fn a_script_without_an_interpreter_line_is_run_by_the_shell() {
    let path = Path0::new();
    assert_eq!(path.run(Some("@/second"), &["plain", "3"]).status, 13);
    assert_eq!(
        path.run(Some("/nowhere"), &["../second/plain", "4"]).status,
        14
    );
}

#[test]
fn a_command_that_is_not_found_is_status_127() {
    let path = Path0::new();
    path.refused("@/second", &["no-such"], 127, "cannot find the command");
    path.refused("@/second", &["./no-such"], 127, "no such file");
    path.refused("@/second", &["../second/tool/x"], 127, "no such file");
    path.refused("@/second", &[""], 127, "cannot find the command");
}

#[test]
fn a_command_that_cannot_be_executed_is_status_126() {
    let path = Path0::new();
    path.refused("@/first:@/second", &["locked"], 126, "permission denied");
    path.refused("@/second", &["../first/locked"], 126, "chmod +x");
    path.refused("@/second", &["./inner"], 126, "it is a directory");
    path.refused("@/second", &["../second/lost"], 126, "interpreter");
    path.refused("@/first", &["dir"], 126, "cannot execute");
}

#[test]
fn a_directory_that_is_closed_is_named_instead_of_a_mode_that_is_right() {
    let path = Path0::new();
    let closed = path.directory.path().join("closed");
    fs::create_dir(&closed).unwrap();
    install_script("#!/bin/sh\n", &closed.join("tool"), 0o755);
    let mode = |mode| fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o000);
    let is_let_in = fs::metadata(closed.join("tool")).is_ok();
    let mut tracer = Command::new("setpriv");
    tracer.args(["--reuid=12345", "--regid=12345", "--clear-groups"]);
    let binary = path.directory.path().join("tracer");
    if is_let_in {
        // Root is let in everywhere: somebody else asks, who must reach the program.
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(path.directory.path(), open).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_wait4-strace"), &binary).unwrap();
        tracer.arg(&binary);
    } else {
        tracer = Command::new(env!("CARGO_BIN_EXE_wait4-strace"));
    }
    let outcome = run(tracer.arg(closed.join("tool")));
    mode(0o755);
    if outcome.stderr.contains("setpriv: ") {
        passed_over("no other user can be had");
        return;
    }
    assert_eq!(outcome.status, 126, "{outcome:?}");
    let says = format!("the directory {closed:?} may not be entered");
    assert!(outcome.stderr.contains(&says), "{outcome:?}");
    assert!(!outcome.stderr.contains("chmod"), "{outcome:?}");
}

#[test]
fn a_script_in_path_whose_interpreter_is_missing_is_not_called_unfound() {
    let path = Path0::new();
    path.refused("@/second", &["lost"], 126, "interpreter");
}

#[test]
fn the_program_runs_as_the_user_that_is_named() {
    let ids = "id -u; id -g; id -G";
    let outcome = run(&mut traced(&["-u", "nobody"], ["sh", "-c", ids]));
    if outcome.status == 125 && outcome.stderr.contains("only root can") {
        passed_over("not root");
        return;
    }
    let plain = run(Command::new("sh").args(["-c", "id -u nobody; id -g nobody; id -G nobody"]));
    assert_eq!(outcome.stdout, plain.stdout, "{outcome:?}");
    assert_eq!(outcome.status, 0);
}

#[test]
fn a_user_that_does_not_exist_is_refused_before_anything_runs() {
    let directory = open_directory();
    let marker = directory.path().join("ran");
    let words = [OsString::from("touch"), marker.clone().into_os_string()];
    let outcome = run(&mut traced(&["-u", "no-such-user"], &words));
    assert_eq!(outcome.status, 125);
    assert!(
        outcome.stderr.contains("there is no user \"no-such-user\""),
        "{outcome:?}"
    );
    assert!(!marker.exists());
}

#[test]
fn only_root_can_change_the_user() {
    if !have("setpriv") {
        return;
    }
    let programs = Programs::copied();
    let outcome = run(Command::new("setpriv")
        .args(["--reuid=12345", "--regid=12345", "--clear-groups"])
        .arg(programs.path("wait4-strace"))
        .args(["-u", "nobody", "--", "true"]));
    if outcome.status == 1 {
        passed_over("not root");
        return;
    }
    assert_eq!(outcome.status, 125, "{outcome:?}");
    assert!(outcome.stderr.contains("only root can"), "{outcome:?}");
}

#[test]
fn a_setuid_program_keeps_its_right_when_root_traces_it() {
    let directory = open_directory();
    let copy = directory.path().join("id");
    let id = ["/usr/bin/id", "/bin/id"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    install(Path::new(id.unwrap()), &copy, 0o4755);
    let Ok(plain) = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&copy)
        .arg("-u")
        .output()
    else {
        passed_over("setpriv is not installed");
        return;
    };
    if !plain.status.success() {
        passed_over("not root");
        return;
    }
    let plain = String::from_utf8(plain.stdout).unwrap();
    for way in WAYS {
        let flags: Vec<&str> = way.iter().copied().chain(["-u", "nobody"]).collect();
        let outcome = run(&mut traced(&flags, [copy.as_os_str(), OsStr::new("-u")]));
        assert_eq!(outcome.stdout, plain, "{way:?}: {outcome:?}");
    }
}

/// `wait4-strace` as the first process of a pid namespace; `None` where there
/// can be none.
fn as_pid_1(flags: &[&str], words: &[&str]) -> Option<Outcome> {
    let new = ["-pf", "--mount-proc"];
    let possible = Command::new("unshare")
        .args(new)
        .arg("true")
        .stderr(Stdio::null())
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        passed_over("no new pid namespace");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(new).arg(wait4_strace().get_program());
    Some(run(command.args(flags).arg("--").args(words)))
}

#[test]
fn as_pid_1_the_status_of_a_death_by_signal_is_128_and_its_number() {
    for (script, status) in [
        ("exit 7", 7),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
        ("kill -HUP $$", 129),
        ("kill -37 $$", 165),
    ] {
        let Some(outcome) = as_pid_1(&[], &["sh", "-c", script]) else {
            return;
        };
        assert_eq!(outcome.status, status, "{script}: {outcome:?}");
        assert!(outcome.stderr.contains("+++"), "{outcome:?}");
    }
}

#[test]
fn as_pid_1_orphans_are_reaped() {
    let script = "(trap 'exit 5' USR1; while :; do sleep 0.01; done) & child=$!; \
                  (sleep 0.1; kill -USR1 $child) & exit 3";
    let Some(outcome) = as_pid_1(&["--strace"], &["sh", "-c", script]) else {
        return;
    };
    assert_eq!(outcome.status, 3, "{outcome:?}");
    let said = |words: &str| outcome.stderr.contains(words);
    assert!(
        said("exited with 3") && said("exited with 5"),
        "{outcome:?}"
    );
}

#[test]
fn children_that_a_shell_left_to_its_exec_are_no_hindrance() {
    let directory = tempfile::tempdir().unwrap();
    // It ends with the directory.
    let script = "(while [ -d \"$0\" ]; do sleep 0.01; done) >/dev/null 2>&1 & \
                  (exit 9) & exec \"$@\"";
    let tracer = wait4_strace();
    let outcome = run(Command::new("sh")
        .args(["-c", script])
        .arg(directory.path())
        .arg(tracer.get_program())
        .args(["--", "sh", "-c", "(exit 3); exit 6"]));
    assert_eq!(outcome.status, 6, "{outcome:?}");
    assert!(!outcome.stderr.contains("panicked"), "{outcome:?}");
}

#[test]
fn as_pid_1_an_orphan_that_is_reaped_is_not_the_next_process_of_its_pid() {
    if !nix::unistd::geteuid().is_root() {
        passed_over("needs root");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let fixture = fixture_path();
    let words = [fixture.to_str().unwrap(), "orphan_zombie_s_pid_used_again"];
    let Some(outcome) = as_pid_1(&["-o", log.to_str().unwrap()], &words) else {
        return;
    };
    assert_eq!(outcome.stdout, "each pid was used twice\n", "{outcome:?}");
    let log = fs::read_to_string(log).unwrap();
    let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    let (births, ends) = (
        count(" +++ forked ") + count(" +++ cloned "),
        count(" +++ exited "),
    );
    // The first program was created by nobody who is traced.
    assert_eq!((births, ends), (20, 21), "{log}");
    assert!(
        outcome.stderr.contains("21 processes, 15 reaped"),
        "{outcome:?}"
    );
}
