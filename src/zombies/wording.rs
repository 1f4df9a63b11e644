//! The words for causes: why a zombie is not reaped, what would free it, what the
//! threads of its parent do. Pure.

use std::fmt::{self, Write};
use std::time::Duration;

use super::cause::{BlockedTime, Cause, Target, WAITS};
use super::parent::{Parent, Sigchld, Thread};
use crate::proc::Stat;

impl Cause {
    /// The name of the cause in JSON.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Cause::Headless(_) => "leader-zombie",
            Cause::Traced(_) => "traced",
            Cause::Gone => "gone",
            Cause::Outside => "parent-outside",
            Cause::Stopped => "parent-stopped",
            Cause::Held(_) => "parent-traced",
            Cause::Frozen => "parent-frozen",
            Cause::Vfork(_) => "vfork-stall",
            Cause::WaitsForOther(_, Target::Group(_)) => "pgrp-miss",
            Cause::WaitsForOther(..) => "waits-for-another",
            Cause::Adopted | Cause::Init => "reaper-idle",
            Cause::Blocked => "sigchld-blocked",
            Cause::IgnoredLate => "sigchld-ignored-late",
            Cause::Neglected(_) => "zombie-leak",
            Cause::Hidden => "hidden",
        }
    }

    /// Why, in a clause about the parent.
    pub(super) fn why(&self, parent: Option<&Parent>) -> String {
        let sigchld = parent.and_then(|parent| parent.sigchld).unwrap_or_default();
        match self {
            Cause::Headless(threads) => format!(
                "no zombie: its main thread has ended, and {}",
                if *threads == 1 {
                    "another one runs".into()
                } else {
                    format!("{threads} others run")
                }
            ),
            Cause::Traced(tracer) => {
                format!("its tracer {tracer} has to wait for it before its parent can")
            }
            Cause::Gone => "its parent ended during the look-up".into(),
            Cause::Outside => "its parent is outside of the pid namespace that is seen here".into(),
            Cause::Stopped => "its parent is stopped by a signal".into(),
            Cause::Held(Some(tracer)) => format!("its parent is held by its tracer {tracer}"),
            Cause::Held(None) => "its parent is held by a tracer".into(),
            Cause::Frozen => "its parent is frozen with its cgroup".into(),
            Cause::Vfork(tid) => format!(
                "thread {tid} of its parent sleeps in vfork until the child of that execs or ends"
            ),
            Cause::WaitsForOther(tid, target) => {
                format!("thread {tid} of its parent waits for {target} alone")
            }
            Cause::Adopted => {
                "its parent adopted it and does not reap children that it did not start".into()
            }
            Cause::Init => "its parent is the first process of its namespace, which gets all \
                 orphans, and does not reap"
                .into(),
            Cause::Blocked if sigchld.is_caught => {
                "SIGCHLD is pending and blocked in all threads of its parent: the handler never \
                 runs"
                    .into()
            }
            Cause::Blocked => "SIGCHLD is pending and blocked in all threads of its parent, and \
                 no thread takes it"
                .into(),
            Cause::IgnoredLate => {
                "its parent ignores SIGCHLD, but did not when the child died".into()
            }
            Cause::Neglected(BlockedTime::Asleep(name)) if WAITS.contains(&name.as_str()) => {
                format!("its parent sleeps in {name} with options that leave this child out")
            }
            Cause::Neglected(busy) => format!("its parent {busy}{}", handler(sigchld)),
            Cause::Hidden => {
                "only the user of its parent, or root, can see what that does instead \
                 of a wait for it"
                    .into()
            }
        }
    }

    /// What would free it.
    pub(super) fn remedy(&self, zombie: &Stat) -> String {
        let pid = zombie.parent;
        match self {
            Cause::Headless(_) => "nothing to do: it ends with its last thread".into(),
            Cause::Traced(tracer) => format!("let {tracer} wait for it, or end the trace"),
            Cause::Gone => "look again".into(),
            Cause::Outside => "look from outside, where the parent is seen".into(),
            Cause::Stopped => format!("kill -CONT {pid}"),
            Cause::Held(Some(tracer)) => {
                format!("resume it in the tracer {tracer}, or end the tracer")
            }
            Cause::Held(None) => "resume it in its tracer".into(),
            Cause::Frozen => "thaw the cgroup: write 0 to its cgroup.freeze".into(),
            _ => self.fix().into(),
        }
    }

    /// What frees it if the parent cannot be fixed.
    pub(super) fn fallback(&self, zombie: &Stat, parent: Option<&Parent>) -> Option<String> {
        let pid = zombie.parent;
        match self {
            Cause::Headless(_) | Cause::Traced(_) | Cause::Gone | Cause::Outside => None,
            _ if parent.is_some_and(Parent::is_init) => {
                Some("the end of its namespace alone".to_owned())
            }
            // Any other signal stays pending for a process that is stopped.
            Cause::Stopped | Cause::Held(_) | Cause::Frozen => Some(format!(
                "kill -KILL {pid}: whoever gets its children reaps them"
            )),
            _ => Some(format!("kill {pid}: whoever gets its children reaps them")),
        }
    }

    /// What its parent would have to do.
    fn fix(&self) -> &'static str {
        match self {
            Cause::Vfork(_) => "the exec or the end of the vforked child",
            Cause::WaitsForOther(_, Target::Group(_)) => {
                "a wait for any child (-1), or to leave the child in that process group"
            }
            Cause::WaitsForOther(..) => {
                "the end of that one, if more waits follow; to wait for one child at a time is \
                 the bug"
            }
            Cause::Adopted | Cause::Init => {
                "put a reaper above it, such as tini or docker run --init, or let it wait for any \
                 child at SIGCHLD"
            }
            Cause::Blocked => {
                "unblock SIGCHLD, which programs inherit across exec, or read it from a signalfd"
            }
            Cause::Neglected(BlockedTime::Asleep(name)) if WAITS.contains(&name.as_str()) => {
                "a wait with __WALL, if it was cloned without SIGCHLD, and without __WNOTHREAD, if \
                 another thread did that"
            }
            Cause::Hidden => "a look as its user or root, who see the cause",
            Cause::IgnoredLate => "a wait for it; ignore SIGCHLD before the first fork",
            _ => "a wait for it: call waitpid for each child, or in a loop at SIGCHLD",
        }
    }
}

/// What the handler of SIGCHLD did not do.
fn handler(sigchld: Sigchld) -> &'static str {
    if sigchld.is_pending {
        ", with SIGCHLD pending"
    } else if sigchld.is_caught {
        ", and its handler of SIGCHLD did not reap"
    } else {
        ", and does not wait"
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Process(pid) => write!(f, "{pid}"),
            Target::Group(group) => write!(f, "process group {group}"),
            Target::Descriptor(fd) => write!(f, "the process of descriptor {fd}"),
        }
    }
}

impl fmt::Display for BlockedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlockedTime::Running => f.write_str("runs"),
            BlockedTime::Lock(name) => write!(f, "sleeps in {name} for a lock"),
            BlockedTime::Uninterruptible(Some(name)) => {
                write!(f, "sleeps in {name}, uninterruptibly")
            }
            BlockedTime::Uninterruptible(None) => f.write_str("sleeps uninterruptibly"),
            BlockedTime::Asleep(name) => write!(f, "sleeps in {name}"),
            BlockedTime::Dead => f.write_str("has no main thread any more"),
        }
    }
}

/// `3.2 s`, `4 min`, `2 h`, `5 d`
pub(super) struct Age(pub(super) Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        let seconds = self.0.as_secs();
        let text = match seconds {
            0..10 => format!("{:.1} s", self.0.as_secs_f64()),
            10..120 => format!("{seconds} s"),
            _ if seconds < 2 * HOUR => format!("{} min", seconds / MINUTE),
            _ if seconds < 2 * DAY => format!("{} h", seconds / HOUR),
            _ => format!("{} d", seconds / DAY),
        };
        f.pad(&text)
    }
}

/// What a thread does, in a few words: `4711 sleeps in read(0, …) for 3.2 s`.
pub(super) fn activity(thread: &Thread) -> String {
    let mut text = format!("{} {} ", thread.tid, thread.comm);
    let does = match thread.state {
        b'R' => "runs",
        b'T' => "is stopped",
        b't' => "is held by a tracer",
        b'Z' | b'X' => "is dead",
        b'D' => "sleeps uninterruptibly",
        _ => "sleeps",
    };
    text.push_str(does);
    // Writing to a String cannot fail.
    if let Some(call) = &thread.call {
        let first = call.args[0];
        let _ = match i16::try_from(first.cast_signed()) {
            Ok(small) => write!(text, " in {}({small}, …)", call.name),
            Err(_) => write!(text, " in {}({first:#x}, …)", call.name),
        };
    } else if let Some(wchan) = &thread.wchan {
        let _ = write!(text, " in the kernel's {wchan}");
    }
    if let Some(idle) = thread.idle {
        let _ = write!(text, " for {}", Age(idle));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let age = |seconds: f64| Age(Duration::from_secs_f64(seconds)).to_string();
        assert_eq!(age(3.24), "3.2 s");
        assert_eq!(age(61.0), "61 s");
        assert_eq!(age(600.0), "10 min");
        assert_eq!(age(10_000.0), "2 h");
        assert_eq!(age(1_000_000.0), "11 d");
    }
}
