//! What a wait call waits for: wait4's pid, waitid's id type and id (`man 2 wait`).

use std::fmt;
use std::str::FromStr;

use super::{NsPid, System, option_names};

/// `idtype_t`; any number is kept.
///
/// Those that the systems share have Linux's numbers here, the others numbers
/// above 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdType(u64);

/// The start of our numbers for id types that Linux does not have.
const FOREIGN: u64 = 1 << 32;
/// The start of our numbers for what is not an id type of a BSD.
const NAMELESS: u64 = 1 << 33;

impl IdType {
    /// Any child; the id is ignored.
    pub const ALL: IdType = IdType(0);
    /// The child with this pid.
    pub const PID: IdType = IdType(1);
    /// Any child of this process group; 0 is the caller's own (Linux 5.4).
    pub const PGID: IdType = IdType(2);
    /// The child that this pidfd refers to (Linux 5.4).
    pub const PIDFD: IdType = IdType(3);

    /// Linux's id type with this number.
    #[must_use]
    pub const fn from_raw(number: u32) -> IdType {
        IdType(number as u64)
    }

    /// A system's id type with this number.
    #[must_use]
    pub fn of(system: System, number: u32) -> IdType {
        if system == System::Linux {
            return IdType::from_raw(number);
        }
        let mut known = option_names::id_types(system).iter();
        let name = known.find(|(_, known)| *known == number);
        name.and_then(|(name, _)| IdType::named(name))
            .unwrap_or(IdType(NAMELESS | u64::from(number)))
    }

    /// Its number in a system; `None` if the system does not have it.
    #[must_use]
    pub fn number_in(self, system: System) -> Option<u32> {
        match u32::try_from(self.0) {
            Ok(number) if system == System::Linux => return Some(number),
            _ if self.0 & NAMELESS != 0 && system != System::Linux => {
                return u32::try_from(self.0 & !NAMELESS).ok();
            }
            _ => {}
        }
        let name = self.name()?;
        let mut known = option_names::id_types(system).iter();
        known
            .find(|(known, _)| *known == name)
            .map(|(_, number)| *number)
    }

    /// The id type of this name.
    fn named(name: &str) -> Option<IdType> {
        let mut linux = option_names::id_types(System::Linux).iter();
        if let Some((_, number)) = linux.find(|(known, _)| *known == name) {
            return Some(IdType::from_raw(*number));
        }
        let index = foreign().position(|known| known == name)?;
        Some(IdType(FOREIGN | u64::try_from(index).ok()?))
    }

    /// The constant's name.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        if self.0 & NAMELESS != 0 {
            return None;
        }
        if let Ok(number) = u32::try_from(self.0) {
            let mut linux = option_names::id_types(System::Linux).iter();
            return linux
                .find(|(_, known)| *known == number)
                .map(|(name, _)| *name);
        }
        foreign().nth(usize::try_from(self.0 & !FOREIGN).ok()?)
    }

    /// Parses an id type of a system.
    ///
    /// # Errors
    /// If it is not one.
    pub fn parse(system: System, text: &str) -> Result<IdType, ParseIdTypeError> {
        let word = text.strip_suffix(" /* P_??? */").unwrap_or(text);
        let mut known = option_names::id_types(system).iter();
        let named = known
            .find(|(name, _)| *name == word)
            .map(|(_, number)| *number);
        let hex = || u32::from_str_radix(word.strip_prefix("0x")?, 16).ok();
        let number = named.or_else(hex);
        number
            .map(|number| IdType::of(system, number))
            .ok_or_else(|| ParseIdTypeError {
                word: text.to_owned(),
            })
    }
}

/// The names that only BSDs have: NetBSD's, then those that only FreeBSD has.
fn foreign() -> impl Iterator<Item = &'static str> {
    let all = option_names::id_types(System::NetBsd).iter();
    all.map(|(name, _)| *name).chain(["P_JAILID"])
}

impl fmt::Display for IdType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#x} /* P_??? */", self.0 & !NAMELESS),
        }
    }
}

/// A word that is not an id type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not an id type")]
pub struct ParseIdTypeError {
    /// The word.
    pub word: String,
}

impl FromStr for IdType {
    type Err = ParseIdTypeError;

    /// Parses what [`IdType`] prints for Linux.
    fn from_str(text: &str) -> Result<IdType, ParseIdTypeError> {
        IdType::parse(System::Linux, text)
    }
}

/// What a wait call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitTarget {
    /// Any child.
    Any,
    /// The child with this pid.
    Pid(NsPid),
    /// Any child of the process group with this number in the caller's pid
    /// namespace.
    Group(i32),
    /// Any child of the caller's own process group.
    OwnGroup,
    /// The child that this descriptor refers to.
    PidFd(i32),
    /// Nothing: the kernel refuses it.
    Invalid,
}

impl WaitTarget {
    /// By the first argument of wait4 and waitpid. `i32::MIN` cannot be negated: ESRCH
    /// (`kernel_wait4` in `kernel/exit.c`).
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

    /// By the first two arguments of waitid; invalid ones give EINVAL
    /// (`kernel_waitid_prepare` in `kernel/exit.c`). Group 0 is the caller's own since
    /// Linux 5.4, and was invalid before.
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

    #[test]
    fn each_id_type_of_each_system_is_parsed_back() {
        for system in System::ALL {
            for (name, number) in option_names::id_types(system) {
                let kind = IdType::of(system, *number);
                assert_eq!(kind.to_string(), *name);
                assert_eq!(IdType::parse(system, name), Ok(kind));
                assert_eq!(kind.number_in(system), Some(*number));
            }
        }
        assert_eq!(IdType::of(System::FreeBsd, 0), IdType::PID);
        assert_eq!(IdType::of(System::NetBsd, 4), IdType::PGID);
        assert_eq!(IdType::of(System::FreeBsd, 7), IdType::ALL);
        assert_eq!(
            IdType::of(System::FreeBsd, 5),
            IdType::of(System::NetBsd, 7)
        );
        assert_eq!(IdType::PIDFD.number_in(System::FreeBsd), None);
        assert_eq!(
            IdType::of(System::FreeBsd, 5).number_in(System::Linux),
            None
        );
    }

    proptest! {
        #[test]
        fn any_target_means_something(word: i32, number: u32) {
            let _ = WaitTarget::of_pid(word);
            let _ = WaitTarget::of_id(IdType::from_raw(number), word);
        }

        #[test]
        fn whatever_is_printed_parses_back(number: u32) {
            for system in System::ALL {
                let kind = IdType::of(system, number);
                prop_assert_eq!(IdType::parse(system, &kind.to_string()), Ok(kind));
                prop_assert_eq!(kind.number_in(system), Some(number));
            }
        }
    }
}
