//! What the frame of a signal handler says of the call that it interrupted.

use super::ptrace::Stopped;
use super::registers::{Layout, Registers};
use crate::kernel::{Abi, Errno};

/// Registers of x86 that point to the frame, by their byte offsets.
mod x86 {
    pub(super) const RDX: usize = 96;
    pub(super) const ECX: usize = 4;
}

/// Bytes of a siginfo, the first member of the frames of aarch64 and arm.
const SIGINFO: u64 = 128;

impl Stopped {
    /// Where the tracee is before a handler runs, which [`Stopped::saved_eintr`] needs on
    /// aarch64 alone: elsewhere 0, and nothing is asked for.
    pub(crate) fn before_handler(&self) -> u64 {
        if !cfg!(target_arch = "aarch64") {
            return 0;
        }
        self.syscall_info()
            .map_or(0, |info| info.instruction_pointer)
    }

    /// At a handler's first instruction: whether the interrupted code will see that its call
    /// failed with EINTR; else the kernel makes the call again. `stopped_at` is what
    /// [`Stopped::before_handler`] returned in the stop before.
    ///
    /// `Ok(None)` if the frame's layout is not supported (riscv). The frames are `struct
    /// rt_sigframe` and `sigframe_ia32` of the kernel's `arch/x86/include/asm/sigframe.h`,
    /// those of `arch/arm64/kernel/signal.c` and `signal32.c`.
    pub(crate) fn saved_eintr(&self, stopped_at: u64) -> Result<Option<bool>, Errno> {
        let registers = self.registers()?;
        let Some(layout) = registers.layout() else {
            return Ok(None);
        };
        match layout.abi {
            Abi::X86_64 => {
                // rdx is &ucontext; uc_mcontext starts at 40 and rax is its 14th word.
                let context = registers.get(x86::RDX, 8).wrapping_add(40);
                Ok(Some(is_eintr(self.wide(context.wrapping_add(13 * 8))?)))
            }
            Abi::I386 => {
                // ecx is &ucontext with SA_SIGINFO, else 0 and the sigcontext
                // lies two words above the stack pointer.
                let context = match registers.get(x86::ECX, 4) {
                    0 => sp(&registers, layout).wrapping_add(8),
                    ucontext => ucontext.wrapping_add(20),
                };
                Ok(Some(is_eintr(self.narrow(context.wrapping_add(44))?)))
            }
            Abi::Aarch64 => {
                // After the siginfo a ucontext, whose sigcontext starts at 176; x0 is its
                // second word, pc its 34th.
                let context = sp(&registers, layout).wrapping_add(SIGINFO + 176);
                let result = self.wide(context.wrapping_add(8))?;
                let at = self.wide(context.wrapping_add(33 * 8))?;
                Ok(Some(fails(result, at.cast_unsigned(), stopped_at)))
            }
            Abi::Arm => {
                // A frame without siginfo begins with this number, where uc_flags would be.
                const PLAIN: i64 = 0x5ac3_c35a;
                let sp = sp(&registers, layout);
                let plain = self.narrow(sp)? == PLAIN;
                let ucontext = sp.wrapping_add(if plain { 0 } else { SIGINFO });
                // Its sigcontext starts at 20; r0 is the fourth word, pc the 19th.
                let context = ucontext.wrapping_add(20);
                let result = self.narrow(context.wrapping_add(3 * 4))?;
                let at = self.narrow(context.wrapping_add(18 * 4))?;
                let at = at.cast_unsigned() & 0xffff_ffff;
                Ok(Some(fails(result, at, stopped_at)))
            }
            _ => Ok(None),
        }
    }

    fn wide(&self, at: u64) -> Result<i64, Errno> {
        let mut word = [0u8; 8];
        self.read(at, &mut word)?;
        Ok(i64::from_ne_bytes(word))
    }

    fn narrow(&self, at: u64) -> Result<i64, Errno> {
        let mut word = [0u8; 4];
        self.read(at, &mut word)?;
        Ok(i64::from(i32::from_ne_bytes(word)))
    }
}

fn sp(registers: &Registers, layout: &Layout) -> u64 {
    registers.get(layout.stack_pointer, layout.word)
}

fn is_eintr(result: i64) -> bool {
    result == -i64::from(Errno::INTR.raw())
}

/// Whether a call fails on aarch64, where the register of the result is that of the first
/// argument too, which may be -4. In the stop before the handler the tracee was back at
/// the instruction of a call that may be made again; if it fails, it goes on behind it.
fn fails(result: i64, at: u64, stopped_at: u64) -> bool {
    is_eintr(result) && at != stopped_at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_argument_of_minus_four_is_no_error_on_aarch64() {
        // The call is made again for the process group 4.
        assert!(!fails(-4, 0x40_1000, 0x40_1000));
        assert!(fails(-4, 0x40_1004, 0x40_1000));
        assert!(!fails(7, 0x40_1000, 0x40_1000));
    }
}
