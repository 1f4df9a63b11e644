//! The call that a thread is blocked in, and what it waits for there.

use super::descriptor::{Sockets, on_backlog, on_descriptor};
use super::futex::{self, Futex};
use super::mutex::{SharedMutex, holder_within, numbered};
use super::{Draft, locks};
use crate::event::{BlockedCall, OtherEnd, WaitsOn};
use crate::kernel::{Abi, Tgid, Tid, syscall_name};
use crate::proc::awaited::{awaited_descriptors, memory};
use crate::proc::calls::{For, blocking};
use crate::proc::{Syscall, fd_link, is_64_bit, wchan};

/// How many descriptors of one call are looked at.
const MOST_DESCRIPTORS: usize = 64;
/// The longest path that is read from memory.
const LONGEST_PATH: u64 = 256;
/// Of the flags of an open.
const ACCESS_MODE: u64 = 3;
const WRITE_ONLY: u64 = 1;
/// Bytes of a page that every architecture has at least.
const PAGE: u64 = 4096;

/// Finds out what a thread that sleeps waits for; `threads` are those of its process.
pub(super) fn examine(draft: &mut Draft, threads: &[Tid], sockets: &mut Sockets) {
    let (tgid, tid) = (draft.task.tgid, draft.task.tid);
    let Some(call) = Syscall::read(tgid, tid) else {
        draft.task.call = wchan(tgid, tid).map(within);
        return;
    };
    let Some(name) = name_of(tgid, &call) else {
        draft.task.call = wchan(tgid, tid).map(within);
        return;
    };
    let waits_for = blocking(&name).map(|call| call.waits_for);
    let is_openat2 = name == "openat2";
    // The upper half of an int's register is undefined.
    let int = |index: usize| {
        let register = call.args.get(index)?.to_ne_bytes();
        let (halves, _) = register.as_chunks::<4>();
        let low = if cfg!(target_endian = "little") {
            halves.first()
        } else {
            halves.last()
        };
        low.map(|half| i32::from_ne_bytes(*half))
    };
    let argument = match waits_for {
        Some(For::Child(index)) => int(index),
        Some(other) if other.is_of_descriptor() => int(0),
        _ => None,
    };
    draft.task.call = Some(BlockedCall { name, argument });
    let Some(waits_for) = waits_for else {
        return;
    };
    match (waits_for, argument) {
        (For::Input | For::Accept | For::Descriptor, Some(fd)) => {
            on_descriptor(draft, fd, false, sockets);
        }
        (For::Output, Some(fd)) => on_descriptor(draft, fd, true, sockets),
        (For::Connect, Some(fd)) => {
            let [_, address, length, ..] = call.args;
            if !on_backlog(draft, fd, address, length & 0xffff_ffff) {
                on_descriptor(draft, fd, false, sockets);
            }
        }
        (For::Poll | For::Select | For::Epoll, _) => {
            let all = awaited_descriptors(tgid, tid).unwrap_or_default();
            for fd in all.iter().take(MOST_DESCRIPTORS) {
                on_descriptor(draft, *fd, false, sockets);
            }
            draft.task.more = all.len().saturating_sub(MOST_DESCRIPTORS);
        }
        (For::Lock, Some(fd)) => {
            if let Some(path) = fd_link(tgid, fd) {
                let lock = locks::awaited(tgid, path.clone());
                draft.locks.push((draft.task.on.len(), lock));
                let holders = Vec::new();
                draft.task.on.push(WaitsOn::Lock { path, holders });
            }
        }
        (For::Futex, _) => on_futex(draft, &call, threads),
        (For::Open(index), _) => on_opened(draft, &call, index, is_openat2),
        _ => {}
    }
}

/// A file that is being opened; its path is this argument.
fn on_opened(draft: &mut Draft, call: &Syscall, index: usize, is_openat2: bool) {
    let (tgid, tid) = (draft.task.tgid, draft.task.tid);
    let argument = |index: usize| call.args.get(index).copied().unwrap_or(0);
    let Some(path) = path_at(tgid, argument(index)) else {
        return;
    };
    let flags = argument(index + 1);
    let flags = if is_openat2 {
        // It has a structure, whose first member they are.
        let bytes = memory(tgid, flags, 8, 8);
        bytes.and_then(|bytes| Some(u64::from_ne_bytes(bytes.try_into().ok()?)))
    } else {
        Some(flags)
    };
    // An open blocks there alone, until another opens the other end.
    let is_fifo = wchan(tgid, tid)
        .is_some_and(|name| name.contains("wait_for_partner") || name.contains("fifo_open"));
    draft.task.on.push(WaitsOn::File {
        fd: None,
        path,
        fifo: is_fifo.then(|| OtherEnd {
            writes: flags.is_some_and(|flags| flags & ACCESS_MODE == WRITE_ONLY),
            ..OtherEnd::default()
        }),
    });
}

/// What is behind a futex.
fn on_futex(draft: &mut Draft, call: &Syscall, threads: &[Tid]) {
    let tgid = draft.task.tgid;
    let numbered = numbered(tgid, threads);
    let Some(awaited) = futex::awaited(tgid, call, &numbered) else {
        return;
    };
    let on = match awaited.is {
        Futex::ThreadEnd(tid) => WaitsOn::ThreadEnd { tid },
        Futex::Mutex { owner } => {
            let shared = (!awaited.is_private)
                .then(|| SharedMutex::at(tgid, awaited.address, owner))
                .flatten();
            let is_shared = shared.is_some();
            let holder = match shared {
                Some(mutex) => {
                    draft.mutexes.push((draft.task.on.len(), mutex));
                    None
                }
                None => holder_within(tgid, owner, &numbered),
            };
            WaitsOn::Mutex { holder, is_shared }
        }
        Futex::Unknown if awaited.is_private && !awaited.is_timed && threads.len() == 1 => {
            WaitsOn::NoOtherThread
        }
        Futex::Unknown => return,
    };
    draft.task.on.push(on);
}

/// A call that is known by the kernel's function alone.
fn within(name: String) -> BlockedCall {
    BlockedCall {
        name,
        argument: None,
    }
}

/// The name of a call, where the numbers are known.
fn name_of(tgid: Tgid, call: &Syscall) -> Option<String> {
    if !is_64_bit(tgid) {
        return None;
    }
    syscall_name(Abi::NATIVE, call.number).map(str::to_owned)
}

/// A path in a process's memory, if it is resident.
fn path_at(tgid: Tgid, address: u64) -> Option<Vec<u8>> {
    let in_page = PAGE - address % PAGE;
    let bytes = memory(tgid, address, LONGEST_PATH.min(in_page), LONGEST_PATH)?;
    let end = bytes.iter().position(|byte| *byte == 0)?;
    bytes.get(..end).map(<[u8]>::to_vec)
}
