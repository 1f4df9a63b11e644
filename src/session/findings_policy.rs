//! The rules of a trace, the user's policy for what they find, and what was out
//! of their sight.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use crate::event::{Comm, Event, EventKind, Fetched, Moment, Origin, ProcView, Question};
use crate::kernel::Tgid;
use crate::kernel::phrases::plural;
use crate::ledger::Ledger;
use crate::output::{Report, ReportForm, Styles, warning};
use crate::rules::{Expected, Finding, Policy, RuleEngine, RuleId, Thresholds, ZombiesLeft};

/// What the rules judge by, and what is reported of it.
#[derive(Clone, Debug, Default)]
pub struct RuleOptions {
    /// How long is too long.
    pub thresholds: Thresholds,
    /// How processes may end.
    pub expected: Expected,
    /// What is reported, and what fails the run.
    pub policy: Policy,
}

/// The rules of a trace, and what is reported of their findings.
pub(crate) struct FindingsPolicy {
    policy: Policy,
    /// None where nothing can be judged.
    judge: Option<RuleEngine>,
    /// What was out of sight from the start, a clause each.
    unseen: Vec<String>,
    /// What else is to be said of the record, a sentence each.
    notes: Vec<String>,
    /// Children from before the attach that are not traced themselves.
    untraced: FxHashSet<Tgid>,
    /// Processes that asked for a seccomp filter with a listener.
    listeners: BTreeMap<Tgid, Comm>,
    /// How many statuses could not be read.
    unread: u64,
    /// Rules that cannot judge.
    excluded: Vec<RuleId>,
    /// The trace is over for the rules; what happens later is not judged.
    is_closed: bool,
}

impl FindingsPolicy {
    /// Rules that have seen nothing yet.
    pub(crate) fn new(options: RuleOptions, origin: &Origin) -> FindingsPolicy {
        let follows = origin.follows;
        let mut unseen = Vec::new();
        if !follows {
            unseen.push("children are not followed (--no-follow), no rule can judge".to_owned());
        }
        if origin.proc == ProcView::Elsewhere {
            unseen.push(
                "/proc is not mounted or shows another pid namespace; leaks, pipe deadlocks, \
                 leader-zombie and call stacks are out of reach"
                    .to_owned(),
            );
        }
        let judge = follows.then(|| {
            let thresholds = options.thresholds.at_resolution(origin.resolution);
            let rules = RuleEngine::new(thresholds, options.expected);
            if origin.proc == ProcView::Unseen {
                rules.on_record()
            } else {
                rules
            }
        });
        FindingsPolicy {
            policy: options.policy,
            judge,
            unseen,
            notes: Vec::new(),
            untraced: FxHashSet::default(),
            listeners: BTreeMap::new(),
            unread: 0,
            excluded: Vec::new(),
            is_closed: false,
        }
    }

    /// Note that something was out of sight.
    pub(crate) fn miss(&mut self, clause: &str) {
        self.unseen.push(clause.to_owned());
    }

    /// Say something of the record in the report.
    pub(crate) fn note(&mut self, sentence: &str) {
        self.notes.push(sentence.to_owned());
    }

    /// What is said of the record, a sentence each.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Take an event in, after the ledger has.
    pub(super) fn event(&mut self, event: &Event, ledger: &Ledger) {
        match &event.kind {
            // A dead one makes no calls, and it cannot be attached to.
            EventKind::UntracedChild(untraced)
                if !untraced.is_adopted && untraced.zombie.is_none() =>
            {
                self.untraced.insert(untraced.child);
            }
            EventKind::ListenerWanted => {
                self.listeners.insert(event.tgid, ledger.comm(event.tid));
            }
            EventKind::Found(_) => {
                self.untraced.remove(&event.tgid);
            }
            EventKind::WaitEnded(exit)
                if matches!(exit.status, Fetched::Unreadable { .. })
                    || matches!(exit.info, Fetched::Unreadable { .. }) =>
            {
                self.unread += 1;
            }
            _ => {}
        }
        if let Some(judge) = &mut self.judge {
            judge.event(event, ledger);
        }
    }

    /// When the rules want to ask next.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.judge.as_ref()?.next_deadline()
    }

    /// These rules cannot judge, as far as is known now, and what they found is
    /// not reported.
    pub(super) fn exclude(&mut self, rules: Vec<RuleId>) {
        self.excluded = rules;
    }

    /// Whether a judgement waits until every event so far is known.
    pub(super) fn needs_settling(&self) -> bool {
        self.judge
            .as_ref()
            .is_some_and(RuleEngine::awaits_drained_queue)
    }

    /// What is to be looked up now.
    pub(super) fn questions(&mut self, now: Moment, ledger: &Ledger) -> Vec<Question> {
        let judge = self.judge.as_mut();
        judge.map_or_else(Vec::new, |judge| judge.questions(now, ledger))
    }

    /// What cannot wait for the report, a line each.
    pub(super) fn warnings(&mut self) -> Vec<String> {
        let warnings = self.judge.as_mut().map(RuleEngine::take_warnings);
        let admitted = self.admitted(&warnings.unwrap_or_default());
        admitted.iter().map(warning).collect()
    }

    /// Judge no more: the trace is over for the rules.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Whether events are still judged.
    pub(super) fn is_open(&self) -> bool {
        !self.is_closed
    }

    /// What was out of sight, and which rules that puts out of reach.
    pub(crate) fn unseen(&self, ledger: &Ledger) -> Vec<String> {
        let mut unseen = self.unseen.clone();
        let unobserved = ledger.counts().reaped_unobserved;
        if unobserved > 0 {
            let many = plural(unobserved, "child was", "children were");
            unseen.push(format!("{many} reaped by a call that was not observed"));
        }
        if !self.untraced.is_empty() {
            let many = plural(self.untraced.len() as u64, "child", "children");
            unseen.push(format!(
                "{many} from before the attach not traced (--tree attaches to them), \
                 not-my-child is out of reach"
            ));
        }
        if let Some((tgid, comm)) = self.listeners.first_key_value() {
            let more = match self.listeners.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            unseen.push(format!(
                "{comm}[{tgid}]{more} asked for a seccomp filter with a listener; waits that it \
                 hands to its supervisor run without a stop"
            ));
        }
        if self.unread > 0 {
            let many = plural(self.unread, "status", "statuses");
            unseen.push(format!(
                "{many} could not be read, raw-status-exit is out of reach"
            ));
        }
        unseen
    }

    /// What was found and is reported.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let findings = self.judge.as_ref().map_or(&[][..], RuleEngine::findings);
        self.admitted(findings)
    }

    /// How many zombies were left, if that was judged.
    pub(crate) fn left(&self) -> Option<&ZombiesLeft> {
        self.judge.as_ref().map(RuleEngine::zombies_left)
    }

    fn admitted(&self, findings: &[Finding]) -> Vec<Finding> {
        let judged = findings.iter();
        let judged = judged.filter(|finding| !self.excluded.contains(&finding.rule));
        judged
            .filter_map(|finding| self.policy.admit(finding))
            .collect()
    }

    /// Why these findings fail the run, if they do.
    pub(crate) fn failure(&self, findings: &[Finding]) -> Option<String> {
        self.policy.failure(findings)
    }

    /// Lines of known findings that nothing met.
    fn unused(&self) -> Vec<String> {
        let findings = self.judge.as_ref().map_or(&[][..], RuleEngine::findings);
        self.policy.suppress.unused(findings)
    }

    /// The report as it would be if the trace were over now.
    pub(crate) fn report_so_far(&self, now: Moment, ledger: &Ledger, look: ReportLook) -> String {
        let judge = self.judge.as_ref();
        let judge = judge.map(|judge| judge.so_far(now, ledger));
        let findings = judge.as_ref().map_or(&[][..], RuleEngine::findings);
        let left = judge.as_ref().map(RuleEngine::zombies_left);
        self.text(&self.admitted(findings), left, &[], ledger, look)
    }

    /// The report of these findings.
    pub(crate) fn report(&self, findings: &[Finding], ledger: &Ledger, look: ReportLook) -> String {
        self.text(findings, self.left(), &self.unused(), ledger, look)
    }

    fn text(
        &self,
        findings: &[Finding],
        left: Option<&ZombiesLeft>,
        unused: &[String],
        ledger: &Ledger,
        look: ReportLook,
    ) -> String {
        let report = Report {
            findings,
            left: left.map_or(0, ZombiesLeft::total),
            counts: ledger.counts(),
            unseen: &self.unseen(ledger),
            unused,
            notes: &self.notes,
            styles: look.styles,
            summary: !look.quiet,
            root: std::env::current_dir()
                .map_or_else(|_| String::new(), |root| root.display().to_string()),
        };
        report.formed(look.form)
    }
}

/// How a report looks.
#[derive(Clone, Debug)]
pub(crate) struct ReportLook {
    pub(crate) form: ReportForm,
    pub(crate) styles: Styles,
    /// No last line.
    pub(crate) quiet: bool,
}
