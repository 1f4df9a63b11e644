//! Ends this process with the signal that ended the command.
#![expect(unsafe_code, reason = "raw signal calls: nix has no real-time signals")]

use nix::sys::prctl::set_dumpable;

/// Ends this process by signal `number`, without a core dump.
///
/// Returns if that does not end it: as PID 1 of a namespace, or for a signal that does
/// not terminate by default.
pub(crate) fn die_of(number: i32) {
    // RLIMIT_CORE has no effect on a core_pattern that is a pipe.
    let _ = set_dumpable(false);
    // SAFETY: `set` is initialised by sigemptyset before it is used, and all
    // calls take valid pointers or numbers. An invalid number is refused.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, number);
        libc::signal(number, libc::SIG_DFL);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::raise(number);
    }
}
