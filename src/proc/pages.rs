//! `/proc/PID/pagemap`: which pages of a process are resident.
//!
//! A read of a page that is not resident waits until it is filled, also from
//! outside. Behind a userfaultfd or a FUSE file the filler may be a tracee,
//! which waits for us.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use nix::unistd::{SysconfVar, sysconf};

use crate::kernel::Tgid;

/// Bits of an entry (`Documentation/admin-guide/mm/pagemap.rst`).
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const MARKED: u64 = 1 << 57;
/// Bytes of an entry.
const ENTRY: u64 = 8;
/// More pages than any argument array that is shown has.
const MOST_PAGES: u64 = 2048;

/// Bytes of a page; 4, 16 or 64 KiB on aarch64.
fn page_size() -> Option<u64> {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten()?;
    u64::try_from(size).ok().filter(|size| *size > 0)
}

/// Whether a range of memory can be read without waiting for a process to fill it.
/// `false` if unknown.
pub(crate) fn are_filled(tgid: Tgid, addr: u64, length: u64) -> bool {
    let Some(page) = page_size() else {
        return false;
    };
    let first = addr / page;
    let last = addr.saturating_add(length.saturating_sub(1)) / page;
    let count = last - first + 1;
    let Some(bytes) = usize::try_from(count * ENTRY)
        .ok()
        .filter(|_| count <= MOST_PAGES)
    else {
        return false;
    };
    let mut entries = vec![0; bytes];
    let Ok(map) = File::open(format!("/proc/{tgid}/pagemap")) else {
        return false;
    };
    if map.read_exact_at(&mut entries, first * ENTRY).is_err() {
        return false;
    }
    let (entries, _) = entries.as_chunks();
    let mut entries = entries.iter().map(|entry| u64::from_ne_bytes(*entry));
    entries.all(is_filled)
}

/// Whether a page can be read without waiting for a process. A page that is marked
/// as userfaultfd write-protected but neither present nor swapped may be only a
/// marker.
fn is_filled(entry: u64) -> bool {
    entry & PRESENT != 0 || entry & (SWAPPED | MARKED) == SWAPPED
}

/// The page map of a process, held open because it is read at many stops. It shows
/// the address space at the time of the open, so not that of a later exec.
#[derive(Debug)]
pub(crate) struct PageMap {
    file: File,
    /// Bytes of a page.
    page: u64,
}

impl PageMap {
    /// How many pages are examined at once.
    const MOST: usize = 129;

    /// Whether the kernel provides page maps.
    pub(crate) fn exist() -> bool {
        File::open("/proc/self/pagemap").is_ok()
    }

    pub(crate) fn open(tgid: Tgid) -> Option<PageMap> {
        let file = File::open(format!("/proc/{tgid}/pagemap")).ok()?;
        let page = page_size()?;
        Some(PageMap { file, page })
    }

    /// Whether this address can be read without waiting.
    pub(crate) fn has(&self, addr: u64) -> bool {
        let mut entry = [0; 8];
        let read = self
            .file
            .read_exact_at(&mut entry, addr / self.page * ENTRY);
        read.is_ok() && is_filled(u64::from_ne_bytes(entry))
    }

    /// The parts of this memory that can be read without waiting for a process
    /// to fill them, as offsets from `addr`; as many as there is room for.
    pub(crate) fn filled(&self, addr: u64, length: usize, parts: &mut [Range<usize>]) {
        let mut bytes = [0; PageMap::MOST * 8];
        let first = addr / self.page;
        let skip = usize::try_from(addr % self.page).unwrap_or(0);
        let page = usize::try_from(self.page).unwrap_or(usize::MAX);
        let pages = (skip + length).div_ceil(page).min(PageMap::MOST);
        let bytes = bytes.get_mut(..pages * 8).unwrap_or_default();
        let got = self.file.read_at(bytes, first * ENTRY).unwrap_or(0);
        let (entries, _) = bytes.get(..got).unwrap_or_default().as_chunks();
        let mut parts = parts.iter_mut();
        let mut part: Option<&mut Range<usize>> = None;
        for (index, entry) in entries.iter().enumerate() {
            if !is_filled(u64::from_ne_bytes(*entry)) {
                part = None;
                continue;
            }
            let start = (index * page).saturating_sub(skip);
            let end = ((index + 1) * page - skip).min(length);
            match &mut part {
                Some(part) => part.end = end,
                None => match parts.next() {
                    Some(next) => {
                        *next = start..end;
                        part = Some(next);
                    }
                    None => return,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_written_is_filled_and_none_is_not() {
        let own = Tgid::new(i32::try_from(std::process::id()).unwrap());
        let written = [1u8; 100];
        let at = written.as_ptr().expose_provenance() as u64;
        assert!(are_filled(own, at, 100));
        assert!(!are_filled(own, 0, 1));
        assert!(!are_filled(own, at, u64::MAX));
        assert!(!are_filled(own, u64::MAX, 8));
    }

    #[test]
    fn parts_of_memory_are_those_that_were_written() {
        let page = usize::try_from(page_size().unwrap()).unwrap();
        let own = Tgid::new(i32::try_from(std::process::id()).unwrap());
        // A huge page would be filled as a whole.
        nix::sys::prctl::set_thp_disable(true).unwrap();
        // Large enough to get a mapping of its own.
        let mut memory: Vec<u8> = Vec::with_capacity(1 << 26);
        let at = memory.as_mut_ptr().expose_provenance();
        let skip = at.next_multiple_of(page) - at;
        memory.resize(skip + 2 * page, 1);
        let start = (at + skip) as u64;
        let map = PageMap::open(own).unwrap();
        let filled = |addr, length, room| {
            let mut parts = vec![0..0; room];
            map.filled(addr, length, &mut parts);
            parts
        };
        assert_eq!(filled(start + 100, 4 * page, 2), [0..2 * page - 100, 0..0]);
        assert_eq!(filled(start + 100, 50, 1)[0], 0..50);
        assert_eq!(filled(start + 3 * page as u64, page, 1)[0], 0..0);
        assert!(filled(start, page, 0).is_empty());
        assert_eq!(filled(u64::MAX, page, 1)[0], 0..0);
        assert_eq!(filled(start, 1 << 40, 1)[0], 0..2 * page);
    }
}
