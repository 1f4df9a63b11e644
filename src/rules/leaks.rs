//! Leaks: a child died, its parent lived on for a while, and nobody reaped it.
//!
//! A zombie is a candidate once `/proc` showed it at the age of a verdict. The
//! verdict falls when its parent ends or the trace does; of the causes the
//! first that fits is told.

use std::collections::HashMap;

use super::Case;
use super::finding::{Deed, Evidence, Facts, Finding, Form, Party};
use super::table::{RuleId, Severity};
use super::thresholds::Thresholds;
use crate::event::{Corpse, EventKind, Moment, Observation, Owner, SigchldAction};
use crate::kernel::{Errno, Status, Tgid};
use crate::ledger::{Brief, Ledger, Outcome, Process, ProcessId, Stamp};

/// A zombie that was looked at.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    tgid: Tgid,
    parent: ProcessId,
    owner: Owner,
    /// SIGCHLD was blocked and pending at each look, of which there were two
    /// at least.
    looks: u32,
    always_blocked: bool,
    /// It was told while its parent lived.
    told: bool,
}

/// The family's memory.
#[derive(Clone, Debug)]
pub(super) struct Leaks {
    thresholds: Thresholds,
    suspects: HashMap<ProcessId, Suspect>,
    /// Zombies that nobody reaped while their parent lived.
    pub(super) left: u64,
}

/// A leak, with its cause.
struct Cause {
    rule: RuleId,
    facts: Facts,
    evidence: Vec<Evidence>,
}

impl Cause {
    fn new(rule: RuleId) -> Cause {
        Cause {
            rule,
            facts: Facts::default(),
            evidence: Vec::new(),
        }
    }

    fn facts(mut self, facts: Facts) -> Cause {
        self.facts = facts;
        self
    }

    fn seen(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Cause {
        self.evidence.extend(evidence);
        self
    }
}

impl Leaks {
    pub(super) fn new(thresholds: Thresholds) -> Leaks {
        Leaks {
            thresholds,
            suspects: HashMap::new(),
            left: 0,
        }
    }

    pub(super) fn event(&mut self, case: &mut Case) {
        match &case.event.kind {
            EventKind::Observed(Observation::Corpse(corpse)) => self.looked(corpse, case),
            EventKind::WaitEnded(_) => {
                if let Some(child) = case.ledger.just_reaped() {
                    self.suspects.remove(&child.id);
                    self.judge_reap(child, case);
                }
            }
            EventKind::Ended { .. } if case.event.tgid.leader() == case.event.tid => {
                self.parent_ended(case);
            }
            EventKind::Over => self.over(case),
            _ => {}
        }
    }

    /// A look at a zombie.
    fn looked(&mut self, corpse: &Corpse, case: &mut Case) {
        let ledger = case.ledger;
        let Some(child) = ledger.process(corpse.child) else {
            return;
        };
        let owner = corpse
            .zombie
            .filter(|owner| !owner.traced && child.is_zombie());
        let parent = child.parent.and_then(|parent| ledger.process(parent));
        let (Some(owner), Some(parent)) = (owner, parent) else {
            self.suspects.remove(&child.id);
            return;
        };
        if parent.tgid != owner.parent || parent.ended.is_some() {
            return;
        }
        let suspect = self.suspects.entry(child.id).or_insert(Suspect {
            tgid: child.tgid,
            parent: parent.id,
            owner,
            looks: 0,
            always_blocked: true,
            told: false,
        });
        suspect.parent = parent.id;
        suspect.owner = owner;
        suspect.looks += 1;
        suspect.always_blocked &= owner.blocked_and_pending;
        let known = *suspect;
        let Some(finding) = self.verdict(&known, child, parent, case.event.at, ledger) else {
            return;
        };
        if finding.rule == RuleId::VforkStall && !known.told {
            // The stall is the bug, whoever reaps when it is over.
            case.findings.add(finding.clone());
            if let Some(suspect) = self.suspects.get_mut(&child.id) {
                suspect.told = true;
            }
        }
        if case.event.at.since(since(child)) >= self.thresholds.live {
            // It may be reaped yet: only told, not found.
            case.warnings.push(finding);
        }
    }

    /// The parent of some zombies is gone: they are its leaks.
    fn parent_ended(&mut self, case: &mut Case) {
        let Some(parent) = case.ledger.process(case.event.tgid) else {
            return;
        };
        let orphans = case.ledger.orphaned();
        if !self.suspects.is_empty() {
            for orphan in orphans {
                let Some(child) = case.ledger.process(*orphan) else {
                    continue;
                };
                let Some(suspect) = self.suspects.remove(&child.id) else {
                    continue;
                };
                self.tell(&suspect, child, parent, case);
            }
        }
        Leaks::judge_habit(parent, case);
    }

    /// The trace is over: what is a zombie now stays one, for all we know.
    fn over(&mut self, case: &mut Case) {
        let mut suspects: Vec<Suspect> = self.suspects.drain().map(|(_, s)| s).collect();
        suspects.sort_by_key(|suspect| suspect.tgid);
        for suspect in suspects {
            let child = case.ledger.process(suspect.tgid);
            let Some(child) = child.filter(|child| child.is_zombie()) else {
                continue;
            };
            let parent = child.parent.and_then(|parent| case.ledger.process(parent));
            if let Some(parent) = parent {
                self.tell(&suspect, child, parent, case);
            }
        }
        let ledger = case.ledger;
        for process in ledger.processes().filter(|process| process.ended.is_none()) {
            Leaks::judge_habit(process, case);
        }
    }

    fn tell(&mut self, suspect: &Suspect, child: &Process, parent: &Process, case: &mut Case) {
        if suspect.parent != parent.id {
            return;
        }
        if let Some(finding) = self.verdict(suspect, child, parent, case.event.at, case.ledger) {
            self.left += 1;
            if !suspect.told {
                case.findings.add(finding);
            }
        }
    }

    fn verdict(
        &self,
        suspect: &Suspect,
        child: &Process,
        parent: &Process,
        now: Moment,
        ledger: &Ledger,
    ) -> Option<Finding> {
        let age = now.since(since(child));
        if age < self.thresholds.zombie {
            return None;
        }
        let cause = cause(suspect, child, parent, now, ledger)?;
        let mut facts = cause.facts;
        facts.nanos = Some(age);
        let ended = Evidence::ended(child, "a zombie from here on");
        let when = Stamp {
            at: now,
            ..Stamp::default()
        };
        Some(
            Finding::new(cause.rule, Party::new(parent), when)
                .about(child)
                .facts(facts)
                .evidence(ended.into_iter().chain(cause.evidence)),
        )
    }

    /// A reap that came late, though nothing kept the parent from it.
    fn judge_reap(&self, child: &Process, case: &mut Case) {
        let (Some(end), Some(reap)) = (child.ended, child.reaped) else {
            return;
        };
        let age = reap.when.at.since(since(child));
        if age < self.thresholds.late || !child.is_traced {
            return;
        }
        let Some(parent) = case.ledger.process(reap.by_process) else {
            return;
        };
        let busy = parent.busy_between(&end, reap.when.at);
        if busy.stopped.max(busy.suspended) * 10 >= age * 6 || busy.waiting * 2 >= age {
            return;
        }
        let finding = Finding::new(RuleId::LateReap, Party::new(parent), reap.when)
            .about(child)
            .facts(Facts {
                nanos: Some(age),
                ..Facts::default()
            });
        let reaped = child
            .told
            .last
            .map(|brief| Evidence::waited(&brief, case.ledger, parent.tgid, "reaped it at last"));
        let ended = Evidence::ended(child, "a zombie from here on");
        case.findings
            .add(finding.evidence(ended.into_iter().chain(reaped)));
    }

    /// One child a signal, without a leak so far.
    fn judge_habit(parent: &Process, case: &mut Case) {
        let (count, first) = &parent.waits.singles;
        let handles = matches!(parent.sigchld.action, Some(SigchldAction::Handler { .. }));
        if *count < 3
            || parent.waits.drained.is_some()
            || !handles
            || case.findings.has(RuleId::CoalescedSigchld, parent)
        {
            return;
        }
        let lines = first.iter().map(|brief| {
            Evidence::waited(
                brief,
                case.ledger,
                parent.tgid,
                "took one, and did not ask again",
            )
        });
        let finding = Finding::new(
            RuleId::CoalescedSigchld,
            Party::new(parent),
            Stamp {
                at: case.event.at,
                ..Stamp::default()
            },
        );
        let facts = Facts {
            count: Some(*count),
            form: Form::Latent,
            ..Facts::default()
        };
        let finding = finding
            .severity(Severity::Info)
            .facts(facts)
            .evidence(lines);
        case.findings.add(finding);
    }
}

/// Since when a zombie's parent could have reaped it.
fn since(child: &Process) -> Moment {
    let ended = child.ended.map(|end| end.when.at).unwrap_or_default();
    let adopted = child.adopted.map(|(when, _)| when.at);
    adopted.map_or(ended, |adopted| adopted.max(ended))
}

/// The first cause that fits; `None` where the parent is merely slow.
fn cause(
    suspect: &Suspect,
    child: &Process,
    parent: &Process,
    now: Moment,
    ledger: &Ledger,
) -> Option<Cause> {
    let kept = kept_from_it(child, parent, now, ledger);
    if kept.is_some() {
        return kept;
    }
    if child.adopted.is_some() {
        return orphan(child, parent, ledger);
    }
    let found = not_its_own(child, parent, ledger)
        .or_else(|| misunderstood(suspect, child, parent, ledger))
        .or_else(|| missed_group(suspect, child, parent, ledger))
        .or_else(|| signal_trouble(suspect, child, parent, ledger));
    Some(found.unwrap_or_else(|| Cause::new(RuleId::ZombieLeak)))
}

/// The parent could not run.
fn kept_from_it(child: &Process, parent: &Process, now: Moment, ledger: &Ledger) -> Option<Cause> {
    let age = now.since(since(child));
    let busy = child
        .ended
        .map(|end| parent.busy_between(&end, now))
        .unwrap_or_default();
    let mostly = |time: u64| time * 10 >= age * 6;
    if mostly(busy.stopped) {
        let (when, signal) = parent.stopped.unzip();
        let line = when.zip(signal).map(|(when, signal)| {
            Evidence::of(
                parent,
                when,
                Deed::Stopped(signal),
                "cannot reap while it is stopped",
            )
        });
        return Some(
            Cause::new(RuleId::ParentStopped)
                .facts(Facts {
                    signal,
                    ..Facts::default()
                })
                .seen(line),
        );
    }
    if mostly(busy.suspended) {
        let (when, other) = parent.vforking.unzip();
        let other = other.and_then(|other| ledger.process(other));
        let line = when.zip(other).map(|(when, other)| {
            let deed = Deed::Vforked(other.tgid);
            Evidence::of(parent, when, deed, "sleeps until its child execs or exits")
        });
        let facts = Facts {
            signal: other.and_then(|other| Some(other.stopped?.1)),
            other: other.map(Party::new),
            ..Facts::default()
        };
        return Some(Cause::new(RuleId::VforkStall).facts(facts).seen(line));
    }
    None
}

/// The zombie was adopted, by a parent that is there to reap.
fn orphan(child: &Process, parent: &Process, ledger: &Ledger) -> Option<Cause> {
    let (adopted, from) = child.adopted?;
    let reaps_any = parent.waits.last_wildcard.is_some_and(|brief| {
        brief.when.at >= since(child) && matches!(brief.outcome, Outcome::Child(..))
    });
    if reaps_any {
        return None;
    }
    let form = if parent.is_namespace_init() {
        Form::NamespaceInit
    } else {
        Form::Usual
    };
    let facts = Facts {
        form,
        other: Some(Party::find(from, ledger)),
        ..Facts::default()
    };
    let line = Evidence::of(
        parent,
        adopted,
        Deed::Adopted(child.tgid),
        "its parent died, and it was given to this process",
    );
    Some(Cause::new(RuleId::ReaperIdle).facts(facts).seen([line]))
}

/// The parent does not know the child, or cannot see it.
fn not_its_own(child: &Process, parent: &Process, ledger: &Ledger) -> Option<Cause> {
    if let Some((when, before)) = parent.execs.last()
        && child.born.seq < when.seq
        && child.is_traced
    {
        let born = Evidence::of(
            child,
            child.born,
            Deed::Born,
            "created by the program before",
        );
        let deed = Deed::Executed(parent.image.clone());
        let line = Evidence::of(parent, *when, deed, "does not know the child");
        let facts = Facts {
            name: Some(before.comm),
            ..Facts::default()
        };
        let cause = Cause::new(RuleId::ExecInheritedChild).facts(facts);
        return Some(cause.seen([born, line]));
    }
    if child.is_clone_child() {
        let facts = Facts {
            signal: child.exit_signal,
            ..Facts::default()
        };
        let named = child.told.named.iter();
        let lines = named.map(|brief| {
            Evidence::waited(brief, ledger, parent.tgid, "does not see it without __WALL")
        });
        let cause = Cause::new(RuleId::CloneChildInvisible).facts(facts);
        return Some(cause.seen(lines));
    }
    None
}

/// A wait told of the child, or was for it, and was misunderstood.
fn misunderstood(
    suspect: &Suspect,
    child: &Process,
    parent: &Process,
    ledger: &Ledger,
) -> Option<Cause> {
    let line = |brief: &Brief, remark| Evidence::waited(brief, ledger, parent.tgid, remark);
    if let Some(peek) = &child.told.peeked {
        let seen = line(peek, "looked at it and left it");
        return Some(Cause::new(RuleId::WnowaitOnly).seen([seen]));
    }
    if let Some(last) = child.told.last.filter(|last| !last.told_an_end()) {
        let seen = line(&last, "told of a stop, not of its end");
        let facts = Facts {
            wait: Some(last),
            ..Facts::default()
        };
        let cause = Cause::new(RuleId::StopMistakenForExit).facts(facts);
        return Some(cause.seen([seen]));
    }
    let Owner {
        group, child_group, ..
    } = suspect.owner;
    let of_its_group = parent.waits.last_group;
    let of_its_group = of_its_group.filter(|brief| brief.group(group) == child_group);
    let last = [child.told.named, parent.waits.last_wildcard, of_its_group];
    let last = last
        .into_iter()
        .flatten()
        .max_by_key(|brief| brief.when.seq);
    if let Some(last) = last
        && let Outcome::Eintr(signal) = last.outcome
        && last.when.seq > child.born.seq
        && child
            .told
            .killed
            .is_none_or(|when| when.seq < last.when.seq)
    {
        let facts = Facts {
            signal: Some(signal),
            wait: Some(last),
            ..Facts::default()
        };
        let seen = line(&last, "gave up, and was not called again");
        return Some(Cause::new(RuleId::EintrAbandoned).facts(facts).seen([seen]));
    }
    let code = match child.ended?.status.decode() {
        Status::Exited(code @ (126 | 127)) => i32::from(code),
        _ => return None,
    };
    let created_it = child.creator.is_some_and(|_| child.cloned_by.is_none());
    if created_it && child.execs.is_empty() {
        let facts = Facts {
            code: Some(code),
            ..Facts::default()
        };
        return Some(Cause::new(RuleId::SpawnFailedZombie).facts(facts));
    }
    None
}

/// A wait for a group did not see the child.
fn missed_group(
    suspect: &Suspect,
    child: &Process,
    parent: &Process,
    ledger: &Ledger,
) -> Option<Cause> {
    let last = parent.waits.last_group;
    let last = last.filter(|brief| brief.when.seq > child.born.seq)?;
    let missed = matches!(
        last.outcome,
        Outcome::Nothing | Outcome::Error(Errno::CHILD)
    );
    let group = last.group(suspect.owner.group);
    if !missed || group == 0 || group == suspect.owner.child_group {
        return None;
    }
    let facts = Facts {
        code: Some(suspect.owner.child_group),
        wait: Some(last),
        count: u64::try_from(group).ok(),
        ..Facts::default()
    };
    let seen = Evidence::waited(&last, ledger, parent.tgid, "did not see it");
    Some(Cause::new(RuleId::PgrpMiss).facts(facts).seen([seen]))
}

/// SIGCHLD did not do what the parent relies on.
fn signal_trouble(
    suspect: &Suspect,
    child: &Process,
    parent: &Process,
    ledger: &Ledger,
) -> Option<Cause> {
    if suspect.looks >= 2 && suspect.always_blocked {
        return Some(Cause::new(RuleId::SigchldBlocked));
    }
    if let Some((_, new, when)) = parent.sigchld.replaced {
        let deed = Deed::Handles(new);
        let seen = Evidence::of(parent, when, deed, "took the place of the first handler");
        return Some(Cause::new(RuleId::HandlerReplaced).seen([seen]));
    }
    let ended = child.ended?.when.seq;
    let last = parent.waits.last_wildcard?;
    let drained = parent.waits.drained.is_some_and(|when| when.seq > ended);
    if last.when.seq > ended && !drained && parent.waits.singles.0 > 0 {
        let seen = Evidence::waited(
            &last,
            ledger,
            parent.tgid,
            "took another, and did not ask again",
        );
        let facts = Facts {
            count: Some(parent.waits.singles.0),
            ..Facts::default()
        };
        return Some(
            Cause::new(RuleId::CoalescedSigchld)
                .facts(facts)
                .seen([seen]),
        );
    }
    None
}
