//! What is held of a process so that its perf map file can be read later, on another
//! thread, also when the process is gone.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

use super::file::{HeldFile, hold_root, open_held};
use super::watch;
use crate::kernel::{NsPid, Tgid};
use crate::proc::{self, Stat};

/// Clocks differ by less than this: of the file system, and of the process's start.
const SLACK: Duration = Duration::from_secs(2);

/// A process.
pub(super) struct Home {
    /// Its root directory.
    root: HeldFile,
    /// Its pid as it knows it itself.
    pid: NsPid,
    /// Real, effective, saved and file system uid.
    uids: Vec<u32>,
    started: SystemTime,
}

impl Home {
    /// Holds a process that is alive. Nothing of its files is touched.
    pub(super) fn hold(tgid: Tgid) -> Option<Home> {
        let status = proc::status(tgid.leader())?;
        Some(Home {
            root: hold_root(tgid)?,
            pid: *status.ns_pids.last()?,
            uids: status.uids,
            started: started(Stat::read(tgid)?.started)?,
        })
    }

    /// The perf map of the process, and its size: a regular file that the process's user
    /// or root owns, and that was written since the process started: a pid is used
    /// again, and files in `/tmp` stay.
    pub(super) fn open_perf_map(&self) -> Option<(File, Metadata)> {
        // Links are followed as the process would follow them, and the last one not.
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags).resolve(resolve);
        let path = format!("tmp/perf-{}.map", self.pid);
        let found = watch::during(|| openat2(self.root.descriptor(), path.as_str(), how));
        let found = File::from(found.ok()?);
        let meta = watch::during(|| found.metadata()).ok()?;
        if !self.owns(&meta) {
            return None;
        }
        let file = open_held(&found).ok()?;
        Some((file, meta))
    }

    fn owns(&self, meta: &Metadata) -> bool {
        let is_ours = meta.uid() == 0 || self.uids.contains(&meta.uid());
        let is_new = |written: SystemTime| written + SLACK >= self.started;
        meta.is_file() && is_ours && meta.modified().is_ok_and(is_new)
    }
}

/// When a process was started, given that in clock ticks after boot.
fn started(ticks: u64) -> Option<SystemTime> {
    let a_second = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
    let since_boot = Duration::from_millis(ticks.checked_mul(1000)?.checked_div(a_second)?);
    let now = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?);
    SystemTime::now().checked_sub(now.saturating_sub(since_boot))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::sys::stat::Mode;

    use super::super::file::hold;
    use super::*;

    /// A process whose root directory is this one.
    fn home(root: &std::path::Path, started: SystemTime) -> Home {
        Home {
            root: hold(root.to_str().unwrap()).unwrap(),
            pid: NsPid::new(17),
            uids: vec![nix::unistd::geteuid().as_raw()],
            started,
        }
    }

    #[test]
    fn only_a_regular_file_of_the_process_is_read() {
        let room = tempfile::tempdir().unwrap();
        let folder = room.path().join("tmp");
        let path = folder.join("perf-17.map");
        fs::create_dir(&folder).unwrap();
        let home = home(room.path(), SystemTime::now());
        assert!(home.open_perf_map().is_none(), "there is none");

        nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
        assert!(home.open_perf_map().is_none(), "a FIFO");
        fs::remove_file(&path).unwrap();

        let other = folder.join("other");
        fs::write(&other, "1000 10 first\n").unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(home.open_perf_map().is_none(), "a link");
        fs::remove_file(&path).unwrap();

        fs::rename(&other, &path).unwrap();
        let (_, meta) = home.open_perf_map().unwrap();
        assert_eq!(meta.len(), 14);

        let mut strangers = home;
        strangers.uids = vec![77];
        let is_root = nix::unistd::geteuid().is_root();
        assert_eq!(strangers.open_perf_map().is_some(), is_root);
    }

    #[test]
    fn a_file_of_an_earlier_process_is_not_read() {
        let room = tempfile::tempdir().unwrap();
        fs::create_dir(room.path().join("tmp")).unwrap();
        fs::write(room.path().join("tmp/perf-17.map"), "1000 10 old\n").unwrap();
        let later = SystemTime::now() + Duration::from_mins(1);
        assert!(home(room.path(), later).open_perf_map().is_none());
    }

    #[test]
    fn a_link_on_the_way_is_followed_within_the_root() {
        let room = tempfile::tempdir().unwrap();
        fs::create_dir(room.path().join("elsewhere")).unwrap();
        fs::write(room.path().join("elsewhere/perf-17.map"), "").unwrap();
        std::os::unix::fs::symlink("/elsewhere", room.path().join("tmp")).unwrap();
        assert!(
            home(room.path(), SystemTime::now())
                .open_perf_map()
                .is_some()
        );
    }

    #[test]
    fn a_process_is_held_with_its_own_pid() {
        let own = i32::try_from(std::process::id()).unwrap();
        let home = Home::hold(Tgid::new(own)).unwrap();
        let age = SystemTime::now().duration_since(home.started).unwrap();
        assert!(age < Duration::from_hours(1), "{age:?}");
        assert!(!home.uids.is_empty());
    }
}
