//! Who is blocked on which pipe, and who holds its other end.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::event::{PipeSide, StuckIn};
use crate::kernel::Tgid;

/// The numbers of read, readv, write and writev, of the native ABI and of the
/// 32-bit one that it runs too.
#[cfg(target_arch = "x86_64")]
const READS: [u64; 3] = [0, 19, 3];
#[cfg(target_arch = "x86_64")]
const WRITES: [u64; 3] = [1, 20, 4];
#[cfg(not(target_arch = "x86_64"))]
const READS: [u64; 3] = [63, 65, 63];
#[cfg(not(target_arch = "x86_64"))]
const WRITES: [u64; 3] = [64, 66, 64];

/// What a process with one thread is blocked in, if that is a pipe.
pub(crate) fn blocked_on_pipe(tgid: Tgid) -> StuckIn {
    blocked(tgid).unwrap_or(StuckIn::Other)
}

fn blocked(tgid: Tgid) -> Option<StuckIn> {
    if super::threads(tgid.leader()).len() != 1 {
        return None;
    }
    // "nr arg0 arg1 … sp pc", or "running".
    let text = fs::read_to_string(format!("/proc/{tgid}/syscall")).ok()?;
    let mut words = text.split_ascii_whitespace();
    let nr: u64 = words.next()?.parse().ok()?;
    let writes = WRITES.contains(&nr);
    if !writes && !READS.contains(&nr) {
        return None;
    }
    let fd = words.next()?.strip_prefix("0x")?;
    let fd = i32::try_from(u64::from_str_radix(fd, 16).ok()?).ok()?;
    let inode = pipe_inode(&Path::new("/proc").join(format!("{tgid}/fd/{fd}")))?;
    let (others, complete) = holders(inode, !writes);
    Some(StuckIn::Pipe {
        writes,
        fd,
        inode,
        others,
        complete,
    })
}

/// The pipe behind a link of `/proc/PID/fd`.
fn pipe_inode(link: &Path) -> Option<u64> {
    let target = fs::read_link(link).ok()?;
    let name = target.as_os_str().as_bytes();
    let inode = name.strip_prefix(b"pipe:[")?.strip_suffix(b"]")?;
    str::from_utf8(inode).ok()?.parse().ok()
}

/// All descriptors of a pipe that can write to it, or read from it; and
/// whether every process could be asked.
fn holders(inode: u64, writers: bool) -> (Vec<PipeSide>, bool) {
    let (mut found, mut complete) = (Vec::new(), true);
    let Ok(processes) = fs::read_dir("/proc") else {
        return (found, false);
    };
    for process in processes.flatten() {
        let name = process.file_name();
        let Some(tgid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let tgid = Tgid::new(tgid);
        let Ok(fds) = fs::read_dir(process.path().join("fd")) else {
            // A process that has just ended holds nothing.
            complete &= super::Stat::read(tgid).is_none_or(|stat| stat.state == b'Z');
            continue;
        };
        for entry in fds.flatten() {
            if pipe_inode(&entry.path()) != Some(inode) {
                continue;
            }
            let fd = entry.file_name().to_str().and_then(|fd| fd.parse().ok());
            if let Some(fd) = fd
                && is_open_for(tgid, fd, writers)
            {
                found.push(PipeSide {
                    tgid,
                    comm: super::comm(tgid.leader()).unwrap_or_default(),
                    fd,
                });
            }
        }
    }
    (found, complete)
}

/// Whether a descriptor is open for writing, or for reading.
fn is_open_for(tgid: Tgid, fd: i32, writing: bool) -> bool {
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
