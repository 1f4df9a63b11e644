//! ELF files: how to unwind from their code, and what it is called. Each is
//! read once, whoever runs it.

use std::ops::Range;
use std::sync::Arc;

use object::{Object as _, ObjectSection, ObjectSegment, ReadCache, ReadRef};
use rustc_hash::FxHashMap;

use super::file::{self, Identity, Reader};
use super::maps::Source;
use super::namer::{LazyNames, Namer};
use super::unwind::{FrameInfo, Section};
use crate::event::{Frame, Function};
use crate::kernel::Tgid;

/// The largest section that is read; a larger one is as good as none.
const MOST_OF_A_SECTION: u64 = 1 << 30;

type Path = Arc<[u8]>;

/// All files that were met.
#[derive(Default)]
pub(super) struct Objects {
    known: FxHashMap<(Identity, Path), Option<Arc<Object>>>,
    /// The same file once more, as in another container's image.
    by_build_id: FxHashMap<(Vec<u8>, Path), Arc<Object>>,
    /// Frames that were met: by the number of their object, their address, and
    /// the address that they are looked up by.
    frames: FxHashMap<(usize, u64, u64), Arc<Frame>>,
    namer: Namer,
}

/// One file.
pub(super) struct Object {
    number: usize,
    path: Arc<[u8]>,
    /// The code that is loaded: offsets in the file, and the address of the
    /// first.
    code: Vec<(Range<u64>, u64)>,
    /// How to unwind from its code.
    pub(super) info: FrameInfo,
    names: Arc<LazyNames>,
}

impl Objects {
    /// What is known of a file that a process has mapped. `None` if it is gone
    /// or is no ELF file.
    pub(super) fn load(&mut self, source: &Source, tgid: Tgid) -> Option<Arc<Object>> {
        let (file, identity) = file::open_mapped(source, tgid)?;
        let key = (identity, Arc::clone(&source.path));
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let file = Arc::new(file);
        let names = LazyNames::new(Arc::clone(&file), Arc::clone(&source.path));
        let object = self.read(&ReadCache::new(Reader::new(file)), source, names);
        self.known.insert(key, object.clone());
        object
    }

    fn read<'data>(
        &mut self,
        data: impl ReadRef<'data>,
        source: &Source,
        names: LazyNames,
    ) -> Option<Arc<Object>> {
        let file = object::File::parse(data).ok()?;
        let id = file.build_id().ok().flatten();
        let id = id.map(|id| (id.to_vec(), Arc::clone(&source.path)));
        if let Some(known) = id.as_ref().and_then(|id| self.by_build_id.get(id)) {
            return Some(Arc::clone(known));
        }
        let number = self.known.len();
        let names = Arc::new(names);
        self.namer.read(&names);
        let object = Arc::new(Object::new(&file, number, source, names));
        if let Some(id) = id {
            self.by_build_id.insert(id, Arc::clone(&object));
        }
        Some(object)
    }

    /// A file without its names.
    #[cfg(test)]
    pub(super) fn read_only<'data>(
        &mut self,
        data: impl ReadRef<'data>,
        source: &Source,
    ) -> Option<Arc<Object>> {
        let null = Arc::new(std::fs::File::open("/dev/null").ok()?);
        let names = LazyNames::new(null, Arc::clone(&source.path));
        self.read(data, source, names)
    }

    /// The frame at an address of a file's own; it is looked up by `within`.
    pub(super) fn frame(
        &mut self,
        object: &Arc<Object>,
        address: u64,
        within: u64,
        is_signal: bool,
    ) -> Arc<Frame> {
        let frame = self.frames.entry((object.number, address, within));
        let frame = frame.or_insert_with(|| {
            let path = Arc::clone(&object.path);
            Arc::new(if is_signal {
                // What the kernel lets a handler return to.
                let function = Function {
                    name: Some(Function::SIGNAL.to_owned()),
                    ..Function::default()
                };
                Frame::new(Some(path), address, vec![function])
            } else {
                Frame::unnamed(path, address, within, Arc::clone(&object.names) as _)
            })
        });
        Arc::clone(frame)
    }
}

impl Object {
    fn new<'data, R: ReadRef<'data>>(
        file: &object::File<'data, R>,
        number: usize,
        source: &Source,
        names: Arc<LazyNames>,
    ) -> Object {
        let section = |name| {
            let addresses = addresses(file, name)?;
            let bytes = bytes(file, name)?;
            Some(Section { addresses, bytes })
        };
        let start = |name| Some(addresses(file, name)?.start);
        // Others may have bytes on the same pages.
        let code = file.segments();
        let code = code.filter(|segment| segment.permissions().executable());
        let segments = code.map(|segment| {
            let (offset, length) = segment.file_range();
            (offset..offset.saturating_add(length), segment.address())
        });
        Object {
            number,
            path: Arc::clone(&source.path),
            code: segments.collect(),
            info: FrameInfo::new(
                section(".eh_frame"),
                section(".eh_frame_hdr"),
                bytes(file, ".debug_frame"),
                [start(".text"), start(".got")],
            ),
            names,
        }
    }

    /// The address that the byte at this offset is linked to; an offset as the
    /// kernel maps it, at the start of a page.
    pub(super) fn address_at(&self, offset: u64) -> Option<u64> {
        const PAGE: u64 = 0xfff;
        let mut code = self.code.iter();
        let (range, address) = code.find(|(range, _)| {
            let first = range.start & !PAGE;
            (first..range.end).contains(&offset)
        })?;
        Some(address.wrapping_sub(range.start).wrapping_add(offset))
    }
}

/// Where a section is loaded.
fn addresses<'data, R: ReadRef<'data>>(
    file: &object::File<'data, R>,
    name: &str,
) -> Option<Range<u64>> {
    let section = file.section_by_name(name)?;
    let start = section.address();
    Some(start..start.checked_add(section.size())?)
}

/// The bytes of a section, unpacked.
pub(super) fn bytes<'data, R: ReadRef<'data>>(
    file: &object::File<'data, R>,
    name: &str,
) -> Option<Arc<[u8]>> {
    let section = file.section_by_name(name)?;
    let packed = section.compressed_file_range().ok()?;
    if packed.uncompressed_size.max(packed.compressed_size) > MOST_OF_A_SECTION {
        return None;
    }
    let bytes = section.uncompressed_data().ok()?;
    (!bytes.is_empty()).then(|| bytes.into())
}
