//! Survives the first SIGINT, which ^C sends to a whole pipeline.
#![expect(unsafe_code, reason = "a signal handler")]

use std::io;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::stat::{SFlag, fstat};

/// If standard input is a pipe, survives the first SIGINT: the process that writes to
/// the pipe gets it too, flushes and exits. A second one ends us.
pub(crate) fn survive_first_sigint() {
    let kind =
        fstat(io::stdin()).map(|file| SFlag::from_bits_truncate(file.st_mode) & SFlag::S_IFMT);
    if !matches!(kind, Ok(SFlag::S_IFIFO | SFlag::S_IFSOCK)) {
        return;
    }
    let flags = SaFlags::SA_RESTART | SaFlags::SA_RESETHAND;
    let action = SigAction::new(SigHandler::Handler(pass), flags, SigSet::empty());
    // SAFETY: the handler does nothing.
    let Ok(before) = (unsafe { sigaction(Signal::SIGINT, &action) }) else {
        return;
    };
    if matches!(before.handler(), SigHandler::SigIgn) {
        // It was ignored when we were started, as with nohup.
        // SAFETY: restores the previous action.
        let _ = unsafe { sigaction(Signal::SIGINT, &before) };
    }
}

extern "C" fn pass(_: libc::c_int) {}
