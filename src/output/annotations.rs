//! Annotations behind `#`: what a call *did*, where that is certain when its
//! line is printed. Who is to blame is decided by the rules.

use std::fmt::{self, Write};

use super::span::Span;
use crate::event::{Event, Image, Moment, WaitExit, escape_controls};
use crate::kernel::{Errno, Signal, Status, Tgid, WaitOptions, WaitStatus};
use crate::ledger::{Ledger, Reap, ReapKind};

/// The outcome of an interrupted wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interruption {
    /// The program sees EINTR, by this signal's handler.
    Eintr(Signal),
    /// The kernel restarted it, after this signal; `None` if only tracing made it do so.
    Restarted(Option<Signal>),
}

/// Write the annotation of a wait that has ended; nothing if there is nothing to
/// add.
pub(super) fn of_wait(
    to: &mut String,
    event: &Event,
    exit: &WaitExit,
    interruption: Option<Interruption>,
    ledger: &Ledger,
) -> fmt::Result {
    match interruption {
        Some(Interruption::Eintr(by)) => {
            write!(to, "interrupted by {by}; the program saw EINTR")?;
        }
        Some(Interruption::Restarted(Some(by))) => {
            write!(to, "restarted after {by}; the program saw nothing")?;
        }
        Some(Interruption::Restarted(None)) | None => {}
    }
    let before = to.len();
    if before > 0 {
        to.push_str("; ");
    }
    let start = to.len();
    match exit.result {
        Err(Errno::FAULT) => lost_status(to, ledger)?,
        Err(Errno::CHILD) => reaped_by_kernel(to, event.tgid, exit, ledger)?,
        _ => of_child(to, event, exit, ledger)?,
    }
    if to.len() == start {
        to.truncate(before);
    }
    Ok(())
}

fn of_child(to: &mut String, event: &Event, exit: &WaitExit, ledger: &Ledger) -> fmt::Result {
    let (child, status) = if let Some((pid, status)) = exit.reported() {
        (ledger.translate(event.tgid, pid), status)
    } else {
        // waitid without a siginfo: what it took is known where only one could be.
        let by_this = |reap: Reap| reap.by == event.tid;
        let taken = ledger.just_reaped();
        let taken = taken.filter(|child| child.reaped.is_some_and(by_this));
        (taken, None)
    };
    let Some(child) = child else {
        return Ok(());
    };
    let name = PidAndName(child.tgid, &child.image);
    match status.map(WaitStatus::decode) {
        _ if exit.lives_on => return write!(to, "{name} lived on: it was stopped or continued"),
        Some(Status::Stopped { .. }) => return write!(to, "{name} is stopped, not ended"),
        Some(Status::Continued) => return write!(to, "{name} runs again"),
        _ => {}
    }
    // Its end must have been observed: without a status a stop looks the same.
    let Some(end) = child.ended else {
        return Ok(());
    };
    if exit.entry.options.contains(WaitOptions::NOWAIT) {
        return write!(to, "looked at {name}, which stays a zombie");
    }
    let ending = match end.status.decode() {
        Status::Signaled { .. } => "was killed",
        _ => "exited",
    };
    if end.when.is_before_attach {
        return write!(to, "reaped {name}, which {ending} before the attach");
    }
    let after = event.at.since(end.when.at);
    if after == 0 {
        // No clock is that coarse: the record has no times.
        return write!(to, "reaped {name}");
    }
    write!(to, "reaped {name} {} after it {ending}", Span(after))
}

/// After EFAULT: a child that was dead and unreaped before and is gone now was
/// reaped by this very call.
fn lost_status(to: &mut String, ledger: &Ledger) -> fmt::Result {
    let lost = ledger.just_reaped();
    let lost = lost.filter(|child| child.reaped.is_some_and(|reap| reap.way == ReapKind::Fault));
    if let Some(child) = lost {
        let name = PidAndName(child.tgid, &child.image);
        write!(to, "{name} is reaped, but its status is lost")?;
    }
    Ok(())
}

/// After ECHILD: the child that was named is gone, and the kernel reaped it.
fn reaped_by_kernel(
    to: &mut String,
    caller: Tgid,
    exit: &WaitExit,
    ledger: &Ledger,
) -> fmt::Result {
    let named = exit.entry.named.process();
    let child = named.and_then(|pid| ledger.recall(caller, pid));
    let child = child.filter(|child| {
        let by_kernel = child.reaped.filter(|reap| reap.way == ReapKind::Kernel);
        by_kernel.is_some_and(|reap| reap.by_process.tgid == caller)
    });
    match child {
        Some(child) => {
            let name = PidAndName(child.tgid, &child.image);
            write!(to, "the kernel reaped {name}, and its status is lost")
        }
        None => Ok(()),
    }
}

/// The annotation of a run of equal polls.
pub(super) fn of_polls(count: u64, from: Moment, to: Moment) -> String {
    let span = Span(to.since(from));
    if count == 1 {
        format!("polled again {span} later")
    } else {
        format!("polled {count} times in {span}")
    }
}

/// `18232 sleep`
struct PidAndName<'a>(Tgid, &'a Image);

impl fmt::Display for PidAndName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PidAndName(tgid, image) = self;
        write!(f, "{tgid}")?;
        if image.comm.as_bytes().is_empty() {
            return Ok(());
        }
        write!(f, " {}", image.comm)
    }
}

/// ` sleep 0.1`: arguments as a shell takes them, cut at so many characters with what
/// stands before.
pub(super) fn command(to: &mut String, image: &Image) -> fmt::Result {
    const MOST: usize = 60;
    // The path stands before them.
    let is_path = image.path.is_some() && image.argv.first() == image.path.as_ref();
    for word in image.argv.iter().skip(usize::from(is_path)) {
        to.write_char(' ')?;
        write_quoted(to, word)?;
        if let Some((end, _)) = to.char_indices().nth(MOST) {
            let last = to.char_indices().nth(MOST - 1).map_or(end, |(at, _)| at);
            to.truncate(last);
            return to.write_char('…');
        }
    }
    Ok(())
}

/// A word as a shell takes it; what could harm a terminal is escaped.
pub(super) fn write_quoted(to: &mut String, word: &[u8]) -> fmt::Result {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(byte);
    if !word.is_empty() && word.iter().all(plain) {
        return escape_controls(word, to);
    }
    to.write_char('\'')?;
    for (index, piece) in word.split(|byte| *byte == b'\'').enumerate() {
        if index > 0 {
            to.write_str(r"'\''")?;
        }
        escape_controls(piece, to)?;
    }
    to.write_char('\'')
}

/// `["sleep", "0.1"]`: arguments as they were given, cut where they are long.
pub(super) fn arguments(to: &mut String, image: &Image) -> fmt::Result {
    /// As strace does without `-v` and `-s`.
    const MOST_ARGUMENTS: usize = 32;
    const MOST_BYTES: usize = 64;
    to.write_char('[')?;
    for (index, argument) in image.argv.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        if index == MOST_ARGUMENTS {
            write!(to, "{comma}...")?;
            break;
        }
        write!(to, "{comma}\"")?;
        let shown = argument.get(..MOST_BYTES).unwrap_or(argument);
        crate::event::escape(shown, to)?;
        to.write_str(if shown.len() < argument.len() {
            "\"..."
        } else {
            "\""
        })?;
    }
    to.write_char(']')
}
