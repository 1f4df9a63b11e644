//! What is behind a descriptor that a thread waits for, and who can make it ready.

use std::os::unix::fs::FileTypeExt;

use rustc_hash::FxHashMap;

use super::{Draft, inet};
use crate::event::{KernelObject, OtherEnd, PipeSide, WaitsOn};
use crate::kernel::Tgid;
use crate::proc::awaited::memory;
use crate::proc::descriptors::{descriptors, fd_info, fd_metadata, is_open_for};
use crate::proc::holders::{Awaited, End};
use crate::proc::unix_sockets::{listener, peers};
use crate::proc::{Stat, comm, fd_link, pidfd_target};

/// The Unix sockets and their peers, once they were asked for.
#[derive(Default)]
pub(super) struct Sockets(Option<FxHashMap<u64, u64>>);

impl Sockets {
    fn peer(&mut self, inode: u64) -> Option<u64> {
        let peers = self.0.get_or_insert_with(|| peers().unwrap_or_default());
        peers.get(&inode).copied()
    }
}

/// What is behind a descriptor.
pub(super) fn on_descriptor(draft: &mut Draft, fd: i32, writes: bool, sockets: &mut Sockets) {
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
        name => Some(object(tgid, fd, name).map_or_else(
            || {
                draft.file.get_or_insert((draft.task.on.len(), writes));
                WaitsOn::File {
                    fd: Some(fd),
                    path: link.clone(),
                    fifo: None,
                }
            },
            |object| WaitsOn::Object { fd, object },
        )),
    };
    draft.task.on.extend(on);
}

/// `/dev/pts/3`, `/dev/tty1`, `/dev/console`
fn is_terminal(path: &[u8]) -> bool {
    let parts: [&[u8]; 3] = [b"/dev/pts/", b"/dev/tty", b"/dev/console"];
    parts.iter().any(|part| path.starts_with(part))
}

/// The address of a Unix socket that a thread connects to: that blocks only where the
/// listener's queue is full. Returns whether it is one.
pub(super) fn on_backlog(draft: &mut Draft, fd: i32, address: u64, length: u64) -> bool {
    /// Bytes of a `struct sockaddr_un`.
    const LONGEST: u64 = 110;
    let tgid = draft.task.tgid;
    let bytes = memory(tgid, address, length, LONGEST);
    let Some(path) = bytes.as_deref().and_then(unix_address) else {
        return false;
    };
    if let Some(inode) = listener(tgid, &path) {
        let stream = Awaited {
            fd,
            inode,
            other: End::Socket(inode),
            writes: false,
        };
        draft.streams.push((draft.task.on.len(), stream));
    }
    draft.task.on.push(WaitsOn::Backlog {
        fd,
        path,
        holders: Vec::new(),
    });
    true
}

/// The path in a `struct sockaddr_un`, or `@` and a name, as the kernel prints them.
fn unix_address(bytes: &[u8]) -> Option<Vec<u8>> {
    let family = u16::try_from(libc::AF_UNIX).ok()?.to_ne_bytes();
    match bytes.strip_prefix(&family)? {
        [] => None,
        [0, name @ ..] => {
            let name = name
                .iter()
                .map(|byte| if *byte == 0 { b'@' } else { *byte });
            Some(std::iter::once(b'@').chain(name).collect())
        }
        path => path.split(|byte| *byte == 0).next().map(<[u8]>::to_vec),
    }
}

/// The object behind a descriptor with this link, if it is one of the kernel's own.
fn object(tgid: Tgid, fd: i32, link: &[u8]) -> Option<KernelObject> {
    let kind = link.strip_prefix(b"anon_inode:")?;
    let kind = kind.strip_prefix(b"[").unwrap_or(kind);
    let kind = kind.strip_suffix(b"]").unwrap_or(kind);
    if kind == b"eventfd" {
        return Some(KernelObject::Eventfd);
    }
    let info = fd_info(tgid, fd)?;
    let value = |key: &str| info.lines().find_map(|line| line.strip_prefix(key));
    match kind {
        b"signalfd" => {
            let signals = u64::from_str_radix(value("sigmask:")?.trim(), 16).ok()?;
            Some(KernelObject::Signalfd { signals })
        }
        b"timerfd" => {
            let left = value("it_value:").and_then(nanos)?;
            let left = Some(left).filter(|left| *left > 0);
            Some(KernelObject::Timerfd { left })
        }
        b"inotify" => {
            let watches = info.lines().filter(|line| line.starts_with("inotify wd:"));
            let watches = u32::try_from(watches.count()).ok()?;
            Some(KernelObject::Inotify { watches })
        }
        _ => None,
    }
}

/// `(4, 999955250)`: seconds and nanoseconds.
fn nanos(text: &str) -> Option<u64> {
    let text = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    let (seconds, nanos) = text.split_once(", ")?;
    let seconds: u64 = seconds.parse().ok()?;
    seconds
        .checked_mul(1_000_000_000)?
        .checked_add(nanos.parse().ok()?)
}

/// A named pipe that a thread waits for.
#[derive(Clone, Debug)]
pub(super) struct NamedPipe {
    path: Vec<u8>,
    inode: Option<String>,
    writes: bool,
}

/// Looks whether the file in this place is a named pipe. It may block for ever, as the file
/// system is asked.
pub(super) fn named_pipe(draft: &mut Draft) -> Option<NamedPipe> {
    let tgid = draft.task.tgid;
    let (place, writes) = draft.file?;
    let WaitsOn::File {
        fd: Some(fd),
        path,
        fifo,
    } = draft.task.on.get_mut(place)?
    else {
        return None;
    };
    let file = fd_metadata(tgid, *fd)?;
    if !file.file_type().is_fifo() {
        return None;
    }
    *fifo = Some(OtherEnd {
        writes,
        ..OtherEnd::default()
    });
    Some(NamedPipe {
        path: path.clone(),
        inode: inode_of(tgid, *fd),
        writes,
    })
}

/// The inode of an open file, which kernels before Linux 5.14 do not show.
fn inode_of(tgid: Tgid, fd: i32) -> Option<String> {
    let info = fd_info(tgid, fd)?;
    let inode = info.lines().find_map(|line| line.strip_prefix("ino:"))?;
    Some(inode.trim().to_owned())
}

impl NamedPipe {
    /// Adds the descriptors of the other end that a process has. Returns whether it could
    /// be examined.
    pub(super) fn add_holders(&self, tgid: Tgid, found: &mut Vec<PipeSide>) -> bool {
        let Some(all) = descriptors(tgid) else {
            // A process that has just ended has no descriptors.
            return Stat::read(tgid).is_none_or(|stat| stat.state == b'Z');
        };
        for (fd, link) in all {
            let is_other = link == self.path
                && is_open_for(tgid, fd, !self.writes)
                && inode_of(tgid, fd) == self.inode;
            if is_other {
                let comm = comm(tgid.leader()).unwrap_or_default();
                found.push(PipeSide { tgid, comm, fd });
            }
        }
        true
    }
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

    #[test]
    fn an_address_is_as_the_kernel_prints_it() {
        let family = u16::try_from(libc::AF_UNIX).unwrap().to_ne_bytes();
        let address = |rest: &[u8]| unix_address(&[&family, rest].concat());
        assert_eq!(address(b"/run/x\0\0"), Some(b"/run/x".to_vec()));
        assert_eq!(address(b"\0one\0two"), Some(b"@one@two".to_vec()));
        assert_eq!(address(b""), None);
        assert_eq!(unix_address(&[99, 99, 1, 2]), None);
    }

    #[test]
    fn a_timer_has_seconds_and_nanoseconds() {
        assert_eq!(nanos(" (4, 999955250)"), Some(4_999_955_250));
        assert_eq!(nanos("(0, 0)"), Some(0));
        assert_eq!(nanos("4, 5"), None);
    }
}
