//! Call stacks, as far as they could be read.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};

/// The call stack of a task at a system call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// The frames, the innermost first.
    pub frames: Vec<Arc<Frame>>,
    /// Why there may be more of them; `None` if the last is the outermost.
    pub cut: Option<Cut>,
}

/// Why a stack ends before its outermost frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It has more frames than are told.
    Deep,
    /// The way back from its last frame is not known: code without unwind
    /// information, or an ABI that is not unwound.
    Lost,
}

/// A place in code that a call is made from. Two are equal if they are the same
/// place of the same file.
pub struct Frame {
    /// The path of the file that the code is mapped from; `None` for code that
    /// was made at run time.
    pub object: Option<Arc<[u8]>>,
    /// Where the call returns to, as the file's own address (as `addr2line`
    /// wants it); of code from no file the address in memory.
    pub address: u64,
    functions: OnceLock<Vec<Function>>,
    /// Who knows them, and the address to ask for.
    naming: Option<(Arc<dyn Naming>, u64)>,
}

/// Knows what places in the code of a file are called. To find that out takes
/// its time, so it is asked when somebody wants to know.
pub(crate) trait Naming: Send + Sync + UnwindSafe + RefUnwindSafe {
    /// The functions that `within`, an address of the file's own, is in; for
    /// their offsets `address` counts, which is where the call returns to.
    fn functions(&self, within: u64, address: u64) -> Vec<Function>;
}

impl Frame {
    /// A place that is called so.
    #[must_use]
    pub fn new(object: Option<Arc<[u8]>>, address: u64, functions: Vec<Function>) -> Frame {
        Frame {
            object,
            address,
            functions: OnceLock::from(functions),
            naming: None,
        }
    }

    /// A place whose names are asked for later, by an address `within` the call.
    pub(crate) fn unnamed(
        object: Arc<[u8]>,
        address: u64,
        within: u64,
        naming: Arc<dyn Naming>,
    ) -> Frame {
        Frame {
            object: Some(object),
            address,
            functions: OnceLock::new(),
            naming: Some((naming, within)),
        }
    }

    /// The function that this is in, and before it those that were inlined
    /// there, the innermost first. Empty if none is known.
    #[must_use]
    pub fn functions(&self) -> &[Function] {
        self.functions.get_or_init(|| {
            let naming = self.naming.as_ref();
            naming.map_or_else(Vec::new, |(naming, within)| {
                naming.functions(*within, self.address)
            })
        })
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Frame) -> bool {
        (self.address, &self.object) == (other.address, &other.object)
    }
}

impl Eq for Frame {}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("object", &self.object)
            .field("address", &self.address)
            .field("functions", &self.functions.get())
            .finish_non_exhaustive()
    }
}

/// A function and a place in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// Its name, demangled.
    pub name: Option<String>,
    /// How many bytes behind its first instruction; of an inlined one that is
    /// not known.
    pub offset: Option<u64>,
    /// The source file, as the compiler was given it.
    pub file: Option<String>,
    /// The line there, from 1.
    pub line: Option<u32>,
}

impl Function {
    /// The name of what the kernel lets a signal handler return to. The frame
    /// behind it is the one that was interrupted.
    pub const SIGNAL: &str = "<signal handler called>";

    /// Whether it is what a signal handler returns to.
    #[must_use]
    pub fn is_signal(&self) -> bool {
        self.name.as_deref() == Some(Function::SIGNAL)
    }
}
