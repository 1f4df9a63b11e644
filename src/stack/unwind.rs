//! Unwinds one frame: by its call frame information, or by the frame pointer if there
//! is none.
//!
//! gimli parses the information. Signal frames, realigned stacks and other expressions
//! that use memory or registers are supported.

use std::ops::Range;
use std::sync::Arc;

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, DebugFrame, EhFrame, EhFrameHdr, Encoding, EndianSlice,
    EvaluationResult, LittleEndian, Location, Register, RegisterRule, UnwindContext,
    UnwindExpression, UnwindOffset, UnwindSection, Value, Vendor,
};

use super::budget::Reserved;
use super::registers::Registers;

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// Whose extensions the information has: aarch64's tell that return addresses are signed.
const VENDOR: Vendor = if cfg!(target_arch = "aarch64") {
    Vendor::AArch64
} else {
    Vendor::Default
};

/// The result of unwinding one frame.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The frame of the caller.
    Caller(Registers),
    /// The frame that a signal interrupted: its ip is the next instruction.
    Interrupted(Registers),
    /// The frame is the outermost.
    Over,
}

/// Reads a word of the stack.
pub(super) type Memory<'a> = dyn Fn(u64) -> Option<u64> + 'a;

/// A loaded section.
pub(super) struct Section {
    pub(super) addresses: Range<u64>,
    pub(super) bytes: Arc<[u8]>,
}

/// The call frame information of a file.
#[derive(Default)]
pub(super) struct FrameInfo {
    eh_frame: Option<Section>,
    eh_frame_hdr: Option<Section>,
    debug_frame: Option<Arc<[u8]>>,
    bases: BaseAddresses,
    /// If the file has no search table: the addresses that each entry of `.eh_frame`, or
    /// else of `.debug_frame`, covers, and its offset.
    index: Vec<(Range<u64>, usize)>,
}

impl FrameInfo {
    /// The information in these sections; the addresses of `.text` and `.got` are needed for
    /// some encodings. An index that does not fit the budget is left out.
    pub(super) fn new(
        eh_frame: Option<Section>,
        eh_frame_hdr: Option<Section>,
        debug_frame: Option<Arc<[u8]>>,
        [text, got]: [Option<u64>; 2],
        reserved: &mut Reserved,
    ) -> FrameInfo {
        let start = |section: &Option<Section>| section.as_ref().map_or(0, |s| s.addresses.start);
        let bases = BaseAddresses::default()
            .set_eh_frame(start(&eh_frame))
            .set_eh_frame_hdr(start(&eh_frame_hdr))
            .set_text(text.unwrap_or(0))
            .set_got(got.unwrap_or(0));
        let mut info = FrameInfo {
            eh_frame,
            eh_frame_hdr,
            debug_frame,
            bases,
            index: Vec::new(),
        };
        info.index = match (&info.eh_frame, &info.debug_frame) {
            _ if info.has_table() => Vec::new(),
            (Some(section), _) => index(&self::eh_frame(section), &info.bases, reserved),
            (None, Some(bytes)) => index(&self::debug_frame(bytes), &info.bases, reserved),
            (None, None) => Vec::new(),
        };
        info
    }

    fn has_table(&self) -> bool {
        let header = self.eh_frame_hdr.as_ref();
        let parsed = header.and_then(|section| {
            let header = EhFrameHdr::new(&section.bytes, LittleEndian);
            header.parse(&self.bases, 8).ok()
        });
        self.eh_frame.is_some() && parsed.is_some_and(|header| header.table().is_some())
    }

    /// Unwinds the function that contains `address`, an address of the file. `None` if that
    /// is not possible.
    pub(super) fn step(&self, address: u64, callee: &Callee<'_>) -> Option<Step> {
        if let Some(section) = &self.eh_frame {
            let eh_frame = eh_frame(section);
            let offset = self.offset_by_table(address);
            if let Some(offset) = offset.or_else(|| self.offset_by_index(address)) {
                return self.by_entry(&eh_frame, offset, address, callee);
            }
        } else if let Some(bytes) = &self.debug_frame
            && let Some(offset) = self.offset_by_index(address)
        {
            return self.by_entry(&debug_frame(bytes), offset, address, callee);
        }
        callee.by_frame_pointer()
    }

    /// Whether there is information for the function at this address.
    pub(super) fn knows(&self, address: u64) -> bool {
        if let Some(section) = &self.eh_frame {
            let eh_frame = eh_frame(section);
            let offset = self.offset_by_table(address);
            let offset = offset.or_else(|| self.offset_by_index(address));
            offset.is_some_and(|offset| self.is_entry_of(&eh_frame, offset, address))
        } else if let Some(bytes) = &self.debug_frame {
            let offset = self.offset_by_index(address);
            offset.is_some_and(|offset| self.is_entry_of(&debug_frame(bytes), offset, address))
        } else {
            false
        }
    }

    fn is_entry_of<'a, S>(&self, section: &S, offset: usize, address: u64) -> bool
    where
        S: UnwindSection<Bytes<'a>>,
        S::Offset: UnwindOffset<usize>,
    {
        let offset = S::Offset::from(offset);
        let entry = section.fde_from_offset(&self.bases, offset, S::cie_from_offset);
        entry.is_ok_and(|entry| entry.contains(address))
    }

    fn offset_by_table(&self, address: u64) -> Option<usize> {
        let header = self.eh_frame_hdr.as_ref()?;
        let header = EhFrameHdr::new(&header.bytes, LittleEndian);
        let header = header.parse(&self.bases, 8).ok()?;
        let table = header.table()?;
        let entry = table.lookup(address, &self.bases).ok()?.direct().ok()?;
        let eh_frame = &self.eh_frame.as_ref()?.addresses;
        usize::try_from(entry.checked_sub(eh_frame.start)?).ok()
    }

    fn offset_by_index(&self, address: u64) -> Option<usize> {
        let after = self
            .index
            .partition_point(|(range, _)| range.start <= address);
        let (range, offset) = self.index.get(after.checked_sub(1)?)?;
        range.contains(&address).then_some(*offset)
    }

    fn by_entry<'a, S>(
        &self,
        section: &S,
        offset: usize,
        address: u64,
        callee: &Callee<'_>,
    ) -> Option<Step>
    where
        S: UnwindSection<Bytes<'a>>,
        S::Offset: UnwindOffset<usize>,
    {
        let offset = S::Offset::from(offset);
        let entry = section.fde_from_offset(&self.bases, offset, S::cie_from_offset);
        let entry = entry.ok().filter(|entry| entry.contains(address));
        let Some(entry) = entry else {
            // Between two functions that have information.
            return callee.by_frame_pointer();
        };
        let mut context = UnwindContext::new();
        let row = entry
            .unwind_info_for_address(section, &self.bases, &mut context, address)
            .ok()?;
        let frame = Frame {
            section,
            encoding: entry.cie().encoding(),
            callee,
        };
        let cfa = frame.canonical_address(row.cfa())?;
        // A register without a rule keeps its value; the stack pointer is the CFA by
        // definition.
        let mut caller = *callee.registers;
        let return_address = entry.cie().return_address_register();
        caller.leave(cfa, return_address);
        for (register, rule) in row.registers() {
            if *register == return_address && matches!(rule, RegisterRule::Undefined) {
                return Some(Step::Over);
            }
            let value = frame.value(rule, *register, cfa);
            caller.set(*register, value);
        }
        caller.return_to(return_address);
        callee.judged(&caller, entry.is_signal_trampoline())
    }
}

/// The frame to be unwound.
pub(super) struct Callee<'a> {
    pub(super) registers: &'a Registers,
    pub(super) memory: &'a Memory<'a>,
    /// It has called another function, so that its return address is in memory. The
    /// innermost frame, or one that a signal interrupted, may have it in a register:
    /// glibc's vfork pops it off the stack.
    pub(super) has_called: bool,
}

impl Callee<'_> {
    /// Checks the caller's registers.
    pub(super) fn judged(&self, caller: &Registers, was_interrupted: bool) -> Option<Step> {
        let [above, below] = [caller, self.registers].map(Registers::known_sp);
        match caller.known_ip() {
            // The return address is in memory that was not copied.
            None => None,
            Some(0) => Some(Step::Over),
            // The handler may run on its own stack.
            Some(_) if was_interrupted => Some(Step::Interrupted(*caller)),
            // A frame below its callee's would loop for ever.
            Some(_) if above < below || (self.has_called && above == below) => None,
            Some(_) => Some(Step::Caller(*caller)),
        }
    }

    /// Unwinds without information: by the frame of a signal handler, or by the frame
    /// pointer, which points to the saved one, followed by the return address.
    fn by_frame_pointer(&self) -> Option<Step> {
        if let Some(interrupted) = self.registers.before_signal(self.memory) {
            return self.judged(&interrupted, true);
        }
        let frame = self.registers.frame_pointer()?;
        if frame == 0 {
            return Some(Step::Over);
        }
        let caller = self.registers.by_frame_pointer(frame, self.memory)?;
        self.judged(&caller, false)
    }
}

/// A frame with the entry that covers it.
struct Frame<'f, S> {
    section: &'f S,
    encoding: Encoding,
    callee: &'f Callee<'f>,
}

impl<'a, S: UnwindSection<Bytes<'a>>> Frame<'_, S> {
    /// The canonical frame address (CFA).
    fn canonical_address(&self, rule: &CfaRule<usize>) -> Option<u64> {
        match rule {
            CfaRule::RegisterAndOffset { register, offset } => {
                let base = self.callee.registers.get(*register)?;
                base.checked_add_signed(*offset)
            }
            CfaRule::Expression(expression) => self.evaluate(expression, None),
        }
    }

    /// The value of a register in the caller.
    fn value(&self, rule: &RegisterRule<usize>, register: Register, cfa: u64) -> Option<u64> {
        match *rule {
            RegisterRule::SameValue => self.callee.registers.get(register),
            RegisterRule::Offset(offset) => (self.callee.memory)(cfa.checked_add_signed(offset)?),
            RegisterRule::ValOffset(offset) => cfa.checked_add_signed(offset),
            RegisterRule::Register(other) => self.callee.registers.get(other),
            RegisterRule::Expression(expression) => {
                (self.callee.memory)(self.evaluate(&expression, Some(cfa))?)
            }
            RegisterRule::ValExpression(expression) => self.evaluate(&expression, Some(cfa)),
            RegisterRule::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// Evaluates an expression; `first` is its initial stack.
    fn evaluate(&self, expression: &UnwindExpression<usize>, first: Option<u64>) -> Option<u64> {
        /// Limits loops in expressions.
        const MOST_STEPS: u32 = 1000;
        let expression = expression.get(self.section).ok()?;
        let mut evaluation = expression.evaluation(self.encoding);
        evaluation.set_max_iterations(MOST_STEPS);
        if let Some(first) = first {
            evaluation.set_initial_value(first);
        }
        let mut state = evaluation.evaluate().ok()?;
        loop {
            state = match state {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRegister { register, .. } => {
                    let value = Value::Generic(self.callee.registers.get(register)?);
                    evaluation.resume_with_register(value).ok()?
                }
                EvaluationResult::RequiresMemory {
                    address, size: 8, ..
                } => {
                    let value = Value::Generic((self.callee.memory)(address)?);
                    evaluation.resume_with_memory(value).ok()?
                }
                _ => return None,
            };
        }
        match evaluation.as_result().last()?.location {
            Location::Address { address } => Some(address),
            _ => None,
        }
    }
}

fn eh_frame(section: &Section) -> EhFrame<Bytes<'_>> {
    let mut eh_frame = EhFrame::new(&section.bytes, LittleEndian);
    eh_frame.set_address_size(8);
    eh_frame.set_vendor(VENDOR);
    eh_frame
}

fn debug_frame(bytes: &[u8]) -> DebugFrame<Bytes<'_>> {
    let mut debug_frame = DebugFrame::new(bytes, LittleEndian);
    debug_frame.set_address_size(8);
    debug_frame.set_vendor(VENDOR);
    debug_frame
}

/// The addresses that each entry covers, sorted.
fn index<'a, S>(
    section: &S,
    bases: &BaseAddresses,
    reserved: &mut Reserved,
) -> Vec<(Range<u64>, usize)>
where
    S: UnwindSection<Bytes<'a>>,
    S::Offset: UnwindOffset<usize>,
{
    let mut index = Vec::new();
    let size = size_of::<(Range<u64>, usize)>() as u64;
    let mut entries = section.entries(bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(entry) = entry else {
            continue;
        };
        if let Ok(entry) = entry.parse(S::cie_from_offset) {
            if reserved.add(size).is_none() {
                break;
            }
            let start = entry.initial_address();
            index.push((start..start.saturating_add(entry.len()), entry.offset()));
        }
    }
    index.sort_by_key(|(range, _)| range.start);
    index
}
