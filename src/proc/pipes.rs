//! Which processes are blocked on a pipe, and which hold its other end.

use super::holders::{Awaited, End, add_holders, holders};
use crate::event::PipeSide;
use crate::kernel::Tgid;

/// A pipe that a process is blocked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// Whether it writes; if not, it reads.
    pub(crate) writes: bool,
    /// Its descriptor.
    pub(crate) fd: i32,
    pub(crate) inode: u64,
}

/// The pipe that a process with one thread is blocked on.
pub(crate) fn blocked_on(tgid: Tgid) -> Option<Blocked> {
    let (call, kind) = super::blocking_call(tgid, tgid.leader())?;
    let writes = match kind {
        super::Blocking::Write => true,
        super::Blocking::Read => false,
        _ => return None,
    };
    let [fd, ..] = call.args;
    let fd = i32::try_from(fd).ok()?;
    let End::Pipe(inode) = End::parse(&super::fd_link(tgid, fd)?)? else {
        return None;
    };
    let alone = super::threads(tgid.leader()).len() == 1;
    alone.then_some(Blocked { writes, fd, inode })
}

impl Blocked {
    /// The descriptors of the pipe's other end that these processes have. One that may
    /// not be examined is taken to have none.
    pub(crate) fn other_ends_in(self, processes: impl Iterator<Item = Tgid>) -> Vec<PipeSide> {
        let mut found = [Vec::new()];
        for tgid in processes {
            add_holders(&[self.awaited()], tgid, &mut found);
        }
        let [found] = found;
        found
    }

    /// All descriptors of the pipe's other end, and whether every process could be
    /// examined.
    pub(crate) fn all_other_ends(self) -> (Vec<PipeSide>, bool) {
        let (found, complete) = holders(&[self.awaited()]);
        (found.into_iter().flatten().collect(), complete)
    }

    fn awaited(self) -> Awaited {
        Awaited {
            fd: self.fd,
            inode: self.inode,
            other: End::Pipe(self.inode),
            writes: self.writes,
        }
    }
}
