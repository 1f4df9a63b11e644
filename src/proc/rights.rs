//! The right to trace, as `/proc` shows it: user namespaces, Yama, our
//! capabilities.

use std::fs;
use std::path::PathBuf;

use crate::kernel::Tid;

/// The user namespace of a task; `None` if it may not be read.
pub(crate) fn user_namespace(tid: Tid) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{tid}/ns/user")).ok()
}

/// Our own user namespace.
pub(crate) fn own_user_namespace() -> Option<PathBuf> {
    fs::read_link("/proc/self/ns/user").ok()
}

/// `kernel.yama.ptrace_scope`; `None` without Yama.
pub(crate) fn yama_scope() -> Option<u32> {
    let text = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok()?;
    text.trim().parse().ok()
}

/// Whether we have `CAP_SYS_PTRACE` in our own user namespace.
pub(crate) fn can_ptrace() -> bool {
    const CAP_SYS_PTRACE: u32 = 19;
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << CAP_SYS_PTRACE) != 0)
}
