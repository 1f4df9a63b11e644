//! What `/proc` is here, and why it does not show a process: it may not be mounted, be
//! another pid namespace's, or hide the processes of other users.

use std::fmt;
use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::processes::hides_others;
use super::{shows_our_namespace, status};
use crate::kernel::Tid;

/// What is said where there is no `/proc`; an image of one file has none.
const NOT_MOUNTED: &str = "it is not mounted here (mount -t proc proc /proc)";

/// Whether there is a `/proc`.
///
/// # Errors
/// If nothing is mounted there: an empty folder shows no process, which is not the same
/// as that there is none.
pub(crate) fn require() -> io::Result<()> {
    // The link is there in any /proc, also in one that does not show us.
    match fs::symlink_metadata("/proc/self") {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(io::Error::new(io::ErrorKind::NotFound, NOT_MOUNTED))
        }
        Err(error) => Err(error),
    }
}

/// Why a process or thread cannot be looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Absence {
    /// There is none of this pid.
    #[default]
    Gone,
    /// There is no `/proc`.
    NotMounted,
    /// `/proc` shows another pid namespace, where the pid is another process or none.
    Elsewhere,
    /// It exists, and is hidden as another user's.
    Hidden,
    /// It exists, and cannot be read for another reason.
    Unreadable,
}

impl Absence {
    /// Why this one is not found; `None` if it is.
    pub(crate) fn of(tid: Tid) -> Option<Absence> {
        // The kernel says that it is there, with EPERM too.
        let exists = kill(Pid::from_raw(tid.raw()), None) != Err(Errno::ESRCH);
        if !exists {
            Some(Absence::Gone)
        } else if require().is_err() {
            Some(Absence::NotMounted)
        } else if !shows_our_namespace() {
            Some(Absence::Elsewhere)
        } else if status(tid).is_some() {
            None
        } else if hides_others() {
            Some(Absence::Hidden)
        } else {
            Some(Absence::Unreadable)
        }
    }
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Absence::Gone => f.write_str(
                "no process or thread has this pid; `pgrep -a NAME` finds those that run",
            ),
            Absence::NotMounted => {
                write!(
                    f,
                    "it exists, but /proc is needed to attach, and {NOT_MOUNTED}"
                )
            }
            Absence::Elsewhere => f.write_str(
                "/proc shows another pid namespace, where this pid is another process or none; \
                 run wait4-strace where /proc is this one's: unshare -m sh -c 'mount -t proc \
                 proc /proc && exec wait4-strace …'",
            ),
            Absence::Hidden => f.write_str(
                "it exists, but /proc hides the processes of others (hidepid); run wait4-strace \
                 as that user or as root",
            ),
            Absence::Unreadable => {
                f.write_str("it exists, but its /proc/PID/status cannot be read; try it as root")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exists_is_not_absent_and_what_does_not_is_gone() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(Absence::of(Tid::new(own)), None);
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        child.wait().unwrap();
        assert_eq!(Absence::of(Tid::new(pid)), Some(Absence::Gone));
    }
}
