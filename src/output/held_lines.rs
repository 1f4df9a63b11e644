//! Lines that wait until the frames of a call stack and their names are known,
//! and what stands behind them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::event::Stack;

/// How much waits at most; the first lines go without names then.
const MOST: usize = 4 << 20;

/// Makes lines of a stack, as far as it is known.
pub(super) type Lines = Box<dyn FnOnce(&Stack) -> Vec<u8>>;

/// What waits.
#[derive(Default)]
pub(super) struct HeldLines {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

struct Waiting {
    stack: Arc<Stack>,
    lines: Lines,
    /// Text that stands behind them.
    behind: Vec<u8>,
}

impl HeldLines {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn push_stack(&mut self, stack: &Arc<Stack>, lines: Lines) {
        /// What lines come to, more or less.
        const LINES: usize = 1024;
        self.bytes += LINES;
        self.waiting.push_back(Waiting {
            stack: Arc::clone(stack),
            lines,
            behind: Vec::with_capacity(LINES),
        });
    }

    /// Add text behind what waits; `false` if nothing does.
    pub(super) fn push(&mut self, text: &[u8]) -> bool {
        let Some(last) = self.waiting.back_mut() else {
            return false;
        };
        last.behind.extend_from_slice(text);
        self.bytes += text.len();
        true
    }

    /// The next text that need not wait any more.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let first = self.waiting.front()?;
        if !first.stack.is_known() && self.bytes <= MOST {
            return None;
        }
        let first = self.waiting.pop_front()?;
        let mut text = (first.lines)(&first.stack);
        text.extend_from_slice(&first.behind);
        self.bytes = self.bytes.saturating_sub(text.len());
        if self.waiting.is_empty() {
            self.bytes = 0;
        }
        Some(text)
    }

    /// Wait for all.
    pub(super) fn wait(&self) {
        self.waiting.iter().for_each(|waiting| waiting.stack.wait());
    }
}
