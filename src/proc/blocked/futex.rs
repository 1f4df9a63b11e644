//! Who keeps a thread that sleeps on a futex: the owner of a mutex, or a thread that
//! it joins. Only what the word itself shows, and nothing that may be something else.

use crate::event::WaitsOn;
use crate::kernel::{Tgid, Tid};
use crate::proc::Syscall;
use crate::proc::awaited::memory;

/// `linux/futex.h`.
const COMMAND: u64 = 0x7f;
const WAIT: u64 = 0;
const LOCK_PI: u64 = 6;
const WAIT_BITSET: u64 = 9;
const LOCK_PI2: u64 = 13;
const WAITERS: u32 = 0x8000_0000;
const TID_MASK: u32 = 0x3fff_ffff;
/// The value of glibc's mutex while others wait for it.
const LOCKED_WITH_WAITERS: u32 = 2;

/// What a thread waits for in this call, if the futex shows it. `threads` are those of
/// its process.
pub(super) fn awaited(tgid: Tgid, call: &Syscall, threads: &[Tid]) -> Option<WaitsOn> {
    let [address, operation, value, ..] = call.args;
    // A word, and where glibc's mutex has the owner's tid: two words behind.
    let bytes = memory(tgid, address, 12, 12)?;
    let (words, _) = bytes.as_chunks::<4>();
    let &[word, _, third] = words else {
        return None;
    };
    let [word, third] = [word, third].map(u32::from_ne_bytes);
    meaning(operation, value, word, third, threads)
}

fn meaning(operation: u64, value: u64, word: u32, third: u32, threads: &[Tid]) -> Option<WaitsOn> {
    let living = |number: u32| {
        let tid = Tid::new(i32::try_from(number & TID_MASK).ok()?);
        threads.contains(&tid).then_some(tid)
    };
    let mutex = |owner| WaitsOn::Mutex { owner };
    // The upper half of the register is undefined.
    let value = u32::from_ne_bytes(value.to_ne_bytes()[..4].try_into().ok()?);
    match operation & COMMAND {
        LOCK_PI | LOCK_PI2 => living(word).map(mutex),
        // The word changed: the thread is about to wake up.
        WAIT | WAIT_BITSET if word != value => None,
        // The kernel clears the tid of a thread that ends.
        WAIT | WAIT_BITSET if living(word).is_some() && word & !TID_MASK == 0 => {
            living(word).map(|tid| WaitsOn::ThreadEnd { tid })
        }
        WAIT if word & WAITERS != 0 => living(word).map(mutex),
        WAIT if word == LOCKED_WITH_WAITERS => living(third).map(mutex),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: u64 = 128;
    const REALTIME: u64 = 256;

    fn on(operation: u64, value: u32, word: u32, third: u32) -> Option<WaitsOn> {
        let threads = [100, 101].map(Tid::new);
        meaning(operation, value.into(), word, third, &threads)
    }

    #[test]
    fn owners_are_found_where_the_word_shows_them() {
        let mutex = Some(WaitsOn::Mutex {
            owner: Tid::new(101),
        });
        assert_eq!(on(WAIT | PRIVATE, 2, 2, 101), mutex);
        assert_eq!(on(LOCK_PI | PRIVATE, 0, WAITERS | 0x65, 0), mutex);
        // musl's, and robust ones.
        assert_eq!(on(WAIT | PRIVATE, WAITERS | 0x65, WAITERS | 0x65, 0), mutex);
        let end = Some(WaitsOn::ThreadEnd { tid: Tid::new(101) });
        assert_eq!(on(WAIT_BITSET | REALTIME, 101, 101, 0), end);
    }

    #[test]
    fn what_may_be_something_else_is_not_named() {
        // A condition variable, a semaphore, an owner that is no thread.
        assert_eq!(on(WAIT_BITSET | PRIVATE, 2, 2, 101), None);
        assert_eq!(on(WAIT | PRIVATE, 0, 0, 101), None);
        assert_eq!(on(WAIT | PRIVATE, 2, 2, 7), None);
        assert_eq!(on(WAIT | PRIVATE, 2, 0, 101), None);
    }
}
