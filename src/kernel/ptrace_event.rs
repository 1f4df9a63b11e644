//! The events that a ptrace-stop's status carries above its low 16 bits.

use std::fmt;

/// `PTRACE_EVENT_*` (`include/uapi/linux/ptrace.h`); 0 is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PtraceEvent(u16);

impl PtraceEvent {
    /// No event.
    pub const NONE: PtraceEvent = PtraceEvent(0);

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
        Some(match self.0 {
            1 => "PTRACE_EVENT_FORK",
            2 => "PTRACE_EVENT_VFORK",
            3 => "PTRACE_EVENT_CLONE",
            4 => "PTRACE_EVENT_EXEC",
            5 => "PTRACE_EVENT_VFORK_DONE",
            6 => "PTRACE_EVENT_EXIT",
            7 => "PTRACE_EVENT_SECCOMP",
            128 => "PTRACE_EVENT_STOP",
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
