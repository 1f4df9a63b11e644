//! Call stacks (`-k`): what is copied at a stop, and how it is unwound and named
//! while the tracee runs.
//!
//! At the stop only the registers and the bytes of the stack are copied. The list of
//! mappings is read once for each program, and its children share it. Files of
//! tracees are opened and read by other threads: a stack that needs a file that has
//! not been read is unwound there. gimli reads the unwind information, addr2line the
//! names. What scripts a stack executes is read by a thread of its own (`scripts`):
//! from perf maps (`home`, `perf_map`), and from the memory of CPython (`python`).

#[cfg(test)]
mod broken;
mod budget;
mod copy;
mod demangle;
mod elf;
mod epilogue;
mod file;
mod home;
mod maps;
mod namer;
mod names;
mod object;
mod perf_map;
mod python;
mod registers;
mod resolver;
mod scripts;
mod space;
mod symbols;
mod unwind;
mod walk;
mod watch;
mod work_queue;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::event::Stack;
use crate::kernel::{Tgid, Tid};
use crate::proc::PageMap;
use crate::sys::ptrace::Stopped;
use copy::{Copy, MOST_BYTES};
use home::Home;
use registers::Registers;
use resolver::{Resolver, Unwinding};
use scripts::{Presence, Scripting};
use space::Space;
pub(crate) use walk::RawStack;
use walk::Walker;

/// How many page maps are held open.
const MOST_OPEN: usize = 64;

/// The state for unwinding stacks of all tracees.
pub(crate) struct Stacks {
    processes: FxHashMap<Tgid, Process>,
    /// How many page maps are open.
    open: usize,
    /// The kernel has no page maps.
    is_without_pages: bool,
    resolver: Arc<Resolver>,
    /// The bytes of the stack that was copied last.
    bytes: Vec<u8>,
    /// Threads in calls below which an interpreter may be read.
    present: FxHashMap<Tid, Presence>,
}

/// What is known of the memory of a process.
#[derive(Default)]
struct Process {
    space: Option<Arc<Space>>,
    pages: Option<PageMap>,
    /// For the names of code that it made.
    home: Option<Arc<Home>>,
    /// That could not be had.
    is_homeless: bool,
}

impl Stacks {
    pub(crate) fn new() -> Stacks {
        Stacks {
            processes: FxHashMap::default(),
            open: 0,
            is_without_pages: !PageMap::exist(),
            resolver: Arc::new(Resolver::new()),
            bytes: vec![0; MOST_BYTES],
            present: FxHashMap::default(),
        }
    }

    /// Copies what is needed, while the task is stopped. `None` if its registers cannot
    /// be read, or belong to an ABI that is not unwound.
    pub(crate) fn take(&mut self, stopped: &Stopped, tgid: Tgid) -> Option<RawStack> {
        let at_stop = stopped.registers().ok()?.by_dwarf_number()?;
        let registers = Registers::new(&at_stop);
        let base = registers.sp();
        self.open_pages(tgid);
        let process = self.processes.entry(tgid).or_default();
        let pages = process.pages.as_ref();
        let space = process
            .space
            .get_or_insert_with(|| Arc::new(Space::read(tgid, None)));
        let is_there = || pages.is_none_or(|pages| pages.has(base));
        if space.end_of_stack(base).is_none() && is_there() {
            // The stack of a thread, mapped later.
            *space = Arc::new(Space::read(tgid, Some(space)));
        }
        let end = match space.end_of_stack(base) {
            Some(_) if pages.is_none() && !self.is_without_pages => base,
            end => end.unwrap_or(base),
        };
        let copy = Copy::take(stopped, base, end, pages, &mut self.bytes);
        Some(RawStack {
            tgid,
            tid: stopped.tid(),
            registers,
            copy,
            space: Arc::clone(space),
        })
    }

    /// Opens the page map of a process; closes the oldest if there are too many.
    fn open_pages(&mut self, tgid: Tgid) {
        let process = self.processes.get(&tgid);
        if self.is_without_pages || process.is_some_and(|process| process.pages.is_some()) {
            return;
        }
        if self.open >= MOST_OPEN {
            self.open = 0;
            for process in self.processes.values_mut() {
                process.pages = None;
            }
        }
        let pages = PageMap::open(tgid);
        self.open += usize::from(pages.is_some());
        self.processes.entry(tgid).or_default().pages = pages;
    }

    /// Unwinds it, while the task runs: here if all files that it needs have been read,
    /// else on another thread. `stays` if the task will be stopped before it returns from
    /// the call that it is in.
    pub(crate) fn unwind(&mut self, mut raw: RawStack, stays: bool) -> Arc<Stack> {
        let bytes = self.bytes.get(..raw.copy.span()).unwrap_or_default();
        let stack = Arc::new(Stack::pending(Arc::clone(&self.resolver) as _));
        let walked = Walker {
            stack: &mut raw,
            bytes,
            namer: &self.resolver.namer,
            code: None,
            is_final: false,
        }
        .walked();
        let (tgid, tid) = (raw.tgid, raw.tid);
        let Ok(walked) = walked else {
            let makes_code = raw.space.makes_code();
            let home = makes_code.then(|| self.home(tgid)).flatten();
            let presence = stays.then(|| self.presence(tid));
            let bytes = self.bytes.get(..raw.copy.span()).unwrap_or_default();
            self.resolver.unwinder.send(Unwinding::new(
                raw,
                bytes,
                home,
                presence,
                Arc::clone(&stack),
                Arc::clone(&self.resolver),
            ));
            return stack;
        };
        // The unwinding may have found new mappings.
        if let Some(process) = self.processes.get_mut(&tgid) {
            process.space = Some(raw.space);
        }
        if walked.has_scripts() {
            let presence = stays.then(|| self.presence(tid));
            self.resolver.scripts.send(Scripting {
                walked,
                stack: Arc::clone(&stack),
                tgid,
                presence,
                // Code made at run time is unwound elsewhere.
                home: None,
            });
        } else {
            stack.resolve(walked.frames);
        }
        stack
    }

    /// From now on it is known whether a task has left its call.
    fn presence(&mut self, tid: Tid) -> Presence {
        let presence = Presence::default();
        self.present.insert(tid, presence.clone());
        presence
    }

    /// A task has stopped or ended: it leaves the call in which it was.
    pub(crate) fn leaves_call(&mut self, tid: Tid) {
        if !self.present.is_empty()
            && let Some(presence) = self.present.remove(&tid)
        {
            presence.end();
        }
    }

    /// What is held of a process for the names of code that it made.
    fn home(&mut self, tgid: Tgid) -> Option<Arc<Home>> {
        let process = self.processes.entry(tgid).or_default();
        if process.home.is_none() && !process.is_homeless {
            process.home = Home::hold(tgid).map(Arc::new);
            process.is_homeless = process.home.is_none();
        }
        process.home.clone()
    }

    /// A child has a copy of its parent's memory.
    pub(crate) fn fork(&mut self, parent: Tgid, child: Tgid) {
        let space = self.processes.get(&parent);
        if let Some(space) = space.and_then(|parent| parent.space.clone()) {
            let process = Process {
                space: Some(space),
                ..Process::default()
            };
            self.processes.insert(child, process);
        }
    }

    /// The process executes another program, or is gone.
    pub(crate) fn forget(&mut self, tgid: Tgid) {
        let process = self.processes.remove(&tgid);
        let had_pages = process.is_some_and(|process| process.pages.is_some());
        self.open -= usize::from(had_pages);
    }
}

impl Drop for Stacks {
    fn drop(&mut self) {
        self.resolver.close();
    }
}
