//! Unwinds a whole stack, frame by frame.

use std::sync::Arc;

use super::copy::Copy;
use super::lane::Lane;
use super::namer::Naming;
use super::object::Object;
use super::registers::Registers;
use super::space::{Held, Place, Space};
use super::unwind::{Callee, FrameInfo, Step};
use crate::event::{Cut, Frame, Frames, Function};
use crate::kernel::Tgid;

/// Limit for the frames of a stack, as in strace.
const MOST_FRAMES: usize = 256;

/// A stack as copied at a stop, without its bytes.
#[derive(Clone)]
pub(crate) struct RawStack {
    pub(super) tgid: Tgid,
    pub(super) registers: Registers,
    pub(super) copy: Copy,
    /// The mappings then, or somewhat earlier.
    pub(super) space: Arc<Space>,
}

/// Unwinds one stack.
pub(super) struct Walker<'a> {
    pub(super) stack: &'a mut RawStack,
    pub(super) bytes: &'a [u8],
    pub(super) namer: &'a Lane<Naming>,
    /// Whether to skip files that have not been read, instead of failing.
    pub(super) is_final: bool,
}

/// A file must be read first.
pub(super) struct Missing(pub(super) Arc<Place>);

/// An unwound frame.
struct Found {
    frame: Arc<Frame>,
    step: Option<Step>,
}

impl Walker<'_> {
    /// The frames of the stack.
    pub(super) fn frames(&mut self) -> Result<Frames, Missing> {
        let registers = self.stack.registers;
        if let Some(frames) = self.past_a_gap(&registers)? {
            return Ok(frames);
        }
        self.frames_from(&registers, false)
    }

    /// The innermost frame may be the only one without call frame information: glibc's clone
    /// and clone3, in assembler, have none around the system call. If its return address
    /// is all that it has on the stack, the rest of the stack can be unwound.
    fn past_a_gap(&mut self, registers: &Registers) -> Result<Option<Frames>, Missing> {
        let Some((object, address)) = self.object_at(registers.ip())? else {
            return Ok(None);
        };
        if object.info.knows(address) {
            return Ok(None);
        }
        let Some(caller) = registers.popped(&|at| self.stack.copy.word(self.bytes, at)) else {
            return Ok(None);
        };
        match self.object_at(caller.ip().wrapping_sub(1))? {
            Some((object, within)) if object.info.knows(within) => {}
            _ => return Ok(None),
        }
        let mut rest = self.frames_from(&caller, true)?;
        if rest.cut.is_some() {
            return Ok(None);
        }
        let frame = self.frame(&object, address, address, false);
        rest.frames.insert(0, frame);
        Ok(Some(rest))
    }

    /// The frames from the one with these registers on; it has called another, or was
    /// interrupted.
    fn frames_from(
        &mut self,
        innermost: &Registers,
        mut has_called: bool,
    ) -> Result<Frames, Missing> {
        let mut registers = *innermost;
        let mut frames = Vec::new();
        let cut = loop {
            if frames.len() == MOST_FRAMES {
                break Some(Cut::Deep);
            }
            let Some(Found { frame, step }) = self.step(&registers, has_called)? else {
                // There is no code at this address.
                break Some(Cut::Lost);
            };
            frames.push(frame);
            match step {
                Some(Step::Caller(caller)) => (registers, has_called) = (caller, true),
                Some(Step::Interrupted(caller)) => (registers, has_called) = (caller, false),
                Some(Step::Over) => break None,
                None => break Some(Cut::Lost),
            }
        };
        Ok(Frames { frames, cut })
    }

    /// The frame with these registers, and its caller's.
    fn step(&mut self, registers: &Registers, has_called: bool) -> Result<Option<Found>, Missing> {
        let address = registers.ip();
        // After a call that never returns may be the next function.
        let within = address.wrapping_sub(u64::from(has_called));
        let Some(place) = self.place(within) else {
            return Ok(None);
        };
        let callee = Callee {
            registers,
            memory: &|at| self.stack.copy.word(self.bytes, at),
            has_called,
        };
        Ok(Some(match place.held.get() {
            Some(Held::Object(object, bias)) => {
                let [address, within] = [address, within].map(|at| at.wrapping_sub(*bias));
                let step = object.info.step(within, &callee);
                let is_signal = matches!(step, Some(Step::Interrupted(_)));
                let frame = self.frame(object, address, within, is_signal);
                Found { frame, step }
            }
            None if !self.is_final => return Err(Missing(place)),
            held => {
                let path = match held {
                    Some(Held::Nameless(path)) => path.clone(),
                    _ => place.path().cloned(),
                };
                let step = FrameInfo::default().step(within, &callee);
                // aarch64's own is in the vDSO, which has no file.
                let is_signal = matches!(step, Some(Step::Interrupted(_)));
                let functions = is_signal.then(Function::signal).into_iter().collect();
                let frame = Arc::new(Frame::new(path, address, functions));
                Found { frame, step }
            }
        }))
    }

    /// A frame of a file; its names may be found later.
    fn frame(
        &self,
        object: &Arc<Object>,
        address: u64,
        within: u64,
        is_signal: bool,
    ) -> Arc<Frame> {
        let (frame, is_new) = object.frame(address, within, is_signal);
        if is_new {
            self.namer.send(Naming {
                frame: Arc::clone(&frame),
                object: Arc::clone(object),
                within,
            });
        }
        frame
    }

    /// The file whose code is at an address, and the address in that file.
    fn object_at(&mut self, address: u64) -> Result<Option<(Arc<Object>, u64)>, Missing> {
        let Some(place) = self.place(address) else {
            return Ok(None);
        };
        match place.held.get() {
            Some(Held::Object(object, bias)) => {
                Ok(Some((Arc::clone(object), address.wrapping_sub(*bias))))
            }
            Some(Held::Nameless(_)) => Ok(None),
            None if self.is_final => Ok(None),
            None => Err(Missing(place)),
        }
    }

    fn place(&mut self, address: u64) -> Option<Arc<Place>> {
        let RawStack { space, tgid, .. } = self.stack;
        if space.at(address).is_none()
            && let Some(now) = space.read_again(*tgid)
        {
            *space = Arc::new(now);
        }
        space.at(address).cloned()
    }
}
