//! Notes behind `#`: what a call *did*, where that is certain when its line is
//! printed. Pure; who took what from whom is not a note's business.

use std::fmt::{self, Write};

use crate::event::{Event, Image, Moment, WaitExit};
use crate::kernel::{Errno, Signal, Status, Tgid, WaitOptions, WaitStatus};
use crate::ledger::{Ledger, ReapKind};

/// What became of an interrupted wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interruption {
    /// The program sees EINTR, by this signal's handler.
    Eintr(Signal),
    /// The kernel restarted it, after this signal if it was one.
    Restarted(Option<Signal>),
}

/// Write the note of a wait that has ended: nothing if there is nothing to say.
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
        Err(Errno::FAULT) => lost(to, ledger)?,
        Err(Errno::CHILD) => gone(to, event.tgid, exit, ledger)?,
        _ => what_it_did(to, event, exit, ledger)?,
    }
    if to.len() == start {
        to.truncate(before);
    }
    Ok(())
}

fn what_it_did(to: &mut String, event: &Event, exit: &WaitExit, ledger: &Ledger) -> fmt::Result {
    let Some((pid, status)) = exit.reported() else {
        return Ok(());
    };
    let Some(child) = ledger.translate(event.tgid, pid) else {
        return Ok(());
    };
    let name = Named(child.tgid, &child.image);
    match status.map(WaitStatus::decode) {
        _ if exit.lives_on => return write!(to, "{name} lived on: it was stopped or continued"),
        Some(Status::Stopped { .. }) => return write!(to, "{name} is stopped, not ended"),
        Some(Status::Continued) => return write!(to, "{name} runs again"),
        _ => {}
    }
    // Its end must have been seen: without a status a stop looks the same.
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
        // No clock is that coarse: a record has no times, or not this one.
        return write!(to, "reaped {name}");
    }
    write!(to, "reaped {name} {} after it {ending}", Span(after))
}

/// After EFAULT: a child that was dead and unreaped before and is gone now was
/// reaped by this very call.
fn lost(to: &mut String, ledger: &Ledger) -> fmt::Result {
    let lost = ledger.just_reaped();
    let lost = lost.filter(|child| child.reaped.is_some_and(|reap| reap.way == ReapKind::Fault));
    if let Some(child) = lost {
        let name = Named(child.tgid, &child.image);
        write!(to, "{name} is reaped, but its status is lost")?;
    }
    Ok(())
}

/// After ECHILD: the child that was named is gone, and the kernel reaped it.
fn gone(to: &mut String, caller: Tgid, exit: &WaitExit, ledger: &Ledger) -> fmt::Result {
    let named = exit.entry.named.process();
    let child = named.and_then(|pid| ledger.recall(caller, pid));
    let child = child.filter(|child| {
        let by_kernel = child.reaped.filter(|reap| reap.way == ReapKind::Kernel);
        by_kernel.is_some_and(|reap| reap.by_process == caller)
    });
    match child {
        Some(child) => {
            let name = Named(child.tgid, &child.image);
            write!(to, "the kernel reaped {name}, and its status is lost")
        }
        None => Ok(()),
    }
}

/// The note of a run of equal polls.
pub(super) fn of_polls(count: u64, from: Moment, to: Moment) -> String {
    let span = Span(to.since(from));
    if count == 1 {
        format!("polled again {span} later")
    } else {
        format!("polled {count} times in {span}")
    }
}

/// `18232 sleep`
struct Named<'a>(Tgid, &'a Image);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Named(tgid, image) = self;
        write!(f, "{tgid}")?;
        if image.comm.as_bytes().is_empty() {
            return Ok(());
        }
        write!(f, " {}", image.comm)
    }
}

/// A span of time for people: `85 µs`, `0.4 ms`, `1.2 s`. Nanoseconds.
pub(super) struct Span(pub(super) u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Span(nanos) = *self;
        let micros = nanos / 1000;
        match micros {
            0..100 => write!(f, "{micros} µs"),
            100..100_000 => {
                let tenths = (micros + 50) / 100;
                if tenths < 100 {
                    write!(f, "{}.{} ms", tenths / 10, tenths % 10)
                } else {
                    write!(f, "{} ms", tenths / 10)
                }
            }
            _ => {
                let tenths = (micros + 50_000) / 100_000;
                write!(f, "{}.{} s", tenths / 10, tenths % 10)
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_the_unit_that_fits() {
        let spans = [
            0,
            85_900,
            412_000,
            9_960_000,
            45_200_000,
            99_999_999,
            1_249_000_000,
        ];
        let shown: Vec<String> = spans.iter().map(|span| Span(*span).to_string()).collect();
        assert_eq!(
            shown,
            [
                "0 µs", "85 µs", "0.4 ms", "10 ms", "45 ms", "100 ms", "1.2 s"
            ]
        );
    }
}
