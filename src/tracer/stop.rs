//! What kind of stop a wait status is. Pure.

use crate::kernel::{PtraceEvent, Signal, Status, WaitStatus};

/// The kinds of ptrace-stops of a seized tracee (ptrace(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Entry to or exit from a system call.
    Syscall,
    /// fork, vfork or clone is about to return in the creator.
    Created(Creation),
    /// A program was executed.
    Executed,
    /// A task is about to exit.
    Exiting,
    /// A seccomp filter asked for the tracer.
    Seccomp,
    /// All threads of the process are stopped by this signal.
    Group(Signal),
    /// A plain stop: a new task's first one, the answer to an interrupt, or
    /// the end of a group-stop.
    Plain,
    /// A signal is about to be delivered.
    Signal(Signal),
    /// An event that we did not ask for.
    Other,
}

/// Which event told of a new task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Creation {
    /// The exit signal is SIGCHLD.
    Fork,
    /// `CLONE_VFORK` was set.
    Vfork,
    /// Any other exit signal, threads among them.
    Clone,
}

/// Classify the status of a stopped tracee.
pub(super) fn classify(status: WaitStatus) -> Stop {
    let Status::Stopped {
        signal,
        syscall,
        event,
    } = status.decode()
    else {
        return Stop::Other;
    };
    match event {
        PtraceEvent::NONE if syscall => Stop::Syscall,
        PtraceEvent::NONE => Stop::Signal(signal),
        PtraceEvent::FORK => Stop::Created(Creation::Fork),
        PtraceEvent::VFORK => Stop::Created(Creation::Vfork),
        PtraceEvent::CLONE => Stop::Created(Creation::Clone),
        PtraceEvent::EXEC => Stop::Executed,
        PtraceEvent::EXIT => Stop::Exiting,
        PtraceEvent::SECCOMP => Stop::Seccomp,
        PtraceEvent::STOP if signal.is_stopping() => Stop::Group(signal),
        PtraceEvent::STOP => Stop::Plain,
        _ => Stop::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(signal: i32, event: i32) -> Stop {
        classify(WaitStatus::from_raw(event << 16 | signal << 8 | 0x7f))
    }

    #[test]
    fn every_stop_of_a_seized_tracee_has_its_kind() {
        assert_eq!(kind(libc::SIGTRAP | 0x80, 0), Stop::Syscall);
        assert_eq!(kind(libc::SIGTRAP, 0), Stop::Signal(Signal::TRAP));
        assert_eq!(kind(libc::SIGTRAP, 1), Stop::Created(Creation::Fork));
        assert_eq!(kind(libc::SIGTRAP, 2), Stop::Created(Creation::Vfork));
        assert_eq!(kind(libc::SIGTRAP, 3), Stop::Created(Creation::Clone));
        assert_eq!(kind(libc::SIGTRAP, 4), Stop::Executed);
        assert_eq!(kind(libc::SIGTRAP, 6), Stop::Exiting);
        assert_eq!(kind(libc::SIGTRAP, 7), Stop::Seccomp);
        assert_eq!(kind(libc::SIGTRAP, 128), Stop::Plain);
        assert_eq!(kind(libc::SIGSTOP, 128), Stop::Group(Signal::STOP));
        assert_eq!(kind(libc::SIGTTOU, 128), Stop::Group(Signal::TTOU));
        assert_eq!(kind(libc::SIGSTOP, 0), Stop::Signal(Signal::STOP));
    }

    #[test]
    fn a_real_time_signal_stop_is_a_signal_stop() {
        for signal in 32..=64 {
            assert_eq!(kind(signal, 0), Stop::Signal(Signal::from_raw(signal)));
        }
    }

    #[test]
    fn an_event_that_we_do_not_know_is_no_panic() {
        assert_eq!(kind(libc::SIGTRAP, 99), Stop::Other);
        assert_eq!(kind(libc::SIGTRAP, 5), Stop::Other);
    }
}
