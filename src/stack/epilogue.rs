//! Unwinds code without call frame information by its own instructions: where nothing
//! but the end of the function stands behind a call, they say where its caller is.
//!
//! The trampolines that CPython makes for `perf` are of that kind; they have no frame
//! pointer.

use gimli::{Register, X86_64};

use super::registers::Registers;
use super::unwind::Memory;

/// How many bytes of code are read: more than such an end has.
pub(super) const MOST: usize = 32;

/// DWARF's numbers of the general registers, in the order of the processor's.
const REGISTERS: [Register; 8] = [
    X86_64::RAX,
    X86_64::RCX,
    X86_64::RDX,
    X86_64::RBX,
    X86_64::RSP,
    X86_64::RBP,
    X86_64::RSI,
    X86_64::RDI,
];

/// The caller's registers, if this code, at which the function goes on, is its end.
pub(super) fn caller(code: &[u8], registers: &Registers, memory: &Memory<'_>) -> Option<Registers> {
    let mut now = *registers;
    let mut rest = code;
    loop {
        let sp = now.sp();
        rest = match rest {
            // ret, or repz ret.
            [0xc3, ..] | [0xf3, 0xc3, ..] => return now.popped(memory),
            // add $imm8, %rsp
            [0x48, 0x83, 0xc4, size @ 0..=0x7f, rest @ ..] => {
                now.set(X86_64::RSP, Some(sp.checked_add(u64::from(*size))?));
                rest
            }
            // add $imm32, %rsp
            [0x48, 0x81, 0xc4, a, b, c, d @ 0..=0x7f, rest @ ..] => {
                let size = u32::from_le_bytes([*a, *b, *c, *d]);
                now.set(X86_64::RSP, Some(sp.checked_add(u64::from(size))?));
                rest
            }
            // leave
            [0xc9, rest @ ..] => {
                let frame = now.get(X86_64::RBP)?;
                now.set(X86_64::RBP, Some(memory(frame)?));
                now.set(X86_64::RSP, Some(frame.checked_add(8)?));
                rest
            }
            // pop %r8 to %r15
            [0x41, code @ 0x58..=0x5f, rest @ ..] => {
                pop(&mut now, Register(u16::from(code - 0x58) + 8), memory)?;
                rest
            }
            // pop, but not of the stack pointer itself
            [code @ (0x58..=0x5b | 0x5d..=0x5f), rest @ ..] => {
                pop(&mut now, *REGISTERS.get(usize::from(code - 0x58))?, memory)?;
                rest
            }
            _ => return None,
        };
    }
}

fn pop(registers: &mut Registers, to: Register, memory: &Memory<'_>) -> Option<()> {
    let sp = registers.sp();
    registers.set(to, Some(memory(sp)?));
    registers.set(X86_64::RSP, Some(sp.checked_add(8)?));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::registers::DwarfRegisters;

    /// A stack at 0x1000 whose words are their own addresses.
    fn unwound(code: &[u8]) -> Option<Registers> {
        let mut registers = Registers::new(&DwarfRegisters::X86_64([7; 17]));
        registers.set(X86_64::RSP, Some(0x1000));
        registers.set(X86_64::RBP, Some(0x1100));
        let memory = |at: u64| (0x1000..0x1200).contains(&at).then_some(at);
        caller(code, &registers, &memory)
    }

    #[test]
    fn the_end_of_a_function_says_where_its_caller_is() {
        let trampoline = unwound(&[0x48, 0x83, 0xc4, 8, 0xc3, 0x90]).unwrap();
        assert_eq!((trampoline.ip(), trampoline.sp()), (0x1008, 0x1010));
        assert_eq!(trampoline.get(X86_64::RBP), Some(0x1100));

        let framed = unwound(&[0x5d, 0xc3]).unwrap();
        assert_eq!(framed.get(X86_64::RBP), Some(0x1000));
        assert_eq!((framed.ip(), framed.sp()), (0x1008, 0x1010));

        let left = unwound(&[0xc9, 0xf3, 0xc3]).unwrap();
        assert_eq!(left.get(X86_64::RBP), Some(0x1100));
        assert_eq!((left.ip(), left.sp()), (0x1108, 0x1110));

        let code = [0x48, 0x81, 0xc4, 0x80, 0, 0, 0, 0x5b, 0x41, 0x5c, 0xc3];
        let saved = unwound(&code).unwrap();
        assert_eq!(saved.get(X86_64::RBX), Some(0x1080));
        assert_eq!(saved.get(X86_64::R12), Some(0x1088));
        assert_eq!(saved.ip(), 0x1090);
    }

    #[test]
    fn other_code_says_nothing() {
        let others: [&[u8]; 7] = [
            &[],
            &[0x48, 0x83, 0xc4, 8],
            &[0x89, 0xc0, 0xc3],
            &[0x5c, 0xc3],
            &[0xe8, 0, 0, 0, 0, 0xc3],
            // The stack pointer moves down, or out of the stack.
            &[0x48, 0x83, 0xc4, 0x88, 0xc3],
            &[0x48, 0x81, 0xc4, 0, 2, 0, 0, 0xc3],
        ];
        for code in others {
            assert!(unwound(code).is_none(), "{code:x?}");
        }
    }
}
