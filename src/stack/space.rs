//! The address space of a program: which code is mapped where, as far as stacks needed
//! it.

use std::fs;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::maps::{Mapping, Maps};
use super::object::Object;
use crate::kernel::Tgid;

/// The mappings at one time.
#[derive(Default)]
pub(super) struct Space {
    code: Vec<Arc<Place>>,
    data: Vec<Range<u64>>,
}

/// A mapping of code, and its object once that was needed.
pub(super) struct Place {
    pub(super) mapping: Mapping,
    pub(super) held: OnceLock<Held>,
}

pub(super) enum Held {
    /// Code without a file, or with one that cannot be read.
    Nameless(Option<Arc<[u8]>>),
    /// A file, and the load bias to be added to its addresses.
    Object(Arc<Object>, u64),
}

impl Space {
    /// The mappings of a process. Those that are unchanged since `before` keep their
    /// objects.
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

    /// The mappings now. The process runs and may have executed another program: they only
    /// count if ours are still among them.
    pub(super) fn read_again(&self, tgid: Tgid) -> Option<Space> {
        let now = Space::read(tgid, Some(self));
        let first = self.code.first()?;
        let stays = now.code.iter().any(|place| Arc::ptr_eq(place, first));
        stays.then_some(now)
    }

    /// The addresses of files that have not been read.
    pub(super) fn unread(&self) -> impl Iterator<Item = &Range<u64>> {
        let unread = |place: &&Arc<Place>| place.held.get().is_none();
        let places = self.code.iter().filter(unread);
        places.map(|place| &place.mapping.memory)
    }

    /// Whether it has code that was made at run time.
    pub(super) fn makes_code(&self) -> bool {
        self.code.iter().any(|place| place.mapping.is_made())
    }

    /// The code at an address.
    pub(super) fn at(&self, address: u64) -> Option<&Arc<Place>> {
        let after = self
            .code
            .partition_point(|place| place.mapping.memory.start <= address);
        let place = self.code.get(after.checked_sub(1)?)?;
        place.mapping.memory.contains(&address).then_some(place)
    }

    /// The end of the mapping with this address of a stack.
    pub(super) fn end_of_stack(&self, address: u64) -> Option<u64> {
        let after = self.data.partition_point(|memory| memory.start <= address);
        let memory = self.data.get(after.checked_sub(1)?)?;
        memory.contains(&address).then_some(memory.end)
    }
}

impl Place {
    fn new(mapping: Mapping) -> Place {
        // Code without a file needs no look-up.
        let held = match mapping.file {
            Some(_) => OnceLock::new(),
            None => OnceLock::from(Held::Nameless(None)),
        };
        Place { mapping, held }
    }

    /// The path of its file.
    pub(super) fn path(&self) -> Option<&Arc<[u8]>> {
        let (source, _) = self.mapping.file.as_ref()?;
        Some(&source.path)
    }

    /// Sets its object; does nothing if it is known.
    pub(super) fn hold(&self, object: Option<Arc<Object>>) {
        let Mapping { memory, file, .. } = &self.mapping;
        let held = file.as_ref().zip(object).and_then(|((_, offset), object)| {
            let bias = memory.start.wrapping_sub(object.address_at(*offset)?);
            Some(Held::Object(object, bias))
        });
        let path = file.as_ref().map(|(source, _)| Arc::clone(&source.path));
        let _ = self.held.set(held.unwrap_or(Held::Nameless(path)));
    }
}
