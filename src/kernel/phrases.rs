//! Phrases that several texts share: how a process ended, and counts. Those that
//! lines of a running trace hold allocate nothing.

use std::fmt::{self, Display, Formatter};

use super::{Signal, Status, WaitStatus};

/// `exited with 3`
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExitedWith<T>(pub(crate) T);

impl<T: Display> Display for ExitedWith<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "exited with {}", self.0)
    }
}

/// `killed by SIGTERM`
#[derive(Clone, Copy, Debug)]
pub(crate) struct KilledBy(pub(crate) Signal);

impl Display for KilledBy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "killed by {}", self.0)
    }
}

/// How a process ended: `exited with 3`, `killed by SIGABRT (core dumped)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended(pub(crate) WaitStatus);

impl Display for Ended {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.decode() {
            Status::Exited(code) => ExitedWith(code).fmt(f),
            Status::Signaled { signal, core } => {
                KilledBy(signal).fmt(f)?;
                f.write_str(if core { " (core dumped)" } else { "" })
            }
            _ => write!(f, "ended with {:#x}", self.0.raw()),
        }
    }
}

/// The same in a table, without the core: `exited 3`, `SIGTERM`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndedBriefly(pub(crate) WaitStatus);

impl Display for EndedBriefly {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.decode() {
            Status::Exited(code) => write!(f, "exited {code}"),
            Status::Signaled { signal, .. } => signal.fmt(f),
            _ => write!(f, "{:#x}", self.0.raw()),
        }
    }
}

/// The same as a clause: `exited with 3`, `was killed by SIGTERM`.
#[must_use]
pub(crate) fn how_it_ended(status: WaitStatus) -> String {
    let was = match status.decode() {
        Status::Signaled { .. } => "was ",
        _ => "",
    };
    format!("{was}{}", Ended(status))
}

/// `1 process`, `2 processes`
#[must_use]
pub(crate) fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_has_its_phrases() {
        let phrases = |word| {
            let status = WaitStatus::from_raw(word);
            [
                Ended(status).to_string(),
                how_it_ended(status),
                EndedBriefly(status).to_string(),
            ]
        };
        assert_eq!(
            phrases(3 << 8),
            ["exited with 3", "exited with 3", "exited 3"]
        );
        assert_eq!(
            phrases(15),
            ["killed by SIGTERM", "was killed by SIGTERM", "SIGTERM"]
        );
        assert_eq!(
            phrases(6 | 0x80),
            [
                "killed by SIGABRT (core dumped)",
                "was killed by SIGABRT (core dumped)",
                "SIGABRT"
            ]
        );
        assert_eq!(
            phrases(0x1_007f),
            ["ended with 0x1007f", "ended with 0x1007f", "0x1007f"]
        );
    }

    #[test]
    fn one_is_no_plural() {
        let processes = [0, 1, 2].map(|count| plural(count, "process", "processes"));
        assert_eq!(processes, ["0 processes", "1 process", "2 processes"]);
    }
}
