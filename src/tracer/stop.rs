//! What kind of stop a wait status is.

use crate::event::Moment;
use crate::kernel::{PtraceEvent, Signal, Status, Tid, WaitStatus};
use crate::sys::ptrace::Stopped;

/// A stop that is being dealt with.
#[must_use = "a stopped tracee waits for its tracer: resume, listen or detach it"]
#[derive(Debug)]
pub(crate) struct Stop {
    /// Who is stopped.
    pub(super) tracee: Stopped,
    /// Why.
    pub(super) kind: StopKind,
    /// When the tracer learned of it.
    pub(super) at: Moment,
}

impl Stop {
    /// The thread that is stopped.
    pub(crate) fn tid(&self) -> Tid {
        self.tracee.tid()
    }

    /// Why it is stopped.
    pub(crate) fn kind(&self) -> StopKind {
        self.kind
    }

    /// Whether the call that it is about to make, or that has just created a task, creates
    /// a thread.
    pub(crate) fn creates_thread(&self) -> bool {
        let options = super::lifecycle::clone_options(&self.tracee);
        super::lifecycle::is_thread(options, self.kind, self.tid())
    }

    /// The stopped task itself, to be asked.
    pub(crate) fn tracee(&self) -> &Stopped {
        &self.tracee
    }
}

/// The kinds of ptrace-stops of a seized tracee (ptrace(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopKind {
    /// Entry to or exit from a system call.
    Syscall,
    /// fork, vfork or clone is about to return in the creator.
    NewChild {
        /// Which of them.
        creation: Creation,
        /// The new process or thread.
        child: Tid,
    },
    /// A program was executed, by the thread that had this tid before: at an
    /// exec by another thread than the leader it goes on under the leader's.
    Executed {
        /// The tid of the caller.
        former: Tid,
    },
    /// A task is about to exit.
    Exiting(WaitStatus),
    /// A seccomp filter asked for the tracer.
    Seccomp,
    /// All threads of the process are stopped by this signal.
    Group(Signal),
    /// A plain stop: a new task's first one, the answer to an interrupt, or
    /// the end of a group-stop.
    Plain,
    /// A signal is about to be delivered.
    Signal(Signal),
    /// An event that was not asked for, or one of a tracee that was killed in
    /// its stop and cannot be asked about it any more.
    Other,
}

/// Which event reported a new task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Creation {
    /// The exit signal is SIGCHLD.
    Fork,
    /// `CLONE_VFORK` was set.
    Vfork,
    /// Any other exit signal, threads among them.
    Clone,
}

fn new_child(creation: Creation, child: i32) -> StopKind {
    StopKind::NewChild {
        creation,
        child: Tid::new(child),
    }
}

/// Classify the status of a stopped tracee. `message` is asked for what an
/// event tells; `None` from a tracee that is gone.
pub(super) fn classify(status: WaitStatus, message: impl FnOnce() -> Option<i32>) -> StopKind {
    let Status::Stopped {
        signal,
        syscall,
        event,
    } = status.decode()
    else {
        return StopKind::Other;
    };
    let kind: fn(i32) -> StopKind = match event {
        PtraceEvent::NONE if syscall => return StopKind::Syscall,
        PtraceEvent::NONE => return StopKind::Signal(signal),
        PtraceEvent::SECCOMP => return StopKind::Seccomp,
        PtraceEvent::STOP if signal.is_stopping() => return StopKind::Group(signal),
        PtraceEvent::STOP => return StopKind::Plain,
        PtraceEvent::FORK => |child| new_child(Creation::Fork, child),
        PtraceEvent::VFORK => |child| new_child(Creation::Vfork, child),
        PtraceEvent::CLONE => |child| new_child(Creation::Clone, child),
        PtraceEvent::EXEC => |former| StopKind::Executed {
            former: Tid::new(former),
        },
        PtraceEvent::EXIT => |status| StopKind::Exiting(WaitStatus::from_raw(status)),
        _ => return StopKind::Other,
    };
    message().map_or(StopKind::Other, kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(signal: i32, event: i32) -> StopKind {
        classify(
            WaitStatus::from_raw(event << 16 | signal << 8 | 0x7f),
            || Some(7),
        )
    }

    #[test]
    fn every_stop_of_a_seized_tracee_has_its_kind() {
        let child = |creation| StopKind::NewChild {
            creation,
            child: Tid::new(7),
        };
        let trap = libc::SIGTRAP;
        assert_eq!(kind(trap | 0x80, 0), StopKind::Syscall);
        assert_eq!(kind(trap, 0), StopKind::Signal(Signal::TRAP));
        assert_eq!(kind(trap, 1), child(Creation::Fork));
        assert_eq!(kind(trap, 2), child(Creation::Vfork));
        assert_eq!(kind(trap, 3), child(Creation::Clone));
        let former = Tid::new(7);
        assert_eq!(kind(trap, 4), StopKind::Executed { former });
        assert_eq!(kind(trap, 6), StopKind::Exiting(WaitStatus::from_raw(7)));
        assert_eq!(kind(trap, 7), StopKind::Seccomp);
        assert_eq!(kind(trap, 128), StopKind::Plain);
        assert_eq!(kind(libc::SIGSTOP, 128), StopKind::Group(Signal::STOP));
        assert_eq!(kind(libc::SIGTTOU, 128), StopKind::Group(Signal::TTOU));
        assert_eq!(kind(libc::SIGSTOP, 0), StopKind::Signal(Signal::STOP));
    }

    #[test]
    fn a_real_time_signal_stop_is_a_signal_stop() {
        for signal in 32..=64 {
            let expected = StopKind::Signal(Signal::from_raw(signal));
            assert_eq!(kind(signal, 0), expected);
        }
    }

    #[test]
    fn an_event_that_is_not_known_or_cannot_be_asked_about_is_no_panic() {
        assert_eq!(kind(libc::SIGTRAP, 99), StopKind::Other);
        assert_eq!(kind(libc::SIGTRAP, 5), StopKind::Other);
        for event in [1, 2, 3, 4, 6] {
            let status = WaitStatus::from_raw(event << 16 | libc::SIGTRAP << 8 | 0x7f);
            assert_eq!(classify(status, || None), StopKind::Other);
        }
    }
}
