//! What ledger, rules, notes and report cost beyond strace's bare lines: the
//! same run with and without `--strace`, in turns.
//!
//! `cargo bench --bench judging [-- ROUNDS]` prints for each program the median
//! over the rounds of the ratio of both wall times. The programs: 5,000
//! children that are forked and waited for one by one, and `make -j2` of files
//! whose recipes run a shell and three commands each.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a table for people; a bench that cannot run its programs has nothing to say"
)]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const DEFAULT_ROUNDS: usize = 15;
const CHILDREN: &str = "5000";
const TARGETS: usize = 300;

/// Wall time of a command under trace, in seconds.
fn seconds(flags: &[&str], words: &[String]) -> f64 {
    let begun = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_wait4-strace"))
        .args(flags)
        .args(["-o", "/dev/null", "--"])
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{words:?}: {status}");
    begun.elapsed().as_secs_f64()
}

/// The median of the ratios of rounds in which both take turns.
fn ratio(rounds: usize, words: &[String]) -> f64 {
    let both = |round: usize| {
        if round.is_multiple_of(2) {
            let bare = seconds(&["--strace"], words);
            seconds(&[], words) / bare
        } else {
            let judged = seconds(&[], words);
            judged / seconds(&["--strace"], words)
        }
    };
    let mut ratios: Vec<f64> = (0..rounds).map(both).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(rounds / 2).copied().unwrap_or(f64::NAN)
}

/// A makefile of many small recipes.
fn makefile(directory: &Path) -> PathBuf {
    let mut text = String::from("all:");
    for target in 0..TARGETS {
        write!(text, " t{target}").unwrap();
    }
    text.push('\n');
    for target in 0..TARGETS {
        write!(text, "t{target}:\n\t@/bin/true; /bin/true | /bin/cat\n").unwrap();
    }
    let path = directory.join("makefile");
    std::fs::write(&path, text).unwrap();
    path
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let rounds = words.iter().find_map(|word| word.parse().ok());
    let rounds = rounds.unwrap_or(DEFAULT_ROUNDS);
    let directory = tempfile::tempdir().unwrap();
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_wait4-strace"));
    let fixture = binary.parent().unwrap().join("examples/fixture");
    let makefile = makefile(directory.path());
    let programs = [
        (
            "fork, exit, wait, 5,000 times",
            vec![
                fixture.display().to_string(),
                "fork_exit_wait".into(),
                CHILDREN.into(),
            ],
        ),
        (
            "make -j2",
            ["make", "-s", "-j2", "-f", makefile.to_str().unwrap(), "all"]
                .map(str::to_owned)
                .to_vec(),
        ),
    ];
    println!("median of {rounds} rounds: wall time with the report over --strace");
    for (name, words) in programs {
        println!("{name:<32} {:.3}", ratio(rounds, &words));
    }
}
