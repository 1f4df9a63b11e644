//! What a CPython interpreter executes: the functions and lines of its script, read
//! from its memory while the thread sleeps in a system call.
//!
//! Nothing of it is believed that does not fit the rest: the chain of the
//! interpreter's frames must pass through the frames of the C stack that execute them,
//! and each code object, string and table must have its type.

mod frames;
mod layout;
mod lines;
mod reader;
mod symbols;
mod text;

pub(super) use frames::{CStack, Scripts, read};
pub(super) use symbols::Symbols;
