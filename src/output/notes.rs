//! Notes behind `#`: what a call *did*, where that is certain when its line is
//! printed. Pure; who took what from whom is not a note's business.

use std::fmt::{self, Write};

use crate::event::{Event, Image, Moment, WaitExit};
use crate::kernel::{Errno, Signal, Status, Tgid, WaitOptions, WaitStatus};
use crate::ledger::Ledger;

/// What became of an interrupted wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interruption {
    /// The program sees EINTR, by this signal's handler.
    Eintr(Signal),
    /// The kernel restarted it, after this signal if it was one.
    Restarted(Option<Signal>),
}

/// The note of a wait that has ended, empty if there is nothing to say.
pub(super) fn of_wait(
    event: &Event,
    exit: &WaitExit,
    interruption: Option<Interruption>,
    ledger: &Ledger,
) -> String {
    let mut notes = Vec::new();
    match interruption {
        Some(Interruption::Eintr(signal)) => {
            notes.push(format!("interrupted by {signal}; the program saw EINTR"));
        }
        Some(Interruption::Restarted(Some(signal))) => {
            notes.push(format!("restarted after {signal}; the program saw nothing"));
        }
        Some(Interruption::Restarted(None)) | None => {}
    }
    if let Some(did) = what_it_did(event, exit, ledger) {
        notes.push(did);
    } else if exit.result == Err(Errno::FAULT) {
        notes.extend(lost(event.tgid, exit, ledger));
    }
    notes.join("; ")
}

fn what_it_did(event: &Event, exit: &WaitExit, ledger: &Ledger) -> Option<String> {
    let (pid, status) = exit.reported()?;
    let child = ledger.translate(event.tgid, pid)?;
    let name = Named(child.tgid, &child.image);
    match status.map(WaitStatus::decode) {
        Some(Status::Stopped { .. }) => return Some(format!("{name} is stopped, not ended")),
        Some(Status::Continued) => return Some(format!("{name} runs again")),
        _ => {}
    }
    // Its end must have been seen: without a status a stop looks the same.
    let (ended, how) = child.ended?;
    if exit.entry.options.contains(WaitOptions::NOWAIT) {
        return Some(format!("looked at {name}, which stays a zombie"));
    }
    let after = Span(event.at.since(ended));
    let ending = match how.decode() {
        Status::Signaled { .. } => "was killed",
        _ => "exited",
    };
    Some(format!("reaped {name} {after} after it {ending}"))
}

/// After EFAULT: a child that was dead and unreaped before and is gone now was
/// reaped by this very call. Certain only of the one that the call named, or
/// if there is one alone.
fn lost(caller: Tgid, exit: &WaitExit, ledger: &Ledger) -> Option<String> {
    let remaining = exit.remaining.as_ref()?;
    let mut gone = ledger
        .unreaped(caller)
        .filter(|child| !remaining.contains(&child.tgid));
    let child = gone.next()?;
    if gone.next().is_some() {
        return None;
    }
    Some(format!(
        "{} is reaped, but its status is lost",
        Named(child.tgid, &child.image)
    ))
}

/// The note of a run of equal polls.
pub(super) fn of_polls(count: u64, from: Moment, to: Moment) -> String {
    let times = if count == 1 { "time" } else { "times" };
    format!("polled {count} {times} in {}", Span(to.since(from)))
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
