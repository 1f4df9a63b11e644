//! See how a Linux program waits for its children.
//!
//! The data flows one way:
//!
//! ```text
//! launch/attach → tracer (stops) → events → ledger (who is whose child) → rules (findings) → outputs
//!                 └ only unsafe ┘   └──────────── pure: no ptrace, no /proc, no clock ────────────┘
//! ```
//!
//! * [`kernel`]: the kernel's words as types, no I/O
//! * `sys`: the only unsafe code; `tracer`: stops and what follows from them
//! * [`event`]: what happened, as owned data
//! * [`ledger`]: who is whose child, who reaped whom, and which pid means whom
//! * [`rules`]: what is wrong
//! * [`wire`]: the types of the JSON lines
//! * [`read`]: records of a trace, back into events
//! * [`output`]: what the user sees
//! * [`run`]: the loop that joins them; `cli`: the flags; [`command`]: what is
//!   launched; [`exit`]: every exit status; `pipe`: `-o '|command'`; `proc`: `/proc`

#[cfg(feature = "cli")]
pub mod cli;
pub mod command;
pub mod event;
pub mod exit;
pub mod kernel;
pub mod ledger;
pub mod output;
mod pipe;
mod proc;
pub mod read;
pub mod rules;
pub mod run;
mod sys;
mod tracer;
pub mod wire;
