//! What packages install is what the command says of itself.

use std::fs;

use crate::support::{self, run, wait4_strace};

/// What is kept in `dist`, by the word that makes it.
const KEPT: [(&str, &str); 4] = [
    ("man", "wait4-strace.1"),
    ("bash", "wait4-strace.bash"),
    ("zsh", "wait4-strace.zsh"),
    ("fish", "wait4-strace.fish"),
];

fn generated(what: &str) -> String {
    let outcome = run(wait4_strace().args(["--generate", what]));
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    outcome.stdout
}

#[test]
fn the_man_page_and_the_completions_are_those_of_the_command() {
    for (what, file) in KEPT {
        let path = format!("{}/dist/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = generated(what);
        if std::env::var_os("WAIT4_STRACE_UPDATE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert!(
            fs::read_to_string(&path).is_ok_and(|kept| kept == text),
            "{file}: run `WAIT4_STRACE_UPDATE=1 cargo test --test suite generated::`"
        );
    }
}

#[test]
fn every_flag_is_in_the_man_page_with_its_help() {
    let man = generated("man").replace("\\-", "-");
    let help = run(wait4_strace().arg("--help")).stdout;
    let flags = help
        .split_whitespace()
        .filter(|word| word.starts_with("--") && word.len() > 3);
    for flag in flags {
        let flag = flag.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let flag = flag.split(['[', '=', ',', '.']).next().unwrap();
        assert!(man.contains(flag), "{flag}");
    }
    for section in ["EXAMPLES", "EXIT STATUS", "LIMITS", "SEE ALSO"] {
        assert!(
            man.contains(&format!(".SH \"{section}\"")) || man.contains(section),
            "{section}"
        );
    }
    assert!(man.contains("Do not follow children"));
}

#[test]
fn other_shells_are_served_too() {
    for shell in ["elvish", "powershell"] {
        assert!(generated(shell).contains("--timeline"), "{shell}");
    }
}

#[test]
fn names_of_rules_complete_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = generated(shell);
        for flag in ["allow", "warn", "deny", "explain", "fail-on"] {
            let lines = script.lines().filter(|line| line.contains("zombie-leak"));
            let names_flag = |line: &str| line.contains(&format!("--{flag}"));
            let is_near = match shell {
                // The words of a flag stand in its arm, and on lines of their own.
                "bash" => script.contains(&format!(
                    "--{flag})\n                    COMPREPLY=($(compgen -W \""
                )),
                "fish" => script.contains(&format!("-l {flag} ")),
                _ => lines.clone().any(names_flag),
            };
            assert!(is_near && lines.count() >= 5, "{shell}: --{flag}");
        }
    }
}

/// What shells themselves make of `wait4-strace --deny zombie-<TAB>`.
#[test]
fn shells_complete_a_rule() {
    let room = tempfile::tempdir().unwrap();
    let script = |shell: &str| {
        let path = room.path().join(format!("_{shell}"));
        fs::write(&path, generated(shell)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let asked = [
        (
            "bash",
            format!(
                "source {}; COMP_WORDS=(wait4-strace --deny zombie-); COMP_CWORD=2; \
                 _wait4__strace wait4-strace zombie- --deny; echo ${{COMPREPLY[@]}}",
                script("bash")
            ),
        ),
        (
            "fish",
            format!(
                "source {}; complete -C 'wait4-strace --deny zombie-'",
                script("fish")
            ),
        ),
    ];
    for (shell, command) in asked {
        if !support::have(shell) {
            support::passed_over(&format!("there is no {shell}"));
            continue;
        }
        let outcome = run(std::process::Command::new(shell).args(["-c", &command]));
        assert!(
            outcome
                .stdout
                .split_whitespace()
                .any(|word| word == "zombie-leak"),
            "{shell}: {}{}",
            outcome.stdout,
            outcome.stderr
        );
    }
}
