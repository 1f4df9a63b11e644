//! Reads the memory of an interpreter, within limits: what it points to is under the
//! control of a tracee.

use std::cell::Cell;

/// Limits for one stack: how many reads, and how many bytes.
const MOST_READS: usize = 16 << 10;
const MOST_BYTES: usize = 4 << 20;

/// Fills a buffer from an address; `None` if that is not possible.
pub(in crate::stack) type Memory<'a> = dyn Fn(u64, &mut [u8]) -> Option<()> + 'a;

/// The memory of a process.
pub(super) struct Reader<'a> {
    memory: &'a Memory<'a>,
    reads: Cell<usize>,
    bytes: Cell<usize>,
}

/// Bytes that were read at an address.
pub(super) struct Block(Vec<u8>);

impl<'a> Reader<'a> {
    pub(super) fn new(memory: &'a Memory<'a>) -> Reader<'a> {
        Reader {
            memory,
            reads: Cell::new(MOST_READS),
            bytes: Cell::new(MOST_BYTES),
        }
    }

    /// So many bytes at an address.
    pub(super) fn block(&self, address: u64, length: usize) -> Option<Block> {
        self.reads.set(self.reads.get().checked_sub(1)?);
        self.bytes.set(self.bytes.get().checked_sub(length)?);
        let mut bytes = vec![0; length];
        (self.memory)(address, &mut bytes)?;
        Some(Block(bytes))
    }

    /// The word at an address.
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        self.block(address, 8)?.word(0)
    }
}

impl Block {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn word(&self, offset: u64) -> Option<u64> {
        let from = usize::try_from(offset).ok()?;
        let word = self.0.get(from..)?.first_chunk()?;
        Some(u64::from_le_bytes(*word))
    }

    pub(super) fn half(&self, offset: u64) -> Option<u32> {
        let from = usize::try_from(offset).ok()?;
        let half = self.0.get(from..)?.first_chunk()?;
        Some(u32::from_le_bytes(*half))
    }

    pub(super) fn byte(&self, offset: u64) -> Option<u8> {
        self.0.get(usize::try_from(offset).ok()?).copied()
    }
}
