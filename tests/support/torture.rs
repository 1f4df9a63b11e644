//! What the torture tests share: random choices, and who is left afterwards.

use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::ops::Range;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable by which a test finds its processes again.
const MARK: &str = "WAIT4_STRACE_TEST_MARK";

/// The seed of the first round; each round has the next one.
const SEED: &str = "WAIT4_STRACE_TORTURE_SEED";

/// How long a program may take to come to its end before it counts as lost.
const LIMIT: Duration = Duration::from_secs(60);

/// Random numbers that a seed gives again (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(all.len() as u64)).unwrap();
        all.get(index).unwrap()
    }

    /// A moment below 2^`bits` microseconds: short ones as often as long ones,
    /// since what matters may be over at once or take its time.
    pub fn moment(&mut self, bits: Range<u64>) -> Duration {
        let bits = bits.start + self.below(bits.end - bits.start);
        Duration::from_micros(self.below(1 << bits))
    }
}

/// Run so many rounds as the environment says, or `few`: each with random
/// choices of its own, whose seed is printed when it fails.
pub fn rounds(variable: &str, few: u64, mut round: impl FnMut(&mut Random)) {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let first = number(SEED).unwrap_or_else(|| u64::try_from(now.unwrap().as_micros()).unwrap());
    let count = number(variable).unwrap_or(few);
    let begun = Instant::now();
    for seed in first..first + count {
        let _said = SayIfFailed { seed, variable };
        round(&mut Random::new(seed));
    }
    let name = thread::current().name().unwrap_or_default().to_owned();
    eprintln!("{name}: {count} rounds in {:?}", begun.elapsed());
}

struct SayIfFailed<'a> {
    seed: u64,
    variable: &'a str,
}

impl Drop for SayIfFailed<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let SayIfFailed { seed, variable } = self;
            eprintln!(
                "the same choices again, if not the same moments: {SEED}={seed} {variable}=1"
            );
        }
    }
}

/// A task of a process, as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    pub pid: i32,
    pub tid: i32,
    pub state: char,
    pub tracer: i32,
}

/// A mark in the environment of a program and all of its descendants, by
/// which they are found. They are killed with it.
pub struct Mark(String);

impl Mark {
    pub fn new() -> Mark {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        Mark(format!("torture-{}-{next}", std::process::id()))
    }

    pub fn put_on(&self, command: &mut Command) {
        command.env(MARK, &self.0);
    }

    /// The living processes.
    pub fn living(&self) -> Vec<i32> {
        let wanted = format!("{MARK}={}", self.0);
        let is_marked = |pid: &i32| {
            // A leader that has ended before its threads has no memory.
            numbers_in(&format!("/proc/{pid}/task")).any(|tid| {
                let environment = fs::read(format!("/proc/{pid}/task/{tid}/environ"));
                let environment = environment.unwrap_or_default();
                let mut words = environment.split(|byte| *byte == 0);
                words.any(|word| word == wanted.as_bytes())
            })
        };
        numbers_in("/proc").filter(is_marked).collect()
    }

    /// All threads of the living processes.
    pub fn tasks(&self) -> Vec<Task> {
        let tasks_of = |pid| numbers_in(&format!("/proc/{pid}/task")).map(move |tid| (pid, tid));
        let all = self.living().into_iter().flat_map(tasks_of);
        all.filter_map(|(pid, tid)| task(pid, tid)).collect()
    }

    /// That no task is traced now, nor stopped by a tracer.
    pub fn nobody_is_traced(&self) {
        let traced = |task: &Task| task.tracer != 0 || task.state == 't';
        let left: Vec<Task> = self.tasks().into_iter().filter(traced).collect();
        assert!(
            left.is_empty(),
            "still traced: {left:?}\n{}",
            self.picture()
        );
    }

    /// That no task stays stopped of a program in which none stops itself.
    pub fn nobody_is_stopped(&self) {
        let stopped = || {
            let tasks = self.tasks().into_iter();
            tasks
                .filter(|task| task.state == 'T')
                .collect::<HashSet<Task>>()
        };
        let first = stopped();
        if !first.is_empty() {
            // One that is being killed or continued is not.
            thread::sleep(Duration::from_millis(20));
            let both: Vec<Task> = first.intersection(&stopped()).cloned().collect();
            assert!(
                both.is_empty(),
                "still stopped: {both:?}\n{}",
                self.picture()
            );
        }
    }

    /// That all are gone, soon.
    pub fn nobody_is_left(&self) {
        let begun = Instant::now();
        while !self.living().is_empty() {
            assert!(begun.elapsed() < LIMIT, "left running:\n{}", self.picture());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Wait for the end of one of them; says what all do if that never comes.
    pub fn end_of(&self, child: &mut Child) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                let signal = status.signal().map(|signal| 128 + signal);
                return status.code().or(signal).unwrap();
            }
            let id = child.id();
            assert!(begun.elapsed() < LIMIT, "{id} hangs:\n{}", self.picture());
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// What is known of all who live.
    fn picture(&self) -> String {
        let mut text = String::new();
        for task in self.tasks() {
            let Task { pid, tid, .. } = task;
            let file =
                |name| fs::read(format!("/proc/{pid}/task/{tid}/{name}")).unwrap_or_default();
            let word = |name| String::from_utf8_lossy(&file(name)).replace(['\0', '\n'], " ");
            let (line, call, place) = (word("cmdline"), word("syscall"), word("wchan"));
            writeln!(text, "{task:?} {line} | {call} | {place}").unwrap();
        }
        text
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        for pid in self.living() {
            kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
        }
    }
}

fn numbers_in(directory: &str) -> impl Iterator<Item = i32> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn task(pid: i32, tid: i32) -> Option<Task> {
    let status = fs::read_to_string(format!("/proc/{pid}/task/{tid}/status")).ok()?;
    let field = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line?.split_whitespace().next()
    };
    Some(Task {
        pid,
        tid,
        state: field("State:")?.chars().next()?,
        tracer: field("TracerPid:")?.parse().ok()?,
    })
}
