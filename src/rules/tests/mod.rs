//! Each rule on made-up events: what raises it, and what must not.

mod discarded;
mod hazards;
mod outliving;

use super::{Diagnosis, Expected, Finding, Leak, Loss, RuleId, Severity, Thresholds, replay};
use crate::event::script::Script;

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
