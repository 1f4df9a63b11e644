//! `/proc/PID/task/TID/syscall`: the system call that a thread is in.

use std::fs;
use std::io::Read;

use crate::kernel::{Abi, Tgid, Tid, native_number, syscall_name};

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
        let call = Syscall::parse(&text)?;
        let is_restart = syscall_name(Abi::NATIVE, call.number) == Some("restart_syscall");
        if !is_restart || !is_64_bit(tgid) {
            return Some(call);
        }
        let sleeps_in = wchan(tgid, tid);
        Some(sleeps_in.map_or(call, |name| call.restarted(&name)))
    }

    /// The call that a `restart_syscall(2)` goes on with, by the kernel function that
    /// it sleeps in; the arguments are still in the registers.
    fn restarted(self, sleeps_in: &str) -> Syscall {
        let name = if sleeps_in.contains("poll") {
            "poll"
        } else if sleeps_in.contains("futex") {
            "futex"
        } else if self.args[0] < MOST_CLOCKS {
            // The functions of a sleep are not shown where it is restarted; what is
            // shown is their caller.
            "clock_nanosleep"
        } else {
            // Its first argument is an address.
            "nanosleep"
        };
        native_number(name).map_or(self, |number| Syscall {
            number: number.into(),
            ..self
        })
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

/// More than the number of any clock of `clock_nanosleep(2)` that is no process's.
const MOST_CLOCKS: u64 = 4096;

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
    fn a_restart_is_the_call_that_it_goes_on_with() {
        let restart = |first| Syscall {
            number: native_number("restart_syscall").unwrap().into(),
            args: [first, 0, 0, 0, 0, 0],
        };
        let name = |first, sleeps_in| {
            let call = restart(first).restarted(sleeps_in);
            syscall_name(Abi::NATIVE, call.number)
        };
        if native_number("poll").is_some() {
            assert_eq!(name(0x7ffd_0c00, "do_poll.constprop.0"), Some("poll"));
        }
        assert_eq!(name(0x7ffd_0c00, "futex_wait_queue"), Some("futex"));
        assert_eq!(name(0, "hrtimer_nanosleep"), Some("clock_nanosleep"));
        assert_eq!(name(0x7ffd_0c00, "do_syscall_64"), Some("nanosleep"));
    }

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
