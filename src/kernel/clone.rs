//! The clone flags that decide who a new task is (`include/uapi/linux/sched.h`).

/// The creator's parent becomes the parent.
pub const CLONE_PARENT: u32 = 0x0000_8000;
/// A thread of the creator's process.
pub const CLONE_THREAD: u32 = 0x0001_0000;
/// No tracer may be forced on the child.
pub const CLONE_UNTRACED: u32 = 0x0080_0000;
/// The child is the first process of a new pid namespace.
pub const CLONE_NEWPID: u32 = 0x2000_0000;
