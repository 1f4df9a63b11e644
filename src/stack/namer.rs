//! Naming frames beside the trace: debug information takes longer than any
//! tracee should wait.

use std::sync::{Arc, Weak};

use super::lane::Job;
use super::names::Names;
use super::object::Object;
use crate::event::{Frame, Function};

/// A frame that is to be named.
pub(super) struct Naming {
    pub(super) frame: Arc<Frame>,
    pub(super) object: Arc<Object>,
    /// What it is looked up by.
    pub(super) within: u64,
}

/// The names that were read last.
#[derive(Default)]
pub(super) struct Library(Vec<Entry>);

struct Entry {
    object: Weak<Object>,
    number: u64,
    names: Names,
}

impl Library {
    /// What a frame of a file is called.
    fn functions(&mut self, naming: &Naming) -> Vec<Function> {
        let Naming { object, within, .. } = naming;
        // Of files that nobody has mapped any more the frames that are known
        // are all that is kept.
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
        // The one that was used last is the last.
        self.0.push(entry);
        functions
    }

    /// Read the names of a file. Those that were not used for the longest make
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
    /// Whether a process has the file mapped: more than the files that are kept
    /// for later know it.
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
