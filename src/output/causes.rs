//! Where a signal came from, and who killed a process, in a few words.

use std::fmt::{self, Write};

use crate::event::Comm;
use crate::kernel::{Fields, SigInfo, Signal, Status, Tgid, WaitStatus};
use crate::ledger::{Ledger, Process};

/// `si_code` of the kernel.
const SI_KERNEL: i32 = 0x80;

/// Writes where a signal came from: ` from 812 systemd`, ` from the terminal`,
/// `: SEGV_MAPERR at 0x0`. Returns false, and writes nothing, where siginfo shows more
/// than words.
pub(super) fn of_signal(
    to: &mut String,
    info: &SigInfo,
    name: Option<Comm>,
    receiver: Tgid,
    ledger: &Ledger,
) -> Result<bool, fmt::Error> {
    if let Some(pid) = info.sender() {
        if pid.raw() == 0 {
            to.write_str(" from outside its pid namespace")?;
            return Ok(true);
        }
        let sender = ledger.existing(receiver, pid);
        if sender.is_some_and(|sender| sender.tgid == receiver) {
            to.write_str(match info.signo {
                // The kernel sends it in the name of the writer.
                Signal::PIPE if info.code == 0 => ": nobody reads from the pipe",
                _ => " from itself",
            })?;
            return Ok(true);
        }
        to.write_str(" from ")?;
        if let Some(sender) = sender {
            process(to, sender)?;
        } else {
            write!(to, "{pid}")?;
            if let Some(name) = name {
                write!(to, " {name}")?;
            }
        }
        return Ok(true);
    }
    match info.fields {
        Fields::Timer { .. } => to.write_str(" from a timer")?,
        Fields::Fault { addr, .. } => {
            let code = info.code_name().unwrap_or("a fault");
            write!(to, ": {code} at {addr:#x}")?;
        }
        _ if info.code == SI_KERNEL => match info.signo {
            Signal::INT
            | Signal::QUIT
            | Signal::TSTP
            | Signal::TTIN
            | Signal::TTOU
            | Signal::WINCH => to.write_str(" from the terminal")?,
            Signal::HUP => to.write_str(" from the kernel: its terminal or session is gone")?,
            Signal::ALRM | Signal::VTALRM | Signal::PROF => to.write_str(" from a timer")?,
            _ => to.write_str(" from the kernel")?,
        },
        _ => return Ok(false),
    }
    Ok(true)
}

/// Writes who killed a process, if that is known: `sent by 812 systemd`,
/// `from the terminal`, `sender not seen`.
pub(super) fn of_death(
    to: &mut String,
    tgid: Tgid,
    status: WaitStatus,
    ledger: &Ledger,
) -> fmt::Result {
    let (Status::Signaled { signal, .. }, Some(dead)) = (status.decode(), ledger.process(tgid))
    else {
        return Ok(());
    };
    if signal == Signal::KILL {
        return match dead.history.kill_sent_by {
            None => to.write_str("sender not seen"),
            Some(sender) if sender == tgid => to.write_str("from itself"),
            Some(sender) => match ledger.process(sender) {
                Some(sender) => {
                    to.write_str("from ")?;
                    process(to, sender)
                }
                // We did.
                None => Ok(()),
            },
        };
    }
    let delivered = dead.history.delivered;
    let Some(delivered) = delivered.filter(|delivered| delivered.signal == signal) else {
        return Ok(());
    };
    let Some(info) = delivered.info else {
        return Ok(());
    };
    let before = to.len();
    if of_signal(to, &info, delivered.sender, tgid, ledger)? {
        let words = to.get(before..).unwrap_or_default();
        let words = words.trim_start_matches([' ', ':']).len();
        to.replace_range(before..to.len() - words, "");
    }
    Ok(())
}

/// `812 systemd`
fn process(to: &mut String, process: &Process) -> fmt::Result {
    write!(to, "{}", process.tgid)?;
    if process.image.comm.as_bytes().is_empty() {
        return Ok(());
    }
    write!(to, " {}", process.image.comm)
}

/// Writes a child's change of state: `3707 exited with 0`.
pub(super) fn of_child(to: &mut String, info: &SigInfo) -> Result<bool, fmt::Error> {
    let Some((pid, status)) = info.child() else {
        return Ok(false);
    };
    write!(to, ": {pid} ")?;
    match status.decode() {
        Status::Stopped { signal, .. } => write!(to, "stopped by {signal}")?,
        Status::Continued => to.write_str("continued")?,
        _ => write!(to, "{}", crate::kernel::phrases::Ended(status))?,
    }
    Ok(true)
}
