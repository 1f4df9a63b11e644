//! Rules on lost statuses: a wait that failed, or a status that was not examined.
//!
//! Which wait reaped a child is known only when every stop that is ready has been
//! taken, since their order is not causal: a failed wait is kept until then.

use super::RuleContext;
use super::arguments::bad_arguments;
use super::diagnosis::{CallName, Diagnosis, Leak, Loss, Stranger};
use super::finding::{Action, Evidence, Finding, ProcessRef};
use super::table::Severity;
use crate::event::{EventKind, SigchldAction, WaitExit};
use crate::kernel::{Errno, Signal, Tgid, Tid, WaitOptions};
use crate::ledger::{CompletedWait, Ledger, ParentId, Process, ProcessId, Reap, ReapKind};

/// A process that exits so soon after a reap has done nothing else in between;
/// in nanoseconds.
const AT_ONCE: u64 = 200_000_000;

/// State kept between events.
#[derive(Clone, Debug, Default)]
pub(super) struct Lost {
    /// Waits for one process that failed with ECHILD, until the queue is drained.
    refused: Vec<Refused>,
}

/// A wait for one process that failed with ECHILD.
#[derive(Clone, Debug)]
struct Refused {
    caller: Tgid,
    completed: CompletedWait,
    /// The process, if it was known when the wait ended.
    child: Option<Awaited>,
}

/// What was known of that process when the wait ended.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    id: ProcessId,
    tgid: Tgid,
    parent: Option<ParentId>,
    /// The thread that created it, if alive then.
    creator: Option<Tid>,
}

impl Lost {
    pub(super) fn event(&mut self, context: &mut RuleContext) {
        let event = context.event;
        match &event.kind {
            EventKind::WaitEnded(exit) => self.wait_ended(exit, context),
            EventKind::ExitsWith(code) => raw_status(*code, context),
            EventKind::Ended { .. } if event.tgid.leader() == event.tid => hidden_crash(context),
            EventKind::QueueDrained | EventKind::Over => {
                for refused in std::mem::take(&mut self.refused) {
                    judge(&refused, context);
                }
            }
            _ => {}
        }
    }

    fn wait_ended(&mut self, exit: &WaitExit, context: &mut RuleContext) {
        match exit.result {
            Err(Errno::CHILD) => {
                let (caller, ledger) = (context.event.tgid, context.ledger);
                let completed = brief_of(exit, context);
                if completed.way() == ReapKind::Specific {
                    let child = ledger.target(caller, &exit.entry);
                    self.refused.push(Refused {
                        caller,
                        completed,
                        child: child.map(|child| Awaited {
                            id: child.id,
                            tgid: child.tgid,
                            parent: child.parent,
                            creator: child
                                .creator
                                .map(|(tid, _)| tid)
                                .filter(|tid| ledger.has_thread(*tid)),
                        }),
                    });
                    context.unsettled = true;
                }
            }
            Err(Errno::FAULT) => lost_by_fault(exit, context),
            Err(errno @ (Errno::INVAL | Errno::BADF | Errno::SRCH)) => {
                bad_arguments(exit, errno, context);
            }
            _ => discarded(exit, context),
        }
    }
}

/// The wait at hand, with the child it reaped.
pub(super) fn brief_of(exit: &WaitExit, context: &RuleContext) -> CompletedWait {
    let when = context.stamp();
    CompletedWait::new(context.event.tid, when, exit)
}

/// Why a wait for one process found no child.
fn judge(refused: &Refused, context: &mut RuleContext) {
    let ledger = context.ledger;
    let Some(caller) = ledger.process(refused.caller) else {
        return;
    };
    let child = refused.child.and_then(|awaited| {
        let process = ledger.process(awaited.tgid)?;
        (process.id == awaited.id).then_some(process)
    });
    let Some(child) = child else {
        never_seen(refused, caller, context);
        return;
    };
    if child.tgid == caller.tgid {
        // A process is not its own child; libraries probe with that.
        return;
    }
    // The stop at the end of a process precedes its reap: if it came after the
    // wait, the process existed during the wait, and the wait did not match it.
    let was_there = child
        .ended
        .is_none_or(|end| end.when.seq > refused.completed.when.seq);
    let hidden = was_there || other_thread(refused).is_some();
    // What a thread did after the wait was not before it; between threads the
    // order of events proves nothing.
    let before = |reap: &Reap| {
        reap.by != refused.completed.tid || reap.when.seq < refused.completed.when.seq
    };
    let reaped_before = child
        .reaped
        .filter(|reap| !hidden && reap.by_process == caller.as_parent() && before(reap));
    match reaped_before.map(|reap| (reap.way, reap)) {
        Some((ReapKind::Wildcard | ReapKind::Group, reap))
            if is_stale(refused, child, &reap, caller) =>
        {
            waited_twice(refused, child, caller, context);
        }
        Some((ReapKind::Wildcard | ReapKind::Group, reap)) => {
            stolen(refused, child, &reap, caller, context);
        }
        // Two threads waited at once: it is chance which of them got the status.
        Some((ReapKind::Specific, reap))
            if reap.by != refused.completed.tid && refused.completed.entered < reap.when.at => {}
        Some((ReapKind::Specific, _)) => waited_twice(refused, child, caller, context),
        Some((ReapKind::Kernel, _)) => reaped_by_kernel(refused, child, caller, context),
        // EFAULT has a rule of its own; of a reap that was not observed nothing
        // is known.
        Some((ReapKind::Fault | ReapKind::Unseen, _)) => {}
        None => not_visible(refused, child, caller, context),
    }
}

/// The thread whose child the wait excluded by `__WNOTHREAD`.
fn other_thread(refused: &Refused) -> Option<Tid> {
    let creator = refused.child?.creator?;
    let completed = &refused.completed;
    let hides = completed.options.contains(WaitOptions::NOTHREAD) && creator != completed.tid;
    hides.then_some(creator)
}

/// Whether a thread waits for a child that it has reaped itself: by a wait for
/// any child when there was no other. If a handler of SIGCHLD reaped it, it
/// was stolen instead.
fn is_stale(refused: &Refused, child: &Process, reap: &Reap, caller: &Process) -> bool {
    let in_handler = child
        .history
        .last
        .as_ref()
        .and_then(|taken| taken.in_handler);
    let outside = match caller.sigchld.action {
        // Of one that was found in `/proc`, no more is known: perhaps a handler that
        // reaps nothing.
        Some(SigchldAction::Handler { address: 0, .. }) => in_handler != Some(true),
        Some(SigchldAction::Handler { .. }) => in_handler == Some(false),
        _ => true,
    };
    reap.was_only_child
        && outside
        && reap.by == refused.completed.tid
        && reap.when.at <= refused.completed.entered
}

/// Evidence that a wait found nothing.
fn in_vain(refused: &Refused, ledger: &Ledger) -> Evidence {
    Evidence::waited(&refused.completed, ledger, refused.caller, "found nothing")
}

fn stolen(
    refused: &Refused,
    child: &Process,
    reap: &Reap,
    caller: &Process,
    context: &mut RuleContext,
) {
    let thief = child.history.last.as_ref();
    let severity = if reap.took_status {
        Severity::Warning
    } else {
        Severity::Error
    };
    let taken = thief.map(|completed| {
        let remark = if reap.took_status {
            "got the status"
        } else {
            "reaped the child and dropped its status"
        };
        Evidence::waited(completed, context.ledger, caller.tgid, remark)
    });
    let diagnosis = Loss::StolenChild {
        wait: thief.map(CallName::from),
        is_latent: false,
    };
    let lines = Evidence::ended(child, "").into_iter().chain(taken);
    let finding = Finding::new(diagnosis, ProcessRef::new(caller), refused.completed.when)
        .about(child)
        .severity(severity)
        .evidence(lines.chain([in_vain(refused, context.ledger)]));
    context.findings.add(finding);
}

fn waited_twice(refused: &Refused, child: &Process, caller: &Process, context: &mut RuleContext) {
    let first = child
        .history
        .last
        .as_ref()
        .map(|completed| Evidence::waited(completed, context.ledger, caller.tgid, "reaped it"));
    let finding = Finding::new(
        Loss::DoubleWait,
        ProcessRef::new(caller),
        refused.completed.when,
    )
    .about(child)
    .evidence(first.into_iter().chain([in_vain(refused, context.ledger)]));
    context.findings.add(finding);
}

fn reaped_by_kernel(
    refused: &Refused,
    child: &Process,
    caller: &Process,
    context: &mut RuleContext,
) {
    let sigchld = &caller.sigchld;
    let by_flag = matches!(
        sigchld.action,
        Some(SigchldAction::Handler { .. } | SigchldAction::DefaultNoWait)
    );
    let diagnosis = if sigchld.is_inherited {
        let by = sigchld.chosen_by;
        Loss::InheritedSigchldIgnore { by }
    } else {
        Loss::AutoreapEchild { by_flag }
    };
    let set = sigchld.set.map(|when| {
        let action = if by_flag {
            Action::SetsNoWait
        } else {
            Action::IgnoresSigchld
        };
        Evidence::of(caller, when, action, "the kernel reaps from here on")
    });
    let ended = Evidence::ended(child, "reaped by the kernel, its status dropped");
    let lines = set.into_iter().chain(ended);
    let finding = Finding::new(diagnosis, ProcessRef::new(caller), refused.completed.when)
        .about(child)
        .evidence(lines.chain([in_vain(refused, context.ledger)]));
    context.findings.add(finding);
}

/// Whether a forked copy of a program polls for a child of the original: its
/// library cleans up a table that fork copied, and expects ECHILD.
fn is_inherited_poll(child: &Process, caller: &Process, completed: &CompletedWait) -> bool {
    let is_copy = caller.execs.is_empty() && child.born.seq < caller.born.seq;
    is_copy && completed.polls() && child.parent == caller.parent
}

/// The process is alive or a zombie, and the caller's wait does not match it.
fn not_visible(refused: &Refused, child: &Process, caller: &Process, context: &mut RuleContext) {
    let parent = refused.child.and_then(|awaited| awaited.parent);
    let completed = &refused.completed;
    if parent != Some(caller.as_parent()) {
        let by_itself = child.cloned_by == Some(caller.as_parent());
        // An unknown parent was missed, or is outside of the trace.
        let Some(parent) = parent.filter(|_| !by_itself && child.is_traced) else {
            return;
        };
        let stranger = Stranger::ChildOf(ProcessRef::of_parent(parent, context.ledger));
        let severity = if is_inherited_poll(child, caller, completed) {
            Severity::Info
        } else {
            Severity::Warning
        };
        let finding = Finding::new(
            Loss::NotMyChild(stranger),
            ProcessRef::new(caller),
            completed.when,
        )
        .about(child)
        .severity(severity)
        .evidence([
            Evidence::of(
                child,
                child.born,
                Action::Born,
                "a child of another process",
            ),
            in_vain(refused, context.ledger),
        ]);
        context.findings.add(finding);
        return;
    }
    let sees_clones = completed.options.contains(WaitOptions::ALL)
        || completed.options.contains(WaitOptions::CLONE);
    let diagnosis: Diagnosis = if let Some(creator) = other_thread(refused) {
        Loss::WrongThreadWait { creator }.into()
    } else if child.is_clone_child() && !sees_clones {
        let exit_signal = child.exit_signal;
        Leak::CloneChildInvisible {
            exit_signal,
            is_refused: true,
        }
        .into()
    } else {
        return;
    };
    let finding = Finding::new(diagnosis, ProcessRef::new(caller), completed.when)
        .about(child)
        .evidence([
            Evidence::of(child, child.born, Action::Born, ""),
            in_vain(refused, context.ledger),
        ]);
    context.findings.add(finding);
}

/// A pid that no process in the trace ever had.
fn never_seen(refused: &Refused, caller: &Process, context: &mut RuleContext) {
    // Of a wait for a pidfd whose process is unknown, nothing can be said.
    let Some(pid) = refused.completed.named.process() else {
        return;
    };
    // A pid of another namespace, or of a process dropped from the ledger, cannot
    // be distinguished from one that never existed.
    if !context.ledger.knows_all()
        || context.ledger.is_in_inner_namespace(caller.tgid)
        || refused.child.is_some()
    {
        return;
    }
    let diagnosis = Loss::NotMyChild(Stranger::NeverSeen(pid.raw()));
    let finding = Finding::new(diagnosis, ProcessRef::new(caller), refused.completed.when)
        .evidence([in_vain(refused, context.ledger)]);
    context.findings.add(finding);
}

/// A call that failed with EFAULT after it had reaped a child.
fn lost_by_fault(exit: &WaitExit, context: &mut RuleContext) {
    let lost = context.ledger.just_reaped();
    let lost = lost.filter(|child| child.reaped.is_some_and(|reap| reap.way == ReapKind::Fault));
    let (Some(child), Some(caller)) = (lost, context.ledger.process(context.event.tgid)) else {
        return;
    };
    let completed = brief_of(exit, context);
    let failed = Evidence::waited(
        &completed,
        context.ledger,
        caller.tgid,
        "reaped it all the same",
    );
    let finding = Finding::new(
        Loss::EfaultLostStatus,
        ProcessRef::new(caller),
        completed.when,
    )
    .about(child)
    .evidence(Evidence::ended(child, "").into_iter().chain([failed]));
    context.findings.add(finding);
}

/// The signal of the crash that ended a child, unless its parent sent the signal.
fn crash(child: &Process) -> Option<Signal> {
    let signal = child.killed_by().filter(|signal| signal.is_crash())?;
    let was_sent = child.history.killed.is_some() || child.history.crash_was_sent;
    (!was_sent).then_some(signal)
}

/// A crash whose status was not asked for.
fn discarded(exit: &WaitExit, context: &mut RuleContext) {
    if exit.entry.result_at != 0 {
        return;
    }
    let child = context.ledger.just_reaped();
    let caller = context.ledger.process(context.event.tgid);
    let (Some(child), Some(caller)) = (child, caller) else {
        return;
    };
    let Some(signal) = crash(child) else {
        return;
    };
    let completed = brief_of(exit, context);
    let reaped = Evidence::waited(
        &completed,
        context.ledger,
        caller.tgid,
        "asked for no status",
    );
    let diagnosis = Loss::StatusDiscarded { signal };
    let finding = Finding::new(diagnosis, ProcessRef::new(caller), completed.when)
        .about(child)
        .evidence(Evidence::ended(child, "").into_iter().chain([reaped]));
    context.findings.add(finding);
}

/// The only child crashed, and its parent exits with 0 right after.
fn hidden_crash(context: &mut RuleContext) {
    let Some(parent) = context.ledger.process(context.event.tgid) else {
        return;
    };
    let exited_well = parent.ended.is_some_and(|end| end.status.raw() == 0);
    let Some((last, count)) = parent.waits().last_reaped.filter(|_| exited_well) else {
        return;
    };
    let child = context.ledger.process(last);
    let Some(child) = child.filter(|child| {
        let reaped = child.reaped;
        count == 1 && reaped.is_some_and(|reap| reap.by_process == parent.as_parent())
    }) else {
        return;
    };
    let last = child.history.last.as_ref();
    let (Some(signal), Some(reap), Some(completed)) = (crash(child), child.reaped, last) else {
        return;
    };
    // A wait without a place for the status is the subject of another rule.
    if context.event.at.since(reap.when.at) > AT_ONCE || !reap.took_status {
        return;
    }
    let when = context.stamp();
    let lines = [
        Evidence::ended(child, ""),
        Some(Evidence::waited(
            completed,
            context.ledger,
            parent.tgid,
            "got the status",
        )),
        Evidence::ended(parent, "did not report it"),
    ];
    let diagnosis = Loss::SignalDeathHidden { signal };
    let finding = Finding::new(diagnosis, ProcessRef::new(parent), when)
        .about(child)
        .evidence(lines.into_iter().flatten());
    context.findings.add(finding);
}

/// A raw wait status is used as an exit code.
fn raw_status(code: i32, context: &mut RuleContext) {
    let Some(caller) = context.ledger.process(context.event.tgid) else {
        return;
    };
    let Some(completed) = caller.waits().last_status(code) else {
        return;
    };
    let when = context.stamp();
    let exits = Evidence::of(
        caller,
        when,
        Action::Exits(code),
        "its caller sees the low 8 bits",
    );
    let got = Evidence::waited(&completed, context.ledger, caller.tgid, "got this status");
    let diagnosis = Loss::RawStatusExit { code };
    let finding = Finding::new(diagnosis, ProcessRef::new(caller), when).evidence([got, exits]);
    context.findings.add(finding);
}
