//! What the torture tests share: numbers from a seed, and the processes that
//! a round has started, found again by a mark in their environment.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

/// Numbers that look random, the same for a seed in every run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        // xorshift has no way out of 0.
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % limit
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let index = self.below(u64::try_from(from.len()).unwrap());
        &from[usize::try_from(index).unwrap()]
    }

    /// A time up to `most`.
    pub fn time(&mut self, most: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(most.as_micros()).unwrap().max(1)))
    }
}

/// A number that the environment gives, or another.
pub fn wished<T: FromStr>(variable: &str, otherwise: T) -> T {
    let wish = env::var(variable).ok();
    wish.and_then(|wish| wish.parse().ok()).unwrap_or(otherwise)
}

/// The seed that `variable` names, or one of the day.
pub fn seed(variable: &str) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    wished(variable, now.unwrap().as_secs())
}

/// The variable by which a test finds its processes again.
pub const MARK: &str = "WAIT4_STRACE_TEST_MARK";

pub fn new_mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("torture-{}-{next}", std::process::id())
}

/// The living processes that were started with this mark.
pub fn marked(mark: &str) -> Vec<i32> {
    let wanted = format!("{MARK}={mark}");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut words = environment.split(|byte| *byte == 0);
        if words.any(|word| word == wanted.as_bytes()) {
            found.push(pid);
        }
    }
    found
}

/// A field of a `status` file below `/proc`.
pub fn field(path: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(path.join("status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next().map(str::to_owned)
}

/// The threads of a process, as directories of `/proc`.
pub fn threads(pid: i32) -> Vec<PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    tasks.map(|entry| entry.path()).collect()
}

/// Threads of marked processes that are traced, or stopped by a tracer.
pub fn held(mark: &str) -> Vec<String> {
    let threads = marked(mark).into_iter().flat_map(threads);
    let held = threads.filter_map(|path| {
        let (state, tracer) = (field(&path, "State:")?, field(&path, "TracerPid:")?);
        let is_held = tracer != "0" || state == "t";
        is_held.then(|| format!("{}: {state}, traced by {tracer}", path.display()))
    });
    held.collect()
}
