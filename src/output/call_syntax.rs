//! A call's words in strace's grammar: what stands at the entry, what at the
//! exit.

use std::fmt::{self, Write};

use super::options::{Pids, Style, TextOptions};
use crate::event::{Comm, Fetched, NOT_SHOWN, Named, TargetName, WaitEntry, WaitExit, escape};
use crate::kernel::{IdType, NsPid, Rusage, SigInfo, Tgid, TimeVal, WaitCall};
use crate::ledger::Ledger;

/// How the pids of a tracee are shown: plain, with names, or translated.
pub(super) struct Names<'a> {
    pub(super) ledger: &'a Ledger,
    /// The process whose pids they are.
    pub(super) caller: Tgid,
    pub(super) pids: Pids,
}

impl Names<'_> {
    /// A pid, with what is known of it. Only of a process that exists: like
    /// strace, which asks `/proc`, a reaped one is a number.
    pub(super) fn pid(&self, to: &mut dyn Write, pid: NsPid, known: Option<Comm>) -> fmt::Result {
        write!(to, "{pid}")?;
        match self.pids {
            Pids::Plain => Ok(()),
            Pids::Names => {
                let inner = self.ledger.is_in_inner_namespace(self.caller);
                let theirs = || {
                    let process = self.ledger.existing(self.caller, pid)?;
                    inner.then_some(process.image.comm)
                };
                match known.or_else(theirs) {
                    Some(comm) => write!(to, "<{comm}>"),
                    None => Ok(()),
                }
            }
            Pids::Translated => match self.foreign(pid) {
                Some(ours) => write!(to, " /* {ours} in strace's PID NS */"),
                None => Ok(()),
            },
        }
    }

    /// The pid in our namespace, where it is another number.
    fn foreign(&self, pid: NsPid) -> Option<Tgid> {
        let ours = self.ledger.existing(self.caller, pid)?.tgid;
        (ours.raw() != pid.raw()).then_some(ours)
    }
}

/// `wait4(-1` or `waitid(P_PID, 426`: what strace prints at the entry.
pub(super) fn head(to: &mut String, entry: &WaitEntry, names: &Names<'_>) -> fmt::Result {
    write!(to, "{}(", entry.call.name())?;
    let comm = match &entry.target {
        Some(TargetName::Comm(comm)) => Some(*comm),
        _ => None,
    };
    match entry.named {
        Named::Pid(pid) if pid > 0 => names.pid(to, NsPid::new(pid), comm),
        Named::Pid(group) => group_word(to, group, names),
        Named::Id(IdType::PID, pid) => {
            to.write_str("P_PID, ")?;
            names.pid(to, NsPid::new(pid.cast_signed()), comm)
        }
        Named::Id(IdType::PIDFD, fd) => {
            write!(to, "P_PIDFD, {}", fd.cast_signed())?;
            descriptor(to, entry.target.as_ref())
        }
        Named::Id(kind, id) => write!(to, "{kind}, {}", id.cast_signed()),
        Named::Unknown if entry.call == WaitCall::Waitid => to.write_str("?, ?"),
        Named::Unknown => to.write_char('?'),
    }
}

/// A negated group, 0 or -1: the group's leader names it.
fn group_word(to: &mut String, group: i32, names: &Names<'_>) -> fmt::Result {
    write!(to, "{group}")?;
    let leader = group.checked_neg().filter(|pid| *pid > 1).map(NsPid::new);
    if names.pids == Pids::Translated
        && let Some(ours) = leader.and_then(|pid| names.foreign(pid))
    {
        write!(to, " /* -{ours} in strace's PID NS */")?;
    }
    Ok(())
}

fn descriptor(to: &mut String, target: Option<&TargetName>) -> fmt::Result {
    match target {
        Some(TargetName::Link(link)) => {
            to.write_char('<')?;
            escape(link, to)?;
            to.write_char('>')
        }
        Some(TargetName::PidFd(pid)) => write!(to, "<pid:{pid}>"),
        Some(TargetName::Comm(_)) | None => Ok(()),
    }
}

/// What strace prints at the exit: from the comma to the closing parenthesis.
pub(super) fn tail(
    to: &mut String,
    exit: &WaitExit,
    options: &TextOptions,
    names: &Names<'_>,
) -> fmt::Result {
    to.write_str(", ")?;
    if exit.entry.call == WaitCall::Waitid {
        pointer(to, &exit.info, |to, info| {
            let has_times = options.style == Style::Strace;
            siginfo(to, info, has_times, exit.child, names)
        })?;
    } else {
        pointer(to, &exit.status, |to, status| write!(to, "[{status}]"))?;
    }
    if exit.entry.is_half {
        to.write_str(", ?")?;
    } else {
        write!(to, ", {}", exit.entry.options)?;
    }
    match exit.entry.call {
        WaitCall::Waitpid => {}
        WaitCall::Wait4 | WaitCall::Waitid => {
            to.write_str(", ")?;
            pointer(to, &exit.rusage, |to, usage| {
                rusage(to, usage, options.verbose)
            })?;
        }
        WaitCall::Wait6 => {
            to.write_str(", ")?;
            pointer(to, &exit.rusage, |to, usage| {
                wrusage(to, usage, options.verbose)
            })?;
            match exit.entry.info_at {
                0 => to.write_str(", NULL")?,
                address => write!(to, ", {address:#x}")?,
            }
        }
    }
    to.write_char(')')
}

/// `= 42`, `= -1 ECHILD (No child processes)`, `= ? ERESTARTSYS (…)`: without
/// the `= `.
pub(super) fn result(to: &mut String, exit: &WaitExit, names: &Names<'_>) -> fmt::Result {
    match exit.result {
        Ok(pid) if exit.entry.call != WaitCall::Waitid && pid.raw() > 0 => {
            names.pid(to, pid, exit.child)
        }
        Ok(number) => write!(to, "{number}"),
        Err(errno) if errno.is_restart() => write!(to, "? {errno}"),
        Err(errno) => write!(to, "-1 {errno}"),
    }
}

/// A siginfo, its pids decorated.
pub(super) fn siginfo(
    to: &mut String,
    info: &SigInfo,
    has_times: bool,
    known: Option<Comm>,
    names: &Names<'_>,
) -> fmt::Result {
    info.write_with(to, &mut |to, pid| names.pid(to, pid, known), has_times)
}

fn pointer<T>(
    to: &mut String,
    fetched: &Fetched<T>,
    show: impl FnOnce(&mut String, &T) -> fmt::Result,
) -> fmt::Result {
    match fetched {
        Fetched::Null => to.write_str("NULL"),
        Fetched::Unread { addr: NOT_SHOWN } => to.write_char('?'),
        Fetched::Unread { addr } | Fetched::Unreadable { addr, .. } => write!(to, "{addr:#x}"),
        Fetched::Value { value, .. } => show(to, value),
    }
}

/// wait6's `struct __wrusage`: what the child used, and what the children did
/// that it reaped. No record holds the second.
fn wrusage(to: &mut String, own: &Rusage, verbose: bool) -> fmt::Result {
    to.write_str("{wru_self=")?;
    rusage(to, own, verbose)?;
    to.write_str(", wru_children=?}")
}

fn rusage(to: &mut String, usage: &Rusage, verbose: bool) -> fmt::Result {
    let time = |to: &mut String, name: &str, time: TimeVal| {
        write!(
            to,
            "{name}={{tv_sec={}, tv_usec={}}}, ",
            time.sec,
            time.usec.cast_unsigned()
        )
    };
    to.write_char('{')?;
    time(to, "ru_utime", usage.utime)?;
    time(to, "ru_stime", usage.stime)?;
    if !verbose {
        return to.write_str("...}");
    }
    let words = [
        ("maxrss", usage.maxrss),
        ("ixrss", usage.ixrss),
        ("idrss", usage.idrss),
        ("isrss", usage.isrss),
        ("minflt", usage.minflt),
        ("majflt", usage.majflt),
        ("nswap", usage.nswap),
        ("inblock", usage.inblock),
        ("oublock", usage.oublock),
        ("msgsnd", usage.msgsnd),
        ("msgrcv", usage.msgrcv),
        ("nsignals", usage.nsignals),
        ("nvcsw", usage.nvcsw),
        ("nivcsw", usage.nivcsw),
    ];
    let mut comma = "";
    for (name, value) in words {
        write!(to, "{comma}ru_{name}={}", value.cast_unsigned())?;
        comma = ", ";
    }
    to.write_char('}')
}
