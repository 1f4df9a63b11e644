//! Rules on waits that block for ever or spin, on dead leaders and pid namespaces.

use rustc_hash::FxHashMap;

use super::RuleContext;
use super::deadlines::polled_in_vain;
use super::diagnosis::{End, Hang};
use super::finding::{Action, Evidence, Finding, NOT_RETURNED, ProcessRef, STAYS_STOPPED};
use super::pipes::Pipes;
use super::table::{RuleId, Severity};
use super::thresholds::Thresholds;
use crate::event::{BlockedChild, DeadLeader, EventKind, Moment, Observation, WaitExit};
use crate::kernel::{Errno, Signal, Tgid, Tid, WaitOptions};
use crate::ledger::{CompletedWait, Ledger, Process, ProcessId, ReapKind, Stamp, Waiting};

/// Consecutive polls that are a spin, unless the thread slept between them.
const MANY_POLLS: u64 = 1000;
/// How long the kernel takes at most to kill the rest of a pid namespace, in
/// nanoseconds.
const CLEARING: u64 = 1_000_000_000;

/// State kept between events.
#[derive(Clone, Debug)]
pub(super) struct Hangs {
    thresholds: Thresholds,
    polls: FxHashMap<Tid, Polls>,
    pipes: Pipes,
    /// Processes whose leader was found dead, and when first.
    leaders: FxHashMap<Tgid, (Stamp, DeadLeader)>,
    /// Members of pid namespaces that were killed by SIGKILL, by namespace.
    killed: FxHashMap<u64, Vec<(ProcessId, Tgid, Moment)>>,
    /// When SIGKILL was last sent to more than one process.
    swept: Option<Moment>,
}

/// Consecutive polls of one thread that found nothing.
#[derive(Clone, Debug)]
struct Polls {
    rule: RuleId,
    count: u64,
    /// Nanoseconds that the thread spent between them, outside of waits.
    own: u64,
    last: Moment,
    first: CompletedWait,
}

impl Hangs {
    pub(super) fn new(thresholds: Thresholds) -> Hangs {
        Hangs {
            thresholds,
            polls: FxHashMap::default(),
            pipes: Pipes::default(),
            leaders: FxHashMap::default(),
            killed: FxHashMap::default(),
            swept: None,
        }
    }

    pub(super) fn event(&mut self, context: &mut RuleContext) {
        let event = context.event;
        match &event.kind {
            EventKind::WaitEntered(_) => {
                if let Some(polls) = self.polls.get_mut(&event.tid) {
                    polls.own = polls.own.saturating_add(event.at.since(polls.last));
                }
            }
            EventKind::WaitEnded(exit) => {
                // Not one that was interrupted and may be restarted, nor a handler's
                // within one that will be.
                if !exit.is_interrupted() && context.ledger.restarts(event.tid).is_none() {
                    context.findings.returned(event.tid);
                }
                self.polled(exit, context);
            }
            EventKind::RestartOutcome { eintr: true, .. } => context.findings.returned(event.tid),
            EventKind::Observed(Observation::BlockedChildren { children, timers }) => {
                self.blocked_wait(children, *timers, context);
            }
            EventKind::Observed(Observation::AwaitsSignal) => self.only_polls(context),
            EventKind::Observed(Observation::Leader(leader)) => self.leaderless(*leader, context),
            EventKind::Kills { target, signal } if target.raw() <= 0 && *signal == Signal::KILL => {
                self.swept = Some(event.at);
            }
            EventKind::Executed { former, .. } => {
                // The tid of the thread that called exec is free.
                for tid in [Some(event.tid), *former].into_iter().flatten() {
                    self.polls.remove(&tid);
                    self.pipes.forget(tid);
                    context.findings.forget(tid);
                }
                self.leaders.remove(&event.tgid);
            }
            EventKind::Ended { .. } => {
                self.polls.remove(&event.tid);
                self.pipes.forget(event.tid);
                context.findings.forget(event.tid);
                if event.tgid.leader() == event.tid {
                    if let Some((since, leader)) = self.leaders.remove(&event.tgid) {
                        self.left_by_leader(since, leader, context);
                    }
                    self.member_ended(context);
                }
            }
            _ => {}
        }
    }

    // Spins.

    fn polled(&mut self, exit: &WaitExit, context: &mut RuleContext) {
        let (tid, at) = (context.event.tid, context.event.at);
        let rule = if exit.result == Err(Errno::CHILD) {
            RuleId::EchildSpin
        } else if exit.found_nothing() {
            RuleId::WnohangSpin
        } else {
            self.polls.remove(&tid);
            return;
        };
        let when = context.stamp();
        let fresh = || Polls {
            rule,
            count: 0,
            own: 0,
            last: at,
            first: CompletedWait::new(tid, when, exit),
        };
        let polls = self.polls.entry(tid).or_insert_with(fresh);
        let is_spin = self.thresholds.spin > 0 && polls.own <= self.thresholds.spin;
        if polls.rule != rule || !is_spin {
            *polls = fresh();
        }
        polls.count += 1;
        polls.last = at;
        if polls.count == MANY_POLLS {
            let polls = self.polls.remove(&tid);
            if let Some(polls) = polls {
                spins(&polls, exit, when, context);
            }
        }
    }

    // Blocked waits.

    fn blocked_wait(&mut self, children: &[BlockedChild], timers: bool, context: &mut RuleContext) {
        let (tid, ledger) = (context.event.tid, context.ledger);
        let Some((tgid, waiting)) = ledger.waiting(tid) else {
            return;
        };
        let Some(waiter) = ledger.process(tgid) else {
            return;
        };
        let waits_for = |child: Tgid| waiting.target.is_none_or(|target| target == child);
        let awaited: Vec<&BlockedChild> = children.iter().filter(|s| waits_for(s.child)).collect();
        if awaited.is_empty() {
            return;
        }
        self.stopped_children(&awaited, waiter, waiting, context);
        let found = self
            .pipes
            .look(tid, waiting, waiter, &awaited, children, context);
        if let Some(finding) = found {
            // A signal handler may still do what the child waits for.
            let severity = if timers {
                Severity::Warning
            } else {
                finding.severity
            };
            context.warn(finding.severity(severity));
        }
    }

    fn stopped_children(
        &self,
        awaited: &[&BlockedChild],
        waiter: &Process,
        waiting: &Waiting,
        context: &mut RuleContext,
    ) {
        if waiting.options.contains(WaitOptions::STOPPED) {
            return;
        }
        let ledger = context.ledger;
        let children = awaited
            .iter()
            .map(|blocked_child| ledger.process(blocked_child.child));
        let Some(children) = children.collect::<Option<Vec<&Process>>>() else {
            return;
        };
        let wait = blocked(context.event.tid, waiter, waiting, ledger);
        self.all_stopped(&children, waiter, wait, context);
    }

    /// A process that polled, found nothing, and now sleeps until a signal arrives:
    /// it is as blocked as one in a blocking wait.
    fn only_polls(&self, context: &mut RuleContext) {
        let (ledger, now) = (context.ledger, context.event.at);
        let Some(waiter) = ledger.process(context.event.tgid) else {
            return;
        };
        let last = waiter.waits().last.as_ref();
        let last = last.filter(|last| {
            polled_in_vain(waiter)
                && waiter.stopped.is_none()
                && now.since(last.when.at) >= self.thresholds.blocked
        });
        let Some(last) = last.filter(|_| ledger.threads_of(waiter.tgid) == 1) else {
            return;
        };
        let is_named = |child: &Process| {
            let named = child.history.named.as_ref();
            named.is_some_and(|named| named.when.seq == last.when.seq)
        };
        let all = last.way() != ReapKind::Specific;
        let children = ledger.children(waiter.tgid);
        let children = children.filter(|child| all || is_named(child));
        let mut children: Vec<&Process> = children.collect();
        children.sort_unstable_by_key(|child| child.id);
        let poll = Evidence::waited(last, ledger, waiter.tgid, "found nothing; asleep since");
        self.all_stopped(&children, waiter, poll, context);
    }

    /// Every child that could end the wait has been stopped for long enough.
    fn all_stopped(
        &self,
        children: &[&Process],
        waiter: &Process,
        wait: Evidence,
        context: &mut RuleContext,
    ) {
        let long = |child: &&Process| {
            let stopped = child.stopped.filter(|_| child.ended.is_none())?;
            let enough = context.event.at.since(stopped.0.at) >= self.thresholds.blocked;
            enough.then_some(stopped)
        };
        let stops = children.iter().map(long).collect::<Option<Vec<_>>>();
        let first = stops.and_then(|stops| stops.first().copied());
        let (Some(child), Some((when, signal))) = (children.first(), first) else {
            return;
        };
        let diagnosis = Hang::StoppedChildHang { by: signal };
        let stays = Evidence::of(child, when, Action::Stopped(signal), STAYS_STOPPED);
        let finding = Finding::new(diagnosis, ProcessRef::new(waiter), context.stamp())
            .about(child)
            .evidence([stays, wait]);
        context.warn(finding);
    }

    fn leaderless(&mut self, leader: DeadLeader, context: &mut RuleContext) {
        let (tgid, now) = (context.event.tgid, context.stamp());
        let seen = self.leaders.entry(tgid).or_insert((now, leader));
        let (since, leader) = *seen;
        self.left_by_leader(since, leader, context);
    }

    /// A process whose leader has been dead since `since`.
    fn left_by_leader(&self, since: Stamp, leader: DeadLeader, context: &mut RuleContext) {
        let (now, ledger) = (context.stamp(), context.ledger);
        let Some(process) = ledger.process(context.event.tgid) else {
            return;
        };
        let known = context.findings.has(RuleId::LeaderZombie, process);
        if now.at.since(since.at) < self.thresholds.zombie || known {
            return;
        }
        let parent = ledger.parent_of(process);
        let waits = parent.and_then(|parent| {
            let mut waits = ledger.waits_of(parent.tgid);
            let blocks = |waiting: &Waiting| {
                let long = now.at.since(waiting.when.at) >= self.thresholds.zombie;
                long && waiting.blocks() && waiting.target == Some(process.tgid)
            };
            let (tid, waiting) = waits.find(|(_, waiting)| blocks(waiting))?;
            Some(blocked(tid, parent, waiting, ledger))
        });
        let severity = if waits.is_some() {
            Severity::Warning
        } else {
            Severity::Info
        };
        let diagnosis = End::LeaderZombie {
            threads: leader.threads as u64,
        };
        let line = Evidence::of(
            process,
            since,
            Action::ThreadEnded,
            "the leader is a zombie",
        );
        let finding = Finding::new(diagnosis, ProcessRef::new(process), now)
            .severity(severity)
            .evidence(waits.into_iter().chain([line]));
        context.findings.add(finding);
    }

    // Pid namespaces.

    fn member_ended(&mut self, context: &mut RuleContext) {
        let Some(process) = context.ledger.process(context.event.tgid) else {
            return;
        };
        let Some(namespace) = process.namespace() else {
            return;
        };
        if process.is_namespace_init() {
            let members = self.killed.remove(&namespace).unwrap_or_default();
            self.init_ended(process, &members, context);
        } else if process.killed_by() == Some(Signal::KILL) && process.history.signalled.is_none() {
            let members = self.killed.entry(namespace).or_default();
            members.retain(|(.., at)| context.event.at.since(*at) < CLEARING);
            members.push((process.id, process.tgid, context.event.at));
        }
    }

    fn init_ended(
        &self,
        init: &Process,
        members: &[(ProcessId, Tgid, Moment)],
        context: &mut RuleContext,
    ) {
        let now = context.event.at;
        if self.swept.is_some_and(|at| now.since(at) < CLEARING) {
            return;
        }
        // A sandbox is usually ended by SIGKILL to its PID 1 from outside.
        let signal = init.killed_by();
        let severity = if signal == Some(Signal::KILL) {
            Severity::Info
        } else {
            Severity::Warning
        };
        for (id, tgid, at) in members {
            let member = context
                .ledger
                .process(*tgid)
                .filter(|process| process.id == *id);
            // A member that a wait reaped was dead before: while the kernel clears a
            // namespace, no process can wait.
            let by_wait = |member: &Process| member.reaped.is_some_and(|reap| reap.way.is_wait());
            let member = member.filter(|member| !by_wait(member));
            let Some(member) = member.filter(|_| now.since(*at) < CLEARING) else {
                continue;
            };
            let finding = Finding::new(
                End::PidnsInitExit { killed_by: signal },
                ProcessRef::new(init),
                context.stamp(),
            )
            .severity(severity)
            .about(member)
            .evidence(
                [
                    Evidence::ended(member, "killed by the kernel"),
                    Evidence::ended(init, "was PID 1 of its pid namespace"),
                ]
                .into_iter()
                .flatten(),
            );
            context.findings.add(finding);
        }
    }
}

/// Evidence of a wait that has not returned.
pub(super) fn blocked(tid: Tid, waiter: &Process, waiting: &Waiting, ledger: &Ledger) -> Evidence {
    Evidence {
        when: waiting.when,
        tid,
        tgid: waiter.tgid,
        comm: ledger.comm(tid),
        action: Action::Waits(waiting.clone()),
        remark: NOT_RETURNED,
    }
}

fn spins(polls: &Polls, exit: &WaitExit, when: Stamp, context: &mut RuleContext) {
    let Some(caller) = context.ledger.process(context.event.tgid) else {
        return;
    };
    let last = CompletedWait::new(context.event.tid, when, exit);
    let (count, within) = (polls.count, when.at.since(polls.first.when.at));
    let diagnosis = match polls.rule {
        RuleId::EchildSpin => Hang::EchildSpin {
            polls: count,
            within,
        },
        _ => Hang::WnohangSpin {
            polls: count,
            within,
        },
    };
    let line = |completed: &CompletedWait, remark| {
        Evidence::waited(completed, context.ledger, caller.tgid, remark)
    };
    let finding = Finding::new(diagnosis, ProcessRef::new(caller), when).evidence([
        line(&polls.first, "the first of the series"),
        line(&last, "the thousandth that found nothing"),
    ]);
    context.warn(finding);
}
