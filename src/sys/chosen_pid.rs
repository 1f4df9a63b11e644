//! Has a call that creates a process give its child a pid of choice: it is made as
//! `clone3` with `set_tid` (clone(2); Linux 5.5, with `CAP_CHECKPOINT_RESTORE` or
//! `CAP_SYS_ADMIN`).
//!
//! The arguments of the new call lie below the creator's stack, and the registers that
//! hold where are given back before creator and child run on.
#![expect(unsafe_code, reason = "PTRACE_POKEDATA")]

use std::ptr;

use super::ptrace::{Stopped, request};
use super::registers::{Layout, Registers};
use crate::kernel::{Abi, CloneArgs, CloneCall, Tid, native_number};

/// Below the stack pointer nothing is in use but the red zone (System V ABI, AMD64
/// supplement, section 3.2.2); aarch64 has none.
const RED_ZONE: u64 = 128;

/// A call that was changed, with the registers at its entry.
pub(crate) struct ChosenPid {
    before: Registers,
    /// The child's.
    pub(crate) pid: Tid,
}

/// Byte offset of the register of a call's second argument: rsi, x1. `None` on an
/// architecture where this is not done.
fn second(layout: &Layout) -> Option<usize> {
    match layout.abi {
        Abi::X86_64 => Some(104),
        Abi::Aarch64 => Some(8),
        _ => None,
    }
}

impl Stopped {
    /// Where the arguments of the new call would lie, and how many bytes they take.
    pub(crate) fn room_for_chosen_pid(&self) -> Option<(u64, u64)> {
        let registers = self.registers().ok()?;
        let layout = registers.layout()?;
        let sp = registers.get(layout.stack_pointer, layout.word);
        // The pid follows the arguments.
        let length = CloneArgs::LENGTH + 8;
        Some((sp.checked_sub(RED_ZONE + length)? & !15, length))
    }

    /// Changes the call at whose entry the tracee is, one of the native ABI that creates
    /// a process; `at` is the room for its arguments. `None` if that is not possible; it is
    /// made as it is then.
    pub(crate) fn choose_pid(&self, args: [u64; 6], at: u64, pid: Tid) -> Option<ChosenPid> {
        let before = self.registers().ok()?;
        let layout = before.layout()?;
        let (call, second) = (before.creating_call()?.0, second(layout)?);
        let args = match call {
            CloneCall::Clone3 => self.clone3_args(args)?,
            _ => CloneArgs::of(layout.abi, call, args)?,
        };
        let args = args.with_pid_at(at + CloneArgs::LENGTH)?;
        let pid_word = u64::from(pid.raw().unsigned_abs());
        for (word, offset) in args.words().chain([pid_word]).zip((0..).step_by(8)) {
            self.poke(at + offset, word)?;
        }
        let nr = native_number("clone3")?;
        let mut registers = before.clone();
        registers.put(layout.first_argument, layout.word, at);
        registers.put(second, layout.word, CloneArgs::LENGTH);
        match layout.abi {
            Abi::Aarch64 => self.set_system_call(nr.cast_signed()).ok()?,
            _ => registers.put(layout.nr, layout.word, u64::from(nr)),
        }
        self.set_registers(&mut registers).ok()?;
        Some(ChosenPid { before, pid })
    }

    fn clone3_args(&self, [at, length, ..]: [u64; 6]) -> Option<CloneArgs> {
        let mut bytes = [0; 88];
        let room = bytes.get_mut(..usize::try_from(length).ok()?)?;
        self.read(at, room).ok()?;
        Some(CloneArgs::read(&bytes))
    }

    /// Gives creator or child the arguments of the call back that was made first: a call
    /// leaves these registers as they are.
    pub(crate) fn give_back_arguments(&self, call: &ChosenPid) {
        let give_back = || {
            let mut registers = self.registers().ok()?;
            let layout = registers.layout()?;
            // On aarch64 the first is the result's, and the number in none of these.
            let rest = (layout.abi == Abi::X86_64).then_some([layout.first_argument, layout.nr]);
            registers.copy(
                [second(layout)?]
                    .into_iter()
                    .chain(rest.into_iter().flatten()),
                call,
            );
            self.set_registers(&mut registers).ok()
        };
        // Killed in its stop: its death follows.
        let _ = give_back();
    }

    /// The call has failed, and the tracee is on its way out of it: it makes the first
    /// one.
    pub(crate) fn make_as_before(&self, call: &ChosenPid) {
        let make = || {
            let mut registers = self.registers().ok()?;
            let layout = registers.layout()?;
            registers.copy([layout.first_argument, second(layout)?, layout.nr], call);
            self.set_registers(&mut registers).ok()?;
            self.rewind_call().ok()
        };
        let _ = make();
    }

    fn poke(&self, addr: u64, word: u64) -> Option<()> {
        let addr = usize::try_from(addr).ok()?;
        let data = ptr::without_provenance_mut(usize::try_from(word).ok()?);
        // SAFETY: `data` is a number here, which the kernel writes to the tracee.
        unsafe { request(libc::PTRACE_POKEDATA, self.tid(), addr, data) }.ok()?;
        Some(())
    }
}

impl Registers {
    /// Those at these offsets become what they were at the entry of the call.
    fn copy(&mut self, offsets: impl IntoIterator<Item = usize>, call: &ChosenPid) {
        let Some(layout) = self.layout() else {
            return;
        };
        for offset in offsets {
            self.put(offset, layout.word, call.before.get(offset, layout.word));
        }
    }
}
