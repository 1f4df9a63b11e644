//! Stops and the engine: from what the kernel reports to events.
//!
//! One turn: wait → classify → capture what must be read now → resume → hand
//! over the events. The tracee runs on before anything is judged or printed.
//!
//! | file | subject |
//! |---|---|
//! | [`stop`] | what kind of stop a wait status is |
//! | [`tally`] | how many stops there were |
//! | [`tasks`] | the threads and processes under trace |
//! | [`engine`] | the loop's one turn, and what follows from each stop |
//! | [`family`] | forks, execs, deaths, adoptions |
//! | [`image`] | what a process has just executed |
//! | [`early`] | tasks that are heard of before their creator has told of them |
//! | [`calls`] | wait calls: entry, exit, interruption |
//! | [`launch`] | starting the root |
//! | [`attach`] | `-p`: every thread of a running process |
//! | [`own`] | attached processes that are children of our own |
//! | [`refusal`] | why an attach was refused, and the way out |
//! | [`leave`] | detaching and killing |

pub(crate) mod attach;
mod calls;
mod early;
pub(crate) mod engine;
mod family;
mod handler;
mod image;
pub(crate) mod launch;
mod leave;
mod observe;
mod own;
pub(crate) mod refusal;
mod sigaction;
mod stop;
mod tally;
mod tasks;

pub(crate) use engine::{Capture, FdNames, RootEnd, Settings, Step, Tracer};
