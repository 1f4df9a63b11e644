//! How long ago a process ended or fell asleep. The kernel only records when a
//! task last ran, on a clock of each CPU.

use std::fs;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, SysconfVar, sysconf};
use rustc_hash::FxHashMap;

use crate::kernel::{Tgid, Tid};

/// The clocks to which recorded times are compared.
pub(super) struct Clock {
    /// Seconds since boot, and clock ticks per second.
    now: Option<f64>,
    ticks: f64,
    /// The clock of each CPU, in milliseconds.
    cpus: FxHashMap<u32, Option<f64>>,
}

impl Clock {
    pub(super) fn new() -> Clock {
        let uptime = fs::read_to_string("/proc/uptime").ok();
        let uptime = uptime.and_then(|text| text.split(' ').next()?.parse().ok());
        let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten();
        Clock {
            now: uptime,
            ticks: ticks
                .and_then(|ticks| i32::try_from(ticks).ok())
                .map_or(100.0, f64::from),
            cpus: FxHashMap::default(),
        }
    }

    /// How long ago a process was started, given its start in ticks after boot.
    #[expect(
        clippy::cast_precision_loss,
        reason = "ticks since the boot, far below 2^53"
    )]
    pub(super) fn since_start(&self, started: u64) -> Option<Duration> {
        let ago = self.now? - started as f64 / self.ticks;
        Duration::try_from_secs_f64(ago.max(0.0)).ok()
    }

    /// How long ago a task that is not running last ran: `se.exec_start` in
    /// `/proc/PID/task/TID/sched`, which kernels before Linux 6.15 lack without
    /// `CONFIG_SCHED_DEBUG`.
    pub(super) fn since_run(&mut self, pid: Tgid, tid: Tid, cpu: u32) -> Option<Duration> {
        let then = exec_start(&format!("/proc/{pid}/task/{tid}/sched"))?;
        // Each CPU has its own clock.
        let now = *self.cpus.entry(cpu).or_insert_with(|| clock_of(cpu));
        let millis = (now? - then).max(0.0);
        Duration::try_from_secs_f64(millis / 1000.0).ok()
    }
}

/// The clock of a CPU: when we last began to run there.
fn clock_of(cpu: u32) -> Option<f64> {
    let everywhere = sched_getaffinity(Pid::from_raw(0)).ok()?;
    let mut there = CpuSet::new();
    there.set(usize::try_from(cpu).ok()?).ok()?;
    sched_setaffinity(Pid::from_raw(0), &there).ok()?;
    // A sleep, however short, makes the kernel update the clock.
    std::thread::sleep(Duration::from_nanos(1));
    let now = exec_start("/proc/thread-self/sched");
    let _ = sched_setaffinity(Pid::from_raw(0), &everywhere);
    now
}

fn exec_start(path: &str) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    parse(&text)
}

/// `se.exec_start    :      63973592.476259`
fn parse(text: &str) -> Option<f64> {
    let lines = text.lines();
    let mut values = lines.filter_map(|line| line.split_once(':'));
    let (_, value) = values.find(|(name, _)| name.trim() == "se.exec_start")?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found() {
        let text = "sh (7, #threads: 1)\n-----\nse.exec_start    :    63973592.476259\nse.x : 1\n";
        assert_eq!(parse(text), Some(63_973_592.476_259));
        assert_eq!(parse("se.exec_start : x"), None);
        assert_eq!(parse(""), None);
    }
}
