//! Reading the names of files beside the trace: debug information takes longer
//! than any tracee should wait.

use std::fs::File;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use nix::sys::signal::SigSet;
use object::ReadCache;

use super::file::Reader;
use super::names::Names;
use crate::event::{Function, Naming};

/// The names of a file, which are read when they are asked for first: by the
/// namer, or by an output that does not want to wait for it.
pub(super) struct LazyNames {
    path: Arc<[u8]>,
    file: Mutex<Option<Arc<File>>>,
    names: OnceLock<Mutex<Names>>,
}

impl LazyNames {
    pub(super) fn new(file: Arc<File>, path: Arc<[u8]>) -> LazyNames {
        LazyNames {
            path,
            file: Mutex::new(Some(file)),
            names: OnceLock::new(),
        }
    }

    fn get(&self) -> &Mutex<Names> {
        self.names.get_or_init(|| {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            let file = file.take();
            let names = file.and_then(|file| {
                let data = ReadCache::new(Reader::new(file));
                let file = object::File::parse(&data).ok()?;
                Some(Names::read(&file, &self.path))
            });
            Mutex::new(names.unwrap_or_default())
        })
    }
}

impl Naming for LazyNames {
    fn functions(&self, within: u64, address: u64) -> Vec<Function> {
        let names = self.get().lock();
        let names = names.unwrap_or_else(PoisonError::into_inner);
        names.at(within, address)
    }
}

/// A thread that reads names ahead. It ends with the last sender.
#[derive(Default)]
pub(super) struct Namer(Option<Sender<Arc<LazyNames>>>);

impl Namer {
    /// Read these, sooner or later.
    pub(super) fn read(&mut self, names: &Arc<LazyNames>) {
        let Namer(sender) = self;
        let sender = sender.get_or_insert_with(|| {
            let (sender, receiver) = channel();
            // Without it, whoever wants the names reads them.
            let _ = thread::Builder::new().spawn(|| read_all(receiver));
            sender
        });
        let _ = sender.send(Arc::clone(names));
    }
}

fn read_all(receiver: Receiver<Arc<LazyNames>>) {
    // Signals are for the thread that traces.
    let _ = SigSet::all().thread_block();
    for names in receiver {
        let _ = names.get();
    }
}
