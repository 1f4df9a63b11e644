//! How long ago a process ended or fell asleep. The kernel only records when a
//! task last ran, on a clock of each CPU.

use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

use crate::kernel::{Tgid, Tid};
use crate::proc::{self, SleepClock};

/// The clocks to which recorded times are compared.
pub(super) struct Clock {
    /// Seconds since boot, and clock ticks per second.
    now: Option<f64>,
    ticks: f64,
    sleeps: SleepClock,
}

impl Clock {
    pub(super) fn new() -> Clock {
        let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten();
        Clock {
            now: proc::uptime(),
            ticks: ticks
                .and_then(|ticks| i32::try_from(ticks).ok())
                .map_or(100.0, f64::from),
            sleeps: SleepClock::default(),
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
        let nanos = self.sleeps.asleep(pid, tid, cpu)?;
        Some(Duration::from_nanos(nanos))
    }
}
