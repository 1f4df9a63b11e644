//! What a finding says: its sentence, and its advice where that depends on more
//! than the rule.

use std::fmt;

use super::words::{Name, call_words};
use crate::kernel::phrases::how_it_ended;
use crate::kernel::{Errno, Signal, WaitOptions};
use crate::ledger::CompletedWait;
use crate::output::span::Span as Seconds;
use crate::rules::{
    AffectedChild, CallName, Diagnosis, End, Finding, Hang, Leak, Loss, Refusal, Stranger,
    refused_part,
};

/// What the process at fault and the affected ones are to each other.
pub(in crate::output) fn labels(finding: &Finding) -> (&'static str, &'static str) {
    match finding.diagnosis {
        // What outlives the command need be no child of it.
        Diagnosis::End(End::OutlivesCommand { .. }) => ("command", "process"),
        _ => ("parent", "child"),
    }
}

/// The sentence of a finding.
pub(in crate::output) fn sentence(finding: &Finding) -> String {
    let (parent, child) = (Parent(finding), Children(finding));
    match &finding.diagnosis {
        Diagnosis::Leak(leak) => of_leak(leak, finding, &parent, &child),
        Diagnosis::Loss(loss) => of_loss(loss, &parent, &child),
        Diagnosis::Hang(hang) => of_hang(hang, &parent, &child),
        Diagnosis::End(end) => of_end(end, finding, &parent, &child),
    }
}

fn of_leak(leak: &Leak, finding: &Finding, parent: &Parent, child: &Children) -> String {
    let is_many = finding.count > 1;
    let is = if is_many { "are" } else { "is" };
    match leak {
        Leak::ParentStopped { by } => {
            format!("{parent} is stopped{} and cannot reap {child}", By(*by))
        }
        Leak::VforkStall { until, stopped_by } => {
            let until = match (until, stopped_by) {
                (Some(child), Some(signal)) => {
                    format!(
                        " until {}, stopped by {signal}, execs or exits",
                        Name(child)
                    )
                }
                (Some(child), None) => format!(" until {} execs or exits", Name(child)),
                (None, _) => String::new(),
            };
            format!("{parent} is suspended in vfork{until} and cannot reap {child}")
        }
        Leak::ReaperIdle { .. } => format!("{parent} adopted {child} and does not reap it"),
        Leak::ExecInheritedChild => {
            format!("{parent} has {child} from before its exec, of which it knows nothing")
        }
        Leak::CloneChildInvisible {
            exit_signal,
            is_refused: true,
        } => format!(
            "{parent} waits in vain for {child}, whose exit signal is {}",
            ExitSignal(*exit_signal)
        ),
        Leak::CloneChildInvisible { exit_signal, .. } => format!(
            "{parent} does not see {child}, a zombie whose exit signal is {}",
            ExitSignal(*exit_signal)
        ),
        Leak::WnowaitOnly => {
            format!("{parent} looked at the end of {child} with WNOWAIT and left it a zombie")
        }
        Leak::StopMistakenForExit { was_continued } => {
            let did = if *was_continued {
                "was continued"
            } else {
                "stopped"
            };
            format!("{parent} got a status that says {child} {did}, and did not wait for its end")
        }
        Leak::EintrAbandoned { by } => {
            format!("{parent} did not retry its wait for {child} after {by} interrupted it")
        }
        Leak::SpawnFailedZombie => {
            format!("{parent} did not reap {child}, which could not execute its program")
        }
        Leak::PgrpMiss { group, child_group } => format!(
            "{parent} waits for process group {group}, and {child} {is} in group {child_group}"
        ),
        Leak::SigchldBlocked => {
            format!(
                "{parent} has SIGCHLD blocked: its handler never runs, and {child} {is} not reaped"
            )
        }
        Leak::HandlerReplaced => {
            format!("{parent} had its SIGCHLD handler replaced, and {child} {is} not reaped")
        }
        Leak::CoalescedSigchld {
            singles,
            is_latent: true,
        } => format!(
            "{parent} reaps one child for each SIGCHLD ({singles} times), which loses children \
             that end together; --explore can show it"
        ),
        Leak::CoalescedSigchld { .. } => {
            format!("{parent} reaped one child for one SIGCHLD, and {child} {is} left")
        }
        Leak::SigchldDiscarded { got_by: Some(tid) } => format!(
            "{parent} has not reaped {child}: SIGCHLD went to thread {tid}, not to the one that \
             waits for it"
        ),
        Leak::SigchldDiscarded { got_by: None } => {
            format!("{parent} has not reaped {child}: SIGCHLD came before anything handled it")
        }
        Leak::ZombieLeak { age } => format!(
            "{parent} has not reaped {child}, {} for {}{}",
            if is_many { "zombies" } else { "a zombie" },
            if died_before_attach(finding) {
                "at least "
            } else {
                ""
            },
            Seconds(*age)
        ),
        Leak::LateReap { age } => {
            format!("{parent} reaped {child} {} after it ended", Seconds(*age))
        }
    }
}

fn of_loss(loss: &Loss, parent: &Parent, child: &Children) -> String {
    match loss {
        Loss::StolenChild {
            wait,
            is_latent: true,
        } => format!(
            "{parent} may lose the exit status of {child} in another run: it waits for any child \
             beside {}; --explore can show it",
            Call(*wait)
        ),
        Loss::StolenChild { wait, .. } => format!(
            "{parent} lost the exit status of {child}: its own {} reaped it first",
            Call(*wait)
        ),
        Loss::DoubleWait => format!("{parent} waited again for {child}, which it had reaped"),
        Loss::NotMyChild(Stranger::NeverSeen(pid)) => {
            format!("{parent} waited for {pid}, which was never a child of it")
        }
        Loss::NotMyChild(Stranger::ChildOf(other)) => format!(
            "{parent} waited for {child}, which is a child of {}",
            Name(other)
        ),
        Loss::AutoreapEchild { by_flag: true } => format!(
            "{parent} lost the exit status of {child}: its SIGCHLD handler has SA_NOCLDWAIT"
        ),
        Loss::AutoreapEchild { by_flag: false } => {
            format!("{parent} lost the exit status of {child}: it ignores SIGCHLD")
        }
        Loss::InheritedSigchldIgnore { by } => format!(
            "{parent} was started with SIGCHLD ignored{} and lost the exit status of {child}",
            By(*by)
        ),
        Loss::EfaultLostStatus => {
            format!("{parent} lost the exit status of {child}: its wait had a bad pointer")
        }
        Loss::StatusDiscarded { signal } => format!(
            "{parent} reaped {child}, which died of {signal}, without asking for its status"
        ),
        Loss::SignalDeathHidden { signal } => format!(
            "{parent} exited with 0 at once after its only child, {child}, died of {signal}"
        ),
        Loss::RawStatusExit { code } => format!(
            "{parent} exits with {code}, a raw wait status: its caller sees {}",
            code & 0xff
        ),
        Loss::WrongThreadWait { creator } => format!(
            "{parent} waits with __WNOTHREAD for {child}, which another thread ({creator}) created"
        ),
        Loss::BadWaitArgs { wait, errno } => format!(
            "{parent} called {}: {}",
            Call(Some(wait.into())),
            refusal(wait, *errno)
        ),
    }
}

fn of_hang(hang: &Hang, parent: &Parent, child: &Children) -> String {
    match hang {
        Hang::WnohangSpin { polls, within } => format!(
            "{parent} polled {polls} times in {} for a child that had not ended",
            Seconds(*within)
        ),
        Hang::EchildSpin { polls, within } => format!(
            "{parent} waited {polls} times in {} without a child to wait for",
            Seconds(*within)
        ),
        Hang::PipeFullDeadlock { fd } => format!(
            "{parent} waits for {child}, which cannot write to its full pipe (fd {fd}) until \
             it is read"
        ),
        Hang::PipeFullElsewhere { fd, other, writes } => format!(
            "{parent} {} a pipe (fd {other}), and {child} cannot write to another, full one \
             (fd {fd}) until that is read",
            if *writes { "writes to" } else { "reads" }
        ),
        Hang::PipeEofDeadlock { holder, fd } => format!(
            "{parent} waits for {child}, which waits for the end of a pipe that {} holds open \
             (fd {fd})",
            Name(holder)
        ),
        Hang::PipeHeldByDescendant { fd, holder } => format!(
            "{parent} reads a pipe (fd {fd}) of {child}, which is dead: {} holds it open",
            Name(holder)
        ),
        Hang::StoppedChildHang { by } => {
            format!("{parent} waits for {child}, which was stopped by {by}")
        }
    }
}

fn of_end(end: &End, finding: &Finding, parent: &Parent, child: &Children) -> String {
    let is_many = finding.count > 1;
    match end {
        End::LeaderZombie { threads } => {
            let run = if *threads == 1 {
                "thread runs"
            } else {
                "threads run"
            };
            format!("{parent} lost its main thread, but {threads} {run} on: it is no zombie")
        }
        End::PdeathsigThread { thread, signal } => format!(
            "{parent} lives on, but the end of its thread {thread} sent {child} the death signal \
             {signal}"
        ),
        End::PidnsInitExit {
            killed_by: Some(signal),
        } => format!(
            "{parent} was PID 1 of its pid namespace and died of {signal}: the kernel killed \
             {child}"
        ),
        End::PidnsInitExit { killed_by: None } => {
            format!("{parent} was PID 1 of its pid namespace and exited: the kernel killed {child}")
        }
        End::KillAfterReap { signal, after } => format!(
            "{parent} sent {signal} to {child} {} after it had reaped it",
            Seconds(*after)
        ),
        End::OutlivesCommand { holds_output } => format!(
            "{child} {} on after {parent} has ended{}",
            if is_many { "live" } else { "lives" },
            if *holds_output {
                ", with its output open"
            } else {
                ""
            }
        ),
        End::UnexpectedExit { expected, .. } if is_many => format!(
            "{child} ended otherwise than expected ({}), under {parent}",
            expected.words()
        ),
        End::UnexpectedExit {
            expected,
            reported_by,
            ..
        } => {
            let (ended, expected) = (ending(finding), expected.words());
            match reported_by {
                Some(wait) => {
                    let wait = Call(Some(*wait));
                    format!(
                        "{child} {ended}, and {parent} got that from {wait}; expected: {expected}"
                    )
                }
                None => format!(
                    "{child} {ended}, and no process in the trace got that status; expected: \
                     {expected}"
                ),
            }
        }
    }
}

/// Whether it is not known when the first child ended.
fn died_before_attach(finding: &Finding) -> bool {
    let ended = finding.children.first().and_then(|child| child.ended);
    ended.is_some_and(|(when, _)| when.is_before_attach)
}

/// How the first child ended.
fn ending(finding: &Finding) -> String {
    let ended = finding.children.first().and_then(|child| child.ended);
    ended.map_or_else(|| "ended".into(), |(_, status)| how_it_ended(status))
}

fn refusal(wait: &CompletedWait, errno: Errno) -> String {
    match refused_part(wait, errno) {
        Refusal::Options(bits) => {
            let bits = WaitOptions::of(wait.options.system(), bits);
            format!("{bits} is no option of {}", wait.call.name())
        }
        Refusal::NothingAsked => {
            let call = wait.call.name();
            format!("{call} needs WEXITED, WSTOPPED or WCONTINUED")
        }
        Refusal::Id => "the id type or id is not valid".into(),
        Refusal::NoPidfd => "the descriptor is no pidfd".into(),
        Refusal::NoSuchGroup => "INT_MIN names no process group".into(),
    }
}

/// The advice of a finding: its rule's, but where the diagnosis tells more.
pub(in crate::output) fn advice(finding: &Finding) -> &'static str {
    match &finding.diagnosis {
        Diagnosis::Leak(Leak::ReaperIdle {
            is_namespace_init: true,
        }) => {
            "PID 1 must reap any child (wait(-1)), or run the program under an init: tini, dumb-init"
        }
        Diagnosis::Leak(Leak::SigchldDiscarded { got_by: Some(_) }) => {
            "block SIGCHLD in every thread, before the first one is started"
        }
        Diagnosis::Loss(Loss::AutoreapEchild { by_flag: true }) => {
            "do not set SA_NOCLDWAIT where exit statuses matter"
        }
        Diagnosis::End(End::PidnsInitExit {
            killed_by: Some(Signal::KILL),
        }) => "SIGKILL to PID 1 ends its whole namespace; if that is not meant, find its sender",
        _ => finding.rule.rule().advice,
    }
}

/// `python3[2411]`
struct Parent<'a>(&'a Finding);

impl fmt::Display for Parent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let process = &self.0.parent;
        write!(f, "{}[{}]", process.comm(), process.tgid)
    }
}

/// `2415 sh`, or `2415 sh and 4 more`
struct Children<'a>(&'a Finding);

impl fmt::Display for Children<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(AffectedChild { process, .. }) = self.0.children.first() else {
            return f.write_str("a child");
        };
        write!(f, "{}", Name(process))?;
        match self.0.count {
            0 | 1 => Ok(()),
            count => write!(f, " and {} more", count - 1),
        }
    }
}

/// ` by SIGTTIN`; nothing where that is not known.
struct By<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for By<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(by) => write!(f, " by {by}"),
            None => Ok(()),
        }
    }
}

/// An exit signal; there may be none.
struct ExitSignal(Option<Signal>);

impl fmt::Display for ExitSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(signal) => write!(f, "{signal}, not SIGCHLD"),
            None => f.write_str("0 (none), not SIGCHLD"),
        }
    }
}

/// `wait4(-1)`
struct Call(Option<CallName>);

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(CallName { call, named }) => f.write_str(&call_words(call, named)),
            None => f.write_str("wait"),
        }
    }
}
