//! The resolver: finds frames and names on other threads.

use std::cell::OnceCell;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::file::Handles;
use super::home::Home;
use super::namer::Naming;
use super::object::Objects;
use super::scripts::{Memory, Presence, Scripting};
use super::space::Place;
use super::walk::{Missing, RawStack, Walked, Walker};
use super::work_queue::{Job, WorkQueue};
use crate::event::{self, Stack};
use crate::urgency::{self, Urgency};

/// How long the work may take when a caller waits for it, and how long if that is
/// urgent.
const LONGEST: Duration = Duration::from_secs(30);
const URGENT: Duration = Duration::from_secs(1);

/// One thread opens files and unwinds, which is fast, while the processes are alive;
/// one reads what scripts they execute, while the threads sleep; another one names
/// frames.
pub(super) struct Resolver {
    pub(super) unwinder: WorkQueue<Unwinding>,
    pub(super) scripts: WorkQueue<Scripting>,
    pub(super) namer: WorkQueue<Naming>,
}

impl Resolver {
    pub(super) fn new() -> Resolver {
        Resolver {
            unwinder: WorkQueue::new(),
            scripts: WorkQueue::new(),
            namer: WorkQueue::new(),
        }
    }

    /// The trace is over: finish the queued work.
    pub(super) fn close(&self) {
        self.unwinder.close();
        self.scripts.close();
        self.namer.close();
    }
}

impl event::Resolver for Resolver {
    fn check(&self) {
        self.unwinder.check();
        self.scripts.check();
        self.namer.check();
    }

    fn hurry(&self) {
        let limit = match urgency::now() {
            Urgency::None => LONGEST,
            Urgency::Tracees | Urgency::User => URGENT,
        };
        self.unwinder.hurry(limit);
        self.scripts.hurry(limit);
        self.namer.hurry(limit);
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

/// A stack that needs a file that has not been read.
pub(super) struct Unwinding {
    raw: RawStack,
    bytes: Vec<u8>,
    /// The files that it may need.
    handles: Handles,
    /// The process, for the names of code that it made.
    home: Option<Arc<Home>>,
    presence: Option<Presence>,
    stack: Arc<Stack>,
    resolver: Arc<Resolver>,
    /// The mapping whose file is being read.
    reads: Mutex<Option<Arc<Place>>>,
}

impl Unwinding {
    pub(super) fn new(
        raw: RawStack,
        bytes: &[u8],
        home: Option<Arc<Home>>,
        presence: Option<Presence>,
        stack: Arc<Stack>,
        resolver: Arc<Resolver>,
    ) -> Unwinding {
        Unwinding {
            handles: Handles::hold(raw.tgid, raw.space.unread()),
            raw,
            bytes: bytes.to_vec(),
            home,
            presence,
            stack,
            resolver,
            reads: Mutex::default(),
        }
    }

    fn walk(&self, mut raw: RawStack, is_final: bool) -> Result<Walked, Missing> {
        let memory = OnceCell::new();
        let code = |at: u64, to: &mut [u8]| {
            let memory = memory.get_or_init(|| Memory::open(self.raw.tgid));
            memory.as_ref()?.read_some(at, to)
        };
        Walker {
            stack: &mut raw,
            bytes: &self.bytes,
            namer: &self.resolver.namer,
            code: (!is_final).then_some(&code),
            is_final,
        }
        .walked()
    }

    /// The stack is unwound.
    fn finish(&self, walked: Walked) {
        let stack = Arc::clone(&self.stack);
        if !walked.has_scripts() {
            stack.resolve(walked.frames);
            return;
        }
        self.resolver.scripts.send(Scripting {
            walked,
            stack,
            tgid: self.raw.tgid,
            presence: self.presence.clone(),
            home: self.home.clone(),
        });
    }

    fn reads(&self, place: Option<Arc<Place>>) {
        *self.reads.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

impl Job for Unwinding {
    type State = Objects;

    fn run(&self, objects: &mut Objects) {
        let walked = loop {
            match self.walk(self.raw.clone(), false) {
                Ok(walked) => break walked,
                Err(Missing(place)) => {
                    self.reads(Some(Arc::clone(&place)));
                    place.hold(objects.load(&place.mapping, &self.handles));
                    self.reads(None);
                }
            }
        };
        self.finish(walked);
    }

    fn give_up(&self) {
        let place = self.reads.lock();
        if let Some(place) = place.unwrap_or_else(PoisonError::into_inner).take() {
            // The file did not respond.
            place.hold(None);
        }
        if let Ok(walked) = self.walk(self.raw.clone(), true) {
            self.finish(walked);
        }
    }
}
