//! Tracing from a program of one's own, its tests above all: [`Launch`] a
//! command or [`Attach`] to a process, and look at the [`Trace`].
//!
//! | file | subject |
//! |---|---|
//! | [`launch`], [`attach`] | what is asked for |
//! | [`command`] | what is launched |
//! | [`rules`] | what the rules judge by |
//! | [`streams`] | standard files of a launched command |
//! | [`engine`] | the trace, on a thread of its own |
//! | [`tracing`] | a trace that goes on beside its caller |
//! | [`trace`] | what there is in the end |
//! | [`lines`] | its lines as the command line prints them |
//! | [`error`] | why there is none |

mod attach;
mod command;
mod engine;
mod error;
mod launch;
mod lines;
mod rules;
mod streams;
mod trace;
mod tracing;

pub use attach::Attach;
pub(crate) use command::{LaunchedCommand, command_methods};
pub use error::Error;
pub use launch::Launch;
pub(crate) use rules::{Rules, rule_methods};
#[cfg(feature = "cli")]
pub(crate) use streams::no_input;
pub use streams::{Input, Stream};
pub(crate) use streams::{Keep, Service, Streams};
pub use trace::Trace;
pub use tracing::Tracing;
