//! Processes, waits and other actions in a few words, as the report has them.

use std::fmt;

use crate::event::{Named, WaitExit};
use crate::kernel::phrases::{how_it_ended, plural};
use crate::kernel::{IdType, WaitCall};
use crate::ledger::{CompletedWait, Outcome, Stamp, Waiting};
use crate::output::annotations::write_quoted;
use crate::output::causes;
use crate::rules::{Action, AffectedChild, ProcessRef};

/// How much of a command line is shown.
const MOST_OF_A_COMMAND: usize = 72;

/// A wait call and what it waits for: `wait4(-1)`.
pub(in crate::output) fn call_words(call: WaitCall, named: Named) -> String {
    format!("{}({})", call.name(), WaitedFor(named))
}

/// What a wait gave, in a few words.
pub(in crate::output) fn shortly(exit: &WaitExit) -> String {
    match (exit.reported(), exit.result) {
        (Some((pid, Some(status))), _) if status.is_end() => {
            format!("{pid}, which {}", how_it_ended(status))
        }
        (Some((pid, _)), _) | (None, Ok(pid)) => pid.to_string(),
        (None, Err(errno)) => errno.name().unwrap_or("an error").to_owned(),
    }
}

/// `2415 sh`
pub(super) struct Name<'a>(pub(super) &'a ProcessRef);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Name(process) = self;
        write!(f, "{}", process.tgid)?;
        if process.comm().as_bytes().is_empty() {
            return Ok(());
        }
        write!(f, " {}", process.comm())
    }
}

/// `2415 sh -c 'exit 3'`: as one would type it, cut where it is long.
pub(super) struct Command<'a>(pub(super) &'a ProcessRef);

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Command(process) = self;
        if process.image.argv.is_empty() {
            return Name(process).fmt(f);
        }
        write!(f, "{}", process.tgid)?;
        let mut room = MOST_OF_A_COMMAND;
        for word in &process.image.argv {
            let shown = shell_word(word);
            let length = shown.chars().count();
            if length > room {
                let cut: String = shown.chars().take(room).collect();
                return write!(f, " {cut}…");
            }
            room -= length;
            write!(f, " {shown}")?;
        }
        Ok(())
    }
}

/// A word as a shell takes it; what could harm a terminal is escaped.
pub(crate) fn shell_word(word: &[u8]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_quoted(&mut text, word);
    text
}

/// A child and how it ended, or when it was last known to live.
pub(super) struct ChildLine<'a>(pub(super) &'a AffectedChild);

impl fmt::Display for ChildLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChildLine(child) = self;
        let (when, how) = match child.ended {
            Some((when, status)) => (when, how_it_ended(status)),
            None => (child.found, "alive".to_owned()),
        };
        write!(f, "{}, {how}", Command(&child.process))?;
        if when.is_before_attach {
            write!(f, " {}", When(when))
        } else if is_timed(when) {
            write!(f, " at {}", When(when))
        } else {
            Ok(())
        }
    }
}

/// Whether it is known when that was. Of a log without times all is at its begin; a trace
/// of ours has nothing there.
pub(super) fn is_timed(when: Stamp) -> bool {
    when.is_before_attach || when.at.0 > 0
}

/// Seconds since the trace began, as far as that is known.
pub(super) struct When(pub(super) Stamp);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_before_attach {
            return f.write_str("before the attach");
        }
        let micros = self.0.at.0 / 1000;
        write!(f, "+{}.{:03} s", micros / 1_000_000, micros / 1000 % 1000)
    }
}

/// What a wait waits for: `-1`, `P_PGID, 12`.
pub(super) struct WaitedFor(pub(super) Named);

impl fmt::Display for WaitedFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Named::Pid(pid) => pid.fmt(f),
            Named::Unknown => f.write_str("?"),
            Named::Id(IdType::ALL, _) => f.write_str("P_ALL"),
            Named::Id(kind, id) => write!(f, "{kind}, {}", id.cast_signed()),
        }
    }
}

/// A wait that ended: `wait4(2415, …) = ECHILD`.
pub(super) struct Waited<'a>(pub(super) &'a CompletedWait);

impl fmt::Display for Waited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Waited(completed) = self;
        write!(
            f,
            "{}({}, …",
            completed.call.name(),
            WaitedFor(completed.named)
        )?;
        if completed.options.raw() != 0 {
            write!(f, ", {}", completed.options)?;
        }
        f.write_str(") = ")?;
        match completed.outcome {
            Outcome::Child(pid, _) => write!(f, "{pid}"),
            Outcome::Nothing => f.write_str("0"),
            Outcome::Eintr(by) => write!(f, "EINTR by {by}"),
            Outcome::Error(errno) => match errno.name() {
                Some(name) => f.write_str(name),
                None => write!(f, "-{}", errno.raw()),
            },
        }
    }
}

/// An action in a few words.
pub(super) struct Did<'a>(pub(super) &'a Action);

impl fmt::Display for Did<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Action::Waited(completed) => Waited(completed).fmt(f),
            Action::NoWait(None) => f.write_str("made no wait from here on"),
            Action::NoWait(Some(call)) => write!(f, "made no wait from here on; it is in {call}"),
            Action::OtherWaits(waits, polls, last) => {
                let waits = plural(*waits, "wait", "waits");
                write!(
                    f,
                    "{waits} since then ({polls} WNOHANG), the last {}",
                    Waited(last)
                )
            }
            Action::Waits(waiting) => Waits(waiting).fmt(f),
            Action::Ended(status) => f.write_str(&how_it_ended(*status)),
            Action::Born => f.write_str("was created"),
            Action::Executed(image) => write!(f, "executed {}", image.comm),
            Action::ExecFailed(failed) => {
                let mut text = String::new();
                causes::failed_exec(&mut text, failed)?;
                write!(f, "exec failed: {text}")
            }
            Action::Exits(code) => write!(f, "exit_group({code})"),
            Action::Kills(target, signal) => write!(f, "kill({target}, {signal})"),
            Action::Handles(address) => write!(f, "set the SIGCHLD handler {address:#x}"),
            Action::IgnoresSigchld => f.write_str("ignored SIGCHLD"),
            Action::SetsNoWait => f.write_str("set SA_NOCLDWAIT"),
            Action::Stopped(signal) => write!(f, "was stopped by {signal}"),
            Action::Got(signal) => write!(f, "got {signal}"),
            Action::ThreadEnded => f.write_str("the thread has ended"),
            Action::Adopted(child) => write!(f, "adopted {child}"),
            Action::Vforked(child) => write!(f, "vforked {child}"),
            Action::OnPipe(true, fd) => write!(f, "is in write({fd}, …)"),
            Action::OnPipe(false, fd) => write!(f, "is in read({fd}, …)"),
            Action::AwaitsStream(fd) => write!(f, "is blocked until fd {fd} is readable"),
            Action::AwaitsSigchld => f.write_str("waits for SIGCHLD (sigwait or signalfd)"),
            Action::LivesOn { output, error } => f.write_str(match (output, error) {
                (true, true) => "is alive, and holds the command's output and error",
                (true, false) => "is alive, and holds the command's output",
                (false, true) => "is alive, and holds the command's standard error",
                (false, false) => "is alive",
            }),
        }
    }
}

/// A wait that has not ended: `is in wait4(2415, …)`.
pub(super) struct Waits<'a>(pub(super) &'a Waiting);

impl fmt::Display for Waits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Waits(waiting) = self;
        let (call, named) = (waiting.call.name(), WaitedFor(waiting.named));
        write!(f, "is in {call}({named}, …")?;
        if waiting.options.raw() != 0 {
            write!(f, ", {}", waiting.options)?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Image, Moment};
    use crate::kernel::{Tgid, WaitStatus};

    #[test]
    fn of_a_child_that_lived_it_is_said_when() {
        let stamp = |millis: u64| Stamp {
            at: Moment(millis * 1_000_000),
            ..Stamp::default()
        };
        let mut child = AffectedChild {
            process: ProcessRef {
                id: None,
                tgid: Tgid::new(7),
                image: Arc::new(Image {
                    argv: vec![b"sleep".to_vec()],
                    ..Image::default()
                }),
            },
            ended: None,
            found: stamp(1500),
            created_at: None,
        };
        assert_eq!(ChildLine(&child).to_string(), "7 sleep, alive at +1.500 s");
        child.found = Stamp::default();
        assert_eq!(ChildLine(&child).to_string(), "7 sleep, alive");
        child.ended = Some((stamp(20), WaitStatus::from_raw(0x300)));
        let ended = "7 sleep, exited with 3 at +0.020 s";
        assert_eq!(ChildLine(&child).to_string(), ended);
    }

    #[test]
    fn a_command_line_can_be_pasted_and_cannot_move_the_cursor() {
        assert_eq!(shell_word(b"a-b/c=1"), "a-b/c=1");
        assert_eq!(shell_word(b"exit \"$x\""), "'exit \"$x\"'");
        assert_eq!(shell_word(b"it's"), r"'it'\''s'");
        assert_eq!(shell_word(b""), "''");
        assert_eq!(shell_word(b"\x1b[2J\n"), r"'\33[2J\n'");
    }
}
