//! The call that a thread is blocked in, and what it waits for there.

use std::os::unix::fs::FileTypeExt;

use rustc_hash::FxHashMap;

use super::{Draft, futex, inet, locks};
use crate::event::{BlockedCall, BlockedTask, WaitsOn};
use crate::kernel::{Abi, Tgid, Tid, syscall_name};
use crate::proc::awaited::{awaited_descriptors, memory};
use crate::proc::holders::{Awaited, End};
use crate::proc::unix_sockets::peers;
use crate::proc::{Syscall, fd_link, is_64_bit, pidfd_target, wchan};

/// How many descriptors of one call are told.
const MOST_DESCRIPTORS: usize = 8;
/// The longest path that is read from memory.
const LONGEST_PATH: u64 = 256;
/// Bytes of a page that every architecture has at least.
const PAGE: u64 = 4096;

/// What a call does with its first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Reads,
    Writes,
    /// A descriptor, in another way.
    Uses,
    /// Waits for one of many descriptors.
    Polls,
    Locks,
    Sleeps,
    /// The path is this argument.
    Opens(usize),
    /// The pid that is waited for is this argument.
    Waits(usize),
    Other,
}

fn role(name: &str) -> Role {
    match name {
        "read" | "readv" | "pread64" | "preadv" | "preadv2" | "recvfrom" | "recvmsg"
        | "recvmmsg" | "accept" | "accept4" => Role::Reads,
        "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" | "sendto" | "sendmsg"
        | "sendmmsg" | "sendfile" => Role::Writes,
        "connect" | "ioctl" | "fsync" | "fdatasync" | "getdents64" | "close" => Role::Uses,
        "poll" | "ppoll" | "select" | "pselect6" | "epoll_wait" | "epoll_pwait"
        | "epoll_pwait2" => Role::Polls,
        "flock" | "fcntl" => Role::Locks,
        "futex" => Role::Sleeps,
        "open" => Role::Opens(0),
        "openat" | "openat2" => Role::Opens(1),
        "wait4" => Role::Waits(0),
        "waitid" => Role::Waits(1),
        _ => Role::Other,
    }
}

/// The Unix sockets and their peers, once they were asked for.
#[derive(Default)]
pub(super) struct Sockets(Option<FxHashMap<u64, u64>>);

impl Sockets {
    fn peer(&mut self, inode: u64) -> Option<u64> {
        let peers = self.0.get_or_insert_with(|| peers().unwrap_or_default());
        peers.get(&inode).copied()
    }
}

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
    let role = role(&name);
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
    let argument = match role {
        Role::Reads | Role::Writes | Role::Uses | Role::Locks => int(0),
        Role::Waits(index) => int(index),
        _ => None,
    };
    draft.task.call = Some(BlockedCall { name, argument });
    match (role, argument) {
        (Role::Reads | Role::Uses, Some(fd)) => on_descriptor(draft, fd, false, sockets),
        (Role::Writes, Some(fd)) => on_descriptor(draft, fd, true, sockets),
        (Role::Polls, _) => {
            for fd in awaited_descriptors(tgid, tid).unwrap_or_default() {
                if draft.task.on.len() < MOST_DESCRIPTORS {
                    on_descriptor(draft, fd, false, sockets);
                }
            }
        }
        (Role::Locks, Some(fd)) => {
            if let Some(path) = fd_link(tgid, fd) {
                let lock = locks::awaited(tgid, path.clone());
                draft.locks.push((draft.task.on.len(), lock));
                let holders = Vec::new();
                draft.task.on.push(WaitsOn::Lock { path, holders });
            }
        }
        (Role::Sleeps, _) => draft.task.on.extend(futex::awaited(tgid, &call, threads)),
        (Role::Opens(index), _) => {
            let address = call.args.get(index).copied().unwrap_or(0);
            if let Some(path) = path_at(tgid, address) {
                draft.task.on.push(WaitsOn::File {
                    fd: None,
                    path,
                    // An open blocks there alone, until another opens the other end.
                    is_fifo: wchan(tgid, tid).is_some_and(|name| {
                        name.contains("wait_for_partner") || name.contains("fifo_open")
                    }),
                });
            }
        }
        _ => {}
    }
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

/// What is behind a descriptor.
fn on_descriptor(draft: &mut Draft, fd: i32, writes: bool, sockets: &mut Sockets) {
    let tgid = draft.task.tgid;
    let Some(link) = fd_link(tgid, fd) else {
        return;
    };
    let end = End::parse(&link);
    let awaited = match end {
        Some(End::Pipe(inode)) => Some((inode, End::Pipe(inode))),
        Some(End::Socket(inode)) => sockets.peer(inode).map(|peer| (inode, End::Socket(peer))),
        None => None,
    };
    if let Some((inode, other)) = awaited {
        let stream = Awaited {
            fd,
            inode,
            other,
            writes,
        };
        draft.streams.push((draft.task.on.len(), stream));
        draft.task.on.push(WaitsOn::Stream {
            fd,
            is_pipe: matches!(other, End::Pipe(_)),
            writes,
            others: Vec::new(),
            complete: false,
        });
        return;
    }
    if let Some(End::Socket(inode)) = end {
        draft.task.on.extend(inet::connection(tgid, fd, inode));
        return;
    }
    let on = match link.as_slice() {
        // Only the process itself, its timers and its signals make these ready.
        b"anon_inode:[eventfd]" | b"anon_inode:[timerfd]" | b"anon_inode:[signalfd]" => None,
        b"anon_inode:[pidfd]" => {
            pidfd_target(tgid, fd)
                .filter(|pid| *pid > 0)
                .map(|pid| WaitsOn::ProcessEnd {
                    tgid: Tgid::new(pid),
                })
        }
        path if is_terminal(path) => Some(WaitsOn::Terminal {
            fd,
            path: path.to_vec(),
        }),
        _ => {
            draft.file.get_or_insert(draft.task.on.len());
            Some(WaitsOn::File {
                fd: Some(fd),
                path: link,
                is_fifo: false,
            })
        }
    };
    draft.task.on.extend(on);
}

/// `/dev/pts/3`, `/dev/tty1`, `/dev/console`
fn is_terminal(path: &[u8]) -> bool {
    let parts: [&[u8]; 3] = [b"/dev/pts/", b"/dev/tty", b"/dev/console"];
    parts.iter().any(|part| path.starts_with(part))
}

/// Whether the file in this place is a named pipe. It may block for ever, as the file
/// system is asked.
pub(super) fn find_fifo(task: &mut BlockedTask, place: Option<usize>) {
    let tgid = task.tgid;
    let on = place.and_then(|place| task.on.get_mut(place));
    if let Some(WaitsOn::File {
        fd: Some(fd),
        is_fifo,
        ..
    }) = on
    {
        let file = std::fs::metadata(format!("/proc/{tgid}/fd/{fd}"));
        *is_fifo = file.is_ok_and(|file| file.file_type().is_fifo());
    }
}

/// A path in a process's memory, if it is resident.
fn path_at(tgid: Tgid, address: u64) -> Option<Vec<u8>> {
    let in_page = PAGE - address % PAGE;
    let bytes = memory(tgid, address, LONGEST_PATH.min(in_page), LONGEST_PATH)?;
    let end = bytes.iter().position(|byte| *byte == 0)?;
    bytes.get(..end).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_known_by_their_paths() {
        for path in [
            &b"/dev/pts/3"[..],
            b"/dev/tty",
            b"/dev/tty1",
            b"/dev/console",
        ] {
            assert!(is_terminal(path));
        }
        assert!(!is_terminal(b"/dev/null") && !is_terminal(b"/tmp/dev/tty"));
    }
}
