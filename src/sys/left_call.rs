//! Changes to the system call that a tracee enters or leaves: skip it, make it again,
//! let it return something else.
//!
//! x86 has the number in `orig_rax`, and decides after a stop on the way out of the
//! kernel, by the result, whether the call is made again. aarch64 has the number in a
//! register set of its own, where -1 means no call, and has decided before the stop:
//! there a call is made again by going back to its instruction
//! (`arch/arm64/kernel/signal.c`, `do_signal`).

use super::ptrace::{Fault, Stopped};
use super::registers::{Layout, Registers};
use crate::kernel::{Abi, Errno};

/// -1: the tracee is in no call.
const NO_CALL: i32 = -1;

/// A call that a tracee is on its way out of, by its registers.
pub(crate) struct LeftCall {
    registers: Registers,
    layout: &'static Layout,
}

/// What becomes of a call that was woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It returns 0, or fails.
    Returns(Result<(), Errno>),
    /// It is made again, unless a handler runs first.
    IsMadeAgain,
}

impl LeftCall {
    /// Its number, in the ABI of the stop.
    pub(crate) fn nr(&self) -> u64 {
        self.registers.get(self.layout.nr, self.layout.word)
    }

    /// The argument registers of the 64-bit ABI. On aarch64 the result is in the first
    /// one's place, which is then `first`.
    pub(crate) fn arguments(&self, first: Option<u64>) -> Option<[u64; 6]> {
        /// rdi, rsi, rdx, r10, r8, r9.
        const X86_64: [usize; 6] = [112, 104, 96, 56, 72, 64];
        match self.layout.abi {
            Abi::X86_64 => Some(X86_64.map(|offset| self.registers.get(offset, 8))),
            Abi::Aarch64 => {
                let mut all = std::array::from_fn(|index| self.registers.get(index * 8, 8));
                if let Some(place) = all.first_mut() {
                    *place = first?;
                }
                Some(all)
            }
            _ => None,
        }
    }

    /// Whether the first argument is not in the registers any more.
    pub(crate) fn lacks_first(&self) -> bool {
        self.layout.abi == Abi::Aarch64
    }
}

/// Whether calls that were woken by a stop of ours are made again on this architecture.
/// Not yet on aarch64, where some of them then fail or do not wake.
pub(crate) const REWINDS: bool = cfg!(target_arch = "x86_64");

/// The length of the instruction of a call, in bytes: `syscall` and `int $0x80`, or `svc`.
fn instruction_length(abi: Abi) -> Option<u64> {
    match abi {
        Abi::X86_64 | Abi::I386 => Some(2),
        Abi::Aarch64 => Some(4),
        _ => None,
    }
}

impl Stopped {
    /// Makes the system call at whose entry the tracee is fail with `errno`, without running
    /// it. Has no effect where that is not possible: 32-bit code on aarch64, riscv.
    pub(crate) fn fail_call(&self, errno: Errno) -> Result<(), Fault> {
        self.skip_call(|registers, layout| registers.set_error(layout, errno))
    }

    /// Makes the tracee return to the instruction of the system call at whose entry it is.
    /// Pending signals are delivered before that. Has no effect where that is not possible.
    pub(crate) fn rewind_call(&self) -> Result<(), Fault> {
        self.skip_call(|registers, layout| {
            let Some(length) = instruction_length(layout.abi) else {
                return;
            };
            if layout.abi != Abi::Aarch64 {
                // The number's register is the result's.
                let nr = registers.get(layout.nr, layout.word);
                registers.set_result(layout, nr);
            }
            let at = registers.instruction_pointer(layout).wrapping_sub(length);
            registers.set_instruction_pointer(layout, at);
        })
    }

    /// Has the kernel skip the call at whose entry the tracee is, and changes its
    /// registers.
    fn skip_call(&self, change: impl FnOnce(&mut Registers, &Layout)) -> Result<(), Fault> {
        let mut registers = self.registers()?;
        let Some(layout) = registers.layout() else {
            return Ok(());
        };
        match layout.abi {
            Abi::X86_64 | Abi::I386 => {
                change(&mut registers, layout);
                registers.put(layout.nr, layout.word, u64::MAX);
                self.set_registers(&mut registers)
            }
            Abi::Aarch64 => {
                change(&mut registers, layout);
                self.set_system_call(NO_CALL)?;
                self.set_registers(&mut registers)
            }
            _ => Ok(()),
        }
    }

    /// Whether the call that the tracee was woken from has failed with EINTR;
    /// `false` also where calls are not made again. As this is
    /// asked at each delivery of a signal, x86-64 reads one word alone.
    pub(crate) fn has_eintr(&self) -> bool {
        /// Byte offset of rax in `struct user_regs_struct`.
        const RAX: usize = 80;
        if !REWINDS {
            return false;
        }
        if cfg!(target_arch = "x86_64") {
            let word = self.peek_word(libc::PTRACE_PEEKUSER, RAX);
            // A 32-bit call's result is not extended.
            return word.is_ok_and(|word| word.starts_with(&(-Errno::INTR.raw()).to_le_bytes()));
        }
        self.left_call()
            .is_ok_and(|call| call.has_failed_with_eintr())
    }

    /// The call that the tracee is on its way out of.
    ///
    /// # Errors
    /// Those of `PTRACE_GETREGSET`; [`Fault::Gone`] also for an architecture on which calls
    /// are not made again.
    pub(crate) fn left_call(&self) -> Result<LeftCall, Fault> {
        let registers = self.registers()?;
        let layout = registers.layout().ok_or(Fault::Gone)?;
        instruction_length(layout.abi).ok_or(Fault::Gone)?;
        Ok(LeftCall { registers, layout })
    }

    /// On aarch64, in a stop on the way out of a call: has the kernel know the call's
    /// number while `look` runs, so that `/proc` shows its arguments. The kernel keeps the
    /// first one, and shows it nowhere else.
    pub(crate) fn with_call_shown<T>(
        &self,
        call: &LeftCall,
        look: impl FnOnce() -> Option<T>,
    ) -> Option<T> {
        let nr = i32::try_from(call.nr()).ok()?;
        self.set_system_call(nr).ok()?;
        let found = look();
        self.set_system_call(NO_CALL).ok()?;
        found
    }

    /// Lets the call end as `outcome` says, which failed with EINTR. Only in a stop on the
    /// way out of the kernel, where it looks for signals. `first` is the first argument,
    /// where the registers lack it.
    ///
    /// To make it again unless a handler runs first, x86 needs the result ERESTARTNOHAND,
    /// on which the kernel acts. On aarch64 the tracee goes back to the instruction here;
    /// [`Stopped::undo_rewind`] is then for the caller to do before a handler runs.
    pub(crate) fn leave_with(
        &self,
        call: LeftCall,
        outcome: Outcome,
        first: Option<u64>,
    ) -> Result<(), Fault> {
        let LeftCall {
            mut registers,
            layout,
        } = call;
        match outcome {
            Outcome::Returns(Ok(())) => registers.set_result(layout, 0),
            Outcome::Returns(Err(errno)) => registers.set_error(layout, errno),
            Outcome::IsMadeAgain if layout.abi == Abi::Aarch64 => {
                let Some(first) = first else {
                    return Ok(());
                };
                registers.set_result(layout, first);
                let at = registers.instruction_pointer(layout).wrapping_sub(SVC);
                registers.set_instruction_pointer(layout, at);
            }
            Outcome::IsMadeAgain => registers.set_error(layout, Errno::RESTARTNOHAND),
        }
        self.set_registers(&mut registers)
    }

    /// On aarch64, before a handler runs: if the tracee was sent back to the instruction of
    /// a call at `at`, and is still there, the call fails with EINTR after all.
    pub(crate) fn undo_rewind(&self, at: u64) -> Result<(), Fault> {
        let mut registers = self.registers()?;
        let Some(layout) = registers.layout() else {
            return Ok(());
        };
        if layout.abi != Abi::Aarch64 || registers.instruction_pointer(layout) != at {
            return Ok(());
        }
        registers.set_error(layout, Errno::INTR);
        registers.set_instruction_pointer(layout, at.wrapping_add(SVC));
        self.set_registers(&mut registers)
    }
}

/// Bytes of `svc`, the instruction of a call on aarch64.
const SVC: u64 = 4;

impl LeftCall {
    /// The instruction that the call was made by.
    pub(crate) fn instruction(&self) -> u64 {
        let length = instruction_length(self.layout.abi).unwrap_or(0);
        self.registers
            .instruction_pointer(self.layout)
            .wrapping_sub(length)
    }

    /// The stack pointer.
    pub(crate) fn stack_pointer(&self) -> u64 {
        self.registers
            .get(self.layout.stack_pointer, self.layout.word)
    }

    fn has_failed_with_eintr(&self) -> bool {
        let eintr = i64::from(-Errno::INTR.raw()).cast_unsigned();
        self.registers.result(self.layout) == eintr
    }
}
