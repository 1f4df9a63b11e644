//! The address space of a program: what code is where, as far as a stack met
//! it.

use std::fs;
use std::sync::Arc;

use super::maps::{self, Mapping};
use super::object::{Object, Objects};
use crate::kernel::Tgid;

/// What code is mapped where.
pub(super) struct Space {
    places: Vec<Place>,
}

/// A mapping, and what it holds once that was needed.
struct Place {
    mapping: Mapping,
    held: Held,
}

pub(super) enum Held {
    /// Nobody asked yet.
    Unknown,
    /// Code of no file, or of one that cannot be read.
    Nameless(Option<Arc<[u8]>>),
    /// A file, and what is to be added to its addresses.
    Object(Arc<Object>, u64),
}

impl Space {
    /// What a process has mapped.
    pub(super) fn read(tgid: Tgid) -> Space {
        let text = fs::read(format!("/proc/{tgid}/maps")).unwrap_or_default();
        let mappings = maps::parse(&text).into_iter();
        let place = |mapping| Place {
            mapping,
            held: Held::Unknown,
        };
        Space {
            places: mappings.map(place).collect(),
        }
    }

    /// What is at an address of this memory. `None` if no code is there.
    pub(super) fn at(&mut self, address: u64, tgid: Tgid, objects: &mut Objects) -> Option<&Held> {
        if self.find(address).is_none() {
            self.read_again(tgid);
        }
        let index = self.find(address)?;
        let place = self.places.get_mut(index)?;
        place.enter(tgid, objects);
        Some(&place.held)
    }

    fn find(&self, address: u64) -> Option<usize> {
        let after = self
            .places
            .partition_point(|place| place.mapping.memory.start <= address);
        let index = after.checked_sub(1)?;
        let place = self.places.get(index)?;
        place.mapping.memory.contains(&address).then_some(index)
    }

    /// Code was mapped since. The process runs by now and may have executed
    /// another program: its mappings count if they still have ours.
    fn read_again(&mut self, tgid: Tgid) {
        let now = Space::read(tgid);
        let stays = |place: &Place| now.places.iter().any(|new| new.mapping == place.mapping);
        if self.places.first().is_some_and(stays) {
            *self = now;
        }
    }
}

impl Place {
    /// Find out what is there.
    fn enter(&mut self, tgid: Tgid, objects: &mut Objects) {
        if !matches!(self.held, Held::Unknown) {
            return;
        }
        let Mapping { memory, file } = &self.mapping;
        let object = file
            .as_ref()
            .and_then(|(source, offset)| Some((objects.load(source, tgid)?, *offset)));
        let held = object.and_then(|(object, offset)| {
            let bias = memory.start.wrapping_sub(object.address_at(offset)?);
            Some(Held::Object(object, bias))
        });
        let path = file.as_ref().map(|(source, _)| Arc::clone(&source.path));
        self.held = held.unwrap_or(Held::Nameless(path));
    }
}
