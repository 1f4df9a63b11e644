//! What tracing costs a program that hardly waits: `dd` with one-byte blocks,
//! which makes a million system calls that are none of ours.
//!
//! `cargo bench --bench bystander [-- ROUNDS]` prints, for each tracer, the
//! median over the rounds of its wall time relative to the untraced run of the
//! same round. The tracers take turns within a round, so that a machine whose
//! speed drifts slows all alike. `strace -f`, which stops at every call, gets
//! a hundredth of the blocks.
//!
//! The first row is the floor: the same `dd` under a filter that allows every
//! call, without any tracer. What a kernel takes for looking at a filter at
//! all, no tracer that uses one can go below.
#![expect(
    unsafe_code,
    reason = "installs the floor's filter between fork and exec"
)]
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a table for people; a bench that cannot run its programs has nothing to say"
)]

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Instant;

const BLOCKS: u32 = 500_000;
const DEFAULT_ROUNDS: usize = 21;
/// Every how many rounds `strace -f` runs, and with which part of the blocks.
const SLOW_EVERY: usize = 7;
const SLOW_PART: u32 = 100;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// No tracer, but a filter that allows everything.
    Floor,
    Filtered,
    /// Stops at every call.
    Slow,
}

struct Tracer {
    row: usize,
    name: &'static str,
    words: Vec<OsString>,
    kind: Kind,
    ratios: Vec<f64>,
}

fn tracer(name: &'static str, kind: Kind, words: &[&str]) -> Tracer {
    Tracer {
        row: 0,
        name,
        words: words.iter().map(OsString::from).collect(),
        kind,
        ratios: Vec::new(),
    }
}

fn tracers() -> Vec<Tracer> {
    let ours = env!("CARGO_BIN_EXE_wait4-strace");
    let log = std::env::temp_dir().join(format!("bystander-{}.log", std::process::id()));
    let log = log.to_str().unwrap().to_owned();
    let calls = "trace=wait4,waitid";
    let mut all = vec![
        tracer("an empty filter", Kind::Floor, &[]),
        tracer("wait4-strace", Kind::Filtered, &[ours, "-o", &log, "--"]),
        tracer(
            "wait4-strace --strace",
            Kind::Filtered,
            &[ours, "--strace", "-o", &log, "--"],
        ),
    ];
    if Command::new("strace").arg("-V").output().is_ok() {
        let filter = ["strace", "-f", "--seccomp-bpf", "-e", calls, "-o", &log];
        all.push(tracer("strace -f --seccomp-bpf", Kind::Filtered, &filter));
        let plain = ["strace", "-f", "-e", calls, "-o", &log];
        all.push(tracer("strace -f", Kind::Slow, &plain));
    }
    for (row, tracer) in all.iter_mut().enumerate() {
        tracer.row = row;
    }
    all
}

/// Put the calling process under a filter that allows every call.
fn install_empty_filter() -> std::io::Result<()> {
    let allow = libc::sock_filter {
        code: 0x06, // BPF_RET | BPF_K
        jt: 0,
        jf: 0,
        k: libc::SECCOMP_RET_ALLOW,
    };
    let program = libc::sock_fprog {
        len: 1,
        filter: (&raw const allow).cast_mut(),
    };
    // SAFETY: the kernel copies the one instruction; the rest are numbers.
    let failed = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
            || libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                &raw const program,
            ) < 0
    };
    if failed {
        return Err(std::io::Error::last_os_error());
    }
    Ok(())
}

/// Wall time of `dd` under these words, in seconds.
fn seconds(kind: Option<Kind>, words: &[OsString], blocks: u32) -> f64 {
    let count = format!("count={blocks}");
    let dd = [
        "dd",
        "if=/dev/zero",
        "of=/dev/null",
        "bs=1",
        &count,
        "status=none",
    ];
    let mut line = words.iter().cloned().chain(dd.iter().map(OsString::from));
    let mut command = Command::new(line.next().unwrap());
    command.args(line).stdin(Stdio::null());
    if kind == Some(Kind::Floor) {
        // SAFETY: two system calls, which are async-signal-safe.
        unsafe { command.pre_exec(install_empty_filter) };
    }
    let begun = Instant::now();
    let status = command.status().unwrap();
    let elapsed = begun.elapsed().as_secs_f64();
    assert!(status.success(), "{command:?} ended with {status}");
    elapsed
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    // `cargo bench` adds --bench.
    let rounds = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let rounds: usize = rounds.unwrap_or(DEFAULT_ROUNDS);
    let mut tracers = tracers();
    seconds(None, &[], BLOCKS);
    for round in 0..rounds {
        let untraced = seconds(None, &[], BLOCKS);
        // Another one comes first each time: what runs after what matters.
        tracers.rotate_left(1);
        for tracer in &mut tracers {
            let part = match tracer.kind {
                Kind::Slow if round % SLOW_EVERY != 0 => continue,
                Kind::Slow => SLOW_PART,
                Kind::Floor | Kind::Filtered => 1,
            };
            let took = seconds(Some(tracer.kind), &tracer.words, BLOCKS / part);
            tracer.ratios.push(took * f64::from(part) / untraced);
        }
    }
    tracers.sort_by_key(|tracer| tracer.row);
    println!("dd of {BLOCKS} one-byte blocks, {rounds} rounds, wall time over the untraced run");
    println!("{:<26} {:>8} {:>8} {:>8}", "", "median", "least", "most");
    println!("{:<26} {:>8.2}", "untraced", 1.0);
    for tracer in &mut tracers {
        let middle = median(&mut tracer.ratios);
        let (Some(least), Some(most)) = (tracer.ratios.first(), tracer.ratios.last()) else {
            continue;
        };
        println!("{:<26} {middle:>8.2} {least:>8.2} {most:>8.2}", tracer.name);
    }
}
