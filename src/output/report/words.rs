//! What a finding says: its sentence and its advice. Pure.

use std::fmt;

use super::{Calls, Name, Seconds};
use crate::kernel::{Errno, Signal};
use crate::rules::{Facts, Finding, Form, Refusal, RuleId, Victim, refused_part};

/// The sentence of a finding.
pub(in crate::output) fn sentence(finding: &Finding) -> String {
    let facts = &finding.facts;
    let parent = Parent(finding);
    let child = Children(finding);
    let is = if finding.count > 1 { "are" } else { "is" };
    match finding.rule {
        RuleId::ParentStopped => {
            format!("{parent} is stopped{} and cannot reap {child}", by(facts))
        }
        RuleId::VforkStall => format!(
            "{parent} is suspended in vfork{} and cannot reap {child}",
            stalled(facts)
        ),
        RuleId::ReaperIdle => format!("{parent} adopted {child} and does not reap it"),
        RuleId::ExecInheritedChild => {
            format!("{parent} has {child} from before its exec, of which it knows nothing")
        }
        RuleId::CloneChildInvisible if facts.form == Form::Refused => format!(
            "{parent} waits in vain for {child}, whose exit signal is {}",
            Exit(facts.signal)
        ),
        RuleId::CloneChildInvisible => format!(
            "{parent} does not see {child}, a zombie whose exit signal is {}",
            Exit(facts.signal)
        ),
        RuleId::WnowaitOnly => {
            format!("{parent} looked at the end of {child} with WNOWAIT and left it a zombie")
        }
        RuleId::StopMistakenForExit => format!(
            "{parent} was told that {child} {}, and did not wait for its end",
            if facts
                .wait
                .as_ref()
                .is_some_and(crate::ledger::Brief::told_a_continue)
            {
                "was continued"
            } else {
                "stopped"
            }
        ),
        RuleId::EintrAbandoned => format!(
            "{parent} did not retry its wait for {child} after {} interrupted it",
            Sig(facts.signal)
        ),
        RuleId::SpawnFailedZombie => {
            format!("{parent} did not reap {child}, which could not execute its program")
        }
        RuleId::PgrpMiss => format!(
            "{parent} waits for process group {}, and {child} {is} in group {}",
            Number(facts.count),
            Number(facts.code)
        ),
        RuleId::SigchldBlocked => {
            format!("{parent} has SIGCHLD blocked, its handler never runs, {child} {is} not reaped")
        }
        RuleId::HandlerReplaced => {
            format!("{parent} had its SIGCHLD handler replaced, and {child} {is} not reaped")
        }
        RuleId::CoalescedSigchld if facts.form == Form::Latent => format!(
            "{parent} reaps one child for each SIGCHLD ({} times), which loses children that end \
             together",
            Number(facts.count)
        ),
        RuleId::CoalescedSigchld => {
            format!("{parent} reaped one child for one SIGCHLD, and {child} {is} left")
        }
        RuleId::SigchldDiscarded if facts.form == Form::OtherThread => format!(
            "{parent} has not reaped {child}: SIGCHLD went to thread {}, not to the one that waits \
             for it",
            Number(facts.tid)
        ),
        RuleId::SigchldDiscarded => {
            format!("{parent} has not reaped {child}: SIGCHLD came before anything handled it")
        }
        RuleId::ZombieLeak => format!(
            "{parent} has not reaped {child}, {} for {}{}",
            if finding.count > 1 {
                "zombies"
            } else {
                "a zombie"
            },
            if died_before_attach(finding) {
                "at least "
            } else {
                ""
            },
            Seconds(facts.nanos.unwrap_or(0))
        ),
        RuleId::LateReap => format!(
            "{parent} reaped {child} {} after it ended",
            Seconds(facts.nanos.unwrap_or(0))
        ),
        _ => lost(finding, &parent, &child)
            .or_else(|| hang(finding, &parent, &child))
            .unwrap_or_else(|| end(finding, &parent, &child)),
    }
}

fn lost(finding: &Finding, parent: &Parent, child: &Children) -> Option<String> {
    let facts = &finding.facts;
    Some(match finding.rule {
        RuleId::StolenChild if facts.form == Form::Latent => format!(
            "{parent} may lose the exit status of {child} in another run: it waits for any child \
             beside {}",
            Calls(facts.wait.as_ref())
        ),
        RuleId::StolenChild => format!(
            "{parent} lost the exit status of {child}: its own {} reaped it first",
            Calls(facts.wait.as_ref())
        ),
        RuleId::DoubleWait => format!("{parent} waited again for {child}, which it had reaped"),
        RuleId::NotMyChild if facts.form == Form::NeverSeen => format!(
            "{parent} waited for {}, which was never a child of it",
            Number(facts.code)
        ),
        RuleId::NotMyChild => match &facts.other {
            Some(other) => format!(
                "{parent} waited for {child}, which is a child of {}",
                Name(other)
            ),
            None => format!("{parent} waited for {child}, which is no child of it"),
        },
        RuleId::AutoreapEchild if facts.form == Form::NoWaitFlag => format!(
            "{parent} lost the exit status of {child}: its SIGCHLD handler has SA_NOCLDWAIT"
        ),
        RuleId::AutoreapEchild => {
            format!("{parent} lost the exit status of {child}: it ignores SIGCHLD")
        }
        RuleId::InheritedSigchldIgnore => format!(
            "{parent} was started with SIGCHLD ignored{} and lost the exit status of {child}",
            match facts.name {
                Some(name) => format!(" by {name}"),
                None => String::new(),
            }
        ),
        RuleId::EfaultLostStatus => {
            format!("{parent} lost the exit status of {child}: its wait had a bad pointer")
        }
        RuleId::StatusDiscarded => format!(
            "{parent} reaped {child}, which died of {}, without asking for its status",
            Sig(facts.signal)
        ),
        RuleId::SignalDeathHidden => format!(
            "{parent} exited with 0 at once after its only child, {child}, died of {}",
            Sig(facts.signal)
        ),
        RuleId::RawStatusExit => format!(
            "{parent} exits with {}, a raw wait status: its caller sees {}",
            Number(facts.code),
            facts.code.unwrap_or(0) & 0xff
        ),
        RuleId::WrongThreadWait => format!(
            "{parent} waits with __WNOTHREAD for {child}, which another thread ({}) created",
            Number(facts.tid)
        ),
        RuleId::BadWaitArgs => {
            format!(
                "{parent} called {}: {}",
                Calls(facts.wait.as_ref()),
                refusal(facts)
            )
        }
        _ => return None,
    })
}

fn hang(finding: &Finding, parent: &Parent, child: &Children) -> Option<String> {
    let facts = &finding.facts;
    Some(match finding.rule {
        RuleId::WnohangSpin => format!(
            "{parent} polled {} times in {} for a child that had not ended",
            Number(facts.count),
            Seconds(facts.nanos.unwrap_or(0))
        ),
        RuleId::EchildSpin => format!(
            "{parent} waited {} times in {} without a child to wait for",
            Number(facts.count),
            Seconds(facts.nanos.unwrap_or(0))
        ),
        RuleId::PipeFullDeadlock => format!(
            "{parent} waits for {child}, which cannot write to its full pipe (fd {}) until \
             somebody reads",
            Number(facts.fd)
        ),
        RuleId::PipeEofDeadlock => format!(
            "{parent} waits for {child}, which waits for the end of a pipe that {} holds open \
             (fd {})",
            facts
                .other
                .as_ref()
                .map_or_else(|| "somebody".into(), |other| Name(other).to_string()),
            Number(facts.code)
        ),
        RuleId::PipeHeldByDescendant => format!(
            "{parent} reads a pipe (fd {}) of {child}, which is dead: {} holds it open",
            Number(facts.fd),
            facts
                .other
                .as_ref()
                .map_or_else(|| "a process".into(), |other| Name(other).to_string())
        ),
        RuleId::StoppedChildHang => {
            format!("{parent} waits for {child}, which was stopped{}", by(facts))
        }
        _ => return None,
    })
}

fn end(finding: &Finding, parent: &Parent, child: &Children) -> String {
    let facts = &finding.facts;
    match finding.rule {
        RuleId::OutlivesCommand => format!(
            "{child} {} on after {parent} has ended{}",
            if finding.count > 1 { "live" } else { "lives" },
            match facts.count {
                None | Some(0) => "",
                Some(_) => ", with its output open",
            }
        ),
        RuleId::LeaderZombie => {
            let threads = facts.count.unwrap_or(0);
            let run = if threads == 1 {
                "thread runs"
            } else {
                "threads run"
            };
            format!("{parent} lost its main thread, but {threads} {run} on: it is no zombie")
        }
        RuleId::PdeathsigThread => format!(
            "{parent} lives on, but the end of its thread {} sent {child} the death signal {}",
            Number(facts.tid),
            Sig(facts.signal)
        ),
        RuleId::PidnsInitExit if facts.signal.is_some() => format!(
            "{parent} was PID 1 of its pid namespace and died of {}: the kernel killed {child}",
            Sig(facts.signal)
        ),
        RuleId::PidnsInitExit => {
            format!("{parent} was PID 1 of its pid namespace and exited: the kernel killed {child}")
        }
        RuleId::KillAfterReap => format!(
            "{parent} sent {} to {child} {} after it had reaped it",
            Sig(facts.signal),
            Seconds(facts.nanos.unwrap_or(0))
        ),
        RuleId::UnexpectedExit if finding.count > 1 => {
            format!("{child} ended otherwise than expected, under {parent}")
        }
        RuleId::UnexpectedExit => match &facts.wait {
            Some(wait) => format!(
                "{child} {}, and {parent} was told by {}",
                ending(finding),
                Calls(Some(wait))
            ),
            None => format!(
                "{child} {}, and nobody in the trace was told",
                ending(finding)
            ),
        },
        // Told by the functions above.
        RuleId::ParentStopped
        | RuleId::VforkStall
        | RuleId::ReaperIdle
        | RuleId::ExecInheritedChild
        | RuleId::CloneChildInvisible
        | RuleId::WnowaitOnly
        | RuleId::StopMistakenForExit
        | RuleId::EintrAbandoned
        | RuleId::SpawnFailedZombie
        | RuleId::PgrpMiss
        | RuleId::SigchldBlocked
        | RuleId::HandlerReplaced
        | RuleId::CoalescedSigchld
        | RuleId::SigchldDiscarded
        | RuleId::ZombieLeak
        | RuleId::LateReap
        | RuleId::StolenChild
        | RuleId::DoubleWait
        | RuleId::NotMyChild
        | RuleId::AutoreapEchild
        | RuleId::InheritedSigchldIgnore
        | RuleId::EfaultLostStatus
        | RuleId::StatusDiscarded
        | RuleId::SignalDeathHidden
        | RuleId::RawStatusExit
        | RuleId::WrongThreadWait
        | RuleId::BadWaitArgs
        | RuleId::WnohangSpin
        | RuleId::EchildSpin
        | RuleId::PipeFullDeadlock
        | RuleId::PipeEofDeadlock
        | RuleId::PipeHeldByDescendant
        | RuleId::StoppedChildHang => finding.rule.rule().summary.to_owned(),
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
    ended.map_or_else(|| "ended".into(), |(_, status)| super::how_it_ended(status))
}

fn by(facts: &Facts) -> String {
    facts
        .signal
        .map_or_else(String::new, |signal| format!(" by {signal}"))
}

fn stalled(facts: &Facts) -> String {
    match (&facts.other, facts.signal) {
        (Some(child), Some(signal)) => {
            format!(
                " until {}, stopped by {signal}, execs or exits",
                Name(child)
            )
        }
        (Some(child), None) => format!(" until {} execs or exits", Name(child)),
        (None, _) => String::new(),
    }
}

fn refusal(facts: &Facts) -> String {
    let errno = Errno::from_raw(facts.code.unwrap_or(0));
    let Some(wait) = &facts.wait else {
        return errno.to_string();
    };
    match refused_part(wait, errno) {
        Refusal::Options(bits) => {
            let bits = crate::kernel::WaitOptions::of(wait.options.system(), bits);
            format!("{bits} is no option of {}", wait.call.name())
        }
        Refusal::NothingAsked => {
            let call = wait.call.name();
            format!("{call} must be told WEXITED, WSTOPPED or WCONTINUED")
        }
        Refusal::Id => "the id type or id is not valid".into(),
        Refusal::NoPidfd => "the descriptor is no pidfd".into(),
        Refusal::NoSuchGroup => "INT_MIN names no process group".into(),
    }
}

/// The advice of a finding.
pub(in crate::output) fn advice(finding: &Finding) -> &'static str {
    let form = finding.facts.form;
    match finding.rule {
        RuleId::ParentStopped => "continue the parent (SIGCONT); it is no bug of its waits",
        RuleId::VforkStall => "a vfork child must exec or _exit at once; use posix_spawn",
        RuleId::ReaperIdle if form == Form::NamespaceInit => {
            "PID 1 must reap any child (wait(-1)), or run the program under an init: tini, dumb-init"
        }
        RuleId::ReaperIdle => {
            "a subreaper gets orphans: reap any child (wait(-1)), not only its own"
        }
        RuleId::ExecInheritedChild => {
            "do not exec while background jobs or process substitutions run, or wait for them first"
        }
        RuleId::CloneChildInvisible => "wait with __WALL, or clone with SIGCHLD as the exit signal",
        RuleId::WnowaitOnly => "call the wait again without WNOWAIT",
        RuleId::StopMistakenForExit => {
            "a wait with WUNTRACED also tells of stops: test WIFEXITED and WIFSIGNALED"
        }
        RuleId::EintrAbandoned => "retry the wait while it fails with EINTR, or set SA_RESTART",
        RuleId::SpawnFailedZombie => "the error path of a failed exec must wait for the child too",
        RuleId::PgrpMiss => "wait by pid; a child may change its process group",
        RuleId::SigchldBlocked => {
            "unblock SIGCHLD (the mask is kept across exec), or take it with signalfd or sigwait"
        }
        RuleId::HandlerReplaced => "chain the first handler, or wait by pidfd",
        RuleId::CoalescedSigchld => {
            "signals coalesce: in the handler wait in a loop until 0 or ECHILD"
        }
        RuleId::SigchldDiscarded if form == Form::OtherThread => {
            "block SIGCHLD in every thread, before the first one is started"
        }
        RuleId::SigchldDiscarded => {
            "install the handler or block SIGCHLD before fork, or wait once with WNOHANG after it"
        }
        RuleId::ZombieLeak => {
            "wait for every child; where the count grows, fork will fail (EAGAIN)"
        }
        RuleId::LateReap => "reap when SIGCHLD arrives or a pidfd becomes readable",
        RuleId::StolenChild => "reap by pid, or have one place that reaps and hands the status on",
        RuleId::DoubleWait => "forget a pid once it is reaped",
        RuleId::NotMyChild => "only the parent can wait for a process; poll a pidfd instead",
        RuleId::AutoreapEchild if form == Form::NoWaitFlag => {
            "do not set SA_NOCLDWAIT where exit statuses matter"
        }
        RuleId::AutoreapEchild => "do not ignore SIGCHLD where exit statuses matter",
        RuleId::InheritedSigchldIgnore => {
            "set SIGCHLD to SIG_DFL at the start, or in the launcher before its exec"
        }
        RuleId::EfaultLostStatus => {
            "pass a valid pointer: with EFAULT the child is reaped all the same"
        }
        RuleId::StatusDiscarded => "ask for the status, and look at WIFSIGNALED",
        RuleId::SignalDeathHidden => {
            "WEXITSTATUS of a killed child is 0: test WIFSIGNALED before it"
        }
        RuleId::RawStatusExit => "exit with WEXITSTATUS(status), or 128 + WTERMSIG(status)",
        RuleId::WrongThreadWait => "drop __WNOTHREAD, or wait in the thread that forked",
        RuleId::BadWaitArgs => "see wait(2) for what each call accepts",
        RuleId::WnohangSpin => "block in the wait, or poll a pidfd; a loop of polls burns a CPU",
        RuleId::EchildSpin => "ECHILD means that there are no children: end the loop",
        RuleId::PipeFullDeadlock => "read the child's output until its end, then wait",
        RuleId::PipeEofDeadlock => {
            "close the write end in everybody who does not write (O_CLOEXEC), then wait"
        }
        RuleId::PipeHeldByDescendant => {
            "redirect the output of background processes, or stop reading when the child ends"
        }
        RuleId::OutlivesCommand => {
            "a reader of the command's output waits for them too: end them, or redirect their output"
        }
        RuleId::StoppedChildHang => "continue the child (SIGCONT), or wait with WUNTRACED",
        RuleId::LeaderZombie => "ps shows Z for it, but only its main thread has exited",
        RuleId::PdeathsigThread => {
            "PR_SET_PDEATHSIG follows the thread that forked, not the process: fork in a thread \
             that stays"
        }
        RuleId::PidnsInitExit if finding.facts.signal == Some(Signal::KILL) => {
            "SIGKILL to PID 1 ends its whole namespace; if that is not meant, find its sender"
        }
        RuleId::PidnsInitExit => "PID 1 must outlive its namespace: wait for all, or use an init",
        RuleId::KillAfterReap => "the pid may be somebody else's by now; use a pidfd",
        RuleId::UnexpectedExit => "see its last lines, and who reaped it",
    }
}

/// `python3[2411]`
struct Parent<'a>(&'a Finding);

impl fmt::Display for Parent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let party = &self.0.parent;
        write!(f, "{}[{}]", party.comm(), party.tgid)
    }
}

/// `2415 sh`, or `2415 sh and 4 more`
struct Children<'a>(&'a Finding);

impl fmt::Display for Children<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Victim { party, .. }) = self.0.children.first() else {
            return f.write_str("a child");
        };
        write!(f, "{}", Name(party))?;
        match self.0.count {
            0 | 1 => Ok(()),
            count => write!(f, " and {} more", count - 1),
        }
    }
}

struct Sig(Option<Signal>);

impl fmt::Display for Sig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(signal) => signal.fmt(f),
            None => f.write_str("a signal"),
        }
    }
}

/// An exit signal; there may be none.
struct Exit(Option<Signal>);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(signal) => write!(f, "{signal}, not SIGCHLD"),
            None => f.write_str("none, not SIGCHLD"),
        }
    }
}

/// A number that should be there.
struct Number<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for Number<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str("?"),
        }
    }
}
