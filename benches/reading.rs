//! How fast a log of strace's is read, beside `grep -c wait4` and `wc -l`.
//!
//! `cargo bench --bench reading [-- BYTES]` traces a build by `strace -f -ttt`
//! with all system calls, repeats its log with other pids and later times until
//! it has a gigabyte (or the bytes of `WAIT4_STRACE_BENCH_BYTES`), and prints
//! for each program the median of three runs over the same file, which is in
//! the page cache. strace, gcc and make are needed.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a table for people; a bench that cannot run its programs has nothing to say"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const DEFAULT_BYTES: usize = 1_000_000_000;
const SOURCES: usize = 12;
const RECIPES: usize = 40;
/// Below the kernel's largest pid, and above those of the log.
const FIRST_PID: usize = 100_000;
/// Above the largest pid that a kernel gives.
const END_OF_PIDS: usize = 4_194_304;
/// The largest share of lines of the wait family that a build has.
const MOST_WAITS: f64 = 0.05;

/// A build: a few C files, and recipes that run a shell and a command.
fn make_project(directory: &Path) {
    let mut makefile = "all: libf.so".to_owned();
    for recipe in 0..RECIPES {
        write!(makefile, " r{recipe}").unwrap();
    }
    makefile.push_str("\nlibf.so:");
    for source in 0..SOURCES {
        write!(makefile, " f{source}.o").unwrap();
        let text =
            format!("#include <stdio.h>\nint f{source}(int x) {{ return printf(\"%d\", x); }}\n");
        fs::write(directory.join(format!("f{source}.c")), text).unwrap();
    }
    makefile.push_str("\n\tgcc -shared -o $@ $^\n%.o: %.c\n\tgcc -O2 -fPIC -c -o $@ $<\n");
    makefile.push_str("r%:\n\t@sh -c ':; true'\n\t@true; true\n");
    fs::write(directory.join("Makefile"), makefile).unwrap();
}

/// The log of the build, by line.
fn trace(directory: &Path) -> Vec<u8> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-ttt", "-o", "log", "make", "-j2"]);
    strace
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    assert!(strace.current_dir(directory).status().unwrap().success());
    fs::read(directory.join("log")).unwrap()
}

/// A piece of the log: text, one of its pids by its place among them, or the
/// seconds of a time.
enum Piece<'a> {
    Text(&'a [u8]),
    Pid(usize),
    Seconds(usize),
}

/// Cut the log at each number that is one of its pids, and at times.
fn pieces<'a>(log: &'a [u8], pids: &BTreeMap<&'a [u8], usize>) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let (mut begun, mut at) = (0, 0);
    let is_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'.');
    while at < log.len() {
        let rest = log.get(at..).unwrap();
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let before = at.checked_sub(1).and_then(|at| log.get(at));
        let number = rest.get(..length).unwrap();
        let alone = !is_word(before) && !is_word(rest.get(length));
        let is_time = length == 10 && before == Some(&b' ') && rest.get(length) == Some(&b'.');
        let piece = match pids.get(number).filter(|_| alone) {
            Some(place) => Some(Piece::Pid(*place)),
            None if is_time => Some(Piece::Seconds(text_of(number).parse().unwrap())),
            None => None,
        };
        if let Some(piece) = piece {
            pieces.push(Piece::Text(log.get(begun..at).unwrap()));
            pieces.push(piece);
            begun = at + length;
        }
        at += usize::from(length == 0);
        at += length;
    }
    pieces.push(Piece::Text(log.get(begun..).unwrap()));
    pieces
}

fn text_of(number: &[u8]) -> &str {
    std::str::from_utf8(number).unwrap()
}

/// Repeat the log, with other pids each time, until it is so long.
fn repeat(log: &[u8], bytes: usize, to: &Path) -> usize {
    let lines = log.split(|byte| *byte == b'\n');
    let own = lines.filter_map(|line| line.split(|byte| *byte == b' ').next());
    let mut pids: BTreeMap<&[u8], usize> = own
        .filter(|pid| !pid.is_empty())
        .map(|pid| (pid, 0))
        .collect();
    for (place, (_, to)) in pids.iter_mut().enumerate() {
        *to = place;
    }
    let pieces = pieces(log, &pids);
    let repeats = bytes.div_ceil(log.len());
    assert!(FIRST_PID + (repeats + 1) * pids.len() < END_OF_PIDS);
    let mut file = BufWriter::new(fs::File::create(to).unwrap());
    let (mut written, mut times) = (0, 0);
    while written < bytes {
        for piece in &pieces {
            match piece {
                Piece::Text(text) => file.write_all(text).unwrap(),
                Piece::Pid(place) => {
                    write!(file, "{}", FIRST_PID + times * pids.len() + place).unwrap();
                }
                Piece::Seconds(seconds) => write!(file, "{}", seconds + times * 60).unwrap(),
            }
        }
        written += log.len();
        times += 1;
    }
    file.into_inner().unwrap();
    times
}

/// The median of three wall times of a command, in seconds.
fn seconds(command: &mut Command) -> f64 {
    let mut times = [0.0; 3].map(|_: f64| {
        let begun = Instant::now();
        // Into a pipe: grep reads no further than the first line for /dev/null.
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{command:?}");
        begun.elapsed().as_secs_f64()
    });
    times.sort_by(f64::total_cmp);
    let [_, median, _] = times;
    median
}

/// The peak memory of a command alone, in kilobytes: what is waited for would
/// tell that of this program too, as it is there until the command's exec.
fn peak(command: &mut Command) -> u64 {
    let null = Stdio::null;
    let spawned = command.stdin(null()).stdout(null()).stderr(null()).spawn();
    let mut child = spawned.unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        let is_ours = text.starts_with("Name:\twait4-strace");
        peak = number.filter(|_| is_ours).unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(1));
    }
    peak
}

/// How many bytes the log is to have.
fn wanted() -> usize {
    let word = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let variable = || std::env::var("WAIT4_STRACE_BENCH_BYTES").ok();
    let bytes = word.or_else(|| variable().map(|bytes| bytes.parse().unwrap()));
    bytes.unwrap_or(DEFAULT_BYTES)
}

/// Complain unless the log is one of much else than waits.
fn check_share(log: &[u8]) {
    let lines: Vec<&[u8]> = log.split(|byte| *byte == b'\n').collect();
    let is_wait = |line: &&&[u8]| {
        let mut words = line.windows(5);
        words.any(|word| word == b"wait4" || word == b"waiti")
    };
    let waits = lines.iter().filter(is_wait).count();
    let share =
        f64::from(u32::try_from(waits).unwrap()) / f64::from(u32::try_from(lines.len()).unwrap());
    println!(
        "{} lines, {:.2} % of the wait family",
        lines.len(),
        share * 100.0
    );
    assert!(share <= MOST_WAITS);
}

fn main() {
    let directory = tempfile::TempDir::new().unwrap();
    make_project(directory.path());
    let log = trace(directory.path());
    check_share(&log);
    let big = directory.path().join("big.log");
    let times = repeat(&log, wanted(), &big);
    println!("{times} times");
    let mut lines = Command::new("wc");
    lines.arg("-l").arg(&big);
    let mut search = Command::new("grep");
    search.args(["-c", "wait4"]).arg(&big).env("LC_ALL", "C");
    let mut reader = Command::new(env!("CARGO_BIN_EXE_wait4-strace"));
    reader.args(["-o", "/dev/null", "--report", "none", "--read"]);
    reader.arg(&big);
    // Into the page cache.
    seconds(&mut lines);
    let [lines, search, read] = [&mut lines, &mut search, &mut reader].map(seconds);
    println!("wc -l               {lines:.3} s");
    println!("grep -c wait4       {search:.3} s");
    println!("wait4-strace --read {read:.3} s");
    println!(
        "                    {:.2} times grep, {:.2} times wc",
        read / search,
        read / lines
    );
    println!("peak memory of wait4-strace: {} kB", peak(&mut reader));
}
