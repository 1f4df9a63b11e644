//! Pipes and socket pairs that a blocked thread reads from, and which processes
//! hold their other ends.

use rustc_hash::FxHashSet;

use super::awaited::awaited_descriptors;
use super::descriptors::{descriptors, fd_info};
use super::holders::{Awaited, End, holders, open_ends};
use super::unix_sockets::peers;
use super::{fd_link, has};
use crate::event::{BlockedReader, Stream, Survivor};
use crate::kernel::{Signal, Tgid, Tid};

/// A process with more threads is not examined.
const MOST_THREADS: usize = 16;

/// The first thread of a process that is blocked until a stream is ready.
pub(crate) fn blocked_reader(tgid: Tgid, child: Tgid) -> Option<(Tid, BlockedReader)> {
    let threads = super::threads(tgid.leader());
    if threads.len() > MOST_THREADS {
        return None;
    }
    let (tid, awaited) = threads
        .into_iter()
        .find_map(|tid| Some((tid, awaited_streams(tgid, tid)?)))?;
    let sleeps = super::status(tid)?.sleeps;
    let (others, complete) = holders(&awaited);
    let streams = awaited.iter().zip(others).map(|(stream, others)| Stream {
        fd: stream.fd,
        inode: stream.inode,
        others,
        complete,
    });
    let reader = BlockedReader {
        child,
        sleeps,
        streams: streams.collect(),
    };
    Some((tid, reader))
}

/// What a thread waits for, if it is only streams: a device, a listening socket or
/// a pidfd may wake it at any time.
fn awaited_streams(tgid: Tgid, tid: Tid) -> Option<Vec<Awaited>> {
    let mut sockets = None;
    let mut awaited = Vec::new();
    for fd in awaited_descriptors(tgid, tid)? {
        let link = fd_link(tgid, fd)?;
        // Only the process itself, its timers and its signals make these ready.
        if matches!(
            link.as_slice(),
            b"anon_inode:[eventfd]" | b"anon_inode:[timerfd]" | b"anon_inode:[signalfd]"
        ) {
            continue;
        }
        let (inode, other) = match End::parse(&link)? {
            End::Pipe(inode) => (inode, End::Pipe(inode)),
            End::Socket(inode) => {
                let peers = sockets.get_or_insert_with(peers).as_ref()?;
                (inode, End::Socket(*peers.get(&inode)?))
            }
        };
        awaited.push(Awaited {
            fd,
            inode,
            other,
            writes: false,
        });
    }
    (!awaited.is_empty()).then_some(awaited)
}

/// What can wake a thread that sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wakers {
    /// Only processes of its own family.
    Family,
    /// Time.
    Time,
    /// Processes outside, devices, the network; or that is not known.
    World,
}

/// What makes one of these descriptors ready: to read from, or with `writes` to
/// write to.
pub(super) fn wakers_of(tgid: Tgid, fds: &[i32], writes: bool, family: &FxHashSet<Tgid>) -> Wakers {
    let mut sockets = None;
    let mut awaited = Vec::new();
    let mut has_timer = false;
    for fd in fds.iter().copied() {
        let Some(link) = fd_link(tgid, fd) else {
            // Closed, and never ready.
            continue;
        };
        match link.as_slice() {
            b"anon_inode:[eventfd]" | b"anon_inode:[signalfd]" => {}
            b"anon_inode:[timerfd]" => has_timer = true,
            link if link.starts_with(b"anon_inode:[pidfd]") || link.starts_with(b"pidfd:") => {
                let target = super::pidfd_target(tgid, fd).map(Tgid::new);
                // One that is reaped already was ready before.
                if target.is_some_and(|target| target.raw() > 0 && !family.contains(&target)) {
                    return Wakers::World;
                }
            }
            link => match End::parse(link) {
                Some(End::Pipe(inode)) => awaited.push(Awaited {
                    fd,
                    inode,
                    other: End::Pipe(inode),
                    writes,
                }),
                Some(End::Socket(inode)) => {
                    let peers = sockets.get_or_insert_with(peers).as_ref();
                    let Some(peer) = peers.and_then(|peers| peers.get(&inode)) else {
                        return Wakers::World;
                    };
                    let other = End::Socket(*peer);
                    awaited.push(Awaited {
                        fd,
                        inode,
                        other,
                        writes,
                    });
                }
                None => return Wakers::World,
            },
        }
    }
    let (sides, complete) = holders(&awaited);
    let is_inside = |side: &crate::event::PipeSide| family.contains(&side.tgid);
    if !complete || !sides.iter().flatten().all(is_inside) {
        Wakers::World
    } else if has_timer {
        Wakers::Time
    } else {
        Wakers::Family
    }
}

/// The standard output and error of a process, if they are streams.
pub(crate) fn output_of(tgid: Tgid) -> [Option<Vec<u8>>; 2] {
    [1, 2].map(|fd| fd_link(tgid, fd).filter(|link| End::parse(link).is_some()))
}

/// Which of a command's outputs this process holds.
pub(crate) fn held_outputs(tgid: Tgid, [output, error]: &[Option<Vec<u8>>; 2]) -> Survivor {
    let ends: Vec<(i32, End)> = open_ends(tgid).into_iter().flatten().collect();
    let holds = |link: &Option<Vec<u8>>| {
        let end = link.as_deref().and_then(End::parse);
        end.is_some_and(|end| ends.iter().any(|(_, open)| *open == end))
    };
    Survivor {
        tgid,
        holds_output: holds(output),
        holds_error: holds(error),
    }
}

/// Whether a process has a signalfd for SIGCHLD.
pub(crate) fn takes_sigchld_by_descriptor(tgid: Tgid) -> bool {
    let all = descriptors(tgid).into_iter().flatten();
    let mut signalfds = all.filter(|(_, link)| link == b"anon_inode:[signalfd]");
    signalfds.any(|(fd, _)| {
        let info = fd_info(tgid, fd).unwrap_or_default();
        let mask = info.lines().find_map(|line| line.strip_prefix("sigmask:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| has(mask, Signal::CHLD))
    })
}
