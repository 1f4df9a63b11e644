//! `--explore`: search for schedules under which something goes wrong.

use std::io;

use super::exit::Exit;
use super::mode::{ExploreOptions, Format};
use super::report::report_file;
use super::stderr::{complain, print_all};
use super::trace;
use crate::explore::{ExplorationReport, Searched, Setup, explore_command};
use crate::library::Error;
use crate::output::{ReportForm, Styles};
use crate::sys::left_call::REWINDS;
use crate::sys::startup::Inherited;
use crate::sys::syscall_info::kernel_is_new_enough;
use crate::sys::waker::{Waker, ending_signal};

/// Explore a command, and report.
pub(super) fn explore(options: &ExploreOptions) -> Exit {
    match start(options) {
        Ok(exit) => exit,
        Err(sentence) => {
            complain(&sentence);
            Exit::Failed
        }
    }
}

fn start(options: &ExploreOptions) -> Result<Exit, String> {
    kernel_is_new_enough()
        .map_err(|release| format!("Linux 5.3 or later is needed, this is {release}"))?;
    if !REWINDS {
        return Err("--explore runs on x86-64 and aarch64 alone".to_owned());
    }
    trace::block_signals()?;
    let file = options
        .report
        .file
        .as_deref()
        .map(report_file)
        .transpose()?;
    let setup = Setup {
        line: options.command.clone(),
        base: Inherited::environment(),
        start: Inherited::get,
        directory: None,
        rules: options.report.rules.clone(),
        waker,
    };
    let explored = match explore_command(&setup, &options.limits) {
        Ok(explored) => explored,
        Err(error) => {
            let exit = match &error {
                Error::NotFound(_) => Exit::NotFound,
                Error::NotExecutable(_) => Exit::NotExecutable,
                _ => Exit::Failed,
            };
            complain(&error.to_string());
            return Ok(exit);
        }
    };
    let is_text = options.format == Format::Text && options.report.form == ReportForm::Text;
    let is_plain = file.is_some() || !is_text || !options.colour.wanted();
    let styles = if is_plain {
        Styles::plain()
    } else {
        Styles::coloured()
    };
    let text = report(options, &explored, styles);
    let written = match file {
        Some(mut file) => {
            file.push(text.as_bytes());
            file.finish()
        }
        None if options.report.silent => Ok(()),
        None => print_all(&text),
    };
    written.map_err(|error| format!("cannot write the report: {error}"))?;
    Ok(exit(options, &explored))
}

fn report(options: &ExploreOptions, explored: &Searched, styles: Styles) -> String {
    let report = ExplorationReport {
        exploration: &explored.exploration,
        command: &options.command,
        took: explored.took,
        styles,
    };
    if options.format == Format::Json {
        report.json()
    } else {
        report.formed(options.report.form)
    }
}

fn exit(options: &ExploreOptions, explored: &Searched) -> Exit {
    let policy = &options.report.rules.policy;
    let mut problems = explored.exploration.problems.iter();
    if problems.any(|problem| problem.fails(policy)) {
        return Exit::Findings;
    }
    if let Some(signal) = explored.interrupted_by.or_else(ending_signal) {
        return Exit::Signal(signal);
    }
    if explored.exploration.no_baseline.is_some() {
        return Exit::Failed;
    }
    Exit::Code(0)
}

fn waker() -> io::Result<Waker> {
    trace::waker(Inherited::get())
}
