//! Two features beside the tools that do something like it, in one run:
//! `--zombies` beside `ps -eLo pid,ppid,stat,wchan`, among 10,000 zombies and
//! 10,000 live processes; `-k` beside `strace -k`, on the same programs.
//!
//! `cargo bench --bench beside [-- ROUNDS]` prints the medians over the rounds
//! and their ratio.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a table for people; a bench that cannot run its programs has nothing to say"
)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

const DEFAULT_ROUNDS: usize = 7;
const PROCESSES: usize = 10_000;

/// Wall time of a command, in seconds.
fn seconds(words: &[&str]) -> f64 {
    let begun = Instant::now();
    let (program, rest) = words.split_first().unwrap();
    let status = Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.unwrap();
    begun.elapsed().as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

fn compare(name: &str, rounds: usize, ours: &[&str], theirs: &[&str]) {
    // Files and caches are warm for the first as for the last.
    seconds(ours);
    seconds(theirs);
    let times = (0..rounds).map(|_| (seconds(ours), seconds(theirs)));
    let (ours, theirs): (Vec<f64>, Vec<f64>) = times.unzip();
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "{name:<40} {ours:>8.3} s {theirs:>8.3} s {:>7.2}",
        ours / theirs
    );
}

/// `cargo bench` builds no examples.
fn build_fixture() {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--example", "fixture"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(status.unwrap().success());
}

fn main() {
    build_fixture();
    let rounds = std::env::args().find_map(|word| word.parse().ok());
    let rounds = rounds.unwrap_or(DEFAULT_ROUNDS);
    let ours = env!("CARGO_BIN_EXE_wait4-strace");
    let fixture = PathBuf::from(ours)
        .parent()
        .unwrap()
        .join("examples/fixture");
    let fixture = fixture.to_str().unwrap();
    println!("{:<40} {:>10} {:>10} {:>7}", "", "ours", "theirs", "ratio");

    let stacks = ["-k", "-o", "/dev/null", "--"];
    let strace = [
        "strace",
        "-f",
        "-k",
        "-e",
        "trace=wait4,waitid",
        "-o",
        "/dev/null",
    ];
    let shell = "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done";
    let programs: [(&str, &[&str]); 2] = [
        ("-k: 1,000 children", &[fixture, "fork_exit_wait", "1000"]),
        ("-k: a shell, 200 times /bin/true", &["sh", "-c", shell]),
    ];
    for (name, program) in programs {
        let ours = [&[ours], &stacks[..], program].concat();
        compare(name, rounds, &ours, &[&strace[..], program].concat());
    }

    let mut farm = Command::new(fixture)
        .args([
            "holds_a_zombie",
            &PROCESSES.to_string(),
            &PROCESSES.to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(farm.stdout.take().unwrap()).lines();
    assert_eq!(
        lines.take(PROCESSES).filter_map(Result::ok).count(),
        PROCESSES
    );
    let ps = ["ps", "-eLo", "pid,ppid,stat,wchan"];
    compare(
        "--zombies: 20,000 processes",
        rounds,
        // A single look, as ps has.
        &[ours, "--zombies", "--threshold", "zombie=0"],
        &ps,
    );
    drop(farm.stdin.take());
    let _ = farm.wait();
}
