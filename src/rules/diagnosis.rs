//! What each rule found, as data. The sentences are made in `output`.

use super::finding::ProcessRef;
use super::table::RuleId;
use crate::event::{Comm, Named};
use crate::kernel::{Errno, Signal, Tid, WaitCall};
use crate::ledger::CompletedWait;

/// What is wrong, with what its rule found out about it.
#[derive(Clone, Debug)]
pub enum Diagnosis {
    /// A child died and was not reaped in time.
    Leak(Leak),
    /// A wait failed, or the status of a child was lost or misread.
    Loss(Loss),
    /// A process is blocked or spins.
    Hang(Hang),
    /// A process ended, was ended or lives on otherwise than expected.
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
    fn from(brief: &CompletedWait) -> CallName {
        CallName {
            call: brief.call,
            named: brief.named,
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
    /// The parent adopted the child, and reaps none but its own.
    ReaperIdle {
        /// It is PID 1 of its namespace; else a subreaper.
        is_namespace_init: bool,
    },
    /// The parent has executed another program since the child's birth.
    ExecInheritedChild,
    /// Waits without `__WALL` do not see the child.
    CloneChildInvisible {
        /// The signal that its end sends; `None` for none.
        exit_signal: Option<Signal>,
        /// A wait for it failed with ECHILD; else it is a zombie.
        is_refused: bool,
    },
    /// It was only looked at with WNOWAIT.
    WnowaitOnly,
    /// A wait that reported a stop was taken for its end.
    StopMistakenForExit {
        /// The wait reported that it was continued; else that it was stopped.
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
        /// That group.
        group: i32,
        /// The child's.
        child_group: i32,
    },
    /// SIGCHLD is blocked in all threads of the parent, and pending.
    SigchldBlocked,
    /// The handler that reaps was replaced.
    HandlerReplaced,
    /// One child is reaped for one SIGCHLD.
    CoalescedSigchld {
        /// How many such reaps there were in a row.
        singles: u64,
        /// No child was left so far.
        is_latent: bool,
    },
    /// SIGCHLD was discarded, or went to a thread that does not reap.
    SigchldDiscarded {
        /// The thread that got it although another waits for it; `None` where it
        /// came before anything handled it.
        got_by: Option<Tid>,
    },
    /// None of the other causes.
    ZombieLeak {
        /// How old the zombie is, in nanoseconds.
        age: u64,
    },
    /// It was reaped late.
    LateReap {
        /// How old the zombie was, in nanoseconds.
        age: u64,
    },
}

/// How a status was lost, or why a wait failed.
#[derive(Clone, Debug)]
pub enum Loss {
    /// Another wait of the same process took the child.
    StolenChild {
        /// That wait; in the latent form the one that is for this child.
        wait: Option<CallName>,
        /// It has only not happened in this run.
        is_latent: bool,
    },
    /// The child had been reaped by a wait for it.
    DoubleWait,
    /// The process that was waited for is no child of the caller.
    NotMyChild(Stranger),
    /// The kernel reaped the child.
    AutoreapEchild {
        /// By `SA_NOCLDWAIT`; else as SIGCHLD is ignored.
        by_flag: bool,
    },
    /// The same, and the program did not choose it.
    InheritedSigchldIgnore {
        /// The program that did, if that is known.
        by: Option<Comm>,
    },
    /// A bad pointer.
    EfaultLostStatus,
    /// The status of a crash was not asked for.
    StatusDiscarded {
        /// What killed the child.
        signal: Signal,
    },
    /// The parent exits with 0 at once after the crash of its only child.
    SignalDeathHidden {
        /// What killed the child.
        signal: Signal,
    },
    /// A raw wait status as an exit code.
    RawStatusExit {
        /// What exit was called with.
        code: i32,
    },
    /// `__WNOTHREAD` hides the child.
    WrongThreadWait {
        /// The thread that created it.
        creator: Tid,
    },
    /// The kernel refused the arguments of a wait.
    BadWaitArgs {
        /// The wait.
        wait: CompletedWait,
        /// What it gave.
        errno: Errno,
    },
}

/// A process that somebody waited for and is not the parent of.
#[derive(Clone, Debug)]
pub enum Stranger {
    /// A child of this process.
    ChildOf(ProcessRef),
    /// A pid that was never in the trace.
    NeverSeen(i32),
}

/// What a process is blocked in, or spins on.
#[derive(Clone, Debug)]
pub enum Hang {
    /// A row of polls that found nothing.
    WnohangSpin {
        /// How many.
        polls: u64,
        /// In how long, in nanoseconds.
        within: u64,
    },
    /// A row of waits that failed with ECHILD.
    EchildSpin {
        /// How many.
        polls: u64,
        /// In how long, in nanoseconds.
        within: u64,
    },
    /// A child writes to a full pipe.
    PipeFullDeadlock {
        /// The child's descriptor.
        fd: i32,
    },
    /// A child reads a pipe to an end that does not come.
    PipeEofDeadlock {
        /// Holds the writing end.
        holder: ProcessRef,
        /// Its descriptor.
        fd: i32,
    },
    /// A parent reads a pipe of a dead child to an end that does not come.
    PipeHeldByDescendant {
        /// The parent's descriptor.
        fd: i32,
        /// Holds the writing end.
        holder: ProcessRef,
    },
    /// Every child that a wait is for is stopped.
    StoppedChildHang {
        /// What stopped it.
        by: Signal,
    },
}

/// How a process ended or lives on.
#[derive(Clone, Debug)]
pub enum End {
    /// The main thread has ended and others live.
    LeaderZombie {
        /// How many.
        threads: u64,
    },
    /// The end of a thread sent a death signal.
    PdeathsigThread {
        /// That thread.
        thread: Tid,
        /// The signal.
        signal: Signal,
    },
    /// PID 1 of a namespace ended, and with it the rest.
    PidnsInitExit {
        /// What killed PID 1; `None` where it exited.
        killed_by: Option<Signal>,
    },
    /// A signal was sent to a pid that had been reaped.
    KillAfterReap {
        /// The signal.
        signal: Signal,
        /// How long after the reap, in nanoseconds.
        after: u64,
    },
    /// The command has ended, and the process lives.
    OutlivesCommand {
        /// It holds a pipe or socket that is the command's output.
        holds_output: bool,
    },
    /// An end that `--expect-exit` and `--expect-signal` do not allow.
    UnexpectedExit {
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
    /// The rule that makes it.
    #[must_use]
    pub fn rule(&self) -> RuleId {
        match self {
            Diagnosis::Leak(leak) => leak.rule(),
            Diagnosis::Loss(loss) => loss.rule(),
            Diagnosis::Hang(hang) => hang.rule(),
            Diagnosis::End(end) => end.rule(),
        }
    }

    /// Whether it is of a rule's second kind, which is a finding of its own beside
    /// one of the first about the same process.
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
            Hang::PipeFullDeadlock { .. } => RuleId::PipeFullDeadlock,
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
