//! What tracing costs: the time that wait4-strace adds to a program, beside
//! that which strace adds.
//!
//! `cargo bench --bench overhead [-- ROUNDS] [WORKLOAD…]` runs each workload
//! untraced, under strace, and under wait4-strace in each of its forms. They
//! take turns within a round, in an order that changes, so that a machine whose
//! speed drifts slows all alike; each figure is the median over the rounds of
//! what was paired within them. With `WAIT4_STRACE_UPDATE=1` the table and the
//! plot of `docs/benchmarks.md` are written anew.
#![expect(unsafe_code, reason = "a filter between fork and exec")]
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a table for people; a bench that cannot run its programs has nothing to say"
)]

mod figures;
mod page;
mod tracers;
mod workloads;

use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use figures::Figures;
use tracers::{TRACERS, Tracer};
use workloads::{Cpu, Workload};

/// Enough for a confidence interval of the median.
const ROUNDS: usize = 31;
/// All but the two that are compared run in every so many rounds only, and the
/// one that stops at every call in fewer still.
const OTHERS_EVERY: usize = 4;
const SLOW_EVERY: usize = 8;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let rounds = words.iter().find_map(|word| word.parse().ok());
    let rounds: usize = rounds.unwrap_or(ROUNDS);
    build_fixture();
    let directory = tempfile::tempdir().unwrap();
    let all = workloads::all(directory.path());
    let wanted = |workload: &&Workload| {
        let mut names = words.iter().filter(|word| word.starts_with(['W', 's']));
        let none = names.clone().next().is_none();
        none || names.any(|name| workload.name.starts_with(name.as_str()))
    };
    println!("{}", page::HEAD);
    let mut rows = Vec::new();
    for workload in all.iter().filter(wanted) {
        let figures = measure(workload, workload.rounds(rounds));
        let row = page::row(workload, &figures, &stops(workload));
        println!("{row}");
        rows.push((workload, figures, row));
    }
    if std::env::var_os("WAIT4_STRACE_UPDATE").is_some() {
        page::write(&rows);
    }
}

/// `cargo bench` builds no examples.
fn build_fixture() {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--example", "fixture"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(status.unwrap().success());
}

/// Run a workload under everybody, round by round.
fn measure(workload: &Workload, rounds: usize) -> Figures {
    let everywhere = sched_getaffinity(Pid::this()).unwrap();
    if workload.cpu == Cpu::One {
        let mut last = CpuSet::new();
        let mut cpus = (0..CpuSet::count()).rev();
        let cpu = cpus.find(|cpu| everywhere.is_set(*cpu).unwrap_or(false));
        last.set(cpu.expect("there is a CPU")).unwrap();
        sched_setaffinity(Pid::this(), &last).unwrap();
    }
    // Files and caches are warm for the first as for the last.
    seconds(workload, None, false);
    let mut figures = Figures::default();
    for round in 0..rounds {
        let untraced = seconds(workload, None, false);
        figures.begin(untraced);
        for turn in 0..TRACERS.len() {
            let index = (turn + round) % TRACERS.len();
            let Some(tracer) = TRACERS.get(index) else {
                continue;
            };
            let every = match index {
                tracers::REFERENCE | tracers::PRODUCT => 1,
                _ if tracer.is_slow => SLOW_EVERY,
                _ => OTHERS_EVERY,
            };
            if !round.is_multiple_of(every) {
                continue;
            }
            let is_part = tracer.is_slow && workload.part.is_some();
            let base = if is_part {
                seconds(workload, None, true)
            } else {
                untraced
            };
            figures.add(index, seconds(workload, Some(tracer), is_part), base);
        }
    }
    sched_setaffinity(Pid::this(), &everywhere).unwrap();
    figures
}

/// Wall time of a workload, or of its part that a slow tracer gets.
fn seconds(workload: &Workload, tracer: Option<&Tracer>, is_part: bool) -> f64 {
    let words = workload.part.as_ref().filter(|_| is_part);
    let words = words.unwrap_or(&workload.words);
    let mut command = tracer.unwrap_or(&tracers::NOBODY).command(words);
    command.current_dir(&workload.directory);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status().unwrap();
    let elapsed = begun.elapsed().as_secs_f64();
    assert!(status.success(), "{command:?} ended with {status}");
    elapsed
}

/// Stops and ends a child, as the tool itself counts them.
fn stops(workload: &Workload) -> String {
    let output = Command::new(tracers::OURS)
        .args(["--stats", "-o", "/dev/null", "--"])
        .args(&workload.words)
        .current_dir(&workload.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| line.contains(", stops "));
    let after = |word: &str| {
        let (_, behind) = line?.split_once(word)?;
        behind.split(['(', ')']).nth(1)?.split(' ').next()
    };
    match (after("stops "), after("ends ")) {
        (Some(stops), Some(ends)) => format!("{stops} + {ends}"),
        _ => "–".to_owned(),
    }
}
