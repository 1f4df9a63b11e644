//! What the rules find in a run: when they are asked, what is told at once,
//! and the report at the end.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::config::Judging;
use super::open::file;
use super::told;
use rustc_hash::FxHashSet;

use crate::event::{Comm, Event, EventKind, Fetched, Moment, Origin, ProcView, Question};
use crate::kernel::Tgid;
use crate::ledger::Ledger;
use crate::output::{Destination, Report, ReportForm, Sink, Styles, plural, warning};
use crate::rules::{Finding, Judge, RuleId, ZombiesLeft};

/// How long a judgement waits that needs every stop that is ready, in
/// nanoseconds.
const SETTLING: u64 = 20_000_000;

/// The rules of a run, and what the user thinks of them.
pub(crate) struct Verdicts {
    config: Judging,
    /// None where nothing can be judged.
    judge: Option<Judge>,
    styles: Styles,
    /// The report's file.
    file: Option<Sink>,
    /// What was out of sight from the start, a clause each.
    unseen: Vec<String>,
    /// Children from before the attach that are not traced themselves.
    untraced: FxHashSet<Tgid>,
    /// Processes that asked for a seccomp filter with a listener.
    listeners: BTreeMap<Tgid, Comm>,
    /// How many statuses could not be read.
    unread: u64,
    /// Rules that cannot judge.
    excluded: Vec<RuleId>,
    /// The report is told; what happens later is not judged.
    is_closed: bool,
}

impl Verdicts {
    /// Opens the report's file: better now than when there is a report.
    pub(crate) fn new(
        config: &Judging,
        styles: Styles,
        origin: &Origin,
    ) -> Result<Verdicts, String> {
        let file = config.file.as_deref().map(report_file).transpose()?;
        let follows = origin.follows;
        let mut unseen = Vec::new();
        if !follows {
            unseen.push("children are not followed (--no-follow), no rule can judge".to_owned());
        }
        if origin.proc == ProcView::Elsewhere {
            unseen.push(
                "/proc shows another pid namespace; leaks, pipe deadlocks and leader-zombie are \
                 out of reach"
                    .to_owned(),
            );
        }
        let judge = Judge::new(config.thresholds, config.expected.clone());
        Ok(Verdicts {
            file,
            judge: follows.then_some(judge),
            config: config.clone(),
            styles,
            unseen,
            untraced: FxHashSet::default(),
            listeners: BTreeMap::new(),
            unread: 0,
            excluded: Vec::new(),
            is_closed: false,
        })
    }

    /// Note that something was out of sight.
    pub(super) fn miss(&mut self, clause: &str) {
        self.unseen.push(clause.to_owned());
    }

    /// Whether what was out of sight will be told.
    pub(super) fn reports(&self) -> bool {
        !self.config.silent && !self.config.quiet
    }

    /// Take an event in, after the ledger has.
    pub(super) fn event(&mut self, event: &Event, ledger: &Ledger) {
        match &event.kind {
            EventKind::Kin(kin) if !kin.is_adopted => {
                self.untraced.insert(kin.child);
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

    /// When the rules want to be asked again; it is `now`, or later.
    pub(crate) fn due_at(&self, now: Moment) -> Option<Moment> {
        let judge = self.judge.as_ref()?;
        let due = judge.next_deadline();
        let settling = judge.wants_quiet().then(|| now.after(SETTLING));
        due.into_iter().chain(settling).min()
    }

    /// When the rules of a record want to be asked next.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.judge.as_ref().and_then(Judge::next_deadline_of_record)
    }

    /// These rules cannot judge, as far as is known now, and what they found is
    /// not told.
    pub(super) fn exclude(&mut self, rules: Vec<RuleId>) {
        self.excluded = rules;
    }

    /// Whether a judgement waits for a moment without stops.
    pub(super) fn wants_quiet(&self) -> bool {
        self.judge.as_ref().is_some_and(Judge::wants_quiet)
    }

    /// What is to be looked up now.
    pub(super) fn questions(&mut self, now: Moment, ledger: &Ledger) -> Vec<Question> {
        let judge = self.judge.as_mut();
        judge.map_or_else(Vec::new, |judge| judge.questions(now, ledger))
    }

    /// What is to be told at once, a line each.
    pub(super) fn warnings(&mut self) -> Vec<String> {
        let warnings = self.judge.as_mut().map(Judge::take_warnings);
        let warnings = warnings.filter(|warnings| !warnings.is_empty() && !self.config.silent);
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
    pub(crate) fn unseen(&self) -> Vec<String> {
        let mut unseen = self.unseen.clone();
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

    /// What was found and is to be told.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let findings = self.judge.as_ref().map_or(&[][..], Judge::findings);
        self.admitted(findings)
    }

    /// How many zombies were left, if that was judged.
    pub(crate) fn left(&self) -> Option<&ZombiesLeft> {
        self.judge.as_ref().map(Judge::zombies_left)
    }

    fn admitted(&self, findings: &[Finding]) -> Vec<Finding> {
        let judged = findings.iter();
        let judged = judged.filter(|finding| !self.excluded.contains(&finding.rule));
        judged
            .filter_map(|finding| self.config.policy.admit(finding))
            .collect()
    }

    /// The report so far, as text.
    pub(super) fn so_far(&self, now: Moment, ledger: &Ledger) -> String {
        let judge = self.judge.as_ref();
        let judge = judge.map(|judge| judge.so_far(now, ledger));
        let findings = judge.as_ref().map_or(&[][..], Judge::findings);
        let left = judge
            .as_ref()
            .map_or(0, |judge| judge.zombies_left().total());
        let styles = self.styles.clone();
        // Whoever asks for it is at a terminal, whatever reads the last one.
        let form = ReportForm::Text;
        self.formed(form, &self.admitted(findings), left, ledger, styles)
    }

    /// The report of these findings.
    pub(crate) fn formed(
        &self,
        form: ReportForm,
        findings: &[Finding],
        left: u64,
        ledger: &Ledger,
        styles: Styles,
    ) -> String {
        let report = Report {
            findings,
            left,
            counts: ledger.counts(),
            unseen: &self.unseen(),
            styles,
            summary: !self.config.quiet,
            root: std::env::current_dir()
                .map_or_else(|_| String::new(), |root| root.display().to_string()),
        };
        report.formed(form)
    }

    /// Tell the report of these findings. Returns whether one fails the run.
    ///
    /// # Errors
    /// Those of the report's file or of standard error.
    pub(super) fn report(mut self, findings: &[Finding], ledger: &Ledger) -> io::Result<bool> {
        let left = self.left().map_or(0, ZombiesLeft::total);
        let fails = findings
            .iter()
            .any(|finding| self.config.policy.fails(finding));
        if self.config.silent {
            return Ok(fails);
        }
        let form = self.config.form;
        if let Some(mut to) = self.file.take() {
            let text = self.formed(form, findings, left, ledger, Styles::plain());
            to.push(text.as_bytes());
            to.finish()?;
        } else {
            // A CI's parser wants no colours.
            let styles = if form == ReportForm::Text {
                self.styles.clone()
            } else {
                Styles::plain()
            };
            let text = self.formed(form, findings, left, ledger, styles);
            told(&text)?;
        }
        Ok(fails)
    }
}

/// Open the report's file; `-` is standard output.
fn report_file(path: &Path) -> Result<Sink, String> {
    if path.as_os_str() == "-" {
        return Ok(Sink::descriptor(io::stdout(), Destination::File));
    }
    file(path.to_owned()).map_err(|error| {
        format!(
            "cannot write to {} (--report-file): {error}",
            path.display()
        )
    })
}
