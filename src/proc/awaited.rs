//! What a thread is blocked in: the kind of system call, and the descriptors
//! that it waits for.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::calls::{For, blocking};
use super::descriptors::fd_info;
use super::{Syscall, are_filled, is_64_bit};
use crate::kernel::{Abi, Tgid, Tid, syscall_name};

/// A blocking system call, as far as the rules distinguish them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocking {
    Read,
    Write,
    Poll,
    Select,
    Epoll,
    Sigtimedwait,
    Other,
}

impl Blocking {
    fn of(waits_for: For) -> Blocking {
        match waits_for {
            For::Input => Blocking::Read,
            For::Output => Blocking::Write,
            For::Poll => Blocking::Poll,
            For::Select => Blocking::Select,
            For::Epoll => Blocking::Epoll,
            For::SignalOf => Blocking::Sigtimedwait,
            _ => Blocking::Other,
        }
    }

    /// Whether it ends when a descriptor has something to read.
    pub(crate) fn awaits_input(self) -> bool {
        matches!(
            self,
            Blocking::Read | Blocking::Poll | Blocking::Select | Blocking::Epoll
        )
    }
}

/// read, readv, write and writev of the 32-bit programs that x86-64 runs too.
const NUMBERS_32: &[(u64, Blocking)] = &[
    (3, Blocking::Read),
    (145, Blocking::Read),
    (4, Blocking::Write),
    (146, Blocking::Write),
];

/// A `poll` or `select` with more descriptors is not examined.
const MOST_POLLED: u64 = 1024;
const MOST_SELECTED: u64 = 1024;
/// Bytes of a `struct pollfd`.
const POLLFD: u64 = 8;

/// The call that a thread is blocked in, and its kind; `None` if it runs or may
/// not be examined.
pub(crate) fn blocking_call(tgid: Tgid, tid: Tid) -> Option<(Syscall, Blocking)> {
    let call = Syscall::read(tgid, tid)?;
    let kind = if is_64_bit(tgid) {
        syscall_name(Abi::NATIVE, call.number)
            .and_then(blocking)
            .map(|call| Blocking::of(call.waits_for))
    } else {
        let known = NUMBERS_32.iter().find(|(known, _)| *known == call.number);
        known.map(|(_, kind)| *kind)
    };
    Some((call, kind.unwrap_or(Blocking::Other)))
}

/// The descriptors that a thread waits to read from; `None` if it is in no such
/// call, waits to write too, or they cannot be read.
pub(crate) fn awaited_descriptors(tgid: Tgid, tid: Tid) -> Option<Vec<i32>> {
    let (call, kind) = blocking_call(tgid, tid)?;
    let [first, second, third, ..] = call.args;
    match kind {
        Blocking::Read => Some(vec![i32::try_from(first).ok()?]),
        // Of no descriptor: a sleep until a signal.
        Blocking::Poll if second == 0 => Some(Vec::new()),
        Blocking::Poll => {
            let length = second.checked_mul(POLLFD)?;
            let array = memory(tgid, first, length, MOST_POLLED * POLLFD)?;
            polled(&array)
        }
        Blocking::Select => {
            let count = first.min(MOST_SELECTED);
            let set = |at| match (at, count) {
                (0, _) | (_, 0) => Some(Vec::new()),
                _ => memory(tgid, at, count.div_ceil(64) * 8, MOST_SELECTED / 8),
            };
            let writes = third != 0 && !selected(&set(third)?, count).is_empty();
            let reads = set(second)?;
            (!writes).then(|| selected(&reads, count))
        }
        Blocking::Epoll => {
            let info = fd_info(tgid, i32::try_from(first).ok()?)?;
            registered(&info)
        }
        Blocking::Write | Blocking::Sigtimedwait | Blocking::Other => None,
    }
}

/// The set of signals that a thread in `sigwait` or the like waits for.
pub(crate) fn awaited_signals(tgid: Tgid, call: Syscall) -> Option<u64> {
    let bytes = memory(tgid, call.args[0], 8, 8)?;
    Some(u64::from_ne_bytes(bytes.try_into().ok()?))
}

/// Memory of a process, only if all of it is resident (see [`super::pages`]).
pub(super) fn memory(tgid: Tgid, addr: u64, length: u64, most: u64) -> Option<Vec<u8>> {
    if length == 0 || length > most || !are_filled(tgid, addr, length) {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    let file = File::open(format!("/proc/{tgid}/mem")).ok()?;
    file.read_exact_at(&mut bytes, addr).ok()?;
    Some(bytes)
}

/// The descriptors of an array of `struct pollfd`, without negative ones; `None` if
/// one is to be written to.
fn polled(array: &[u8]) -> Option<Vec<i32>> {
    let (entries, _) = array.as_chunks::<8>();
    let entries = entries.iter().map(|[a, b, c, d, e, f, ..]| {
        let fd = i32::from_ne_bytes([*a, *b, *c, *d]);
        (fd, i16::from_ne_bytes([*e, *f]))
    });
    let reads = |(fd, events)| (events & libc::POLLOUT == 0).then_some(fd);
    entries.filter(|(fd, _)| *fd >= 0).map(reads).collect()
}

/// The descriptors of an `fd_set`.
fn selected(set: &[u8], count: u64) -> Vec<i32> {
    let (words, _) = set.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_ne_bytes(*word));
    let fds = words.enumerate().flat_map(|(index, word)| {
        let bits = (0..64_usize).filter(move |bit| word >> bit & 1 != 0);
        bits.map(move |bit| index * 64 + bit)
    });
    let fds = fds.filter(|fd| (*fd as u64) < count);
    fds.filter_map(|fd| i32::try_from(fd).ok()).collect()
}

/// The descriptors that an epoll instance watches, by its `fdinfo`; `None` if one is to
/// be written to.
fn registered(info: &str) -> Option<Vec<i32>> {
    let lines = info.lines().filter_map(|line| line.strip_prefix("tfd:"));
    let reads = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let fd = words.next()?.parse().ok()?;
        let events = words.find(|word| *word != "events:")?;
        let events = u32::from_str_radix(events, 16).ok()?;
        (events & libc::EPOLLOUT.cast_unsigned() == 0).then_some(fd)
    };
    lines.map(reads).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_found_in_each_kind_of_set() {
        let pollfd = |fd: i32| [fd.to_ne_bytes(), [1, 0, 0, 0]].concat();
        let to_write = [7_i32.to_ne_bytes(), [5, 0, 0, 0]].concat();
        let array = [pollfd(3), pollfd(-1), pollfd(70)].concat();
        assert_eq!(polled(&array), Some(vec![3, 70]));
        assert_eq!(polled(&[array, to_write].concat()), None);
        let set = [(1_u64 << 5).to_ne_bytes(), 3_u64.to_ne_bytes()].concat();
        assert_eq!(selected(&set, 65), [5, 64]);
        let info = "pos:\t0\nflags:\t02\ntfd:        8 events:       19 data: 8  pos:0 ino:1\n\
            tfd:       11 events:       19 data: b\n";
        assert_eq!(registered(info), Some(vec![8, 11]));
        let to_write = "tfd:        8 events:       1d data: 8\n";
        assert_eq!(registered(to_write), None);
    }
}
