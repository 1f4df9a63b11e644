//! Where the report of the rules goes.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::mode::ReportOptions;
use super::output_target::file;
use super::stderr::print_all;
use crate::event::Moment;
use crate::output::{Destination, ReportForm, Sink, Styles};
use crate::rules::{Finding, suppression};
use crate::session::{Outcome, ReportLook, Session};

/// A report that is to be written when the trace is over.
pub(super) struct ReportWriter {
    /// None is wanted at all, also not at SIGUSR1.
    is_silent: bool,
    /// `None` for no report at the end.
    form: Option<ReportForm>,
    quiet: bool,
    styles: Styles,
    /// Standard error if there is none.
    file: Option<Sink>,
    /// Where the lines go that make all findings known.
    suppressions: Option<Sink>,
}

impl ReportWriter {
    /// Opens the report's file: better now than when there is a report. Where
    /// the lines hold the findings, only a file gets a report.
    ///
    /// # Errors
    /// A sentence on what cannot be opened.
    pub(super) fn open(
        options: &ReportOptions,
        styles: Styles,
        in_lines: bool,
    ) -> Result<ReportWriter, String> {
        let silent = options.silent || in_lines && options.file.is_none();
        Ok(ReportWriter {
            form: (!silent).then_some(options.form),
            is_silent: options.silent,
            quiet: options.quiet,
            styles,
            file: options.file.as_deref().map(report_file).transpose()?,
            suppressions: options
                .write_suppressions
                .as_deref()
                .map(baseline)
                .transpose()?,
        })
    }

    /// Whether anything is reported.
    pub(super) fn reports(&self) -> bool {
        self.form.is_some()
    }

    /// Whether the report says what was out of sight.
    pub(super) fn says_unseen(&self) -> bool {
        self.reports() && !self.quiet
    }

    /// The report as it would be if the trace were over now, for a terminal.
    pub(super) fn so_far(&self, now: Moment, session: &Session<'_>) -> Option<String> {
        let look = self.look(ReportForm::Text, self.styles.clone());
        let policy = session.policy.as_ref().filter(|_| !self.is_silent)?;
        Some(policy.report_so_far(now, &session.ledger, look))
    }

    /// Write the report. Returns why findings fail the run, if they do.
    ///
    /// # Errors
    /// Those of the report's file or of standard error.
    pub(super) fn write(mut self, outcome: &Outcome) -> io::Result<Option<String>> {
        let Some(policy) = &outcome.policy else {
            return Ok(None);
        };
        let fails = policy.failure(&outcome.findings);
        if let Some(to) = &mut self.suppressions {
            to.push(suppressions(&outcome.findings).as_bytes());
            to.finish()?;
        }
        let Some(form) = self.form else {
            return Ok(fails);
        };
        let file = self.file.take();
        // A CI's parser wants no colours, and neither does a file.
        let styles = if form == ReportForm::Text && file.is_none() {
            self.styles.clone()
        } else {
            Styles::plain()
        };
        let look = self.look(form, styles);
        let text = policy.report(&outcome.findings, &outcome.ledger, look);
        match file {
            Some(mut to) => {
                to.push(text.as_bytes());
                to.finish()?;
            }
            None => print_all(&text)?,
        }
        Ok(fails)
    }

    fn look(&self, form: ReportForm, styles: Styles) -> ReportLook {
        ReportLook {
            form,
            styles,
            quiet: self.quiet,
        }
    }
}

/// A line for each finding, that makes it a known one.
fn suppressions(findings: &[Finding]) -> String {
    let lines: BTreeSet<String> = findings.iter().map(suppression).collect();
    lines.into_iter().map(|line| line + "\n").collect()
}

/// Open the file of `--write-suppressions`.
fn baseline(path: &Path) -> Result<Sink, String> {
    file(path.to_owned()).map_err(|error| {
        format!(
            "cannot write to {} (--write-suppressions): {error}",
            path.display()
        )
    })
}

/// Open the report's file; `-` is standard output.
pub(super) fn report_file(path: &Path) -> Result<Sink, String> {
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
