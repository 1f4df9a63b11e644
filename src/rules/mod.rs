//! Rules that find faults in the way a program waits for its children.
//!
//! Rules are pure: they take an event and the ledger to which it was applied, and
//! give [`Finding`]s. What they need from `/proc` they ask for ([`Question`])
//! and get as an event, so a recorded stream gives the same findings.
//!
//! Each rule has a row in `table` and its data in `diagnosis`. Its function is in
//! the file of its subject:
//!
//! * [`Leak`]: `leaks` (candidates, and when they are judged), `causes` (why a
//!   zombie was not reaped)
//! * [`Loss`]: `lost` (waits that failed, statuses not examined), `arguments` (waits
//!   that the kernel refused), `hazards` (children that could have been stolen)
//! * [`Hang`]: `hangs` (waits that block or spin), `pipes`, `pipe_cycles` and `streams`
//!   (blocked on a pipe)
//! * [`End`]: `hangs` (dead leaders, pid namespaces), `death_signals`, `kills`,
//!   `survivors`, `ends` (ends that the user did not expect)
//!
//! [`RuleEngine::event`] calls them all. docs/writing-a-rule.md has the steps to a new
//! rule.

mod arguments;
mod causes;
mod deadlines;
mod death_signals;
mod diagnosis;
mod ends;
mod finding;
mod hangs;
mod hazards;
mod kills;
mod leaks;
mod lost;
mod pipe_cycles;
mod pipes;
mod policy;
mod streams;
mod survivors;
mod table;
#[cfg(test)]
mod tests;
mod thresholds;

pub use arguments::{Refusal, refused_part};
pub use diagnosis::{CallName, Diagnosis, End, Hang, Leak, Loss, Stranger};
pub use ends::Expected;
pub use finding::{Action, AffectedChild, Evidence, Finding, Findings, ProcessRef};
pub use leaks::ZombiesLeft;
pub use policy::{FailOn, Policy, Suppressions, UnknownRule, suppression};
pub use table::{Needs, RULES, Rule, RuleId, Severity};
pub use thresholds::Thresholds;

use rustc_hash::FxHashSet;

use crate::event::{Event, EventKind, Moment, Question};
use crate::kernel::{Tgid, Tid};
use crate::ledger::{Ledger, ProcessId, Stamp};

/// All rules, with their state.
#[derive(Clone, Debug)]
pub struct RuleEngine {
    thresholds: Thresholds,
    findings: Findings,
    /// Warnings not yet taken; the finding of some may still be withdrawn.
    warnings: Vec<Finding>,
    /// Warnings already issued, by rule and process.
    warned: FxHashSet<(RuleId, Tgid, Option<ProcessId>)>,
    leaks: leaks::Leaks,
    lost: lost::Lost,
    hazards: hazards::Hazards,
    hangs: hangs::Hangs,
    death_signals: death_signals::DeathSignals,
    ends: ends::Ends,
    streams: streams::Streams,
    survivors: survivors::Survivors,
    deadlines: deadlines::Deadlines,
}

/// What a rule gets with each event.
pub(crate) struct RuleContext<'a> {
    pub(crate) event: &'a Event,
    pub(crate) ledger: &'a Ledger,
    pub(crate) findings: &'a mut Findings,
    /// Set by a rule that decides at the next [`EventKind::QueueDrained`].
    pub(crate) unsettled: bool,
    /// To be reported while the trace goes on.
    pub(crate) warnings: Vec<Finding>,
}

impl RuleContext<'_> {
    /// The stamp of the current event.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            seq: self.event.seq,
            at: self.event.at,
            is_before_attach: false,
        }
    }

    /// Adds a finding that is also reported while the trace goes on.
    pub(crate) fn warn(&mut self, finding: Finding) {
        self.warnings.push(finding.clone());
        self.findings.add(finding);
    }
}

impl RuleEngine {
    /// Rules with these thresholds and expected ends.
    #[must_use]
    pub fn new(thresholds: Thresholds, expected: Expected) -> RuleEngine {
        RuleEngine {
            thresholds,
            findings: Findings::default(),
            warnings: Vec::new(),
            warned: FxHashSet::default(),
            leaks: leaks::Leaks::new(thresholds),
            lost: lost::Lost::default(),
            hazards: hazards::Hazards::default(),
            hangs: hangs::Hangs::new(thresholds),
            death_signals: death_signals::DeathSignals::default(),
            ends: ends::Ends::new(expected),
            streams: streams::Streams::default(),
            survivors: survivors::Survivors::default(),
            deadlines: deadlines::Deadlines::new(thresholds),
        }
    }

    /// Rules that ask the record of another tracer, and not `/proc`.
    #[must_use]
    pub(crate) fn on_record(mut self) -> RuleEngine {
        self.deadlines.ask_record();
        self
    }

    /// Applies an event, after the ledger has.
    pub fn event(&mut self, event: &Event, ledger: &Ledger) {
        self.deadlines.event(event, ledger);
        let mut context = RuleContext {
            event,
            ledger,
            findings: &mut self.findings,
            unsettled: false,
            warnings: Vec::new(),
        };
        self.leaks.event(&mut context);
        self.lost.event(&mut context);
        self.hazards.event(&mut context);
        self.hangs.event(&mut context);
        pipe_cycles::event(self.thresholds.blocked, &mut context);
        kills::event(&mut context);
        self.death_signals.event(&mut context);
        self.ends.event(&mut context);
        self.streams.event(&mut context);
        self.survivors.event(&mut context);
        let (unsettled, warnings) = (context.unsettled, context.warnings);
        if matches!(event.kind, EventKind::Over) {
            self.findings.drop_consequences();
        }
        if unsettled {
            self.deadlines.settle();
        }
        for warning in warnings {
            let ProcessRef { tgid, id, .. } = warning.parent;
            if self.warned.insert((warning.rule, tgid, id)) {
                self.warnings.push(warning);
            }
        }
    }

    /// The next time at which [`RuleEngine::questions`] has any.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.deadlines.next()
    }

    /// What to look up now, for the deadlines that have passed.
    pub fn questions(&mut self, now: Moment, ledger: &Ledger) -> Vec<Question> {
        self.deadlines.due(now, ledger)
    }

    /// What is to be looked up when the trace is over and the command was ended by
    /// force: which processes outlive it.
    #[must_use]
    pub fn last_question(ledger: &Ledger) -> Option<Question> {
        deadlines::survivors(ledger)
    }

    /// Whether a rule waits for the next [`EventKind::QueueDrained`].
    #[must_use]
    pub fn awaits_drained_queue(&self) -> bool {
        self.deadlines.is_unsettled()
    }

    /// What to report while the trace goes on.
    pub fn take_warnings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.warnings)
    }

    /// The findings that are certain so far.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        self.findings.all()
    }

    /// How many zombies were not reaped while their parent lived.
    #[must_use]
    pub fn zombies_left(&self) -> &ZombiesLeft {
        self.leaks.left()
    }

    /// The state in which the rules would be if the trace ended now.
    #[must_use]
    pub fn so_far(&self, now: Moment, ledger: &Ledger) -> RuleEngine {
        let mut interim = self.clone();
        let over = Event {
            seq: u64::MAX,
            at: now,
            tid: Tid::new(0),
            tgid: Tgid::new(0),
            kind: EventKind::Over,
        };
        interim.event(&over, ledger);
        interim
    }
}

/// The findings on a recorded stream of events.
#[must_use]
pub fn replay(events: &[Event], thresholds: Thresholds, expected: Expected) -> Vec<Finding> {
    let mut ledger = Ledger::new();
    let mut judge = RuleEngine::new(thresholds, expected);
    for event in events {
        ledger.apply(event);
        judge.event(event, &ledger);
    }
    judge.findings().to_vec()
}
