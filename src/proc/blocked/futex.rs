//! What a futex that a thread sleeps on is: a mutex with an owner, or a thread that it
//! joins. Only what the memory itself shows, and nothing that may be something else.

use crate::kernel::{Tgid, Tid};
use crate::proc::Syscall;
use crate::proc::awaited::memory;

/// `linux/futex.h`.
const COMMAND: u64 = 0x7f;
const PRIVATE: u64 = 0x80;
const WAIT: u64 = 0;
const LOCK_PI: u64 = 6;
const WAIT_BITSET: u64 = 9;
const LOCK_PI2: u64 = 13;
const WAITERS: u32 = 0x8000_0000;
const TID_MASK: u32 = 0x3fff_ffff;
/// The value of glibc's mutex while others wait for it.
const LOCKED_WITH_WAITERS: u32 = 2;

/// What a futex is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Futex {
    /// A mutex, with its owner as that one's pid namespace has it.
    Mutex { owner: u32 },
    /// The tid that the kernel clears when the thread ends.
    ThreadEnd(Tid),
    /// Something else.
    Unknown,
}

/// A futex that a thread sleeps on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Awaited {
    pub(super) address: u64,
    /// It has no meaning outside its process.
    pub(super) is_private: bool,
    /// The wait has a time limit.
    pub(super) is_timed: bool,
    pub(super) is: Futex,
}

/// The futex that a thread sleeps on in this call. `threads` are those of its process,
/// each with its number in its own pid namespace.
pub(super) fn awaited(tgid: Tgid, call: &Syscall, threads: &[(u32, Tid)]) -> Option<Awaited> {
    let [address, operation, value, timeout, ..] = call.args;
    let word = words::<1>(tgid, address)?[0];
    // The upper half of the register is undefined.
    let value = u32::from_ne_bytes(value.to_ne_bytes()[..4].try_into().ok()?);
    let command = operation & COMMAND;
    // The word changed: the thread is about to wake up.
    if matches!(command, WAIT | WAIT_BITSET) && word != value {
        return None;
    }
    let memory = Memory {
        glibc: words(tgid, address),
        musl: address
            .checked_sub(4)
            .and_then(|before| words(tgid, before)),
    };
    let is_private = operation & PRIVATE != 0;
    // The kernel, which clears a tid, does not know who waits for it: as if it were shared.
    let joined = if is_private { &[] } else { threads };
    Some(Awaited {
        address,
        is_private,
        is_timed: timeout != 0,
        is: meaning(command, word, &memory, joined),
    })
}

/// Words of memory, if they are resident.
fn words<const COUNT: usize>(tgid: Tgid, address: u64) -> Option<[u32; COUNT]> {
    let length = u64::try_from(COUNT * 4).ok()?;
    let bytes = memory(tgid, address, length, length)?;
    let (words, _) = bytes.as_chunks::<4>();
    let words: &[[u8; 4]; COUNT] = words.try_into().ok()?;
    Some(words.map(u32::from_ne_bytes))
}

/// What is around the word of a futex.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    /// From the word on, as the `pthread_mutex_t` of glibc: lock, count, owner, users,
    /// kind.
    glibc: Option<[u32; 5]>,
    /// From the word before on, as that of musl: type, lock, waiters.
    musl: Option<[u32; 3]>,
}

fn meaning(command: u64, word: u32, memory: &Memory, joined: &[(u32, Tid)]) -> Futex {
    let mutex = |owner| match owner {
        0 => Futex::Unknown,
        owner => Futex::Mutex { owner },
    };
    let named = word & TID_MASK;
    match command {
        LOCK_PI | LOCK_PI2 => mutex(named),
        WAIT | WAIT_BITSET if word == named => match thread(word, joined) {
            Some(tid) => Futex::ThreadEnd(tid),
            // With a time limit glibc waits with a bit set.
            None => mutex(glibc_owner(word, memory).unwrap_or(0)),
        },
        WAIT | WAIT_BITSET if word & WAITERS != 0 => {
            mutex(robust_owner(named, memory).unwrap_or(0))
        }
        _ => Futex::Unknown,
    }
}

/// The thread with this number, if that is not one that states of locks have.
fn thread(number: u32, threads: &[(u32, Tid)]) -> Option<Tid> {
    let found = threads.iter().find(|(known, _)| *known == number);
    found.filter(|_| number > 2).map(|(_, tid)| *tid)
}

/// `kind` of a mutex of glibc (`nptl/pthreadP.h`): its type, and flags.
const TYPE: u32 = 0x3;
const RECURSIVE: u32 = 1;
const ROBUST: u32 = 0x10;
const PRIO_PROTECT: u32 = 0x40;
const KIND: u32 = 0x3f3;
/// The bits of the priority ceiling, in the kind and in the word.
const CEILING: u32 = 0xfff8_0000;

/// The owner of a mutex of glibc that is no robust one, if all around the word is as it is
/// in one that is locked.
fn glibc_owner(word: u32, memory: &Memory) -> Option<u32> {
    let [_, count, owner, users, kind] = memory.glibc?;
    let has_ceiling = kind & PRIO_PROTECT != 0;
    let allowed = if has_ceiling { KIND | CEILING } else { KIND };
    let lock = if has_ceiling { word & !CEILING } else { word };
    let is_recursive = kind & TYPE == RECURSIVE;
    let is_one = lock == LOCKED_WITH_WAITERS
        && kind & !allowed == 0
        && kind & ROBUST == 0
        && users > 0
        && (count > 0) == is_recursive
        && owner & !TID_MASK == 0;
    is_one.then_some(owner)
}

/// The types of musl, and the flags of those that are robust or shared.
const TYPES: u32 = 0x8f;

/// The owner of a mutex that has it in its word: a robust one of glibc, or one of musl
/// that is not of the default type, which has no owner.
fn robust_owner(named: u32, memory: &Memory) -> Option<u32> {
    let glibc = memory.glibc.is_some_and(|[_, _, owner, users, kind]| {
        owner == named && users > 0 && kind & !KIND == 0 && kind & ROBUST != 0
    });
    let musl = memory.musl.is_some_and(|[kind, _, waiters]| {
        kind & 0xf != 0 && kind & !TYPES == 0 && (1..=0xffff).contains(&waiters)
    });
    (glibc || musl).then_some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(command: u64, word: u32, glibc: [u32; 4], musl: [u32; 2]) -> Futex {
        let [count, owner, users, kind] = glibc;
        let memory = Memory {
            glibc: Some([word, count, owner, users, kind]),
            musl: Some([musl[0], word, musl[1]]),
        };
        meaning(
            command,
            word,
            &memory,
            &[(100, Tid::new(1100)), (101, Tid::new(1101))],
        )
    }

    #[test]
    fn owners_are_found_where_the_memory_is_a_mutex() {
        let mutex = Futex::Mutex { owner: 101 };
        assert_eq!(is(WAIT, 2, [0, 101, 1, 0], [0, 0]), mutex);
        assert_eq!(is(WAIT, 2, [3, 101, 1, 0x81], [0, 0]), mutex, "recursive");
        assert_eq!(is(WAIT_BITSET, 2, [0, 101, 1, 0], [0, 0]), mutex, "timed");
        let ceiling = 3 << 19;
        let word = ceiling | 2;
        assert_eq!(is(WAIT, word, [0, 101, 1, ceiling | 0x40], [0, 0]), mutex);
        let word = WAITERS | 0x65;
        assert_eq!(is(LOCK_PI, word, [0; 4], [0, 0]), mutex);
        assert_eq!(is(WAIT, word, [0, 101, 1, 0x10], [9, 9]), mutex, "robust");
        assert_eq!(is(WAIT, word, [1, 9, 9, 9], [1, 1]), mutex, "musl");
        let end = Futex::ThreadEnd(Tid::new(1101));
        assert_eq!(is(WAIT_BITSET, 101, [0; 4], [0, 0]), end);
    }

    #[test]
    fn an_owner_need_not_be_a_thread_of_the_process() {
        let mutex = Futex::Mutex { owner: 7 };
        assert_eq!(is(WAIT, 2, [0, 7, 1, 0x80], [0, 0]), mutex);
    }

    #[test]
    fn what_may_be_something_else_is_not_named() {
        let unknown = Futex::Unknown;
        // A condition variable, a semaphore, a lock without an owner.
        assert_eq!(is(WAIT_BITSET, 2, [5, 101, 1, 0], [0, 0]), unknown);
        assert_eq!(is(WAIT, 0, [0, 101, 1, 0], [0, 0]), unknown);
        assert_eq!(is(WAIT, 2, [0, 0, 1, 0], [0, 0]), unknown);
        // No mutex is without users, or of such a kind.
        assert_eq!(is(WAIT, 2, [0, 101, 0, 0], [0, 0]), unknown);
        assert_eq!(is(WAIT, 2, [0, 101, 1, 0x400], [0, 0]), unknown);
        // EBUSY is in the word of musl's default mutex, not a tid.
        assert_eq!(is(WAIT, WAITERS | 0x10, [1, 0, 0, 0], [0, 1]), unknown);
        assert_eq!(meaning(WAIT, 2, &Memory::default(), &[]), unknown);
    }
}
