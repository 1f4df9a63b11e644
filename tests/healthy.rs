//! Healthy programs: what they write and how they end is as without a tracer,
//! and the report finds nothing that is wrong with them.
//!
//! (What cannot be told from a bug is in `tests/healthy/known`.)
//! Their scripts are in `tests/healthy/`; each runs in a directory of its own,
//! where it is copied to.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::support::{Outcome, as_nobody, have, passed_over, postgres, run, traced};
use tempfile::TempDir;

/// That the report has no finding above info. `trace` is shown if it does.
fn assert_no_findings(what: &str, stderr: &str, trace: &str) {
    let lines: Vec<&str> = stderr.lines().collect();
    let found = |line: &&str| line.starts_with("error[") || line.starts_with("warning[");
    assert!(
        !lines.iter().any(found),
        "{what}: findings in\n{stderr}\nof the trace\n{trace}"
    );
    let last = lines.last().copied().unwrap_or_default();
    assert!(
        last.starts_with("wait4-strace: ") && last.contains(" processes, "),
        "{what}: no summary ends\n{stderr}"
    );
}

/// A directory for one run, with copies of those words that name files of
/// `tests/healthy/`.
fn directory_for<S: AsRef<OsStr>>(words: &[S]) -> TempDir {
    let directory = TempDir::new().unwrap();
    // PostgreSQL is run by another user.
    fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/healthy");
    for word in words {
        let name = Path::new(word);
        if name.components().count() == 1 && kept.join(name).is_file() {
            let copy = directory.path().join(name);
            fs::copy(kept.join(name), &copy).unwrap();
            fs::set_permissions(&copy, Permissions::from_mode(0o644)).unwrap();
        }
    }
    directory
}

/// Run these words untraced and traced, at the same time; the traced run is to
/// be the same, and without a finding.
fn healthy<S: AsRef<OsStr> + Sync>(words: &[S]) {
    let logs = TempDir::new().unwrap();
    let log = logs.path().join("log");
    let known = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/healthy/known");
    let flags = ["-o", log.to_str().unwrap(), "--suppress", known];
    let in_own_directory = |mut command: Command| {
        let here = directory_for(words);
        run(command.current_dir(here.path()))
    };
    let (plain, ours) = thread::scope(|both| {
        let plain = both.spawn(|| {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]);
            in_own_directory(command)
        });
        let ours = in_own_directory(traced(&flags, words));
        (plain.join().unwrap(), ours)
    });
    let trace = fs::read_to_string(&log).unwrap();
    let what = format!("{:?}", words.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    let end = |outcome: &Outcome| (outcome.status, outcome.stdout.clone());
    assert_eq!(
        end(&ours),
        end(&plain),
        "{what}: traced is not as untraced; untraced: {plain:?}; traced: {ours:?}"
    );
    assert!(trace.contains("# reaped "), "{what} reaps nothing: {trace}");
    assert_no_findings(&what, &ours.stderr, &trace);
}

/// [`healthy`], if these programs are installed.
fn healthy_with(programs: &[&str], words: &[&str]) {
    if programs.iter().all(|program| have(program)) {
        healthy(words);
    }
}

#[test]
fn bash_runs_pipelines() {
    healthy_with(&["bash"], &["bash", "bash-pipelines.sh"]);
}

#[test]
fn bash_waits_for_jobs() {
    healthy_with(&["bash"], &["bash", "bash-jobs.sh"]);
}

#[test]
fn bash_traps_sigchld() {
    healthy_with(&["bash"], &["bash", "bash-trap.sh"]);
}

#[test]
fn bash_runs_coprocesses() {
    healthy_with(&["bash"], &["bash", "bash-coproc.sh"]);
}

#[test]
fn bash_controls_jobs() {
    healthy_with(&["bash"], &["bash", "bash-monitor.sh"]);
}

#[test]
fn bash_waits_for_long() {
    healthy_with(&["bash", "mkfifo"], &["bash", "long-waits.sh"]);
}

#[test]
fn dash_runs_commands_and_jobs() {
    healthy_with(&["dash"], &["dash", "sh.sh"]);
}

#[test]
fn busybox_runs_commands_and_jobs() {
    healthy_with(&["busybox"], &["busybox", "sh", "sh.sh"]);
}

#[test]
fn make_builds_fails_and_recurses() {
    healthy_with(&["make"], &["sh", "make.sh"]);
}

#[test]
fn xargs_and_find_run_commands() {
    healthy_with(&["xargs", "find"], &["sh", "xargs.sh"]);
}

#[test]
fn perl_runs_commands_and_reaps_in_a_handler() {
    healthy_with(&["perl"], &["perl", "perl.pl"]);
}

#[test]
fn perl_forks_with_an_open_pipe() {
    healthy_with(&["perl"], &["perl", "forked-pipe.pl"]);
}

/// Run a script of Python with the interpreter itself: `python3` may be a
/// script that looks for it.
fn python(words: &[&str]) {
    if !have("python3") {
        return;
    }
    let code = "import sys; print(sys.executable)";
    let found = run(Command::new("python3").args(["-c", code])).stdout;
    healthy(&[&[found.trim()], words].concat());
}

#[test]
fn python_runs_subprocesses() {
    python(&["subprocesses.py"]);
}

#[test]
fn python_runs_pools_of_processes() {
    python(&["pools.py"]);
}

#[test]
fn python_runs_asyncio_subprocesses() {
    python(&["asynchronous.py"]);
}

#[test]
fn python_watches_children_by_pidfds() {
    python(&["asynchronous.py", "PidfdChildWatcher"]);
}

#[test]
fn python_watches_children_by_threads() {
    python(&["asynchronous.py", "ThreadedChildWatcher"]);
}

#[test]
fn python_watches_children_by_sigchld() {
    python(&["asynchronous.py", "SafeChildWatcher"]);
}

#[test]
fn python_forks_with_a_live_subprocess() {
    python(&["forked-popen.py"]);
}

#[test]
fn python_ends_with_a_thread_whose_child_has_a_death_signal() {
    if have("setpriv") {
        python(&["death-signal.py"]);
    }
}

#[test]
fn node_spawns_executes_and_forks() {
    healthy_with(&["node"], &["node", "children.js"]);
}

#[test]
fn npm_runs_scripts() {
    healthy_with(&["npm"], &["sh", "npm.sh"]);
}

#[test]
fn java_builds_processes() {
    healthy_with(&["java", "javac"], &["sh", "java.sh", "Spawner.java"]);
}

#[test]
fn go_executes_commands() {
    healthy_with(&["go"], &["sh", "go.sh", "main.go"]);
}

#[test]
fn runtimes_wait_by_pidfds() {
    healthy_with(&["gcc"], &["sh", "runtime.sh", "runtime.c"]);
}

#[test]
fn runtimes_probe_for_pidfds() {
    healthy_with(&["gcc"], &["sh", "runtime-probe.sh", "runtime.c"]);
}

/// Its handler reaps and keeps the statuses for those who wait.
#[test]
fn rsync_copies() {
    healthy_with(&["rsync"], &["sh", "rsync.sh"]);
}

#[test]
fn postgres_serves() {
    let Some(programs) = postgres() else {
        passed_over("PostgreSQL is not installed");
        return;
    };
    if !have("setpriv") {
        return;
    }
    // The server refuses to be root.
    let mut words = as_nobody();
    words.extend(["sh".into(), "postgres.sh".into(), programs.into()]);
    healthy(&words);
}

#[test]
fn cargo_builds_runs_and_tests() {
    healthy_with(&["cargo"], &["sh", "cargo.sh"]);
}

#[test]
fn gcc_compiles_and_links() {
    healthy_with(&["gcc"], &["sh", "gcc.sh"]);
}

#[test]
fn git_commits_clones_and_rebases() {
    healthy_with(&["git"], &["sh", "git.sh"]);
}

#[test]
fn git_pages_on_a_terminal() {
    healthy_with(&["git", "script", "less"], &["sh", "git-pager.sh"]);
}

#[test]
fn apt_tells_its_version() {
    healthy_with(&["apt-get", "apt-cache"], &["sh", "apt.sh"]);
}

#[test]
fn man_shows_a_page() {
    healthy_with(&["man"], &["sh", "man.sh"]);
}

#[test]
fn ssh_agent_runs_commands_and_daemons() {
    healthy_with(&["ssh-agent", "ssh-add"], &["sh", "ssh-agent.sh"]);
}

#[test]
fn s6_supervises() {
    healthy_with(&["s6-svscan", "s6-svscanctl"], &["sh", "s6.sh"]);
}

#[test]
fn runit_supervises() {
    healthy_with(&["runsvdir", "sv"], &["sh", "runit.sh"]);
}

#[test]
fn supervisord_supervises() {
    healthy_with(&["supervisord"], &["sh", "supervisord.sh"]);
}

/// Whether a PID namespace can be made here.
fn have_namespaces() -> bool {
    let made = have("unshare")
        && run(Command::new("unshare").args(["-pf", "--mount-proc", "true"])).status == 0;
    if !made {
        passed_over("no PID namespace can be made");
    }
    made
}

#[test]
fn tini_is_the_init_of_a_namespace() {
    if have_namespaces() {
        healthy_with(&["tini"], &["sh", "namespace.sh", "tini", "--"]);
    }
}

#[test]
fn dumb_init_is_the_init_of_a_namespace() {
    if have_namespaces() {
        healthy_with(&["dumb-init"], &["sh", "namespace.sh", "dumb-init", "--"]);
    }
}

#[test]
fn tini_is_a_subreaper() {
    let text = "(sleep 0.1 &); (sleep 0.2 &); (exit 3) & sleep 1.3; exit 4";
    healthy_with(&["tini"], &["tini", "-s", "--", "sh", "-c", text]);
}

#[test]
fn dumb_init_passes_ends_on() {
    let text = "sh -c 'exit 3'; sleep 0.1 & kill -TERM $$";
    healthy_with(&["dumb-init"], &["dumb-init", "sh", "-c", text]);
}

#[test]
fn small_tools_run_commands() {
    let tools = [
        "timeout", "setsid", "nohup", "flock", "split", "sort", "tar",
    ];
    healthy_with(&tools, &["sh", "tools.sh"]);
}

#[test]
fn script_runs_shells_on_a_terminal() {
    healthy_with(&["script", "bash"], &["sh", "script.sh"]);
}

#[test]
fn start_stop_daemon_starts_and_stops() {
    let programs = &["start-stop-daemon"];
    healthy_with(programs, &["sh", "start-stop-daemon.sh"]);
}
