//! What each rule found, as data. The sentences are made in `output`.

use super::ends::Expected;
use super::finding::ProcessRef;
use super::table::RuleId;
use crate::event::{Comm, Named};
use crate::kernel::{Errno, Signal, Tid, WaitCall};
use crate::ledger::CompletedWait;

/// What is wrong, with the data that its rule collected.
#[derive(Clone, Debug)]
pub enum Diagnosis {
    /// A child died and was not reaped in time.
    Leak(Leak),
    /// A wait failed, or the status of a child was lost or misread.
    Loss(Loss),
    /// A process is blocked or spins.
    Hang(Hang),
    /// A process ended, was killed or lives on, other than expected.
    End(End),
}

/// A wait call by its name and first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallName {
    /// Which call.
    pub call: WaitCall,
    /// What it waits for.
    pub named: Named,
}

impl From<&CompletedWait> for CallName {
    fn from(completed: &CompletedWait) -> CallName {
        CallName {
            call: completed.call,
            named: completed.named,
        }
    }
}

/// Why a child was not reaped, or not in time.
#[derive(Clone, Debug)]
pub enum Leak {
    /// The parent is in a group-stop.
    ParentStopped {
        /// The signal that stopped it, if that is known.
        by: Option<Signal>,
    },
    /// The parent is suspended in vfork.
    VforkStall {
        /// The child that it waits for to exec or exit.
        until: Option<ProcessRef>,
        /// What stopped that child, if it is stopped.
        stopped_by: Option<Signal>,
    },
    /// The parent adopted the child, and reaps only children of its own.
    ReaperIdle {
        /// It is PID 1 of its namespace; else a subreaper.
        is_namespace_init: bool,
    },
    /// The parent has executed another program since it created the child.
    ExecInheritedChild,
    /// Waits without `__WALL` do not match the child.
    CloneChildInvisible {
        /// Its exit signal; `None` for none.
        exit_signal: Option<Signal>,
        /// A wait for it failed with ECHILD. If false, it is a zombie.
        is_refused: bool,
    },
    /// It was waited for with WNOWAIT only.
    WnowaitOnly,
    /// A wait that reported a stop or continue was taken for one that reaps.
    StopMistakenForExit {
        /// The wait reported that it was continued; if false, that it was stopped.
        was_continued: bool,
    },
    /// A wait for it was interrupted and not retried.
    EintrAbandoned {
        /// The signal that interrupted it.
        by: Signal,
    },
    /// It could not execute its program.
    SpawnFailedZombie,
    /// The waits are for another process group.
    PgrpMiss {
        /// The group that the parent waits for.
        group: i32,
        /// The child's.
        child_group: i32,
    },
    /// SIGCHLD is blocked in all threads of the parent, and pending.
    SigchldBlocked,
    /// The handler that reaps was replaced.
    HandlerReplaced,
    /// One child is reaped for each SIGCHLD.
    CoalescedSigchld {
        /// How many such reaps there were in a row.
        singles: u64,
        /// No child was left unreaped so far.
        is_latent: bool,
    },
    /// SIGCHLD was discarded, or went to a thread that does not reap.
    SigchldDiscarded {
        /// The thread that got it although another waits for it; `None` if it
        /// arrived before a handler was set.
        got_by: Option<Tid>,
    },
    /// Not reaped; no other cause fits.
    ZombieLeak {
        /// Age of the zombie, in nanoseconds.
        age: u64,
    },
    /// It was reaped late.
    LateReap {
        /// Age of the zombie when it was reaped, in nanoseconds.
        age: u64,
    },
}

/// How a status was lost, or why a wait failed.
#[derive(Clone, Debug)]
pub enum Loss {
    /// Another wait of the same process reaped the child.
    StolenChild {
        /// That wait; if latent, the wait that is for this child.
        wait: Option<CallName>,
        /// It did not happen in this run, but only because of the order of events.
        is_latent: bool,
    },
    /// The child had already been reaped by the caller.
    DoubleWait,
    /// The process that was waited for is not a child of the caller.
    NotMyChild(Stranger),
    /// The kernel reaped the child.
    AutoreapEchild {
        /// By `SA_NOCLDWAIT`; if false, because SIGCHLD is ignored.
        by_flag: bool,
    },
    /// The kernel reaped the child, and SIGCHLD was ignored since before the exec.
    InheritedSigchldIgnore {
        /// The program that set it, if known.
        by: Option<Comm>,
    },
    /// A bad pointer: EFAULT after the child had been reaped.
    EfaultLostStatus,
    /// The child crashed, and the wait did not ask for its status.
    StatusDiscarded {
        /// What killed the child.
        signal: Signal,
    },
    /// The parent exits with 0 right after the crash of its only child.
    SignalDeathHidden {
        /// What killed the child.
        signal: Signal,
    },
    /// A raw wait status was used as an exit code.
    RawStatusExit {
        /// The argument of exit.
        code: i32,
    },
    /// `__WNOTHREAD` excludes the child.
    WrongThreadWait {
        /// The thread that created it.
        creator: Tid,
    },
    /// The kernel refused the arguments of a wait.
    BadWaitArgs {
        /// The wait.
        wait: CompletedWait,
        /// The error that it returned.
        errno: Errno,
    },
}

/// A process that was waited for by another than its parent.
#[derive(Clone, Debug)]
pub enum Stranger {
    /// A child of this process.
    ChildOf(ProcessRef),
    /// A pid that was never in the trace.
    NeverSeen(i32),
}

/// What a process is blocked in or spins on.
#[derive(Clone, Debug)]
pub enum Hang {
    /// A series of polls that found nothing.
    WnohangSpin {
        /// Their number.
        polls: u64,
        /// Their duration, in nanoseconds.
        within: u64,
    },
    /// A series of waits that failed with ECHILD.
    EchildSpin {
        /// Their number.
        polls: u64,
        /// Their duration, in nanoseconds.
        within: u64,
    },
    /// A child is blocked in a write to a full pipe.
    PipeFullDeadlock {
        /// The child's descriptor.
        fd: i32,
    },
    /// A child is blocked in a write to a full pipe, and its parent on another.
    PipeFullElsewhere {
        /// The child's descriptor.
        fd: i32,
        /// The parent's descriptor of the other pipe.
        other: i32,
        /// The parent writes to it; if not, it reads.
        writes: bool,
    },
    /// A child is blocked in a read of a pipe whose writing end its waiting parent
    /// or a sibling holds open.
    PipeEofDeadlock {
        /// The process that holds the writing end.
        holder: ProcessRef,
        /// Its descriptor.
        fd: i32,
    },
    /// A parent is blocked in a read of a pipe whose writing end a descendant of a
    /// dead child holds open.
    PipeHeldByDescendant {
        /// The parent's descriptor.
        fd: i32,
        /// The process that holds the writing end.
        holder: ProcessRef,
    },
    /// Every child that the wait is for is stopped.
    StoppedChildHang {
        /// The signal that stopped it.
        by: Signal,
    },
}

/// How a process ended, or that it lives on.
#[derive(Clone, Debug)]
pub enum End {
    /// The main thread has exited and other threads live.
    LeaderZombie {
        /// Their number.
        threads: u64,
    },
    /// The end of a thread sent a death signal.
    PdeathsigThread {
        /// That thread.
        thread: Tid,
        /// The signal.
        signal: Signal,
    },
    /// PID 1 of a namespace ended, and the kernel killed the other members.
    PidnsInitExit {
        /// The signal that killed PID 1; `None` if it exited.
        killed_by: Option<Signal>,
    },
    /// A signal was sent to a pid that had been reaped.
    KillAfterReap {
        /// The signal.
        signal: Signal,
        /// Time since the reap, in nanoseconds.
        after: u64,
    },
    /// The command has ended, and the process is alive.
    OutlivesCommand {
        /// It holds a pipe or socket that is the command's output.
        holds_output: bool,
    },
    /// An end that `--expect-exit` and `--expect-signal` do not allow.
    UnexpectedExit {
        /// What is allowed.
        expected: Expected,
        /// The wait that reported it, if one did.
        reported_by: Option<CallName>,
        /// The parent of the process is not traced.
        is_outside: bool,
    },
}

impl From<Leak> for Diagnosis {
    fn from(leak: Leak) -> Diagnosis {
        Diagnosis::Leak(leak)
    }
}

impl From<Loss> for Diagnosis {
    fn from(loss: Loss) -> Diagnosis {
        Diagnosis::Loss(loss)
    }
}

impl From<Hang> for Diagnosis {
    fn from(hang: Hang) -> Diagnosis {
        Diagnosis::Hang(hang)
    }
}

impl From<End> for Diagnosis {
    fn from(end: End) -> Diagnosis {
        Diagnosis::End(end)
    }
}

impl Diagnosis {
    /// The rule that reports it.
    #[must_use]
    pub fn rule(&self) -> RuleId {
        match self {
            Diagnosis::Leak(leak) => leak.rule(),
            Diagnosis::Loss(loss) => loss.rule(),
            Diagnosis::Hang(hang) => hang.rule(),
            Diagnosis::End(end) => end.rule(),
        }
    }

    /// Whether it is the second form of its rule, reported separately from the first
    /// about the same process.
    pub(crate) fn is_second_kind(&self) -> bool {
        match self {
            Diagnosis::Leak(
                Leak::CloneChildInvisible {
                    is_refused: second, ..
                }
                | Leak::CoalescedSigchld {
                    is_latent: second, ..
                },
            )
            | Diagnosis::Loss(
                Loss::StolenChild {
                    is_latent: second, ..
                }
                | Loss::AutoreapEchild { by_flag: second },
            )
            | Diagnosis::End(
                End::UnexpectedExit {
                    is_outside: second, ..
                }
                | End::OutlivesCommand {
                    holds_output: second,
                },
            ) => *second,
            Diagnosis::Hang(Hang::PipeFullElsewhere { .. }) => true,
            Diagnosis::Leak(Leak::SigchldDiscarded { got_by }) => got_by.is_some(),
            Diagnosis::Loss(Loss::NotMyChild(stranger)) => {
                matches!(stranger, Stranger::NeverSeen(_))
            }
            _ => false,
        }
    }
}

impl Leak {
    fn rule(&self) -> RuleId {
        match self {
            Leak::ParentStopped { .. } => RuleId::ParentStopped,
            Leak::VforkStall { .. } => RuleId::VforkStall,
            Leak::ReaperIdle { .. } => RuleId::ReaperIdle,
            Leak::ExecInheritedChild => RuleId::ExecInheritedChild,
            Leak::CloneChildInvisible { .. } => RuleId::CloneChildInvisible,
            Leak::WnowaitOnly => RuleId::WnowaitOnly,
            Leak::StopMistakenForExit { .. } => RuleId::StopMistakenForExit,
            Leak::EintrAbandoned { .. } => RuleId::EintrAbandoned,
            Leak::SpawnFailedZombie => RuleId::SpawnFailedZombie,
            Leak::PgrpMiss { .. } => RuleId::PgrpMiss,
            Leak::SigchldBlocked => RuleId::SigchldBlocked,
            Leak::HandlerReplaced => RuleId::HandlerReplaced,
            Leak::CoalescedSigchld { .. } => RuleId::CoalescedSigchld,
            Leak::SigchldDiscarded { .. } => RuleId::SigchldDiscarded,
            Leak::ZombieLeak { .. } => RuleId::ZombieLeak,
            Leak::LateReap { .. } => RuleId::LateReap,
        }
    }
}

impl Loss {
    fn rule(&self) -> RuleId {
        match self {
            Loss::StolenChild { .. } => RuleId::StolenChild,
            Loss::DoubleWait => RuleId::DoubleWait,
            Loss::NotMyChild(_) => RuleId::NotMyChild,
            Loss::AutoreapEchild { .. } => RuleId::AutoreapEchild,
            Loss::InheritedSigchldIgnore { .. } => RuleId::InheritedSigchldIgnore,
            Loss::EfaultLostStatus => RuleId::EfaultLostStatus,
            Loss::StatusDiscarded { .. } => RuleId::StatusDiscarded,
            Loss::SignalDeathHidden { .. } => RuleId::SignalDeathHidden,
            Loss::RawStatusExit { .. } => RuleId::RawStatusExit,
            Loss::WrongThreadWait { .. } => RuleId::WrongThreadWait,
            Loss::BadWaitArgs { .. } => RuleId::BadWaitArgs,
        }
    }
}

impl Hang {
    fn rule(&self) -> RuleId {
        match self {
            Hang::WnohangSpin { .. } => RuleId::WnohangSpin,
            Hang::EchildSpin { .. } => RuleId::EchildSpin,
            Hang::PipeFullDeadlock { .. } | Hang::PipeFullElsewhere { .. } => {
                RuleId::PipeFullDeadlock
            }
            Hang::PipeEofDeadlock { .. } => RuleId::PipeEofDeadlock,
            Hang::PipeHeldByDescendant { .. } => RuleId::PipeHeldByDescendant,
            Hang::StoppedChildHang { .. } => RuleId::StoppedChildHang,
        }
    }
}

impl End {
    fn rule(&self) -> RuleId {
        match self {
            End::LeaderZombie { .. } => RuleId::LeaderZombie,
            End::PdeathsigThread { .. } => RuleId::PdeathsigThread,
            End::PidnsInitExit { .. } => RuleId::PidnsInitExit,
            End::KillAfterReap { .. } => RuleId::KillAfterReap,
            End::OutlivesCommand { .. } => RuleId::OutlivesCommand,
            End::UnexpectedExit { .. } => RuleId::UnexpectedExit,
        }
    }
}
