//! Who is whose child, who died when, and which pid means whom.
//!
//! Pure: events in, state out. Nothing here reads a clock, `/proc` or a
//! tracee.

mod namespaces;
mod processes;

pub use processes::{Ledger, Process};
