//! What a wait call has written to the tracee's memory: copied at its exit,
//! decoded once the tracee runs on.

use crate::event::{Fetched, WaitEntry};
use crate::kernel::{
    Errno, NsPid, Rusage, RusageLayout, SigInfo, SiginfoLayout, Tgid, WaitCall, WaitOptions,
    WaitStatus,
};
use crate::proc;
use crate::sys::ptrace::Stopped;

/// The largest rusage of any ABI; a siginfo and a status are the same in all.
const MOST_RUSAGE: usize = RusageLayout::Bits64.size();
const SIGINFO: usize = SiginfoLayout::Bits64.size();
/// What waitid writes of it: up to the status (`waitid` in the kernel's
/// `kernel/exit.c`).
const WRITTEN: usize = 28;
const PAGE: u64 = 4096;
const STATUS: usize = 4;

/// The bytes behind a wait's pointers, as they are at its exit; decoded after
/// the tracee runs on.
pub(super) struct RawResult {
    /// A status word, or waitid's siginfo.
    result: Fetched<[u8; SIGINFO]>,
    rusage: Fetched<[u8; MOST_RUSAGE]>,
}

fn fetched<const N: usize>(addr: u64, got: Result<(), Errno>, value: [u8; N]) -> Fetched<[u8; N]> {
    match got {
        _ if addr == 0 => Fetched::Null,
        Ok(()) => Fetched::Value { addr, value },
        Err(errno) => Fetched::Unreadable { addr, errno },
    }
}

fn unread<T>(addr: u64) -> Fetched<T> {
    if addr == 0 {
        Fetched::Null
    } else {
        Fetched::Unread { addr }
    }
}

/// How much of a siginfo is read: what waitid has written, and what else lies on
/// the same page. Another page may be one that a tracee has yet to fill; it is
/// read if `/proc` shows that this process has it.
fn siginfo_size(at: u64, seen: Option<Tgid>) -> usize {
    let rest = usize::try_from(PAGE - at % PAGE).unwrap_or(0);
    let is_filled = |tgid| proc::are_filled(tgid, at, SIGINFO as u64);
    if rest < SIGINFO && seen.is_some_and(is_filled) {
        return SIGINFO;
    }
    rest.clamp(WRITTEN, SIGINFO)
}

impl RawResult {
    /// wait4 writes only when it reports a child; waitid whenever it succeeds.
    /// `seen` is the caller's process, if /proc shows it.
    pub(super) fn read(
        stopped: &Stopped,
        entry: &WaitEntry,
        result: Result<NsPid, Errno>,
        seen: Option<Tgid>,
    ) -> RawResult {
        let is_waitid = entry.call == WaitCall::Waitid;
        let (result_at, rusage_at) = (entry.result_at, entry.rusage_at);
        if !result.is_ok_and(|pid| is_waitid || pid.raw() > 0) {
            return RawResult {
                result: unread(result_at),
                rusage: unread(rusage_at),
            };
        }
        let (mut result, mut rusage) = ([0; SIGINFO], [0; MOST_RUSAGE]);
        // Exact sizes: a byte more may lie on a page that is not there.
        let size = if is_waitid {
            siginfo_size(result_at, seen)
        } else {
            STATUS
        };
        let word = result.get_mut(..size).unwrap_or_default();
        let usage = rusage.get_mut(..entry.abi.rusage_layout().size());
        let usage = usage.unwrap_or_default();
        let (result_got, usage_got) = match (result_at, rusage_at) {
            (0, 0) => (Ok(()), Ok(())),
            (at, 0) => (stopped.read(at, word), Ok(())),
            // A poll may have had no child, and nothing says so.
            (0, at) if is_waitid && entry.options.contains(WaitOptions::NOHANG) => {
                return RawResult {
                    result: Fetched::Null,
                    rusage: unread(at),
                };
            }
            (0, at) => (Ok(()), stopped.read(at, usage)),
            // Of an rusage waitid writes nothing where it has no child to tell of,
            // and what is not written may have to be filled by a tracee.
            (one, two) if is_waitid => {
                let got = stopped.read(one, word);
                // si_signo; what lies behind may be the caller's.
                let has_child = got.is_ok() && word.iter().take(4).any(|byte| *byte != 0);
                if has_child {
                    (got, stopped.read(two, usage))
                } else {
                    return RawResult {
                        result: fetched(result_at, got, result),
                        rusage: unread(rusage_at),
                    };
                }
            }
            (one, two) => stopped.read_two((one, word), (two, usage)),
        };
        RawResult {
            result: fetched(result_at, result_got, result),
            rusage: fetched(rusage_at, usage_got, rusage),
        }
    }

    pub(super) fn decode(
        &self,
        entry: &WaitEntry,
    ) -> (Fetched<WaitStatus>, Fetched<SigInfo>, Fetched<Rusage>) {
        let layout = entry.abi.rusage_layout();
        let rusage = map(&self.rusage, |bytes| {
            Rusage::from_bytes(layout, bytes.get(..layout.size())?)
        });
        if entry.call == WaitCall::Waitid {
            let layout = entry.abi.siginfo_layout();
            let info = map(&self.result, |bytes| SigInfo::from_bytes(layout, bytes));
            (Fetched::Null, info, rusage)
        } else {
            let status = map(&self.result, |bytes| {
                let word = i32::from_ne_bytes(*bytes.first_chunk()?);
                Some(WaitStatus::from_raw(word))
            });
            (status, Fetched::Null, rusage)
        }
    }

    /// The child that is reported, for its name.
    pub(super) fn child(&self, entry: &WaitEntry, result: Result<NsPid, Errno>) -> Option<NsPid> {
        if entry.call != WaitCall::Waitid {
            return result.ok().filter(|pid| pid.raw() > 0);
        }
        let layout = entry.abi.siginfo_layout();
        SigInfo::from_bytes(layout, self.result.value()?)?.pid()
    }
}

fn map<T, U>(fetched: &Fetched<T>, decode: impl Fn(&T) -> Option<U>) -> Fetched<U> {
    match fetched {
        Fetched::Null => Fetched::Null,
        Fetched::Unread { addr } => Fetched::Unread { addr: *addr },
        Fetched::Unreadable { addr, errno } => Fetched::Unreadable {
            addr: *addr,
            errno: *errno,
        },
        Fetched::Value { addr, value } => match decode(value) {
            Some(value) => Fetched::Value { addr: *addr, value },
            None => Fetched::Unreadable {
                addr: *addr,
                errno: Errno::FAULT,
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_siginfo_is_read_no_further_than_its_page_but_for_what_is_written() {
        assert_eq!(siginfo_size(0x1000, None), SIGINFO);
        assert_eq!(siginfo_size(0x2000 - SIGINFO as u64, None), SIGINFO);
        assert_eq!(siginfo_size(0x2000 - 32, None), 32);
        assert_eq!(siginfo_size(0x2000 - 8, None), WRITTEN);
        // Both pages are there.
        let own = Tgid::new(i32::try_from(std::process::id()).unwrap());
        let pages = vec![1u8; 8192];
        let at = pages.as_ptr().expose_provenance() as u64;
        let end = at.next_multiple_of(PAGE);
        assert_eq!(siginfo_size(end + PAGE - 32, Some(own)), SIGINFO);
    }
}
