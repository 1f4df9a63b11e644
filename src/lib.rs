//! See how a Linux program waits for its children, and what is wrong with it.
//!
//! This is the library under the command `wait4-strace`, made for the tests of
//! programs that start others: launch one, look at what it did with its
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
//! * Traces may run on many threads at once. Each has a thread of its own that
//!   traces, one that keeps time, and one for captured output.
//! * No child of the caller is ever reaped by a trace, and its signal masks are
//!   left alone. One real-time signal that nobody handles gets a handler that
//!   does nothing while traces run, to wake their threads.
//! * The other way round, **a caller that waits for any child**, as with
//!   `waitpid(-1)`, takes the stops of tracees from their tracer, which never
//!   learns of them. Wait by pid, as [`std::process::Child`] does. A handler for
//!   SIGCHLD runs for stops of tracees too.
//! * It works under `cargo test` and `cargo nextest`. What containers must allow
//!   is in docs/ci.md.
//!
//! # Inside
//!
//! The data flows one way:
//!
//! ```text
//! launch/attach → tracer (stops) → events → ledger (who is whose child) → rules (findings) → outputs
//!                 └ only unsafe ┘   └──────────── pure: no ptrace, no /proc, no clock ────────────┘
//! ```
//!
//! * [`kernel`]: the kernel's words as types, no I/O
//! * `sys`: the only unsafe code; `tracer`: stops and what follows from them; `stack`: call
//!   stacks, unwound and named
//! * [`event`]: what happened, as owned data
//! * [`ledger`]: who is whose child, who reaped whom, and which pid means whom
//! * [`rules`]: what is wrong
//! * [`wire`]: the types of the JSON lines
//! * [`read`]: records of a trace, back into events
//! * [`output`]: what the user sees
//! * `library`: [`Launch`], [`Attach`] and what they make
//! * [`command`]: the command's flags, outputs and exit statuses, and the loop that joins them;
//!   `program`: what is launched; `zombies`: `--zombies`; `decode`: `--decode`; `proc`: `/proc`

#[doc(hidden)]
pub mod command;
mod decode;
pub mod event;
mod input;
pub mod kernel;
pub mod ledger;
mod library;
pub mod output;
mod proc;
mod program;
pub mod read;
pub mod rules;
mod session;
mod stack;
mod sys;
mod tracer;
mod urgency;
pub mod wire;
mod zombies;

pub use event::Event;
pub use ledger::Ledger;
pub use library::{Attach, Error, Input, Launch, Stream, Trace, Tracing};
pub use output::Output;
pub use rules::{Finding, RuleId, Severity};
