//! Stops and the engine: from what the kernel reports to events.
//!
//! One turn: wait → classify → capture what must be read now → decide → resume →
//! hand over the events. The tracee runs on before anything is judged or
//! printed.
//!
//! | file | subject |
//! |---|---|
//! | [`settings`] | what to trace, and what to read at stops |
//! | [`stop`] | what kind of stop a wait status is |
//! | [`stop_stats`] | how many stops there were |
//! | [`tasks`] | the threads and processes under trace |
//! | [`engine`] | the loop's one turn, and who deals with each stop |
//! | [`turns`] | whose stop is next |
//! | [`scheduler`] | when a stopped task runs on |
//! | [`world`] | what a scheduler may know |
//! | [`lifecycle`] | births, deaths, adoptions |
//! | [`pending_children`] | tasks that stop or end before their creator's event |
//! | [`exec`], [`image`] | execs, and what is executed |
//! | [`syscalls`] | entries to and exits from calls: which of them matter |
//! | [`waits`], [`wait_result`] | wait calls, and what they write |
//! | [`sigaction`] | what is to happen at SIGCHLD |
//! | [`signals`] | deliveries, and the wait that a handler interrupts |
//! | [`interruptions`] | our interrupts, and no EINTR by them |
//! | [`job_control`] | group-stops and continuations |
//! | [`launch`] | starting the root |
//! | [`attach`], [`attach_tree`] | `-p`, and `--tree` |
//! | [`refusal`] | why an attach was refused |
//! | [`full_speed`] | attached processes without children stop at no call |
//! | [`own_children`] | attached processes that are children of our own |
//! | [`leave`] | detaching and killing |
//! | [`observe`] | what rules look up in `/proc` |
//! | [`survey`] | what all processes are blocked in |

pub(crate) mod attach;
mod attach_tree;
mod chosen_pids;
pub(crate) mod engine;
mod exec;
mod failed_exec;
mod full_speed;
mod handler;
mod image;
mod interruptions;
mod job_control;
mod last_eintr;
mod late_children;
pub(crate) mod launch;
mod leave;
mod lifecycle;
mod observe;
mod own_children;
mod pending_children;
pub(crate) mod refusal;
pub(crate) mod scheduler;
mod settings;
mod sigaction;
mod signals;
mod stop;
mod stop_stats;
mod survey;
mod syscalls;
mod tasks;
mod turns;
mod wait_result;
mod waits;
mod world;

pub(crate) use engine::{RootEnd, Step, Tracer};
pub(crate) use scheduler::{Scheduler, Unscheduled};
pub(crate) use settings::{Capture, FdNames, Settings};
pub(crate) use stop::{Creation, Stop, StopKind};
pub(crate) use world::World;
