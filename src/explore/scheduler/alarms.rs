//! Timers of real time (`alarm`, `setitimer`), which end a sleep by themselves.

use rustc_hash::FxHashMap;

use crate::kernel::Tgid;

/// The bytes of a `struct itimerval`: the interval, then the value.
pub(super) const ITIMERVAL: usize = 32;

/// Processes whose timer is armed, as far as it is known, and whether it repeats.
#[derive(Debug, Default)]
pub(super) struct Alarms(FxHashMap<Tgid, bool>);

impl Alarms {
    /// Whether a process's timer may still fire.
    pub(super) fn has(&self, tgid: Tgid) -> bool {
        self.0.contains_key(&tgid)
    }

    /// `alarm`, which fires once; 0 seconds disarm it.
    pub(super) fn set_seconds(&mut self, tgid: Tgid, seconds: u64) {
        self.set(tgid, seconds != 0, false);
    }

    /// `setitimer` with this `struct itimerval`; one that could not be read may
    /// well repeat.
    pub(super) fn set_timer(&mut self, tgid: Tgid, timer: Option<[u8; ITIMERVAL]>) {
        let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        let (is_armed, repeats) = timer.map_or((true, true), |timer| {
            let (interval, value) = timer.split_at(ITIMERVAL / 2);
            (!is_zero(value), !is_zero(interval))
        });
        self.set(tgid, is_armed, repeats);
    }

    /// SIGALRM came: a timer that does not repeat is over.
    pub(super) fn fired(&mut self, tgid: Tgid) {
        if self.0.get(&tgid) == Some(&false) {
            self.0.remove(&tgid);
        }
    }

    /// The process is dead.
    pub(super) fn ended(&mut self, tgid: Tgid) {
        self.0.remove(&tgid);
    }

    fn set(&mut self, tgid: Tgid, is_armed: bool, repeats: bool) {
        if is_armed {
            self.0.insert(tgid, repeats);
        } else {
            self.0.remove(&tgid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Tgid = Tgid::new(1);

    /// After a timer with this interval and value in seconds: whether it is armed,
    /// and whether it still is when it has fired.
    fn armed(interval: u8, value: u8) -> (bool, bool) {
        let mut timer = [0; ITIMERVAL];
        (timer[0], timer[16]) = (interval, value);
        after(|alarms| alarms.set_timer(ONE, Some(timer)))
    }

    fn after(set: impl Fn(&mut Alarms)) -> (bool, bool) {
        let mut alarms = Alarms::default();
        set(&mut alarms);
        let is_armed = alarms.has(ONE);
        alarms.fired(ONE);
        (is_armed, alarms.has(ONE))
    }

    #[test]
    fn a_timer_with_an_interval_is_armed_after_it_has_fired() {
        assert_eq!(armed(1, 1), (true, true));
        assert_eq!(armed(0, 1), (true, false));
        // Disarmed, whatever the interval is.
        assert_eq!(armed(1, 0), (false, false));
        assert_eq!(after(|alarms| alarms.set_timer(ONE, None)), (true, true));
    }

    #[test]
    fn an_alarm_fires_once_and_replaces_a_timer() {
        assert_eq!(after(|alarms| alarms.set_seconds(ONE, 3)), (true, false));
        assert_eq!(after(|alarms| alarms.set_seconds(ONE, 0)), (false, false));
        let replaced = after(|alarms| {
            alarms.set_timer(ONE, None);
            alarms.set_seconds(ONE, 3);
        });
        assert_eq!(replaced, (true, false));
    }
}
