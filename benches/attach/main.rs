//! What attaching costs.
//!
//! `cargo bench --bench attach [-- ROUNDS]` has two tables. The first: how long a
//! program takes that is attached to before it begins its work, over the untraced
//! time. The second: how many requests a server answers a second, over the
//! untraced number, and the time within which 99 of 100 have their answer; all of
//! its family are attached to. Each workload runs untraced, under `strace -f -p`,
//! and under `wait4-strace -p`, with and without `--every-call`. They take turns
//! within a round; each figure is the median over the rounds of what was paired
//! within them. What is not installed is left out.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a table for people; a bench that cannot run its programs has nothing to say"
)]

mod load;
mod services;

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use load::Seen;
use services::{SERVICES, Service};

const ROUNDS: usize = 7;
/// How long a server works under each tracer.
const WORK: Duration = Duration::from_secs(1);

const OURS: &str = env!("CARGO_BIN_EXE_wait4-strace");
const CALLS: &str = "trace=wait4,waitid";

/// A name, and a script for sh that does its work once its input ends.
const WORKLOADS: [(&str, &str); 4] = [
    (
        "dd, one-byte blocks, without children",
        "cat > /dev/null; exec dd if=/dev/zero of=/dev/null bs=1 count=200000 status=none",
    ),
    (
        "two such workers, whose parent waits",
        "work() { cat <&3 > /dev/null; exec dd if=/dev/zero of=/dev/null bs=1 count=200000 \
         status=none; }; exec 3<&0; work & work & wait",
    ),
    (
        "a shell that computes, without children",
        "cat > /dev/null; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done",
    ),
    (
        "a shell that forks",
        "cat > /dev/null; i=0; while [ $i -lt 300 ]; do (exit 0); i=$((i+1)); done",
    ),
];

/// A name, and the words before the pids.
const TRACERS: [(&str, &[&str]); 4] = [
    ("untraced", &[]),
    (
        "strace -f -p",
        &["strace", "-f", "-q", "-e", CALLS, "-o", "/dev/null", "-p"],
    ),
    (
        "wait4-strace -p",
        &[
            OURS,
            "-q",
            "-o",
            "/dev/null",
            "--report-file",
            "/dev/null",
            "-p",
        ],
    ),
    (
        "wait4-strace --every-call -p",
        &[
            OURS,
            "--every-call",
            "-q",
            "-o",
            "/dev/null",
            "--report-file",
            "/dev/null",
            "-p",
        ],
    ),
];

/// The family of a process, which has come to rest.
fn family(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        let path = format!("/proc/{pid}/task/{pid}/children");
        let children = fs::read_to_string(path).unwrap_or_default();
        found.extend(
            children
                .split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
        next += 1;
    }
    found
}

fn is_traced(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("TracerPid:"));
    line.is_some_and(|line| !line.ends_with("\t0"))
}

fn until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain");
        thread::sleep(Duration::from_millis(2));
    }
    // It has made its first stops as well.
    thread::sleep(Duration::from_millis(100));
}

fn attach(words: &[&str], pids: &[u32]) -> Option<Child> {
    let (program, words) = words.split_first()?;
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    let mut command = Command::new(program);
    command.args(words).arg(pids.join(","));
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command.spawn().ok()
}

/// How long the work takes.
fn time(script: &str, words: &[&str]) -> Option<Duration> {
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    let mut program = command.spawn().expect("there is a shell");
    thread::sleep(Duration::from_millis(50));
    let pids = family(program.id());
    let tracer = attach(words, &pids);
    if tracer.is_none() && !words.is_empty() {
        program.kill().unwrap();
        program.wait().unwrap();
        return None;
    }
    if tracer.is_some() {
        until(|| pids.iter().all(|pid| is_traced(*pid)));
    }
    let begun = Instant::now();
    let mut input = program.stdin.take().unwrap();
    input.write_all(b"go\n").unwrap();
    drop(input);
    let status = program.wait().unwrap();
    let taken = begun.elapsed();
    assert!(status.success(), "{script}");
    if let Some(mut tracer) = tracer {
        tracer.wait().unwrap();
    }
    Some(taken)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The number of a round's measurements that each of the tracers has.
type PerTracer<T> = [Vec<T>; TRACERS.len()];

fn of_programs(rounds: usize) {
    println!("| a program that works | strace -f -p | wait4-strace -p | --every-call |");
    println!("|---|---|---|---|");
    for (name, script) in WORKLOADS {
        let mut ratios: PerTracer<f64> = [const { Vec::new() }; TRACERS.len()];
        for _ in 0..rounds {
            let times = TRACERS.map(|(_, words)| time(script, words));
            let [untraced, ..] = times;
            let untraced = untraced.unwrap().as_secs_f64();
            for (ratios, time) in ratios.iter_mut().zip(times) {
                ratios.extend(time.map(|time| time.as_secs_f64() / untraced));
            }
        }
        print!("| {name} ");
        for ratios in ratios.into_iter().skip(1) {
            print!("| {:.2} ", median(ratios));
        }
        println!("|");
    }
}

/// What the clients of a server see that is attached to.
fn seen_under(service: &Service, words: &[&str]) -> Option<Seen> {
    let pids = family(service.pid());
    let tracer = attach(words, &pids);
    if tracer.is_none() && !words.is_empty() {
        return None;
    }
    if tracer.is_some() {
        // A child that is short-lived may be gone.
        until(|| is_traced(service.pid()));
    }
    let seen = service.work(WORK);
    if let Some(mut tracer) = tracer {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(tracer.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        tracer.wait().unwrap();
    }
    Some(seen)
}

fn of_servers(rounds: usize) {
    println!("\n| a server | untraced | strace -f -p | wait4-strace -p | --every-call |");
    println!("|---|---|---|---|---|");
    for (name, start) in SERVICES {
        let Some(service) = Service::start(start) else {
            continue;
        };
        let mut ratios: PerTracer<f64> = [const { Vec::new() }; TRACERS.len()];
        let mut slowest: PerTracer<f64> = [const { Vec::new() }; TRACERS.len()];
        let mut rates = Vec::new();
        for _ in 0..rounds {
            let seen = TRACERS.map(|(_, words)| seen_under(&service, words));
            let [untraced, ..] = seen;
            let untraced = untraced.unwrap().rate;
            rates.push(untraced);
            let figures = ratios.iter_mut().zip(slowest.iter_mut());
            for ((ratios, slowest), seen) in figures.zip(seen) {
                let Some(seen) = seen else { continue };
                ratios.push(untraced / seen.rate);
                slowest.extend(seen.slowest.map(|time| time.as_secs_f64() * 1000.0));
            }
        }
        print!("| {name} | {:.0} a second", median(rates));
        for (tracer, (ratios, slowest)) in ratios.into_iter().zip(slowest).enumerate() {
            if tracer > 0 {
                print!("| {:.2}", median(ratios));
            }
            if !slowest.is_empty() {
                print!(", {:.1} ms", median(slowest));
            }
            print!(" ");
        }
        println!("|");
    }
}

fn main() {
    let rounds = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let rounds: usize = rounds.unwrap_or(ROUNDS);
    let is_wanted = |part: &str| {
        let mut words = std::env::args().skip(1);
        let has_parts = words.any(|word| ["programs", "servers"].contains(&word.as_str()));
        !has_parts || std::env::args().any(|word| word == part)
    };
    if is_wanted("programs") {
        of_programs(rounds);
    }
    if is_wanted("servers") {
        of_servers(rounds);
    }
}
