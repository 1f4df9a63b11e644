//! What a schedule means, and what is to be done about what it shows.

use super::schedule::Point;
use crate::kernel::Signal;

impl Point {
    /// What happens under it, in a sentence.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Point::ChildFirst => "a child ends before fork returns in its parent",
            Point::ParentFirst => "a parent gets as far as it can before its child begins",
            Point::Before => "a signal comes after the last check and before the call that sleeps",
            Point::HoldDeaths => "several children end before their parent runs again",
            Point::Eintr => "a child ends while its parent sleeps in a call",
            Point::Steal => "another thread waits first",
            Point::EofFirst => "a pipe ends before its writer can be waited for",
            Point::PidReuse => "a new child gets the pid of a dead process",
            Point::Skew => "a handler runs between a call that failed and the look at errno",
            Point::ForkFail => "fork fails with EAGAIN",
            Point::ExecFail => "exec fails with ENOMEM",
            Point::Random => "tasks are held at random",
        }
    }

    /// What a program must do so that it does not matter, by what was at play where it was
    /// forced.
    #[must_use]
    pub fn advice(self, at_play: &[AtPlay]) -> String {
        let handler = at_play.contains(&AtPlay::Handler);
        let signal = at_play.iter().find_map(|one| match one {
            AtPlay::Signal(signal) => Some(*signal),
            _ => None,
        });
        let text = match self {
            Point::ChildFirst if signal.is_some() => {
                let signal = signal.map(|signal| signal.to_string()).unwrap_or_default();
                return format!(
                    "{signal} came before fork returned: set its handler before the fork, and \
                     keep there that it came"
                );
            }
            Point::ChildFirst if handler => {
                "block SIGCHLD from before the fork until the child is recorded; a handler may \
                 reap it first"
            }
            Point::ChildFirst if at_play.contains(&AtPlay::Exec) => {
                "do before the fork, or in the child before its exec, what the child needs: after \
                 its exec, setpgid for it fails with EACCES"
            }
            Point::ChildFirst => {
                "the child may be as far as it gets when fork returns: do before the fork, or in \
                 the child, what must be done before that"
            }
            Point::ParentFirst => {
                "a new child may not have run yet: do in the parent too what must be done before \
                 the parent goes on (setpgid), or wait for a word from the child"
            }
            Point::Before => {
                "block the signal around the check, and sleep with sigsuspend, ppoll or pselect; \
                 or write to a pipe in the handler, and poll that"
            }
            Point::HoldDeaths if handler => {
                "one SIGCHLD may stand for several deaths: wait with WNOHANG until there is none \
                 left"
            }
            Point::HoldDeaths => {
                "several children may be dead at once, in any order: take each by its pid, and \
                 until there is none left"
            }
            Point::Eintr => return interrupted(at_play),
            Point::Steal => {
                "have one place that waits for any child, or wait by pid everywhere; a look with \
                 WNOWAIT takes nothing"
            }
            Point::EofFirst => {
                "the end of a pipe is not the end of its writer: wait without WNOHANG after it"
            }
            Point::PidReuse => {
                "forget a pid when its process is reaped: it may be another's from then on; a \
                 pidfd never is"
            }
            Point::Skew => "save errno at the begin of the handler, and restore it at its end",
            Point::ForkFail => {
                "look at the result of every fork: where it failed, there is no child to wait for \
                 or to signal, and -1 is no pid"
            }
            Point::ExecFail => "_exit at once where exec returns",
            Point::Random => "replay it, and see in the trace what happened",
        };
        text.to_owned()
    }
}

/// Calls that fail with EINTR after a handler whatever its flags are (signal(7)), and that
/// are made for something else than a signal.
const NEVER_RESTARTED: [&str; 9] = [
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "nanosleep",
    "clock_nanosleep",
];
/// Calls that are made to be interrupted.
const FOR_SIGNALS: [&str; 3] = ["pause", "rt_sigsuspend", "rt_sigtimedwait"];

/// What holds for the calls that were interrupted.
fn interrupted(at_play: &[AtPlay]) -> String {
    let calls = at_play.iter().filter_map(|one| match one {
        AtPlay::Interrupted(call) => Some(*call),
        _ => None,
    });
    let calls: Vec<&str> = calls.collect();
    let mut others = calls.iter().filter(|call| !FOR_SIGNALS.contains(call));
    let never = calls.iter().find(|call| NEVER_RESTARTED.contains(call));
    match (never, others.next()) {
        (Some(call), _) => format!(
            "{call} fails with EINTR whenever a handler has run, SA_RESTART or not: make it again; \
             and the handler may have run between any two steps of the program, or within \
             itself: let it set a flag alone, or write to a pipe"
        ),
        (None, Some(call)) => {
            format!("make {call} again after EINTR, or set SA_RESTART for SIGCHLD")
        }
        (None, None) if !calls.is_empty() => {
            "a handler may run between any two steps of the program, or within itself: let it set \
             a flag alone, and do the rest where the program sleeps"
                .to_owned()
        }
        (None, None) => "call again after EINTR, or set SA_RESTART for SIGCHLD".to_owned(),
    }
}

/// What was at play where a point was forced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtPlay {
    /// The parent's handler of SIGCHLD.
    Handler,
    /// Another signal that came to the parent meanwhile.
    Signal(Signal),
    /// The child had executed a program.
    Exec,
    /// The parent slept in this call.
    Interrupted(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_interrupted_call_it_is_said_whether_sa_restart_helps() {
        let advice = |calls: &[&'static str]| {
            let at_play: Vec<AtPlay> = calls.iter().copied().map(AtPlay::Interrupted).collect();
            Point::Eintr.advice(&at_play)
        };
        assert!(advice(&["read"]).starts_with("make read again after EINTR, or set SA_RESTART"));
        // poll is never restarted.
        assert!(advice(&["read", "epoll_wait"]).starts_with("epoll_wait fails with EINTR"));
        assert!(!advice(&["rt_sigsuspend"]).contains("EINTR"));
        assert!(advice(&["rt_sigsuspend", "wait4"]).contains("make wait4 again"));
        assert!(advice(&[]).contains("SA_RESTART"));
    }

    #[test]
    fn sigchld_is_spoken_of_where_it_has_a_handler() {
        for point in [Point::ChildFirst, Point::HoldDeaths] {
            assert!(point.advice(&[AtPlay::Handler]).contains("SIGCHLD"));
            assert!(!point.advice(&[AtPlay::Exec]).contains("SIGCHLD"));
            assert!(!point.advice(&[]).contains("SIGCHLD"));
        }
        let usr1 = [AtPlay::Handler, AtPlay::Signal(Signal::USR1)];
        let advice = Point::ChildFirst.advice(&usr1);
        assert!(advice.starts_with("SIGUSR1 came before"), "{advice}");
    }
}
