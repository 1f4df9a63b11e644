//! Which processes are blocked on a pipe, and which hold its other end.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

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
    let inode = pipe_inode(&Path::new("/proc").join(format!("{tgid}/fd/{fd}")))?;
    let alone = super::threads(tgid.leader()).len() == 1;
    alone.then_some(Blocked { writes, fd, inode })
}

/// The pipe behind a link of `/proc/PID/fd`.
fn pipe_inode(link: &Path) -> Option<u64> {
    let target = fs::read_link(link).ok()?;
    let name = target.as_os_str().as_bytes();
    let inode = name.strip_prefix(b"pipe:[")?.strip_suffix(b"]")?;
    str::from_utf8(inode).ok()?.parse().ok()
}

impl Blocked {
    /// The descriptors of the pipe's other end that a process has; `None` if it may
    /// not be examined.
    pub(crate) fn other_ends(self, tgid: Tgid) -> Option<Vec<PipeSide>> {
        let Ok(fds) = fs::read_dir(format!("/proc/{tgid}/fd")) else {
            // A process that has just ended has no descriptors.
            let gone = super::Stat::read(tgid).is_none_or(|stat| stat.state == b'Z');
            return gone.then(Vec::new);
        };
        let mut found = Vec::new();
        for entry in fds.flatten() {
            if pipe_inode(&entry.path()) != Some(self.inode) {
                continue;
            }
            let fd = entry.file_name().to_str().and_then(|fd| fd.parse().ok());
            if let Some(fd) = fd.filter(|fd| is_open_for(tgid, *fd, !self.writes)) {
                found.push(PipeSide {
                    tgid,
                    comm: super::comm(tgid.leader()).unwrap_or_default(),
                    fd,
                });
            }
        }
        Some(found)
    }

    /// All descriptors of the pipe's other end, and whether every process could be
    /// examined.
    pub(crate) fn all_other_ends(self) -> (Vec<PipeSide>, bool) {
        let (mut found, mut complete) = (Vec::new(), true);
        let Ok(processes) = fs::read_dir("/proc") else {
            return (found, false);
        };
        for process in processes.flatten() {
            let name = process.file_name();
            let Some(tgid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            match self.other_ends(Tgid::new(tgid)) {
                Some(ends) => found.extend(ends),
                None => complete = false,
            }
        }
        (found, complete)
    }
}

/// Whether a descriptor is open for writing, or for reading.
pub(super) fn is_open_for(tgid: Tgid, fd: i32, writing: bool) -> bool {
    let Ok(text) = fs::read_to_string(format!("/proc/{tgid}/fdinfo/{fd}")) else {
        return true;
    };
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
    match flags.unwrap_or(libc::O_RDWR) & libc::O_ACCMODE {
        libc::O_RDONLY => !writing,
        libc::O_WRONLY => writing,
        _ => true,
    }
}
