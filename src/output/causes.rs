//! Where a signal came from, and who killed a process, in a few words.

use std::fmt::{self, Write};

use super::annotations::write_quoted;
use crate::event::{Comm, FailedExec};
use crate::kernel::{Errno, Fields, SigInfo, Signal, Status, Tgid, WaitStatus};
use crate::ledger::{FailedExecs, Ledger, Process};

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
        // It may be reaped by now. A stranger's name was looked up.
        let sender = ledger.recall(receiver, pid).filter(|_| name.is_none());
        if sender.is_some_and(|sender| sender.tgid == receiver) {
            to.write_str(match info.signo {
                // The kernel sends it in the name of the writer, like its own kill.
                Signal::PIPE if info.code == 0 => {
                    " from itself, or its pipe or socket has no reader"
                }
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
            Signal::HUP => to.write_str(
                " from the kernel: its terminal is gone, or its process group is orphaned",
            )?,
            Signal::ALRM | Signal::VTALRM | Signal::PROF => to.write_str(" from a timer")?,
            // A realtime thread has a limit of its own: RLIMIT_RTTIME.
            Signal::XCPU => to.write_str(" from the kernel: its limit of CPU time is reached")?,
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
    let Some(dead) = ledger.process(tgid) else {
        return Ok(());
    };
    let signal = match status.decode() {
        Status::Signaled { signal, .. } => signal,
        Status::Exited(code) => return of_failed_exec(to, code, dead, ledger),
        _ => return Ok(()),
    };
    if signal == Signal::KILL {
        return match dead.history.kill_sent_by {
            None => match ledger.group_killer().and_then(|pid| ledger.process(pid)) {
                Some(sender) => {
                    to.write_str("perhaps from ")?;
                    process(to, sender)?;
                    to.write_str(", which killed a process group")
                }
                None if is_over_cpu_limit(dead) => to.write_str(
                    "sender not seen; perhaps the kernel, at the hard limit of its CPU time",
                ),
                None => to.write_str("sender not seen"),
            },
            Some(_) if dead.history.killed_by_tracer => to.write_str("from wait4-strace"),
            Some(sender) if sender == tgid => to.write_str("from itself"),
            Some(sender) => {
                to.write_str("from ")?;
                match ledger.process(sender) {
                    Some(sender) => process(to, sender),
                    None => write!(to, "{sender}"),
                }
            }
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

/// Whether the last signal that it got was of the kernel, at the soft limit of its CPU time.
/// SIGKILL follows at the hard one.
fn is_over_cpu_limit(dead: &Process) -> bool {
    dead.history.delivered.is_some_and(|delivered| {
        delivered.signal == Signal::XCPU
            && delivered.info.is_some_and(|info| info.code == SI_KERNEL)
    })
}

/// Which exec failed, of a process that executed nothing or ends with a shell's code for it.
/// Where no failure was seen, what that code most likely means of a process that ran no
/// program of its own, and passes on no other's status.
fn of_failed_exec(to: &mut String, code: u8, dead: &Process, ledger: &Ledger) -> fmt::Result {
    let executed_nothing = dead.created_by.is_some() && dead.execs.is_empty();
    if let Some(failed) = &dead.failed_execs
        && (executed_nothing && code != 0 || matches!(code, 126 | 127))
    {
        return exec_failures(to, failed);
    }
    // A record may have no execs at all.
    let is_copy = ledger.saw_exec() && executed_nothing && !dead.has_waited();
    match code {
        126 if is_copy => {
            to.write_str("executed nothing; of a shell, 126 is a command that may not be executed")
        }
        127 if is_copy => to.write_str("executed nothing; of a shell, 127 is a command not found"),
        _ => Ok(()),
    }
}

/// `exec failed: ./foo: EACCES`, `5 execs failed, the last /usr/bin/foo: ENOENT`
fn exec_failures(to: &mut String, failed: &FailedExecs) -> fmt::Result {
    let FailedExecs { count, last, .. } = failed;
    match failed.telling.as_ref().filter(|telling| *telling != last) {
        Some(telling) => {
            to.write_str("exec failed: ")?;
            failed_exec(to, telling)?;
            to.write_str("; the last, ")?;
            failed_exec(to, last)
        }
        None if *count == 1 => {
            to.write_str("exec failed: ")?;
            failed_exec(to, last)?;
            // Of a script it may be the interpreter that is not there.
            to.write_str(match last.errno {
                Errno::NOENT => " (the file or its interpreter)",
                _ => "",
            })
        }
        None => {
            write!(to, "{count} execs failed, the last ")?;
            failed_exec(to, last)
        }
    }
}

/// `/usr/bin/foo: ENOENT`
pub(super) fn failed_exec(to: &mut String, failed: &FailedExec) -> fmt::Result {
    match &failed.path {
        Some(path) => write_quoted(to, path)?,
        None => to.write_str("a path that could not be read")?,
    }
    match failed.errno.name() {
        Some(name) => write!(to, ": {name}"),
        None => write!(to, ": errno {}", failed.errno.raw()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;
    use crate::event::script::Script;

    /// Who killed a process with this wait status.
    fn killer(script: &Script, tgid: i32, word: i32) -> String {
        let mut ledger = Ledger::new();
        for event in &script.events {
            ledger.apply(event);
        }
        let mut text = String::new();
        of_death(
            &mut text,
            Tgid::new(tgid),
            WaitStatus::from_raw(word),
            &ledger,
        )
        .unwrap();
        text
    }

    #[test]
    fn a_sender_that_is_reaped_keeps_its_name() {
        let mut script = Script::launched(1);
        script.fork(1, 10).exec(10, "kill").fork(1, 11);
        script.signalled(11, Signal::TERM, 10).end(10, 0);
        script.wait(1, 10, 0, Ok((10, 0))).end(11, 15);
        assert_eq!(killer(&script, 11, 15), "from 10 kill");
    }

    #[test]
    fn the_kernel_ends_what_has_used_its_cpu_time() {
        let over = |code| {
            let info = SigInfo {
                signo: Signal::XCPU,
                errno: 0,
                code,
                fields: Fields::Nothing,
            };
            let got = EventKind::Signalled {
                signal: Signal::XCPU,
                info: Some(info),
                sender: None,
                dropped: false,
            };
            let mut script = Script::launched(1);
            script.fork(1, 10).event(10, got);
            script
        };
        assert_eq!(
            killer(&over(SI_KERNEL), 10, Signal::XCPU.raw()),
            "from the kernel: its limit of CPU time is reached"
        );
        assert_eq!(
            killer(&over(SI_KERNEL), 10, 9),
            "sender not seen; perhaps the kernel, at the hard limit of its CPU time"
        );
        assert_eq!(killer(&over(0), 10, 9), "sender not seen");
    }

    #[test]
    fn a_kill_by_the_tracer_is_said_to_be_its() {
        let mut script = Script::launched(1);
        script.fork(1, 10).kill(99, 10, Signal::KILL).end(10, 9);
        assert_eq!(killer(&script, 10, 9), "from wait4-strace");
        script.fork(1, 11).kill(1, 11, Signal::KILL).end(11, 9);
        assert_eq!(killer(&script, 11, 9), "from 1");
    }

    #[test]
    fn a_group_may_have_been_killed_by_a_process_that_killed_one() {
        let mut script = Script::launched(1);
        script.fork(1, 10).fork(1, 11).exec(11, "sh");
        script.kill(11, -10, Signal::KILL).end(10, 9);
        assert_eq!(
            killer(&script, 10, 9),
            "perhaps from 11 sh, which killed a process group"
        );
        script.after(2000).end(11, 9);
        assert_eq!(killer(&script, 11, 9), "sender not seen");
    }

    #[test]
    fn a_copy_that_exits_as_a_failed_exec_does_is_said_to_have_executed_nothing() {
        let mut script = Script::launched(1);
        script.fork(1, 9).end(9, 127 << 8);
        assert_eq!(killer(&script, 9, 127 << 8), "", "no exec was seen");
        script.exec(1, "sh").fork(1, 10).end(10, 127 << 8);
        assert_eq!(
            killer(&script, 10, 127 << 8),
            "executed nothing; of a shell, 127 is a command not found"
        );
        script.fork(1, 11).exec(11, "env").end(11, 127 << 8);
        assert_eq!(killer(&script, 11, 127 << 8), "");
        // A subshell passes on what its last command exited with.
        script.fork(1, 12).fork(12, 13).end(13, 127 << 8);
        script.wait(12, -1, 0, Ok((13, 127 << 8))).end(12, 127 << 8);
        assert_eq!(killer(&script, 12, 127 << 8), "");
        assert_eq!(killer(&script, 1, 127 << 8), "");
    }

    #[test]
    fn which_exec_failed_is_said_where_it_was_seen() {
        let mut script = Script::launched(1);
        script.exec(1, "sh").fork(1, 10);
        let note = |script: &Script, code| killer(script, 10, code << 8);
        script.exec_failed(10, "./a b", Errno::NOENT);
        assert_eq!(
            note(&script, 255),
            "exec failed: './a b': ENOENT (the file or its interpreter)"
        );
        assert_eq!(note(&script, 0), "");
        script.exec_failed(10, "/bin/a", Errno::NOENT);
        assert_eq!(
            note(&script, 127),
            "2 execs failed, the last /bin/a: ENOENT"
        );
        script.exec_failed(10, "/opt/a", Errno::ACCES);
        assert_eq!(note(&script, 1), "3 execs failed, the last /opt/a: EACCES");
        script.exec_failed(10, "/sbin/a", Errno::NOENT);
        assert_eq!(
            note(&script, 126),
            "exec failed: /opt/a: EACCES; the last, /sbin/a: ENOENT"
        );
    }

    #[test]
    fn an_exec_that_failed_earlier_is_not_why_a_process_ends() {
        let failed = |script: &mut Script| {
            script.exec(1, "sh").fork(1, 10);
            script.exec_failed(10, "/bin/a", Errno::NOENT);
        };
        let mut executed = Script::launched(1);
        failed(&mut executed);
        executed.exec(10, "env");
        assert_eq!(killer(&executed, 10, 127 << 8), "");
        executed.exec_failed(10, "/bin/b", Errno::ACCES);
        assert_eq!(
            killer(&executed, 10, 126 << 8),
            "exec failed: /bin/b: EACCES"
        );
        assert_eq!(killer(&executed, 10, 1 << 8), "");
        let mut parent = Script::launched(1);
        failed(&mut parent);
        parent.fork(10, 11).end(11, 3 << 8);
        assert_eq!(killer(&parent, 10, 3 << 8), "");
    }

    #[test]
    fn the_first_process_may_kill_itself() {
        let mut script = Script::launched(1);
        script.signalled(1, Signal::ABRT, 1).end(1, 6);
        assert_eq!(killer(&script, 1, 6), "from itself");
    }
}
