//! Changes to the system call that a tracee enters or leaves: skip it, make it again,
//! let it return something else.
//!
//! x86 has the number in `orig_rax`, and decides after a stop on the way out of the
//! kernel, by the result, whether the call is made again. aarch64 has the number in a
//! register set of its own, where -1 means no call, and has decided before the stop
//! (`arch/arm64/kernel/signal.c`, `do_signal`): there the tracee is sent back to the
//! instruction of the call, and whoever sends it back has to see what comes before the
//! call is made (`tracer/last_eintr.rs`).

use super::ptrace::{Fault, Stopped};
use super::registers::{Layout, Registers};
use super::syscall_info::Phase;
use crate::kernel::{Abi, Errno};

/// Whether calls that were woken by a stop of ours are made again on this architecture.
pub(crate) const REWINDS: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// A call that a tracee is on its way out of, by its registers.
pub(crate) struct LeftCall {
    registers: Registers,
    layout: &'static Layout,
    /// The first argument, where the registers have the result in its place.
    first: Option<u64>,
}

/// The instruction that a call was made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) address: u64,
    /// Its machine code.
    pub(crate) code: &'static [u8],
}

impl Instruction {
    /// Where the tracee goes on after the call.
    pub(crate) fn end(self) -> u64 {
        self.address.wrapping_add(self.code.len() as u64)
    }
}

impl LeftCall {
    /// Its number, in the ABI of the stop.
    pub(crate) fn nr(&self) -> u64 {
        self.registers.get(self.layout.nr, self.layout.word)
    }

    /// The argument registers of a 64-bit ABI.
    pub(crate) fn arguments(&self) -> Option<[u64; 6]> {
        /// rdi, rsi, rdx, r10, r8, r9.
        const X86_64: [usize; 6] = [112, 104, 96, 56, 72, 64];
        match self.layout.abi {
            Abi::X86_64 => Some(X86_64.map(|offset| self.registers.get(offset, 8))),
            Abi::Aarch64 => {
                let mut all = std::array::from_fn(|index| self.registers.get(index * 8, 8));
                all[0] = self.first?;
                Some(all)
            }
            _ => None,
        }
    }

    /// The instruction that the tracee is sent back to if the call is made again; `None`
    /// on x86, where the kernel does that.
    pub(crate) fn instruction(&self) -> Option<Instruction> {
        (!is_x86(self.layout)).then(|| instruction_before(&self.registers, self.layout))
    }

    /// Have the registers make the call again. `false` if that is not possible.
    fn make_again(&mut self) -> bool {
        if is_x86(self.layout) {
            self.registers.set_error(self.layout, Errno::RESTARTNOHAND);
            return true;
        }
        let (Some(first), Some(to)) = (self.first, self.instruction()) else {
            return false;
        };
        self.registers.set_result(self.layout, first);
        self.registers
            .set_instruction_pointer(self.layout, to.address);
        true
    }
}

impl Stopped {
    /// Makes the system call at whose entry the tracee is fail with `errno`, without running
    /// it. Has no effect where that is not possible (riscv).
    pub(crate) fn fail_call(&self, errno: Errno) -> Result<(), Fault> {
        let mut registers = self.registers()?;
        let Some(layout) = registers.layout() else {
            return Ok(());
        };
        if self.skip_call(&mut registers, layout)? {
            registers.set_error(layout, errno);
            self.set_registers(&mut registers)?;
        }
        Ok(())
    }

    /// Makes the tracee return to the instruction of the system call at whose entry it is.
    /// Pending signals are delivered before that. Has no effect where that is not possible.
    pub(crate) fn rewind_call(&self) -> Result<(), Fault> {
        let mut registers = self.registers()?;
        let Some(layout) = registers.layout() else {
            return Ok(());
        };
        let nr = registers.get(layout.nr, layout.word);
        if self.skip_call(&mut registers, layout)? {
            if is_x86(layout) {
                // The number's register is the result's.
                registers.set_result(layout, nr);
            }
            let to = instruction_before(&registers, layout).address;
            registers.set_instruction_pointer(layout, to);
            self.set_registers(&mut registers)?;
        }
        Ok(())
    }

    /// Has the kernel skip the call at whose entry the tracee is. On x86 `registers` do it
    /// when they are set. `false` where it is not possible.
    fn skip_call(&self, registers: &mut Registers, layout: &Layout) -> Result<bool, Fault> {
        /// -1: the tracee is in no call.
        const NO_CALL: i32 = -1;
        match layout.abi {
            Abi::X86_64 | Abi::I386 => registers.put(layout.nr, layout.word, u64::MAX),
            Abi::Aarch64 | Abi::Arm => self.set_system_call(NO_CALL)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether the call that the tracee was woken from has failed with EINTR;
    /// `false` also where calls are not made again. On x86-64 one word is read, as this is
    /// asked at each delivery of a signal. Elsewhere it may be a value that only looks so.
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
        self.registers().is_ok_and(|registers| {
            let layout = registers.layout();
            layout.is_some_and(|layout| is_eintr(registers.result(layout)))
        })
    }

    /// The call that the tracee is on its way out of.
    ///
    /// # Errors
    /// Those of `PTRACE_GETREGSET`; [`Fault::Gone`] also for an architecture on which calls
    /// are not made again.
    pub(crate) fn left_call(&self) -> Result<LeftCall, Fault> {
        let registers = self.registers()?;
        let layout = registers.layout().ok_or(Fault::Gone)?;
        let first = match layout.abi {
            Abi::X86_64 | Abi::I386 => None,
            Abi::Aarch64 | Abi::Arm => Some(self.first_argument()?),
            _ => return Err(Fault::Gone),
        };
        Ok(LeftCall {
            registers,
            layout,
            first,
        })
    }

    /// The first argument of the call that a tracee on aarch64 made last, which the kernel
    /// keeps (`orig_x0`). `PTRACE_GET_SYSCALL_INFO` returns it in a stop of a filter, and
    /// tells such a stop by its siginfo, which the tracer may set. To set the number of the
    /// call, so that `/proc` shows the arguments, would lose it.
    fn first_argument(&self) -> Result<u64, Fault> {
        let info = self.siginfo()?;
        self.set_siginfo(&info_of_filter())?;
        let call = self.syscall_info();
        self.set_siginfo(&info)?;
        match call?.phase {
            // EINTR is no descriptor, address or id: it would be the result.
            Phase::Seccomp { args, .. } if !is_eintr(args[0]) => Ok(args[0]),
            _ => Err(Fault::Gone),
        }
    }

    /// Have the call made again that failed with EINTR. In a stop on the way out of the
    /// kernel only, where it looks for signals. `false` if the call is unchanged.
    ///
    /// On x86 that is so unless a handler runs first: ERESTARTNOHAND as its result does
    /// that, on which the kernel acts there. Elsewhere see [`Stopped::fail_sent_back`].
    pub(crate) fn restart_unless_handled(&self, mut call: LeftCall) -> Result<bool, Fault> {
        let is_made_again = call.make_again();
        if is_made_again {
            self.set_registers(&mut call.registers)?;
        }
        Ok(is_made_again)
    }

    /// The tracee was sent back to an instruction that ends at `end`, and a handler is to
    /// run before it: the call fails with EINTR after all.
    pub(crate) fn fail_sent_back(&self, end: u64) -> Result<(), Fault> {
        let mut registers = self.registers()?;
        if let Some(layout) = registers.layout() {
            registers.set_error(layout, Errno::INTR);
            registers.set_instruction_pointer(layout, end);
            self.set_registers(&mut registers)?;
        }
        Ok(())
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
            ..
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

fn is_eintr(word: u64) -> bool {
    let eintr = -Errno::INTR.raw();
    word == i64::from(eintr).cast_unsigned() || word == u64::from(eintr.cast_unsigned())
}

/// The instruction of a call right before the instruction pointer.
fn instruction_before(registers: &Registers, layout: &Layout) -> Instruction {
    /// `cpsr` in `struct pt_regs` of arm, and its bit for Thumb.
    const CPSR: usize = 64;
    const THUMB: u64 = 1 << 5;
    let code: &[u8] = match layout.abi {
        // `svc #0`
        Abi::Aarch64 => &[0x01, 0x00, 0x00, 0xd4],
        Abi::Arm if registers.get(CPSR, 4) & THUMB != 0 => &[0x00, 0xdf],
        Abi::Arm => &[0x00, 0x00, 0x00, 0xef],
        // `int $0x80`, in 64-bit code too, is as long.
        _ => &[0x0f, 0x05],
    };
    let end = registers.instruction_pointer(layout);
    Instruction {
        address: end.wrapping_sub(code.len() as u64),
        code,
    }
}

/// The siginfo of a stop of a filter: SIGTRAP with `PTRACE_EVENT_SECCOMP` in its code.
fn info_of_filter() -> [u8; 128] {
    let code = libc::SIGTRAP | libc::PTRACE_EVENT_SECCOMP << 8;
    let mut info = [0; 128];
    for (offset, word) in [(0, libc::SIGTRAP), (8, code)] {
        for (to, byte) in info.iter_mut().skip(offset).zip(word.to_ne_bytes()) {
            *to = byte;
        }
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    const EINTR: u64 = (-4_i64).cast_unsigned();

    /// A call that has failed with EINTR, in a register set of this length.
    fn failed(length: usize, at: u64, first: Option<u64>) -> LeftCall {
        let mut registers = Registers::zeroed(length);
        let layout = registers.layout().unwrap();
        registers.set_error(layout, Errno::INTR);
        registers.set_instruction_pointer(layout, at);
        LeftCall {
            registers,
            layout,
            first,
        }
    }

    fn result_and_place(call: &LeftCall) -> (u64, u64) {
        let (registers, layout) = (&call.registers, call.layout);
        (
            registers.result(layout),
            registers.instruction_pointer(layout),
        )
    }

    #[test]
    fn on_aarch64_a_call_is_made_again_from_its_instruction_with_its_first_argument() {
        let mut call = failed(272, 0x40_1004, Some(77));
        assert!(is_eintr(call.registers.result(call.layout)));
        assert_eq!(call.arguments(), Some([77, 0, 0, 0, 0, 0]));
        let svc = call.instruction().unwrap();
        assert_eq!((svc.address, svc.end()), (0x40_1000, 0x40_1004));
        assert!(call.make_again());
        assert_eq!(result_and_place(&call), (77, 0x40_1000));
    }

    #[test]
    fn without_its_first_argument_a_call_of_aarch64_is_let_be() {
        let mut call = failed(272, 0x40_1004, None);
        assert_eq!(call.arguments(), None);
        assert!(!call.make_again());
        assert_eq!(result_and_place(&call), (EINTR, 0x40_1004));
    }

    #[test]
    fn the_instruction_of_a_call_of_arm_is_half_as_long_in_thumb() {
        let mut call = failed(72, 0x1_0004, Some(5));
        assert!(is_eintr(call.registers.result(call.layout)));
        assert_eq!(call.instruction().unwrap().code, [0, 0, 0, 0xef]);
        call.registers.put(64, 4, 0x10 | 1 << 5);
        assert_eq!(call.instruction().unwrap().code, [0, 0xdf]);
        assert!(call.make_again());
        assert_eq!(result_and_place(&call), (5, 0x1_0002));
    }

    #[test]
    fn on_x86_the_kernel_goes_back() {
        let restart = (-i64::from(Errno::RESTARTNOHAND.raw())).cast_unsigned();
        let mut call = failed(216, 0x40_1002, None);
        assert_eq!(call.instruction(), None);
        assert!(call.make_again());
        assert_eq!(result_and_place(&call), (restart, 0x40_1002));
    }
}
