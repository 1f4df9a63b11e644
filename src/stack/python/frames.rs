//! The frames of a thread of an interpreter, innermost first, each group of them with
//! the frame of the C stack that executes it.

use super::layout::{Border, Current, Layout};
use super::lines::line;
use super::reader::{Block, Memory, Reader};
use super::symbols::Symbols;
use super::text::text;
use crate::event::Function;

/// Limits for the chains of interpreters, threads and frames.
const MOST_INTERPRETERS: usize = 16;
const MOST_THREADS: usize = 1024;
const MOST_FRAMES: usize = 1024;
/// The limit for a location table, in bytes.
const MOST_OF_LINES: u64 = 1 << 20;
/// Owners of frames from this on are no functions: the frames with which evaluations
/// on the C stack begin (`_frameowner`).
const NO_FUNCTION: u8 = 3;
/// The name of code that is part of no script.
const SHIM: &str = "<shim>";

/// The stack of C functions below which an interpreter called the kernel.
pub(in crate::stack) struct CStack<'a> {
    /// The stack pointer of each frame, the innermost first: a frame has the memory from
    /// its own up to the next one's.
    pub(in crate::stack) pointers: &'a [u64],
    /// The end of the stack's memory.
    pub(in crate::stack) end: u64,
    /// Frames behind the last one are not known.
    pub(in crate::stack) is_cut: bool,
}

/// The functions of scripts, innermost first, by the index of the C frame that
/// executes them.
pub(in crate::stack) type Scripts = Vec<(usize, Vec<Function>)>;

/// The functions that a thread with this C stack executes. `None` if nothing is known
/// for certain: the interpreter is of a version that is not known, or what is read
/// does not fit together.
pub(in crate::stack) fn read(
    memory: &Memory<'_>,
    symbols: &Symbols,
    stack: &CStack<'_>,
) -> Option<Scripts> {
    if !stack.pointers.is_sorted() {
        // A signal handler runs on a stack of its own.
        return None;
    }
    let reader = Reader::new(memory);
    let version = reader.word(symbols.version)?;
    let layout = Layout::of(&reader, symbols.runtime, version)?;
    let interpreter = Interpreter {
        reader,
        layout,
        symbols,
        stack,
    };
    let scripts = interpreter.of_threads()?;
    scripts
        .iter()
        .map(|group| interpreter.named(group))
        .collect()
}

/// Ends a group; each C frame executes one, and they have one order.
fn add(groups: &mut Vec<Group>, index: usize, active: &mut Vec<Active>) -> Option<()> {
    let is_further_out = groups.last().is_none_or(|(last, _)| *last < index);
    is_further_out.then(|| groups.push((index, std::mem::take(active))))
}

/// All groups of a thread, whose outermost evaluation ends the chain.
fn complete(groups: Vec<Group>, active: &[Active]) -> Option<Vec<Group>> {
    (active.is_empty() && !groups.is_empty()).then_some(groups)
}

/// An interpreter whose memory is read.
struct Interpreter<'a> {
    reader: Reader<'a>,
    layout: Layout,
    symbols: &'a Symbols,
    stack: &'a CStack<'a>,
}

/// A function that is executed: its code object, and the next instruction.
#[derive(Clone, Copy, Debug)]
struct Active {
    code: u64,
    instruction: u64,
}

/// Functions, and the index of the C frame that executes them.
type Group = (usize, Vec<Active>);

impl Interpreter<'_> {
    /// The functions of that thread whose C stack is ours.
    fn of_threads(&self) -> Option<Vec<Group>> {
        let Layout {
            interpreters_head,
            interpreter: fields,
            thread: of_thread,
            ..
        } = &self.layout;
        let head = self.symbols.runtime.checked_add(*interpreters_head)?;
        let mut state = self.reader.word(head)?;
        let mut threads = 0;
        for _ in 0..MOST_INTERPRETERS {
            if state == 0 {
                break;
            }
            let mut thread = self.at(state, fields.threads_head)?;
            while thread != 0 && threads < MOST_THREADS {
                threads += 1;
                // Other threads come and go while they are read.
                let is_sound = self.at(thread, of_thread.interpreter) == Some(state);
                if let Some(groups) = is_sound.then(|| self.groups(thread)).flatten() {
                    return Some(groups);
                }
                thread = self.at(thread, of_thread.next)?;
            }
            state = self.at(state, fields.next)?;
        }
        None
    }

    fn at(&self, structure: u64, offset: u64) -> Option<u64> {
        self.reader.word(structure.checked_add(offset)?)
    }

    /// The functions of a thread, if they are executed on our stack.
    fn groups(&self, thread: u64) -> Option<Vec<Group>> {
        match self.layout.thread.current {
            Current::Frame(offset) => self.by_frames(self.at(thread, offset)?),
            Current::Evaluation {
                pointer,
                current,
                previous,
            } => {
                let evaluation = self.at(thread, pointer)?;
                self.executor(evaluation)?;
                let frame = self.at(evaluation, current)?;
                match self.layout.frame.border {
                    Border::Owner(_) => self.by_frames(frame),
                    Border::Flag(flag) => self.by_flags(evaluation, [current, previous], flag),
                }
            }
        }
    }

    /// The index of the C frame that contains an address.
    fn executor(&self, address: u64) -> Option<usize> {
        let CStack { pointers, end, .. } = self.stack;
        let after = pointers.partition_point(|pointer| *pointer <= address);
        (address < *end).then(|| after.checked_sub(1)).flatten()
    }

    /// Whether the C frame with this index is known no better than as one of those at
    /// the end.
    fn is_beyond(&self, index: usize) -> bool {
        self.stack.is_cut && index + 1 == self.stack.pointers.len()
    }

    /// Each evaluation begins with a frame of its own, on the C stack.
    fn by_frames(&self, first: u64) -> Option<Vec<Group>> {
        let Border::Owner(owner) = self.layout.frame.border else {
            return None;
        };
        let (mut groups, mut active) = (Vec::new(), Vec::new());
        let mut address = first;
        for _ in 0..MOST_FRAMES {
            if address == 0 {
                return complete(groups, &active);
            }
            let frame = self.frame(address)?;
            if frame.byte(owner)? < NO_FUNCTION {
                active.push(self.active(&frame)?);
            } else if let Some(index) = self.executor(address) {
                if self.is_beyond(index) {
                    return Some(groups);
                }
                add(&mut groups, index, &mut active)?;
            } else if !self.layout.frame.is_tagged {
                return None;
            }
            // From 3.14 on the call of an `__init__` has such a frame elsewhere, too.
            address = frame.word(self.layout.frame.previous)?;
        }
        None
    }

    /// Each evaluation has a structure on the C stack, and its outermost frame a flag.
    fn by_flags(&self, first: u64, offsets: [u64; 2], flag: u64) -> Option<Vec<Group>> {
        let [current, previous] = offsets;
        let (mut groups, mut active) = (Vec::new(), Vec::new());
        let mut evaluation = first;
        let mut address = self.at(evaluation, current)?;
        for _ in 0..MOST_FRAMES {
            if address == 0 {
                return complete(groups, &active);
            }
            let frame = self.frame(address)?;
            active.push(self.active(&frame)?);
            address = frame.word(self.layout.frame.previous)?;
            if frame.byte(flag)? == 0 {
                continue;
            }
            let index = self.executor(evaluation)?;
            if self.is_beyond(index) {
                return Some(groups);
            }
            add(&mut groups, index, &mut active)?;
            evaluation = self.at(evaluation, previous)?;
            // Both chains go on at the same frame.
            if self.at(evaluation, current)? != address {
                return None;
            }
        }
        None
    }

    fn frame(&self, address: u64) -> Option<Block> {
        let size = usize::try_from(self.layout.frame.size).ok()?;
        self.reader.block(address, size)
    }

    fn active(&self, frame: &Block) -> Option<Active> {
        let fields = &self.layout.frame;
        let code = frame.word(fields.code)?;
        Some(Active {
            code: if fields.is_tagged { code & !3 } else { code },
            instruction: frame.word(fields.instruction)?,
        })
    }

    fn named(&self, (index, active): &Group) -> Option<(usize, Vec<Function>)> {
        let functions = active.iter().map(|active| self.function(active));
        let mut functions = functions.collect::<Option<Vec<_>>>()?;
        // How the call of an `__init__` returns (3.12 and 3.13).
        functions.retain(|function| function.name.as_deref() != Some(SHIM));
        Some((*index, functions))
    }

    /// What an executed function is called, and where it is.
    fn function(&self, active: &Active) -> Option<Function> {
        let fields = &self.layout.code;
        let code = self.object(active.code, self.symbols.code_type, fields.units)?;
        let text = |offset| {
            let address = code.word(offset)?;
            text(&self.reader, &self.layout, self.symbols.text_type, address)
        };
        Some(Function {
            name: Some(text(fields.name)?),
            offset: None,
            file: Some(text(fields.file)?),
            line: self.line(active, &code),
        })
    }

    /// The first bytes of an object, if it has this type.
    fn object(&self, address: u64, kind: u64, length: u64) -> Option<Block> {
        let object = self.reader.block(address, usize::try_from(length).ok()?)?;
        (object.word(self.layout.object_type)? == kind).then_some(object)
    }

    fn line(&self, active: &Active, code: &Block) -> Option<u32> {
        let fields = &self.layout.code;
        let first = code.half(fields.first_line)?.cast_signed();
        let units = active.code.checked_add(fields.units)?;
        if active.instruction == units.wrapping_sub(2) {
            // It has not begun yet.
            return u32::try_from(first).ok();
        }
        let unit = active.instruction.checked_sub(units)? / 2;
        if unit >= code.word(self.layout.object_size)? {
            // Free-threaded builds may execute a copy of the code.
            return None;
        }
        let table = code.word(fields.lines)?;
        let data = self.layout.bytes_data;
        let head = self.object(table, self.symbols.bytes_type, data)?;
        let length = head.word(self.layout.object_size)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|_| length <= MOST_OF_LINES)?;
        let table = self.reader.block(table.checked_add(data)?, length)?;
        line(table.bytes(), first, unit)
    }
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
