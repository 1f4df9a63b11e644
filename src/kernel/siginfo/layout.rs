//! Where the members of a `siginfo_t` lie, in each ABI's layout.

use super::{FaultDetail, Fields, SigInfo, Value};
use crate::kernel::bytes::{i32_at, i64_at, u32_at};
use crate::kernel::{NsPid, SiginfoLayout, Signal, si_code};

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
}

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
