//! Unwinds a whole stack, frame by frame.

use std::sync::Arc;

use super::copy::Copy;
use super::epilogue;
use super::namer::Naming;
use super::object::Object;
use super::python::Symbols;
use super::registers::Registers;
use super::space::{Held, Place, Space};
use super::unwind::{Callee, FrameInfo, Step};
use super::work_queue::WorkQueue;
use crate::event::{Cut, Frame, Frames, Function};
use crate::kernel::{Tgid, Tid};

/// Limit for the frames of a stack, as in strace.
const MOST_FRAMES: usize = 256;

/// A stack as copied at a stop, without its bytes.
#[derive(Clone)]
pub(crate) struct RawStack {
    pub(super) tgid: Tgid,
    pub(super) tid: Tid,
    pub(super) registers: Registers,
    pub(super) copy: Copy,
    /// The mappings then, or somewhat earlier.
    pub(super) space: Arc<Space>,
}

/// Unwinds one stack.
pub(super) struct Walker<'a> {
    pub(super) stack: &'a mut RawStack,
    pub(super) bytes: &'a [u8],
    pub(super) namer: &'a WorkQueue<Naming>,
    /// Reads the code at an address, where the process may be asked for it.
    pub(super) code: Option<&'a Code<'a>>,
    /// Whether to skip files that have not been read, instead of failing.
    pub(super) is_final: bool,
}

/// Reads as much of the code at an address as there is.
pub(super) type Code<'a> = dyn Fn(u64, &mut [u8]) -> Option<usize> + 'a;

/// An unwound stack.
#[derive(Default)]
pub(super) struct Walked {
    pub(super) frames: Frames,
    /// The stack pointer of each frame.
    pub(super) pointers: Vec<u64>,
    /// The end of the stack's mapping.
    pub(super) end: u64,
    /// The frames of code that was made at run time, still without names, and the
    /// addresses by which they are looked up.
    pub(super) made: Vec<(Arc<Frame>, u64)>,
    /// The symbols in memory of a CPython interpreter with frames in the stack.
    pub(super) python: Option<Symbols>,
}

impl Walked {
    /// Whether it executes scripts.
    pub(super) fn has_scripts(&self) -> bool {
        self.python.is_some() || !self.made.is_empty()
    }

    fn push(&mut self, found: &Found, pointer: u64, within: u64) {
        self.frames.frames.push(Arc::clone(&found.frame));
        self.pointers.push(pointer);
        if found.is_made {
            self.made.push((Arc::clone(&found.frame), within));
        }
        self.python = self.python.or(found.python);
    }
}

/// A file must be read first, or the process's code.
pub(super) struct Missing(pub(super) Arc<Place>);

/// An unwound frame.
struct Found {
    frame: Arc<Frame>,
    step: Option<Step>,
    /// The code was made at run time.
    is_made: bool,
    python: Option<Symbols>,
}

impl Walker<'_> {
    /// The frames of the stack.
    pub(super) fn walked(&mut self) -> Result<Walked, Missing> {
        let registers = self.stack.registers;
        let mut walked = match self.past_a_gap(&registers)? {
            Some(walked) => walked,
            None => self.frames_from(&registers, false)?,
        };
        let end = self.stack.space.end_of_stack(registers.sp());
        walked.end = end.unwrap_or(registers.sp());
        Ok(walked)
    }

    /// The innermost frame may be the only one without call frame information: glibc's clone
    /// and clone3, in assembler, have none around the system call. If its return address
    /// is all that it has on the stack, the rest of the stack can be unwound.
    fn past_a_gap(&mut self, registers: &Registers) -> Result<Option<Walked>, Missing> {
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
        if rest.frames.cut.is_some() {
            return Ok(None);
        }
        let frame = self.frame(&object, address, address, false);
        rest.frames.frames.insert(0, frame);
        rest.pointers.insert(0, registers.sp());
        Ok(Some(rest))
    }

    /// The frames from the one with these registers on; it has called another, or was
    /// interrupted.
    fn frames_from(
        &mut self,
        innermost: &Registers,
        mut has_called: bool,
    ) -> Result<Walked, Missing> {
        let mut registers = *innermost;
        let mut walked = Walked::default();
        walked.frames.cut = loop {
            if walked.pointers.len() == MOST_FRAMES {
                break Some(Cut::Deep);
            }
            let Some(found) = self.step(&registers, has_called)? else {
                // There is no code at this address.
                break Some(Cut::Lost);
            };
            walked.push(&found, registers.sp(), within(&registers, has_called));
            match found.step {
                Some(Step::Caller(caller)) => (registers, has_called) = (caller, true),
                Some(Step::Interrupted(caller)) => (registers, has_called) = (caller, false),
                Some(Step::Over) => break None,
                None => break Some(Cut::Lost),
            }
        };
        Ok(walked)
    }

    /// The frame with these registers, and its caller's.
    fn step(&mut self, registers: &Registers, has_called: bool) -> Result<Option<Found>, Missing> {
        let address = registers.ip();
        let within = within(registers, has_called);
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
                Found {
                    frame: self.frame(object, address, within, is_signal),
                    step,
                    is_made: false,
                    python: object.python.map(|python| python.moved_by(*bias)),
                }
            }
            Some(Held::Nameless(_)) if place.mapping.is_made() => self.made(place, &callee)?,
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
                Found {
                    frame: Arc::new(Frame::new(path, address, functions)),
                    step,
                    is_made: false,
                    python: None,
                }
            }
        }))
    }

    /// A frame of code that was made at run time. It is unwound by its own instructions
    /// where they say how, else by the frame pointer.
    fn made(&self, place: Arc<Place>, callee: &Callee<'_>) -> Result<Found, Missing> {
        let address = callee.registers.ip();
        let by_code = match self.code {
            None if !self.is_final => return Err(Missing(place)),
            Some(code) if callee.has_called && cfg!(target_arch = "x86_64") => {
                let mut bytes = [0; epilogue::MOST];
                let count = code(address, &mut bytes).unwrap_or(0);
                let bytes = bytes.get(..count).unwrap_or_default();
                epilogue::caller(bytes, callee.registers, callee.memory)
            }
            _ => None,
        };
        let by_code = by_code.and_then(|caller| callee.judged(&caller, false));
        Ok(Found {
            frame: Arc::new(Frame::unnamed(place.path().cloned(), address)),
            step: by_code.or_else(|| FrameInfo::default().step(address, callee)),
            is_made: true,
            python: None,
        })
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

/// An address within the instruction at which a frame is.
fn within(registers: &Registers, has_called: bool) -> u64 {
    // After a call that never returns may be the next function.
    registers.ip().wrapping_sub(u64::from(has_called))
}
