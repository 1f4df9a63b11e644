//! The BSDs' signals: 1 to 31 are the same on both (`sys/signal.h`), others differ.

use std::ops::RangeInclusive;

use crate::kernel::{Signal, System};

/// Names of 1 to 31, in 4.4BSD's order.
const NAMES: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGEMT",
    "SIGFPE",
    "SIGKILL",
    "SIGBUS",
    "SIGSEGV",
    "SIGSYS",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGURG",
    "SIGSTOP",
    "SIGTSTP",
    "SIGCONT",
    "SIGCHLD",
    "SIGTTIN",
    "SIGTTOU",
    "SIGIO",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGINFO",
    "SIGUSR1",
    "SIGUSR2",
];

/// Signals that Linux does not have, with our constants.
const FOREIGN: [(Signal, &str); 4] = [
    (Signal::EMT, "SIGEMT"),
    (Signal::INFO, "SIGINFO"),
    (Signal::THR, "SIGTHR"),
    (Signal::LIBRT, "SIGLIBRT"),
];

/// Whether Linux does not have the signal.
pub(in crate::kernel) fn is_foreign(signal: Signal) -> bool {
    (super::FOREIGN..=LAST_NO_SIGNAL).contains(&signal.raw())
}

/// `SIGPWR` of NetBSD.
const NETBSD_PWR: i32 = 32;
/// `SIGTHR` and `SIGLIBRT` of FreeBSD.
const FREEBSD_THR: i32 = 32;
const FREEBSD_LIBRT: i32 = 33;
/// `SIGRTMIN` to `SIGRTMAX`.
const NETBSD_REALTIME: RangeInclusive<i32> = 33..=63;
const FREEBSD_REALTIME: RangeInclusive<i32> = 65..=126;

/// Added to the index of a real-time signal.
const FIRST_REALTIME: i32 = super::FOREIGN + 0x100;
const LAST_REALTIME: i32 = FIRST_REALTIME + 0xff;
/// Added to a number that is not a signal; a wait status has eight bits for it.
const NO_SIGNAL: i32 = FIRST_REALTIME + 0x100;
const LAST_NO_SIGNAL: i32 = NO_SIGNAL + 0xff;

/// The real-time signals of a BSD.
fn realtime(system: System) -> RangeInclusive<i32> {
    match system {
        System::NetBsd => NETBSD_REALTIME,
        // Never called for Linux.
        System::FreeBsd | System::Linux => FREEBSD_REALTIME,
    }
}

/// The signal of this number.
pub(in crate::kernel) fn signal_of(system: System, number: i32) -> Signal {
    let index = usize::try_from(number.wrapping_sub(1)).unwrap_or(usize::MAX);
    if let Some(name) = NAMES.get(index) {
        let foreign = FOREIGN.iter().find(|(_, known)| known == name);
        let linux = || Signal::from_name(name).unwrap_or(Signal::from_raw(0));
        return foreign.map_or_else(linux, |(signal, _)| *signal);
    }
    let realtime = realtime(system);
    match (system, number) {
        (System::NetBsd, NETBSD_PWR) => Signal::PWR,
        (System::FreeBsd, FREEBSD_THR) => Signal::THR,
        (System::FreeBsd, FREEBSD_LIBRT) => Signal::LIBRT,
        _ if realtime.contains(&number) => {
            Signal::from_raw(FIRST_REALTIME + number - realtime.start())
        }
        (_, 1..=0xff) => Signal::from_raw(NO_SIGNAL + number),
        _ => Signal::from_raw(number),
    }
}

/// The number of a signal; `None` if the system does not have it.
pub(in crate::kernel) fn number_of_signal(system: System, signal: Signal) -> Option<i32> {
    let raw = signal.raw();
    let named = || {
        let name = signal.name()?;
        let index = NAMES.iter().position(|known| *known == name)?;
        Some(i32::try_from(index).ok()? + 1)
    };
    match (system, signal) {
        (System::NetBsd, Signal::PWR) => Some(NETBSD_PWR),
        (System::FreeBsd, Signal::THR) => Some(FREEBSD_THR),
        (System::FreeBsd, Signal::LIBRT) => Some(FREEBSD_LIBRT),
        (System::NetBsd, Signal::THR | Signal::LIBRT) => None,
        _ if (FIRST_REALTIME..=LAST_REALTIME).contains(&raw) => {
            let number = raw - FIRST_REALTIME + realtime(system).start();
            realtime(system).contains(&number).then_some(number)
        }
        _ if (NO_SIGNAL..=LAST_NO_SIGNAL).contains(&raw) => Some(raw - NO_SIGNAL),
        _ if (1..=64).contains(&raw) || foreign_name(signal).is_some() => named(),
        _ => Some(raw),
    }
}

/// The name of a signal that Linux does not have.
pub(in crate::kernel) fn foreign_name(signal: Signal) -> Option<&'static str> {
    let found = FOREIGN.iter().find(|(known, _)| *known == signal);
    found.map(|(_, name)| *name)
}

/// The signal that Linux does not have, by its name without `SIG`.
pub(in crate::kernel) fn foreign_of_name(short: &str) -> Option<Signal> {
    let named = FOREIGN
        .iter()
        .find(|(_, name)| name.strip_prefix("SIG") == Some(short));
    if let Some((signal, _)) = named {
        return Some(*signal);
    }
    let offset: i32 = match short.strip_prefix("RTMIN")? {
        "" => 0,
        rest => rest.strip_prefix('+')?.parse().ok()?,
    };
    (0..=LAST_REALTIME - FIRST_REALTIME)
        .contains(&offset)
        .then(|| Signal::from_raw(FIRST_REALTIME + offset))
}

/// A foreign signal without a name: the index of a real-time one, or a number that
/// is not a signal.
pub(in crate::kernel) enum Nameless {
    Realtime(i32),
    Number(i32),
}

pub(in crate::kernel) fn nameless(signal: Signal) -> Option<Nameless> {
    match signal.raw() {
        raw @ FIRST_REALTIME..=LAST_REALTIME => Some(Nameless::Realtime(raw - FIRST_REALTIME)),
        raw @ NO_SIGNAL..=LAST_NO_SIGNAL => Some(Nameless::Number(raw - NO_SIGNAL)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back() {
        for system in [System::NetBsd, System::FreeBsd] {
            for number in 0..=255 {
                let signal = Signal::of(system, number);
                assert_eq!(signal.number_in(system), Some(number), "{system} {number}");
                let name = signal.to_string();
                let is_named = name.starts_with("SIG");
                let found = Signal::from_name_in(system, &name);
                assert_eq!(
                    found,
                    is_named.then_some(signal),
                    "{system} {number} {name}"
                );
            }
        }
    }

    #[test]
    fn a_name_has_the_number_of_its_system() {
        let number = |system, name| Signal::from_name_in(system, name)?.number_in(system);
        let cases = [
            ("SIGCHLD", Some(20), Some(20)),
            ("SIGSTOP", Some(17), Some(17)),
            ("CONT", Some(19), Some(19)),
            ("SIGUSR1", Some(30), Some(30)),
            ("SIGBUS", Some(10), Some(10)),
            ("SIGEMT", Some(7), Some(7)),
            ("SIGINFO", Some(29), Some(29)),
            ("SIGPWR", Some(32), None),
            ("SIGTHR", None, Some(32)),
            ("SIGLIBRT", None, Some(33)),
            ("SIGRTMIN", Some(33), Some(65)),
            ("SIGRTMIN+30", Some(63), Some(95)),
            ("SIGRTMIN+61", None, Some(126)),
            ("SIGRTMIN+62", None, None),
            ("SIGSTKFLT", None, None),
            ("SIGRT_5", None, None),
            ("9", None, None),
        ];
        for (name, netbsd, freebsd) in cases {
            assert_eq!(number(System::NetBsd, name), netbsd, "{name}");
            assert_eq!(number(System::FreeBsd, name), freebsd, "{name}");
        }
        assert_eq!(Signal::of(System::FreeBsd, 20), Signal::CHLD);
        assert_eq!(Signal::INFO.number_in(System::Linux), None);
    }
}
