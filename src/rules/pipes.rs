//! The rules on deadlocks between a wait and a pipe: the parent waits for a child
//! that is blocked on a pipe until the parent acts.

use rustc_hash::FxHashMap;

use super::RuleContext;
use super::diagnosis::Hang;
use super::finding::{Action, Evidence, Finding, ProcessRef};
use super::hangs::blocked;
use crate::event::{BlockedChild, BlockedIn, PipeSide};
use crate::kernel::{Tgid, Tid};
use crate::ledger::{Ledger, Process, Waiting};

/// What the first look at each blocked wait found.
#[derive(Clone, Debug, Default)]
pub(super) struct Pipes {
    seen: FxHashMap<Tid, (u64, Vec<(Tgid, u64)>)>,
}

impl Pipes {
    /// A thread has ended.
    pub(super) fn forget(&mut self, tid: Tid) {
        self.seen.remove(&tid);
    }

    /// Examines the children that a wait is for. A finding needs two looks with the
    /// same result.
    pub(super) fn look(
        &mut self,
        tid: Tid,
        waiting: &Waiting,
        waiter: &Process,
        awaited: &[&BlockedChild],
        all: &[BlockedChild],
        context: &RuleContext,
    ) -> Option<Finding> {
        let pipes = awaited
            .iter()
            .map(|blocked_child| match blocked_child.within {
                BlockedIn::Pipe { inode, .. } => Some((blocked_child.child, inode)),
                BlockedIn::Other => None,
            });
        let pipes = pipes.collect::<Option<Vec<_>>>();
        let key = waiting.when.seq;
        let Some(pipes) = pipes.filter(|_| all_locked(waiter, awaited, all, context.ledger)) else {
            self.seen.remove(&tid);
            return None;
        };
        let before = self.seen.insert(tid, (key, pipes.clone()));
        if before != Some((key, pipes)) {
            return None;
        }
        self.seen.remove(&tid);
        let last = last_of_chain(awaited.first()?, all, waiter, context.ledger);
        finding(tid, waiting, waiter, last, context)
    }
}

/// Of children that are blocked on each other's pipes, the one whose pipe ends at the
/// waiter or above it: who acts there frees them all.
fn last_of_chain<'a>(
    first: &'a BlockedChild,
    all: &'a [BlockedChild],
    waiter: &Process,
    ledger: &Ledger,
) -> &'a BlockedChild {
    let mut at = first;
    for _ in 0..all.len() {
        let BlockedIn::Pipe { others, .. } = &at.within else {
            break;
        };
        let mut others = others.iter().filter(|side| side.tgid != at.child);
        if others
            .clone()
            .any(|side| is_ancestor(side.tgid, waiter, ledger))
        {
            return at;
        }
        let next = others.find_map(|side| all.iter().find(|child| child.child == side.tgid));
        let Some(next) = next else {
            break;
        };
        at = next;
    }
    first
}

/// Whether every awaited child is blocked on a pipe, and every process that could
/// unblock it is blocked too.
fn all_locked(
    waiter: &Process,
    awaited: &[&BlockedChild],
    all: &[BlockedChild],
    ledger: &Ledger,
) -> bool {
    // Siblings count as blocked until a reason is found that they are not.
    let mut locked: Vec<&BlockedChild> = all
        .iter()
        .filter(|blocked_child| blocked_child.within != BlockedIn::Other)
        .collect();
    loop {
        let before = locked.len();
        let names: Vec<Tgid> = locked
            .iter()
            .map(|blocked_child| blocked_child.child)
            .collect();
        locked.retain(|blocked_child| is_locked(blocked_child, waiter, &names, ledger));
        if locked.len() == before {
            break;
        }
    }
    awaited.iter().all(|blocked_child| {
        locked
            .iter()
            .any(|other| other.child == blocked_child.child)
    })
}

fn is_locked(
    blocked_child: &BlockedChild,
    waiter: &Process,
    locked: &[Tgid],
    ledger: &Ledger,
) -> bool {
    let BlockedIn::Pipe {
        others, complete, ..
    } = &blocked_child.within
    else {
        return false;
    };
    if others.is_empty() || !(*complete || ledger.knows_all()) {
        return false;
    }
    others.iter().all(|side| {
        side.tgid == blocked_child.child
            || locked.contains(&side.tgid)
            || waits_with_all_threads(side.tgid, ledger) && is_ancestor(side.tgid, waiter, ledger)
    })
}

/// Whether every thread of the process is blocked in a wait.
fn waits_with_all_threads(tgid: Tgid, ledger: &Ledger) -> bool {
    let waiting = ledger
        .waits_of(tgid)
        .filter(|(_, waiting)| waiting.blocks());
    let waiting = waiting.count();
    waiting > 0 && waiting == ledger.threads_of(tgid)
}

/// Whether `tgid` is the waiter, or an ancestor of it that waits too.
fn is_ancestor(tgid: Tgid, waiter: &Process, ledger: &Ledger) -> bool {
    let mut at = Some(waiter);
    for _ in 0..64 {
        match at {
            Some(process) if process.tgid == tgid => return true,
            Some(process) => at = ledger.parent_of(process),
            None => return false,
        }
    }
    false
}

fn finding(
    tid: Tid,
    waiting: &Waiting,
    waiter: &Process,
    blocked_child: &BlockedChild,
    context: &RuleContext,
) -> Option<Finding> {
    let child = context.ledger.process(blocked_child.child)?;
    let BlockedIn::Pipe {
        writes, fd, others, ..
    } = &blocked_child.within
    else {
        return None;
    };
    let when = context.stamp();
    // Another process's end is the one that was not closed; the child's own comes
    // last.
    let own = |side: &&PipeSide| side.tgid == blocked_child.child;
    let side = others.iter().find(|side| !own(side)).or(others.first())?;
    let (diagnosis, remark) = if *writes {
        (Hang::PipeFullDeadlock { fd: *fd }, "the pipe is full")
    } else {
        let holder = ProcessRef::find(side.tgid, context.ledger);
        let fd = side.fd;
        (
            Hang::PipeEofDeadlock { holder, fd },
            "the pipe is still open for writing",
        )
    };
    // The process that could drain the pipe may be further up.
    let elder = others.iter().find(|side| {
        *writes && side.tgid != waiter.tgid && is_ancestor(side.tgid, waiter, context.ledger)
    });
    let elder = elder.and_then(|side| context.ledger.process(side.tgid));
    let waits = elder.and_then(|elder| {
        let (tid, waiting) = context.ledger.waits_of(elder.tgid).next()?;
        Some(blocked(tid, elder, waiting, context.ledger))
    });
    Some(
        Finding::new(diagnosis, ProcessRef::new(elder.unwrap_or(waiter)), when)
            .about(child)
            .evidence(waits)
            .evidence([
                blocked(tid, waiter, waiting, context.ledger),
                Evidence::of(child, when, Action::OnPipe(*writes, *fd), remark),
            ]),
    )
}
