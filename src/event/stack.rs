//! Call stacks as far as they could be unwound, with names that may come later.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

/// The call stack of a task at a system call.
///
/// Its frames and their names may become known later than the event: they are read
/// from files, which takes time. Only [`Stack::wait`] waits for them.
#[derive(Debug, Default)]
pub struct Stack {
    frames: OnceLock<Frames>,
    /// Finds what is not known yet.
    resolver: Option<Arc<dyn Resolver>>,
}

/// The frames of a stack, with the reason why some are missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frames {
    /// The innermost first.
    pub(crate) frames: Vec<Arc<Frame>>,
    pub(crate) cut: Option<Cut>,
}

/// Finds frames and names on other threads.
pub(crate) trait Resolver: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Gives up work that takes too long.
    fn check(&self);

    /// A caller waits: limit the time from now on.
    fn hurry(&self);
}

impl Stack {
    /// A stack with known frames, the innermost first, and the reason why some are
    /// missing.
    #[must_use]
    pub fn new(frames: Vec<Arc<Frame>>, cut: Option<Cut>) -> Stack {
        Stack {
            frames: OnceLock::from(Frames { frames, cut }),
            resolver: None,
        }
    }

    /// A stack whose frames, or their names, will be found by `resolver`.
    pub(crate) fn pending(resolver: Arc<dyn Resolver>) -> Stack {
        Stack {
            frames: OnceLock::new(),
            resolver: Some(resolver),
        }
    }

    /// Sets the frames; does nothing if they are known.
    pub(crate) fn resolve(&self, frames: Frames) {
        let _ = self.frames.set(frames);
    }

    /// The frames known by now, the innermost first.
    #[must_use]
    pub fn frames(&self) -> &[Arc<Frame>] {
        self.frames.get().map_or(&[], |frames| &frames.frames)
    }

    /// Why frames are missing; `None` if the last is the outermost.
    #[must_use]
    pub fn cut(&self) -> Option<Cut> {
        self.frames
            .get()
            .map_or(Some(Cut::Lost), |frames| frames.cut)
    }

    /// Whether the frames and their names are final.
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

    /// Waits until the frames and their names are final, or it takes too long.
    pub fn wait(&self) {
        /// Poll interval.
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
    /// It has more frames than the limit.
    Deep,
    /// Its last frame could not be unwound: code without unwind information, a
    /// file that does not respond, or an ABI that is not supported.
    Lost,
}

/// A call site. Two are equal if they are the same address of the same file, and
/// execute the same lines of a script.
pub struct Frame {
    /// The path of the file that the code is mapped from; `None` for code that
    /// was made at run time.
    pub object: Option<Arc<[u8]>>,
    /// The return address, as an address of the file (as `addr2line` expects it); for
    /// code from no file, in memory.
    pub address: u64,
    /// Shared by all stacks with this call site.
    functions: Arc<OnceLock<Vec<Function>>>,
    script: Vec<Function>,
}

impl Frame {
    /// A frame whose functions are known.
    #[must_use]
    pub fn new(object: Option<Arc<[u8]>>, address: u64, functions: Vec<Function>) -> Frame {
        Frame {
            object,
            address,
            functions: Arc::new(OnceLock::from(functions)),
            script: Vec::new(),
        }
    }

    /// A frame whose functions are looked up later.
    pub(crate) fn unnamed(object: Option<Arc<[u8]>>, address: u64) -> Frame {
        Frame {
            object,
            address,
            functions: Arc::default(),
            script: Vec::new(),
        }
    }

    /// This frame as one that executes these functions of a script, the innermost
    /// first. Its own functions may still come later.
    #[must_use]
    pub(crate) fn with_script(&self, script: Vec<Function>) -> Frame {
        Frame {
            object: self.object.clone(),
            address: self.address,
            functions: Arc::clone(&self.functions),
            script,
        }
    }

    /// Sets the functions; does nothing if they are known.
    pub(crate) fn name(&self, functions: Vec<Function>) {
        let _ = self.functions.set(functions);
    }

    /// The function that contains it, preceded by those inlined there, innermost
    /// first. Empty if none is known (yet).
    #[must_use]
    pub fn functions(&self) -> &[Function] {
        self.functions.get().map_or(&[], Vec::as_slice)
    }

    /// The functions of a script that this frame of an interpreter executes, the
    /// innermost first. Empty if it executes none, or none is known.
    #[must_use]
    pub fn script(&self) -> &[Function] {
        &self.script
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Frame) -> bool {
        (self.address, &self.object, &self.script) == (other.address, &other.object, &other.script)
    }
}

impl Eq for Frame {}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("object", &self.object)
            .field("address", &self.address)
            .field("functions", &self.functions.get())
            .field("script", &self.script)
            .finish()
    }
}

/// A function and a place in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// Its name, demangled.
    pub name: Option<String>,
    /// Bytes after its first instruction; `None` for an inlined function.
    pub offset: Option<u64>,
    /// The source file, as the compiler recorded it.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
}

impl Function {
    /// The name of the code to which a signal handler returns. The next frame is
    /// the interrupted one.
    pub const SIGNAL: &str = "<signal handler called>";

    /// The code to which a signal handler returns.
    pub(crate) fn signal() -> Function {
        Function {
            name: Some(Function::SIGNAL.to_owned()),
            ..Function::default()
        }
    }

    /// Whether it is the code to which a signal handler returns.
    #[must_use]
    pub fn is_signal(&self) -> bool {
        self.name.as_deref() == Some(Function::SIGNAL)
    }
}
