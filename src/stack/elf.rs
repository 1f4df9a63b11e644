//! ELF files, read within a budget: only what is needed, and never a size that only
//! the file claims.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use object::{CompressedData, Object as _, ObjectSection, ReadCache, ReadRef};

use super::budget::Reserved;
use super::watch;

/// The largest part of the headers, and the limit for all of them, in bytes.
const MOST_AT_ONCE: u64 = 8 << 20;
const MOST_OF_HEADERS: u64 = 16 << 20;
/// How many bytes are read at once.
const CHUNK: usize = 1 << 20;

/// A file and what was read of its headers.
pub(super) struct Bytes(ReadCache<Reader>);

impl Bytes {
    pub(super) fn new(file: Arc<File>) -> Bytes {
        Bytes(ReadCache::new(Reader {
            file,
            at: 0,
            left: MOST_OF_HEADERS,
        }))
    }
}

/// The headers of a file.
#[derive(Clone, Copy)]
pub(super) struct Headers<'a>(&'a ReadCache<Reader>);

impl<'a> ReadRef<'a> for Headers<'a> {
    fn len(self) -> Result<u64, ()> {
        self.0.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        if size > MOST_AT_ONCE {
            return Err(());
        }
        self.0.read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        self.0.read_bytes_at_until(range, delimiter)
    }
}

/// Reads a file with its own offset, and no more than the headers of a file may be.
struct Reader {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(buffer.len() as u64);
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        let count = watch::during(|| self.file.read_at(buffer, self.at))?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(offset) => (self.at, offset),
            SeekFrom::End(offset) => (watch::during(|| self.file.metadata())?.len(), offset),
        };
        let at = base.checked_add_signed(offset);
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// An ELF file.
pub(super) struct Elf<'a> {
    pub(super) file: object::File<'a, Headers<'a>>,
    from: Arc<File>,
}

impl<'a> Elf<'a> {
    /// The headers of a file; `None` if it is not an ELF file.
    pub(super) fn parse(bytes: &'a Bytes, from: &Arc<File>) -> Option<Elf<'a>> {
        Some(Elf {
            file: object::File::parse(Headers(&bytes.0)).ok()?,
            from: Arc::clone(from),
        })
    }

    /// The addresses of a section.
    pub(super) fn addresses(&self, name: &str) -> Option<Range<u64>> {
        let section = self.file.section_by_name(name)?;
        let start = section.address();
        Some(start..start.checked_add(section.size())?)
    }

    /// The bytes of a section, decompressed. `None` if there are none, or more than the
    /// budget allows.
    pub(super) fn section(&self, name: &str, reserved: &mut Reserved) -> Option<Arc<[u8]>> {
        let section = self.file.section_by_name(name)?;
        let range = section.compressed_file_range().ok()?;
        if range.uncompressed_size == 0 {
            return None;
        }
        reserved.add(range.uncompressed_size)?;
        if range.format == object::CompressionFormat::None {
            return self.read(range.offset, range.uncompressed_size);
        }
        // The compressed section and a copy exist for a moment.
        let mut moment = reserved.budget().nothing();
        let packed = range.compressed_size;
        let taken = moment.add(packed.checked_add(range.uncompressed_size)?);
        reserved.refuse(&moment);
        taken?;
        let data = self.read(range.offset, packed)?;
        let data = CompressedData {
            format: range.format,
            data: &data,
            uncompressed_size: range.uncompressed_size,
        };
        Some(data.decompress().ok()?.into())
    }

    fn read(&self, offset: u64, size: u64) -> Option<Arc<[u8]>> {
        let end = offset.checked_add(size)?;
        if watch::during(|| self.from.metadata()).ok()?.len() < end {
            return None;
        }
        // Pages of zeroes that were never written take no memory: there is no second copy.
        let mut bytes: Arc<[u8]> = vec![0; usize::try_from(size).ok()?].into();
        let mut at = offset;
        for chunk in Arc::get_mut(&mut bytes)?.chunks_mut(CHUNK) {
            watch::during(|| self.from.read_exact_at(chunk, at)).ok()?;
            at += chunk.len() as u64;
        }
        Some(bytes)
    }
}
