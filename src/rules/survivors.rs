//! The rule on processes that live on after the launched command: daemons and
//! background jobs.

use rustc_hash::FxHashSet;

use super::RuleContext;
use super::diagnosis::End;
use super::finding::{Action, Evidence, Finding, ProcessRef};
use super::table::Severity;
use crate::event::{EventKind, Observation, Survivor};
use crate::ledger::{Ledger, Process, ProcessId};

/// State kept between events.
#[derive(Clone, Debug, Default)]
pub(super) struct Survivors {
    /// The survivors were looked up.
    reported: bool,
    /// The trace was over before the command, which is ended by force: its
    /// descendants that had lost their parents then, as they outlive any command.
    /// The others just lose a parent that had no time.
    left_before: Option<FxHashSet<ProcessId>>,
}

impl Survivors {
    pub(super) fn event(&mut self, context: &mut RuleContext) {
        match &context.event.kind {
            EventKind::Observed(Observation::Survivors(survivors)) => {
                self.reported = true;
                let Some(left) = &self.left_before else {
                    report(survivors, Severity::Info, context);
                    return;
                };
                let is_left = |survivor: &&Survivor| {
                    let process = context.ledger.process(survivor.tgid);
                    process.is_some_and(|process| left.contains(&process.id))
                };
                let left: Vec<Survivor> = survivors.iter().filter(is_left).copied().collect();
                report(&left, Severity::Warning, context);
            }
            // The trace ended before the look-up.
            EventKind::Over if !self.reported => {
                let command = context.ledger.root();
                let command = command.and_then(|command| context.ledger.parent(command));
                let Some(command) = command else {
                    return;
                };
                if command.ended.is_none() {
                    let orphans = context.ledger.orphans().map(|orphan| orphan.id);
                    self.left_before = Some(orphans.collect());
                    return;
                }
                let survivor = |process: &Process| Survivor {
                    tgid: process.tgid,
                    holds_output: false,
                    holds_error: false,
                };
                let all: Vec<Survivor> = living(command, context.ledger).map(survivor).collect();
                report(&all, Severity::Info, context);
            }
            _ => {}
        }
    }
}

/// The descendants of a command that are alive.
pub(super) fn living<'a>(
    command: &Process,
    ledger: &'a Ledger,
) -> impl Iterator<Item = &'a Process> + use<'a> {
    let command = command.id;
    let mut living: Vec<&Process> = ledger
        .processes()
        .filter(|process| process.is_traced && process.ended.is_none() && process.reaped.is_none())
        .filter(|process| ledger.descends_from(process, command))
        .collect();
    living.sort_by_key(|process| process.id);
    living.into_iter()
}

fn report(survivors: &[Survivor], severity: Severity, context: &mut RuleContext) {
    let ledger = context.ledger;
    let command = ledger.root().and_then(|root| ledger.parent(root));
    let Some(command) = command else {
        return;
    };
    for survivor in survivors {
        let process = ledger.process(survivor.tgid);
        let Some(process) = process.filter(|process| process.ended.is_none()) else {
            continue;
        };
        let action = Action::LivesOn {
            output: survivor.holds_output,
            error: survivor.holds_error,
        };
        let diagnosis = End::OutlivesCommand {
            holds_output: survivor.holds_output || survivor.holds_error,
        };
        let finding = Finding::new(diagnosis, ProcessRef::new(command), context.stamp())
            .about(process)
            .severity(severity)
            .evidence(Evidence::ended(command, "the command has ended"))
            .evidence([Evidence::of(process, context.stamp(), action, "")]);
        context.findings.add(finding);
    }
}
