//! Finds what scripts a stack executes, on a thread of its own: names of code that was
//! made at run time, and the lines of a CPython script.
//!
//! The memory of an interpreter is read while its thread sleeps in the system call
//! below which the stack was taken. A thread that runs on changes it: the tracer says
//! so (`Presence`), and what was read is dropped.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Weak};

use super::file::open_memory;
use super::home::Home;
use super::perf_map::PerfMap;
use super::python::{self, CStack, Scripts};
use super::walk::Walked;
use super::watch;
use super::work_queue::Job;
use crate::event::{Function, Stack};
use crate::kernel::Tgid;

/// How many processes' perf maps are kept.
const MOST_MAPS: usize = 32;

/// Whether a thread is still in the system call below which its stack was taken. It
/// leaves the call with a stop: the tracer ends this before it resumes the thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Presence(Arc<AtomicBool>);

impl Presence {
    /// The thread runs on.
    pub(super) fn end(&self) {
        self.0.store(true, SeqCst);
    }

    fn is_over(&self) -> bool {
        self.0.load(SeqCst)
    }
}

/// The memory of a process that runs. It is that of the program at the time of the
/// open: an exec ends it.
pub(super) struct Memory(File);

impl Memory {
    pub(super) fn open(tgid: Tgid) -> Option<Memory> {
        open_memory(tgid).ok().map(Memory)
    }

    /// Fills a buffer. A page that a tracee must fill may never come.
    pub(super) fn read(&self, address: u64, to: &mut [u8]) -> Option<()> {
        watch::during(|| self.0.read_exact_at(to, address)).ok()
    }

    /// As much of a buffer as there is memory.
    pub(super) fn read_some(&self, address: u64, to: &mut [u8]) -> Option<usize> {
        watch::during(|| self.0.read_at(to, address)).ok()
    }
}

/// A stack with frames that execute scripts.
pub(super) struct Scripting {
    pub(super) walked: Walked,
    pub(super) stack: Arc<Stack>,
    pub(super) tgid: Tgid,
    /// `None` where the thread runs on.
    pub(super) presence: Option<Presence>,
    pub(super) home: Option<Arc<Home>>,
}

impl Scripting {
    /// The functions of a CPython script, if the thread stayed while they were read.
    fn python(&self) -> Option<Scripts> {
        let (interpreter, presence) = self.walked.python.as_ref().zip(self.presence.as_ref())?;
        let stack = CStack {
            pointers: &self.walked.pointers,
            end: self.walked.end,
            is_cut: self.walked.frames.cut.is_some(),
        };
        if presence.is_over() {
            return None;
        }
        let memory = Memory::open(self.tgid)?;
        let read = |at: u64, to: &mut [u8]| {
            // Nobody waits for what will be dropped.
            (!presence.is_over()).then(|| memory.read(at, to)).flatten()
        };
        let scripts = python::read(&read, interpreter, &stack)?;
        (!presence.is_over()).then_some(scripts)
    }

    /// Names the frames of code that was made at run time.
    fn name_made(&self, maps: &mut PerfMaps) {
        if self.walked.made.is_empty() {
            return;
        }
        let map = self.home.as_ref().and_then(|home| maps.of(home));
        for (frame, within) in &self.walked.made {
            let function = map
                .as_ref()
                .and_then(|map| map.find(*within, frame.address));
            frame.name(function.into_iter().collect::<Vec<Function>>());
        }
    }
}

impl Job for Scripting {
    type State = PerfMaps;

    fn run(&self, maps: &mut PerfMaps) {
        let mut frames = self.walked.frames.clone();
        // The thread will not stay for long.
        for (index, script) in self.python().unwrap_or_default() {
            if let Some(frame) = frames.frames.get_mut(index) {
                *frame = Arc::new(frame.with_script(script));
            }
        }
        self.name_made(maps);
        self.stack.resolve(frames);
    }

    fn give_up(&self) {
        for (frame, _) in &self.walked.made {
            frame.name(Vec::new());
        }
        self.stack.resolve(self.walked.frames.clone());
    }
}

/// The perf maps that were read, least recently used first.
#[derive(Default)]
pub(super) struct PerfMaps(Vec<(Weak<Home>, PerfMap)>);

impl PerfMaps {
    /// The map of a process as it is now, if there is one. Where the budget is short, the
    /// least recently used ones are dropped.
    fn of(&mut self, home: &Arc<Home>) -> Option<&PerfMap> {
        self.0.retain(|(home, _)| home.strong_count() > 0);
        let is_its = |(of, _): &(Weak<Home>, PerfMap)| of.as_ptr() == Arc::as_ptr(home);
        let found = self.0.iter().position(is_its);
        let mut map = found
            .map(|index| self.0.remove(index).1)
            .unwrap_or_default();
        let (file, meta) = home.open_perf_map()?;
        map.update(&file, meta.len());
        while map.is_cut() && !self.0.is_empty() {
            drop(map);
            self.0.drain(..self.0.len().div_ceil(2));
            map = PerfMap::default();
            map.update(&file, meta.len());
        }
        if self.0.len() == MOST_MAPS {
            self.0.remove(0);
        }
        self.0.push((Arc::downgrade(home), map));
        self.0.last().map(|(_, map)| map)
    }
}
