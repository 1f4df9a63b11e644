//! The option bits of the wait family (`include/uapi/linux/wait.h`).

use std::fmt;
use std::str::FromStr;

/// Wait options; bits without a name are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WaitOptions(u32);

/// In the order in which strace prints them.
const NAMES: [(WaitOptions, &str); 8] = [
    (WaitOptions::NOHANG, "WNOHANG"),
    (WaitOptions::EXITED, "WEXITED"),
    (WaitOptions::STOPPED, "WSTOPPED"),
    (WaitOptions::CONTINUED, "WCONTINUED"),
    (WaitOptions::NOWAIT, "WNOWAIT"),
    (WaitOptions::CLONE, "__WCLONE"),
    (WaitOptions::ALL, "__WALL"),
    (WaitOptions::NOTHREAD, "__WNOTHREAD"),
];

impl WaitOptions {
    /// Return at once if there is nothing to report.
    pub const NOHANG: WaitOptions = WaitOptions(1);
    /// Report stopped children; wait4 calls it `WUNTRACED`.
    pub const STOPPED: WaitOptions = WaitOptions(2);
    /// Report ended children; wait4 always does.
    pub const EXITED: WaitOptions = WaitOptions(4);
    /// Report continued children.
    pub const CONTINUED: WaitOptions = WaitOptions(8);
    /// Leave what is reported waitable.
    pub const NOWAIT: WaitOptions = WaitOptions(0x0100_0000);
    /// Not the children of other threads.
    pub const NOTHREAD: WaitOptions = WaitOptions(0x2000_0000);
    /// Children of every exit signal.
    pub const ALL: WaitOptions = WaitOptions(0x4000_0000);
    /// Children of another exit signal than SIGCHLD only.
    pub const CLONE: WaitOptions = WaitOptions(0x8000_0000);

    /// The options with these bits.
    #[must_use]
    pub const fn from_raw(bits: u32) -> WaitOptions {
        WaitOptions(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// The names of the bits that have one.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let set = NAMES
            .into_iter()
            .filter(move |(option, _)| self.contains(*option));
        set.map(|(_, name)| name)
    }

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn contains(self, other: WaitOptions) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for WaitOptions {
    /// As strace prints them; only unknown bits get a comment, and only alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0");
        }
        let mut rest = self.0;
        let mut bar = "";
        for (option, name) in NAMES {
            if self.contains(option) {
                write!(f, "{bar}{name}")?;
                rest &= !option.0;
                bar = "|";
            }
        }
        match rest {
            0 => Ok(()),
            _ if rest == self.0 => write!(f, "{rest:#x} /* W??? */"),
            _ => write!(f, "{bar}{rest:#x}"),
        }
    }
}

/// A word that is no wait option.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no wait option")]
pub struct ParseOptionsError {
    /// The word.
    pub word: String,
}

impl FromStr for WaitOptions {
    type Err = ParseOptionsError;

    /// Parse what [`WaitOptions`] prints; `WUNTRACED` is taken too.
    fn from_str(text: &str) -> Result<WaitOptions, ParseOptionsError> {
        let text = text.strip_suffix(" /* W??? */").unwrap_or(text);
        let mut bits = 0;
        for word in text.split('|') {
            let named = NAMES.iter().find(|(_, name)| *name == word);
            let named = named.map(|(option, _)| option.0);
            let hex = || u32::from_str_radix(word.strip_prefix("0x")?, 16).ok();
            bits |= match word {
                "0" => 0,
                "WUNTRACED" => WaitOptions::STOPPED.0,
                _ => named.or_else(hex).ok_or_else(|| ParseOptionsError {
                    word: word.to_owned(),
                })?,
            };
        }
        Ok(WaitOptions(bits))
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

    proptest! {
        #[test]
        fn whatever_is_printed_parses_back(bits: u32) {
            let options = WaitOptions::from_raw(bits);
            prop_assert_eq!(options.to_string().parse(), Ok(options));
        }

        #[test]
        fn a_word_that_is_no_option_is_refused(word in "[A-Z]{1,8}") {
            let known = NAMES.iter().any(|(_, name)| *name == word) || word == "WUNTRACED";
            prop_assert_eq!(word.parse::<WaitOptions>().is_ok(), known);
        }
    }
}
