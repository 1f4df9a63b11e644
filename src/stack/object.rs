//! ELF files with their unwind information. Each is read once, for all processes that
//! map it, and kept for a while after that.

use std::fs::File;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use object::{Object as _, ObjectSegment};
use rustc_hash::FxHashMap;

use super::budget::{Reserved, UNWINDING};
use super::elf::{Bytes, Elf};
use super::file::{self, Handles, Identity};
use super::maps::{Mapping, Source};
use super::python::Symbols;
use super::unwind::{FrameInfo, Section};
use crate::event::{Frame, Function};

/// How many unmapped files are kept for later processes, and how much of the budget
/// they may use.
const MOST_IDLE: usize = 128;
const MOST_OF_IDLE: u64 = 16 << 20;
/// How many frames of a file are kept.
const MOST_FRAMES: usize = 1 << 16;

type Path = Arc<[u8]>;

/// The files that were mapped by tracees.
#[derive(Default)]
pub(super) struct Objects {
    known: FxHashMap<(Identity, Path), Known>,
    /// By build id: the same file in another place, as in another container's image.
    by_build_id: FxHashMap<(Vec<u8>, Path), Weak<Object>>,
    /// Counts uses, for the least recently used one.
    clock: u64,
}

/// A known file; without an object if it is not an ELF file.
struct Known {
    object: Option<Arc<Object>>,
    /// The clock of its last use.
    used: u64,
}

impl Known {
    /// Whether only this cache has it.
    fn is_idle(&self) -> bool {
        let object = self.object.as_ref();
        object.is_none_or(|object| Arc::strong_count(object) == 1)
    }

    fn bytes(&self) -> u64 {
        let object = self.object.as_ref();
        object.map_or(0, |object| object.reserved.bytes())
    }
}

/// One file.
pub(super) struct Object {
    /// Unique number.
    pub(super) number: u64,
    pub(super) path: Path,
    identity: Identity,
    /// The executable segments: offsets in the file, and the address of the first byte.
    code: Vec<(Range<u64>, u64)>,
    /// Its unwind information.
    pub(super) info: FrameInfo,
    /// Where the state of the CPython interpreter is that it contains.
    pub(super) python: Option<Symbols>,
    /// The frames found so far, by their address and the address by which they are looked
    /// up.
    frames: Mutex<FxHashMap<(u64, u64), Arc<Frame>>>,
    /// The file, until its names are read.
    file: Mutex<Option<Arc<File>>>,
    /// The file did not respond.
    is_nameless: AtomicBool,
    reserved: Reserved,
}

impl Objects {
    /// The object of a mapped file. `None` if the file is gone or is not an ELF file.
    pub(super) fn load(&mut self, mapping: &Mapping, handles: &Handles) -> Option<Arc<Object>> {
        let (source, _) = mapping.file.as_ref()?;
        let (file, identity) = handles.open(&mapping.memory, source)?;
        let key = (identity, Arc::clone(&source.path));
        self.clock += 1;
        if let Some(known) = self.known.get_mut(&key) {
            known.used = self.clock;
            return known.object.clone();
        }
        let object = self.read(&Arc::new(file), source, identity);
        let known = Known {
            object: object.clone(),
            used: self.clock,
        };
        self.known.insert(key, known);
        self.forget_idle(MOST_OF_IDLE);
        object
    }

    pub(super) fn read(
        &mut self,
        file: &Arc<File>,
        source: &Source,
        identity: Identity,
    ) -> Option<Arc<Object>> {
        let bytes = Bytes::new(Arc::clone(file));
        let elf = Elf::parse(&bytes, file)?;
        let id = elf.file.build_id().ok().flatten();
        let id = id.map(|id| (id.to_vec(), Arc::clone(&source.path)));
        let same = id.as_ref().and_then(|id| self.by_build_id.get(id));
        if let Some(same) = same.and_then(Weak::upgrade) {
            return Some(same);
        }
        let mut object = Object::new(&elf, file, source, identity);
        if object.reserved.was_refused() {
            self.forget_idle(0);
            object = Object::new(&elf, file, source, identity);
        }
        let object = Arc::new(object);
        if let Some(id) = id {
            self.by_build_id.insert(id, Arc::downgrade(&object));
        }
        Some(object)
    }

    /// Drops unmapped files, the least recently used first, until the rest uses no more
    /// than this.
    fn forget_idle(&mut self, most: u64) {
        let idle = self.known.iter().filter(|(_, known)| known.is_idle());
        let mut idle: Vec<_> = idle
            .map(|(key, known)| (known.used, known.bytes(), key.clone()))
            .collect();
        idle.sort_by_key(|(used, ..)| *used);
        let mut bytes: u64 = idle.iter().map(|(_, bytes, _)| *bytes).sum();
        let mut count = idle.len();
        for (_, own, key) in idle {
            if bytes <= most && count <= MOST_IDLE {
                break;
            }
            self.known.remove(&key);
            bytes -= own;
            count -= 1;
        }
        self.by_build_id
            .retain(|_, object| object.strong_count() > 0);
    }
}

impl Object {
    fn new(elf: &Elf<'_>, from: &Arc<File>, source: &Source, identity: Identity) -> Object {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut reserved = UNWINDING.nothing();
        let mut bytes = |name| elf.section(name, &mut reserved);
        let mut section = |name| {
            let addresses = elf.addresses(name)?;
            let bytes = bytes(name)?;
            Some(Section { addresses, bytes })
        };
        let [eh_frame, eh_frame_hdr] = [".eh_frame", ".eh_frame_hdr"].map(&mut section);
        let debug_frame = bytes(".debug_frame");
        let start = |name| Some(elf.addresses(name)?.start);
        let bases = [start(".text"), start(".got")];
        let info = FrameInfo::new(eh_frame, eh_frame_hdr, debug_frame, bases, &mut reserved);
        // Other segments may have bytes on the same pages.
        let code = elf.file.segments();
        let code = code.filter(|segment| segment.permissions().executable());
        let segments = code.map(|segment| {
            let (offset, length) = segment.file_range();
            (offset..offset.saturating_add(length), segment.address())
        });
        Object {
            number: NEXT.fetch_add(1, Relaxed),
            path: Arc::clone(&source.path),
            identity,
            code: segments.collect(),
            info,
            python: Symbols::find(elf),
            frames: Mutex::default(),
            file: Mutex::new(Some(Arc::clone(from))),
            is_nameless: AtomicBool::new(false),
            reserved,
        }
    }

    /// The link-time address of the byte at this offset; the offset of a mapping, so the
    /// start of a page.
    pub(super) fn address_at(&self, offset: u64) -> Option<u64> {
        const PAGE: u64 = 0xfff;
        let mut code = self.code.iter();
        let (range, address) = code.find(|(range, _)| {
            let first = range.start & !PAGE;
            (first..range.end).contains(&offset)
        })?;
        Some(address.wrapping_sub(range.start).wrapping_add(offset))
    }

    /// The frame at an address of the file; it is looked up by `within`. The caller that
    /// gets a new one must have it named.
    pub(super) fn frame(&self, address: u64, within: u64, is_signal: bool) -> (Arc<Frame>, bool) {
        let frames = self.frames.lock();
        let mut frames = frames.unwrap_or_else(PoisonError::into_inner);
        if let Some(frame) = frames.get(&(address, within)) {
            return (Arc::clone(frame), false);
        }
        let path = Arc::clone(&self.path);
        let frame = Arc::new(if is_signal {
            // The code to which a signal handler returns.
            Frame::new(Some(path), address, vec![Function::signal()])
        } else {
            Frame::unnamed(Some(path), address)
        });
        if frames.len() == MOST_FRAMES {
            frames.clear();
        }
        frames.insert((address, within), Arc::clone(&frame));
        (frame, !is_signal)
    }

    /// The file, to read its names. It is held open until the first use; later it is opened
    /// again, if it still exists.
    pub(super) fn open(&self) -> Option<Arc<File>> {
        let held = self.file.lock();
        let held = held.unwrap_or_else(PoisonError::into_inner).take();
        held.or_else(|| file::open_again(&self.path, self.identity).map(Arc::new))
    }

    /// Its names are not looked up any more.
    pub(super) fn make_nameless(&self) {
        self.is_nameless.store(true, Relaxed);
    }

    pub(super) fn is_nameless(&self) -> bool {
        self.is_nameless.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_nobody_has_mapped_are_dropped() {
        let room = tempfile::tempdir().unwrap();
        let mut objects = Objects::default();
        let handles = Handles::default();
        let mut load = |number: usize| {
            let path = room.path().join(number.to_string());
            std::fs::copy("/proc/self/exe", &path).unwrap();
            let (_, identity) = file::open_regular(&path).unwrap();
            let source = Source {
                path: Arc::from(path.as_os_str().as_encoded_bytes()),
                inode: identity.inode(),
            };
            let mapping = Mapping::of_file(0..1, source);
            let object = objects.load(&mapping, &handles).unwrap();
            std::fs::remove_file(&path).unwrap();
            let bytes: u64 = objects.known.values().map(Known::bytes).sum();
            (object, bytes)
        };
        let (mapped, own) = load(0);
        let most = (0..12).map(|number| load(number + 1).1).max().unwrap();
        assert!(own > 0);
        assert!(most <= MOST_OF_IDLE + 2 * own, "{most} bytes, each {own}");
        assert_eq!(Arc::strong_count(&mapped), 2, "it is still mapped");
    }
}
