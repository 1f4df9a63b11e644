//! Numbers of the BSDs that differ from Linux's: signals and errors.
//!
//! From NetBSD's and FreeBSD's `sys/signal.h`, `sys/errno.h`, `sys/wait.h` and
//! `sys/idtype.h`, and their manual pages sigaction(2), errno(2) and wait(2).

mod errnos;
mod signals;

pub(super) use errnos::{RESTARTED, errno_of, foreign_row, named, number_of_errno};
pub(super) use signals::{
    Nameless, foreign_name, foreign_of_name, is_foreign as is_foreign_signal, nameless,
    number_of_signal, signal_of,
};

/// The start of our numbers for signals and errors that Linux does not have; no
/// kernel uses these.
pub(super) const FOREIGN: i32 = 0x4253_4400;
