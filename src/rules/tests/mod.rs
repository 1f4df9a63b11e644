//! Each rule on made-up events: what raises it, and what must not.

mod discarded;
mod hazards;
mod outliving;

use super::{Expected, Finding, RuleId, Severity, Thresholds, replay};
use crate::event::script::Script;

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
