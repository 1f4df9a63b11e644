//! The rule on processes that are blocked on each other's pipes: a child fills one pipe,
//! and its parent, which alone could drain it, reads another (a child's standard error
//! and standard output, as a rule) or fills one itself (its standard input). Between the
//! two there may be a shell that waits.
//!
//! It goes by a look at all threads ([`EventKind::Looked`]): a read is no stop, so nothing
//! else shows it.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::RuleContext;
use super::diagnosis::Hang;
use super::finding::{Action, AffectedChild, Evidence, Finding, ProcessRef};
use super::hangs;
use crate::event::{BlockedTask, EventKind, Image, PipeSide, WaitingLook, WaitsOn};
use crate::kernel::{Signal, Tgid};
use crate::ledger::Ledger;

/// A process whose only thread is blocked, and in what.
struct Blocked<'a> {
    task: &'a BlockedTask,
    within: Within<'a>,
}

#[derive(Clone, Copy)]
enum Within<'a> {
    /// A transfer; these hold the pipe's other end, and no others do.
    Pipe {
        fd: i32,
        writes: bool,
        others: &'a [PipeSide],
    },
    /// A wait for children.
    Wait,
}

/// What a process is blocked in on its own side.
#[derive(Clone, Copy)]
struct Transfer {
    fd: i32,
    writes: bool,
}

/// Looks for them where the event is a look; each process must have been blocked for
/// `long` nanoseconds.
pub(super) fn event(long: u64, context: &mut RuleContext) {
    let EventKind::Looked(look) = &context.event.kind else {
        return;
    };
    let locked = locked(look, long, context.ledger);
    for child in &locked {
        let Within::Pipe {
            fd,
            writes: true,
            others,
        } = child.within
        else {
            continue;
        };
        let drains = |tgid: Tgid| others.iter().any(|side| side.tgid == tgid);
        let parent = ancestors(child, &locked).find_map(|parent| match parent.within {
            Within::Pipe { fd, writes, .. } if drains(parent.task.tgid) => {
                Some((parent, Transfer { fd, writes }))
            }
            _ => None,
        });
        if let Some(parent) = parent {
            report(parent, (child, fd), &locked, context);
        }
    }
}

/// Those of the processes that are above this one, the next first.
fn ancestors<'a>(
    of: &'a Blocked<'a>,
    locked: &'a [Blocked<'a>],
) -> impl Iterator<Item = &'a Blocked<'a>> {
    let above = |process: &&Blocked| {
        let parent = process.task.parent;
        locked.iter().find(|other| other.task.tgid == parent)
    };
    std::iter::successors(Some(of), move |process| above(process))
        .skip(1)
        .take(locked.len())
}

/// The processes that are blocked until another of them acts.
fn locked<'a>(look: &'a WaitingLook, long: u64, ledger: &Ledger) -> Vec<Blocked<'a>> {
    let processes = look.tasks.chunk_by(|one, next| one.tgid == next.tgid);
    let knows_all = ledger.knows_all();
    let alone = processes.filter_map(|tasks| match tasks {
        [task] => blocked(task, long, knows_all),
        _ => None,
    });
    let mut locked: Vec<Blocked> = alone.collect();
    loop {
        let names: FxHashSet<Tgid> = locked.iter().map(|process| process.task.tgid).collect();
        let stays = |process: &Blocked| {
            let tgid = process.task.tgid;
            let seen = look.tasks.iter().filter(|task| task.parent == tgid);
            let known = ledger.children(tgid).filter(|child| child.ended.is_none());
            let known = known.map(|child| child.tgid);
            let is_locked = |child: Tgid| names.contains(&child);
            match process.within {
                Within::Pipe { others, .. } => {
                    // The end of a child runs the handler.
                    let is_told = handles(process.task, Signal::CHLD);
                    let mut living = seen.filter(|task| task.state != b'Z');
                    others.iter().all(|side| is_locked(side.tgid))
                        && !(is_told && living.any(|task| !is_locked(task.tgid)))
                }
                Within::Wait => {
                    let mut children = seen.map(|task| task.tgid).chain(known).peekable();
                    children.peek().is_some() && children.all(is_locked)
                }
            }
        };
        locked.retain(stays);
        if locked.len() == names.len() {
            return locked;
        }
    }
}

fn handles(task: &BlockedTask, signal: Signal) -> bool {
    task.handled & signal.bit() != 0
}

/// `poll` and its kin may end by their time-out, and a transfer by a handled SIGALRM or
/// SIGIO. With `knows_all` a process that may not be examined is none of the trace, and has
/// none of its pipes.
fn blocked(task: &BlockedTask, long: u64, knows_all: bool) -> Option<Blocked<'_>> {
    let is_long = task.asleep.is_some_and(|asleep| asleep >= long);
    let within = match (task.call.as_ref()?.name.as_str(), &task.on[..]) {
        ("wait4" | "waitid" | "waitpid", []) => Within::Wait,
        (
            "read" | "readv" | "write" | "writev",
            [
                WaitsOn::Stream {
                    fd,
                    is_pipe: true,
                    writes,
                    others,
                    complete,
                },
            ],
        ) if !others.is_empty()
            && (*complete || knows_all)
            && !(handles(task, Signal::ALRM) || handles(task, Signal::IO)) =>
        {
            Within::Pipe {
                fd: *fd,
                writes: *writes,
                others,
            }
        }
        _ => return None,
    };
    (is_long && task.more == 0).then_some(Blocked { task, within })
}

/// The child comes with the descriptor that it writes to.
fn report(
    (parent, own): (&Blocked, Transfer),
    (child, fd): (&Blocked, i32),
    locked: &[Blocked],
    context: &mut RuleContext,
) {
    let (when, ledger) = (context.stamp(), context.ledger);
    let line = |process: &Blocked, writes, fd, remark| Evidence {
        when,
        tid: process.task.tid,
        tgid: process.task.tgid,
        comm: process.task.comm,
        action: Action::OnPipe(writes, fd),
        remark,
    };
    let between = ancestors(child, locked).take_while(|it| it.task.tgid != parent.task.tgid);
    let waits = between.filter_map(|process| {
        let (tid, waiting) = ledger.waits_of(process.task.tgid).next()?;
        let process = ledger.process(process.task.tgid)?;
        Some(hangs::blocked(tid, process, waiting, ledger))
    });
    let Transfer { fd: other, writes } = own;
    let diagnosis = Hang::PipeFullElsewhere { fd, other, writes };
    let stays = if writes {
        "is full too"
    } else {
        "nothing is written to it"
    };
    let mut finding = Finding::new(diagnosis, named(parent.task, context), when)
        .evidence(waits)
        .evidence([
            line(parent, writes, other, stays),
            line(child, true, fd, "the pipe is full"),
        ]);
    let known = ledger.process(child.task.tgid);
    finding.count = 1;
    finding.children.push(AffectedChild {
        process: named(child.task, context),
        ended: None,
        found: when,
        created_at: known.and_then(|child| child.created_at.clone()),
    });
    context.warn(finding);
}

/// A process, of which the look knows as much as the trace if it is not traced.
fn named(task: &BlockedTask, context: &RuleContext) -> ProcessRef {
    let known = context.ledger.process(task.tgid);
    known.map_or_else(
        || ProcessRef {
            id: None,
            tgid: task.tgid,
            image: Arc::new(Image {
                comm: task.comm,
                path: None,
                argv: task.argv.clone(),
            }),
        },
        ProcessRef::new,
    )
}
