//! Attaching to processes that run, and leaving them as they were.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and one that is passed over says so"
)]

#[path = "attach/findings.rs"]
mod findings;
#[path = "attach/followed.rs"]
mod followed;
#[path = "attach/full_speed.rs"]
mod full_speed;
#[path = "attach/harness.rs"]
mod harness;
#[path = "attach/leaving.rs"]
mod leaving;
#[path = "attach/preexisting_children.rs"]
mod preexisting_children;
#[path = "attach/shown.rs"]
mod shown;
#[path = "attach/sleeping.rs"]
mod sleeping;
#[path = "attach/stopped.rs"]
mod stopped;
mod support;
#[path = "attach/tree.rs"]
mod tree;
#[path = "attach/unprivileged.rs"]
mod unprivileged;
#[path = "attach/vfork.rs"]
mod vfork;
