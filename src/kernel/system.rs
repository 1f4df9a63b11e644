//! Whose words a number is one of.
//!
//! Statuses, options and id types keep the word as their system gave it, and
//! the system beside it. Signals and errors are Linux's of the same name, so
//! that a rule asks for `SIGCHLD` or `ECHILD` and means all of them; what
//! Linux has no name for gets a number that Linux never gives.

use std::fmt;
use std::str::FromStr;

/// A system whose wait family is known here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum System {
    /// Linux.
    #[default]
    Linux,
    /// NetBSD.
    NetBsd,
    /// FreeBSD.
    FreeBsd,
}

impl System {
    /// All of them.
    pub const ALL: [System; 3] = [System::Linux, System::NetBsd, System::FreeBsd];

    /// Its name as a flag and in JSON has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            System::Linux => "linux",
            System::NetBsd => "netbsd",
            System::FreeBsd => "freebsd",
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            System::Linux => "Linux",
            System::NetBsd => "NetBSD",
            System::FreeBsd => "FreeBSD",
        })
    }
}

/// A word that is the name of no system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no system that is known here: linux, netbsd and freebsd are")]
pub struct ParseSystemError {
    /// The word.
    pub word: String,
}

impl FromStr for System {
    type Err = ParseSystemError;

    fn from_str(word: &str) -> Result<System, ParseSystemError> {
        let mut all = System::ALL.into_iter();
        all.find(|system| system.name().eq_ignore_ascii_case(word))
            .ok_or_else(|| ParseSystemError {
                word: word.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_is_found_by_its_name() {
        for system in System::ALL {
            assert_eq!(system.name().parse(), Ok(system));
            assert_eq!(system.to_string().parse(), Ok(system));
        }
        assert!("plan9".parse::<System>().is_err());
    }
}
