//! Call stacks (`-k`): what is read at a stop, and how it is unwound and named
//! once the tracee runs on.
//!
//! At the stop the registers and the bytes of the stack are copied, no more;
//! the list of what is mapped where is read once a program, and its children
//! share it. gimli reads how to unwind, addr2line what it is called.

#[cfg(test)]
mod broken;
mod file;
mod maps;
mod namer;
mod names;
mod object;
mod space;
mod unwind;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::event::{Cut, Frame, Stack};
use crate::kernel::Tgid;
use crate::sys::ptrace::Stopped;
use object::Objects;
use space::{Held, Space};
use unwind::{Callee, FrameInfo, Registers, Step};

/// How much of a stack is read.
const MOST_BYTES: usize = 512 << 10;
/// How many frames of it are told; strace tells as many.
const MOST_FRAMES: usize = 256;

/// What a stack is unwound with, for all tracees.
pub(crate) struct Stacks {
    spaces: FxHashMap<Tgid, Rc<RefCell<Space>>>,
    objects: Objects,
    bytes: Vec<u8>,
}

/// A stack as it was copied at a stop; its bytes are in [`Stacks`], until the
/// next one is taken.
#[must_use]
pub(crate) struct Taken {
    tgid: Tgid,
    registers: Registers,
    /// Where the bytes lay, and how many there are.
    stack: u64,
    length: usize,
    space: Rc<RefCell<Space>>,
}

impl Stacks {
    pub(crate) fn new() -> Stacks {
        Stacks {
            spaces: FxHashMap::default(),
            objects: Objects::default(),
            bytes: vec![0; MOST_BYTES],
        }
    }

    /// Copy what is needed, while the task is stopped. `None` if its registers
    /// cannot be read, or are those of an ABI that is not unwound.
    pub(crate) fn take(&mut self, stopped: &Stopped, tgid: Tgid) -> Option<Taken> {
        let values = stopped.registers().ok()?.by_dwarf_number()?;
        let registers = Registers::new(values);
        let stack = registers.sp();
        let length = stopped.read_some(stack, &mut self.bytes).unwrap_or(0);
        let space = self.spaces.entry(tgid).or_insert_with(|| {
            let space = Space::read(tgid);
            Rc::new(RefCell::new(space))
        });
        Some(Taken {
            tgid,
            registers,
            stack,
            length,
            space: Rc::clone(space),
        })
    }

    /// Unwind and name it, while the task runs on.
    pub(crate) fn unwind(&mut self, taken: &Taken) -> Arc<Stack> {
        let bytes = self.bytes.get(..taken.length).unwrap_or_default();
        let memory = |address: u64| word(bytes, taken.stack, address);
        let mut registers = taken.registers;
        let mut is_return = false;
        let mut space = taken.space.borrow_mut();
        let mut frames = Vec::new();
        let cut = loop {
            if frames.len() == MOST_FRAMES {
                break Some(Cut::Deep);
            }
            let address = registers.ip();
            // A call that never returns may be the last of its function.
            let within = address.wrapping_sub(u64::from(is_return));
            let Some(held) = space.at(within, taken.tgid, &mut self.objects) else {
                // No code is there.
                break Some(Cut::Lost);
            };
            let callee = Callee {
                registers: &registers,
                memory: &memory,
                has_called: is_return,
            };
            let step = match held {
                Held::Object(object, bias) => {
                    let [address, within] = [address, within].map(|at| at.wrapping_sub(*bias));
                    let step = object.info.step(within, &callee);
                    let is_signal = matches!(step, Some(Step::Interrupted(_)));
                    frames.push(self.objects.frame(object, address, within, is_signal));
                    step
                }
                Held::Unknown => None,
                Held::Nameless(path) => {
                    frames.push(Arc::new(Frame::new(path.clone(), address, Vec::new())));
                    FrameInfo::default().step(within, &callee)
                }
            };
            match step {
                Some(Step::Caller(caller)) => (registers, is_return) = (caller, true),
                Some(Step::Interrupted(caller)) => (registers, is_return) = (caller, false),
                Some(Step::Over) => break None,
                None => break Some(Cut::Lost),
            }
        };
        Arc::new(Stack { frames, cut })
    }

    /// A child has what its parent has.
    pub(crate) fn fork(&mut self, parent: Tgid, child: Tgid) {
        if let Some(space) = self.spaces.get(&parent).cloned() {
            self.spaces.insert(child, space);
        }
    }

    /// The process executes another program, or is gone.
    pub(crate) fn forget(&mut self, tgid: Tgid) {
        self.spaces.remove(&tgid);
    }
}

/// The word at `address` of the bytes that lay at `base`.
fn word(bytes: &[u8], base: u64, address: u64) -> Option<u64> {
    let at = usize::try_from(address.checked_sub(base)?).ok()?;
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_within_the_bytes_alone() {
        let bytes: Vec<u8> = (0..16).collect();
        assert_eq!(word(&bytes, 100, 100), Some(0x0706_0504_0302_0100));
        assert_eq!(word(&bytes, 100, 108), Some(0x0f0e_0d0c_0b0a_0908));
        for address in [0, 99, 109, 116, u64::MAX] {
            assert_eq!(word(&bytes, 100, address), None, "{address}");
        }
    }
}
