//! What a schedule means, and what is to be done about what it shows.

use super::schedule::Point;

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

    /// What a program must do so that it does not matter.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Point::ChildFirst => {
                "block SIGCHLD from before the fork until the child is recorded; a handler may \
                 reap it first"
            }
            Point::ParentFirst => {
                "a new child may not have run yet: do in the parent too what must be done before \
                 the parent goes on (setpgid), or wait for a word from the child"
            }
            Point::Before => {
                "block the signal around the check, and sleep with sigsuspend, ppoll or pselect; \
                 or write to a pipe in the handler, and poll that"
            }
            Point::HoldDeaths => {
                "one SIGCHLD may stand for several deaths: wait with WNOHANG until there is none \
                 left"
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
            Point::ForkFail => "look at the result of every fork before it is used as a pid",
            Point::ExecFail => "_exit at once where exec returns",
            Point::Random => "replay it, and see in the trace what happened",
        }
    }
}
