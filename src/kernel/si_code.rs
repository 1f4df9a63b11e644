//! Names of `si_code` (`include/uapi/asm-generic/siginfo.h`).

use super::Signal;

/// Codes that any signal may carry.
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

/// The name of a signal's code.
pub(super) fn name(signal: Signal, code: i32) -> Option<&'static str> {
    let general = GENERAL.iter().find(|(number, _)| *number == code);
    if let Some((_, name)) = general {
        return Some(name);
    }
    let index = usize::try_from(code.checked_sub(1)?).ok()?;
    own_names(signal).get(index).copied()
}
