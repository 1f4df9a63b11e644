//! waitid's id types (`man 2 waitid`).

use std::fmt;
use std::str::FromStr;

/// `idtype_t`, any number kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdType(u32);

impl IdType {
    /// Any child; the id is ignored.
    pub const ALL: IdType = IdType(0);
    /// The child with this pid.
    pub const PID: IdType = IdType(1);
    /// Any child of this process group; 0 is the caller's own (Linux 5.4).
    pub const PGID: IdType = IdType(2);
    /// The child that this pidfd refers to (Linux 5.4).
    pub const PIDFD: IdType = IdType(3);

    /// The id type with this number.
    #[must_use]
    pub const fn from_raw(number: u32) -> IdType {
        IdType(number)
    }

    /// The number.
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// The constant's name.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "P_ALL",
            1 => "P_PID",
            2 => "P_PGID",
            3 => "P_PIDFD",
            _ => return None,
        })
    }
}

impl fmt::Display for IdType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#x} /* P_??? */", self.0),
        }
    }
}

/// A word that is no id type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no id type")]
pub struct ParseIdTypeError {
    /// The word.
    pub word: String,
}

impl FromStr for IdType {
    type Err = ParseIdTypeError;

    /// Parse what [`IdType`] prints.
    fn from_str(text: &str) -> Result<IdType, ParseIdTypeError> {
        let word = text.strip_suffix(" /* P_??? */").unwrap_or(text);
        let named = (0..4).map(IdType).find(|kind| kind.name() == Some(word));
        let hex = || {
            u32::from_str_radix(word.strip_prefix("0x")?, 16)
                .ok()
                .map(IdType)
        };
        named.or_else(hex).ok_or_else(|| ParseIdTypeError {
            word: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_spelling_is_that_of_strace() {
        assert_eq!(IdType::PIDFD.to_string(), "P_PIDFD");
        assert_eq!(IdType::from_raw(0x63).to_string(), "0x63 /* P_??? */");
    }

    proptest! {
        #[test]
        fn whatever_is_printed_parses_back(number: u32) {
            let kind = IdType::from_raw(number);
            prop_assert_eq!(kind.to_string().parse(), Ok(kind));
        }
    }
}
