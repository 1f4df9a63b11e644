//! A copy of the bytes of a stack, made at a stop.

use std::ops::Range;

use crate::proc::PageMap;
use crate::sys::memory::PARTS;
use crate::sys::ptrace::Stopped;

/// How much of a stack is read, in bytes.
pub(super) const MOST_BYTES: usize = 512 << 10;
/// What was copied of a stack. Pages that are not resident are left out: the kernel
/// would allocate them, or ask a handler for them that may not respond.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    /// The address of the first byte.
    base: u64,
    /// The ranges of bytes that were read.
    parts: [Range<usize>; PARTS],
}

impl Copy {
    /// Copies the stack from `base` upwards, as far as it is resident, to the end of
    /// its mapping.
    pub(super) fn take(
        stopped: &Stopped,
        base: u64,
        end: u64,
        pages: Option<&PageMap>,
        bytes: &mut [u8],
    ) -> Copy {
        let length = end.saturating_sub(base).min(bytes.len() as u64);
        let length = usize::try_from(length).unwrap_or(0);
        let mut parts = [const { 0..0 }; PARTS];
        if let Some(pages) = pages {
            pages.filled(base, length, &mut parts);
        } else if let Some(whole) = parts.first_mut() {
            // A kernel without page maps.
            *whole = 0..length;
        }
        let mut copy = Copy { base, parts };
        let mut left = stopped.read_parts(base, bytes, &copy.parts).unwrap_or(0);
        for part in &mut copy.parts {
            part.end = part.start + part.len().min(left);
            left -= part.len();
        }
        copy
    }

    /// How many bytes it spans.
    pub(super) fn span(&self) -> usize {
        self.parts.iter().map(|part| part.end).max().unwrap_or(0)
    }

    /// The word at an address; `bytes` are those that were copied.
    pub(super) fn word(&self, bytes: &[u8], address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.base)?).ok()?;
        let word = at..at.checked_add(8)?;
        let holds = |part: &Range<usize>| part.start <= word.start && word.end <= part.end;
        self.parts.iter().find(|part| holds(part))?;
        let word = bytes.get(word)?.first_chunk()?;
        Some(u64::from_le_bytes(*word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_within_the_parts_alone() {
        let bytes: Vec<u8> = (0..48).collect();
        let mut parts = [const { 0..0 }; PARTS];
        parts[0] = 0..16;
        parts[1] = 32..44;
        let copy = Copy { base: 100, parts };
        let word = |address| copy.word(&bytes, address);
        assert_eq!(word(100), Some(0x0706_0504_0302_0100));
        assert_eq!(word(108), Some(0x0f0e_0d0c_0b0a_0908));
        assert_eq!(word(136), Some(0x2b2a_2928_2726_2524));
        for address in [0, 99, 109, 116, 128, 131, 137, 144, u64::MAX] {
            assert_eq!(word(address), None, "{address}");
        }
        assert_eq!(copy.span(), 44);
    }
}
