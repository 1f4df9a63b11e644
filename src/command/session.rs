//! What follows from events, wherever they come from: the ledger, the rules,
//! the outputs, and at the end the report.

use super::findings_policy::FindingsPolicy;
use super::mode::{Format, OutputOptions, OutputTo};
use super::output_target::{file, target};
use super::say;
use super::snapshot_check::SnapshotCheck;
use crate::command::exit::Exit;
use crate::command::pipe::PipeCommand;
use crate::event::{Event, EventKind, Moment, Origin, Question, Stack};
use crate::ledger::Ledger;
use crate::output::{
    Clock, Conclusion, Destination, Json, Messages, Output, Sink, Styles, Summary, Target, Text,
    TextOptions, Timeline,
};
use crate::rules::RuleId;

/// A trace, as far as it is known.
pub(crate) struct Session {
    pub(crate) ledger: Ledger,
    pub(crate) policy: Option<FindingsPolicy>,
    snapshot_check: Option<SnapshotCheck>,
    outputs: Vec<Outlet>,
    /// The command that the lines are piped to.
    pipe: Option<PipeCommand>,
    /// Those of standard error.
    styles: Styles,
    /// Standard error is a stream of JSON lines.
    speaks_json: bool,
}

/// An output, and what it is called where it fails.
struct Outlet {
    name: String,
    output: Box<dyn Output>,
}

impl Session {
    /// Opens all that is to be written, before anybody is traced.
    ///
    /// # Errors
    /// A sentence on what cannot be opened.
    pub(super) fn open(options: &OutputOptions, origin: &Origin) -> Result<Session, String> {
        let recording = options.record.as_deref();
        let recording = recording.map(|path| {
            let name = format!("to {} (--record)", path.display());
            let sink = file(path.to_owned());
            sink.map_err(|error| format!("cannot write {name}: {error}"))
                .map(|sink| (name, sink))
        });
        let recording = recording.transpose()?;
        let timeline = options.timeline.as_ref().map(|(picture, path)| {
            let name = format!("to {} (--timeline)", path.display());
            match file(path.to_owned()) {
                Ok(sink) => Ok((name, Timeline::new(*picture, sink, title(origin)))),
                Err(error) => Err(format!("cannot write {name}: {error}")),
            }
        });
        let timeline = timeline.transpose()?;
        let snapshot_check = options
            .snapshot
            .as_ref()
            .map(SnapshotCheck::open)
            .transpose()?;
        let mut pipe = None;
        let target = target(&options.output, &mut pipe)?;
        let coloured = options.colour.wanted();
        let mut outputs = vec![Outlet {
            name: "the output".to_owned(),
            output: main_output(options, origin, target, coloured),
        }];
        outputs.extend(recording.map(|(name, sink)| Outlet {
            name,
            output: Box::new(Json::new(sink, Messages::Elsewhere, origin)),
        }));
        outputs.extend(timeline.map(|(name, timeline)| Outlet {
            name,
            output: Box::new(timeline),
        }));
        let policy = options.report.as_ref().map(|report| {
            let mut report = report.clone();
            report.silent |= speaks_json(options) && report.file.is_none();
            FindingsPolicy::new(&report, styles(coloured), origin)
        });
        Ok(Session {
            ledger: Ledger::new(),
            policy: policy.transpose()?,
            snapshot_check,
            outputs,
            pipe,
            styles: styles(coloured),
            speaks_json: speaks_json(options),
        })
    }

    /// A trace that is judged and shown by nobody.
    pub(crate) fn silent(policy: FindingsPolicy) -> Session {
        Session {
            ledger: Ledger::new(),
            policy: Some(policy),
            outputs: Vec::new(),
            snapshot_check: None,
            pipe: None,
            styles: Styles::plain(),
            speaks_json: false,
        }
    }

    /// Take events in, the ledger first.
    pub(super) fn take(&mut self, events: &mut Vec<Event>) {
        self.take_each(events, |_, _| ());
    }

    /// Take events in, and hand each on with the ledger after it.
    pub(crate) fn take_each(
        &mut self,
        events: &mut Vec<Event>,
        mut then: impl FnMut(Event, &Ledger),
    ) {
        for event in events.drain(..) {
            self.ledger.apply(&event);
            let policy = self.policy.as_mut();
            if let Some(policy) = policy.filter(|policy| policy.is_open()) {
                policy.event(&event, &self.ledger);
            }
            for Outlet { output, .. } in &mut self.outputs {
                output.event(&event, &self.ledger);
            }
            if let Some(snapshot_check) = &mut self.snapshot_check {
                snapshot_check.event(&event, &self.ledger);
            }
            if let (EventKind::Over, Some(policy)) = (&event.kind, &mut self.policy) {
                policy.close();
            }
            self.warn();
            then(event, &self.ledger);
        }
    }

    /// What the rules want to know now, and whether they wait for a moment
    /// without stops.
    pub(super) fn questions(&mut self, now: Moment) -> Option<(Vec<Question>, bool)> {
        let policy = self.policy.as_mut()?;
        let open = policy.is_open();
        open.then(|| (policy.questions(now, &self.ledger), policy.wants_quiet()))
    }

    /// Tell what cannot wait for the report: behind the event that shows it, so
    /// that a recording tells the same.
    fn warn(&mut self) {
        let warnings = self.judging().map(FindingsPolicy::warnings);
        for warning in warnings.unwrap_or_default() {
            self.message(&warning);
        }
    }

    /// When the rules of a record want to be asked next.
    pub(super) fn next_deadline(&mut self) -> Option<Moment> {
        self.judging()?.next_deadline()
    }

    /// Whether a judgement waits for a moment without stops.
    pub(super) fn wants_quiet(&mut self) -> bool {
        self.judging().is_some_and(|judge| judge.wants_quiet())
    }

    /// These rules cannot judge, as far as is known now.
    pub(super) fn exclude(&mut self, rules: Vec<RuleId>) {
        if let Some(policy) = &mut self.policy {
            policy.exclude(rules);
        }
    }

    /// Note that something was out of sight, in a clause.
    pub(super) fn miss(&mut self, clause: &str) {
        if let Some(policy) = &mut self.policy {
            policy.miss(clause);
        }
    }

    /// Whether a report will tell what was out of sight.
    pub(super) fn reports(&self) -> bool {
        self.policy.as_ref().is_some_and(FindingsPolicy::reports)
    }

    /// The report as it would be if the trace were over now, to standard
    /// error.
    pub(super) fn report_so_far(&mut self, now: Moment) {
        if let Some(policy) = &self.policy {
            let report = policy.so_far(now, &self.ledger);
            if self.speaks_json {
                self.message(report.trim_end());
            } else {
                say(&report);
            }
        }
    }

    /// The rules, while they judge.
    pub(crate) fn judging(&mut self) -> Option<&mut FindingsPolicy> {
        let policy = self.policy.as_mut();
        policy.filter(|policy| policy.is_open())
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Moment) {
        for Outlet { output, .. } in &mut self.outputs {
            output.tick(now, &self.ledger);
        }
    }

    /// The tracer is about to be stopped: wait a moment for what is written.
    pub(super) fn pause(&mut self) {
        for Outlet { output, .. } in &mut self.outputs {
            output.pause();
        }
    }

    /// Whether somebody sits before an output, and sees things as they happen.
    pub(super) fn is_watched(&self) -> bool {
        self.outputs.iter().any(|outlet| outlet.output.is_watched())
    }

    /// Whether something is kept back, so that a tick is wanted.
    pub(super) fn wants_tick(&self) -> bool {
        self.outputs.iter().any(|outlet| outlet.output.wants_tick())
    }

    /// Tell the user something that is no event, in a sentence.
    pub(super) fn message(&mut self, text: &str) {
        for Outlet { output, .. } in &mut self.outputs {
            output.message(text);
        }
    }

    /// Write the rest, and the report if the trace is one of a program that
    /// ran. Returns what fails the run, if something does.
    ///
    /// # Errors
    /// A sentence on what could not be written.
    pub(super) fn finish(mut self, has_run: bool) -> Result<Option<Exit>, String> {
        let policy = self.policy.take().filter(|_| has_run);
        let findings = policy.as_ref().map(FindingsPolicy::findings);
        let findings = findings.unwrap_or_default();
        for finding in &findings {
            finding.stacks().for_each(Stack::wait);
        }
        let unseen = policy
            .as_ref()
            .map(FindingsPolicy::unseen)
            .unwrap_or_default();
        let end = Conclusion {
            ledger: &self.ledger,
            findings: &findings,
            left: policy.as_ref().and_then(FindingsPolicy::left),
            unseen: &unseen,
        };
        let mut written = Ok(());
        for Outlet { name, output } in &mut self.outputs {
            let finished = output.finish(&end);
            let finished = finished.map_err(|error| format!("cannot write {name}: {error}"));
            written = written.and(finished);
        }
        // The pipe's end is closed with its output.
        self.outputs.clear();
        let piped = self.pipe.map_or(Ok(()), PipeCommand::finish);
        let written =
            written.and(piped.map_err(|error| format!("cannot write the output: {error}")));
        // The report is told whatever became of the lines.
        let told = policy.map(|policy| policy.report(&findings, &self.ledger));
        let fails = told
            .transpose()
            .map_err(|error| format!("cannot write the report: {error}"));
        written?;
        let fails = fails?;
        let snapshot_check = self.snapshot_check.filter(|_| has_run);
        let differs =
            snapshot_check.map(|snapshot_check| snapshot_check.finish(&findings, &self.styles));
        let differs = differs.transpose()?.unwrap_or_default();
        if !differs.is_empty() {
            // If that is lost, the status tells.
            let _ = super::told(&differs);
            return Ok(Some(Exit::Differs));
        }
        Ok(fails.unwrap_or_default().then_some(Exit::Findings))
    }
}

/// Whether standard error is a stream of JSON lines, which hold the findings
/// and messages.
fn speaks_json(options: &OutputOptions) -> bool {
    options.format == Format::Json && options.output == OutputTo::Stderr
}

fn styles(coloured: bool) -> Styles {
    if coloured {
        Styles::coloured()
    } else {
        Styles::plain()
    }
}

/// What a trace is of: the command, or the processes that were attached to.
fn title(origin: &Origin) -> String {
    let words = origin.command.iter();
    let words: Vec<_> = words.map(|word| String::from_utf8_lossy(word)).collect();
    let pids: Vec<String> = origin.attached.iter().map(i32::to_string).collect();
    match (words.is_empty(), pids.is_empty()) {
        (true, true) => "a record".to_owned(),
        (true, false) => format!("-p {}", pids.join(",")),
        (false, _) => words.join(" "),
    }
}

/// The output that the user asked for, which also tells the messages.
fn main_output(
    options: &OutputOptions,
    origin: &Origin,
    target: Target,
    coloured: bool,
) -> Box<dyn Output> {
    let messages = Sink::stderr(Destination::Terminal);
    let summary = options.summary.as_ref();
    let only = summary.is_some_and(|summary| summary.only);
    let summary = summary.map(|summary| Summary::new(summary.late, summary.sort));
    let (sink, messages) = match (options.format, target) {
        (Format::Json, Target::Stderr(sink)) => (sink, Messages::InLines),
        (Format::Json, Target::File(sink)) => (sink, Messages::To(messages)),
        (_, target) => {
            let text = TextOptions {
                fates: origin.fates,
                ..options.text.clone()
            };
            let styles = styles(coloured && options.output == OutputTo::Stderr);
            let clock = Clock::new(origin.began);
            let text = Text::new(text, styles, clock, target, messages);
            return match summary {
                Some(summary) => Box::new(text.counting(summary, only)),
                None => Box::new(text),
            };
        }
    };
    let json = Json::new(sink, messages, origin);
    match summary {
        Some(summary) => Box::new(json.counting(summary, only)),
        None => Box::new(json),
    }
}
