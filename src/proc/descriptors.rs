//! The descriptors of a process: their links, and what `fdinfo` says of them.
//!
//! `/proc` shows them for each thread. A main thread that has ended has none any more, while
//! the other threads go on with them.

use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::threads;
use crate::kernel::{NsPid, Tgid, Tid};

/// All descriptors with their links; `None` if the process may not be examined. Of one that
/// has ended there are none.
pub(crate) fn descriptors(tgid: Tgid) -> Option<impl Iterator<Item = (i32, Vec<u8>)>> {
    let of = |tid: Tid| {
        let entries = fs::read_dir(format!("/proc/{tgid}/task/{tid}/fd")).ok()?;
        Some(entries.flatten().peekable())
    };
    let mut own = of(tgid.leader());
    // Of a main thread that has ended they are root's.
    if own.as_mut().is_none_or(|own| own.peek().is_none()) {
        own = other_thread(tgid).and_then(of).or(own);
    }
    Some(own?.filter_map(|entry| {
        let fd = entry.file_name().to_str()?.parse().ok()?;
        let link = fs::read_link(entry.path()).ok()?;
        Some((fd, link.into_os_string().into_vec()))
    }))
}

/// Whether a process has a descriptor of this kind, by its link.
pub(crate) fn has_descriptor(tgid: Tgid, kinds: &[&[u8]]) -> bool {
    descriptors(tgid)
        .is_some_and(|mut all| all.any(|(_, link)| kinds.iter().any(|kind| link.starts_with(kind))))
}

/// The target of a descriptor's link.
pub(crate) fn fd_link(tgid: Tgid, fd: i32) -> Option<Vec<u8>> {
    let link = of_thread(tgid, |tid| {
        fs::read_link(format!("/proc/{tgid}/task/{tid}/fd/{fd}")).ok()
    });
    Some(link?.as_os_str().as_bytes().to_vec())
}

/// The file behind a descriptor. Its file system is asked, and may never answer.
pub(super) fn fd_metadata(tgid: Tgid, fd: i32) -> Option<fs::Metadata> {
    of_thread(tgid, |tid| {
        fs::metadata(format!("/proc/{tgid}/task/{tid}/fd/{fd}")).ok()
    })
}

/// The lines of `fdinfo` (proc(5)): `pos`, `flags`, and what the kind of file adds.
pub(super) fn fd_info(tgid: Tgid, fd: i32) -> Option<String> {
    of_thread(tgid, |tid| {
        fs::read_to_string(format!("/proc/{tgid}/task/{tid}/fdinfo/{fd}")).ok()
    })
}

/// Whether a descriptor is open for writing, or for reading; also where that is not known.
pub(super) fn is_open_for(tgid: Tgid, fd: i32, writing: bool) -> bool {
    let Some(text) = fd_info(tgid, fd) else {
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

/// The process that a pidfd refers to, in our namespace; -1 once it is reaped.
pub(crate) fn pidfd_target(tgid: Tgid, fd: i32) -> Option<i32> {
    let text = fd_info(tgid, fd)?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    line.trim().parse().ok()
}

/// The process that a pidfd refers to, as its holder calls it; `None` once it is reaped, or
/// if it has no pid there.
pub(crate) fn pidfd_target_of(holder: Tgid, fd: i32) -> Option<NsPid> {
    let text = fd_info(holder, fd)?;
    let chain = super::status(holder.leader())?.ns_pids;
    // Our namespace is the first of both lists.
    let line = text.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    let pid = line.split_whitespace().nth(chain.len().checked_sub(1)?)?;
    let pid: i32 = pid.parse().ok()?;
    (pid > 0).then(|| NsPid::new(pid))
}

/// What is to be had of the main thread, or of another if that has ended.
fn of_thread<T>(tgid: Tgid, read: impl Fn(Tid) -> Option<T>) -> Option<T> {
    read(tgid.leader()).or_else(|| read(other_thread(tgid)?))
}

/// A thread beside the main one.
fn other_thread(tgid: Tgid) -> Option<Tid> {
    let mut threads = threads(tgid.leader()).into_iter();
    threads.find(|tid| *tid != tgid.leader())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn our_own_descriptors_are_found_with_what_they_are() {
        let tgid = Tgid::new(i32::try_from(std::process::id()).unwrap());
        let file = File::open("/proc/self/status").unwrap();
        let fd = file.as_raw_fd();
        let (_, link) = descriptors(tgid)
            .unwrap()
            .find(|(it, _)| *it == fd)
            .unwrap();
        assert_eq!(fd_link(tgid, fd), Some(link.clone()));
        assert!(link.ends_with(b"/status"), "{link:?}");
        assert!(has_descriptor(tgid, &[&link]));
        assert!(is_open_for(tgid, fd, false) && !is_open_for(tgid, fd, true));
        assert!(fd_metadata(tgid, fd).unwrap().is_file());
        assert_eq!(fd_link(tgid, i32::MAX), None);
        assert_eq!(pidfd_target(tgid, fd), None);
    }
}
