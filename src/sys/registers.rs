//! The general registers of a stopped tracee, in the layout of each architecture.
//!
//! What is done with those of a system call is in [`super::left_call`], what a signal
//! frame holds in [`super::signal_frame`].
#![expect(unsafe_code, reason = "PTRACE_GETREGSET and SETREGSET")]

use super::ptrace::{Fault, Stopped, request};
use crate::kernel::{Abi, CloneCall, Errno};

/// Room for the general registers of every supported architecture, in bytes.
const MOST_BYTES: usize = 512;
/// `NT_ARM_SYSTEM_CALL`: the number of the call that a tracee on aarch64 is in.
const NT_ARM_SYSTEM_CALL: usize = 0x404;

/// The general registers, in the layout of the kernel's `NT_PRSTATUS` regset. The regset's
/// length identifies the layout: no two are equally long.
#[derive(Clone)]
pub(crate) struct Registers {
    bytes: [u8; MOST_BYTES],
    length: usize,
}

/// Byte offsets of the registers that are used.
pub(super) struct Layout {
    pub(super) abi: Abi,
    pub(super) word: usize,
    pub(super) nr: usize,
    pub(super) first_argument: usize,
    result: usize,
    pub(super) instruction_pointer: usize,
    pub(super) stack_pointer: usize,
}

const LAYOUTS: [(usize, Layout); 5] = [
    // struct user_regs_struct: orig_rax, rdi, rax, rip, rsp
    (216, layout(Abi::X86_64, 8, [120, 112, 80, 128, 152])),
    // struct user_regs_struct32: orig_eax, ebx, eax, eip, esp
    (68, layout(Abi::I386, 4, [44, 0, 24, 48, 60])),
    // struct user_pt_regs: x8, x0, x0, pc, sp
    (272, layout(Abi::Aarch64, 8, [64, 0, 0, 256, 248])),
    // struct pt_regs of arm: r7, r0, r0, pc, sp
    (72, layout(Abi::Arm, 4, [28, 0, 0, 60, 52])),
    // struct user_regs_struct of riscv: a7, a0, a0, pc, sp
    (256, layout(Abi::Riscv64, 8, [136, 80, 80, 0, 16])),
];

const fn layout(abi: Abi, word: usize, offsets: [usize; 5]) -> Layout {
    let [
        nr,
        first_argument,
        result,
        instruction_pointer,
        stack_pointer,
    ] = offsets;
    Layout {
        abi,
        word,
        nr,
        first_argument,
        result,
        instruction_pointer,
        stack_pointer,
    }
}

/// Byte offset of ebx in the 64-bit layout, an argument of `int $0x80`.
const RBX: usize = 40;

/// The general registers for unwinding, with DWARF's numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DwarfRegisters {
    /// The general registers and the instruction pointer (System V ABI, AMD64 supplement,
    /// figure 3.36).
    X86_64([u64; 17]),
    /// x0 to x30, sp and pc (DWARF for the Arm 64-bit Architecture, section 4.1).
    Aarch64([u64; 33]),
}

impl Stopped {
    /// All general registers.
    pub(crate) fn registers(&self) -> Result<Registers, Fault> {
        let mut bytes = [0u8; MOST_BYTES];
        let length = self.get_set(libc::NT_PRSTATUS as usize, &mut bytes)?;
        Ok(Registers { bytes, length })
    }

    /// Reads a set of registers; returns its length.
    fn get_set(&self, set: usize, bytes: &mut [u8]) -> Result<usize, Fault> {
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
                set,
                (&raw mut part).cast(),
            )
        }?;
        Ok(part.iov_len.min(bytes.len()))
    }

    /// Writes a set of registers.
    fn set_set(&self, set: usize, bytes: &mut [u8]) -> Result<(), Fault> {
        let mut part = libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        // SAFETY: the kernel reads iov_len bytes, all within `bytes`.
        unsafe {
            request(
                libc::PTRACE_SETREGSET,
                self.tid(),
                set,
                (&raw mut part).cast(),
            )
        }
        .map(drop)
    }

    /// Where the tracee goes on.
    pub(crate) fn instruction_pointer(&self) -> Option<u64> {
        let registers = self.registers().ok()?;
        Some(registers.instruction_pointer(registers.layout()?))
    }

    pub(super) fn set_registers(&self, registers: &mut Registers) -> Result<(), Fault> {
        let length = registers.length;
        let bytes = registers.bytes.get_mut(..length).unwrap_or_default();
        self.set_set(libc::NT_PRSTATUS as usize, bytes)
    }

    /// Sets the number of the call that a tracee on aarch64 is in, which is in no general
    /// register; -1: it is in none. The kernel loses the call's first argument with that.
    pub(super) fn set_system_call(&self, nr: i32) -> Result<(), Fault> {
        self.set_set(NT_ARM_SYSTEM_CALL, &mut nr.to_ne_bytes())
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
}

impl Registers {
    /// Registers of zeros, of the architecture whose set is so long.
    #[cfg(test)]
    pub(super) fn zeroed(length: usize) -> Registers {
        let bytes = [0; MOST_BYTES];
        Registers { bytes, length }
    }

    pub(super) fn layout(&self) -> Option<&'static Layout> {
        LAYOUTS
            .iter()
            .find(|(length, _)| *length == self.length)
            .map(|(_, layout)| layout)
    }

    pub(super) fn get(&self, offset: usize, width: usize) -> u64 {
        let mut word = [0u8; 8];
        let from = self.bytes.iter().skip(offset).take(width);
        for (to, byte) in word.iter_mut().zip(from) {
            *to = *byte;
        }
        u64::from_le_bytes(word)
    }

    pub(super) fn put(&mut self, offset: usize, width: usize, value: u64) {
        let to = self.bytes.iter_mut().skip(offset).take(width);
        for (to, byte) in to.zip(value.to_le_bytes()) {
            *to = byte;
        }
    }

    pub(super) fn instruction_pointer(&self, layout: &Layout) -> u64 {
        self.get(layout.instruction_pointer, layout.word)
    }

    pub(super) fn set_instruction_pointer(&mut self, layout: &Layout, value: u64) {
        self.put(layout.instruction_pointer, layout.word, value);
    }

    /// Of 32-bit code an error is not extended.
    pub(super) fn result(&self, layout: &Layout) -> u64 {
        self.get(layout.result, layout.word)
    }

    pub(super) fn set_result(&mut self, layout: &Layout, value: u64) {
        self.put(layout.result, layout.word, value);
    }

    /// Sets the result to an error.
    pub(super) fn set_error(&mut self, layout: &Layout, errno: Errno) {
        let result = i64::from(errno.raw()).wrapping_neg();
        self.set_result(layout, result.cast_unsigned());
    }

    /// The initial registers for unwinding; `None` for an architecture whose stacks are
    /// not unwound.
    pub(crate) fn by_dwarf_number(&self) -> Option<DwarfRegisters> {
        // rax rdx rcx rbx rsi rdi rbp rsp r8 to r15 rip, as words of struct
        // user_regs_struct.
        const X86_64: [usize; 17] = [10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16];
        let layout = self.layout()?;
        match layout.abi {
            Abi::X86_64 => Some(DwarfRegisters::X86_64(
                X86_64.map(|word| self.get(word * 8, 8)),
            )),
            // struct user_pt_regs has them in this order.
            Abi::Aarch64 => Some(DwarfRegisters::Aarch64(std::array::from_fn(|word| {
                self.get(word * 8, 8)
            }))),
            _ => None,
        }
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
        Some((call, self.get(RBX, 4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_regset_tells_its_architecture() {
        let mut registers = Registers::zeroed(216);
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
