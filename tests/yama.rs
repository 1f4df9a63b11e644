//! Yama's four scopes: who may trace, and what each refusal says. Only where it is asked
//! for, as it changes the machine, and scope 3 stays until the next boot: `.ci/aarch64`
//! runs it in its guest.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Outcome, install, passed_over, run, wait4_strace};
use tempfile::TempDir;

const SCOPE: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// Attaches the program `$1` to a process of the same user, for a moment.
const ATTACH: &str = "sleep 1000 & target=$!
    until grep -q '^State:.S' /proc/$target/status; do sleep 0.01; done
    \"$1\" --duration 0.2 -p $target; status=$?
    kill $target; exit $status";

/// A user without privilege.
const USER: [&str; 4] = [
    "setpriv",
    "--reuid=12345",
    "--regid=12345",
    "--clear-groups",
];
const ROOT: [&str; 0] = [];

struct Machine {
    _directory: TempDir,
    program: PathBuf,
}

impl Machine {
    fn attach(&self, user: &[&str]) -> Outcome {
        let words = ["sh", "-c", ATTACH, "sh", self.program.to_str().unwrap()];
        run(Command::new("env").args(user).args(words))
    }

    fn launch(&self, user: &[&str]) -> Outcome {
        let words = [self.program.to_str().unwrap(), "--", "true"];
        run(Command::new("env").args(user).args(words))
    }
}

fn succeeds(outcome: &Outcome) {
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(!outcome.stderr.contains("cannot"), "{outcome:?}");
}

fn is_refused(outcome: &Outcome, sentence: &str) {
    assert_eq!(outcome.status, 125, "{outcome:?}");
    assert!(outcome.stderr.contains(sentence), "{outcome:?}");
}

#[test]
fn each_scope_refuses_in_words_of_its_own() {
    if std::env::var_os("WAIT4_STRACE_YAMA").is_none() {
        passed_over("WAIT4_STRACE_YAMA is not set: it changes kernel.yama.ptrace_scope");
        return;
    }
    let directory = TempDir::new().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = directory.path().join("wait4-strace");
    install(Path::new(wait4_strace().get_program()), &program, 0o755);
    let machine = Machine {
        _directory: directory,
        program,
    };
    let set = |scope: &str| fs::write(SCOPE, scope).unwrap();

    set("0");
    succeeds(&machine.attach(&USER));
    succeeds(&machine.launch(&USER));

    set("1");
    let own = "Yama lets a process trace its own descendants only (kernel.yama.ptrace_scope is 1); \
               run wait4-strace as root, or launch the program with it";
    is_refused(&machine.attach(&USER), own);
    succeeds(&machine.launch(&USER));
    succeeds(&machine.attach(&ROOT));

    set("2");
    let administrators = "Yama lets only administrators attach (kernel.yama.ptrace_scope is 2); \
                          run wait4-strace as root";
    is_refused(&machine.attach(&USER), administrators);
    let launching = "Yama lets only administrators trace (kernel.yama.ptrace_scope is 2)";
    is_refused(&machine.launch(&USER), launching);
    succeeds(&machine.attach(&ROOT));
    succeeds(&machine.launch(&ROOT));

    set("3");
    let nobody = "Yama forbids all tracing (kernel.yama.ptrace_scope is 3), for root too, until \
                  the next boot";
    for user in [&USER[..], &ROOT] {
        is_refused(&machine.attach(user), nobody);
        is_refused(&machine.launch(user), nobody);
    }
}
