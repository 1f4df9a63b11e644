//! Call stacks, as far as they could be read.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

/// The call stack of a task at a system call.
///
/// Its frames and their names may be known later than the event: to read them
/// from files takes its time, and nothing waits for it but [`Stack::wait`].
#[derive(Debug, Default)]
pub struct Stack {
    frames: OnceLock<Frames>,
    /// Finds what is not known yet.
    resolver: Option<Arc<dyn Resolver>>,
}

/// The frames of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frames {
    /// The innermost first.
    pub(crate) frames: Vec<Arc<Frame>>,
    pub(crate) cut: Option<Cut>,
}

/// Finds frames and names beside the trace.
pub(crate) trait Resolver: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Give up what does not come.
    fn check(&self);

    /// Somebody waits: do not take for ever.
    fn hurry(&self);
}

impl Stack {
    /// A stack that is known: its frames, the innermost first, and why there
    /// may be more of them.
    #[must_use]
    pub fn new(frames: Vec<Arc<Frame>>, cut: Option<Cut>) -> Stack {
        Stack {
            frames: OnceLock::from(Frames { frames, cut }),
            resolver: None,
        }
    }

    /// A stack whose frames, or their names, will be known.
    pub(crate) fn pending(resolver: Arc<dyn Resolver>) -> Stack {
        Stack {
            frames: OnceLock::new(),
            resolver: Some(resolver),
        }
    }

    /// The frames are known; those that were known before stay.
    pub(crate) fn resolve(&self, frames: Frames) {
        let _ = self.frames.set(frames);
    }

    /// The frames, the innermost first, as far as they are known by now.
    #[must_use]
    pub fn frames(&self) -> &[Arc<Frame>] {
        self.frames.get().map_or(&[], |frames| &frames.frames)
    }

    /// Why there may be more frames; `None` if the last is the outermost.
    #[must_use]
    pub fn cut(&self) -> Option<Cut> {
        self.frames
            .get()
            .map_or(Some(Cut::Lost), |frames| frames.cut)
    }

    /// Whether the frames and their names are known as well as they will ever
    /// be.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let named = |frame: &Arc<Frame>| frame.functions.get().is_some();
        let is_known = || {
            let frames = self.frames.get();
            frames.is_some_and(|frames| frames.frames.iter().all(named))
        };
        let Some(resolver) = &self.resolver else {
            return true;
        };
        is_known() || {
            resolver.check();
            is_known()
        }
    }

    /// Wait until the frames and their names are known, or it takes too long.
    pub fn wait(&self) {
        /// How long to sleep until the next look.
        const GLANCE: Duration = Duration::from_millis(2);
        if let Some(resolver) = &self.resolver {
            while !self.is_known() {
                resolver.hurry();
                thread::sleep(GLANCE);
            }
        }
    }
}

impl PartialEq for Stack {
    fn eq(&self, other: &Stack) -> bool {
        (self.frames(), self.cut()) == (other.frames(), other.cut())
    }
}

impl Eq for Stack {}

/// Why a stack ends before its outermost frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It has more frames than are told.
    Deep,
    /// The way back from its last frame is not known: code without unwind
    /// information, a file that does not answer, or an ABI that is not unwound.
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
}

impl Frame {
    /// A place that is called so.
    #[must_use]
    pub fn new(object: Option<Arc<[u8]>>, address: u64, functions: Vec<Function>) -> Frame {
        Frame {
            object,
            address,
            functions: OnceLock::from(functions),
        }
    }

    /// A place whose names are looked up.
    pub(crate) fn unnamed(object: Arc<[u8]>, address: u64) -> Frame {
        Frame {
            object: Some(object),
            address,
            functions: OnceLock::new(),
        }
    }

    /// It is called so; the first names stay.
    pub(crate) fn name(&self, functions: Vec<Function>) {
        let _ = self.functions.set(functions);
    }

    /// The function that this is in, and before it those that were inlined
    /// there, the innermost first. Empty if none is known (yet).
    #[must_use]
    pub fn functions(&self) -> &[Function] {
        self.functions.get().map_or(&[], Vec::as_slice)
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
            .finish()
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
