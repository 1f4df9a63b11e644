//! The ledger: processes, their parents and children, ends, reaps and waits, and
//! which process a pid means.
//!
//! Pure: events in, state out. Nothing here reads a clock, `/proc` or a tracee.

mod births;
mod ends;
mod namespaces;
mod parents;
mod process;
mod processes;
mod queries;
mod reaping;
mod sigchld;
mod waits;

#[cfg(test)]
mod tests;

pub use process::{End, FailedExecs, ParentId, Process, ProcessId, Reap, Stamp};
pub use processes::{Counts, Ledger};
pub use sigchld::Sigchld;
pub use waits::{
    BlockedTime, CompletedWait, Delivered, Outcome, ReapKind, WaitHistory, Waiting, Waits,
};
