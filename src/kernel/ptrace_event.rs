//! Ptrace events: bits 16 and above of a ptrace-stop's status.

use std::fmt;

/// `PTRACE_EVENT_*` (`include/uapi/linux/ptrace.h`); 0 is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PtraceEvent(u16);

impl PtraceEvent {
    /// No event.
    pub const NONE: PtraceEvent = PtraceEvent(0);
    /// A child with the exit signal SIGCHLD was created.
    pub const FORK: PtraceEvent = PtraceEvent(1);
    /// A child was created with `CLONE_VFORK`.
    pub const VFORK: PtraceEvent = PtraceEvent(2);
    /// Another task was created, for example a thread.
    pub const CLONE: PtraceEvent = PtraceEvent(3);
    /// A program was executed.
    pub const EXEC: PtraceEvent = PtraceEvent(4);
    /// A vforked child exec'ed or exited.
    pub const VFORK_DONE: PtraceEvent = PtraceEvent(5);
    /// The task is about to exit.
    pub const EXIT: PtraceEvent = PtraceEvent(6);
    /// A filter returned `SECCOMP_RET_TRACE`.
    pub const SECCOMP: PtraceEvent = PtraceEvent(7);
    /// Group-stop, interrupt or first stop of a seized tracee.
    pub const STOP: PtraceEvent = PtraceEvent(128);

    /// The event with this number.
    #[must_use]
    pub const fn from_raw(number: u16) -> PtraceEvent {
        PtraceEvent(number)
    }

    /// The number.
    #[must_use]
    pub const fn raw(self) -> u16 {
        self.0
    }

    /// The constant's name.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            PtraceEvent::FORK => "PTRACE_EVENT_FORK",
            PtraceEvent::VFORK => "PTRACE_EVENT_VFORK",
            PtraceEvent::CLONE => "PTRACE_EVENT_CLONE",
            PtraceEvent::EXEC => "PTRACE_EVENT_EXEC",
            PtraceEvent::VFORK_DONE => "PTRACE_EVENT_VFORK_DONE",
            PtraceEvent::EXIT => "PTRACE_EVENT_EXIT",
            PtraceEvent::SECCOMP => "PTRACE_EVENT_SECCOMP",
            PtraceEvent::STOP => "PTRACE_EVENT_STOP",
            _ => return None,
        })
    }
}

impl fmt::Display for PtraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#x} /* PTRACE_EVENT_??? */", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_are_numbered_as_libc_has_them() {
        let known = [
            (PtraceEvent::FORK, libc::PTRACE_EVENT_FORK),
            (PtraceEvent::VFORK, libc::PTRACE_EVENT_VFORK),
            (PtraceEvent::CLONE, libc::PTRACE_EVENT_CLONE),
            (PtraceEvent::EXEC, libc::PTRACE_EVENT_EXEC),
            (PtraceEvent::VFORK_DONE, libc::PTRACE_EVENT_VFORK_DONE),
            (PtraceEvent::EXIT, libc::PTRACE_EVENT_EXIT),
            (PtraceEvent::SECCOMP, libc::PTRACE_EVENT_SECCOMP),
            (PtraceEvent::STOP, libc::PTRACE_EVENT_STOP),
        ];
        for (event, number) in known {
            assert_eq!(i32::from(event.raw()), number);
            assert!(event.name().is_some());
        }
        let named = (0..=u16::MAX).filter(|n| PtraceEvent(*n).name().is_some());
        assert_eq!(named.count(), known.len());
    }

    #[test]
    fn unknown_events_are_numbers_with_a_comment() {
        assert_eq!(PtraceEvent(99).to_string(), "0x63 /* PTRACE_EVENT_??? */");
        assert_eq!(PtraceEvent::STOP.to_string(), "PTRACE_EVENT_STOP");
    }
}
