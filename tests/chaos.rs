//! Chaos under trace is the chaos that it is without: the same output and
//! status in every mode, no process lost, and a ledger that agrees with the
//! kernel.
//!
//! `WAIT4_STRACE_CHAOS_SECONDS` says how long for each kind,
//! `WAIT4_STRACE_CHAOS_SEED` from which seed on.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and says with which seed"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use support::torture::Random;
use support::{Outcome, fixture, fixture_path, run, wait, wait4_strace};
use tempfile::TempDir;
use wait4_strace::Launch;
use wait4_strace::event::EventKind;
use wait4_strace::kernel::{NsPid, Tgid};
use wait4_strace::ledger::{Ledger, ReapKind};

/// A number that the environment gives.
fn wished(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// For how long each kind is run.
fn time() -> Duration {
    Duration::from_secs(wished("WAIT4_STRACE_CHAOS_SECONDS").unwrap_or(2))
}

/// The first seed; without a wish one of the day.
fn first_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    wished("WAIT4_STRACE_CHAOS_SEED").unwrap_or(now.unwrap().as_secs() % 1_000_000)
}

/// Run `check` for one seed after the other.
fn for_seeds(kind: &str, mut check: impl FnMut(&str)) {
    let (begun, mut seed) = (Instant::now(), first_seed());
    while begun.elapsed() < time() {
        eprintln!("{kind}, seed {seed}");
        check(&seed.to_string());
        seed += 1;
    }
}

/// The chaos, untraced or under these words.
fn chaos(kind: &str, seed: &str, flags: Option<&[&str]>) -> Outcome {
    let mut command = match flags {
        None => fixture("chaos"),
        Some(flags) => {
            let mut command = wait4_strace();
            command
                .args(flags)
                .arg("--")
                .arg(fixture_path())
                .arg("chaos");
            command
        }
    };
    run(command.args([kind, seed]))
}

/// The same in every mode as without a tracer.
fn same_in_all_modes(kind: &str) {
    let directory = TempDir::new().unwrap();
    let log = directory.path().join("log");
    let log = log.to_str().unwrap();
    for_seeds(kind, |seed| {
        let untraced = chaos(kind, seed, None);
        assert_eq!(untraced.status, 0, "{}", untraced.stderr);
        let modes: [&[&str]; 4] = [
            &["-o", log],
            &["-o", log, "--seccomp-bpf=never", "-v"],
            &["-o", log, "--strace"],
            &["-o", log, "--format", "json"],
        ];
        for flags in modes {
            let traced = chaos(kind, seed, Some(flags));
            let got = (traced.status, &traced.stdout);
            let expected = (0, &untraced.stdout);
            assert_eq!(got, expected, "{flags:?}: {}", traced.stderr);
            assert!(!traced.stderr.contains("panicked"), "{}", traced.stderr);
        }
        nobody_is_lost(&fs::read_to_string(log).unwrap());
    });
}

/// Whoever was born in these JSON lines has ended in them too, or has taken
/// another's place by an exec.
fn nobody_is_lost(lines: &str) {
    let mut living = BTreeSet::new();
    let mut born = 0;
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let gone = match line["type"].as_str().unwrap() {
            "fork" => {
                born += 1;
                living.insert(line["child"]["pid"].as_i64().unwrap());
                continue;
            }
            "exit" => line["tid"].as_i64(),
            "exec" => line["former"].as_i64(),
            _ => continue,
        };
        gone.map(|tid| living.remove(&tid));
    }
    assert!(born > 0 && living.is_empty(), "lost: {living:?}");
}

/// The same if a tracer comes in the midst of it.
fn same_when_attached(kind: &str) {
    for_seeds(kind, |seed| {
        let untraced = chaos(kind, seed, None);
        let mut random = Random::new(seed.parse().unwrap());
        let mut command = fixture("chaos");
        command.args([kind, seed]).stdout(Stdio::piped());
        let mut program = command.stdin(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_micros(random.below(10_000)));
        let tracer = wait4_strace()
            .args(["-o", "/dev/null", "-p", &program.id().to_string()])
            .stderr(Stdio::piped())
            .spawn();
        let mut tracer = tracer.unwrap();
        let status = wait(&mut program).unwrap_or_else(|| panic!("it hangs"));
        let mut printed = String::new();
        program
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut printed)
            .unwrap();
        assert_eq!((status, printed), (untraced.status, untraced.stdout));
        let status = wait(&mut tracer).unwrap_or_else(|| panic!("the tracer hangs"));
        // 125: it was over before.
        assert!([0, 125].contains(&status), "{status}");
    });
}

#[test]
fn families_of_all_clones_are_as_without_a_tracer() {
    same_in_all_modes("families");
    same_when_attached("families");
}

#[test]
fn threads_that_fork_and_exec_are_as_without_a_tracer() {
    same_in_all_modes("threads");
    same_when_attached("threads");
}

#[test]
fn storms_of_stops_are_as_without_a_tracer() {
    same_in_all_modes("stops");
    same_when_attached("stops");
}

#[test]
fn waits_with_any_argument_are_as_without_a_tracer() {
    same_in_all_modes("waits");
    same_when_attached("waits");
}

#[test]
fn families_without_descriptors_or_memory_are_as_without_a_tracer() {
    same_in_all_modes("limits");
}

#[test]
fn families_in_namespaces_are_as_without_a_tracer() {
    same_in_all_modes("namespaces");
}

/// A field of a `status` file below `/proc`.
fn field(path: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(path.join("status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next().map(str::to_owned)
}

/// The kernel's view of a process: its parent, and whether it is a zombie.
fn in_kernel(tgid: Tgid) -> Option<(i32, bool)> {
    let path = format!("/proc/{tgid}");
    let parent = field(Path::new(&path), "PPid:")?.parse().ok()?;
    Some((parent, field(Path::new(&path), "State:")? == "Z"))
}

/// Those whom the kernel knows as descendants of `root`.
fn descendants(root: Tgid) -> BTreeSet<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parents: BTreeMap<i32, i32> = pids
        .filter_map(|pid| Some((pid, in_kernel(Tgid::new(pid))?.0)))
        .collect();
    let is_below = |pid: &i32| {
        let above = std::iter::successors(Some(*pid), |pid| parents.get(pid).copied());
        above.take(64).any(|pid| pid == root.raw())
    };
    parents.keys().copied().filter(is_below).collect()
}

/// What the ledger says of all who exist, and of nobody else.
fn agree(ledger: &Ledger, root: Tgid) {
    let existing = ledger
        .processes()
        .filter(|process| process.reaped.is_none());
    let mut known = BTreeSet::new();
    for process in existing {
        let tgid = process.tgid;
        known.insert(tgid.raw());
        let (parent, is_zombie) = in_kernel(tgid).unwrap_or_else(|| panic!("{tgid} is gone"));
        assert_eq!(process.is_zombie(), is_zombie, "{tgid} is a zombie");
        if tgid != root {
            assert_eq!(
                process.parent_pid(),
                Some(Tgid::new(parent)),
                "the parent of {tgid}"
            );
        }
    }
    assert_eq!(known, descendants(root));
}

#[test]
fn the_ledger_agrees_with_the_kernel_whenever_all_stand_still() {
    const MARK: i32 = 0x7fff_0000;
    const ROUNDS: i32 = 5;
    for_seeds("still", |seed| {
        let directory = TempDir::new().unwrap();
        let path = directory.path();
        let launch = Launch::new(fixture_path())
            .args(["chaos", "still", seed, &ROUNDS.to_string()])
            .arg(path)
            .timeout(Duration::from_secs(120));
        let (mut rounds, mut wrong) = (0, None);
        let trace = launch.for_each(|event, ledger| {
            let EventKind::WaitEnded(exit) = &event.kind else {
                return;
            };
            let named = exit.entry.named.process().map_or(0, NsPid::raw);
            if (MARK..MARK + ROUNDS).contains(&named) {
                // The tracer's thread must live on, or all would hang.
                let agreed = std::panic::catch_unwind(|| agree(ledger, event.tgid));
                wrong = wrong.take().or(agreed.err());
                fs::write(path.join(format!("go-{}", named - MARK)), "").unwrap();
                rounds += 1;
            }
        });
        let trace = trace.unwrap();
        if let Some(wrong) = wrong {
            std::panic::resume_unwind(wrong);
        }
        assert_eq!((rounds, trace.timed_out()), (ROUNDS, false));
        all_are_accounted_for(trace.ledger());
    });
}

/// Of everybody it is known what became of him.
fn all_are_accounted_for(ledger: &Ledger) {
    let root = ledger
        .processes()
        .min_by_key(|process| process.id)
        .unwrap()
        .tgid;
    for process in ledger.processes().filter(|process| process.tgid != root) {
        let reap = process.reaped.unwrap_or_else(|| panic!("{process:?}"));
        assert!(process.ended.is_some(), "{process:?}");
        // The root is a subreaper and waits for all: nobody is left to others.
        assert_ne!(reap.way, ReapKind::Unseen, "{process:?}");
    }
}
