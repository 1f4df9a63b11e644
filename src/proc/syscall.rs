//! `/proc/PID/task/TID/syscall`: the system call that a thread is in.

use std::fs;
use std::io::Read;

use crate::kernel::{Tgid, Tid};

/// A system call that a thread is blocked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Syscall {
    /// Its number, in the ABI of the thread.
    pub(crate) number: u64,
    pub(crate) args: [u64; 6],
}

impl Syscall {
    /// `None` if the thread runs, is in no call, or may not be examined.
    pub(crate) fn read(tgid: Tgid, tid: Tid) -> Option<Syscall> {
        let text = fs::read_to_string(format!("/proc/{tgid}/task/{tid}/syscall")).ok()?;
        Syscall::parse(&text)
    }

    /// `61 0xffffffff 0x7ffd0c 0x0 0x0 0x0 0x0 0x7ffcf8 0x7f06`; `running` and
    /// `-1 …` are not calls.
    fn parse(text: &str) -> Option<Syscall> {
        let mut words = text.split_ascii_whitespace();
        let number = words.next()?.parse().ok()?;
        let mut argument = || {
            let word = words.next()?.strip_prefix("0x")?;
            u64::from_str_radix(word, 16).ok()
        };
        let mut args = [0; 6];
        for arg in &mut args {
            *arg = argument()?;
        }
        Some(Syscall { number, args })
    }
}

/// The kernel function that a thread sleeps in.
pub(crate) fn wchan(tgid: Tgid, tid: Tid) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{tgid}/task/{tid}/wchan")).ok()?;
    Some(name).filter(|name| !name.is_empty() && name != "0")
}

/// Whether a process runs 64-bit code, so that it has our system call numbers. By
/// its auxiliary vector, since its executable may be on a file system that does
/// not respond: in a 64-bit vector the first type is 8 bytes long, with an upper
/// half of 0; in a 32-bit one its value is there.
pub(crate) fn is_64_bit(tgid: Tgid) -> bool {
    let mut first = [0; 8];
    let vector = fs::File::open(format!("/proc/{tgid}/auxv"));
    vector
        .and_then(|mut vector| vector.read_exact(&mut first))
        .is_ok()
        && first.ends_with(&[0; 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_with_its_arguments() {
        let text = "61 0x4d2 0x7ffd0c 0x0 0x0 0x0 0x0 0x7ffcf8 0x7f06\n";
        let call = Syscall {
            number: 61,
            args: [1234, 0x007f_fd0c, 0, 0, 0, 0],
        };
        assert_eq!(Syscall::parse(text), Some(call));
        assert_eq!(Syscall::parse("running\n"), None);
        assert_eq!(Syscall::parse("-1 0x7ffc 0x7f06\n"), None);
        assert_eq!(Syscall::parse(""), None);
    }

    #[test]
    fn this_process_is_as_wide_as_its_pointers() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(is_64_bit(Tgid::new(own)), size_of::<usize>() == 8);
    }
}
