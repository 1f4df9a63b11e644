//! The system (Linux or a BSD) that defines a number.
//!
//! Statuses, options and id types keep the number as their system defines it,
//! with the system. Signals and errors are converted to Linux's of the same name,
//! so that a rule can test for `SIGCHLD` or `ECHILD`; those that Linux does not
//! have get a number that Linux never uses.

use std::fmt;
use std::str::FromStr;

/// A system whose wait calls are supported.
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

    /// Its name in flags and in JSON.
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

/// A word that is not the name of a system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a supported system: linux, netbsd and freebsd are")]
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
