//! Records that are broken at random: whatever stands in them, they go through
//! reader, ledger, rules and text without a panic and in bounded memory.
//!
//! `WAIT4_STRACE_FUZZ_SECONDS` says how long, `WAIT4_STRACE_FUZZ_SEED` from
//! where on; `WAIT4_STRACE_FUZZ_RECORD` names a record that did harm, and is
//! read in place of all others. A seed alone does not give a record again, as
//! some are made of runs of the day.

use std::fs;
use std::io::{Cursor, Read, Seek};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::support::{self, fixture_path, have, run, traced_fixture, wait4_strace};
use tempfile::TempDir;
use wait4_strace::ledger::Ledger;
use wait4_strace::output::{
    Clock, Conclusion, Destination, Output, Pids, Shown, SignalSet, Sink, Snapshot, SnapshotText,
    Stamps, Style, Styles, Target, Text, TextOptions,
};
use wait4_strace::rules::{Expected, RuleEngine, Thresholds};
use wait4_strace::{kernel::WaitCalls, records};

/// More memory than this process takes at any time, in kilobytes.
const MOST_MEMORY: u64 = 400_000;

/// One record in so many goes through the whole program too.
const PROGRAM_EACH: u64 = 16;

/// How many bytes a block is repeated to at most.
const MOST_REPEATED: usize = 1_000_000;

/// Numbers that are at the edge of something.
const EXTREMES: [&str; 10] = [
    "0",
    "-1",
    "1",
    "255",
    "2147483647",
    "-2147483648",
    "4294967296",
    "9223372036854775807",
    "18446744073709551616",
    "99999999999999999999999999999999999999999",
];

/// The forms of a report.
const FORMS: [&str; 3] = ["text", "github", "gitlab"];

/// Random numbers that a seed gives again (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Break a record in one way or several.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let text = random.pick(seeds);
    let mut lines: Vec<Vec<u8>> = text
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    for _ in 0..=random.below(6) {
        let at = random.below(lines.len());
        match random.below(11) {
            0 => _ = lines.remove(at),
            1 => {
                let copy = random.pick(&lines).clone();
                lines.insert(at, copy);
            }
            2 => {
                let other = random.below(lines.len());
                lines.swap(at, other);
            }
            3 => {
                let end = random.below(lines[at].len() + 1);
                lines[at].truncate(end);
            }
            4 => {
                let other = random.pick(seeds).split(|byte| *byte == b'\n');
                lines.extend(other.take(50).map(<[u8]>::to_vec));
            }
            5 => {
                let junk = vec![*random.pick(b"x({[\"\\ <0\0\xff"); random.below(100_000)];
                lines[at].extend(junk);
            }
            6 => {
                let block = lines[at..].iter().take(3).cloned().collect::<Vec<_>>();
                let length: usize = block.iter().map(Vec::len).sum();
                let times = random.below(2000).min(MOST_REPEATED / (length + 1));
                let many = block.iter().cycle().take(times).cloned();
                lines.splice(at..at, many);
            }
            7 => lines[at] = with_other_number(&lines[at], &[], random),
            8 => {
                let other = random.pick(&lines).clone();
                lines[at] = with_other_number(&lines[at], &other, random);
            }
            9 => {
                let before = random.below(lines[at].len() + 1);
                let odds: [&[u8]; 4] = [b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\r"];
                let odd = random.pick(&odds);
                lines[at].splice(before..before, odd.iter().copied());
            }
            _ => flip(&mut lines[at], random),
        }
        if lines.is_empty() {
            return Vec::new();
        }
    }
    lines.join(&b'\n')
}

fn flip(line: &mut [u8], random: &mut Random) {
    if !line.is_empty() {
        let at = random.below(line.len());
        line[at] = random.next().to_le_bytes()[0];
    }
}

/// Where the numbers of a line are.
fn numbers(line: &[u8]) -> Vec<Range<usize>> {
    let mut numbers = Vec::new();
    let mut start = None;
    for (at, byte) in line.iter().chain(b" ").enumerate() {
        match (byte.is_ascii_digit(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                numbers.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    numbers
}

/// Put an extreme number, or one of this line or the other, in place of a
/// number: so a pid becomes another task's.
fn with_other_number(line: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let own = numbers(line);
    if own.is_empty() {
        return line.to_vec();
    }
    let range = random.pick(&own).clone();
    let from = if other.is_empty() { line } else { other };
    let others = numbers(from);
    let takes = !others.is_empty() && (!other.is_empty() || random.below(3) == 0);
    let new = if takes {
        from[random.pick(&others).clone()].to_vec()
    } else {
        random.pick(&EXTREMES).as_bytes().to_vec()
    };
    [&line[..range.start], &new, &line[range.end..]].concat()
}

/// Read a record to its end, through everything.
fn consume(record: Vec<u8>) {
    let Ok(mut source) = records::from(Box::new(Cursor::new(record)), None) else {
        return;
    };
    let sink = || Sink::new(Box::new(std::io::sink()), Destination::File);
    let options = TextOptions {
        style: Style::Annotated,
        column: 40,
        stamps: Stamps::default(),
        durations: true,
        verbose: false,
        quiet: 0,
        signals: SignalSet::ALL,
        pids: Pids::Plain,
        follow: true,
        shown: Shown::ALL,
        calls: WaitCalls::ALL,
        restart_outcomes: source.origin().restart_outcomes,
        only: Vec::new(),
        hidden: false,
        columns: || None,
        stacks: true,
        whole_stacks: true,
    };
    let clock = Clock::new(SystemTime::UNIX_EPOCH);
    let mut text = Text::new(
        options,
        Styles::plain(),
        clock,
        Target::File(sink()),
        sink(),
    );
    let mut ledger = Ledger::new();
    let mut snapshot = Snapshot::new(&SnapshotText::default());
    let mut judge = RuleEngine::new(Thresholds::default(), Expected::default());
    let mut events = Vec::new();
    loop {
        let more = source.read(&mut events);
        for event in events.drain(..) {
            ledger.apply(&event);
            judge.event(&event, &ledger);
            judge.questions(event.at, &ledger);
            text.event(&event, &ledger);
            snapshot.event(&event, &ledger);
        }
        if more != Ok(true) {
            break;
        }
    }
    let unseen = source.lacks();
    let end = Conclusion {
        findings: judge.findings(),
        left: Some(judge.zombies_left()),
        unseen: &unseen,
        ..Conclusion::unjudged(&ledger)
    };
    text.finish(&end).unwrap();
    snapshot.finish(&end).unwrap();
}

fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.unwrap().parse().unwrap()
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// Read a record by the program itself, in a form of report; complain unless
/// it ends in time and as it should.
fn read_by_program(path: &Path, form: &str) -> Result<(), String> {
    let mut errors = tempfile::tempfile().unwrap();
    let mut program = wait4_strace();
    program.args(["-ttt", "-o", "/dev/null", "--report", form]);
    program.args(["--record", "/dev/null", "--read"]).arg(path);
    program.stdout(Stdio::null());
    program.stderr(errors.try_clone().unwrap());
    let mut child = program.spawn().unwrap();
    let status = support::wait(&mut child);
    if status.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    if status.is_some_and(|status| [0, 120, 125].contains(&status)) {
        return Ok(());
    }
    let mut text = Vec::new();
    errors.rewind().unwrap();
    errors.read_to_end(&mut text).unwrap();
    let text = String::from_utf8_lossy(&text);
    Err(format!("--report {form}: status {status:?}: {text}"))
}

/// Break records until the time is up.
fn fuzz(seeds: &[Vec<u8>]) {
    if let Some(path) = std::env::var_os("WAIT4_STRACE_FUZZ_RECORD") {
        consume(fs::read(&path).unwrap());
        read_by_program(Path::new(&path), "text").unwrap();
        return;
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("record");
    let time = Duration::from_secs(variable("WAIT4_STRACE_FUZZ_SECONDS", 3));
    let mut seed = variable("WAIT4_STRACE_FUZZ_SEED", 1);
    let begun = Instant::now();
    while begun.elapsed() < time {
        let mut random = Random(seed);
        let record = mutated(seeds, &mut random);
        fs::write(&path, &record).unwrap();
        let fault = if catch_unwind(AssertUnwindSafe(|| consume(record))).is_err() {
            Some("panics".to_owned())
        } else if peak_memory() >= MOST_MEMORY {
            Some(format!("takes {} kB", peak_memory()))
        } else if seed.is_multiple_of(PROGRAM_EACH) {
            let form = random.pick(&FORMS);
            read_by_program(&path, form).err()
        } else {
            None
        };
        if let Some(fault) = fault {
            let kept = std::env::temp_dir().join(format!("wait4-strace-fuzz-{seed}"));
            fs::copy(&path, &kept).unwrap();
            panic!("seed {seed} {fault}; the record is {}", kept.display());
        }
        seed += 1;
    }
}

#[test]
fn broken_json_lines_do_no_harm() {
    let directory = TempDir::new().unwrap();
    let record = directory.path().join("lines");
    let names = [
        "wait4_exit_codes",
        "stopped_and_continued",
        "stolen_child_by_wildcard_wait",
        "exec_from_nonleader_thread",
        "not_my_child_pidfd",
        "eintr_abandoned",
    ];
    let flags = ["-o", "/dev/null", "--record", record.to_str().unwrap()];
    let recorded = names.map(|name| {
        run(&mut traced_fixture(&flags, name));
        fs::read(&record).unwrap()
    });
    // Lines that say that nobody looked at /proc, and are judged without.
    let logs = ["stolen-6.1-ttt-T.log", "threads-exec-6.1-ttt.log"].map(|name| {
        let log = logs().join(name);
        run(wait4_strace().args(flags).arg("--read").arg(log));
        fs::read(&record).unwrap()
    });
    fuzz(&[&recorded[..], &logs].concat());
}

/// The records of others that are kept: events of Tracee's, or all other ones.
fn records(are_tracee_s: bool) -> Vec<Vec<u8>> {
    let records = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records");
    let entries = fs::read_dir(records).unwrap().flatten();
    let is_tracee_s = |path: &PathBuf| path.extension().is_some_and(|end| end == "jsonl");
    let paths = entries.map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| is_tracee_s(path) == are_tracee_s)
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn broken_events_of_tracee_s_do_no_harm() {
    fuzz(&records(true));
}

#[test]
fn broken_logs_of_other_tracers_do_no_harm() {
    fuzz(&records(false));
}

fn logs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/strace_logs")
}

#[test]
fn broken_logs_of_strace_do_no_harm() {
    let entries = fs::read_dir(logs()).unwrap().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let logs = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "log"));
    let mut seeds: Vec<Vec<u8>> = logs.map(|path| fs::read(path).unwrap()).collect();
    assert!(seeds.len() >= 20);
    if have("strace") {
        let directory = TempDir::new().unwrap();
        let log = directory.path().join("log");
        for name in ["stopped_and_continued", "exec_from_nonleader_thread"] {
            let mut strace = Command::new("strace");
            strace.args(["-f", "-tt", "-o"]).arg(&log);
            run(strace.arg(fixture_path()).arg(name));
            seeds.push(fs::read(&log).unwrap());
        }
    }
    fuzz(&seeds);
}
