//! The option bits of the wait family: Linux's (`include/uapi/linux/wait.h`), and
//! the BSDs', whose numbers differ.

use std::fmt;
use std::str::FromStr;

use super::System;
use super::option_names;

/// Wait options, in the bits of their system; bits without a name are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WaitOptions {
    bits: u32,
    system: System,
}

/// The BSDs' options that Linux has too, with Linux's bits.
const IN_LINUX: [(&str, WaitOptions); 9] = [
    ("WNOHANG", WaitOptions::NOHANG),
    ("WUNTRACED", WaitOptions::STOPPED),
    ("WEXITED", WaitOptions::EXITED),
    ("WCONTINUED", WaitOptions::CONTINUED),
    ("WNOWAIT", WaitOptions::NOWAIT),
    ("WALTSIG", WaitOptions::CLONE),
    ("WLINUXCLONE", WaitOptions::CLONE),
    ("WALLSIG", WaitOptions::ALL),
    ("WSTOPPED", WaitOptions::STOPPED),
];

/// Alternative names.
const ALIASES: [(System, &str, &str); 5] = [
    (System::Linux, "WUNTRACED", "WSTOPPED"),
    (System::NetBsd, "WSTOPPED", "WUNTRACED"),
    (System::FreeBsd, "WSTOPPED", "WUNTRACED"),
    (System::NetBsd, "__WCLONE", "WALTSIG"),
    (System::NetBsd, "__WALL", "WALLSIG"),
];

impl WaitOptions {
    /// Return at once if there is nothing to report.
    pub const NOHANG: WaitOptions = WaitOptions::from_raw(1);
    /// Report stopped children; wait4 calls it `WUNTRACED`.
    pub const STOPPED: WaitOptions = WaitOptions::from_raw(2);
    /// Report ended children; wait4 always does.
    pub const EXITED: WaitOptions = WaitOptions::from_raw(4);
    /// Report continued children.
    pub const CONTINUED: WaitOptions = WaitOptions::from_raw(8);
    /// Leave what is reported waitable.
    pub const NOWAIT: WaitOptions = WaitOptions::from_raw(0x0100_0000);
    /// Not children of other threads.
    pub const NOTHREAD: WaitOptions = WaitOptions::from_raw(0x2000_0000);
    /// Children with any exit signal.
    pub const ALL: WaitOptions = WaitOptions::from_raw(0x4000_0000);
    /// Only children with another exit signal than SIGCHLD.
    pub const CLONE: WaitOptions = WaitOptions::from_raw(0x8000_0000);

    /// Linux's options with these bits.
    #[must_use]
    pub const fn from_raw(bits: u32) -> WaitOptions {
        WaitOptions::of(System::Linux, bits)
    }

    /// The options of a system with these bits.
    #[must_use]
    pub const fn of(system: System, bits: u32) -> WaitOptions {
        WaitOptions { bits, system }
    }

    /// The bits.
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.bits
    }

    /// The system that defines the bits.
    #[must_use]
    pub const fn system(self) -> System {
        self.system
    }

    /// The names of the bits that have one.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let set = option_names::options(self.system)
            .iter()
            .filter(move |(_, bits)| self.bits & bits == *bits);
        set.map(|(name, _)| *name)
    }

    /// The bits that have no name.
    #[must_use]
    pub fn nameless(self) -> u32 {
        let named = option_names::options(self.system).iter();
        self.bits & !named.fold(0, |all, (_, bits)| all | bits)
    }

    /// Whether all of Linux's options `other` are set.
    #[must_use]
    pub fn contains(self, other: WaitOptions) -> bool {
        let bits = match self.system {
            System::Linux => self.bits,
            System::NetBsd | System::FreeBsd => self.in_linux(),
        };
        bits & other.bits == other.bits
    }

    /// The same options in Linux's bits, as far as Linux has them.
    fn in_linux(self) -> u32 {
        let names = self.names();
        let same = names.filter_map(|name| IN_LINUX.iter().find(|(known, _)| *known == name));
        same.fold(0, |all, (_, options)| all | options.bits)
    }

    /// Parses options of a system: names or numbers, separated by bars.
    ///
    /// # Errors
    /// The first word that is not an option.
    pub fn parse(system: System, text: &str) -> Result<WaitOptions, ParseOptionsError> {
        let text = text.strip_suffix(" /* W??? */").unwrap_or(text);
        let mut all = 0;
        for word in text.split('|').map(str::trim) {
            let alias = ALIASES
                .iter()
                .find(|(of, name, _)| *of == system && *name == word);
            let name = alias.map_or(word, |(_, _, name)| name);
            let mut known = option_names::options(system).iter();
            let named = known.find(|(known, _)| *known == name);
            let hex = || u32::from_str_radix(word.strip_prefix("0x")?, 16).ok();
            let decimal = || word.parse().ok();
            let bits = named.map(|(_, bits)| *bits).or_else(hex).or_else(decimal);
            all |= bits.ok_or_else(|| ParseOptionsError {
                word: word.to_owned(),
            })?;
        }
        Ok(WaitOptions::of(system, all))
    }
}

impl fmt::Display for WaitOptions {
    /// As strace prints them, with the system's names; unknown bits get a comment, if
    /// there are no others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits == 0 {
            return f.write_str("0");
        }
        let mut bar = "";
        for name in self.names() {
            write!(f, "{bar}{name}")?;
            bar = "|";
        }
        match self.nameless() {
            0 => Ok(()),
            rest if rest == self.bits => write!(f, "{rest:#x} /* W??? */"),
            rest => write!(f, "{bar}{rest:#x}"),
        }
    }
}

/// A word that is not a wait option.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a wait option")]
pub struct ParseOptionsError {
    /// The word.
    pub word: String,
}

impl FromStr for WaitOptions {
    type Err = ParseOptionsError;

    /// Parses what [`WaitOptions`] prints for Linux, and `WUNTRACED`.
    fn from_str(text: &str) -> Result<WaitOptions, ParseOptionsError> {
        WaitOptions::parse(System::Linux, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_spelling_is_that_of_strace() {
        let shown = |bits| WaitOptions::from_raw(bits).to_string();
        assert_eq!(shown(0), "0");
        assert_eq!(shown(0b1011), "WNOHANG|WSTOPPED|WCONTINUED");
        assert_eq!(shown(0x10), "0x10 /* W??? */");
        assert_eq!(shown(0x8000_0011), "WNOHANG|__WCLONE|0x10");
        assert_eq!(
            shown(0xe100_000f),
            "WNOHANG|WEXITED|WSTOPPED|WCONTINUED|WNOWAIT|__WCLONE|__WALL|__WNOTHREAD"
        );
    }

    #[test]
    fn each_option_of_each_system_is_parsed_back() {
        for system in System::ALL {
            for (name, bits) in option_names::options(system) {
                let options = WaitOptions::of(system, *bits);
                assert_eq!(options.to_string(), *name);
                assert_eq!(WaitOptions::parse(system, name), Ok(options));
            }
        }
    }

    #[test]
    fn the_bsds_options_mean_what_linux_s_of_that_name_do() {
        let netbsd = WaitOptions::of(System::NetBsd, 0x1_0033);
        for option in [
            WaitOptions::NOHANG,
            WaitOptions::STOPPED,
            WaitOptions::EXITED,
            WaitOptions::CONTINUED,
            WaitOptions::NOWAIT,
        ] {
            assert!(netbsd.contains(option), "{option}");
        }
        assert!(!netbsd.contains(WaitOptions::CLONE) && !netbsd.contains(WaitOptions::ALL));
        assert!(WaitOptions::of(System::NetBsd, 4).contains(WaitOptions::CLONE));
        assert!(WaitOptions::of(System::NetBsd, 8).contains(WaitOptions::ALL));
        let freebsd = WaitOptions::of(System::FreeBsd, 0x8000_0018);
        assert_eq!(freebsd.to_string(), "WNOWAIT|WEXITED|WLINUXCLONE");
        assert!(freebsd.contains(WaitOptions::CLONE) && freebsd.contains(WaitOptions::NOWAIT));
        assert!(!freebsd.contains(WaitOptions::CONTINUED));
    }

    proptest! {
        #[test]
        fn whatever_is_printed_parses_back(bits: u32) {
            for system in System::ALL {
                let options = WaitOptions::of(system, bits);
                prop_assert_eq!(WaitOptions::parse(system, &options.to_string()), Ok(options));
            }
        }

        #[test]
        fn a_word_that_is_no_option_is_refused(word in "[A-Z]{1,8}") {
            let known = option_names::options(System::Linux).iter().any(|(name, _)| *name == word);
            let known = known || word == "WUNTRACED";
            prop_assert_eq!(word.parse::<WaitOptions>().is_ok(), known);
        }
    }
}
