//! The hub: events from a source go through the ledger, the rules and the
//! outputs, in one loop for the command line, `--read` and the library.
//!
//! | file | subject |
//! |---|---|
//! | [`source`] | where events come from |
//! | [`mod@drive`] | the loop |
//! | [`hub`] | what every event goes through |
//! | [`findings_policy`] | the rules, what is reported of their findings, and what was out of sight |
//! | [`traced`] | a tracer as a source |
//! | [`recorded`] | the record of a trace as a source |

mod drive;
mod findings_policy;
mod hub;
mod recorded;
mod source;
#[cfg(test)]
mod tests;
mod traced;

pub(crate) use drive::{Control, drive};
pub(crate) use findings_policy::RuleOptions;
pub(crate) use findings_policy::{FindingsPolicy, ReportLook};
pub(crate) use hub::{NamedOutput, Outcome, Session};
pub(crate) use recorded::Recorded;
pub(crate) use source::EventSource;
pub(crate) use traced::{Traced, settings};
