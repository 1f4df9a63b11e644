//! The address space of a program: what code is where, as far as a stack met
//! it.

use std::fs;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::maps::{Mapping, Maps};
use super::object::Object;
use crate::kernel::Tgid;

/// What is mapped where, at one time.
#[derive(Default)]
pub(super) struct Space {
    code: Vec<Arc<Place>>,
    data: Vec<Range<u64>>,
}

/// A mapping of code, and what it holds once that was needed.
pub(super) struct Place {
    pub(super) mapping: Mapping,
    pub(super) held: OnceLock<Held>,
}

pub(super) enum Held {
    /// Code of no file, or of one that cannot be read.
    Nameless(Option<Arc<[u8]>>),
    /// A file, and what is to be added to its addresses.
    Object(Arc<Object>, u64),
}

impl Space {
    /// What a process has mapped. Of mappings that stayed since `before` it is
    /// known what they hold.
    pub(super) fn read(tgid: Tgid, before: Option<&Space>) -> Space {
        let text = fs::read(format!("/proc/{tgid}/maps")).unwrap_or_default();
        let maps = Maps::parse(&text);
        let place = |mapping| {
            let same = |place: &&Arc<Place>| place.mapping == mapping;
            let known = before.and_then(|before| before.code.iter().find(same));
            known
                .cloned()
                .unwrap_or_else(|| Arc::new(Place::new(mapping)))
        };
        Space {
            code: maps.code.into_iter().map(place).collect(),
            data: maps.data,
        }
    }

    /// What was mapped since. The process runs by now and may have executed
    /// another program: its mappings count if they still have ours.
    pub(super) fn read_again(&self, tgid: Tgid) -> Option<Space> {
        let now = Space::read(tgid, Some(self));
        let first = self.code.first()?;
        let stays = now.code.iter().any(|place| Arc::ptr_eq(place, first));
        stays.then_some(now)
    }

    /// Where files are mapped that were not read.
    pub(super) fn unread(&self) -> impl Iterator<Item = &Range<u64>> {
        let unread = |place: &&Arc<Place>| place.held.get().is_none();
        let places = self.code.iter().filter(unread);
        places.map(|place| &place.mapping.memory)
    }

    /// What code is at an address.
    pub(super) fn at(&self, address: u64) -> Option<&Arc<Place>> {
        let after = self
            .code
            .partition_point(|place| place.mapping.memory.start <= address);
        let place = self.code.get(after.checked_sub(1)?)?;
        place.mapping.memory.contains(&address).then_some(place)
    }

    /// The end of the mapping that holds this address of a stack.
    pub(super) fn end_of_stack(&self, address: u64) -> Option<u64> {
        let after = self.data.partition_point(|memory| memory.start <= address);
        let memory = self.data.get(after.checked_sub(1)?)?;
        memory.contains(&address).then_some(memory.end)
    }
}

impl Place {
    fn new(mapping: Mapping) -> Place {
        // Code of no file needs no look.
        let held = match mapping.file {
            Some(_) => OnceLock::new(),
            None => OnceLock::from(Held::Nameless(None)),
        };
        Place { mapping, held }
    }

    /// The path of the file that it is from.
    pub(super) fn path(&self) -> Option<&Arc<[u8]>> {
        let (source, _) = self.mapping.file.as_ref()?;
        Some(&source.path)
    }

    /// It holds this file; what was known before stays.
    pub(super) fn hold(&self, object: Option<Arc<Object>>) {
        let Mapping { memory, file } = &self.mapping;
        let held = file.as_ref().zip(object).and_then(|((_, offset), object)| {
            let bias = memory.start.wrapping_sub(object.address_at(*offset)?);
            Some(Held::Object(object, bias))
        });
        let path = file.as_ref().map(|(source, _)| Arc::clone(&source.path));
        let _ = self.held.set(held.unwrap_or(Held::Nameless(path)));
    }
}
