//! Whom a wait call waits for: wait4's pid, waitid's id type and id
//! (`man 2 wait`).

use std::fmt;
use std::str::FromStr;

use super::NsPid;

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

/// Whom a wait call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitTarget {
    /// Any child.
    Any,
    /// The child with this pid.
    Pid(NsPid),
    /// Any child of the process group with this number, which is in the
    /// caller's pid namespace.
    Group(i32),
    /// Any child of the caller's own process group.
    OwnGroup,
    /// The child that this descriptor refers to.
    PidFd(i32),
    /// Nobody: the kernel refuses it.
    Invalid,
}

impl WaitTarget {
    /// What wait4's and waitpid's first argument means. `i32::MIN` has no
    /// positive counterpart: ESRCH (`kernel_wait4` in `kernel/exit.c`).
    #[must_use]
    pub const fn of_pid(pid: i32) -> WaitTarget {
        match pid {
            i32::MIN => WaitTarget::Invalid,
            -1 => WaitTarget::Any,
            0 => WaitTarget::OwnGroup,
            pid if pid < 0 => WaitTarget::Group(-pid),
            pid => WaitTarget::Pid(NsPid::new(pid)),
        }
    }

    /// What waitid's first two arguments mean; what is invalid gives EINVAL
    /// (`kernel_waitid_prepare` in `kernel/exit.c`). A group of 0 is the
    /// caller's own since Linux 5.4, and was invalid before.
    #[must_use]
    pub const fn of_id(kind: IdType, id: i32) -> WaitTarget {
        match kind {
            IdType::ALL => WaitTarget::Any,
            IdType::PID if id > 0 => WaitTarget::Pid(NsPid::new(id)),
            IdType::PGID if id > 0 => WaitTarget::Group(id),
            IdType::PGID if id == 0 => WaitTarget::OwnGroup,
            IdType::PIDFD if id >= 0 => WaitTarget::PidFd(id),
            _ => WaitTarget::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pid_names_a_child_a_group_or_anybody() {
        assert_eq!(WaitTarget::of_pid(5), WaitTarget::Pid(NsPid::new(5)));
        assert_eq!(WaitTarget::of_pid(0), WaitTarget::OwnGroup);
        assert_eq!(WaitTarget::of_pid(-1), WaitTarget::Any);
        assert_eq!(WaitTarget::of_pid(-2), WaitTarget::Group(2));
        assert_eq!(WaitTarget::of_pid(-i32::MAX), WaitTarget::Group(i32::MAX));
        assert_eq!(WaitTarget::of_pid(i32::MIN), WaitTarget::Invalid);
    }

    #[test]
    fn an_id_means_what_its_type_says() {
        let of = WaitTarget::of_id;
        for id in [i32::MIN, -1, 0, 1] {
            assert_eq!(of(IdType::ALL, id), WaitTarget::Any);
            assert_eq!(of(IdType::from_raw(4), id), WaitTarget::Invalid);
        }
        assert_eq!(of(IdType::PID, 5), WaitTarget::Pid(NsPid::new(5)));
        assert_eq!(of(IdType::PID, 0), WaitTarget::Invalid);
        assert_eq!(of(IdType::PGID, 5), WaitTarget::Group(5));
        assert_eq!(of(IdType::PGID, 0), WaitTarget::OwnGroup);
        assert_eq!(of(IdType::PGID, -5), WaitTarget::Invalid);
        assert_eq!(of(IdType::PIDFD, 0), WaitTarget::PidFd(0));
        assert_eq!(of(IdType::PIDFD, -1), WaitTarget::Invalid);
    }

    #[test]
    fn what_is_no_id_type_is_refused() {
        for word in ["", "P_NOBODY", "P_???", "0x", "0xg", "-1"] {
            assert!(word.parse::<IdType>().is_err(), "{word}");
        }
    }

    #[test]
    fn the_spelling_is_that_of_strace() {
        assert_eq!(IdType::PIDFD.to_string(), "P_PIDFD");
        assert_eq!(IdType::from_raw(0x63).to_string(), "0x63 /* P_??? */");
    }

    proptest! {
        #[test]
        fn any_target_means_something(word: i32, number: u32) {
            let _ = WaitTarget::of_pid(word);
            let _ = WaitTarget::of_id(IdType::from_raw(number), word);
        }

        #[test]
        fn whatever_is_printed_parses_back(number: u32) {
            let kind = IdType::from_raw(number);
            prop_assert_eq!(kind.to_string().parse(), Ok(kind));
        }
    }
}
