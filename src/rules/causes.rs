//! Causes of leaks: why a zombie was not reaped. The first that fits is reported.

use super::diagnosis::Leak;
use super::finding::{Action, Evidence, ProcessRef};
use super::leaks::ZombieCandidate;
use crate::event::{Moment, Owner, SigchldAction};
use crate::kernel::{Errno, Signal, Status, Tid};
use crate::ledger::{CompletedWait, Ledger, Outcome, Process, Stamp};

/// A leak, with its cause.
pub(super) struct Cause {
    pub(super) leak: Leak,
    pub(super) evidence: Vec<Evidence>,
}

impl Cause {
    fn new(leak: Leak) -> Cause {
        Cause {
            leak,
            evidence: Vec::new(),
        }
    }

    fn seen(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Cause {
        self.evidence.extend(evidence);
        self
    }
}

/// Since when the parent could have reaped this zombie.
pub(super) fn since(child: &Process) -> Moment {
    let ended = child.ended.map(|end| end.when.at).unwrap_or_default();
    let adopted = child.adopted.map(|(when, _)| when.at);
    adopted.map_or(ended, |adopted| adopted.max(ended))
}

/// What prevented a parent from reaping a child for most of the time.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    /// It was in a group-stop.
    stopped: bool,
    /// It was suspended in vfork.
    suspended: bool,
    /// It was blocked in waits for other children.
    waiting: bool,
}

impl Kept {
    pub(super) fn at_all(self) -> bool {
        self.stopped || self.suspended || self.waiting
    }
}

/// What prevented `parent` from reaping a zombie until `now`.
pub(super) fn kept(child: &Process, parent: &Process, now: Moment) -> Kept {
    let age = now.since(since(child));
    let busy = child.ended.map(|end| parent.blocked_between(&end, now));
    let busy = busy.unwrap_or_default();
    let mostly = |time: u64| u128::from(time) * 10 >= u128::from(age) * 6;
    Kept {
        stopped: mostly(busy.stopped),
        suspended: mostly(busy.suspended),
        waiting: busy.waiting >= age.div_ceil(2),
    }
}

/// The first cause that fits; `None` where the parent is merely slow.
pub(super) fn cause(
    candidate: &ZombieCandidate,
    child: &Process,
    parent: &Process,
    now: Moment,
    ledger: &Ledger,
) -> Option<Cause> {
    let kept = kept(child, parent, now);
    let unable = unable(kept, parent, ledger);
    if unable.is_some() {
        return unable;
    }
    if child.adopted.is_some() {
        return orphan(child, parent);
    }
    let found = not_its_own(child, parent, ledger)
        .or_else(|| misunderstood(candidate, child, parent, ledger))
        .or_else(|| missed_group(candidate, child, parent, ledger))
        .or_else(|| signal_trouble(candidate, child, parent, ledger))
        .or_else(|| discarded_signal(candidate, child, parent));
    let found = found.unwrap_or_else(|| {
        let age = now.since(since(child));
        Cause::new(Leak::ZombieLeak { age })
    });
    // The parent may join its children one after the other and has not reached
    // this one. If it exited by itself it had the time; if it was killed it had not.
    let may_come = parent.ended.is_none() || parent.killed_by().is_some();
    let needs_idleness = matches!(
        found.leak,
        Leak::ZombieLeak { .. } | Leak::SpawnFailedZombie | Leak::SigchldDiscarded { .. }
    );
    (!(needs_idleness && kept.waiting && may_come)).then_some(found)
}

/// The parent could not run.
fn unable(kept: Kept, parent: &Process, ledger: &Ledger) -> Option<Cause> {
    if kept.stopped {
        let (when, signal) = parent.stopped.unzip();
        let line = when.zip(signal).map(|(when, signal)| {
            Evidence::of(
                parent,
                when,
                Action::Stopped(signal),
                "cannot reap while it is stopped",
            )
        });
        return Some(Cause::new(Leak::ParentStopped { by: signal }).seen(line));
    }
    if kept.suspended {
        let (when, other) = parent.vforking().unzip();
        let other = other.and_then(|other| ledger.process(other));
        let line = when.zip(other).map(|(when, other)| {
            let action = Action::Vforked(other.tgid);
            Evidence::of(
                parent,
                when,
                action,
                "is suspended until its child execs or exits",
            )
        });
        let stall = Leak::VforkStall {
            until: other.map(ProcessRef::new),
            stopped_by: other.and_then(|other| Some(other.stopped?.1)),
        };
        return Some(Cause::new(stall).seen(line));
    }
    None
}

/// The zombie was adopted by an init or subreaper, which should reap it.
fn orphan(child: &Process, parent: &Process) -> Option<Cause> {
    let (adopted, _) = child.adopted?;
    let last = parent.waits().last_wildcard.as_ref();
    let reaps_any = last.is_some_and(|completed| {
        completed.when.at >= since(child) && matches!(completed.outcome, Outcome::Child(..))
    });
    if reaps_any {
        return None;
    }
    let line = Evidence::of(
        parent,
        adopted,
        Action::Adopted(child.tgid),
        "its parent died, and this process adopted it",
    );
    let idle = Leak::ReaperIdle {
        is_namespace_init: parent.is_namespace_init(),
    };
    Some(Cause::new(idle).seen([line]))
}

/// The parent's program did not create the child, or its waits exclude it.
fn not_its_own(child: &Process, parent: &Process, ledger: &Ledger) -> Option<Cause> {
    if let Some((when, _)) = parent.execs.last()
        && child.born.seq < when.seq
        && child.is_traced
    {
        let born = Evidence::of(
            child,
            child.born,
            Action::Born,
            "created by the program before",
        );
        let action = Action::Executed(parent.image.clone());
        let line = Evidence::of(parent, *when, action, "does not know the child");
        return Some(Cause::new(Leak::ExecInheritedChild).seen([born, line]));
    }
    if child.is_clone_child() {
        let named = child.history.named.iter();
        let lines = named.map(|completed| {
            Evidence::waited(
                completed,
                ledger,
                parent.tgid,
                "does not see it without __WALL",
            )
        });
        let invisible = Leak::CloneChildInvisible {
            exit_signal: child.exit_signal,
            is_refused: false,
        };
        return Some(Cause::new(invisible).seen(lines));
    }
    None
}

/// A wait reported a stop of the child or left it unreaped, or failed with
/// EINTR, and the program did not wait again.
fn misunderstood(
    candidate: &ZombieCandidate,
    child: &Process,
    parent: &Process,
    ledger: &Ledger,
) -> Option<Cause> {
    let line = |completed: &CompletedWait, remark| {
        Evidence::waited(completed, ledger, parent.tgid, remark)
    };
    if let Some(peek) = &child.history.peeked {
        let seen = line(peek, "looked at it and left it");
        return Some(Cause::new(Leak::WnowaitOnly).seen([seen]));
    }
    let last = child.history.last.as_ref();
    if let Some(last) = last.filter(|last| !last.reported_an_end()) {
        let seen = line(last, "reported a stop, not its end");
        let mistaken = Leak::StopMistakenForExit {
            was_continued: last.reported_a_continue(),
        };
        return Some(Cause::new(mistaken).seen([seen]));
    }
    let Owner {
        group, child_group, ..
    } = candidate.owner;
    let waits = parent.waits();
    let of_its_group = waits.last_group.as_ref();
    let of_its_group = of_its_group.filter(|completed| completed.group(group) == child_group);
    let of_any = waits.last_wildcard.as_ref();
    let last = [child.history.named.as_ref(), of_any, of_its_group];
    let last = last
        .into_iter()
        .flatten()
        .max_by_key(|completed| completed.when.seq);
    if let Some(last) = last
        && let Outcome::Eintr(signal) = last.outcome
        && last.when.seq > child.born.seq
        && child
            .history
            .killed
            .is_none_or(|when| when.seq < last.when.seq)
    {
        let seen = line(last, "gave up, and was not called again");
        return Some(Cause::new(Leak::EintrAbandoned { by: signal }).seen([seen]));
    }
    spawn_failed(child)
}

/// The child executed nothing, and ended as one that could not: what a library exits with
/// where it was seen to try, else a shell's codes.
fn spawn_failed(child: &Process) -> Option<Cause> {
    let Status::Exited(code @ 1..) = child.ended?.status.decode() else {
        return None;
    };
    let created_it = child.creator.is_some_and(|_| child.cloned_by.is_none());
    let failed = child.failed_execs.as_deref();
    let could_not_exec = failed.is_some() || matches!(code, 126 | 127);
    if !could_not_exec || !created_it || !child.execs.is_empty() {
        return None;
    }
    let line = failed.map(|failed| {
        let action = Action::ExecFailed(failed.most_telling().clone());
        Evidence::of(child, failed.when, action, "was not executed")
    });
    Some(Cause::new(Leak::SpawnFailedZombie).seen(line))
}

/// A wait for a process group did not match the child.
fn missed_group(
    candidate: &ZombieCandidate,
    child: &Process,
    parent: &Process,
    ledger: &Ledger,
) -> Option<Cause> {
    let last = parent.waits().last_group.as_ref();
    let last = last.filter(|completed| completed.when.seq > child.born.seq)?;
    let missed = matches!(
        last.outcome,
        Outcome::Nothing | Outcome::Error(Errno::CHILD)
    );
    let group = last.group(candidate.owner.group);
    if !missed || group == 0 || group == candidate.owner.child_group {
        return None;
    }
    let miss = Leak::PgrpMiss {
        group,
        child_group: candidate.owner.child_group,
    };
    let seen = Evidence::waited(last, ledger, parent.tgid, "did not match it");
    Some(Cause::new(miss).seen([seen]))
}

/// SIGCHLD did not have the effect on which the parent relies.
fn signal_trouble(
    candidate: &ZombieCandidate,
    child: &Process,
    parent: &Process,
    ledger: &Ledger,
) -> Option<Cause> {
    if candidate.looks >= 2 && candidate.always_blocked {
        return Some(Cause::new(Leak::SigchldBlocked));
    }
    let handles = matches!(parent.sigchld.action, Some(SigchldAction::Handler { .. }));
    if let Some((new, when)) = parent.sigchld.replaced.filter(|_| handles) {
        let action = Action::Handles(new);
        let seen = Evidence::of(parent, when, action, "took the place of the first handler");
        return Some(Cause::new(Leak::HandlerReplaced).seen([seen]));
    }
    // A program starts without a handler.
    let may_handle = handles || parent.sigchld.action.is_none() && parent.execs.is_empty();
    if !may_handle && !candidate.always_blocked {
        return None;
    }
    let ended = child.ended?.when.seq;
    let last = parent.waits().last_wildcard.as_ref()?;
    let drained = parent.waits().drained.is_some_and(|when| when.seq > ended);
    if last.when.seq > ended && !drained && parent.waits().singles.0 > 0 {
        let seen = Evidence::waited(
            last,
            ledger,
            parent.tgid,
            "reaped another, and did not wait again",
        );
        let coalesced = Leak::CoalescedSigchld {
            singles: parent.waits().singles.0,
            is_latent: false,
        };
        return Some(Cause::new(coalesced).seen([seen]));
    }
    None
}

/// The child's SIGCHLD was discarded or got by a thread that does not reap,
/// and no other came.
fn discarded_signal(
    candidate: &ZombieCandidate,
    child: &Process,
    parent: &Process,
) -> Option<Cause> {
    let ended = child.ended?.when.seq;
    let sigchld = &parent.sigchld;
    let after = |signal: &&(Stamp, Tid)| signal.0.seq > ended;
    let discarded = sigchld.discarded.as_ref().filter(after);
    let handled = sigchld.handled.as_ref().filter(after);
    let got = |(when, tid): &(Stamp, Tid), remark| Evidence {
        tid: *tid,
        ..Evidence::of(parent, *when, Action::Got(Signal::CHLD), remark)
    };
    let cause = |got_by| Cause::new(Leak::SigchldDiscarded { got_by });
    let listener = candidate.owner.listener;
    if let Some(listener) = listener {
        let listens = Evidence {
            tid: listener.tid,
            ..Evidence::of(
                parent,
                candidate.looked,
                Action::AwaitsSigchld,
                "does not get it",
            )
        };
        let other = listener.unblocked.filter(|tid| *tid != listener.tid);
        let signal = match (discarded, handled) {
            (Some(signal), None) => got(signal, "discarded: SIGCHLD is at its default"),
            (None, Some(signal)) if signal.1 != listener.tid => {
                got(signal, "its handler did not reap the child")
            }
            _ => return None,
        };
        // If all threads block SIGCHLD now, they began to after it had arrived.
        let got_by = other.and(Some(signal.tid));
        return Some(cause(got_by).seen([signal, listens]));
    }
    let discarded = discarded.filter(|_| handled.is_none())?;
    let SigchldAction::Handler { address, .. } = sigchld.action? else {
        return None;
    };
    let set = sigchld.set.filter(|set| set.seq > discarded.0.seq)?;
    let signal = got(discarded, "discarded: SIGCHLD is at its default");
    let handles = Evidence::of(
        parent,
        set,
        Action::Handles(address),
        "too late for the child",
    );
    Some(cause(None).seen([signal, handles]))
}
