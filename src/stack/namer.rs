//! Names frames on a thread of its own: debug information takes longer to read than a
//! tracee should wait.

use std::sync::{Arc, Weak};

use super::names::Names;
use super::object::Object;
use super::work_queue::Job;
use crate::event::{Frame, Function};

/// A frame to be named.
pub(super) struct Naming {
    pub(super) frame: Arc<Frame>,
    pub(super) object: Arc<Object>,
    /// The address by which it is looked up.
    pub(super) within: u64,
}

/// A cache of the names of files, least recently used first.
#[derive(Default)]
pub(super) struct Library(Vec<Entry>);

struct Entry {
    object: Weak<Object>,
    number: u64,
    names: Names,
}

impl Library {
    /// The functions of a frame.
    fn functions(&mut self, naming: &Naming) -> Vec<Function> {
        let Naming { object, within, .. } = naming;
        // Of files that are not mapped any more only the known frames are kept.
        self.0.retain(Entry::is_mapped);
        let found = self
            .0
            .iter()
            .position(|entry| entry.number == object.number);
        let mut entry = match found {
            Some(index) => self.0.remove(index),
            None => Entry {
                object: Arc::downgrade(object),
                number: object.number,
                names: self.read(object),
            },
        };
        let functions = entry.names.at(*within, naming.frame.address);
        // The most recently used one is last.
        self.0.push(entry);
        functions
    }

    /// Reads the names of a file. The least recently used ones are dropped to make
    /// room.
    fn read(&mut self, object: &Object) -> Names {
        let Some(file) = object.open() else {
            return Names::default();
        };
        loop {
            let names = Names::read(&file, &object.path);
            if !names.are_cut() || self.0.is_empty() {
                return names;
            }
            drop(names);
            self.0.drain(..self.0.len().div_ceil(2));
        }
    }
}

impl Entry {
    /// Whether a process has the file mapped: the object is then referenced from
    /// elsewhere than the idle cache.
    fn is_mapped(&self) -> bool {
        self.object.strong_count() > 1
    }
}

impl Job for Naming {
    type State = Library;

    fn run(&self, library: &mut Library) {
        if self.object.is_nameless() {
            self.give_up();
            return;
        }
        self.frame.name(library.functions(self));
    }

    fn give_up(&self) {
        self.object.make_nameless();
        self.frame.name(Vec::new());
    }
}
