//! The recipes of docs/ci.md and docs/json.md, run as they stand there.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Outcome, have, install_script, run};
use tempfile::TempDir;

/// A suite that is healthy, and one that leaves a zombie behind.
const HEALTHY: &str = "#!/bin/sh\ntrue & wait\nexit 0\n";
const LEAKY: &str = "#!/bin/sh\ntrue & exec sleep 1.5\n";

/// The lines of the page that call wait4-strace, whatever block they stand in.
fn recipes() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md");
    let page = fs::read_to_string(page).unwrap();
    let lines = page.lines().map(str::trim_start);
    let commands = lines.filter_map(|line| {
        let line = line.strip_prefix("- ").unwrap_or(line);
        let line = line.strip_prefix("run: ").unwrap_or(line);
        line.starts_with("wait4-strace -").then(|| line.to_owned())
    });
    commands.collect()
}

/// Run a line in a directory that has what the page speaks of.
fn follow(recipe: &str, suite: &str) -> (Outcome, TempDir) {
    let directory = TempDir::new().unwrap();
    let write = |suite: &str| {
        let script = directory.path().join("ci.sh");
        install_script(suite, &script, 0o755);
    };
    fs::write(directory.path().join("known-findings.txt"), "late-reap x\n").unwrap();
    let binaries = Path::new(env!("CARGO_BIN_EXE_wait4-strace"));
    let path = format!(
        "{}:{}",
        binaries.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let follow = |line: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).env("PATH", &path).env_remove("CI");
        run(shell.current_dir(directory.path()))
    };
    write(HEALTHY);
    let snapshot = follow("wait4-strace -q --snapshot ci.snap --update -- ./ci.sh");
    assert_eq!(snapshot.status, 0, "{snapshot:?}");
    write(suite);
    (follow(recipe), directory)
}

#[test]
fn a_healthy_suite_passes_every_recipe() {
    let recipes = recipes();
    assert!(recipes.len() >= 4, "{recipes:?}");
    for recipe in recipes {
        let (outcome, _) = follow(&recipe, HEALTHY);
        assert_eq!(outcome.status, 0, "{recipe}: {outcome:?}");
    }
}

#[test]
fn a_leaking_suite_fails_every_recipe_and_says_why() {
    for recipe in recipes() {
        let (outcome, directory) = follow(&recipe, LEAKY);
        let differs = recipe.contains("--snapshot");
        let status = if differs { 121 } else { 120 };
        assert_eq!(outcome.status, status, "{recipe}: {outcome:?}");
        let files = ["gl-code-quality-report.json", "children.xml"];
        let mut files = files.map(|name| directory.path().join(name)).into_iter();
        let said = files.find_map(|file| fs::read_to_string(file).ok());
        let said = said.unwrap_or(outcome.stderr);
        assert!(said.contains("exec-inherited-child"), "{recipe}: {said}");
        let trace = fs::read_to_string(directory.path().join("trace.log")).unwrap();
        assert!(trace.contains("+++ exited with 0 +++"), "{trace}");
    }
}

/// The jq programs of docs/json.md.
fn questions() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```jq\n").skip(1);
    let programs = blocks.map(|block| block.split("```").next().unwrap());
    programs.map(str::to_owned).collect()
}

#[test]
fn each_question_to_the_json_lines_has_an_answer() {
    if !have("jq") {
        return;
    }
    let record = "wait4-strace --format json -o trace.json -- ./ci.sh";
    let suite = "#!/bin/sh\ntrue & wait\nsh -c 'true & exec sleep 1.5'\n";
    let (outcome, directory) = follow(record, suite);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let answers = questions().into_iter().map(|question| {
        let mut shell = Command::new("sh");
        let outcome = run(shell.args(["-c", &question]).current_dir(directory.path()));
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{question}");
        outcome.stdout
    });
    let answers: Vec<String> = answers.collect();
    let [slowest, reapers, orphans, findings] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert_eq!(slowest.lines().count(), 2, "{slowest}");
    assert!(reapers.contains(" wait4(-1)"), "{reapers}");
    assert!(
        orphans.starts_with("sleep[") || orphans.starts_with("sh["),
        "{orphans}"
    );
    assert!(findings.contains("[exec-inherited-child]"), "{findings}");
}

#[test]
fn the_test_on_the_page_has_the_snapshot_of_its_command() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md");
    let page = fs::read_to_string(page).unwrap();
    let shell = wait4_strace::Launch::new("sh").args(["-c", "(exit 3) & wait"]);
    assert!(page.contains(r#"["-c", "(exit 3) & wait"]"#));
    let trace = shell.record().unwrap();
    let lines = trace.snapshot().lines();
    let expected: Vec<String> = lines.map(|line| format!("    {line}")).collect();
    let expected = expected.join("\n");
    assert!(page.contains(&expected), "{expected}");
}
