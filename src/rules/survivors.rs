//! Processes that live on when the launched command has ended: daemons, and
//! background jobs that nobody waits for.

use super::RuleContext;
use super::diagnosis::End;
use super::finding::{Action, Evidence, Finding, ProcessRef};
use crate::event::{EventKind, Observation, Survivor};
use crate::ledger::{Ledger, Process};

/// State kept between events.
#[derive(Clone, Debug, Default)]
pub(super) struct Survivors {
    /// They were looked at.
    reported: bool,
}

impl Survivors {
    pub(super) fn event(&mut self, case: &mut RuleContext) {
        match &case.event.kind {
            EventKind::Observed(Observation::Survivors(survivors)) => {
                self.reported = true;
                report(survivors, case);
            }
            // The trace ended before they were looked at.
            EventKind::Over if !self.reported => {
                let command = case.ledger.root();
                let command = command.and_then(|command| case.ledger.parent(command));
                let Some(command) = command.filter(|command| command.ended.is_some()) else {
                    return;
                };
                let survivor = |process: &Process| Survivor {
                    tgid: process.tgid,
                    holds_output: false,
                    holds_error: false,
                };
                let all: Vec<Survivor> = living(command, case.ledger).map(survivor).collect();
                report(&all, case);
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

fn report(survivors: &[Survivor], case: &mut RuleContext) {
    let ledger = case.ledger;
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
        let finding = Finding::new(diagnosis, ProcessRef::new(command), case.stamp())
            .about(process)
            .evidence(Evidence::ended(command, "the command has ended"))
            .evidence([Evidence::of(process, case.stamp(), action, "")]);
        case.findings.add(finding);
    }
}
