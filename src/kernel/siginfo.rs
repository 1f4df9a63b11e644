//! `siginfo_t`: what a signal or waitid says of its cause.

use std::fmt::{self, Write};

use super::bytes::{i32_at, i64_at, u32_at};
use super::{NsPid, SiginfoLayout, Signal, WaitStatus, si_code, syscall_names};

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
    /// By a POSIX timer.
    Timer { id: i32, overrun: i32, value: Value },
    /// By `sigqueue` and whatever else is sent from user space, or by the
    /// kernel for signals without members of their own.
    Queue { pid: NsPid, uid: u32, value: Value },
    /// A child's change of state. The clocks of waitid's are the caller's own
    /// garbage: the kernel does not write them.
    Child {
        pid: NsPid,
        uid: u32,
        status: i32,
        utime: i64,
        stime: i64,
    },
    /// A fault's address.
    Fault { addr: u64 },
    /// I/O readiness.
    Poll { band: i64, fd: i32 },
    /// A call that a filter forbids.
    Sys {
        call_addr: u64,
        syscall: i32,
        arch: u32,
    },
}

/// A `sigval`: an int or a pointer, as its sender meant it.
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
    /// Decode a siginfo; `None` if there are too few bytes (48 suffice).
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

    /// Decode a siginfo of this process's own layout, as ptrace gives it.
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

    /// The child and the status word that wait4 would give for it, if this is
    /// a child's change of state.
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

    /// Print as strace does, but pids by `pid`: it may add who they are.
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
            match super::Errno::from_raw(self.errno).name() {
                Some(name) => write!(to, ", si_errno={name}")?,
                None => write!(to, ", si_errno={}", self.errno)?,
            }
        }
        self.write_fields(to, pid)?;
        to.write_char('}')
    }

    fn write_fields(
        &self,
        to: &mut dyn Write,
        pid: &mut dyn FnMut(&mut dyn Write, NsPid) -> fmt::Result,
    ) -> fmt::Result {
        let mut source = |to: &mut dyn Write, from: NsPid, uid: u32| {
            to.write_str(", si_pid=")?;
            pid(to, from)?;
            write!(to, ", si_uid={uid}")
        };
        match self.fields {
            Fields::Kill { pid, uid } => source(to, pid, uid),
            Fields::Timer { id, overrun, value } => {
                write!(to, ", si_timerid={id:#x}, si_overrun={overrun}, {value}")
            }
            Fields::Queue { pid, uid, value } => {
                if self.code < 0 || pid.raw() != 0 || uid != 0 {
                    source(to, pid, uid)?;
                }
                if value.0 == 0 {
                    return Ok(());
                }
                write!(to, ", {value}")
            }
            Fields::Child {
                pid,
                uid,
                status,
                utime,
                stime,
            } => {
                source(to, pid, uid)?;
                to.write_str(", si_status=")?;
                if self.code == si_code::CLD_EXITED {
                    write!(to, "{status}")?;
                } else {
                    write!(to, "{}", Signal::from_raw(status))?;
                }
                write!(to, ", si_utime={utime}, si_stime={stime}")
            }
            Fields::Fault { addr: 0 } => to.write_str(", si_addr=NULL"),
            Fields::Fault { addr } => write!(to, ", si_addr={addr:#x}"),
            Fields::Poll { band, .. } => {
                if (1..=6).contains(&self.code) {
                    write!(to, ", si_band={band}")?;
                }
                Ok(())
            }
            Fields::Sys {
                call_addr,
                syscall,
                arch,
            } => write_sys(to, call_addr, syscall, arch),
        }
    }
}

/// `AUDIT_ARCH_X86_64`
const X86_64: u32 = 0xc000_003e;

fn write_sys(to: &mut dyn Write, call_addr: u64, syscall: i32, arch: u32) -> fmt::Result {
    match call_addr {
        0 => to.write_str(", si_call_addr=NULL")?,
        addr => write!(to, ", si_call_addr={addr:#x}")?,
    }
    let name = syscall_names::name(syscall).filter(|_| arch == X86_64);
    match name {
        Some(name) => write!(to, ", si_syscall=__NR_{name}")?,
        None => write!(to, ", si_syscall={syscall}")?,
    }
    let arch_name = match arch {
        X86_64 => "AUDIT_ARCH_X86_64",
        0x4000_0003 => "AUDIT_ARCH_I386",
        0xc000_00b7 => "AUDIT_ARCH_AARCH64",
        0x4000_0028 => "AUDIT_ARCH_ARM",
        0xc000_00f3 => "AUDIT_ARCH_RISCV64",
        _ => return write!(to, ", si_arch={arch:#x}"),
    };
    write!(to, ", si_arch={arch_name}")
}

/// The union's bytes, and how they lie.
struct Union<'a> {
    layout: SiginfoLayout,
    bytes: &'a [u8],
}

impl Union<'_> {
    fn fields(&self, signo: Signal, code: i32) -> Option<Fields> {
        // A code of 0 or less comes from user space, whatever the signal.
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
                _ => self.queue(),
            };
        }
        match signo {
            Signal::CHLD => self.child(),
            Signal::ILL | Signal::FPE | Signal::SEGV | Signal::BUS => Some(Fields::Fault {
                addr: self.pointer(0)?,
            }),
            Signal::IO => Some(Fields::Poll {
                band: self.long(0)?,
                fd: self.int(self.layout.offsets().pointer)?,
            }),
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

    fn child(&self) -> Option<Fields> {
        let union = self.layout.offsets().union;
        let (utime, stime) = match self.layout {
            SiginfoLayout::Bits64 => (i64_at(self.bytes, 32)?, i64_at(self.bytes, 40)?),
            SiginfoLayout::Bits32 => (
                i64::from(i32_at(self.bytes, 24)?),
                i64::from(i32_at(self.bytes, 28)?),
            ),
            // The clocks are aligned to 8 bytes.
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let int = (self.0 & 0xffff_ffff) as u32;
        write!(f, "si_value={{sival_int={}, sival_ptr=", int.cast_signed())?;
        match self.0 {
            0 => f.write_str("NULL}"),
            pointer => write!(f, "{pointer:#x}}}"),
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
                        si_status=42, si_utime=8, si_stime=9}";
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
