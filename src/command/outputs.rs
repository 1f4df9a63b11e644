//! All that a trace or a record is shown by: opened before it begins, written
//! when it is over.

use super::exit::Exit;
use super::mode::{Format, OutputOptions, OutputTo};
use super::output_target::{file, target};
use super::pipe::PipeCommand;
use super::report::ReportWriter;
use super::snapshot_check::SnapshotCheck;
use super::stderr::{complain, print, print_all};
use crate::event::{Moment, Origin};
use crate::output::{
    Clock, Destination, Json, Messages, Output, Sink, Snapshot, SnapshotText, Styles, Summarized,
    Summary, Target, Text, TextOptions, Timeline,
};
use crate::session::{FindingsPolicy, NamedOutput, Outcome, Session};

/// What is left to do when the outputs have all events.
pub(super) struct Ending {
    report: Option<ReportWriter>,
    snapshot: Option<(SnapshotCheck, SnapshotText)>,
    /// The command that the lines are piped to.
    pipe: Option<PipeCommand>,
    /// Those of standard error.
    styles: Styles,
    /// Standard error is a stream of JSON lines.
    holds_json: bool,
}

/// Open all that is to be written.
///
/// # Errors
/// A sentence on what cannot be opened.
pub(super) fn open(
    options: &OutputOptions,
    origin: &Origin,
) -> Result<(Session<'static>, Ending), String> {
    let recording = recording(options, origin)?;
    let timeline = timeline(options, origin)?;
    let snapshot = options.snapshot.as_ref().map(SnapshotCheck::open);
    let snapshot = snapshot.transpose()?;
    let snapshot = snapshot.map(|check| (check, SnapshotText::default()));
    let normal_form = snapshot.as_ref().map(|(_, text)| NamedOutput {
        name: "the snapshot".to_owned(),
        output: Box::new(Snapshot::new(text)),
    });
    let mut pipe = None;
    let target = target(&options.output, &mut pipe)?;
    let styles = if options.colour.wanted() {
        Styles::coloured()
    } else {
        Styles::plain()
    };
    let lines = NamedOutput {
        name: "the output".to_owned(),
        output: lines(options, origin, target, &styles),
    };
    let outputs = [Some(lines), recording, timeline, normal_form];
    // JSON lines hold the findings and messages.
    let holds_json = options.format == Format::Json && options.output == OutputTo::Stderr;
    let report = options.report.as_ref();
    let writer = report.map(|report| ReportWriter::open(report, styles.clone(), holds_json));
    let writer = writer.transpose()?;
    let session = Session {
        policy: report.map(|report| FindingsPolicy::new(report.rules.clone(), origin)),
        warns: writer.as_ref().is_some_and(ReportWriter::reports),
        outputs: outputs.into_iter().flatten().collect(),
        ..Session::default()
    };
    let ending = Ending {
        report: writer,
        snapshot,
        pipe,
        styles,
        holds_json,
    };
    Ok((session, ending))
}

impl Ending {
    /// Whether a report will say what was out of sight.
    pub(super) fn says_unseen(&self) -> bool {
        self.report.as_ref().is_some_and(ReportWriter::says_unseen)
    }

    /// Print the report as it would be if the trace were over now.
    pub(super) fn report_so_far(&self, now: Moment, session: &mut Session<'_>) {
        let report = self.report.as_ref();
        let Some(text) = report.and_then(|report| report.so_far(now, session)) else {
            return;
        };
        if self.holds_json {
            session.message(text.trim_end());
        } else {
            print(&text);
        }
    }

    /// Write the report, and compare with the snapshot. Returns what fails the
    /// run, if something does.
    ///
    /// # Errors
    /// A sentence on what could not be written.
    pub(super) fn finish(self, outcome: Outcome) -> Result<Option<Exit>, String> {
        // The end of the pipe was closed with its output.
        let piped = self.pipe.map_or(Ok(()), PipeCommand::finish);
        let piped = piped.map_err(|error| format!("cannot write the output: {error}"));
        // Whatever became of the lines.
        let reported = self.report.map(|report| report.write(&outcome));
        let reported = reported.transpose();
        let fails = reported.map_err(|error| format!("cannot write the report: {error}"));
        outcome.written.and(piped)?;
        let fails = fails?.flatten();
        if let Some((check, text)) = self.snapshot
            && let Some(text) = text.get()
        {
            let differs = check.finish(text, &self.styles)?;
            if !differs.is_empty() {
                // If that is lost, the exit status says it.
                let _ = print_all(&differs);
                return Ok(Some(Exit::Differs));
            }
        }
        if let Some(why) = &fails {
            complain(&format!("exit 120: {why}"));
        }
        Ok(fails.map(|_| Exit::Findings))
    }
}

/// `--record`
fn recording(options: &OutputOptions, origin: &Origin) -> Result<Option<NamedOutput>, String> {
    let Some(path) = &options.record else {
        return Ok(None);
    };
    let name = format!("to {} (--record)", path.display());
    let sink = file(path.clone()).map_err(|error| format!("cannot write {name}: {error}"))?;
    let output = Box::new(Json::new(sink, Messages::Elsewhere, origin));
    Ok(Some(NamedOutput { name, output }))
}

/// `--timeline`
fn timeline(options: &OutputOptions, origin: &Origin) -> Result<Option<NamedOutput>, String> {
    let Some((picture, path)) = &options.timeline else {
        return Ok(None);
    };
    let name = format!("to {} (--timeline)", path.display());
    let sink = file(path.clone()).map_err(|error| format!("cannot write {name}: {error}"))?;
    let output = Box::new(Timeline::new(*picture, sink, title(origin)));
    Ok(Some(NamedOutput { name, output }))
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

/// The output of `-o`, which shows the messages too.
fn lines(
    options: &OutputOptions,
    origin: &Origin,
    target: Target,
    styles: &Styles,
) -> Box<dyn Output> {
    let output = shown(options, origin, target, styles);
    match options.summary.as_ref() {
        Some(wanted) => {
            let summary = Summary::new(wanted.late, wanted.sort);
            Box::new(Summarized::new(summary, output, wanted.only))
        }
        None => output,
    }
}

/// What shows the events.
fn shown(
    options: &OutputOptions,
    origin: &Origin,
    target: Target,
    styles: &Styles,
) -> Box<dyn Output> {
    let messages = Sink::stderr(Destination::Terminal);
    let (sink, messages) = match (options.format, target) {
        (Format::Json, Target::Stderr(sink)) => (sink, Messages::InLines),
        (Format::Json, Target::File(sink)) => (sink, Messages::To(messages)),
        (_, target) => {
            let text = TextOptions {
                restart_outcomes: origin.restart_outcomes,
                ..options.text.clone()
            };
            let styles = if options.output == OutputTo::Stderr {
                styles.clone()
            } else {
                Styles::plain()
            };
            let clock = Clock::new(origin.began);
            return Box::new(Text::new(text, styles, clock, target, messages));
        }
    };
    Box::new(Json::new(sink, messages, origin))
}
