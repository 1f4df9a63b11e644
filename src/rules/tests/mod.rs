//! Each rule on made-up events: what raises it, and what must not.

mod asleep;
mod births;
mod crashes;
mod discarded;
mod ends;
mod habits;
mod hangs;
mod hazards;
mod leaks;
mod losses;
mod misread;
mod outliving;
mod pipe_cycles;
mod pipes;
mod signals;
mod strangers;

use super::{
    Diagnosis, Expected, Finding, Leak, Loss, RuleEngine, RuleId, Severity, Thresholds, replay,
};
use crate::event::script::{Answer, Script, exited};
use crate::kernel::Errno;
use crate::ledger::Ledger;

/// The parent, another thread of it, and its child.
const P: i32 = 10;
const T: (i32, i32) = (11, P);
const X: i32 = 20;
/// Another child.
const Y: i32 = 21;

const NO_CHILD: Answer = Err(Errno::CHILD);

/// A diagnosis of one of a few rules, for tests of what is done with findings.
impl From<RuleId> for Diagnosis {
    fn from(rule: RuleId) -> Diagnosis {
        match rule {
            RuleId::StolenChild => Loss::StolenChild {
                wait: None,
                is_latent: false,
            }
            .into(),
            RuleId::DoubleWait => Loss::DoubleWait.into(),
            RuleId::LateReap => Leak::LateReap { age: 0 }.into(),
            _ => Leak::ZombieLeak { age: 0 }.into(),
        }
    }
}

/// What the rules find in these events.
fn judged(script: &Script) -> Vec<Finding> {
    replay(&script.events, Thresholds::default(), Expected::default())
}

/// The rules of the findings, with their severities.
fn found(script: &Script) -> Vec<(Severity, RuleId)> {
    let all = judged(script).into_iter();
    all.map(|finding| (finding.severity, finding.rule))
        .collect()
}

/// The rules of the findings.
fn rules(script: &Script) -> Vec<RuleId> {
    found(script).into_iter().map(|(_, rule)| rule).collect()
}

/// The diagnosis of the only finding.
fn diagnosis(script: &Script) -> Diagnosis {
    let mut all = judged(script);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0).diagnosis
}

/// The rules after these events.
fn engine(script: &Script) -> RuleEngine {
    let mut ledger = Ledger::new();
    let mut engine = RuleEngine::new(Thresholds::default(), Expected::default());
    for event in &script.events {
        ledger.apply(event);
        engine.event(event, &ledger);
    }
    engine
}

/// The rules that warn while the trace goes on.
fn warnings(script: &Script) -> Vec<RuleId> {
    let warnings = engine(script).take_warnings().into_iter();
    warnings.map(|finding| finding.rule).collect()
}

/// A process with a thread beside its first.
fn two_threads() -> Script {
    let mut script = Script::launched(P);
    script.thread(P, 11);
    script
}

/// A child that is dead and not reaped yet.
fn dead_child() -> Script {
    let mut script = Script::launched(P);
    script.fork(P, X).end(X, exited(3));
    script
}

/// The child has been a zombie for two seconds when the trace is over.
fn leaks(script: &mut Script) -> Vec<RuleId> {
    script.after(1000).look(P, X, |_| {}).after(1000).over();
    rules(script)
}
