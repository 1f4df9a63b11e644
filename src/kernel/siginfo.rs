//! `siginfo_t`: the cause of a signal, or the result of waitid.

use std::fmt::{self, Write};

use super::bytes::{i32_at, i64_at, u32_at};
use super::spelling::{Clock, Hex, Pointer, Uid};
use super::{Abi, audit_arch, si_code, syscall_names};
use super::{Errno, NsPid, SiginfoLayout, Signal, Status, WaitStatus};

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

/// Byte offsets of a layout.
struct Offsets {
    union: usize,
    pointer: usize,
}

impl SiginfoLayout {
    const fn offsets(self) -> Offsets {
        match self {
            SiginfoLayout::Bits64 => Offsets {
                union: 16,
                pointer: 8,
            },
            SiginfoLayout::Bits32 | SiginfoLayout::X32 => Offsets {
                union: 12,
                pointer: 4,
            },
        }
    }
}

impl SigInfo {
    /// Decodes a siginfo; `None` if there are too few bytes (48 suffice).
    #[must_use]
    pub fn from_bytes(layout: SiginfoLayout, bytes: &[u8]) -> Option<SigInfo> {
        let signo = Signal::from_raw(i32_at(bytes, 0)?);
        let errno = i32_at(bytes, 4)?;
        let code = i32_at(bytes, 8)?;
        let fields = Union { layout, bytes }.fields(signo, code)?;
        Some(SigInfo {
            signo,
            errno,
            code,
            fields,
        })
    }

    /// Decodes a siginfo in this process's own layout, as ptrace returns it.
    #[must_use]
    pub fn from_native(bytes: &[u8; 128]) -> Option<SigInfo> {
        let layout = if cfg!(target_pointer_width = "64") {
            SiginfoLayout::Bits64
        } else {
            SiginfoLayout::Bits32
        };
        SigInfo::from_bytes(layout, bytes)
    }

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

    /// Prints as strace does, but pids by `pid`, which may add a name.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_with(
        &self,
        to: &mut dyn Write,
        pid: &mut dyn FnMut(&mut dyn Write, NsPid) -> fmt::Result,
    ) -> fmt::Result {
        if self.signo.raw() == 0 {
            return to.write_str("{}");
        }
        write!(to, "{{si_signo={}, si_code=", self.signo)?;
        match si_code::name(self.signo, self.code) {
            Some(name) => to.write_str(name)?,
            None => write!(to, "{:#x}", self.code)?,
        }
        if self.errno != 0 {
            match Errno::from_raw(self.errno).name() {
                Some(name) => write!(to, ", si_errno={name}")?,
                None => write!(to, ", si_errno={}", self.errno.cast_unsigned())?,
            }
        }
        self.write_fields(to, pid)?;
        to.write_char('}')
    }

    /// The members, each after a comma, in the format of strace's `printsiginfo.c`.
    fn write_fields(
        &self,
        to: &mut dyn Write,
        pid: &mut dyn FnMut(&mut dyn Write, NsPid) -> fmt::Result,
    ) -> fmt::Result {
        let mut source = |to: &mut dyn Write, from: NsPid, uid: u32| {
            to.write_str(", si_pid=")?;
            pid(to, from)?;
            write!(to, ", si_uid={}", Uid(uid))
        };
        match self.fields {
            Fields::Kill { pid, uid } => source(to, pid, uid),
            Fields::Timer { id, overrun, value } => {
                let id = Hex(id.cast_unsigned().into());
                write!(to, ", si_timerid={id}, si_overrun={overrun}, {value}")
            }
            Fields::Queue { pid, uid, value } => {
                // Signals from the kernel may have no sender.
                if self.code < 0 || pid.raw() != 0 || uid != 0 {
                    source(to, pid, uid)?;
                }
                match value.0 {
                    0 => Ok(()),
                    _ => write!(to, ", {value}"),
                }
            }
            Fields::Child {
                pid,
                uid,
                status,
                utime,
                stime,
            } => {
                source(to, pid, uid)?;
                if self.code == si_code::CLD_EXITED {
                    write!(to, ", si_status={status}")?;
                } else {
                    write!(to, ", si_status={}", Signal::from_raw(status))?;
                }
                let (utime, stime) = (Clock(utime), Clock(stime));
                write!(to, ", si_utime={utime}, si_stime={stime}")
            }
            Fields::Fault { addr, detail } => {
                write!(to, ", si_addr={}{detail}", Pointer(addr))
            }
            Fields::Poll { band, fd } => write!(to, ", si_band={band}, si_fd={fd}"),
            Fields::Nothing => Ok(()),
            Fields::Sys {
                call_addr,
                syscall,
                arch,
            } => write_sys(to, call_addr, syscall, arch),
        }
    }
}

/// The members of SIGSYS. strace prints calls of the tracee's own ABI as `__NR_…`,
/// and of other ABIs that its build supports as `7 /* waitpid */`; here only
/// 64-bit calls have names, and an i386 tracee's number stays a number.
fn write_sys(to: &mut dyn Write, call_addr: u64, syscall: i32, arch: u32) -> fmt::Result {
    write!(to, ", si_call_addr={}", Pointer(call_addr))?;
    let number = u64::from(syscall.cast_unsigned());
    let abi = Abi::from_audit(arch, number);
    match abi.and_then(|abi| syscall_names::name(abi, number)) {
        Some(name) => write!(to, ", si_syscall=__NR_{name}")?,
        None => write!(to, ", si_syscall={}", syscall.cast_unsigned())?,
    }
    if let Some(name) = audit_arch::name(arch) {
        return write!(to, ", si_arch={name}");
    }
    write!(to, ", si_arch={} /* AUDIT_ARCH_??? */", Hex(arch.into()))
}

/// The bytes of the union, and their layout.
struct Union<'a> {
    layout: SiginfoLayout,
    bytes: &'a [u8],
}

impl Union<'_> {
    fn fields(&self, signo: Signal, code: i32) -> Option<Fields> {
        // A code of 0 or less comes from user space, for every signal.
        if code <= 0 {
            return match code {
                si_code::SI_USER | si_code::SI_TKILL => Some(Fields::Kill {
                    pid: self.pid()?,
                    uid: self.uid()?,
                }),
                si_code::SI_TIMER => Some(Fields::Timer {
                    id: self.int(0)?,
                    overrun: self.int(4)?,
                    value: self.value()?,
                }),
                si_code::SI_SIGIO => self.poll(),
                _ => self.queue(),
            };
        }
        match signo {
            Signal::CHLD => self.child(),
            Signal::ILL | Signal::FPE | Signal::SEGV | Signal::BUS | Signal::TRAP => {
                self.fault(signo, code)
            }
            Signal::IO if (si_code::POLL_IN..=si_code::POLL_HUP).contains(&code) => self.poll(),
            Signal::IO => Some(Fields::Nothing),
            Signal::SYS => {
                let pointer = self.layout.offsets().pointer;
                Some(Fields::Sys {
                    call_addr: self.pointer(0)?,
                    syscall: self.int(pointer)?,
                    arch: self.int(pointer + 4)?.cast_unsigned(),
                })
            }
            _ => self.queue(),
        }
    }

    fn queue(&self) -> Option<Fields> {
        Some(Fields::Queue {
            pid: self.pid()?,
            uid: self.uid()?,
            value: self.value()?,
        })
    }

    fn poll(&self) -> Option<Fields> {
        Some(Fields::Poll {
            band: self.long(0)?,
            fd: self.int(self.layout.offsets().pointer)?,
        })
    }

    /// `_sigfault`: the address is followed by a short, or, at the offset of a pointer,
    /// by bounds or a key.
    fn fault(&self, signo: Signal, code: i32) -> Option<Fields> {
        let pointer = self.layout.offsets().pointer;
        let detail = match (signo, code) {
            (Signal::BUS, si_code::BUS_MCEERR_AR | si_code::BUS_MCEERR_AO) => {
                let word = self.int(pointer)?.cast_unsigned();
                let addr_lsb = (word & 0xffff) as u16;
                FaultDetail::Lsb { addr_lsb }
            }
            (Signal::SEGV, si_code::SEGV_BNDERR) => FaultDetail::Bounds {
                lower: self.pointer(2 * pointer)?,
                upper: self.pointer(3 * pointer)?,
            },
            (Signal::SEGV, si_code::SEGV_PKUERR) => FaultDetail::Key {
                pkey: self.int(2 * pointer)?.cast_unsigned(),
            },
            _ => FaultDetail::None,
        };
        let addr = self.pointer(0)?;
        Some(Fields::Fault { addr, detail })
    }

    fn child(&self) -> Option<Fields> {
        let union = self.layout.offsets().union;
        let (utime, stime) = match self.layout {
            SiginfoLayout::Bits64 => (i64_at(self.bytes, 32)?, i64_at(self.bytes, 40)?),
            SiginfoLayout::Bits32 => (
                i64::from(i32_at(self.bytes, 24)?),
                i64::from(i32_at(self.bytes, 28)?),
            ),
            // 8 bytes, directly after the status (`_sigchld_x32`).
            SiginfoLayout::X32 => (i64_at(self.bytes, 24)?, i64_at(self.bytes, 32)?),
        };
        Some(Fields::Child {
            pid: self.pid()?,
            uid: self.uid()?,
            status: i32_at(self.bytes, union + 8)?,
            utime,
            stime,
        })
    }

    fn pid(&self) -> Option<NsPid> {
        self.int(0).map(NsPid::new)
    }

    fn uid(&self) -> Option<u32> {
        u32_at(self.bytes, self.layout.offsets().union + 4)
    }

    fn value(&self) -> Option<Value> {
        self.pointer(8).map(Value)
    }

    fn int(&self, offset: usize) -> Option<i32> {
        i32_at(self.bytes, self.layout.offsets().union + offset)
    }

    fn long(&self, offset: usize) -> Option<i64> {
        let at = self.layout.offsets().union + offset;
        match self.layout {
            SiginfoLayout::Bits64 => i64_at(self.bytes, at),
            SiginfoLayout::Bits32 | SiginfoLayout::X32 => i32_at(self.bytes, at).map(i64::from),
        }
    }

    fn pointer(&self, offset: usize) -> Option<u64> {
        let at = self.layout.offsets().union + offset;
        match self.layout {
            SiginfoLayout::Bits64 => i64_at(self.bytes, at).map(i64::cast_unsigned),
            SiginfoLayout::Bits32 | SiginfoLayout::X32 => u32_at(self.bytes, at).map(u64::from),
        }
    }
}

impl fmt::Display for Value {
    /// As int and as pointer, as strace prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let int = (self.0 & 0xffff_ffff) as u32;
        let pointer = Pointer(self.0);
        write!(f, "si_int={}, si_ptr={pointer}", int.cast_signed())
    }
}

impl fmt::Display for FaultDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            FaultDetail::None => Ok(()),
            FaultDetail::Lsb { addr_lsb } => write!(f, ", si_addr_lsb={}", Hex(addr_lsb.into())),
            FaultDetail::Bounds { lower, upper } => {
                let (lower, upper) = (Pointer(lower), Pointer(upper));
                write!(f, ", si_lower={lower}, si_upper={upper}")
            }
            FaultDetail::Key { pkey } => write!(f, ", si_pkey={pkey}"),
        }
    }
}

impl fmt::Display for SigInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_with(f, &mut |to, pid| write!(to, "{pid}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
