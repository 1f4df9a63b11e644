//! Which processes hold the other ends of pipes and socket pairs.

use std::fs;

use super::comm;
use super::descriptors::{descriptors, is_open_for};
use super::processes::hides_others;
use crate::event::PipeSide;
use crate::kernel::Tgid;

/// One end of a stream, with the inode of the link in `/proc/PID/fd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Pipe(u64),
    Socket(u64),
}

impl End {
    /// `pipe:[4026]`, `socket:[4026]`
    pub(super) fn parse(link: &[u8]) -> Option<End> {
        let link = str::from_utf8(link).ok()?.strip_suffix(']')?;
        match link.split_once(":[")? {
            ("pipe", inode) => Some(End::Pipe(inode.parse().ok()?)),
            ("socket", inode) => Some(End::Socket(inode.parse().ok()?)),
            _ => None,
        }
    }
}

/// A stream that a thread is blocked on, and the end that makes it ready.
#[derive(Clone, Copy, Debug)]
pub(super) struct Awaited {
    pub(super) fd: i32,
    pub(super) inode: u64,
    pub(super) other: End,
    /// The thread writes; if not, it reads.
    pub(super) writes: bool,
}

/// The holders of the other end of each stream, and whether every process could be
/// examined.
pub(super) fn holders(awaited: &[Awaited]) -> (Vec<Vec<PipeSide>>, bool) {
    let mut found = vec![Vec::new(); awaited.len()];
    let mut complete = !hides_others();
    let Some(processes) = all_processes() else {
        return (found, false);
    };
    for tgid in processes {
        complete &= add_holders(awaited, tgid, &mut found);
    }
    (found, complete)
}

/// Every process that `/proc` shows.
pub(super) fn all_processes() -> Option<impl Iterator<Item = Tgid>> {
    let processes = fs::read_dir("/proc").ok()?;
    let names = processes.flatten().map(|process| process.file_name());
    Some(names.filter_map(|name| name.to_str()?.parse().ok().map(Tgid::new)))
}

/// Adds what one process holds of the other ends. Returns whether it could be
/// examined.
pub(super) fn add_holders(awaited: &[Awaited], tgid: Tgid, found: &mut [Vec<PipeSide>]) -> bool {
    let Some(ends) = open_ends(tgid) else {
        // A process that has just ended has no descriptors.
        return super::Stat::read(tgid).is_none_or(|stat| stat.state == b'Z');
    };
    for (fd, end) in ends {
        for (stream, sides) in awaited.iter().zip(&mut *found) {
            let is_other = match end {
                End::Pipe(_) => end == stream.other && is_open_for(tgid, fd, !stream.writes),
                End::Socket(_) => end == stream.other,
            };
            if is_other {
                let comm = comm(tgid.leader()).unwrap_or_default();
                sides.push(PipeSide { tgid, comm, fd });
            }
        }
    }
    true
}

/// The streams that a process has open; `None` if it may not be examined.
pub(super) fn open_ends(tgid: Tgid) -> Option<impl Iterator<Item = (i32, End)>> {
    let all = descriptors(tgid)?;
    Some(all.filter_map(|(fd, link)| Some((fd, End::parse(&link)?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_known_by_their_links() {
        assert_eq!(End::parse(b"pipe:[12]"), Some(End::Pipe(12)));
        assert_eq!(End::parse(b"socket:[7]"), Some(End::Socket(7)));
        for other in [&b"/tmp/pipe:[12]"[..], b"pipe:[x]", b"anon_inode:[eventfd]"] {
            assert_eq!(End::parse(other), None);
        }
    }
}
