//! A user without privilege and the user's own processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{have, install, passed_over, run, wait4_strace};

/// With the tracer as `$1`: the target's status, and the tracer's.
const SCRIPT: &str = "mkfifo go || exit; sh -c 'read x; (exit 3); exit $?' < go & target=$!; \
     \"$1\" --tree -o log -p $target 2> errors & tracer=$!; \
     until grep -q attached errors; do sleep 0.01; done; echo > go; \
     wait $target; echo target $?; wait $tracer; echo tracer $?";

#[test]
fn an_unprivileged_user_attaches_to_its_own_processes() {
    if !have("setpriv") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("wait4-strace");
    install(Path::new(wait4_strace().get_program()), &copy, 0o755);
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let outcome = run(Command::new("setpriv")
        .args(["--reuid=12345", "--regid=12345", "--clear-groups"])
        .args(["sh", "-c", SCRIPT, "sh"])
        .arg(&copy)
        .current_dir(directory.path()));
    if outcome.status == 1 && outcome.stdout.is_empty() {
        passed_over("not root");
        return;
    }
    assert_eq!(outcome.stdout, "target 3\ntracer 0\n", "{outcome:?}");
    let log = fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(log.contains("WEXITSTATUS(s) == 3"), "{log}");
}
