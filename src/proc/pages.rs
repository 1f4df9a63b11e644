//! `/proc/PID/pagemap`: which pages a process has in memory.
//!
//! To read a page that is missing, even from outside, waits for whoever fills
//! it: of a userfaultfd or of a FUSE file that may be a tracee, which waits for
//! us.

use std::fs::File;
use std::os::unix::fs::FileExt;

use nix::unistd::{SysconfVar, sysconf};

use crate::kernel::Tgid;

/// An entry's bits (`Documentation/admin-guide/mm/pagemap.rst`).
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
/// The bytes of an entry.
const ENTRY: u64 = 8;
/// More pages than any array of arguments has that is shown.
const MOST_PAGES: u64 = 2048;

/// Whether all of a range of memory can be read without waiting for a process
/// to fill it. `false` also where that cannot be known.
pub(crate) fn are_filled(tgid: Tgid, addr: u64, length: u64) -> bool {
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    let Some(page) = page.and_then(|size| u64::try_from(size).ok()) else {
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
    entries.all(|entry| entry & (PRESENT | SWAPPED) != 0)
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
}
