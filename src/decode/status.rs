//! Numbers as wait statuses, as exit codes of a shell, of Python and of Windows.

use std::fmt::Write;

use super::answer::{Answer, existing, exists};
use crate::kernel::phrases::{ExitedWith, KilledBy};
use crate::kernel::{Signal, Status, System, WaitStatus};

/// How the number is read, and its meaning or why it has none.
pub(super) type Reading = (&'static str, Result<String, String>);

/// One line for each reading. One valid reading is enough; those of other systems
/// are indented and do not count.
pub(super) fn readings(all: Vec<Reading>) -> Answer {
    let mut text = "\n".to_owned();
    let means_something = all
        .iter()
        .any(|(label, read)| read.is_ok() && !label.starts_with(' '));
    for (reading, read) in all {
        let what = match &read {
            Ok(what) => what.clone(),
            Err(why) => format!("means nothing: {why}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {reading:<22}{what}");
    }
    Answer {
        text,
        means_something,
    }
}

/// A number without a kind: a wait status, as `wait4` writes it, and the exit
/// codes of a shell, of Python and of Windows.
pub(super) fn bare(typed: &str, number: i32, system: Option<System>) -> Answer {
    let chosen = system.unwrap_or_default();
    let mut all = status_readings(number, system);
    if let Some(shell) = by_shell(number, chosen) {
        all.push(("as a shell's $?", Ok(shell)));
        // A decimal number above 128 is more often pasted from a shell.
        if existing(chosen, number - 128).is_some() && !typed.starts_with("0x") {
            all.rotate_right(1);
        }
    }
    if let Some(returncode) = by_python(number, chosen) {
        all.push(("as a returncode", Ok(returncode)));
        // No kernel writes such a status, so the other readings come first.
        all.rotate_right(1);
    }
    if let Some(name) = by_windows(number) {
        all.push(("as Windows' exit code", Ok(name)));
        all.rotate_right(1);
    }
    let mut answer = readings(all);
    let bases = [format!("{number:#x}"), number.to_string()];
    if let Some(other) = bases.iter().find(|base| *base != typed) {
        answer.text.insert_str(0, &format!("  ({other})"));
    }
    answer
}

/// A number that was called a status: one that no kernel writes may be an exit
/// code of a shell.
pub(super) fn of_kind_status(number: i32, system: Option<System>) -> Vec<Reading> {
    let mut all = status_readings(number, system);
    let shell = by_shell(number, system.unwrap_or_default());
    if let Some(shell) = shell.filter(|_| number > 128)
        && all
            .iter()
            .all(|(label, read)| read.is_err() || label.starts_with(' '))
    {
        all.push(("as a shell's $?", Ok(shell)));
    }
    all
}

/// As a wait status of the system, or of each system that decodes it differently.
pub(super) fn status_readings(number: i32, system: Option<System>) -> Vec<Reading> {
    let chosen = system.unwrap_or_default();
    let mut all = vec![("as a wait status", status(number, chosen))];
    let has_16_bits = u16::try_from(number).is_ok();
    if system.is_some() || !has_16_bits {
        return all;
    }
    let first = in_words(WaitStatus::of(chosen, number));
    let [netbsd, freebsd] =
        [System::NetBsd, System::FreeBsd].map(|other| in_words(WaitStatus::of(other, number)));
    let differs = |read: &Result<String, String>| read.is_ok() && *read != first;
    if netbsd == freebsd && differs(&netbsd) {
        all.push(("  on NetBSD, FreeBSD", netbsd));
        return all;
    }
    for (label, read) in [("  on NetBSD", netbsd), ("  on FreeBSD", freebsd)] {
        if differs(&read) {
            all.push((label, read));
        }
    }
    all
}

/// A decoded wait status, with the macros that it satisfies.
fn status(number: i32, system: System) -> Result<String, String> {
    let status = WaitStatus::of(system, number);
    let note = match status.decode() {
        Status::Exited(code) => note_on_code(code, system),
        _ => String::new(),
    };
    in_words(status).map(|words| format!("{words}{note}   {status}"))
}

fn in_words(status: WaitStatus) -> Result<String, String> {
    let system = status.system();
    let upper = status.raw() >> 16;
    let words = match status.decode() {
        // The upper 16 bits of a ptrace stop hold the event.
        Status::Exited(_) | Status::Signaled { .. } | Status::Continued
            if system == System::Linux && upper != 0 =>
        {
            return Err("Linux's kernel gives an end 16 bits".to_owned());
        }
        Status::Signaled { signal, .. } | Status::Stopped { signal, .. } if !exists(signal) => {
            return Err(format!("{system} has no signal {signal}"));
        }
        Status::Signaled { signal, core: true } if !signal.dumps_core() => {
            return Err(format!("no kernel dumps core on {signal}"));
        }
        Status::Exited(code) => ExitedWith(code).to_string(),
        Status::Signaled {
            signal,
            core: false,
        } => KilledBy(signal).to_string(),
        Status::Signaled { signal, core: true } => format!("{}, core dumped", KilledBy(signal)),
        Status::Stopped {
            signal,
            syscall: true,
            ..
        } if signal == Signal::TRAP => "stopped at a system call, for its tracer".to_owned(),
        Status::Stopped { signal, .. } => format!("stopped by {signal}"),
        Status::Continued => "continued".to_owned(),
        Status::Unknown => {
            return Err(format!(
                "{system}'s kernel gives no status whose low byte is {:#x}",
                status.raw() & 0xff
            ));
        }
    };
    Ok(words)
}

/// What a shell tells its own parent by an exit code.
fn note_on_code(code: u8, system: System) -> String {
    let above = i32::from(code) - 128;
    match (code, existing(system, above)) {
        (126, _) => ", as a shell does if it cannot execute what it found".to_owned(),
        (127, _) => ", as a shell does if the command is not found".to_owned(),
        (_, Some(signal)) => format!(", as a shell does if its command was killed by {signal}"),
        (_, None) => String::new(),
    }
}

/// The meaning of a negative `returncode`.
pub(super) fn by_python(number: i32, system: System) -> Option<String> {
    let signal = existing(system, number.checked_neg()?)?;
    Some(format!("{} (Python's subprocess)", KilledBy(signal)))
}

/// The name of an `NTSTATUS` that programs on Windows end with
/// (ntstatus.h of the Windows SDK).
pub(super) fn by_windows(number: i32) -> Option<String> {
    const NAMES: [(u32, &str); 12] = [
        (0x8000_0003, "STATUS_BREAKPOINT"),
        (0xc000_0005, "STATUS_ACCESS_VIOLATION"),
        (0xc000_0017, "STATUS_NO_MEMORY"),
        (0xc000_001d, "STATUS_ILLEGAL_INSTRUCTION"),
        (0xc000_0094, "STATUS_INTEGER_DIVIDE_BY_ZERO"),
        (0xc000_00fd, "STATUS_STACK_OVERFLOW"),
        (0xc000_0135, "STATUS_DLL_NOT_FOUND"),
        (0xc000_0139, "STATUS_ENTRYPOINT_NOT_FOUND"),
        (0xc000_013a, "STATUS_CONTROL_C_EXIT"),
        (0xc000_0142, "STATUS_DLL_INIT_FAILED"),
        (0xc000_0374, "STATUS_HEAP_CORRUPTION"),
        (0xc000_0409, "STATUS_STACK_BUFFER_OVERRUN"),
    ];
    let word = number.cast_unsigned();
    let known = NAMES.iter().find(|(code, _)| *code == word);
    match known {
        Some((_, name)) => Some((*name).to_owned()),
        // The severity and facility of the errors that end a process.
        None => (word >> 16 == 0xc000).then(|| "an NTSTATUS error".to_owned()),
    }
}

/// The meaning of a shell's `$?`.
pub(super) fn by_shell(number: i32, system: System) -> Option<String> {
    if !(0..=255).contains(&number) {
        return None;
    }
    let above = number - 128;
    if let Some(signal) = existing(system, above) {
        let (killed, exited) = (KilledBy(signal), ExitedWith(number));
        return Some(format!("{killed} (128 + {above}), or {exited}"));
    }
    let note = match number {
        126 => ": what was found cannot be executed",
        127 => ": command not found",
        255 => ": exit(-1), say, or ssh that failed itself",
        _ => "",
    };
    Some(format!("{}{note}", ExitedWith(number)))
}
