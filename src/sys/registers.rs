//! Registers that no other request returns: the flags of the call that created a child,
//! and the result that is saved in a signal frame.
#![expect(unsafe_code, reason = "PTRACE_GETREGSET and SETREGSET")]

use super::ptrace::{Fault, Stopped, request};
use crate::kernel::{Abi, CloneCall, Errno};

/// Room for the general registers of every supported architecture, in bytes.
const MOST_BYTES: usize = 512;

/// The general registers, in the layout of the kernel's `NT_PRSTATUS` regset. The regset's
/// length identifies the layout: no two are equally long.
pub(crate) struct Registers {
    bytes: [u8; MOST_BYTES],
    length: usize,
}

/// Byte offsets of the registers that are used.
struct Layout {
    abi: Abi,
    word: usize,
    nr: usize,
    first_argument: usize,
}

/// Byte offsets of the x86 registers that are changed to repeat or skip a call.
struct X86 {
    result: usize,
    instruction_pointer: usize,
}

const LAYOUTS: [(usize, Layout); 5] = [
    // struct user_regs_struct: rdi, orig_rax
    (216, layout(Abi::X86_64, 8, 120, 112)),
    // struct user_regs_struct32: ebx, orig_eax
    (68, layout(Abi::I386, 4, 44, 0)),
    // struct user_pt_regs: x0, x8
    (272, layout(Abi::Aarch64, 8, 64, 0)),
    // struct pt_regs of arm: ORIG_r0, r7
    (72, layout(Abi::Arm, 4, 28, 68)),
    // struct user_regs_struct of riscv: a0, a7
    (256, layout(Abi::Riscv64, 8, 136, 80)),
];

const fn layout(abi: Abi, word: usize, nr: usize, first_argument: usize) -> Layout {
    Layout {
        abi,
        word,
        nr,
        first_argument,
    }
}

/// A call that a tracee on x86 is on its way out of, by its registers.
pub(crate) struct LeftCall {
    registers: Registers,
    layout: &'static Layout,
    x86: X86,
}

impl LeftCall {
    /// Its number, in the ABI of the stop.
    pub(crate) fn nr(&self) -> u64 {
        self.registers.get(self.layout.nr, self.layout.word)
    }

    /// The argument registers of the 64-bit ABI.
    pub(crate) fn arguments(&self) -> Option<[u64; 6]> {
        let is_64_bit = self.layout.abi == Abi::X86_64;
        is_64_bit.then(|| x86::ARGUMENTS.map(|offset| self.registers.get(offset, 8)))
    }
}

/// Registers of x86 that only the signal frame, or a call's arguments, need.
mod x86 {
    pub(super) const RAX: usize = 80;
    pub(super) const RBX: usize = 40;
    pub(super) const RDX: usize = 96;
    pub(super) const ECX: usize = 4;
    /// rdi, rsi, rdx, r10, r8, r9.
    pub(super) const ARGUMENTS: [usize; 6] = [112, 104, 96, 56, 72, 64];
    pub(super) const ESP: usize = 60;
}

impl Stopped {
    /// All general registers.
    pub(crate) fn registers(&self) -> Result<Registers, Fault> {
        let mut bytes = [0u8; MOST_BYTES];
        let mut part = libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        // SAFETY: the kernel writes at most iov_len bytes to `bytes` and the
        // count to `part`; both outlive the call.
        unsafe {
            request(
                libc::PTRACE_GETREGSET,
                self.tid(),
                libc::NT_PRSTATUS as usize,
                (&raw mut part).cast(),
            )
        }?;
        Ok(Registers {
            length: part.iov_len.min(MOST_BYTES),
            bytes,
        })
    }

    /// Where the tracee goes on. x86-64 only.
    pub(crate) fn instruction_pointer(&self) -> Option<u64> {
        let registers = self.registers().ok()?;
        registers.by_dwarf_number()?.last().copied()
    }

    fn set_registers(&self, registers: &mut Registers) -> Result<(), Fault> {
        let mut part = libc::iovec {
            iov_base: registers.bytes.as_mut_ptr().cast(),
            iov_len: registers.length,
        };
        // SAFETY: the kernel reads iov_len bytes, all within `bytes`.
        unsafe {
            request(
                libc::PTRACE_SETREGSET,
                self.tid(),
                libc::NT_PRSTATUS as usize,
                (&raw mut part).cast(),
            )
        }
        .map(drop)
    }

    /// Makes the system call at whose entry the tracee is fail with `errno`, without running
    /// it. x86 only; elsewhere the call is unchanged.
    pub(crate) fn fail_call(&self, errno: Errno) -> Result<(), Fault> {
        self.change_call(|registers, layout, x86| {
            registers.put(layout.nr, layout.word, u64::MAX);
            let result = i64::from(errno.raw()).wrapping_neg();
            registers.put(x86.result, layout.word, result.cast_unsigned());
        })
    }

    /// Makes the tracee return to the instruction of the system call at whose entry it is.
    /// Pending signals are delivered before that. x86 only; elsewhere the call is
    /// unchanged.
    pub(crate) fn rewind_call(&self) -> Result<(), Fault> {
        /// Length of both `syscall` and `int $0x80`, in bytes.
        const INSTRUCTION: u64 = 2;
        self.change_call(|registers, layout, x86| {
            let nr = registers.get(layout.nr, layout.word);
            registers.put(layout.nr, layout.word, u64::MAX);
            registers.put(x86.result, layout.word, nr);
            let at = registers.get(x86.instruction_pointer, layout.word);
            let at = at.wrapping_sub(INSTRUCTION);
            registers.put(x86.instruction_pointer, layout.word, at);
        })
    }

    /// Whether the call that the tracee was woken from has failed with EINTR;
    /// `false` also where that is not known (not x86-64). One word is read, as
    /// this is asked at each delivery of a signal.
    pub(crate) fn has_eintr(&self) -> bool {
        if !cfg!(target_arch = "x86_64") {
            return false;
        }
        let word = self.peek_word(libc::PTRACE_PEEKUSER, x86::RAX);
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
        let layout = registers.layout().ok_or(Fault::Gone)?;
        let x86 = layout.x86().ok_or(Fault::Gone)?;
        Ok(LeftCall {
            registers,
            layout,
            x86,
        })
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
            x86,
        } = call;
        let result = result.map_or_else(|errno| i64::from(errno.raw()).wrapping_neg(), |()| 0);
        registers.put(x86.result, layout.word, result.cast_unsigned());
        self.set_registers(&mut registers)
    }

    fn change_call(&self, change: impl FnOnce(&mut Registers, &Layout, &X86)) -> Result<(), Fault> {
        let mut registers = self.registers()?;
        if let Some(layout) = registers.layout()
            && let Some(x86) = layout.x86()
        {
            change(&mut registers, layout, &x86);
            self.set_registers(&mut registers)?;
        }
        Ok(())
    }

    /// Clears `bits` of the first argument of the system call at whose entry the tracee is.
    pub(crate) fn clear_argument_bits(&self, bits: u64) -> Result<(), Fault> {
        let mut registers = self.registers()?;
        if let Some(layout) = registers.layout() {
            let value = registers.get(layout.first_argument, layout.word) & !bits;
            registers.put(layout.first_argument, layout.word, value);
            self.set_registers(&mut registers)?;
        }
        Ok(())
    }

    /// At a handler's first instruction: the result register saved in the signal frame, which
    /// the interrupted code will get.
    ///
    /// `Ok(None)` if the frame's layout is not supported (not x86). The frames are `struct
    /// rt_sigframe` and `sigframe_ia32` of the kernel's `arch/x86/include/asm/sigframe.h`.
    pub(crate) fn saved_result(&self) -> Result<Option<i64>, Errno> {
        let registers = self.registers()?;
        match registers.layout().map(|layout| layout.abi) {
            Some(Abi::X86_64) => {
                // rdx is &ucontext; uc_mcontext starts at 40 and rax is its 14th word.
                let mut word = [0u8; 8];
                self.read(
                    registers.get(x86::RDX, 8).wrapping_add(40 + 13 * 8),
                    &mut word,
                )?;
                Ok(Some(i64::from_ne_bytes(word)))
            }
            Some(Abi::I386) => {
                // ecx is &ucontext with SA_SIGINFO, else 0 and the sigcontext
                // lies two words above the stack pointer.
                let context = match registers.get(x86::ECX, 4) {
                    0 => registers.get(x86::ESP, 4).wrapping_add(8),
                    ucontext => ucontext.wrapping_add(20),
                };
                let mut word = [0u8; 4];
                self.read(context.wrapping_add(44), &mut word)?;
                Ok(Some(i64::from(i32::from_ne_bytes(word))))
            }
            _ => Ok(None),
        }
    }
}

impl Layout {
    /// Offsets of rax and rip in `struct user_regs_struct`, or of eax and eip in the 32-bit
    /// layout.
    fn x86(&self) -> Option<X86> {
        let (result, instruction_pointer) = match self.abi {
            Abi::X86_64 => (x86::RAX, 128),
            Abi::I386 => (24, 48),
            _ => return None,
        };
        Some(X86 {
            result,
            instruction_pointer,
        })
    }
}

impl Registers {
    fn layout(&self) -> Option<&'static Layout> {
        LAYOUTS
            .iter()
            .find(|(length, _)| *length == self.length)
            .map(|(_, layout)| layout)
    }

    fn get(&self, offset: usize, width: usize) -> u64 {
        let mut word = [0u8; 8];
        let from = self.bytes.iter().skip(offset).take(width);
        for (to, byte) in word.iter_mut().zip(from) {
            *to = *byte;
        }
        u64::from_le_bytes(word)
    }

    fn put(&mut self, offset: usize, width: usize, value: u64) {
        let to = self.bytes.iter_mut().skip(offset).take(width);
        for (to, byte) in to.zip(value.to_le_bytes()) {
            *to = byte;
        }
    }

    /// The initial registers for unwinding, in the order of DWARF's numbers for x86-64
    /// (System V ABI, AMD64 supplement, figure 3.36): the general registers and the
    /// instruction pointer. `None` for any other layout.
    pub(crate) fn by_dwarf_number(&self) -> Option<[u64; 17]> {
        // rax rdx rcx rbx rsi rdi rbp rsp r8 to r15 rip, as words of struct
        // user_regs_struct.
        const WORDS: [usize; 17] = [10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16];
        let layout = self.layout()?;
        let is_x86_64 = layout.abi == Abi::X86_64;
        is_x86_64.then(|| WORDS.map(|word| self.get(word * layout.word, layout.word)))
    }

    /// The clone call at whose entry the tracee is, and its first argument: the flags, or for
    /// clone3 their address.
    ///
    /// `None` if the number is not such a call in any ABI of the layout.
    pub(crate) fn creating_call(&self) -> Option<(CloneCall, u64)> {
        let layout = self.layout()?;
        let nr = self.get(layout.nr, layout.word);
        let first = self.get(layout.first_argument, layout.word);
        if let Some(call) = layout.abi.clone_call(nr) {
            return Some((call, first));
        }
        if layout.abi != Abi::X86_64 {
            return None;
        }
        // x32 and `int $0x80` of 64-bit code share the 64-bit layout. (That
        // i386's clone3 has the same number cannot be told from here.)
        if let Some(call) = Abi::X32.clone_call(nr) {
            return Some((call, first));
        }
        let call = Abi::I386.clone_call(nr)?;
        Some((call, self.get(x86::RBX, 4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_regset_tells_its_architecture() {
        let mut registers = Registers {
            bytes: [0; MOST_BYTES],
            length: 216,
        };
        registers.put(120, 8, 56);
        registers.put(112, 8, 0x1200_0011);
        assert_eq!(
            registers.creating_call(),
            Some((CloneCall::Clone, 0x1200_0011))
        );
        registers.length = 68;
        registers.put(44, 4, 190);
        assert_eq!(
            registers.creating_call().map(|c| c.0),
            Some(CloneCall::Vfork)
        );
        registers.length = 272;
        registers.put(64, 8, 435);
        assert_eq!(
            registers.creating_call().map(|c| c.0),
            Some(CloneCall::Clone3)
        );
        registers.length = 100;
        assert_eq!(registers.creating_call(), None);
    }
}
