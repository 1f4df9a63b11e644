//! `siginfo_t`: the cause of a signal, or the result of waitid.

mod layout;
mod text;

use super::{NsPid, Signal, Status, WaitStatus, si_code};

/// A siginfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigInfo {
    /// `si_signo`; 0 is waitid's "nothing to report".
    pub signo: Signal,
    /// `si_errno`
    pub errno: i32,
    /// `si_code`
    pub code: i32,
    /// The members of the union that signal and code select.
    pub fields: Fields,
}

/// The members of the union (`man 2 sigaction`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the members of siginfo_t, without si_")]
pub enum Fields {
    /// Sent by `kill` or `tgkill`.
    Kill { pid: NsPid, uid: u32 },
    /// Sent by a POSIX timer.
    Timer { id: i32, overrun: i32, value: Value },
    /// Sent by `sigqueue` or otherwise from user space, or by the kernel for signals
    /// without members of their own.
    Queue { pid: NsPid, uid: u32, value: Value },
    /// A child's change of state. waitid does not write the clocks: they are what
    /// the caller left there.
    Child {
        pid: NsPid,
        uid: u32,
        status: i32,
        utime: i64,
        stime: i64,
    },
    /// A fault.
    Fault { addr: u64, detail: FaultDetail },
    /// I/O readiness.
    Poll { band: i64, fd: i32 },
    /// SIGIO without I/O readiness: strace shows no members.
    Nothing,
    /// A system call that a filter rejects.
    Sys {
        call_addr: u64,
        syscall: i32,
        arch: u32,
    },
}

/// What the siginfo of a fault contains besides the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the members of siginfo_t, without si_")]
pub enum FaultDetail {
    /// Nothing.
    None,
    /// `BUS_MCEERR_*`: how much memory is corrupt.
    Lsb { addr_lsb: u16 },
    /// `SEGV_BNDERR`: the bounds that were violated.
    Bounds { lower: u64, upper: u64 },
    /// `SEGV_PKUERR`: the protection key.
    Key { pkey: u32 },
}

/// A `sigval`: an int or a pointer, depending on its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(pub u64);

impl SigInfo {
    /// `si_pid`, if there is one.
    #[must_use]
    pub fn pid(&self) -> Option<NsPid> {
        match self.fields {
            Fields::Kill { pid, .. } | Fields::Queue { pid, .. } | Fields::Child { pid, .. } => {
                Some(pid)
            }
            _ => None,
        }
    }

    /// The process that sent it, if a system call such as kill(2) did.
    #[must_use]
    pub fn sender(&self) -> Option<NsPid> {
        match self.fields {
            Fields::Kill { pid, .. } | Fields::Queue { pid, .. } if self.code <= 0 => Some(pid),
            _ => None,
        }
    }

    /// The child and the status word that wait4 would return for it, if this is a
    /// child's change of state.
    #[must_use]
    pub fn child(&self) -> Option<(NsPid, WaitStatus)> {
        let Fields::Child { pid, status, .. } = self.fields else {
            return None;
        };
        let low = status & 0x7f;
        let word = match self.code {
            si_code::CLD_EXITED => (status & 0xff) << 8,
            si_code::CLD_KILLED => low,
            si_code::CLD_DUMPED => low | 0x80,
            si_code::CLD_TRAPPED | si_code::CLD_STOPPED => (status << 8) | 0x7f,
            si_code::CLD_CONTINUED => 0xffff,
            _ => return None,
        };
        Some((pid, WaitStatus::from_raw(word)))
    }

    /// What waitid returns for a child with this status. Its uid and CPU times are not
    /// known: they are -1 and 0.
    #[must_use]
    pub(crate) fn of_child(pid: NsPid, status: WaitStatus) -> SigInfo {
        let (code, status) = match status.decode() {
            Status::Exited(code) => (si_code::CLD_EXITED, i32::from(code)),
            Status::Signaled { signal, core: true } => (si_code::CLD_DUMPED, signal.raw()),
            Status::Signaled { signal, .. } => (si_code::CLD_KILLED, signal.raw()),
            Status::Stopped { signal, .. } => (si_code::CLD_STOPPED, signal.raw()),
            Status::Continued => (si_code::CLD_CONTINUED, Signal::CONT.raw()),
            Status::Unknown => (0, status.raw()),
        };
        SigInfo {
            signo: Signal::CHLD,
            errno: 0,
            code,
            fields: Fields::Child {
                pid,
                uid: u32::MAX,
                status,
                utime: 0,
                stime: 0,
            },
        }
    }

    /// The `si_code` with this name; `SI_LWP` is the BSDs' name for `SI_TKILL`.
    #[must_use]
    pub(crate) fn code_of_name(signal: Signal, name: &str) -> Option<i32> {
        let name = if name == "SI_LWP" { "SI_TKILL" } else { name };
        (-64..=0x80).find(|code| si_code::name(signal, *code) == Some(name))
    }

    /// Whether a `si_code` of SIGCHLD means that the status is an exit code.
    #[must_use]
    pub(crate) fn tells_an_exit(code: i32) -> bool {
        code == si_code::CLD_EXITED
    }

    /// The name of `si_code`, if it has one.
    #[must_use]
    pub fn code_name(&self) -> Option<&'static str> {
        si_code::name(self.signo, self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::SiginfoLayout;
    use proptest::prelude::*;

    fn bytes(words: &[(usize, i32)]) -> [u8; 128] {
        let mut bytes = [0; 128];
        for (at, word) in words {
            bytes[*at..at + 4].copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    #[test]
    fn a_child_lies_at_its_own_offsets_in_each_layout() {
        let expected = "{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=77, si_uid=5, \
                        si_status=42, si_utime=8 /* 0.08 s */, si_stime=9 /* 0.09 s */}";
        let head = [(0, 17), (8, 1)];
        let wide = bytes(&[&head[..], &[(16, 77), (20, 5), (24, 42), (32, 8), (40, 9)]].concat());
        let narrow = bytes(&[&head[..], &[(12, 77), (16, 5), (20, 42), (24, 8), (28, 9)]].concat());
        let x32 = bytes(&[&head[..], &[(12, 77), (16, 5), (20, 42), (24, 8), (32, 9)]].concat());
        for (layout, bytes) in [
            (SiginfoLayout::Bits64, wide),
            (SiginfoLayout::Bits32, narrow),
            (SiginfoLayout::X32, x32),
        ] {
            let info = SigInfo::from_bytes(layout, &bytes).unwrap();
            assert_eq!(info.to_string(), expected, "{layout:?}");
            assert_eq!(
                info.child(),
                Some((NsPid::new(77), WaitStatus::from_raw(42 << 8)))
            );
        }
    }

    #[test]
    fn a_signal_number_in_the_status_is_named_unless_it_is_a_code() {
        let stopped = bytes(&[(0, 17), (8, 5), (16, 426), (24, 20)]);
        let info = SigInfo::from_native(&stopped).unwrap();
        assert!(
            info.to_string()
                .contains("si_code=CLD_STOPPED, si_pid=426, si_uid=0, si_status=SIGTSTP")
        );
        assert_eq!(info.child().unwrap().1.raw(), 0x147f);
    }

    #[test]
    fn nothing_to_report_is_an_empty_siginfo() {
        let info = SigInfo::from_native(&[0; 128]).unwrap();
        assert_eq!(info.to_string(), "{}");
        assert_eq!(info.child(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_decode_and_print(bytes: Vec<u8>) {
            for layout in [SiginfoLayout::Bits64, SiginfoLayout::Bits32, SiginfoLayout::X32] {
                let info = SigInfo::from_bytes(layout, &bytes);
                prop_assert!(info.is_some() || bytes.len() < 48);
                if let Some(info) = info {
                    let text = info.to_string();
                    prop_assert!(text.ends_with('}'), "{}", text);
                }
            }
        }

        #[test]
        fn any_signal_and_code_decode_and_print(signo in 0..70i32, code in -70..130i32, rest: [u8; 32]) {
            let mut bytes = bytes(&[(0, signo), (8, code)]);
            bytes[16..48].copy_from_slice(&rest);
            prop_assert!(SigInfo::from_native(&bytes).is_some());
        }
    }
}
