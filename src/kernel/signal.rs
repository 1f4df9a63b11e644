//! Signals, including real-time and invalid ones.

use std::fmt;

use super::System;
use super::bsd;

/// A signal number; any number is kept. Numbers are those of Linux on x86, arm and
/// riscv; signals of a BSD have that of the signal with the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signal(i32);

/// The first real-time signal of the kernel. glibc reserves two.
const FIRST_REALTIME: i32 = 32;
/// The last real-time signal.
const LAST: i32 = 64;

/// Names of 1 to 32; strace prints 32 like this, and those above as `SIGRT_n`.
const NAMES: [&str; 32] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
    "SIGRTMIN",
];

#[expect(missing_docs, reason = "the constants of signal(7), without their SIG")]
impl Signal {
    pub const HUP: Signal = Signal(1);
    pub const INT: Signal = Signal(2);
    pub const QUIT: Signal = Signal(3);
    pub const ILL: Signal = Signal(4);
    pub const TRAP: Signal = Signal(5);
    pub const ABRT: Signal = Signal(6);
    pub const BUS: Signal = Signal(7);
    pub const FPE: Signal = Signal(8);
    pub const KILL: Signal = Signal(9);
    pub const USR1: Signal = Signal(10);
    pub const SEGV: Signal = Signal(11);
    pub const USR2: Signal = Signal(12);
    pub const PIPE: Signal = Signal(13);
    pub const ALRM: Signal = Signal(14);
    pub const TERM: Signal = Signal(15);
    pub const STKFLT: Signal = Signal(16);
    pub const CHLD: Signal = Signal(17);
    pub const CONT: Signal = Signal(18);
    pub const STOP: Signal = Signal(19);
    pub const TSTP: Signal = Signal(20);
    pub const TTIN: Signal = Signal(21);
    pub const TTOU: Signal = Signal(22);
    pub const URG: Signal = Signal(23);
    pub const XCPU: Signal = Signal(24);
    pub const XFSZ: Signal = Signal(25);
    pub const VTALRM: Signal = Signal(26);
    pub const PROF: Signal = Signal(27);
    pub const WINCH: Signal = Signal(28);
    pub const IO: Signal = Signal(29);
    pub const PWR: Signal = Signal(30);
    pub const SYS: Signal = Signal(31);
    // Only the BSDs have these.
    pub const EMT: Signal = Signal(bsd::FOREIGN);
    pub const INFO: Signal = Signal(bsd::FOREIGN + 1);
    pub const THR: Signal = Signal(bsd::FOREIGN + 2);
    pub const LIBRT: Signal = Signal(bsd::FOREIGN + 3);
}

impl Signal {
    /// The signal with this number.
    #[must_use]
    pub const fn from_raw(number: i32) -> Signal {
        Signal(number)
    }

    /// The number.
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The signals of a set as `/proc` prints it: bit `n - 1` for signal `n`.
    pub fn of_mask(mask: u64) -> impl Iterator<Item = Signal> {
        (1..=LAST)
            .map(Signal)
            .filter(move |signal| mask & signal.bit() != 0)
    }

    /// Its bit in such a set; 0 for what is no signal of Linux.
    #[must_use]
    pub fn bit(self) -> u64 {
        let place = u32::try_from(self.0 - 1).ok();
        place
            .and_then(|place| 1_u64.checked_shl(place))
            .unwrap_or(0)
    }

    /// The signal that has this number in a system.
    #[must_use]
    pub fn of(system: System, number: i32) -> Signal {
        match system {
            System::Linux => Signal(number),
            System::NetBsd | System::FreeBsd => bsd::signal_of(system, number),
        }
    }

    /// The number that it has in a system; `None` if it does not exist there.
    #[must_use]
    pub fn number_in(self, system: System) -> Option<i32> {
        match system {
            System::Linux => (!bsd::is_foreign_signal(self)).then_some(self.0),
            System::NetBsd | System::FreeBsd => bsd::number_of_signal(system, self),
        }
    }

    /// The constant's name; real-time signals above the first have none.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let index = usize::try_from(self.0.checked_sub(1)?).ok()?;
        NAMES
            .get(index)
            .copied()
            .or_else(|| bsd::foreign_name(self))
    }

    /// The signal with this name in a system, with or without `SIG`, in either case.
    #[must_use]
    pub fn from_name_in(system: System, name: &str) -> Option<Signal> {
        if system == System::Linux {
            return Signal::from_name(name);
        }
        let upper = name.to_ascii_uppercase();
        let short = upper.strip_prefix("SIG").unwrap_or(&upper);
        let signal = bsd::foreign_of_name(short).or_else(|| {
            let is_number = short.starts_with(|first: char| first.is_ascii_digit());
            let realtime = short.starts_with("RT_") || short == "RTMIN";
            Signal::from_name(short).filter(|_| !is_number && !realtime)
        })?;
        signal.number_in(system).map(|_| signal)
    }

    /// The signal of a name: with or without `SIG`, in either case, `RT_5`,
    /// or a number from 1 to 64.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Signal> {
        if let Ok(number) = name.parse::<i32>() {
            return (1..=LAST).contains(&number).then_some(Signal(number));
        }
        let upper = name.to_ascii_uppercase();
        let short = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some(offset) = short.strip_prefix("RT_") {
            let number = offset.parse::<i32>().ok()?.checked_add(FIRST_REALTIME)?;
            return (FIRST_REALTIME..=LAST)
                .contains(&number)
                .then_some(Signal(number));
        }
        let short = match short {
            "CLD" => "CHLD",
            "POLL" => "IO",
            "IOT" => "ABRT",
            other => other,
        };
        let index = NAMES
            .iter()
            .position(|name| name.strip_prefix("SIG") == Some(short))?;
        Some(Signal(i32::try_from(index).ok()? + 1))
    }

    /// Whether it is usually caused by a fault of the program: SEGV, ABRT, BUS, FPE, ILL
    /// and SYS.
    #[must_use]
    pub const fn is_crash(self) -> bool {
        matches!(
            self,
            Signal::SEGV | Signal::ABRT | Signal::BUS | Signal::FPE | Signal::ILL | Signal::SYS
        )
    }

    /// Whether its default action may dump core (signal(7)).
    #[must_use]
    pub fn dumps_core(self) -> bool {
        let others = [
            Signal::QUIT,
            Signal::TRAP,
            Signal::XCPU,
            Signal::XFSZ,
            Signal::EMT,
        ];
        self.is_crash() || others.contains(&self)
    }

    /// Whether its default action stops the process.
    #[must_use]
    pub const fn is_stopping(self) -> bool {
        matches!(
            self,
            Signal::STOP | Signal::TSTP | Signal::TTIN | Signal::TTOU
        )
    }
}

impl fmt::Display for Signal {
    /// As strace prints it; an invalid number prints as a number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None if (FIRST_REALTIME..=LAST).contains(&self.0) => {
                write!(f, "SIGRT_{}", self.0 - FIRST_REALTIME)
            }
            None => match bsd::nameless(*self) {
                // As the BSDs' kill(1) lists them.
                Some(bsd::Nameless::Realtime(0)) => f.write_str("SIGRTMIN"),
                Some(bsd::Nameless::Realtime(offset)) => write!(f, "SIGRTMIN+{offset}"),
                Some(bsd::Nameless::Number(number)) => write!(f, "{number}"),
                None => write!(f, "{}", self.0),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_is_found_by_its_name() {
        for number in 1..=LAST {
            let signal = Signal(number);
            let name = signal.to_string();
            assert_eq!(Signal::from_name(&name), Some(signal), "{name}");
            let short = name.trim_start_matches("SIG").to_lowercase();
            assert_eq!(Signal::from_name(&short), Some(signal), "{short}");
        }
    }

    #[test]
    fn real_time_signals_are_counted_from_the_kernels_first() {
        assert_eq!(Signal(32).to_string(), "SIGRTMIN");
        assert_eq!(Signal(37).to_string(), "SIGRT_5");
        assert_eq!(Signal(64).to_string(), "SIGRT_32");
        assert_eq!(Signal(65).to_string(), "65");
        assert_eq!(Signal(0).to_string(), "0");
        assert_eq!(Signal(i32::MIN).to_string(), i32::MIN.to_string());
    }

    #[test]
    fn a_set_has_a_bit_for_each_signal() {
        let signals = [Signal::HUP, Signal::CHLD, Signal(64)];
        let mask = signals.iter().fold(0, |mask, signal| mask | signal.bit());
        assert_eq!(mask, 0x8000_0000_0001_0001);
        assert!(Signal::of_mask(mask).eq(signals));
        assert_eq!(Signal(0).bit() | Signal(65).bit(), 0);
    }

    #[test]
    fn what_is_no_signal_is_refused() {
        for word in [
            "",
            "SIG",
            "0",
            "65",
            "-1",
            "RT_33",
            "RT_-1",
            "NOPE",
            "SIGSIGINT",
        ] {
            assert_eq!(Signal::from_name(word), None, "{word}");
        }
    }
}
