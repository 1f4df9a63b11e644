//! Attaching to processes that run, and leaving them as they were.

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
