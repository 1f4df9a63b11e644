//! Names of `si_code` (`include/uapi/asm-generic/siginfo.h`).

use super::Signal;

/// Codes that any signal may have.
const GENERAL: &[(i32, &str)] = &[
    (0, "SI_USER"),
    (0x80, "SI_KERNEL"),
    (-1, "SI_QUEUE"),
    (-2, "SI_TIMER"),
    (-3, "SI_MESGQ"),
    (-4, "SI_ASYNCIO"),
    (-5, "SI_SIGIO"),
    (-6, "SI_TKILL"),
    (-7, "SI_DETHREAD"),
    (-60, "SI_ASYNCNL"),
];

/// Codes that our ABIs do not have (9 to 13 are ia64's).
const UNUSED: &str = "";

/// Names of codes 1, 2, … of a signal.
fn own_names(signal: Signal) -> &'static [&'static str] {
    match signal {
        Signal::ILL => &[
            "ILL_ILLOPC",
            "ILL_ILLOPN",
            "ILL_ILLADR",
            "ILL_ILLTRP",
            "ILL_PRVOPC",
            "ILL_PRVREG",
            "ILL_COPROC",
            "ILL_BADSTK",
            "ILL_BADIADDR",
        ],
        Signal::FPE => &[
            "FPE_INTDIV",
            "FPE_INTOVF",
            "FPE_FLTDIV",
            "FPE_FLTOVF",
            "FPE_FLTUND",
            "FPE_FLTRES",
            "FPE_FLTINV",
            "FPE_FLTSUB",
            UNUSED,
            UNUSED,
            UNUSED,
            UNUSED,
            UNUSED,
            "FPE_FLTUNK",
            "FPE_CONDTRAP",
        ],
        Signal::SEGV => &[
            "SEGV_MAPERR",
            "SEGV_ACCERR",
            "SEGV_BNDERR",
            "SEGV_PKUERR",
            "SEGV_ACCADI",
            "SEGV_ADIDERR",
            "SEGV_ADIPERR",
            "SEGV_MTEAERR",
            "SEGV_MTESERR",
            "SEGV_CPERR",
        ],
        Signal::BUS => &[
            "BUS_ADRALN",
            "BUS_ADRERR",
            "BUS_OBJERR",
            "BUS_MCEERR_AR",
            "BUS_MCEERR_AO",
        ],
        Signal::TRAP => &[
            "TRAP_BRKPT",
            "TRAP_TRACE",
            "TRAP_BRANCH",
            "TRAP_HWBKPT",
            "TRAP_UNK",
            "TRAP_PERF",
        ],
        Signal::CHLD => &[
            "CLD_EXITED",
            "CLD_KILLED",
            "CLD_DUMPED",
            "CLD_TRAPPED",
            "CLD_STOPPED",
            "CLD_CONTINUED",
        ],
        Signal::IO => &[
            "POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP",
        ],
        Signal::SYS => &["SYS_SECCOMP", "SYS_USER_DISPATCH"],
        _ => &[],
    }
}

/// `CLD_EXITED` of SIGCHLD.
pub(super) const CLD_EXITED: i32 = 1;
/// `CLD_KILLED`
pub(super) const CLD_KILLED: i32 = 2;
/// `CLD_DUMPED`
pub(super) const CLD_DUMPED: i32 = 3;
/// `CLD_TRAPPED`
pub(super) const CLD_TRAPPED: i32 = 4;
/// `CLD_STOPPED`
pub(super) const CLD_STOPPED: i32 = 5;
/// `CLD_CONTINUED`
pub(super) const CLD_CONTINUED: i32 = 6;
/// `SI_USER`
pub(super) const SI_USER: i32 = 0;
/// `SI_TKILL`
pub(super) const SI_TKILL: i32 = -6;
/// `SI_TIMER`
pub(super) const SI_TIMER: i32 = -2;
/// `SI_SIGIO`
pub(super) const SI_SIGIO: i32 = -5;
/// `BUS_MCEERR_AR` of SIGBUS.
pub(super) const BUS_MCEERR_AR: i32 = 4;
/// `BUS_MCEERR_AO` of SIGBUS.
pub(super) const BUS_MCEERR_AO: i32 = 5;
/// `SEGV_BNDERR` of SIGSEGV.
pub(super) const SEGV_BNDERR: i32 = 3;
/// `SEGV_PKUERR` of SIGSEGV.
pub(super) const SEGV_PKUERR: i32 = 4;
/// `POLL_IN` of SIGIO, the first of its codes.
pub(super) const POLL_IN: i32 = 1;
/// `POLL_HUP`, the last.
pub(super) const POLL_HUP: i32 = 6;

/// The name of a signal's code.
pub(super) fn name(signal: Signal, code: i32) -> Option<&'static str> {
    let general = GENERAL.iter().find(|(number, _)| *number == code);
    if let Some((_, name)) = general {
        return Some(name);
    }
    let index = usize::try_from(code.checked_sub(1)?).ok()?;
    let name = own_names(signal).get(index).copied();
    name.filter(|name| *name != UNUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of `include/uapi/asm-generic/siginfo.h`, and the names that strace
    /// 6.1 printed for every code from -70 to 140.
    #[test]
    fn the_ends_of_each_list_have_their_numbers() {
        let known = [
            (Signal::ILL, 9, "ILL_BADIADDR"),
            (Signal::FPE, 8, "FPE_FLTSUB"),
            (Signal::FPE, 14, "FPE_FLTUNK"),
            (Signal::FPE, 15, "FPE_CONDTRAP"),
            (Signal::SEGV, SEGV_BNDERR, "SEGV_BNDERR"),
            (Signal::SEGV, SEGV_PKUERR, "SEGV_PKUERR"),
            (Signal::SEGV, 10, "SEGV_CPERR"),
            (Signal::BUS, BUS_MCEERR_AR, "BUS_MCEERR_AR"),
            (Signal::BUS, BUS_MCEERR_AO, "BUS_MCEERR_AO"),
            (Signal::TRAP, 6, "TRAP_PERF"),
            (Signal::CHLD, CLD_EXITED, "CLD_EXITED"),
            (Signal::CHLD, CLD_CONTINUED, "CLD_CONTINUED"),
            (Signal::IO, POLL_IN, "POLL_IN"),
            (Signal::IO, POLL_HUP, "POLL_HUP"),
            (Signal::SYS, 2, "SYS_USER_DISPATCH"),
            (Signal::HUP, SI_SIGIO, "SI_SIGIO"),
            (Signal::HUP, SI_TIMER, "SI_TIMER"),
            (Signal::HUP, SI_TKILL, "SI_TKILL"),
            (Signal::CHLD, SI_USER, "SI_USER"),
            (Signal::SEGV, 0x80, "SI_KERNEL"),
        ];
        for (signal, code, expected) in known {
            assert_eq!(name(signal, code), Some(expected));
        }
    }

    #[test]
    fn codes_without_a_name_have_none() {
        for (signal, code) in [
            (Signal::FPE, 9),
            (Signal::FPE, 13),
            (Signal::FPE, 16),
            (Signal::CHLD, 7),
            (Signal::HUP, 1),
            (Signal::HUP, -8),
            (Signal::CHLD, i32::MIN),
            (Signal::CHLD, i32::MAX),
        ] {
            assert_eq!(name(signal, code), None, "{signal} {code}");
        }
    }
}
