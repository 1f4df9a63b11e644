//! How long a thread has been asleep: by the time at which it ran last, which
//! `/proc/PID/task/TID/sched` has.
//!
//! That time is of a clock of the CPU that it ran on, which has no name elsewhere. We
//! go to that CPU, and see what our own thread ran last at: now.

use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use rustc_hash::FxHashMap;

use crate::kernel::{Tgid, Tid};

/// The clocks of the CPUs that were visited.
#[derive(Debug, Default)]
pub(crate) struct SleepClock {
    /// What a CPU's clock showed in nanoseconds, and when; `None` if we may not go
    /// there.
    cpus: FxHashMap<u32, Option<(u64, Instant)>>,
}

impl SleepClock {
    /// How many nanoseconds ago a thread that does not run ran last. `None` if it is not
    /// known: kernels before Linux 6.15 may be built without that file
    /// (`CONFIG_SCHED_DEBUG`).
    pub(crate) fn asleep(&mut self, tgid: Tgid, tid: Tid, cpu: u32) -> Option<u64> {
        let last = last_run(&format!("/proc/{tgid}/task/{tid}/sched"))?;
        let (clock, then) = (*self.cpus.entry(cpu).or_insert_with(|| clock_of(cpu)))?;
        let since = u64::try_from(then.elapsed().as_nanos()).ok()?;
        let now = clock.saturating_add(since);
        // A migration sets it to 0.
        (last > 0).then(|| now.saturating_sub(last))
    }
}

/// The clock of a CPU, now.
fn clock_of(cpu: u32) -> Option<(u64, Instant)> {
    let everywhere = sched_getaffinity(Pid::from_raw(0)).ok()?;
    let mut there = CpuSet::new();
    there.set(usize::try_from(cpu).ok()?).ok()?;
    sched_setaffinity(Pid::from_raw(0), &there).ok()?;
    // A sleep, however short, makes the kernel update the clock.
    std::thread::sleep(Duration::from_nanos(1));
    let now = last_run("/proc/thread-self/sched").map(|now| (now, Instant::now()));
    let _ = sched_setaffinity(Pid::from_raw(0), &everywhere);
    now
}

/// The line `se.exec_start : 31472515.749245` of a file, in nanoseconds.
fn last_run(path: &str) -> Option<u64> {
    let text = crate::proc::read(path).ok()?;
    let text = str::from_utf8(&text).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("se.exec_start"))?;
    nanos(line.trim_start().strip_prefix(':')?.trim())
}

/// Milliseconds with six digits behind the point.
fn nanos(millis: &str) -> Option<u64> {
    let (whole, fraction) = millis.split_once('.')?;
    let whole: u64 = whole.parse().ok()?;
    let fraction: u64 = Some(fraction).filter(|f| f.len() == 6)?.parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn the_time_has_six_digits_behind_the_point() {
        assert_eq!(nanos("31472515.749245"), Some(31_472_515_749_245));
        assert_eq!(nanos("0.000001"), Some(1));
        assert_eq!(nanos("-1.000000"), None);
        assert_eq!(nanos("7.5"), None);
    }

    #[test]
    fn the_sleep_of_a_thread_is_as_long_as_it_was() {
        let (send, receive) = std::sync::mpsc::channel();
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let sleeper = thread::spawn(move || {
            send.send(std::fs::read_link("/proc/thread-self").unwrap())
                .unwrap();
            let _ = wait.recv();
        });
        let own = receive.recv().unwrap();
        let tid = own.file_name().and_then(|tid| tid.to_str()).unwrap();
        let tid = Tid::new(tid.parse().unwrap());
        let tgid = Tgid::new(nix::unistd::getpid().as_raw());
        let begun = Instant::now();
        thread::sleep(Duration::from_millis(300));
        let stat = crate::proc::Stat::of_thread(tgid, tid).unwrap();
        let asleep = SleepClock::default().asleep(tgid, tid, stat.cpu);
        let longest = begun.elapsed() + Duration::from_millis(100);
        drop(end);
        sleeper.join().unwrap();
        if let Some(asleep) = asleep {
            let asleep = Duration::from_nanos(asleep);
            assert!(asleep > Duration::from_millis(200), "{asleep:?}");
            assert!(asleep < longest, "{asleep:?} of {longest:?}");
        }
    }
}
