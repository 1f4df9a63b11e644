//! What a process executes, read from the stack that the kernel has just made
//! for it (`create_elf_tables` in the kernel's `fs/binfmt_elf.c`): from the
//! stack pointer upwards the number of arguments, the pointers to them, NULL,
//! those to the environment, NULL, the auxiliary vector; above them, without
//! gaps, the arguments' strings, the environment's, and the path.
//!
//! At the exec stop the program has not written there yet. `/proc` tells the same, but
//! each file in it is an inode that the kernel makes for us and must take away
//! when the process ends: dearer than the stop itself.

use crate::event::{Comm, Image};
use crate::kernel::Errno;
use crate::sys::ptrace::Stopped;

/// `__AUDIT_ARCH_64BIT` of the kernel's `include/uapi/linux/audit.h`.
const AUDIT_64BIT: u32 = 0x8000_0000;
/// The auxiliary vector's entry for the path that was executed.
const AT_EXECFN: u64 = 31;

/// Enough for most programs' stacks, which begin up to 8 KiB below the strings
/// (`arch_align_stack`); and for the pointers of any.
const FIRST_LOOK: usize = 16 * 1024;
const SECOND_LOOK: usize = 1 << 20;
/// More than the kernel allows for all arguments (`MAX_ARG_STRLEN` aside, a
/// quarter of the stack's limit, at most 6 MiB).
const MOST_ARGUMENTS: u64 = 6 << 20;
/// The smallest page: no string is read past the end of one that it lies in.
const PAGE: usize = 4096;
const MOST_PATH: usize = 4096;

/// What was just executed; `None` if the stack cannot be read, or is not what
/// it should be (x32, whose pointers are narrower than its architecture says).
///
/// `room` is used again and again.
pub(super) fn of_new_program(stopped: &Stopped, room: &mut Vec<u8>) -> Option<Image> {
    let info = stopped.syscall_info().ok()?;
    let word = if info.arch & AUDIT_64BIT == 0 { 4 } else { 8 };
    let from = info.stack_pointer;
    let look = |room: &mut [u8]| {
        let got = stopped.read_some(from, room).ok()?;
        Some((Strings::find(room.get(..got)?, word)?, got))
    };
    // As a rule one look shows all there is.
    room.resize(FIRST_LOOK, 0);
    if let Some((strings, got)) = look(room)
        && let Some((argv, path)) = strings.within(room.get(..got)?, from)
    {
        return image(argv, path);
    }
    let (strings, _) = look(&mut vec![0; SECOND_LOOK])?;
    let mut argv = vec![0; strings.arguments_length()?];
    stopped.read(strings.arguments, &mut argv).ok()?;
    image(&argv, &string(stopped, strings.path).ok()?)
}

fn image(argv: &[u8], path: &[u8]) -> Option<Image> {
    // Executed by its descriptor: newer kernels name it after the file itself.
    if path.starts_with(b"/dev/fd/") {
        return None;
    }
    let base = path.rsplit(|byte| *byte == b'/').next()?;
    Some(Image {
        comm: Comm::new(base),
        argv: split(argv),
        path: Some(path.to_vec()),
    })
}

/// The arguments, each of which ends with a null byte.
pub(super) fn split(argv: &[u8]) -> Vec<Vec<u8>> {
    let Some(argv) = argv.strip_suffix(b"\0") else {
        return Vec::new();
    };
    argv.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
}

/// A C string of the tracee's, as long as a path may be.
pub(super) fn string(stopped: &Stopped, mut at: u64) -> Result<Vec<u8>, Errno> {
    let mut string = Vec::new();
    while string.len() < MOST_PATH {
        let mut page = [0; PAGE];
        let part = page.get_mut(..page_rest(at)).ok_or(Errno::FAULT)?;
        stopped.read(at, part)?;
        if let Some(end) = part.iter().position(|byte| *byte == 0) {
            string.extend(part.iter().take(end));
            return Ok(string);
        }
        string.extend_from_slice(part);
        at = at.wrapping_add(part.len() as u64);
    }
    Err(Errno::FAULT)
}

/// How many bytes there are to the end of the page.
fn page_rest(at: u64) -> usize {
    PAGE - usize::try_from(at % PAGE as u64).unwrap_or_default()
}

/// Where the strings lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Strings {
    /// The first argument's.
    arguments: u64,
    /// The end of the last.
    end: u64,
    path: u64,
}

impl Strings {
    /// Find them in the words from the stack pointer upwards; `None` if those
    /// are too few or make no sense.
    fn find(stack: &[u8], word: usize) -> Option<Strings> {
        let mut words = stack.chunks_exact(word).map(|bytes| {
            let little = bytes.iter().rev();
            little.fold(0, |value, byte| value << 8 | u64::from(*byte))
        });
        let count = usize::try_from(words.next()?).ok()?;
        let mut arguments = None;
        for _ in 0..count {
            let pointer = words.next().filter(|pointer| *pointer != 0)?;
            arguments.get_or_insert(pointer);
        }
        words.next().filter(|pointer| *pointer == 0)?;
        let environment = words.next()?;
        if environment != 0 {
            words.find(|pointer| *pointer == 0)?;
        }
        let path = loop {
            match (words.next()?, words.next()?) {
                (AT_EXECFN, path) => break path,
                (0, _) => return None,
                _ => {}
            }
        };
        let end = if environment == 0 { path } else { environment };
        Some(Strings {
            arguments: arguments.unwrap_or(end),
            end,
            path,
        })
    }

    /// The arguments and the path, if they are among these bytes of the stack.
    fn within<'a>(&self, stack: &'a [u8], from: u64) -> Option<(&'a [u8], &'a [u8])> {
        let index = |address: u64| usize::try_from(address.checked_sub(from)?).ok();
        let argv = stack.get(index(self.arguments)?..index(self.end)?)?;
        let path = stack.get(index(self.path)?..)?;
        let end = path.iter().position(|byte| *byte == 0)?;
        Some((argv, path.get(..end)?))
    }

    fn arguments_length(&self) -> Option<usize> {
        let length = self.end.checked_sub(self.arguments)?;
        usize::try_from(length)
            .ok()
            .filter(|_| length <= MOST_ARGUMENTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a new stack, in the given width.
    fn stack(words: &[u64], width: usize) -> Vec<u8> {
        let bytes = words.iter().map(|word| word.to_le_bytes());
        bytes.flat_map(|word| word[..width].to_vec()).collect()
    }

    #[test]
    fn the_strings_are_found_in_either_width() {
        for width in [4, 8] {
            let words = [2, 100, 105, 0, 110, 120, 0, 6, 4096, 31, 130, 0, 0];
            let found = Strings::find(&stack(&words, width), width).unwrap();
            assert_eq!((found.arguments, found.end, found.path), (100, 110, 130));
            assert_eq!(found.arguments_length(), Some(10));
        }
    }

    #[test]
    fn without_an_environment_the_arguments_end_at_the_path() {
        let words = [1, 100, 0, 0, 31, 107, 0, 0];
        let found = Strings::find(&stack(&words, 8), 8).unwrap();
        assert_eq!((found.arguments, found.end, found.path), (100, 107, 107));
    }

    #[test]
    fn a_program_may_have_no_arguments() {
        let words = [0, 0, 0, 31, 107, 0, 0];
        let found = Strings::find(&stack(&words, 8), 8).unwrap();
        assert_eq!(found.arguments_length(), Some(0));
        assert!(split(b"").is_empty());
        assert_eq!(split(b"\0"), [b""]);
        assert_eq!(split(b"a\0\0"), [&b"a"[..], b""]);
    }

    #[test]
    fn words_that_make_no_sense_are_no_image() {
        let whole = [1, 100, 0, 110, 0, 31, 130, 0, 0];
        for length in 0..whole.len() - 2 {
            assert_eq!(Strings::find(&stack(&whole[..length], 8), 8), None);
        }
        // x32's words, taken for wide ones.
        assert_eq!(
            Strings::find(&stack(&[1 | 100 << 32, 110 << 32], 8), 8),
            None
        );
        assert_eq!(Strings::find(&stack(&[u64::MAX, 100], 8), 8), None);
        assert_eq!(Strings::find(&stack(&[1, 100, 7, 0, 31, 1], 8), 8), None);
        assert_eq!(
            Strings::find(&stack(&[1, 100, 0, 0, 6, 9, 0, 0], 8), 8),
            None
        );
        let upside_down = Strings {
            arguments: 10,
            end: 5,
            path: 5,
        };
        assert_eq!(upside_down.arguments_length(), None);
    }
}
