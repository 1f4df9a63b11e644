//! What is said of how processes ended: who sent the signal, the out-of-memory killer, execs
//! that failed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
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
    let text = traced("(exit 127); :");
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

/// Files that cannot be executed, each for another reason.
fn not_executable() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    file("plain", "text\n", 0o644);
    file("script", "#!/no/such/interpreter\n", 0o755);
    file("elf", "\x7fELF", 0o755);
    directory
}

/// Commands that end because `$0` cannot be executed, each through another program.
const FAILING: [&str; 8] = [
    "$0; :",
    "bash -c '\"$0\"; :' $0",
    "env $0",
    "nohup $0",
    "nice $0",
    "timeout 9 $0",
    "echo a | xargs $0",
    "/usr/bin/python3 -c 'import subprocess as s, sys; s.call(sys.argv[1:])' $0",
];

#[test]
fn the_exec_that_failed_is_named_with_its_reason() {
    let directory = not_executable();
    for (name, errno) in [
        ("plain", "EACCES"),
        ("script", "ENOENT"),
        ("elf", "ENOEXEC"),
    ] {
        let path = directory.path().join(name);
        let path = path.to_str().unwrap();
        for command in FAILING {
            let program = command.split(' ').next().unwrap_or_default();
            // A file that is in no known format is a script to shells, and to execvp.
            let is_tried_as_script = errno == "ENOEXEC" && !command.contains("python3");
            if is_tried_as_script || program != "$0;" && !have(program) {
                continue;
            }
            for filter in ["--seccomp-bpf=auto", "--seccomp-bpf=never"] {
                let outcome = run(wait4_strace().args([filter, "--", "sh", "-c", command, path]));
                let failed = format!("# exec failed: {path}: {errno}");
                let end = line_with(&outcome.stderr, &failed);
                assert!(end.contains("+++ exited with "), "{command}: {end}");
            }
        }
    }
}

#[test]
fn a_search_of_the_path_is_told_in_short() {
    let run_in = |path: &str, options: &[&str]| {
        let mut command = wait4_strace();
        command
            .args(options)
            .args(["--", "/usr/bin/env", "no-such-command"]);
        run(command.env("PATH", path))
    };
    let text = run_in("/a:/b:/usr", &[]).stderr;
    let end = line_with(&text, "+++ exited with 127 +++");
    assert!(
        end.ends_with("# 3 execs failed, the last /usr/no-such-command: ENOENT"),
        "{text}"
    );
    let directory = not_executable();
    let path = directory.path();
    fs::rename(path.join("plain"), path.join("no-such-command")).unwrap();
    let path = format!("{}:/b", path.display());
    let text = run_in(&path, &[]).stderr;
    let end = line_with(&text, "+++ exited with 126 +++");
    assert!(
        end.contains("/no-such-command: EACCES; the last, /b/"),
        "{text}"
    );
    let lines = run_in(&path, &["--format", "json"]).stderr;
    let failures = lines.matches(r#""type":"exec-failed""#).count();
    assert_eq!(failures, 2, "{lines}");
}

#[test]
fn an_empty_path_is_the_file_of_its_descriptor() {
    if !have("/usr/bin/python3") {
        passed_over("there is no python3");
        return;
    }
    let directory = not_executable();
    let path = directory.path().join("elf");
    let code = "import os,sys\nfd=os.open(sys.argv[1],os.O_RDONLY)\n\
                if not os.fork():\n try: os.execve(fd,['x'],{})\n except OSError: os._exit(9)\n\
                os.wait()";
    let python = ["--", "/usr/bin/python3", "-c", code];
    let outcome = run(wait4_strace().args(python).arg(&path));
    let failed = format!("# exec failed: {}: ENOEXEC", path.display());
    line_with(&outcome.stderr, &failed);
}

#[test]
fn a_log_with_execs_tells_which_failed() {
    let log = "\
        10 execve(\"/bin/sh\", [\"sh\"], 0x7ffc /* 9 vars */) = 0\n\
        10 clone(child_stack=NULL, flags=SIGCHLD) = 11\n\
        11 execve(\"/usr/bin/foo\", [\"foo\"], 0x7ffc /* 9 vars */) = -1 ENOENT (No such file or directory)\n\
        11 execve(\"/bin/foo\", [\"foo\"], 0x7ffc /* 9 vars */) = -1 EACCES (Permission denied)\n\
        11 +++ exited with 126 +++\n\
        10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 126}], 0, NULL) = 11\n\
        10 +++ exited with 126 +++\n";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    fs::write(&path, log).unwrap();
    let outcome = run(wait4_strace().arg("--read").arg(&path));
    let text = outcome.stdout + &outcome.stderr;
    line_with(&text, "# 2 execs failed, the last /bin/foo: EACCES");
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
