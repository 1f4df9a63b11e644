//! Reads the memory of a stopped tracee.
#![expect(unsafe_code, reason = "process_vm_readv(2) and PTRACE_PEEKDATA")]

use std::ops::Range;
use std::{mem, ptr};

use super::ptrace::{Request, Stopped};
use crate::kernel::Errno;

/// How many parts of memory one call reads at most.
pub(crate) const PARTS: usize = 16;

/// The word size of `PTRACE_PEEKDATA`.
const WORD: usize = size_of::<libc::c_long>();

impl Stopped {
    /// Fills `buffer` from the tracee's memory at `addr`, or fails without a partial read.
    ///
    /// # Errors
    /// `EFAULT` if a byte is not readable; `ESRCH` if the tracee is gone.
    pub(crate) fn read(&self, addr: u64, buffer: &mut [u8]) -> Result<(), Errno> {
        let wanted = buffer.len();
        match self.readv(&mut [(addr, buffer)]) {
            Ok(got) if got == wanted => Ok(()),
            // Old kernels, seccomp'ed containers and executables without read permission refuse
            // the call; PTRACE_PEEKDATA may still be allowed.
            Ok(_) | Err(Errno::PERM | Errno::NOSYS | Errno::FAULT) => self.peek(addr, buffer),
            Err(errno) => Err(errno),
        }
    }

    /// Fills as much of `buffer` as there is memory at `addr`, and returns how much that was.
    /// The kernel copies page by page, up to the first that is missing.
    ///
    /// # Errors
    /// Those of `process_vm_readv(2)`.
    pub(crate) fn read_some(&self, addr: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.readv(&mut [(addr, buffer)])
    }

    /// Fills these parts of `buffer`, whose first byte is at `addr`, with one call; returns
    /// how many bytes were read.
    ///
    /// # Errors
    /// Those of `process_vm_readv(2)`.
    pub(crate) fn read_parts(
        &self,
        addr: u64,
        buffer: &mut [u8],
        parts: &[Range<usize>; PARTS],
    ) -> Result<usize, Errno> {
        let mut rest = buffer;
        let mut taken = 0;
        let mut part = |part: &Range<usize>| {
            let start = part.start.checked_sub(taken)?;
            let (now, later) = mem::take(&mut rest).split_at_mut_checked(part.end - taken)?;
            (rest, taken) = (later, part.end);
            Some((addr.wrapping_add(part.start as u64), now.get_mut(start..)?))
        };
        // Unused parts are empty.
        let parts = parts.each_ref().map(|range| {
            let wanted = (!range.is_empty()).then(|| part(range));
            wanted.flatten().unwrap_or((addr, &mut []))
        });
        self.readv(&mut { parts })
    }

    /// Fills two buffers with one call if possible, else one by one.
    pub(crate) fn read_two(
        &self,
        (first_at, first): (u64, &mut [u8]),
        (second_at, second): (u64, &mut [u8]),
    ) -> (Result<(), Errno>, Result<(), Errno>) {
        let wanted = first.len() + second.len();
        let both = self.readv(&mut [(first_at, &mut *first), (second_at, &mut *second)]);
        if both == Ok(wanted) {
            return (Ok(()), Ok(()));
        }
        (self.read(first_at, first), self.read(second_at, second))
    }

    fn readv(&self, parts: &mut [(u64, &mut [u8])]) -> Result<usize, Errno> {
        let empty = libc::iovec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        };
        let (mut local, mut remote) = ([empty; PARTS], [empty; PARTS]);
        let slots = local.iter_mut().zip(remote.iter_mut());
        let mut count = 0;
        for ((here, there), (addr, buffer)) in slots.zip(parts.iter_mut()) {
            here.iov_base = buffer.as_mut_ptr().cast();
            here.iov_len = buffer.len();
            there.iov_base =
                ptr::without_provenance_mut(usize::try_from(*addr).map_err(|_| Errno::FAULT)?);
            there.iov_len = buffer.len();
            count += 1;
        }
        // SAFETY: the first `count` local vectors name live, exclusive buffers
        // of the lengths they give; the remote ones are only numbers here.
        let got = unsafe {
            libc::process_vm_readv(
                self.tid().raw(),
                local.as_ptr(),
                count,
                remote.as_ptr(),
                count,
                0,
            )
        };
        usize::try_from(got).map_err(|_| super::last_errno())
    }

    fn peek(&self, addr: u64, buffer: &mut [u8]) -> Result<(), Errno> {
        let mut addr = usize::try_from(addr).map_err(|_| Errno::FAULT)?;
        let mut rest = buffer;
        while !rest.is_empty() {
            // An aligned word never crosses into a page without requested bytes.
            let skip = addr % WORD;
            let bytes = self.peek_word(libc::PTRACE_PEEKDATA, addr - skip)?;
            let taken = rest.len().min(WORD - skip);
            let (now, later) = rest.split_at_mut(taken);
            for (to, from) in now.iter_mut().zip(bytes.iter().skip(skip)) {
                *to = *from;
            }
            addr += taken;
            rest = later;
        }
        Ok(())
    }

    /// A word of the tracee's memory, or with PEEKUSER of its registers.
    pub(super) fn peek_word(&self, request: Request, addr: usize) -> Result<[u8; WORD], Errno> {
        let mut word: libc::c_long = 0;
        // SAFETY: raw, as libc's ptrace returns the word in place of an error;
        // the kernel's own requests write it to `data`.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_ptrace,
                libc::c_long::from(request),
                libc::c_long::from(self.tid().raw()),
                addr,
                &raw mut word,
            )
        };
        if answer < 0 {
            return Err(match super::last_errno() {
                Errno::IO => Errno::FAULT,
                errno => errno,
            });
        }
        Ok(word.to_ne_bytes())
    }
}
