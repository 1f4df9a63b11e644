//! What the kernel says of its out-of-memory killer: counters of control groups and of the
//! machine, and the kernel's log. For ends by SIGKILL whose sender was not seen.
//!
//! Sources: Documentation/admin-guide/cgroup-v2.rst (`memory.events`), cgroup-v1/memory.rst
//! (`memory.oom_control`), `mm/vmstat.c` (`oom_kill`), ABI/testing/dev-kmsg.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::time::{ClockId, clock_gettime};

use crate::kernel::Tgid;

/// A counter of processes that were killed.
#[derive(Debug)]
struct Counter {
    /// The file that holds it, as `oom_kill N`.
    file: PathBuf,
    /// Whose it is, as it stands in a sentence.
    of: &'static str,
    before: u64,
}

/// The counters when the trace began.
#[derive(Debug)]
pub(crate) struct OomKills {
    counters: Vec<Counter>,
    /// Microseconds of the monotonic clock, which is about that of the kernel's log.
    since: u64,
}

/// How far the clock of the kernel's log may be off, in microseconds.
const OFF: u64 = 1_000_000;

/// Records of the kernel's log that are read at most.
const MOST_RECORDS: usize = 100_000;

impl OomKills {
    /// The counters of the groups that we and these processes are in, or where they have
    /// none that of the machine.
    pub(crate) fn now(targets: &[Tgid]) -> OomKills {
        let own = fs::read_to_string("/proc/self/cgroup").ok();
        let others = targets.iter();
        let others =
            others.filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/cgroup")).ok());
        let mut counters: Vec<Counter> = Vec::new();
        for text in own.into_iter().chain(others) {
            for file in files(&text, Path::new("/sys/fs/cgroup")) {
                counters.extend(counter(file, "its control group"));
            }
        }
        if counters.is_empty() {
            // It costs more than the others, and counts strangers too.
            counters.extend(counter("/proc/vmstat".into(), "this machine"));
        }
        OomKills {
            counters,
            since: monotonic(),
        }
    }

    /// How many processes were killed since then, and of what: the nearest that counts any.
    pub(crate) fn since(&self) -> Option<(u64, &'static str)> {
        let more = self.counters.iter().map(|counter| {
            let now = count(&counter.file).unwrap_or(counter.before);
            (now.saturating_sub(counter.before), counter.of)
        });
        more.into_iter().find(|(more, _)| *more > 0)
    }

    /// The pids and names of those that the kernel's log names since then; none where it
    /// may not be read. They are those of the first pid namespace.
    pub(crate) fn logged(&self) -> Vec<(i32, String)> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let Ok(mut log) = options.open("/dev/kmsg") else {
            return Vec::new();
        };
        let mut killed = Vec::new();
        let mut record = [0; 8192];
        for _ in 0..MOST_RECORDS {
            match log.read(&mut record) {
                Ok(length) => {
                    let text = record.get(..length).unwrap_or_default();
                    let text = String::from_utf8_lossy(text);
                    killed.extend(victim(&text, self.since.saturating_sub(OFF)));
                }
                // Records were overwritten before they were read.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(_) => break,
            }
        }
        killed
    }
}

/// The files with the counters of a process's groups, by its `/proc/PID/cgroup`.
fn files(text: &str, root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let below = path.trim_start_matches('/');
        let (mounts, name): (&[&str], _) = match controllers {
            "" => (&["", "unified"], "memory.events"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (&["memory"], "memory.oom_control")
            }
            _ => continue,
        };
        // In a container the path may be the host's, and the mount its own group.
        let places = mounts.iter().flat_map(|mount| {
            let mount = root.join(mount);
            [mount.join(below).join(name), mount.join(name)]
        });
        files.extend(places.into_iter().find(|place| place.exists()));
    }
    files
}

fn counter(file: PathBuf, of: &'static str) -> Option<Counter> {
    let before = count(&file)?;
    Some(Counter { file, of, before })
}

/// The `oom_kill N` of a file.
fn count(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

/// Whom a record of the kernel's log says to be killed, if it is not older.
fn victim(record: &str, since: u64) -> Option<(i32, String)> {
    let (head, message) = record.split_once(';')?;
    let at: u64 = head.split(',').nth(2)?.parse().ok()?;
    if at < since || !message.to_lowercase().contains("out of memory: kill") {
        return None;
    }
    let (_, rest) = message.split_once(" process ")?;
    let (pid, rest) = rest.split_once(" (")?;
    let line = rest.lines().next()?;
    // A name may have a bracket; what follows it is one of these since 2019.
    let ends = [") total-vm:", "), UID "];
    let name = ends.iter().find_map(|end| line.split_once(end));
    let (name, _) = name.or_else(|| line.split_once(')'))?;
    Some((pid.parse().ok()?, name.to_owned()))
}

/// Microseconds of the monotonic clock.
fn monotonic() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| {
        let (seconds, nanos) = (time.tv_sec().max(0), time.tv_nsec().max(0));
        seconds.unsigned_abs() * 1_000_000 + nanos.unsigned_abs() / 1000
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_the_log_names_whom_it_killed() {
        let new = "3,1842,5000000,-;Memory cgroup out of memory: Killed process 812 (my (a) b) \
                   total-vm:1024kB, anon-rss:900kB\n SUBSYSTEM=x\n";
        assert_eq!(victim(new, 4_000_000), Some((812, "my (a) b".to_owned())));
        assert_eq!(victim(new, 6_000_000), None, "it is older than the trace");
        let machine = "3,1,9,-;Out of memory: Killed process 7 (dd), UID 0";
        assert_eq!(victim(machine, 0), Some((7, "dd".to_owned())));
        for other in [
            "6,1,9,-;usb 1-1: reset",
            "",
            "3,1,9,-;Out of memory: Killed process x (y)",
        ] {
            assert_eq!(victim(other, 0), None, "{other}");
        }
    }

    #[test]
    fn the_counters_of_both_versions_are_found() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for (folder, file) in [
            ("a/b", "memory.events"),
            ("memory/x", "memory.oom_control"),
            ("memory", "memory.oom_control"),
        ] {
            fs::create_dir_all(at(folder)).unwrap();
            fs::write(at(folder).join(file), "low 0\noom_kill 3\n").unwrap();
        }
        let found = |text: &str| files(text, root.path());
        assert_eq!(found("0::/a/b\n"), [at("a/b/memory.events")]);
        assert_eq!(
            found("4:memory:/x\n1:cpu:/x\n0::/\n"),
            [at("memory/x/memory.oom_control")]
        );
        // The host's path, in a container.
        assert_eq!(
            found("4:cpu,memory:/docker/1f\n"),
            [at("memory/memory.oom_control")]
        );
        assert_eq!(count(&at("a/b/memory.events")), Some(3));
    }

    #[test]
    fn only_what_is_counted_since_the_start_counts() {
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("memory.events");
        let write = |kills: u64| fs::write(&file, format!("oom 9\noom_kill {kills}\n")).unwrap();
        write(2);
        let kills = OomKills {
            counters: counter(file.clone(), "its control group")
                .into_iter()
                .collect(),
            since: 0,
        };
        assert_eq!(kills.since(), None);
        write(3);
        assert_eq!(kills.since(), Some((1, "its control group")));
    }
}
