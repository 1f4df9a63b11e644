//! The README's commands, in order, print what the README says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{self, have, passed_over, run};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A command of a `console` block, and what stands below it.
#[derive(Debug)]
struct Step {
    command: String,
    output: String,
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step {
                    command: command.to_owned(),
                    output: String::new(),
                }),
                (None, Some(step)) => {
                    step.output.push_str(line);
                    step.output.push('\n');
                }
                (None, None) => panic!("output before a command: {line}"),
            },
        }
    }
    steps
}

/// What differs from run to run: pids, times, and frames of a C library, whose
/// debug information may be installed or not.
fn normal(text: &str) -> String {
    let kept = text.lines().filter(|line| {
        let frame = line.trim_start_matches([' ', '|']).strip_prefix("> ");
        frame.is_none_or(|frame| frame.starts_with('<') || frame.contains("pool.c:"))
    });
    let mut normal = String::new();
    for line in kept {
        let mut rest = line;
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            let (before, number) = rest.split_at(at);
            let end = number.find(|c: char| !c.is_ascii_digit() && c != '.');
            let (number, behind) = number.split_at(end.unwrap_or(number.len()));
            normal.push_str(before);
            let is_time = number.contains('.');
            let is_pid = number.len() >= 3 && !before.ends_with(':');
            normal.push_str(if is_time || is_pid { "N" } else { number });
            rest = behind;
        }
        normal.push_str(rest);
        normal.push('\n');
    }
    // Pids of other widths make columns of other widths.
    let words: Vec<String> = normal
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    words.join("\n")
}

/// Run the steps in a room that has what the README shows.
fn follow(steps: &[Step], room: &Path) {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_wait4-strace"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", binary.parent().unwrap().display());
    for Step { command, output } in steps {
        let program = command.split(' ').next().unwrap();
        assert!(
            program == "wait4-strace" || have(program),
            "{program} is asked for first"
        );
        let mut shell = Command::new("sh");
        shell
            .args(["-c", command])
            .current_dir(room)
            .env("PATH", &path);
        let outcome = run(&mut shell);
        if output.is_empty() {
            // What it prints depends on the machine.
            assert!(outcome.status <= 1, "{command}: {}", outcome.stderr);
            continue;
        }
        let text = |outcome: support::Outcome| {
            let printed = format!("{}{}", outcome.stdout, outcome.stderr);
            printed.replace(room.to_str().unwrap(), "/home/you")
        };
        let mut first = Some(outcome);
        prints(output, || {
            text(first.take().unwrap_or_else(|| run(&mut shell)))
        });
    }
}

/// What is shown is a race of workers by the clock, and one may be held up on a
/// busy machine: it is run again then.
fn prints(shown: &str, mut run: impl FnMut() -> String) {
    let mut printed = run();
    for _ in 0..20 {
        if normal(&printed) == normal(shown) {
            return;
        }
        printed = run();
    }
    assert_eq!(normal(&printed), normal(shown), "{printed}");
}

#[test]
fn the_commands_print_what_the_readme_says() {
    if !have("gcc") {
        passed_over("there is no gcc");
        return;
    }
    let room = tempfile::tempdir().unwrap();
    fs::copy(
        format!("{ROOT}/docs/pool/pool.c"),
        room.path().join("pool.c"),
    )
    .unwrap();
    let readme = fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    let steps = steps(&readme);
    assert!(steps.len() >= 3, "{steps:?}");
    follow(&steps, room.path());
    for file in ["pool.html", "log"] {
        assert!(room.path().join(file).exists(), "{file}");
    }
    let summary = fs::read_to_string(format!("{ROOT}/docs/summary.md")).unwrap();
    let mut tracer = Command::new(env!("CARGO_BIN_EXE_wait4-strace"));
    tracer.args(["-c", "-o", "-", "--", "./pool"]);
    tracer.current_dir(room.path());
    prints(&self::steps(&summary)[0].output, || run(&mut tracer).stdout);
}

#[test]
fn what_the_readme_shows_of_the_program_is_in_it() {
    let readme = fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    let program = fs::read_to_string(format!("{ROOT}/docs/pool/pool.c")).unwrap();
    let (_, shown) = readme.split_once("```c\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    assert!(program.contains(shown), "{shown}");
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let docs = fs::read_dir(format!("{ROOT}/docs")).unwrap();
    let pages = docs.map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|end| end == "md"));
    for page in pages.chain([PathBuf::from(ROOT).join("README.md")]) {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1) {
            let link = link.split([')', '#']).next().unwrap();
            let is_file = !link.is_empty() && !link.contains("://") && !link.contains(' ');
            let target = page.parent().unwrap().join(link);
            assert!(!is_file || target.exists(), "{}: {link}", page.display());
        }
    }
    let index = fs::read_to_string(format!("{ROOT}/docs/README.md")).unwrap();
    for entry in fs::read_dir(format!("{ROOT}/docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if Path::new(&name).extension().is_some_and(|end| end == "md") && name != "README.md" {
            assert!(
                index.contains(&format!("({name})")),
                "{name} is not in the index"
            );
        }
    }
}
