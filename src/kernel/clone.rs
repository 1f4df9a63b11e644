//! Clone flags that determine what a new task is (`include/uapi/linux/sched.h`).

/// The bits of clone's flags that are the signal at the child's end.
pub(crate) const CSIGNAL: u64 = 0xff;
/// The creator's parent is the parent of the child.
pub const CLONE_PARENT: u32 = 0x0000_8000;
/// The child is a thread of the creator's process.
pub const CLONE_THREAD: u32 = 0x0001_0000;
/// The child is not traced automatically (`PTRACE_O_TRACECLONE` and the like).
pub const CLONE_UNTRACED: u32 = 0x0080_0000;
/// The child is the first process of a new pid namespace.
pub const CLONE_NEWPID: u32 = 0x2000_0000;
