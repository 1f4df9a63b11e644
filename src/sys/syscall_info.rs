//! `PTRACE_GET_SYSCALL_INFO` (Linux 5.3): the system call of a stopped tracee, independent
//! of its registers.
#![expect(unsafe_code, reason = "a ptrace request that fills a struct")]

use super::ptrace::{Fault, Stopped, request};

const PTRACE_GET_SYSCALL_INFO: super::ptrace::Request = 0x420e;

/// `struct ptrace_syscall_info` of `include/uapi/linux/ptrace.h`. Defined here, since libc
/// has it only for glibc. The union has the size of its largest member, seccomp.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Raw {
    op: u8,
    _reserved: u8,
    _flags: u16,
    arch: u32,
    instruction_pointer: u64,
    stack_pointer: u64,
    /// entry: `nr`, `args[6]`; exit: `rval`, `is_error`; seccomp: `nr`, `args[6]`,
    /// `ret_data`.
    union: [u64; 8],
}

/// Bytes that every result has: `op` to `stack_pointer`.
const HEADER_BYTES: usize = 24;

/// The kind of syscall-stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not in a syscall-stop.
    None,
    /// Syscall-entry-stop.
    Entry {
        /// The call's number, in the ABI given by `arch` and bit 30.
        nr: u64,
        /// The six argument registers, in full width.
        args: [u64; 6],
    },
    /// Syscall-exit-stop.
    Exit {
        /// The result, a negated errno if `is_error`.
        value: i64,
        /// Whether the kernel marks the result as an error.
        is_error: bool,
    },
    /// A seccomp filter returned `SECCOMP_RET_TRACE` for a call.
    Seccomp {
        /// The call's number.
        nr: u64,
        /// The six argument registers, in full width.
        args: [u64; 6],
        /// The filter's `SECCOMP_RET_DATA`.
        data: u32,
    },
}

/// The result of `PTRACE_GET_SYSCALL_INFO`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyscallInfo {
    /// `AUDIT_ARCH_*` of the call, or of the task outside a call.
    pub(crate) arch: u32,
    /// Where the task will continue; with the stack pointer it distinguishes a restarted call
    /// from a new one.
    pub(crate) instruction_pointer: u64,
    /// The stack pointer.
    pub(crate) stack_pointer: u64,
    /// Entry, exit, seccomp or none.
    pub(crate) phase: Phase,
}

impl Stopped {
    /// The system call of the tracee.
    pub(crate) fn syscall_info(&self) -> Result<SyscallInfo, Fault> {
        let mut raw = Raw::default();
        // SAFETY: `raw` is writable for exactly the size that is passed, and
        // every bit pattern is valid for it.
        let length = unsafe {
            request(
                PTRACE_GET_SYSCALL_INFO,
                self.tid(),
                size_of::<Raw>(),
                (&raw mut raw).cast(),
            )
        }?;
        // A kernel may return fewer bytes: never use what it did not write.
        let has = |words: usize| usize::try_from(length).unwrap_or(0) >= HEADER_BYTES + words * 8;
        let [first, a, b, c, d, e, f, last] = raw.union;
        let args = [a, b, c, d, e, f];
        let phase = match raw.op {
            1 if has(7) => Phase::Entry { nr: first, args },
            // is_error is one byte, after rval: 33 bytes in total.
            2 if has(1) => Phase::Exit {
                value: first.cast_signed(),
                is_error: a & 0xff != 0,
            },
            // ret_data is 32 bits wide: 84 bytes in total.
            3 if has(7) => Phase::Seccomp {
                nr: first,
                args,
                data: (last & 0xffff_ffff) as u32,
            },
            _ => Phase::None,
        };
        Ok(SyscallInfo {
            arch: raw.arch,
            instruction_pointer: raw.instruction_pointer,
            stack_pointer: raw.stack_pointer,
            phase,
        })
    }
}

/// Whether the kernel has `PTRACE_GET_SYSCALL_INFO`. The version decides: without a tracee,
/// both a known and an unknown request fail with ESRCH.
pub(crate) fn kernel_is_new_enough() -> Result<(), String> {
    let release = nix::sys::utsname::uname()
        .map(|name| name.release().to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version == (0, 0) || version >= (5, 3) {
        Ok(())
    } else {
        Err(release)
    }
}
