//! The limit on memory for what is read from ELF files, in total: a tracee chooses
//! the files, and a section may claim any size.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// An amount of memory that is shared by all threads.
pub(super) struct Budget {
    left: AtomicU64,
}

/// For unwinding: call frame information.
pub(super) static UNWINDING: Budget = Budget::new(48 << 20);
/// For names: symbols and debug information. With what is derived from them, and the
/// frames that were named, no more than 256 MiB.
pub(super) static NAMES: Budget = Budget::new(176 << 20);

impl Budget {
    pub(super) const fn new(bytes: u64) -> Budget {
        Budget {
            left: AtomicU64::new(bytes),
        }
    }

    /// An empty reservation, to add to.
    pub(super) fn nothing(&'static self) -> Reserved {
        Reserved {
            budget: self,
            bytes: 0,
            refused: false,
        }
    }
}

/// A part of a budget, returned when it is dropped.
pub(super) struct Reserved {
    budget: &'static Budget,
    bytes: u64,
    /// More was requested than was available.
    refused: bool,
}

impl Reserved {
    /// Reserves so many bytes more; `None` if they are not available.
    pub(super) fn add(&mut self, bytes: u64) -> Option<()> {
        let left = &self.budget.left;
        let take = |left: u64| left.checked_sub(bytes);
        self.refused = self.refused || left.fetch_update(Relaxed, Relaxed, take).is_err();
        (!self.refused).then(|| self.bytes += bytes)
    }

    /// Another reservation was refused more, which this one records.
    pub(super) fn refuse(&mut self, other: &Reserved) {
        self.refused |= other.refused;
    }

    /// Whether more was requested than was available; nothing is added after that.
    pub(super) fn was_refused(&self) -> bool {
        self.refused
    }

    /// The budget that it belongs to.
    pub(super) fn budget(&self) -> &'static Budget {
        self.budget
    }

    /// Its size in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_reserved_is_given_back() {
        static SMALL: Budget = Budget::new(100);
        let mut first = SMALL.nothing();
        assert_eq!(first.add(60), Some(()));
        let mut second = SMALL.nothing();
        assert_eq!(second.add(40), Some(()));
        assert_eq!(second.add(1), None);
        assert!(second.was_refused());
        drop(first);
        assert_eq!(second.add(1), None, "a refused one stays as it is");
        let mut third = SMALL.nothing();
        assert_eq!(third.add(60), Some(()));
        assert_eq!(third.add(u64::MAX), None);
        assert_eq!((second.bytes(), third.bytes()), (40, 60));
    }
}
