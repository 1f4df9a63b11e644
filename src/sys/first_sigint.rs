//! A ^C that is meant for the whole pipeline.
#![expect(unsafe_code, reason = "a signal handler")]

use std::io;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::stat::{SFlag, fstat};

/// Where standard input is a pipe, survive the first ^C: the program that writes
/// to the pipe gets it too, flushes and exits. A second one ends us.
pub(crate) fn outlive_first_interrupt() {
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
        // We were started with it ignored.
        // SAFETY: it is what was there before.
        let _ = unsafe { sigaction(Signal::SIGINT, &before) };
    }
}

extern "C" fn pass(_: libc::c_int) {}
