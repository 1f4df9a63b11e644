//! Whether a wait is made within a handler of SIGCHLD.
//!
//! At the delivery the thread's stack and instruction pointers are remembered.
//! While the handler runs SIGCHLD is blocked, the kernel's frame with both
//! pointers lies right below on the stack, and all that the handler does lies
//! below that. Where the frame was may still hold it when the handler is done,
//! so the signal mask is asked first.

use super::engine::Tracer;
use super::scheduler::Scheduler;
use super::tasks::Call;
use crate::event::{Named, WaitEntry};
use crate::kernel::{Errno, IdType, NsPid, Signal, Tgid, WaitOptions};
use crate::proc::{self, Status};
use crate::sys::ptrace::Stopped;

/// How far below the interrupted stack pointer the frame reaches: the widest
/// registers (AMX) take 11 KiB.
const FRAME: usize = 16 << 10;
const PAGE: usize = 4096;
/// The instruction pointer is moved by so much where a call is made again.
const MOVED: u64 = 4;

/// How many words behind the stack pointer a frame has the instruction pointer:
/// 64-bit frames, and those of 32-bit code (`struct sigcontext` of the kernel's
/// `asm/sigcontext.h`).
#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
const GAPS: Option<(usize, usize)> = Some((1, 7));
#[cfg(target_arch = "aarch64")]
const GAPS: Option<(usize, usize)> = Some((1, 2));
#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
const GAPS: Option<(usize, usize)> = None;

/// Where the frame of a process's handler of SIGCHLD lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum HandlerFrame {
    /// There is no handler, or its frame lies on another stack.
    #[default]
    None,
    /// On the stack that the handler interrupts.
    Here,
    /// There is a handler of which no more is known.
    Unknown,
}

impl HandlerFrame {
    /// As far as `/proc` tells, which has no flags.
    pub(super) fn by_proc(status: &Status) -> HandlerFrame {
        if status.catches(Signal::CHLD) {
            HandlerFrame::Unknown
        } else {
            HandlerFrame::None
        }
    }
}

/// Where a thread was when SIGCHLD was delivered to it last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interrupted {
    instruction_pointer: u64,
    stack_pointer: u64,
}

impl Interrupted {
    /// The thread is in a signal-delivery-stop.
    pub(super) fn at(stopped: &Stopped) -> Option<Interrupted> {
        let info = stopped.syscall_info().ok()?;
        Some(Interrupted {
            instruction_pointer: info.instruction_pointer,
            stack_pointer: info.stack_pointer,
        })
    }

    /// Whether the thread, which is at this stack pointer now, is still in that
    /// handler; `None` where that cannot be told.
    fn is_unfinished(
        self,
        frame: HandlerFrame,
        stopped: &Stopped,
        now: u64,
        tgid: Tgid,
    ) -> Option<bool> {
        let gaps = GAPS?;
        let above = self.stack_pointer.saturating_sub(now);
        // As a rule for a shell; `/proc` would be as dear as a stop.
        if above == 0 && frame == HandlerFrame::Here {
            return Some(false);
        }
        let mask = proc::status(stopped.tid())?.blocked;
        if !proc::has(mask, Signal::CHLD) {
            return Some(false);
        }
        let length = usize::try_from(above).unwrap_or(FRAME).min(FRAME);
        let from = self.stack_pointer - length as u64;
        let is_below_it = self.is_saved_at(from, length, gaps, stopped, tgid);
        match frame {
            HandlerFrame::Here => is_below_it,
            _ if is_below_it == Some(true) => Some(true),
            // On a stack of its own it lies right above what the handler uses.
            _ => {
                let pages = (1..=FRAME / PAGE).rev().map(|count| count * PAGE);
                let mut found = pages.filter_map(|length| {
                    let length = length - usize::try_from(now).unwrap_or(0) % PAGE;
                    self.is_saved_at(now, length, gaps, stopped, tgid)
                });
                found.next().filter(|is_saved| *is_saved)
            }
        }
    }

    /// Whether a signal frame in `length` bytes of memory, at most [`FRAME`], has the
    /// two pointers; `None` if they may not be read.
    fn is_saved_at(
        self,
        from: u64,
        length: usize,
        gaps: (usize, usize),
        stopped: &Stopped,
        tgid: Tgid,
    ) -> Option<bool> {
        if length == 0 {
            return Some(false);
        }
        if !proc::are_filled(tgid, from, length as u64) {
            return None;
        }
        let mut bytes = [0; FRAME];
        let bytes = bytes.get_mut(..length)?;
        stopped.read(from, bytes).ok()?;
        Some(self.is_saved_in(bytes, from, gaps))
    }

    /// Whether a signal frame in this memory, which begins at `from`, has the
    /// two pointers.
    fn is_saved_in(self, bytes: &[u8], from: u64, (wide, narrow): (usize, usize)) -> bool {
        let is_pair = |stack: u64, code: u64| {
            stack == self.stack_pointer && code.abs_diff(self.instruction_pointer) <= MOVED
        };
        let aligned = |word: u64| {
            let skipped = usize::try_from(from.wrapping_neg() % word).unwrap_or(0);
            bytes.get(skipped..).unwrap_or_default()
        };
        let (words, _) = aligned(8).as_chunks();
        let words = words.iter().map(|word| u64::from_ne_bytes(*word));
        let mut pairs = words.clone().zip(words.skip(wide));
        let (halves, _) = aligned(4).as_chunks();
        let halves = halves
            .iter()
            .map(|word| u64::from(u32::from_ne_bytes(*word)));
        let mut narrow_pairs = halves.clone().zip(halves.skip(narrow));
        pairs.any(|(stack, code)| is_pair(stack, code))
            || narrow_pairs.any(|(stack, code)| is_pair(stack, code))
    }
}

impl<S: Scheduler> Tracer<S> {
    /// Whether a wait that ends, and took a child that it did not name, was made
    /// within a handler of SIGCHLD. Looked at only where a rule may ask: the
    /// process is known to handle it, and has no other child that lives.
    pub(super) fn in_handler(
        &self,
        stopped: &Stopped,
        call: &Call,
        result: Result<NsPid, Errno>,
        tgid: Tgid,
    ) -> Option<bool> {
        let process = self.tasks.processes.get(&tgid)?;
        let frame = process.handler_frame;
        let asked = frame != HandlerFrame::None && process.children == 0;
        if !asked || !self.capture.rules || !took_any(&call.entry, result) {
            return None;
        }
        let Some(interrupted) = self.tasks.by_tid.get(&stopped.tid())?.interrupted_at else {
            // Without a delivery no handler runs.
            return Some(false);
        };
        if !self.sees_proc() {
            return None;
        }
        interrupted.is_unfinished(frame, stopped, call.words.stack_pointer, tgid)
    }
}

/// Whether a wait took a child that it did not name.
fn took_any(entry: &WaitEntry, result: Result<NsPid, Errno>) -> bool {
    let (names_one, tells_by_result) = match entry.named {
        Named::Pid(pid) => (pid > 0, true),
        Named::Unknown => (true, true),
        Named::Id(id_type, _) => (matches!(id_type, IdType::PID | IdType::PIDFD), false),
    };
    !names_one
        && !entry.options.contains(WaitOptions::NOWAIT)
        && result.is_ok_and(|pid| pid.raw() > 0 || !tells_by_result)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Interrupted = Interrupted {
        instruction_pointer: 0x7f00_1234,
        stack_pointer: 0x7fff_0000,
    };

    fn memory(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn a_frame_has_both_pointers_side_by_side() {
        let found = |words: &[u64], from| AT.is_saved_in(&memory(words), from, (1, 7));
        let (stack, code) = (AT.stack_pointer, AT.instruction_pointer);
        assert!(found(&[1, stack, code, 2], 0x7ffe_f000));
        // The call is made again.
        assert!(found(&[1, stack, code - 2, 2], 0x7ffe_f000));
        assert!(!found(&[1, stack, code + 8, 2], 0x7ffe_f000));
        assert!(!found(&[stack, 1, code, 2], 0x7ffe_f000));
        assert!(!found(&[], 0x7ffe_f000));
        // The first word is not whole.
        let mut bytes = vec![0; 3];
        bytes.extend(memory(&[stack, code]));
        assert!(AT.is_saved_in(&bytes, 0x7ffe_f005, (1, 7)));
    }

    #[test]
    fn a_frame_of_32_bit_code_has_the_rest_of_the_registers_between() {
        let mut words = [0u32; 12];
        words[2] = 0x7fff_0000;
        words[9] = 0x7f00_1234;
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert!(AT.is_saved_in(&bytes, 0x7ffe_f004, (1, 7)));
        assert!(!AT.is_saved_in(&bytes, 0x7ffe_f004, (1, 2)));
    }
}
