//! What every event goes through: the ledger, the rules, the outputs, and at
//! last an observer.

use super::findings_policy::FindingsPolicy;
use super::source::EventSource;
use crate::event::{Event, EventKind, Moment, Observation, Question, Stack};
use crate::ledger::Ledger;
use crate::output::{Conclusion, Output};
use crate::rules::{Finding, RuleEngine, RuleId};

/// A trace, as far as it is known.
#[derive(Default)]
pub(crate) struct Session<'a> {
    pub(crate) ledger: Ledger,
    /// None if nothing is judged.
    pub(crate) policy: Option<FindingsPolicy>,
    /// What cannot wait for the report is a message at once.
    pub(crate) warns: bool,
    pub(crate) outputs: Vec<NamedOutput>,
    pub(crate) observer: Option<&'a mut Observer<'a>>,
}

/// Gets an event, with the ledger after it.
pub(crate) type Observer<'a> = dyn FnMut(Event, &Ledger) + 'a;

/// An output, and what it is called where it fails.
pub(crate) struct NamedOutput {
    pub(crate) name: String,
    pub(crate) output: Box<dyn Output>,
}

/// A trace that is over.
pub(crate) struct Outcome {
    pub(crate) ledger: Ledger,
    /// Those that the policy lets through.
    pub(crate) findings: Vec<Finding>,
    /// None if nothing was judged.
    pub(crate) policy: Option<FindingsPolicy>,
    /// Whether all outputs are written, else a sentence.
    pub(crate) written: Result<(), String>,
}

impl Session<'_> {
    /// Take events in, the ledger first.
    pub(crate) fn take(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            self.take_one(event);
        }
    }

    fn take_one(&mut self, event: Event) {
        self.ledger.apply(&event);
        let is_over = matches!(event.kind, EventKind::Over);
        let policy = self.policy.as_mut();
        // What is seen of processes that live on when the trace is over.
        let is_late = matches!(
            event.kind,
            EventKind::Observed(Observation::Survivors(_)) | EventKind::Looked(_)
        );
        if let Some(policy) = policy.filter(|policy| policy.is_open() || is_late) {
            policy.event(&event, &self.ledger);
        }
        for NamedOutput { output, .. } in &mut self.outputs {
            output.event(&event, &self.ledger);
        }
        if is_over && let Some(policy) = &mut self.policy {
            policy.close();
        }
        self.warn();
        if let Some(observer) = &mut self.observer {
            observer(event, &self.ledger);
        }
    }

    /// The trace is over for the rules, though tracees may live on.
    pub(crate) fn conclude(&mut self, source: &mut impl EventSource) {
        if self.judging().is_some() {
            for clause in source.unseen() {
                self.miss(&clause);
            }
            let over = source.conclude();
            self.take_one(over);
        }
    }

    /// The trace is over, and the command was ended by force: see which processes
    /// outlive it.
    pub(crate) fn look_for_survivors(&mut self, source: &mut impl EventSource) {
        if let Some(question) = RuleEngine::last_question(&self.ledger) {
            let mut events = Vec::new();
            source.answer(question, &mut events);
            self.take(&mut events);
        }
    }

    /// When the rules want to ask next, and whether a judgement waits until
    /// every event so far is known.
    pub(super) fn deadline(&mut self) -> (Option<Moment>, bool) {
        self.judging().map_or((None, false), |policy| {
            (policy.next_deadline(), policy.needs_settling())
        })
    }

    /// What the rules want to know now, and whether a judgement waits until
    /// every event so far is known.
    pub(crate) fn questions(&mut self, now: Moment) -> Option<(Vec<Question>, bool)> {
        let policy = self.policy.as_mut()?;
        let open = policy.is_open();
        open.then(|| (policy.questions(now, &self.ledger), policy.needs_settling()))
    }

    /// Say what cannot wait for the report: behind the event that shows it, so
    /// that a recording says the same.
    fn warn(&mut self) {
        let warnings = self.judging().map(FindingsPolicy::warnings);
        for warning in warnings.unwrap_or_default() {
            if self.warns {
                self.message(&warning);
            }
        }
    }

    /// These rules cannot judge, as far as is known now.
    pub(crate) fn exclude(&mut self, rules: Vec<RuleId>) {
        if let Some(policy) = &mut self.policy {
            policy.exclude(rules);
        }
    }

    /// Note that something could not be seen, in a clause.
    pub(crate) fn miss(&mut self, clause: &str) {
        if let Some(policy) = &mut self.policy {
            policy.miss(clause);
        }
    }

    /// Say something of the record in the report.
    pub(crate) fn note(&mut self, sentence: &str) {
        if let Some(policy) = &mut self.policy {
            policy.note(sentence);
        }
    }

    /// The rules, while they judge.
    pub(crate) fn judging(&mut self) -> Option<&mut FindingsPolicy> {
        let policy = self.policy.as_mut();
        policy.filter(|policy| policy.is_open())
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Moment) {
        for NamedOutput { output, .. } in &mut self.outputs {
            output.tick(now, &self.ledger);
        }
    }

    /// The tracer is about to be stopped: wait a moment for what is written.
    pub(crate) fn pause(&mut self) {
        for NamedOutput { output, .. } in &mut self.outputs {
            output.pause();
        }
    }

    /// Whether events are wanted as they happen: by an observer, or on a
    /// terminal.
    pub(crate) fn is_watched(&self) -> bool {
        self.observer.is_some() || self.outputs.iter().any(|named| named.output.is_watched())
    }

    /// Whether something is kept back, so that a tick is wanted.
    pub(crate) fn wants_tick(&self) -> bool {
        self.outputs.iter().any(|named| named.output.wants_tick())
    }

    /// Show the user a sentence that is no event.
    pub(crate) fn message(&mut self, text: &str) {
        for NamedOutput { output, .. } in &mut self.outputs {
            output.message(text);
        }
    }

    /// Write the rest. Of a program that never ran nothing is judged.
    pub(crate) fn finish(mut self, has_run: bool) -> Outcome {
        let policy = self.policy.take().filter(|_| has_run);
        let findings = policy.as_ref().map(FindingsPolicy::findings);
        let findings = findings.unwrap_or_default();
        for finding in &findings {
            finding.stacks().for_each(Stack::wait);
        }
        let unseen = policy.as_ref().map(|policy| policy.unseen(&self.ledger));
        let end = Conclusion {
            ledger: &self.ledger,
            findings: &findings,
            left: policy.as_ref().and_then(FindingsPolicy::left),
            unseen: &unseen.unwrap_or_default(),
            notes: policy.as_ref().map_or(&[], FindingsPolicy::notes),
            summary: None,
            has_run,
        };
        let mut written = Ok(());
        for NamedOutput { name, output } in &mut self.outputs {
            let finished = output.finish(&end);
            let finished = finished.map_err(|error| format!("cannot write {name}: {error}"));
            written = written.and(finished);
        }
        Outcome {
            ledger: self.ledger,
            findings,
            policy,
            written,
        }
    }
}
