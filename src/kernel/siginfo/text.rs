//! A `siginfo_t` as strace prints it.

use std::fmt::{self, Write};

use super::{FaultDetail, Fields, SigInfo, Value};
use crate::kernel::spelling::{Clock, Hex, Pointer, Uid};
use crate::kernel::{Abi, Errno, NsPid, Signal, audit_arch, si_code, syscall_names};

impl SigInfo {
    /// Prints as strace does, but pids by `pid`, which may add a name. The times of a child
    /// can be left out: waitid does not write them (kernel/exit.c), and what strace prints
    /// for it is what the caller's memory held.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_with(
        &self,
        to: &mut dyn Write,
        pid: &mut dyn FnMut(&mut dyn Write, NsPid) -> fmt::Result,
        has_times: bool,
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
        self.write_fields(to, pid, has_times)?;
        to.write_char('}')
    }

    /// The members, each after a comma, in the format of strace's `printsiginfo.c`.
    fn write_fields(
        &self,
        to: &mut dyn Write,
        pid: &mut dyn FnMut(&mut dyn Write, NsPid) -> fmt::Result,
        has_times: bool,
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
                if !has_times {
                    return Ok(());
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
        self.write_with(f, &mut |to, pid| write!(to, "{pid}"), true)
    }
}
