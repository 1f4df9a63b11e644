//! Where `/proc` is not what it is elsewhere: not mounted, another pid namespace's, or
//! without the processes of other users; and where there is no `/dev` or no `/etc`. Each
//! in a mount namespace of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{Outcome, have, install, passed_over, run, wait4_strace};

/// What these scripts begin with: a process of root's.
const BEGIN: &str = "sleep 1000 & target=$!\n";
const AS_NOBODY: &str = "setpriv --reuid=12345 --regid=12345 --clear-groups";

/// Run a script in namespaces of its own; `$1` is the program. `None` where there can be
/// none.
fn script(namespaces: &[&str], mount: &str, script: &str) -> Option<Outcome> {
    if !have("unshare") || !have("setpriv") || !nix::unistd::geteuid().is_root() {
        passed_over("needs root, unshare and setpriv");
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = directory.path().join("wait4-strace");
    install(Path::new(wait4_strace().get_program()), &program, 0o755);
    let mut command = Command::new("unshare");
    command.args(namespaces).args(["-pf", "--kill-child"]);
    let script = format!("{mount} || {{ echo no mount; exit; }}\n{BEGIN}{script}");
    command.args(["sh", "-c", &script, "sh"]).arg(program);
    let outcome = run(&mut command);
    let is_possible = !outcome.stdout.contains("no mount") && !outcome.stderr.contains("unshare");
    if !is_possible {
        passed_over(&format!("no namespace: {outcome:?}"));
    }
    is_possible.then_some(outcome)
}

/// The lines that the tool wrote as such, by the command that wrote them.
fn says(outcome: &Outcome, sentence: &str) {
    assert!(
        outcome.stdout.contains(sentence),
        "{sentence:?}: {outcome:?}"
    );
}

const OWN: [&str; 2] = ["-m", "--mount-proc"];
const NO_PROC: &str = "mount -t tmpfs none /proc";

#[test]
fn without_a_proc_nothing_is_said_to_be_absent() {
    let commands = r#"
        "$1" -p $target 2>&1; echo attach $?
        "$1" --tree -p $target 2>&1; echo tree $?
        "$1" --zombies 2>&1; echo zombies $?
        "$1" --zombies --pidns-of $target 2>&1; echo namespace $?
        "$1" --explore -- true 2>&1; echo search $?
        "$1" --schedule before@1 -- true 2>&1; echo replay $?"#;
    let Some(outcome) = script(&OWN, NO_PROC, commands) else {
        return;
    };
    for kind in ["attach", "tree", "zombies", "namespace", "search", "replay"] {
        says(&outcome, &format!("{kind} 125"));
    }
    let mount = "it is not mounted here (mount -t proc proc /proc)";
    assert_eq!(outcome.stdout.matches(mount).count(), 4, "{outcome:?}");
    assert!(!outcome.stdout.contains("no process"), "{outcome:?}");
    let schedule = "a schedule is forced by what /proc shows";
    assert_eq!(outcome.stdout.matches(schedule).count(), 2, "{outcome:?}");
}

#[test]
fn a_trace_without_a_proc_says_what_it_lacks() {
    let command = r#""$1" -k -- sh -c '(exit 3) & wait; exit 4' 2>&1; echo trace $?"#;
    let Some(outcome) = script(&OWN, NO_PROC, command) else {
        return;
    };
    says(&outcome, "trace 4");
    says(
        &outcome,
        "partial view: /proc is not mounted or shows another pid namespace",
    );
    says(&outcome, "call stacks are out of reach");
}

#[test]
fn a_pid_of_another_namespace_is_nobody() {
    let commands = r#"
        "$1" --duration 0.2 -p $target 2>&1; echo attach $?
        "$1" --duration 0.2 --tree -p $target 2>&1; echo tree $?
        "$1" --zombies 2>&1"#;
    let Some(outcome) = script(&[], "true", commands) else {
        return;
    };
    says(&outcome, "attach 125");
    says(&outcome, "tree 125");
    says(&outcome, "/proc shows another pid namespace");
    says(&outcome, "not seen: this pid namespace");
    assert!(!outcome.stdout.contains("attached"), "{outcome:?}");
    // The way that the sentence names.
    let remedy = "unshare -m sh -c 'mount -t proc proc /proc && exec \"$0\" --duration 0.2 -p $1' \
                  \"$1\" $target 2>&1";
    if let Some(outcome) = script(&[], "true", remedy) {
        says(&outcome, "attached");
    }
}

#[test]
fn what_proc_hides_exists() {
    for hiding in ["invisible", "noaccess", "ptraceable"] {
        let mount = format!("mount -t proc -o hidepid={hiding} proc /proc");
        let commands = format!(
            r#"
            {AS_NOBODY} "$1" -p $target 2>&1; echo attach $?
            {AS_NOBODY} "$1" --zombies -p $target 2>&1; echo zombies $?
            {AS_NOBODY} "$1" -p 4000000 2>&1"#
        );
        let Some(outcome) = script(&OWN, &mount, &commands) else {
            return;
        };
        says(&outcome, "attach 125");
        says(&outcome, "zombies 125");
        let hidden = "it exists, but /proc hides the processes of others (hidepid)";
        assert_eq!(outcome.stdout.matches(hidden).count(), 2, "{outcome:?}");
        says(&outcome, "attach to 4000000: no process or thread");
    }
}

#[test]
fn a_search_and_a_replay_need_no_device() {
    let commands = r#"
        "$1" --explore=5 -- sh -c 'read line; exit 0' 2>&1; echo search $?
        "$1" --schedule before@1 -- sh -c 'read line; exit 3' 2>&1; echo replay $?"#;
    let mount = "mount -t tmpfs none /dev";
    let Some(outcome) = script(&OWN, mount, commands) else {
        return;
    };
    says(&outcome, "; nothing to try");
    says(&outcome, "search 0");
    says(&outcome, "replay 3");
}

#[test]
fn a_user_is_not_found_where_there_are_none() {
    let command = "\"$1\" -u nobody -- true 2>&1; echo run $?";
    let Some(outcome) = script(&OWN, "mount -t tmpfs none /etc", command) else {
        return;
    };
    says(
        &outcome,
        "there is no user \"nobody\" (-u), as there is no /etc/passwd here",
    );
    says(&outcome, "run 125");
}
