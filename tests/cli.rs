//! Bad input and lost output: what is said, with which status, and that no
//! traced program suffers from it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{
    Outcome, fixture, fixture_path, have, install, passed_over, run, traced, traced_fixture, until,
    wait, wait4_strace,
};

/// A process that is ended with the test.
struct Target(Child);

impl Target {
    /// One that sleeps.
    fn sleeping() -> Target {
        let mut command = Command::new("sleep");
        Target(command.arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn refused(flags: &[&str], says: &[&str]) -> Outcome {
    let outcome = run(wait4_strace().args(flags));
    assert_eq!(outcome.status, 125, "{flags:?}: {outcome:?}");
    for words in says {
        assert!(outcome.stderr.contains(words), "{flags:?}: {outcome:?}");
    }
    assert!(!outcome.stderr.contains("panicked"), "{outcome:?}");
    outcome
}

/// A field of `/proc/PID/status`.
fn field(pid: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next().map(str::to_owned)
}

#[test]
fn nothing_to_trace_is_said_with_the_way_out() {
    refused(&[], &["COMMAND", "-p", "--help"]);
    refused(&["-f"], &["nothing to trace"]);
}

#[test]
fn a_wrong_flag_names_the_nearest_right_one() {
    for (wrong, right) in [
        ("--stracee", "--strace"),
        ("--kill-on-exti", "--kill-on-exit"),
        ("--seccomp-bfp", "--seccomp-bpf"),
        ("--colour=nver", "never"),
        ("--color=alwais", "always"),
        ("--seccomp-bpf=nevr", "never"),
    ] {
        refused(&[wrong, "true"], &[right]);
    }
}

#[test]
fn wrong_values_are_refused_with_what_is_right() {
    for (flags, says) in [
        (["-e", "trace=open"], "wait4, waitid, waitpid"),
        (["-e", "signal=NOPE"], "kill -l"),
        (["-e", "status=lost"], "successful, failed"),
        (["-a", "wide"], "wide"),
        (["-a", "-1"], "-1"),
        (["-a", "99999999999"], "99999999999"),
        (["-tt", "-tt"], "three times"),
    ] {
        refused(&[&flags[..], &["true"]].concat(), &[says]);
    }
    refused(&["--pidns-translation", "-Y", "true"], &["cannot be used"]);
    refused(&["-f", "--no-follow", "true"], &["cannot be used"]);
}

#[test]
fn a_word_that_is_no_pid_is_refused() {
    for word in [
        "0",
        "-1",
        "abc",
        "1.5",
        "0x10",
        "99999999999",
        "4294967297",
        "12 x",
    ] {
        refused(&["-p", word], &["cannot attach", "pgrep"]);
    }
    refused(&["-p", ""], &["does not run"]);
    refused(&["-p", " , "], &["does not run"]);
}

#[test]
fn wait4_strace_does_not_attach_to_itself() {
    let tracer = wait4_strace();
    let outcome = run(Command::new("sh")
        .args(["-c", "exec \"$0\" -p $$"])
        .arg(tracer.get_program()));
    assert_eq!(outcome.status, 125, "{outcome:?}");
    assert!(outcome.stderr.contains("itself"), "{outcome:?}");
}

#[test]
fn a_process_that_is_gone_is_said_to_be_gone() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id().to_string();
    child.wait().unwrap();
    refused(&["-p", &pid], &["no process or thread", "pgrep"]);
}

#[test]
fn a_zombie_is_refused_and_its_parent_named() {
    let child = Target(Command::new("true").spawn().unwrap());
    let pid = child.pid();
    until("it is a zombie", || {
        field(&pid, "State:").as_deref() == Some("Z")
    });
    let own = std::process::id();
    refused(
        &["-p", &pid],
        &["it is a zombie", &format!("wait4-strace -p {own}")],
    );
}

#[test]
fn a_kernel_thread_is_refused() {
    let is_kernel_thread =
        field("2", "PPid:").as_deref() == Some("0") && field("2", "VmSize:").is_none();
    if !is_kernel_thread {
        passed_over("no kernel thread is to be seen");
        return;
    }
    let outcome = run(wait4_strace().args(["-p", "2"]));
    assert_eq!(outcome.status, 125, "{outcome:?}");
    assert!(outcome.stderr.contains("kernel thread"), "{outcome:?}");
}

#[test]
fn a_process_that_is_traced_already_is_refused_and_its_tracer_named() {
    let target = Target::sleeping();
    let pid = target.pid();
    let mut first = wait4_strace();
    first.args(["-p", &pid]).stderr(Stdio::null());
    let first = Target(first.spawn().unwrap());
    until("it is traced", || {
        field(&pid, "TracerPid:") == Some(first.pid())
    });
    refused(
        &["-p", &pid],
        &[&format!("traced by {} (wait4-strace)", first.pid())],
    );
}

#[test]
fn flags_behind_the_command_are_the_command_s() {
    let outcome = run(wait4_strace().args(["echo", "-p", "1", "--strace", "--nonsense"]));
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(outcome.stdout, "-p 1 --strace --nonsense\n");
}

#[test]
fn another_user_s_process_is_refused() {
    if !have("setpriv") {
        return;
    }
    let target = Target::sleeping();
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("wait4-strace");
    install(Path::new(wait4_strace().get_program()), &copy, 0o755);
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let outcome = run(Command::new("setpriv")
        .args(["--reuid=12345", "--regid=12345", "--clear-groups"])
        .arg(&copy)
        .args(["-p", &target.pid()]));
    if outcome.status == 1 {
        passed_over("not root");
        return;
    }
    assert_eq!(outcome.status, 125, "{outcome:?}");
    let words = "it runs as uid 0 and we as uid 12345";
    assert!(outcome.stderr.contains(words), "{outcome:?}");
    assert_eq!(field(&target.pid(), "State:").as_deref(), Some("S"));
}

#[test]
fn of_several_targets_those_that_can_be_attached_to_are() {
    let mut target = fixture("blocked_in_wait4");
    target.arg("3").stdin(Stdio::piped()).stdout(Stdio::null());
    let mut target = Target(target.spawn().unwrap());
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let list = format!("{},{}", gone.id(), target.pid());
    let mut tracer = wait4_strace();
    tracer.args(["-p", &list]).stderr(Stdio::piped());
    let mut tracer = tracer.spawn().unwrap();
    until("it is traced", || {
        field(&target.pid(), "TracerPid:") == Some(tracer.id().to_string())
    });
    drop(target.0.stdin.take());
    assert_eq!(wait(&mut target.0), Some(3));
    assert_eq!(wait(&mut tracer), Some(125), "one was refused");
    let mut stderr = String::new();
    let mut pipe = tracer.stderr.take().unwrap();
    pipe.read_to_string(&mut stderr).unwrap();
    assert!(stderr.contains("no process or thread"), "{stderr}");
    assert!(stderr.contains("exited with 3"), "{stderr}");
}

/// A directory, a file in it that says that a program ran, and programs that
/// make it.
struct Marker {
    directory: tempfile::TempDir,
}

impl Marker {
    fn new() -> Marker {
        Marker {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("marker")
    }

    fn ran(&self) -> bool {
        self.path().exists()
    }

    /// A program that forks and waits often, then makes the marker.
    fn program(&self) -> [String; 4] {
        let script = "i=0; while [ $i -lt 300 ]; do (exit 3); i=$((i+1)); done; : > \"$0\"";
        let path = self.path().to_string_lossy().into_owned();
        ["sh".into(), "-c".into(), script.into(), path]
    }
}

#[test]
fn an_output_that_cannot_be_opened_is_said_before_anything_runs() {
    let marker = Marker::new();
    let directory = marker.directory.path().to_string_lossy().into_owned();
    let missing = format!("{directory}/no/such/log");
    let below_file = format!("{directory}/file/log");
    fs::write(marker.directory.path().join("file"), "").unwrap();
    for flags in [
        &["-o", &directory][..],
        &["-o", &missing],
        &["-o", &below_file],
        &["-o", ""],
        &["-ff", "-o", &missing],
    ] {
        let outcome = run(&mut traced(flags, marker.program()));
        assert_eq!(outcome.status, 125, "{flags:?}: {outcome:?}");
        assert!(outcome.stderr.contains("-o"), "{flags:?}: {outcome:?}");
        assert!(!marker.ran(), "{flags:?}");
    }
    refused(&["-ff", "true"], &["-o FILE"]);
    refused(&["-ff", "-o", "|cat", "true"], &["exclude each other"]);
}

#[test]
fn a_closed_standard_error_needs_a_file() {
    let marker = Marker::new();
    let tracer = wait4_strace();
    let start = |flags: &str| {
        let script = format!("exec \"$0\" {flags} -- \"$@\" 2>&-");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(tracer.get_program());
        run(command
            .args(marker.program())
            .current_dir(marker.directory.path()))
    };
    assert_eq!(start("").status, 125);
    assert!(!marker.ran());
    assert_eq!(start("-o log").status, 0);
    assert!(marker.ran());
    let log = fs::read_to_string(marker.directory.path().join("log")).unwrap();
    assert!(log.contains("exited with 0"), "{log}");
}

#[test]
fn closed_standard_input_and_output_are_no_hindrance() {
    let tracer = wait4_strace();
    let outcome = run(Command::new("sh")
        .args(["-c", "exec \"$0\" -- sh -c 'exit 4' <&- >&-"])
        .arg(tracer.get_program()));
    assert_eq!(outcome.status, 4, "{outcome:?}");
    assert!(outcome.stderr.contains("exited with 4"), "{outcome:?}");
}

/// What must hold when output is lost: the program ran to its end, we say so.
fn output_was_lost(marker: &Marker, status: Option<i32>, stderr: &str) {
    assert!(marker.ran(), "the program did not end its work: {stderr}");
    assert_eq!(status, Some(125), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_full_disk_does_not_disturb_the_program() {
    for flags in [
        &["-o", "/dev/full"][..],
        &["--strace", "-o", "/dev/full"],
        &["--no-follow", "-o", "/dev/full"],
    ] {
        let marker = Marker::new();
        let outcome = run(&mut traced(flags, marker.program()));
        output_was_lost(&marker, Some(outcome.status), &outcome.stderr);
        assert!(
            outcome.stderr.contains("cannot write the output"),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_full_disk_behind_standard_error_does_not_disturb_the_program() {
    let marker = Marker::new();
    let mut command = traced(&[], marker.program());
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut tracer = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(full)
        .spawn()
        .unwrap();
    let status = wait(&mut tracer);
    output_was_lost(&marker, status, "");
}

#[test]
fn a_reader_of_standard_error_that_goes_away_does_not_disturb_the_program() {
    for flags in [&[][..], &["--strace"], &["-o", "/dev/stderr"]] {
        let marker = Marker::new();
        let mut command = traced(flags, marker.program());
        let mut tracer = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut reader = BufReader::new(tracer.stderr.take().unwrap());
        reader.read_line(&mut line).unwrap();
        drop(reader);
        let status = wait(&mut tracer);
        output_was_lost(&marker, status, &line);
    }
}

#[test]
fn a_command_behind_the_output_that_ends_early_does_not_disturb_the_program() {
    for command in ["|head -n 1", "|true", "|exec <&-; sleep 0.1"] {
        let marker = Marker::new();
        let outcome = run(&mut traced(&["-o", command], marker.program()));
        output_was_lost(&marker, Some(outcome.status), &outcome.stderr);
    }
}

#[test]
fn a_command_behind_the_output_gets_all_lines_and_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let into = directory.path().join("lines");
    let sink = format!("|cat > {}; echo end >> {0}", into.display());
    let outcome = run(&mut traced(
        &["-o", &sink],
        ["sh", "-c", "(exit 3); exit 6"],
    ));
    assert_eq!(outcome.status, 6, "{outcome:?}");
    let lines = fs::read_to_string(&into).unwrap();
    assert!(
        lines.contains("exited with 6") && lines.ends_with("end\n"),
        "{lines}"
    );
}

#[test]
fn a_file_size_limit_does_not_disturb_the_program() {
    for ignored in ["", "trap '' XFSZ; "] {
        let marker = Marker::new();
        let log = marker.directory.path().join("log");
        let tracer = wait4_strace();
        let outcome = run(Command::new("sh")
            .arg("-c")
            .arg(format!("ulimit -f 1; {ignored}exec \"$@\""))
            .arg("sh")
            .arg(tracer.get_program())
            .arg("-o")
            .arg(&log)
            .arg("--")
            .args(marker.program()));
        output_was_lost(&marker, Some(outcome.status), &outcome.stderr);
        assert!(fs::metadata(&log).unwrap().len() <= 1024);
    }
}

#[test]
fn the_command_s_own_failure_to_write_is_its_own() {
    let outcome = run(&mut traced(&[], ["sh", "-c", "echo hi > /dev/full"]));
    assert!((1..125).contains(&outcome.status), "{outcome:?}");
}

#[test]
fn a_split_output_has_a_file_for_each_task() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("log");
    let flag = prefix.to_string_lossy().into_owned();
    let outcome = run(&mut traced(
        &["-ff", "-o", &flag],
        ["sh", "-c", "(exit 3); (exit 4); exit 6"],
    ));
    assert_eq!(outcome.status, 6, "{outcome:?}");
    let mut ends: Vec<String> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            let last = text.lines().last().unwrap_or_default().to_owned();
            last.split("+++ ").nth(1).unwrap_or(&last).to_owned()
        })
        .collect();
    ends.sort();
    assert_eq!(
        ends,
        [
            "exited with 3 +++",
            "exited with 4 +++",
            "exited with 6 +++"
        ]
    );
}

/// A tracer with a program that does `first`, then goes on until the file `go`
/// exists, and the paths of that and of the log.
fn lingering(directory: &Path, first: &str) -> (Command, PathBuf) {
    let go = directory.join("go");
    let script = format!("{first}; while [ ! -e \"$0\" ]; do sleep 0.01; done; exit 5");
    let log = directory.join("log").to_string_lossy().into_owned();
    let command = traced(&["-o", &log], ["sh", "-c", &script, go.to_str().unwrap()]);
    (command, go)
}

#[test]
fn a_reader_of_the_program_s_output_sees_its_end_when_the_program_closes_it() {
    let directory = tempfile::tempdir().unwrap();
    let (mut command, go) = lingering(directory.path(), "echo hi; exec >&- 2>&-");
    let mut tracer = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut stdout = tracer.stdout.take().unwrap();
    // Returns only when nobody holds the pipe any more.
    stdout.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hi\n");
    assert!(tracer.try_wait().unwrap().is_none(), "it lives on");
    fs::write(go, "").unwrap();
    assert_eq!(wait(&mut tracer), Some(5));
}

#[test]
fn a_writer_to_the_program_s_input_sees_that_the_program_has_closed_it() {
    let directory = tempfile::tempdir().unwrap();
    let (mut command, go) = lingering(directory.path(), "exec </dev/null");
    let mut tracer = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = tracer.stdin.take().unwrap();
    until("the pipe breaks", || stdin.write_all(b"x").is_err());
    assert!(tracer.try_wait().unwrap().is_none(), "it lives on");
    fs::write(go, "").unwrap();
    assert_eq!(wait(&mut tracer), Some(5));
}

#[test]
fn the_program_reads_all_of_the_input() {
    let mut command = traced(&["-qqq"], ["sh", "-c", "read line; echo \"$line\"; cat"]);
    let mut tracer = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = tracer.stdin.take().unwrap();
    stdin.write_all(b"one\ntwo\n").unwrap();
    drop(stdin);
    let mut text = String::new();
    let mut stdout = tracer.stdout.take().unwrap();
    stdout.read_to_string(&mut text).unwrap();
    assert_eq!((wait(&mut tracer), &*text), (Some(0), "one\ntwo\n"));
}

#[test]
fn a_writer_without_a_reader_dies_of_sigpipe_as_ever() {
    let outcome = run(&mut traced(&[], ["sh", "-c", "yes | head -n 3"]));
    assert_eq!(
        (outcome.status, &*outcome.stdout),
        (0, "y\ny\ny\n"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("killed by SIGPIPE"), "{outcome:?}");

    let mut command = traced(&[], ["yes"]);
    let mut tracer = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut reader = BufReader::new(tracer.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    drop(reader);
    assert_eq!(wait(&mut tracer), Some(128 + 13));
}

#[test]
fn lines_go_to_standard_output_when_that_is_asked_for() {
    let outcome = run(&mut traced(
        &["-o", "-"],
        ["sh", "-c", "(exit 3); echo hi; exit 6"],
    ));
    assert_eq!(outcome.status, 6, "{outcome:?}");
    assert!(
        outcome.stdout.contains("exited with 3") && outcome.stdout.contains("hi\n"),
        "{outcome:?}"
    );
}

#[test]
fn the_lines_are_in_the_file_while_the_program_still_runs() {
    let directory = tempfile::tempdir().unwrap();
    let (mut command, go) = lingering(directory.path(), "(exit 42)");
    let mut tracer = command.stdin(Stdio::null()).spawn().unwrap();
    until("the file has the line", || {
        fs::read_to_string(directory.path().join("log"))
            .is_ok_and(|log| log.contains("WEXITSTATUS(s) == 42"))
    });
    fs::write(go, "").unwrap();
    assert_eq!(wait(&mut tracer), Some(5));
}

#[test]
fn help_and_version_go_to_standard_output_with_status_0() {
    for flag in ["-h", "--help", "--version", "-V"] {
        let outcome = run(wait4_strace().arg(flag));
        assert_eq!(outcome.status, 0, "{flag}: {outcome:?}");
        assert!(outcome.stdout.contains("wait4-strace"), "{outcome:?}");
        assert_eq!(outcome.stderr, "");
    }
}

#[test]
fn help_without_a_reader_is_no_panic() {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut child = wait4_strace()
        .arg("--help")
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().unwrap();
    pipe.read_to_string(&mut stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(wait(&mut child).is_some_and(|status| status < 126));
}

#[test]
fn words_that_are_no_text_are_handed_on_byte_by_byte() {
    use std::os::unix::ffi::OsStrExt;
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe odd");
    let mut command = traced_fixture(&[], "print_state");
    let outcome = run(command.arg(odd));
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let mut command = wait4_strace();
    command.args(["-qqq", "--", "printf", "%s"]).arg(odd);
    let output = command.output().unwrap();
    assert_eq!(output.stdout, odd.as_bytes());
    assert!(fixture_path().exists());
}
