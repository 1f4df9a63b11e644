//! Looking things up in `/proc` for a rule: only when it asks, and never at a
//! stop.

use super::engine::{READY_AT_MOST, Tracer};
use super::scheduler::Scheduler;
use crate::event::{
    BlockedChild, BlockedIn, DeadLeader, Event, EventKind, Observation, Owner, PipeSide, Question,
    SigchldListener, ZombieProbe,
};
use crate::kernel::{Abi, Signal, Tgid, Tid, syscall_name, x86_64_number};
use crate::proc::{self, Blocked, Blocking, Stat};

/// How many children of one blocked wait are looked at; if there are more,
/// none.
const MOST_CHILDREN: usize = 16;
/// How many of a parent's ancestors are.
const MOST_ANCESTORS: usize = 16;
/// No process with more threads is asked which of them takes SIGCHLD.
const MOST_LISTENERS: usize = 64;

impl<S: Scheduler> Tracer<S> {
    /// Answer `questions`.
    pub(crate) fn look(&mut self, questions: Vec<Question>, events: &mut Vec<Event>) {
        let questions = questions.into_iter().filter(|_| self.sees_proc());
        for question in questions.collect::<Vec<_>>() {
            let at = self.now();
            let (tid, tgid, observation) = match question {
                Question::ZombieProbe { child, parent } => {
                    let zombie = owner_of(child);
                    let moved = zombie.is_none_or(|owner| owner.parent != parent);
                    if moved && self.is_ending(parent) {
                        // Its end is in the queue, and tells what became of
                        // the child.
                        continue;
                    }
                    let probe = ZombieProbe { child, zombie };
                    (parent.leader(), parent, Observation::ZombieProbe(probe))
                }
                Question::BlockedChildren {
                    tid,
                    tgid,
                    children,
                } => {
                    let children = self.blocked(tgid, &children);
                    let on_pipes = children.iter().filter(|it| it.within != BlockedIn::Other);
                    let mut involved = on_pipes.map(|it| it.child).chain([tgid]);
                    let timers = involved.any(handles_timers);
                    let blocked = Observation::BlockedChildren { children, timers };
                    (tid, tgid, blocked)
                }
                Question::Children {
                    parent,
                    settled,
                    alive,
                } => {
                    self.list_again(parent, &settled, &alive, events);
                    continue;
                }
                Question::Leader(tgid) => match dead_leader(tgid) {
                    Some(leader) => (tgid.leader(), tgid, Observation::Leader(leader)),
                    None => continue,
                },
                Question::Streams { parent, child } => match proc::blocked_reader(parent, child) {
                    Some((tid, reader)) => (tid, parent, Observation::Streams(reader)),
                    None => continue,
                },
                Question::Survivors { command, members } => {
                    let output = self.root.as_ref().map(|root| &root.output);
                    let held = |member| proc::held_outputs(member, output.unwrap_or(&[None, None]));
                    let survivors = members.into_iter().map(held).collect();
                    (command.leader(), command, Observation::Survivors(survivors))
                }
                Question::AwaitsSignal(tgid) if proc::awaits_child_signal(tgid) => {
                    (tgid.leader(), tgid, Observation::AwaitsSignal)
                }
                Question::AwaitsSignal(_) => continue,
            };
            events.push(self.event(at, tid, tgid, EventKind::Observed(observation)));
        }
    }

    /// What the children of a blocked parent are blocked in.
    fn blocked(&self, parent: Tgid, children: &[Tgid]) -> Vec<BlockedChild> {
        // Nothing is known of those that are not looked at: they may well go on.
        let looked_at = children.len() <= MOST_CHILDREN;
        let blocked = |child: &Tgid| looked_at.then(|| proc::blocked_on(*child)).flatten();
        let children = children.iter().map(|child| (*child, blocked(child)));
        let children: Vec<(Tgid, Option<Blocked>)> = children.collect();
        let elders = self.ancestors(parent);
        let blocked = children.iter().map(|(child, blocked)| BlockedChild {
            child: *child,
            within: match blocked {
                Some(blocked) => on_pipe(*blocked, &children, &elders),
                None => BlockedIn::Other,
            },
        });
        blocked.collect()
    }

    /// Whether a process has ended, and we are still to be told.
    fn is_ending(&self, tgid: Tgid) -> bool {
        self.tasks.processes.contains_key(&tgid)
            && Stat::read(tgid).is_none_or(|stat| matches!(stat.state, b'Z' | b'X'))
    }

    /// A process and those above it, as far as they are traced.
    fn ancestors(&self, tgid: Tgid) -> Vec<Tgid> {
        let parent = |tgid: &Tgid| self.tasks.processes.get(tgid)?.parent;
        let chain = std::iter::successors(Some(tgid), parent);
        chain.take(MOST_ANCESTORS).collect()
    }

    /// Deal with every stop that is ready, and tell that there is none.
    pub(crate) fn drain(&mut self, events: &mut Vec<Event>) {
        self.serve(READY_AT_MOST, events);
        let at = self.now();
        let (tid, tgid) = (Tid::new(0), Tgid::new(0));
        events.push(self.event(at, tid, tgid, EventKind::QueueDrained));
    }

    /// The trace is over.
    pub(crate) fn conclude(&mut self) -> Event {
        let at = self.now();
        self.event(at, Tid::new(0), Tgid::new(0), EventKind::Over)
    }
}

/// Whether a process handles a signal that comes without anybody's doing, and may end
/// what it is blocked in: of a timer or of a descriptor.
fn handles_timers(tgid: Tgid) -> bool {
    let signals = [Signal::ALRM, Signal::VTALRM, Signal::PROF, Signal::IO];
    let status = proc::status(tgid.leader());
    status.is_some_and(|status| signals.into_iter().any(|signal| status.catches(signal)))
}

/// Who holds the other end of a pipe that a child is blocked on.
///
/// Asking every process is dear, so the family is asked first: unless one of
/// them has the other end, or if one has it who is not blocked, there is no
/// deadlock.
fn on_pipe(blocked: Blocked, children: &[(Tgid, Option<Blocked>)], elders: &[Tgid]) -> BlockedIn {
    let family = children.iter().map(|(child, _)| *child);
    let family = family.chain(elders.iter().copied());
    let near = blocked.other_ends_in(family);
    let free = |side: &PipeSide| {
        let mut same = children.iter().filter(|(child, _)| *child == side.tgid);
        same.any(|(_, blocked)| blocked.is_none())
    };
    let (others, complete) = if near.is_empty() || near.iter().any(free) {
        (near, true)
    } else {
        blocked.all_other_ends()
    };
    BlockedIn::Pipe {
        writes: blocked.writes,
        fd: blocked.fd,
        inode: blocked.inode,
        others,
        complete,
    }
}

/// The state of a dead child and of its parent; `None` if it is gone.
fn owner_of(child: Tgid) -> Option<Owner> {
    let stat = Stat::read(child).filter(|stat| stat.state == b'Z')?;
    let status = proc::status(child.leader());
    let tracer = status.and_then(|status| status.tracer);
    Some(Owner {
        parent: stat.parent,
        child_group: stat.group,
        group: Stat::read(stat.parent).map_or(0, |parent| parent.group),
        traced: tracer.is_some_and(|tracer| tracer.raw() != 0),
        blocked_and_pending: is_blocked_and_pending(stat.parent),
        parent_call: call_of(stat.parent),
        listener: sigchld_listener(stat.parent),
    })
}

/// The call that a process's main thread is in, by its number on x86-64: records mean
/// the same on every machine.
fn call_of(tgid: Tgid) -> Option<u32> {
    if !proc::is_64_bit(tgid) {
        return None;
    }
    let call = proc::Syscall::read(tgid, tgid.leader())?;
    x86_64_number(syscall_name(Abi::NATIVE, call.number)?)
}

/// Whether SIGCHLD is caught, pending, and blocked in every thread.
fn is_blocked_and_pending(parent: Tgid) -> bool {
    let Some(status) = proc::status(parent.leader()) else {
        return false;
    };
    status.catches(Signal::CHLD)
        && proc::has(status.pending, Signal::CHLD)
        && proc::threads(parent.leader()).into_iter().all(|tid| {
            let status = proc::status(tid);
            status.is_some_and(|status| proc::has(status.blocked, Signal::CHLD))
        })
}

/// A thread of a process that takes SIGCHLD without a handler.
fn sigchld_listener(tgid: Tgid) -> Option<SigchldListener> {
    let threads = proc::threads(tgid.leader());
    if threads.len() > MOST_LISTENERS {
        return None;
    }
    let mut by_descriptor = None;
    let (mut listening, mut unblocked) = (None, None);
    for tid in threads {
        let blocks = proc::has(proc::status(tid)?.blocked, Signal::CHLD);
        let listens = match proc::blocking_call(tgid, tid) {
            // Meanwhile the kernel has those signals unblocked.
            Some((call, Blocking::Sigtimedwait)) => proc::awaited_signals(tgid, call)
                .is_some_and(|signals| proc::has(signals, Signal::CHLD)),
            Some((_, kind)) if blocks && kind.awaits_input() => {
                *by_descriptor.get_or_insert_with(|| proc::takes_sigchld_by_descriptor(tgid))
            }
            _ => false,
        };
        if listens {
            listening = listening.or(Some(tid));
        } else if !blocks {
            unblocked = unblocked.or(Some(tid));
        }
    }
    let tid = listening?;
    Some(SigchldListener { tid, unblocked })
}

/// A process whose leader is a zombie although threads of it live.
fn dead_leader(tgid: Tgid) -> Option<DeadLeader> {
    Stat::read(tgid).filter(|stat| stat.state == b'Z')?;
    let threads = proc::threads(tgid.leader());
    let living = threads.iter().find(|tid| **tid != tgid.leader())?;
    Some(DeadLeader {
        living: *living,
        threads: threads.len() - 1,
    })
}
