//! The status word of wait4 and waitpid on Linux (`man 2 wait`) and the BSDs
//! (`sys/wait.h`).

use std::fmt;

use super::{PtraceEvent, Signal, System};

/// A wait status, kept as the raw word of its system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WaitStatus {
    word: i32,
    system: System,
}

/// FreeBSD's status of a continued child: the number of SIGCONT.
const FREEBSD_CONTINUED: i32 = 0x13;
/// The status of a continued child on Linux and NetBSD.
const CONTINUED: i32 = 0xffff;

/// A decoded status word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `WIFEXITED`: the exit code.
    Exited(u8),
    /// `WIFSIGNALED`.
    Signaled {
        /// `WTERMSIG`.
        signal: Signal,
        /// `WCOREDUMP`.
        core: bool,
    },
    /// `WIFSTOPPED`.
    Stopped {
        /// `WSTOPSIG`, without its 0x80 bit.
        signal: Signal,
        /// The 0x80 bit: with SIGTRAP it is the syscall-stop of a tracer that set
        /// `PTRACE_O_TRACESYSGOOD`; the kernel sets it nowhere else.
        syscall: bool,
        /// The ptrace event, for a tracer.
        event: PtraceEvent,
    },
    /// `WIFCONTINUED`.
    Continued,
    /// Not a status that the kernel makes.
    Unknown,
}

impl WaitStatus {
    /// Linux's status with this word.
    #[must_use]
    pub const fn from_raw(word: i32) -> WaitStatus {
        WaitStatus::of(System::Linux, word)
    }

    /// The status of a system with this word.
    #[must_use]
    pub const fn of(system: System, word: i32) -> WaitStatus {
        WaitStatus { word, system }
    }

    /// The word.
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.word
    }

    /// The system that defines the word.
    #[must_use]
    pub const fn system(self) -> System {
        self.system
    }

    /// Whether it is that of an end, not of a stop.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self.decode(), Status::Exited(_) | Status::Signaled { .. })
    }

    /// Decodes the word like its system's macros: bits that they do not examine are
    /// ignored.
    #[must_use]
    pub fn decode(self) -> Status {
        match self.system {
            System::Linux => self.by_linux(),
            System::NetBsd => self.by_bsd(CONTINUED),
            System::FreeBsd => self.by_bsd(FREEBSD_CONTINUED),
        }
    }

    /// `sys/wait.h` of the BSDs, where every word with the low seven bits set is a
    /// stop.
    fn by_bsd(self, continued: i32) -> Status {
        if self.word == continued {
            return Status::Continued;
        }
        let [low, high, ..] = self.word.to_le_bytes();
        match low & 0x7f {
            0 => Status::Exited(high),
            0x7f => Status::Stopped {
                signal: Signal::of(self.system, high.into()),
                syscall: false,
                event: PtraceEvent::NONE,
            },
            signal => Status::Signaled {
                signal: Signal::of(self.system, signal.into()),
                core: low & 0x80 != 0,
            },
        }
    }

    /// `<bits/waitstatus.h>`.
    fn by_linux(self) -> Status {
        let [low, high, event_low, event_high] = self.word.to_le_bytes();
        match low & 0x7f {
            0 => Status::Exited(high),
            0x7f if low == 0x7f => Status::Stopped {
                signal: Signal::from_raw(i32::from(high & 0x7f)),
                syscall: high & 0x80 != 0,
                event: PtraceEvent::from_raw(u16::from_le_bytes([event_low, event_high])),
            },
            0x7f if self.word == CONTINUED => Status::Continued,
            0x7f => Status::Unknown,
            signal => Status::Signaled {
                signal: Signal::from_raw(i32::from(signal)),
                core: low & 0x80 != 0,
            },
        }
    }

    /// The bits that the result of [`WaitStatus::decode`] does not account for.
    fn rest(self) -> i32 {
        let accounted = match self.decode() {
            Status::Exited(_) => 0xff00,
            Status::Signaled { .. } => 0xff,
            Status::Stopped { .. } if self.system != System::Linux => 0xff7f,
            Status::Stopped { .. } | Status::Continued => 0xffff,
            Status::Unknown => -1,
        };
        self.word & !accounted
    }
}

impl fmt::Display for WaitStatus {
    /// As strace prints it between the brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decode() {
            Status::Exited(code) => {
                write!(f, "{{WIFEXITED(s) && WEXITSTATUS(s) == {code}}}")?;
            }
            Status::Signaled { signal, core } => {
                let core = if core { " && WCOREDUMP(s)" } else { "" };
                write!(f, "{{WIFSIGNALED(s) && WTERMSIG(s) == {signal}{core}}}")?;
            }
            // truss does not print the signal.
            Status::Stopped { signal, .. } if signal.raw() == 0 && self.system != System::Linux => {
                f.write_str("{WIFSTOPPED(s)}")?;
            }
            Status::Stopped {
                signal, syscall, ..
            } => {
                let bit = if syscall { " | 0x80" } else { "" };
                write!(f, "{{WIFSTOPPED(s) && WSTOPSIG(s) == {signal}{bit}}}")?;
            }
            Status::Continued => f.write_str("{WIFCONTINUED(s)}")?,
            Status::Unknown => write!(f, "{:#x}", self.word)?,
        }
        let [low, high, event_low, event_high] = self.rest().to_le_bytes();
        if self.system != System::Linux {
            // Without events, the remaining bits are one number.
            return match self.rest() {
                0 => Ok(()),
                rest => write!(f, "|{rest:#x}"),
            };
        }
        let event = PtraceEvent::from_raw(u16::from_le_bytes([event_low, event_high]));
        if event != PtraceEvent::NONE {
            write!(f, "|{event}<<16")?;
        }
        match u16::from_le_bytes([low, high]) {
            0 => Ok(()),
            rest => write!(f, "|{rest:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(word: i32) -> String {
        WaitStatus::from_raw(word).to_string()
    }

    #[test]
    fn each_form_is_spelled_as_strace_spells_it() {
        assert_eq!(shown(0x2a00), "{WIFEXITED(s) && WEXITSTATUS(s) == 42}");
        assert_eq!(
            shown(0x86),
            "{WIFSIGNALED(s) && WTERMSIG(s) == SIGABRT && WCOREDUMP(s)}"
        );
        assert_eq!(shown(0x0f), "{WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM}");
        assert_eq!(shown(0x137f), "{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}");
        assert_eq!(shown(0xffff), "{WIFCONTINUED(s)}");
        assert_eq!(
            shown(0x1_057f),
            "{WIFSTOPPED(s) && WSTOPSIG(s) == SIGTRAP}|PTRACE_EVENT_FORK<<16"
        );
        assert_eq!(
            shown(0x857f),
            "{WIFSTOPPED(s) && WSTOPSIG(s) == SIGTRAP | 0x80}"
        );
        assert_eq!(
            shown(0x63_057f),
            "{WIFSTOPPED(s) && WSTOPSIG(s) == SIGTRAP}|0x63 /* PTRACE_EVENT_??? */<<16"
        );
        assert_eq!(shown(0x12ff), "0x12ff");
    }

    /// libc's own macros, for every low word.
    #[test]
    #[cfg_attr(miri, ignore = "too many words for an interpreter")]
    fn all_low_words_agree_with_libc() {
        for word in 0..=0xffff {
            match WaitStatus::from_raw(word).decode() {
                Status::Exited(code) => {
                    assert!(libc::WIFEXITED(word));
                    assert_eq!(i32::from(code), libc::WEXITSTATUS(word));
                }
                Status::Signaled { signal, core } => {
                    assert!(libc::WIFSIGNALED(word));
                    assert_eq!(signal.raw(), libc::WTERMSIG(word));
                    assert_eq!(core, libc::WCOREDUMP(word));
                }
                Status::Stopped {
                    signal, syscall, ..
                } => {
                    assert!(libc::WIFSTOPPED(word));
                    let bit = if syscall { 0x80 } else { 0 };
                    assert_eq!(signal.raw() | bit, libc::WSTOPSIG(word));
                }
                Status::Continued => assert!(libc::WIFCONTINUED(word)),
                Status::Unknown => {
                    let known = libc::WIFEXITED(word)
                        || libc::WIFSIGNALED(word)
                        || libc::WIFSTOPPED(word)
                        || libc::WIFCONTINUED(word);
                    assert!(!known, "{word:#x}");
                }
            }
        }
    }

    /// strace's `printstatus`, reimplemented with the macros: each part that was printed
    /// is removed from the word. It and this crate were compared with strace 6.1 on
    /// all these words and on 14000 with higher bits, written to tracees' memory.
    fn by_the_macros(word: i32) -> String {
        let (text, rest) = if libc::WIFSTOPPED(word) {
            let signal = Signal::from_raw(libc::WSTOPSIG(word) & 0x7f);
            let bit = if word & 0x8000 == 0 { "" } else { " | 0x80" };
            let text = format!("{{WIFSTOPPED(s) && WSTOPSIG(s) == {signal}{bit}}}");
            (text, word & !(libc::WSTOPSIG(word) << 8 | 0x7f))
        } else if libc::WIFSIGNALED(word) {
            let signal = Signal::from_raw(libc::WTERMSIG(word));
            let core = if libc::WCOREDUMP(word) {
                " && WCOREDUMP(s)"
            } else {
                ""
            };
            let text = format!("{{WIFSIGNALED(s) && WTERMSIG(s) == {signal}{core}}}");
            (text, word & !(libc::WTERMSIG(word) | 0x80))
        } else if libc::WIFEXITED(word) {
            let code = libc::WEXITSTATUS(word);
            let text = format!("{{WIFEXITED(s) && WEXITSTATUS(s) == {code}}}");
            (text, word & !(code << 8))
        } else if libc::WIFCONTINUED(word) {
            ("{WIFCONTINUED(s)}".to_owned(), word & !0xffff)
        } else {
            return format!("{word:#x}");
        };
        let event = rest.cast_unsigned() >> 16;
        let event = match event {
            0 => String::new(),
            _ => format!("|{}<<16", PtraceEvent::from_raw(event.try_into().unwrap())),
        };
        let rest = match rest & 0xffff {
            0 => String::new(),
            rest => format!("|{rest:#x}"),
        };
        format!("{text}{event}{rest}")
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many words for an interpreter")]
    fn every_low_word_prints_as_the_macros_say() {
        for word in 0..=0xffff {
            assert_eq!(shown(word), by_the_macros(word), "{word:#x}");
        }
    }

    /// Lines of strace 6.1 for words that a kernel does not make.
    #[test]
    fn leftover_bits_are_printed_behind() {
        let lines = [
            (0x7f, "{WIFSTOPPED(s) && WSTOPSIG(s) == 0}"),
            (0x807f, "{WIFSTOPPED(s) && WSTOPSIG(s) == 0 | 0x80}"),
            (0x817f, "{WIFSTOPPED(s) && WSTOPSIG(s) == SIGHUP | 0x80}"),
            (
                0x3e7,
                "{WIFSIGNALED(s) && WTERMSIG(s) == 103 && WCOREDUMP(s)}|0x300",
            ),
            (0x80, "{WIFEXITED(s) && WEXITSTATUS(s) == 0}|0x80"),
            (
                0x80_0180,
                "{WIFEXITED(s) && WEXITSTATUS(s) == 1}|PTRACE_EVENT_STOP<<16|0x80",
            ),
        ];
        for (word, line) in lines {
            assert_eq!(shown(word), line, "{word:#x}");
        }
    }

    proptest! {
        #[test]
        fn any_word_decodes_and_prints(word: i32) {
            prop_assert_eq!(WaitStatus::from_raw(word).raw(), word);
            prop_assert_eq!(shown(word), by_the_macros(word));
        }
    }
}
