//! What a run wrote to its standard output, in a bounded amount of memory: how
//! often each byte occurs, and the first lines. Pure.

use crate::library::Keep;

/// How many bytes are kept as they are, to name a line that differs.
const HEAD: usize = 64 << 10;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// How often each byte occurs. Of two processes that write at the same time
    /// either may be first, even within a line, so the order is no difference.
    counts: Box<[u64; 256]>,
    head: Vec<u8>,
}

impl Default for Written {
    fn default() -> Written {
        Written {
            counts: Box::new([0; 256]),
            head: Vec::new(),
        }
    }
}

impl Keep for Written {
    fn keep(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(count) = self.counts.get_mut(usize::from(*byte)) {
                *count += 1;
            }
        }
        let room = HEAD - self.head.len();
        self.head.extend(bytes.iter().take(room));
    }
}

/// How an output differs from the usual one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputDifference {
    /// The first line that it usually does not write, or does not write now;
    /// `None` if there is none among the first 64 KiB.
    pub line: Option<Vec<u8>>,
    /// The line is missing now.
    pub is_missing: bool,
    /// How many bytes it usually writes.
    pub usual: u64,
    /// How many it wrote now.
    pub now: u64,
}

impl Written {
    /// Whether the same bytes were written, in whatever order.
    pub(super) fn is_like(&self, other: &Written) -> bool {
        self.counts == other.counts
    }

    /// How many bytes were written.
    fn length(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How this differs from what is usually written, if it does.
    pub(super) fn difference(&self, usual: &Written) -> Option<OutputDifference> {
        if self.is_like(usual) {
            return None;
        }
        let (missing, added) = (usual.first_not_in(self), self.first_not_in(usual));
        let is_missing = added.is_none() && missing.is_some();
        Some(OutputDifference {
            line: added.or(missing).map(<[u8]>::to_vec),
            is_missing,
            usual: usual.length(),
            now: self.length(),
        })
    }

    /// The first line of this that is not among the other's. Where either is longer
    /// than what is kept of it, a line may be in the rest.
    fn first_not_in<'a>(&'a self, other: &Written) -> Option<&'a [u8]> {
        if [self, other].iter().any(|one| one.length() > HEAD as u64) {
            return None;
        }
        let others: rustc_hash::FxHashSet<&[u8]> = lines(&other.head).collect();
        lines(&self.head).find(|line| !line.is_empty() && !others.contains(line))
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> Written {
        let mut written = Written::default();
        // As it comes, in parts.
        bytes.chunks(7).for_each(|part| written.keep(part));
        written
    }

    #[test]
    fn another_order_is_no_difference() {
        let usual = written(b"one\ntwo\n");
        assert_eq!(written(b"two\none\n").difference(&usual), None);
        assert_eq!(written(b"otnw\neo\n").difference(&usual), None);
    }

    #[test]
    fn the_first_line_that_is_new_or_missing_is_named() {
        let usual = written(b"one\ntwo\n");
        let more = written(b"one\nthree\ntwo\n").difference(&usual).unwrap();
        assert_eq!(
            (more.line.as_deref(), more.is_missing),
            (Some(&b"three"[..]), false)
        );
        assert_eq!((more.usual, more.now), (8, 14));
        let less = written(b"two\n").difference(&usual).unwrap();
        assert_eq!(
            (less.line.as_deref(), less.is_missing),
            (Some(&b"one"[..]), true)
        );
        // The same lines, one of them twice.
        let twice = written(b"one\none\ntwo\n").difference(&usual).unwrap();
        assert_eq!((twice.line, twice.usual, twice.now), (None, 8, 12));
    }

    #[test]
    fn of_much_output_little_is_kept_and_a_difference_at_its_end_is_seen() {
        let much = vec![b'y'; 40 * HEAD];
        let usual = written(&much);
        assert_eq!(usual.head.len(), HEAD);
        let mut other = much;
        *other.last_mut().unwrap() = b'z';
        let difference = written(&other).difference(&usual).unwrap();
        assert_eq!((difference.line, difference.is_missing), (None, false));
        assert_eq!(
            (difference.usual, difference.now),
            (40 * HEAD as u64, 40 * HEAD as u64)
        );
    }
}
