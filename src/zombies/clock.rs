//! How long ago a process ended or fell asleep. The kernel only records when a
//! task last ran, on a clock of each CPU.

use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, SysconfVar, sysconf};
use rustc_hash::FxHashMap;

use crate::kernel::{Tgid, Tid};
use crate::proc;

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
        let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten();
        Clock {
            now: proc::uptime(),
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

    /// How long ago a task that is not running last ran, if the kernel shows it.
    pub(super) fn since_run(&mut self, pid: Tgid, tid: Tid, cpu: u32) -> Option<Duration> {
        let then = proc::last_ran(pid, tid)?;
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
    let now = proc::own_last_ran();
    let _ = sched_setaffinity(Pid::from_raw(0), &everywhere);
    now
}
