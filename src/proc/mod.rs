//! Everything that is read from `/proc`; by hand, since some is read at stops.
//!
//! Any process may vanish while it is read: that gives `None`, not an error.

mod arguments;
mod asleep;
mod awaited;
mod blocked;
mod calls;
mod cgroup;
mod descriptors;
mod holders;
mod maps;
#[cfg(feature = "cli")]
pub(crate) mod oom;
mod pages;
mod pipes;
mod presence;
mod processes;
mod rights;
mod sleep;
mod sleep_clock;
mod stat;
mod status;
mod streams;
mod syscall;
mod unix_sockets;

use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

use crate::event::{Comm, Image, NsPids};
use crate::kernel::{NsPid, Tgid, Tid};

pub(crate) use arguments::ArgumentReader;
pub(crate) use asleep::{Asleep, has_posix_timers};
pub(crate) use awaited::{Blocking, awaited_signals, blocking_call};
pub(crate) use blocked::look as look_at_blocked;
pub(crate) use cgroup::Cgroup;
#[cfg(test)]
pub(crate) use cgroup::Container;
pub(crate) use descriptors::{fd_link, has_descriptor, pidfd_target, pidfd_target_of};
pub(crate) use maps::{Mapping, mappings};
pub(crate) use pages::{PageMap, are_filled};
pub(crate) use pipes::{Blocked, blocked_on};
pub(crate) use presence::Absence;
#[cfg(feature = "cli")]
pub(crate) use presence::require;
pub(crate) use processes::Processes;
pub(crate) use rights::{can_ptrace, own_user_namespace, user_namespace, yama_scope};
pub(crate) use sleep::awaits_child_signal;
pub(crate) use sleep_clock::SleepClock;
pub(crate) use stat::Stat;
pub(crate) use status::{Status, has};
pub(crate) use streams::{
    Wakers, blocked_reader, held_outputs, output_of, takes_sigchld_by_descriptor,
};
pub(crate) use syscall::{Syscall, is_64_bit, wchan};

/// The bytes of a file of one record, as a process's `status`: a read returns all
/// there is if the buffer has room, so a short read is the last. `fs::read` would
/// read once more, and ask for the length, which is 0. Not for a file of many
/// records, as `mountinfo`: the kernel ends a read before a record that does not fit.
fn read(path: &str) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    let mut bytes = vec![0; 4096];
    let mut length = 0;
    loop {
        let room = bytes.get_mut(length..).unwrap_or_default();
        let most = room.len();
        match file.read(room) {
            Ok(count) => {
                length += count;
                if count < most {
                    bytes.truncate(length);
                    return Ok(bytes);
                }
                bytes.resize(length * 2, 0);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The fields of `/proc/TID/status` that are used.
pub(crate) fn status(tid: Tid) -> Option<Status> {
    Status::parse(&read(&format!("/proc/{tid}/status")).ok()?)
}

/// Whether `/proc` shows our own pid namespace: otherwise a look-up by pid would
/// silently find another process.
pub(crate) fn shows_our_namespace() -> bool {
    read("/proc/self/status")
        .ok()
        .and_then(|text| Status::parse(&text))
        .is_some_and(|own| {
            let pid = i32::try_from(std::process::id()).unwrap_or(0);
            own.ns_pids == [NsPid::new(pid)]
        })
}

/// A task's name.
pub(crate) fn comm(tid: Tid) -> Option<Comm> {
    let text = read(&format!("/proc/{tid}/comm")).ok()?;
    Some(Comm::new(text.strip_suffix(b"\n").unwrap_or(&text)))
}

/// The program that a process runs. Parts that cannot be read are left out.
pub(crate) fn image(tgid: Tgid) -> Image {
    let path = fs::read_link(format!("/proc/{tgid}/exe")).ok();
    let cmdline = cmdline(tgid, u64::MAX).unwrap_or_default();
    let argv = cmdline.strip_suffix(b"\0").unwrap_or(&cmdline);
    Image {
        comm: comm(tgid.leader()).unwrap_or_default(),
        path: path.map(|path| path.into_os_string().into_vec()),
        argv: if cmdline.is_empty() {
            Vec::new()
        } else {
            argv.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
        },
    }
}

/// The first `most` bytes of the arguments of a process, from its memory. `None` if a page is not resident:
/// the kernel would wait for it.
fn cmdline(tgid: Tgid, most: u64) -> Option<Vec<u8>> {
    let (begin, end) = Stat::read(tgid)?.arguments;
    let length = end.checked_sub(begin).filter(|length| *length > 0)?;
    if !are_filled(tgid, begin, length.min(most)) {
        return None;
    }
    let mut text = Vec::new();
    let file = fs::File::open(format!("/proc/{tgid}/cmdline")).ok()?;
    file.take(most).read_to_end(&mut text).ok()?;
    Some(text)
}

/// Seconds since boot; `None` where `/proc` has processes alone (`subset=pid`).
pub(crate) fn uptime() -> Option<f64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// The pids of a process in namespaces inside ours; `None` if it has none.
pub(crate) fn ns_pids(tgid: Tgid) -> Option<NsPids> {
    let chain = status(tgid.leader())?.ns_pids;
    if chain.len() < 2 {
        return None;
    }
    let inode = pid_namespace(tgid).unwrap_or(0);
    Some(NsPids { inode, chain })
}

/// The inode of a process's pid namespace; `None` if it may not be read.
pub(crate) fn pid_namespace(tgid: Tgid) -> Option<u64> {
    let meta = fs::metadata(format!("/proc/{tgid}/ns/pid")).ok()?;
    Some(meta.ino())
}

/// Whether the wait status of this zombie is readable. The kernel prints 0 if
/// not; the same permission is needed to follow a link in `ns`.
pub(crate) fn shows_status(tgid: Tgid) -> bool {
    let link = fs::read_link(format!("/proc/{tgid}/ns/pid"));
    link.is_ok_and(|link| !link.as_os_str().is_empty())
}

/// Whether a task's children will be in another pid namespace than itself, after
/// unshare or setns. The link cannot be read before the first of them exists.
pub(crate) fn children_are_elsewhere(tid: Tid) -> bool {
    let link = |name: &str| fs::read_link(format!("/proc/{tid}/ns/{name}")).ok();
    let own = link("pid");
    own.is_some() && own != link("pid_for_children")
}

/// Whether a task exists, alive or zombie.
pub(crate) fn is_there(tid: Tid) -> bool {
    fs::exists(format!("/proc/{tid}")).unwrap_or(false)
}

/// The threads of a process, by any of its tids. Empty if it is gone.
pub(crate) fn threads(tid: Tid) -> Vec<Tid> {
    let Ok(entries) = fs::read_dir(format!("/proc/{tid}/task")) else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .filter_map(|name| name.parse().ok().map(Tid::new))
        .collect()
}

/// The children of all threads of a process, zombies included.
pub(crate) fn children(tgid: Tgid) -> Option<Vec<Tgid>> {
    let mut found = Vec::new();
    for tid in threads(tgid.leader()) {
        let text = fs::read_to_string(format!("/proc/{tgid}/task/{tid}/children")).ok()?;
        let pids = text
            .split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok());
        found.extend(pids.map(Tgid::new));
    }
    Some(found)
}
