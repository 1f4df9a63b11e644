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
            Point::Eintr => "call again after EINTR, or set SA_RESTART for SIGCHLD",
            Point::Steal => {
                "have one place that waits for any child, or wait by pid everywhere; a look with \
                 WNOWAIT takes nothing"
            }
            Point::EofFirst => {
                "the end of a pipe is not the end of its writer: wait without WNOHANG after it"
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

/// What was at play where a point was forced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtPlay {
    /// The parent's handler of SIGCHLD.
    Handler,
    /// Another signal that came to the parent meanwhile.
    Signal(Signal),
    /// The child had executed a program.
    Exec,
}

#[cfg(test)]
mod tests {
    use super::*;

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
