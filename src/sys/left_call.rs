//! Changes to the system call that a tracee enters or leaves: skip it, make it again,
//! let it return something else.
//!
//! x86 has the number in `orig_rax`, and decides after a stop on the way out of the
//! kernel, by the result, whether the call is made again. aarch64 has the number in a
//! register set of its own, where -1 means no call, and has decided before the stop
//! (`arch/arm64/kernel/signal.c`, `do_signal`): there a call can be skipped, but none is
//! made again.

use super::ptrace::{Fault, Stopped};
use super::registers::{Layout, Registers};
use crate::kernel::{Abi, Errno};

/// Whether calls that were woken by a stop of ours are made again on this architecture.
pub(crate) const REWINDS: bool = cfg!(target_arch = "x86_64");

/// A call that a tracee on x86 is on its way out of, by its registers.
pub(crate) struct LeftCall {
    registers: Registers,
    layout: &'static Layout,
}

impl LeftCall {
    /// Its number, in the ABI of the stop.
    pub(crate) fn nr(&self) -> u64 {
        self.registers.get(self.layout.nr, self.layout.word)
    }

    /// The argument registers of the 64-bit ABI.
    pub(crate) fn arguments(&self) -> Option<[u64; 6]> {
        /// rdi, rsi, rdx, r10, r8, r9.
        const OFFSETS: [usize; 6] = [112, 104, 96, 56, 72, 64];
        let is_64_bit = self.layout.abi == Abi::X86_64;
        is_64_bit.then(|| OFFSETS.map(|offset| self.registers.get(offset, 8)))
    }
}

impl Stopped {
    /// Makes the system call at whose entry the tracee is fail with `errno`, without running
    /// it. Has no effect where that is not possible: 32-bit code on aarch64, riscv.
    pub(crate) fn fail_call(&self, errno: Errno) -> Result<(), Fault> {
        /// -1: the tracee is in no call.
        const NO_CALL: i32 = -1;
        let mut registers = self.registers()?;
        let Some(layout) = registers.layout() else {
            return Ok(());
        };
        match layout.abi {
            Abi::X86_64 | Abi::I386 => registers.put(layout.nr, layout.word, u64::MAX),
            Abi::Aarch64 => self.set_system_call(NO_CALL)?,
            _ => return Ok(()),
        }
        registers.set_error(layout, errno);
        self.set_registers(&mut registers)
    }

    /// Makes the tracee return to the instruction of the system call at whose entry it is.
    /// Pending signals are delivered before that. x86 only; elsewhere the call is
    /// unchanged.
    pub(crate) fn rewind_call(&self) -> Result<(), Fault> {
        /// Length of both `syscall` and `int $0x80`, in bytes.
        const INSTRUCTION: u64 = 2;
        let mut registers = self.registers()?;
        let Some(layout) = registers.layout().filter(|layout| is_x86(layout)) else {
            return Ok(());
        };
        // The number's register is the result's.
        let nr = registers.get(layout.nr, layout.word);
        registers.put(layout.nr, layout.word, u64::MAX);
        registers.set_result(layout, nr);
        let at = registers.instruction_pointer(layout);
        registers.set_instruction_pointer(layout, at.wrapping_sub(INSTRUCTION));
        self.set_registers(&mut registers)
    }

    /// Whether the call that the tracee was woken from has failed with EINTR;
    /// `false` also where calls are not made again. One word is read, as this is asked
    /// at each delivery of a signal.
    pub(crate) fn has_eintr(&self) -> bool {
        /// Byte offset of rax in `struct user_regs_struct`.
        const RAX: usize = 80;
        if !REWINDS {
            return false;
        }
        let word = self.peek_word(libc::PTRACE_PEEKUSER, RAX);
        // A 32-bit call's result is not extended.
        word.is_ok_and(|word| word.starts_with(&(-Errno::INTR.raw()).to_le_bytes()))
    }

    /// The call that the tracee is on its way out of.
    ///
    /// # Errors
    /// Those of `PTRACE_GETREGSET`; [`Fault::Gone`] also where the registers are not
    /// those of x86.
    pub(crate) fn left_call(&self) -> Result<LeftCall, Fault> {
        let registers = self.registers()?;
        let layout = registers.layout().filter(|layout| is_x86(layout));
        let layout = layout.ok_or(Fault::Gone)?;
        Ok(LeftCall { registers, layout })
    }

    /// Have the kernel make the call again that failed with EINTR, unless a
    /// handler runs first: ERESTARTNOHAND as its result does that. In a stop on
    /// the way out of the kernel only, where it looks for signals: there it acts
    /// on that result.
    pub(crate) fn restart_unless_handled(&self, call: LeftCall) -> Result<(), Fault> {
        self.leave_with(call, Err(Errno::RESTARTNOHAND))
    }

    /// Have the call that the tracee is on its way out of return 0, or fail.
    pub(crate) fn leave_with(
        &self,
        call: LeftCall,
        result: Result<(), Errno>,
    ) -> Result<(), Fault> {
        let LeftCall {
            mut registers,
            layout,
        } = call;
        match result {
            Ok(()) => registers.set_result(layout, 0),
            Err(errno) => registers.set_error(layout, errno),
        }
        self.set_registers(&mut registers)
    }
}

fn is_x86(layout: &Layout) -> bool {
    matches!(layout.abi, Abi::X86_64 | Abi::I386)
}
