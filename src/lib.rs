//! Observes how a Linux program waits for its children, and finds faults in it.
//!
//! This is the library under the command `wait4-strace`, made for tests of
//! programs that start others: launch one, examine what it did with its
//! children, and fail if it leaked a zombie, lost a status or hung.
//!
//! ```
//! let trace = wait4_strace::Launch::new("sh").args(["-c", "true & wait"]).record()?;
//! assert!(trace.findings().is_empty(), "{}", trace.report());
//! # Ok::<(), wait4_strace::Error>(())
//! ```
//!
//! * [`Launch`] a command or [`Attach`] to a process; the [`Trace`] has the
//!   [`Event`]s, the [`Finding`]s and the report. [`Tracing`] is one that goes on
//!   beside its caller.
//! * Traces may run on many threads at once. Each has a thread of its own, and
//!   one for captured output.
//! * A trace never reaps a child of the caller, and does not change its signal
//!   masks. One real-time signal without a handler gets a handler that does
//!   nothing while traces run, to wake their threads.
//! * In turn, **a caller that waits for any child**, as with `waitpid(-1)`, takes
//!   the stops of tracees from their tracer, which never sees them. Wait by pid,
//!   as [`std::process::Child`] does. A handler for SIGCHLD also runs for stops of
//!   tracees.
//! * It works under `cargo test` and `cargo nextest`. What containers must allow
//!   is in docs/ci.md.
//!
//! Without the feature `cli` nothing of the command line is compiled.
//!
//! # Inside
//!
//! The data flows one way:
//!
//! ```text
//! source → events → ledger (process tree) → rules (findings) → outputs
//!   │               └────────── pure: no ptrace, no /proc, no clock ──────────┘
//!   ├ tracer: ptrace stops, launched or attached
//!   └ records: of a trace, ours or another tracer's
//! ```
//!
//! * [`kernel`]: the kernel's interface as types, no I/O
//! * `sys`: the only unsafe code; `proc`: every read of `/proc`
//! * [`event`]: events, as owned data
//! * `tracer`: ptrace stops, translated to events; `stack`: call stacks, unwound and named
//! * [`records`]: reads records of a trace as events; [`wire`]: the types of the JSON lines
//! * [`ledger`]: parents, children and reaps, and which process a pid means
//! * [`rules`]: faults in the way a program waits
//! * [`output`]: reports, lines and files for the user
//! * `session`: the hub, one loop that drives a source through ledger, rules and outputs
//! * `library`: [`Launch`], [`Attach`] and what they return; `program`: the command to launch
//! * `command`: flags, modes, where output goes, exit statuses; `zombies`: `--zombies`;
//!   `decode`: `--decode`

// What only the command uses of a shared module stays with its subject.
#![cfg_attr(
    not(feature = "cli"),
    allow(
        dead_code,
        unused_imports,
        unreachable_pub,
        reason = "the library alone does not use all of each module"
    )
)]

// The command's own; public for `main` alone.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod command;
#[cfg(feature = "cli")]
mod decode;
pub mod event;
pub mod explore;
mod input;
pub mod kernel;
pub mod ledger;
mod library;
pub mod output;
mod proc;
mod program;
pub mod records;
pub mod rules;
mod session;
mod stack;
mod sys;
mod tracer;
mod urgency;
pub mod wire;
#[cfg(feature = "cli")]
mod zombies;

pub use event::Event;
pub use explore::Explore;
pub use ledger::Ledger;
pub use library::{Attach, Error, Input, Launch, Stream, Trace, Tracing};
pub use output::Output;
pub use rules::{Finding, RuleId, Severity};
