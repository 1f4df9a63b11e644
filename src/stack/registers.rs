//! The registers of a frame, and what each architecture does with them: where the
//! return address is, how a frame without information is left, what a signal's frame
//! looks like.

use gimli::{AArch64, Register, X86_64};

use super::unwind::Memory;
use crate::sys::registers::DwarfRegisters;

/// The number of registers that unwinding uses at most: those of aarch64.
const COUNT: usize = 33;

/// The numbers of special registers.
#[derive(Clone, Copy, Debug)]
struct Roles {
    stack: Register,
    frame: Register,
    /// What is executed next. DWARF has no such register on x86-64: the return address's.
    next: Register,
    /// The register with the return address of a function that has called no other.
    link: Option<Register>,
}

const X86_64_ROLES: Roles = Roles {
    stack: X86_64::RSP,
    frame: X86_64::RBP,
    next: X86_64::RA,
    link: None,
};

const AARCH64_ROLES: Roles = Roles {
    stack: AArch64::SP,
    frame: AArch64::X29,
    next: Register(32),
    link: Some(AArch64::X30),
};

/// The registers of a frame, as far as known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    values: [Option<u64>; COUNT],
    roles: &'static Roles,
}

impl Registers {
    /// The registers at a stop.
    pub(super) fn new(at_stop: &DwarfRegisters) -> Registers {
        let (from, roles): (&[u64], _) = match at_stop {
            DwarfRegisters::X86_64(values) => (values, &X86_64_ROLES),
            DwarfRegisters::Aarch64(values) => (values, &AARCH64_ROLES),
        };
        let mut values = [None; COUNT];
        for (to, value) in values.iter_mut().zip(from) {
            *to = Some(*value);
        }
        Registers { values, roles }
    }

    pub(super) fn get(&self, register: Register) -> Option<u64> {
        *self.values.get(usize::from(register.0))?
    }

    pub(super) fn set(&mut self, register: Register, value: Option<u64>) {
        if let Some(place) = self.values.get_mut(usize::from(register.0)) {
            *place = value;
        }
    }

    /// Starts with the registers of a caller whose canonical frame address is `cfa`. On
    /// x86-64 the return address must be found, on aarch64 it may still be in its register.
    pub(super) fn leave(&mut self, cfa: u64, return_address: Register) {
        self.set(self.roles.stack, Some(cfa));
        if self.roles.link != Some(return_address) {
            self.set(return_address, None);
        }
    }

    /// The caller goes on at the return address.
    pub(super) fn return_to(&mut self, return_address: Register) {
        let next = self.get(return_address).map(|at| self.code_address(at));
        self.set(self.roles.next, next);
    }

    /// An address of code without its signature: aarch64's pointer authentication has it
    /// in the bits above those of an address.
    fn code_address(&self, at: u64) -> u64 {
        const ADDRESS: u64 = (1 << 48) - 1;
        if self.roles.link.is_some() {
            at & ADDRESS
        } else {
            at
        }
    }

    /// The registers of the caller, if the frame has only the return address on the
    /// stack, or in its register.
    pub(super) fn popped(&self, memory: &Memory<'_>) -> Option<Registers> {
        let mut caller = *self;
        if let Some(link) = self.roles.link {
            caller.return_to(link);
            return caller.known_ip().map(|_| caller);
        }
        caller.set(self.roles.next, Some(memory(self.sp())?));
        caller.set(self.roles.stack, Some(self.sp().checked_add(8)?));
        Some(caller)
    }

    /// The frame pointer.
    pub(super) fn frame_pointer(&self) -> Option<u64> {
        self.get(self.roles.frame)
    }

    /// The registers of the caller, where the frame pointer points to the saved one,
    /// followed by the return address: the same on both architectures.
    pub(super) fn by_frame_pointer(&self, frame: u64, memory: &Memory<'_>) -> Option<Registers> {
        let mut caller = *self;
        let at = caller.code_address(memory(frame.checked_add(8)?)?);
        caller.set(self.roles.frame, Some(memory(frame)?));
        caller.set(self.roles.next, Some(at));
        if let Some(link) = self.roles.link {
            caller.set(link, Some(at));
        }
        caller.set(self.roles.stack, Some(frame.checked_add(16)?));
        Some(caller)
    }

    /// The registers that a signal interrupted, if this is the frame of the code that its
    /// handler returns to. The kernel's own, on aarch64, has no call frame information; it
    /// has its frame at the stack pointer (`struct rt_sigframe` of
    /// `arch/arm64/kernel/signal.c`).
    pub(super) fn before_signal(&self, memory: &Memory<'_>) -> Option<Registers> {
        /// The sigcontext, after siginfo and ucontext.
        const CONTEXT: u64 = 128 + 176;
        /// What follows x0 to x30, sp, pc and pstate: the first record, by its magic
        /// number and size (`FPSIMD_MAGIC`, `struct fpsimd_context`).
        const RECORD: u64 = CONTEXT + 288;
        const FPSIMD: u64 = 0x210 << 32 | 0x4650_8001;
        self.roles.link?;
        let frame = self.sp();
        if memory(frame.checked_add(RECORD)?)? != FPSIMD {
            return None;
        }
        let mut interrupted = *self;
        let saved = (CONTEXT + 8..).step_by(8);
        for (value, offset) in interrupted.values.iter_mut().zip(saved) {
            *value = Some(memory(frame.checked_add(offset)?)?);
        }
        Some(interrupted)
    }

    /// The stack pointer, if it is known.
    pub(super) fn known_sp(&self) -> Option<u64> {
        self.get(self.roles.stack)
    }

    /// The instruction pointer, if it is known.
    pub(super) fn known_ip(&self) -> Option<u64> {
        self.get(self.roles.next)
    }

    /// The stack pointer.
    pub(super) fn sp(&self) -> u64 {
        self.known_sp().unwrap_or(0)
    }

    /// The instruction pointer.
    pub(super) fn ip(&self) -> u64 {
        self.known_ip().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aarch64(pairs: &[(usize, u64)]) -> Registers {
        let mut values = [0; 33];
        for (number, value) in pairs {
            values[*number] = *value;
        }
        Registers::new(&DwarfRegisters::Aarch64(values))
    }

    #[test]
    fn a_leaf_of_aarch64_has_its_return_address_in_a_register() {
        let leaf = aarch64(&[(30, 0x40_1000), (31, 0x7ff0), (32, 0x40_2000)]);
        let caller = leaf.popped(&|_| None).unwrap();
        assert_eq!((caller.ip(), caller.sp()), (0x40_1000, 0x7ff0));
        let mut by_rule = leaf;
        by_rule.leave(0x8000, AArch64::X30);
        by_rule.return_to(AArch64::X30);
        assert_eq!((by_rule.ip(), by_rule.sp()), (0x40_1000, 0x8000));
    }

    #[test]
    fn a_signed_return_address_is_an_address() {
        let signed = aarch64(&[(30, 0x002a_aaaa_aaaa_1234)]);
        assert_eq!(signed.popped(&|_| None).unwrap().ip(), 0xaaaa_aaaa_1234);
    }

    #[test]
    fn the_registers_before_a_signal_are_in_its_frame() {
        let sp = 0x7000;
        let at = aarch64(&[(31, sp)]);
        let memory = |address: u64| match address - sp {
            592 => Some(0x0210_4650_8001),
            offset @ 312..=568 => Some((offset - 312) / 8),
            _ => None,
        };
        let before = at.before_signal(&memory).unwrap();
        assert_eq!((before.sp(), before.ip()), (31, 32));
        assert_eq!(before.get(AArch64::X30), Some(30));
        assert!(at.before_signal(&|_| Some(0)).is_none());
        let other = Registers::new(&DwarfRegisters::X86_64([0x7000; 17]));
        assert!(other.before_signal(&memory).is_none());
    }
}
