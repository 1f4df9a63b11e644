//! Leaks: a child died, its parent lived on for a while and did not reap it.
//!
//! A zombie becomes a candidate when `/proc` shows that it is older than the
//! threshold. It is judged when its parent or the trace ends; the first cause
//! that fits is reported.

use rustc_hash::FxHashMap;

use super::RuleContext;
use super::causes::{cause, kept, since};
use super::diagnosis::Leak;
use super::finding::{Action, Evidence, Finding, ProcessRef};
use super::table::{RuleId, Severity};
use super::thresholds::Thresholds;
use crate::event::{EventKind, Moment, Observation, Owner, SigchldAction, ZombieProbe};
use crate::kernel::{Abi, Tgid, syscall_name};
use crate::ledger::{Ledger, Process, ProcessId, Stamp};

/// A zombie that a probe found.
#[derive(Clone, Copy, Debug)]
pub(super) struct ZombieCandidate {
    tgid: Tgid,
    parent: ProcessId,
    pub(super) owner: Owner,
    /// The last probe.
    pub(super) looked: Stamp,
    /// At how many probes SIGCHLD was blocked and pending; at least two if it
    /// counts.
    pub(super) looks: u32,
    pub(super) always_blocked: bool,
    /// A warning was issued while its parent lived.
    reported: bool,
}

/// How many children each process left as zombies while it lived: older than the
/// threshold and not reaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZombiesLeft(FxHashMap<ProcessId, u64>);

impl ZombiesLeft {
    /// The number for all processes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The number for one process.
    #[must_use]
    pub fn of(&self, parent: ProcessId) -> u64 {
        self.0.get(&parent).copied().unwrap_or(0)
    }
}

/// State kept between events.
#[derive(Clone, Debug)]
pub(super) struct Leaks {
    thresholds: Thresholds,
    candidates: FxHashMap<ProcessId, ZombieCandidate>,
    /// The longest delay with which a parent has reaped a child, if it is longer
    /// than the threshold for zombies.
    delays: FxHashMap<ProcessId, u64>,
    /// Zombies that were not reaped while their parent lived, by parent.
    left: ZombiesLeft,
}

impl Leaks {
    pub(super) fn new(thresholds: Thresholds) -> Leaks {
        Leaks {
            thresholds,
            candidates: FxHashMap::default(),
            delays: FxHashMap::default(),
            left: ZombiesLeft::default(),
        }
    }

    /// How many zombies each process left unreaped while it lived.
    pub(super) fn left(&self) -> &ZombiesLeft {
        &self.left
    }

    /// Whether a parent may still reap a zombie of this age: it has reaped others as
    /// late, for instance once in each iteration of a slow loop.
    fn may_come(&self, parent: &Process, age: u64) -> bool {
        let delay = self.delays.get(&parent.id);
        delay.is_some_and(|delay| age <= *delay)
    }

    pub(super) fn event(&mut self, context: &mut RuleContext) {
        match &context.event.kind {
            EventKind::Observed(Observation::ZombieProbe(probe)) => self.looked(probe, context),
            EventKind::WaitEnded(_) => {
                if let Some(child) = context.ledger.just_reaped() {
                    self.candidates.remove(&child.id);
                    self.judge_reap(child, context);
                }
            }
            EventKind::Ended { .. } if context.event.tgid.leader() == context.event.tid => {
                self.parent_ended(context);
                if let Some(parent) = context.ledger.process(context.event.tgid) {
                    self.delays.remove(&parent.id);
                }
            }
            EventKind::Over => self.over(context),
            _ => {}
        }
    }

    /// A probe found a zombie.
    fn looked(&mut self, probe: &ZombieProbe, context: &mut RuleContext) {
        let ledger = context.ledger;
        let Some(child) = ledger.process(probe.child) else {
            return;
        };
        let owner = probe
            .zombie
            .filter(|owner| !owner.traced && child.is_zombie());
        let parent = ledger.parent_of(child);
        let (Some(owner), Some(parent)) = (owner, parent) else {
            self.candidates.remove(&child.id);
            return;
        };
        if parent.tgid != owner.parent || parent.ended.is_some() {
            return;
        }
        let candidate = self.candidates.entry(child.id).or_insert(ZombieCandidate {
            tgid: child.tgid,
            parent: parent.id,
            owner,
            looked: context.stamp(),
            looks: 0,
            always_blocked: true,
            reported: false,
        });
        candidate.parent = parent.id;
        candidate.owner = owner;
        candidate.looked = context.stamp();
        candidate.looks += 1;
        candidate.always_blocked &= owner.blocked_and_pending;
        let known = *candidate;
        let Some(finding) = self.judge(&known, child, parent, context.event.at, ledger) else {
            return;
        };
        if finding.rule == RuleId::VforkStall && !known.reported {
            // The vfork stall is the bug, even if the zombie is reaped after it.
            context.findings.add(finding.clone());
            if let Some(candidate) = self.candidates.get_mut(&child.id) {
                candidate.reported = true;
            }
        }
        let age = context.event.at.since(since(child));
        if age >= self.thresholds.live && !self.may_come(parent, age) {
            // It may still be reaped: a warning, not yet a finding.
            context.warnings.push(finding);
        }
    }

    /// A parent ended: the zombies it left are leaks.
    fn parent_ended(&mut self, context: &mut RuleContext) {
        let Some(parent) = context.ledger.process(context.event.tgid) else {
            return;
        };
        let orphans = context.ledger.orphaned();
        if !self.candidates.is_empty() {
            for orphan in orphans {
                let Some(child) = context.ledger.process(*orphan) else {
                    continue;
                };
                let Some(candidate) = self.candidates.remove(&child.id) else {
                    continue;
                };
                self.report_left(&candidate, child, parent, context);
            }
        }
        Leaks::judge_habit(parent, context);
    }

    /// The trace is over: what is a zombie now counts as not reaped.
    fn over(&mut self, context: &mut RuleContext) {
        let mut candidates: Vec<(ProcessId, ZombieCandidate)> = self.candidates.drain().collect();
        candidates.sort_by_key(|(_, candidate)| candidate.tgid);
        for (id, candidate) in candidates {
            let child = context.ledger.process(candidate.tgid);
            let Some(child) = child.filter(|child| child.id == id && child.is_zombie()) else {
                continue;
            };
            if let Some(parent) = context.ledger.parent_of(child) {
                self.report_left(&candidate, child, parent, context);
            }
        }
        let ledger = context.ledger;
        for process in ledger.processes().filter(|process| process.ended.is_none()) {
            Leaks::judge_habit(process, context);
        }
    }

    fn report_left(
        &mut self,
        candidate: &ZombieCandidate,
        child: &Process,
        parent: &Process,
        context: &mut RuleContext,
    ) {
        let age = context.event.at.since(since(child));
        if candidate.parent != parent.id || age < self.thresholds.zombie {
            return;
        }
        // A fact, whether or not the parent is to blame.
        *self.left.0.entry(parent.id).or_default() += 1;
        let may_come = parent.ended.is_none() && self.may_come(parent, age);
        if candidate.reported || may_come {
            return;
        }
        let finding = self.judge(candidate, child, parent, context.event.at, context.ledger);
        if let Some(finding) = finding {
            context.findings.add(finding);
        }
    }

    fn judge(
        &self,
        candidate: &ZombieCandidate,
        child: &Process,
        parent: &Process,
        now: Moment,
        ledger: &Ledger,
    ) -> Option<Finding> {
        let age = now.since(since(child));
        if age < self.thresholds.zombie {
            return None;
        }
        let cause = cause(candidate, child, parent, now, ledger)?;
        let ended = Evidence::ended(child, "a zombie from here on");
        let could_not_run = matches!(
            cause.leak,
            Leak::ParentStopped { .. } | Leak::VforkStall { .. }
        );
        let instead = (!could_not_run)
            .then(|| instead(candidate, child, parent, ledger))
            .flatten();
        let instead = instead.filter(|line| {
            let mut reported = cause.evidence.iter();
            !reported.any(|other| other.when.seq == line.when.seq)
        });
        let when = Stamp {
            at: now,
            ..Stamp::default()
        };
        Some(
            Finding::new(cause.leak, ProcessRef::new(parent), when)
                .about(child)
                .evidence(ended.into_iter().chain(cause.evidence).chain(instead)),
        )
    }

    /// A reap that came late, though nothing prevented the parent from reaping.
    fn judge_reap(&mut self, child: &Process, context: &mut RuleContext) {
        let Some(reap) = child.reaped else {
            return;
        };
        let age = reap.when.at.since(since(child));
        if age < self.thresholds.zombie.min(self.thresholds.late) {
            return;
        }
        let Some(parent) = context.ledger.parent(reap.by_process) else {
            return;
        };
        let delay = self.delays.entry(parent.id).or_default();
        *delay = age.max(*delay);
        let was_seen_dead = child.ended.is_some_and(|end| !end.when.is_before_attach);
        if age < self.thresholds.late || !was_seen_dead {
            return;
        }
        if kept(child, parent, reap.when.at).at_all() {
            return;
        }
        let finding =
            Finding::new(Leak::LateReap { age }, ProcessRef::new(parent), reap.when).about(child);
        let reaped = child.history.last.as_ref().map(|completed| {
            Evidence::waited(completed, context.ledger, parent.tgid, "reaped it at last")
        });
        let ended = Evidence::ended(child, "a zombie from here on");
        context
            .findings
            .add(finding.evidence(ended.into_iter().chain(reaped)));
    }

    /// The parent reaps one child for each signal, without a leak so far.
    fn judge_habit(parent: &Process, context: &mut RuleContext) {
        let (count, first) = &parent.waits().singles;
        let handles = matches!(parent.sigchld.action, Some(SigchldAction::Handler { .. }));
        if *count < 3
            || parent.waits().drained.is_some()
            || !parent.waits().stopped_early
            || !handles
            || context.findings.has(RuleId::CoalescedSigchld, parent)
        {
            return;
        }
        let lines = first.iter().map(|completed| {
            Evidence::waited(
                completed,
                context.ledger,
                parent.tgid,
                "reaped one, and did not wait again",
            )
        });
        let diagnosis = Leak::CoalescedSigchld {
            singles: *count,
            is_latent: true,
        };
        let finding = Finding::new(diagnosis, ProcessRef::new(parent), context.stamp())
            .severity(Severity::Info)
            .evidence(lines);
        context.findings.add(finding);
    }
}

/// What a parent did instead of reaping a child, since the child's end.
fn instead(
    candidate: &ZombieCandidate,
    child: &Process,
    parent: &Process,
    ledger: &Ledger,
) -> Option<Evidence> {
    let end = child.ended?;
    let mut waits = ledger.waits_of(parent.tgid);
    if let Some((tid, waiting)) = waits.find(|(_, waiting)| waiting.blocks()) {
        let line = Evidence::of(
            parent,
            waiting.when,
            Action::Waits(waiting.clone()),
            "is in this wait since then",
        );
        return Some(Evidence { tid, ..line });
    }
    let since = parent.blocked_between(&end, ledger.now());
    match &parent.waits().last {
        Some(last) if since.waits > 0 => {
            let action = Action::OtherWaits(since.waits, since.polls, last.clone());
            let line = Evidence::of(parent, last.when, action, "did not reap it");
            Some(Evidence {
                tid: last.tid,
                ..line
            })
        }
        _ => {
            let call = candidate.owner.parent_call.map(u64::from);
            let name = call.and_then(|number| syscall_name(Abi::X86_64, number));
            let action = Action::NoWait(name);
            // Nothing is known of the time before the attach.
            let from = Stamp {
                is_before_attach: false,
                ..end.when
            };
            Some(Evidence::of(parent, from, action, ""))
        }
    }
}
