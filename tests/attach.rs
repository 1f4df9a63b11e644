//! Attaching to processes that run, and leaving them as they were.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and one that is passed over says so"
)]

mod findings;
mod followed;
mod full_speed;
mod harness;
mod leaving;
mod preexisting_children;
mod shown;
mod sleeping;
mod stopped;
mod tree;
mod unprivileged;
mod vfork;
