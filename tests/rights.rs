//! Which rights reach a program under `-u`, and which rights wait4-strace
//! refuses to have.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Outcome, have, install, passed_over, run, wait4_strace};
use nix::unistd::geteuid;
use tempfile::TempDir;

/// Whether we are root, and can give programs other rights.
fn is_root() -> bool {
    let is_root = geteuid().is_root() && have("setpriv");
    if !is_root {
        passed_over("only root hands on rights");
    }
    is_root
}

/// A run as somebody without rights.
const PLAIN: [&str; 4] = [
    "setpriv",
    "--reuid=nobody",
    "--regid=nogroup",
    "--init-groups",
];

fn outcome(words: &[&str]) -> Outcome {
    run(Command::new("env").args(words))
}

/// The lines of a status that tell of rights.
fn rights(status: &str) -> Vec<&str> {
    let names = [
        "Uid:", "Gid:", "Groups:", "CapInh:", "CapPrm:", "CapEff:", "CapAmb:",
    ];
    let of = |name| status.lines().find(|line| line.starts_with(name)).unwrap();
    names.into_iter().map(of).collect()
}

#[test]
fn a_program_under_another_user_has_no_right_of_ours() {
    if !is_root() {
        return;
    }
    let status = ["cat", "/proc/self/status"];
    let plain = outcome(&[&PLAIN[..], &status].concat());
    let expected = rights(&plain.stdout);
    assert!(
        expected.contains(&"CapInh:\t0000000000000000"),
        "{expected:?}"
    );
    let tracer = wait4_strace();
    let tracer = tracer.get_program().to_str().unwrap();
    let traced = [tracer, "-o/dev/null", "-u", "nobody", "--"];
    let starts: [&[&str]; 4] = [
        &[],
        &["setpriv", "--inh-caps=+net_admin,+kill"],
        &[
            "setpriv",
            "--inh-caps=+net_admin",
            "--ambient-caps=+net_admin",
        ],
        &[
            "setpriv",
            "--inh-caps=+net_admin",
            "--ambient-caps=+net_admin",
            "--securebits=+no_setuid_fixup",
        ],
    ];
    for start in starts {
        let outcome = outcome(&[start, &traced, &status].concat());
        assert_eq!(outcome.status, 0, "{start:?}: {outcome:?}");
        assert_eq!(rights(&outcome.stdout), expected, "{start:?}");
    }
}

#[test]
fn root_that_is_named_is_root() {
    if !is_root() {
        return;
    }
    let tracer = wait4_strace();
    let tracer = tracer.get_program().to_str().unwrap();
    let status = ["cat", "/proc/self/status"];
    let plain = outcome(&status);
    let traced = outcome(&[&[tracer, "-o/dev/null", "-u", "root", "--"][..], &status].concat());
    let capabilities = |text| rights(text).split_off(3);
    assert_eq!(capabilities(&traced.stdout), capabilities(&plain.stdout));
}

#[test]
fn a_program_under_another_user_has_no_descriptor_of_ours() {
    if !is_root() {
        return;
    }
    let directory = TempDir::new().unwrap();
    let list = ["sh", "-c", "ls /proc/$$/fd"];
    let plain = outcome(&[&PLAIN[..], &list].concat());
    let files = [
        "--record=record",
        "--report-file=report",
        "--snapshot=snap",
        "--update",
    ];
    let outputs: [&[&str]; 3] = [&["-olog"], &["-ff", "-olog"], &["-o|cat >log"]];
    for output in outputs {
        let mut command = wait4_strace();
        command.args(files).args(output);
        command.args(["-u", "nobody", "--"]).args(list);
        let traced = run(command.current_dir(directory.path()).env_remove("CI"));
        assert_eq!(traced.stdout, plain.stdout, "{output:?}: {traced:?}");
        assert_eq!(traced.status, 0);
    }
}

/// A copy of ours with these permissions, where everybody can execute it.
fn copy(mode: u32) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let copy = directory.path().join("wait4-strace");
    install(Path::new(wait4_strace().get_program()), &copy, mode);
    (directory, copy)
}

#[test]
fn a_tracer_that_is_setuid_or_has_capabilities_refuses_to_run() {
    if !is_root() {
        return;
    }
    let mut kinds = vec![(0o4755, false), (0o2755, false)];
    if have("setcap") {
        kinds.push((0o755, true));
    }
    for (mode, capable) in kinds {
        let (directory, copy) = copy(mode);
        if capable {
            let given = Command::new("setcap")
                .arg("cap_sys_ptrace+ep")
                .arg(&copy)
                .status();
            if !given.unwrap().success() {
                passed_over("this file system keeps no capabilities");
                continue;
            }
        }
        let copy = copy.to_str().unwrap();
        let marker = directory.path().join("ran");
        let words = [copy, "touch", marker.to_str().unwrap()];
        let refused = outcome(&[&PLAIN[..], &words].concat());
        assert_eq!(refused.status, 125, "{mode:o}: {refused:?}");
        let sentence = "wait4-strace: this file is setuid or setgid, or has capabilities";
        assert!(
            refused.stderr.starts_with(sentence),
            "{mode:o}: {refused:?}"
        );
        assert!(!marker.exists());
    }
}

#[test]
fn a_tracer_without_such_rights_runs_for_everybody() {
    if !is_root() {
        return;
    }
    let (_directory, copy) = copy(0o755);
    let words = [copy.to_str().unwrap(), "-o/dev/null", "true"];
    let plain = outcome(&[&PLAIN[..], &words].concat());
    assert_eq!(plain.status, 0, "{plain:?}");
}
