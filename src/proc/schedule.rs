//! When tasks last ran, by the clocks of their CPUs; and the time since boot.

use std::fs;

use crate::kernel::{Tgid, Tid};

/// Seconds since boot; `None` where `/proc` has processes alone (`subset=pid`).
pub(crate) fn uptime() -> Option<f64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// When a task last ran: milliseconds on the clock of its CPU. `se.exec_start` in
/// `/proc/PID/task/TID/sched`, which kernels before Linux 6.15 lack without
/// `CONFIG_SCHED_DEBUG`.
pub(crate) fn last_ran(tgid: Tgid, tid: Tid) -> Option<f64> {
    exec_start(&format!("/proc/{tgid}/task/{tid}/sched"))
}

/// When this thread last began to run: now, on the clock of the CPU that it is on.
pub(crate) fn own_last_ran() -> Option<f64> {
    exec_start("/proc/thread-self/sched")
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
