//! All processes that `/proc` shows, and whether it hides some.

use std::fs;
use std::io::{self, Read};

use super::{Stat, can_ptrace, presence, read};

/// The processes that `/proc` shows.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    pub(crate) stats: Vec<Stat>,
    /// Whether processes of other users may be missing (`hidepid`).
    pub(crate) hides_others: bool,
}

impl Processes {
    /// Reads them all. One that starts or ends meanwhile may be missed.
    ///
    /// # Errors
    /// If there is no `/proc`.
    pub(crate) fn read() -> io::Result<Processes> {
        presence::require()?;
        let mut all = Processes::default();
        let mut path = String::from("/proc/");
        // Enough for a name of 15 bytes and 51 numbers.
        let mut buffer = [0; 2048];
        for entry in fs::read_dir("/proc")? {
            let Ok(entry) = entry else {
                continue;
            };
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| is_number(name)) else {
                continue;
            };
            path.truncate("/proc/".len());
            path.push_str(name);
            path.push_str("/stat");
            let mut file = match fs::File::open(&path) {
                Ok(file) => file,
                Err(error) => {
                    // hidepid=1 lists them, and opens nothing.
                    all.hides_others |= error.kind() == io::ErrorKind::PermissionDenied;
                    continue;
                }
            };
            let Ok(length) = file.read(&mut buffer) else {
                continue;
            };
            let stat = buffer.get(..length).and_then(Stat::parse);
            all.stats.extend(stat);
        }
        all.hides_others |= hides_others();
        Ok(all)
    }
}

fn is_number(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `/proc` leaves out processes of other users. With the right to trace it
/// shows all of our user namespace; the first process stands for the others.
pub(super) fn hides_others() -> bool {
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let Some(hiding) = Hiding::parse(&String::from_utf8_lossy(&mounts)) else {
        return false;
    };
    let sees_first = fs::File::open("/proc/1/stat").is_ok();
    let is_exempt = hiding.exempt.is_some_and(is_member);
    let sees_all = is_exempt || (can_ptrace() && sees_first);
    !sees_all
}

/// Whether we are in this group.
fn is_member(group: u32) -> bool {
    let text = read("/proc/self/status").unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let groups = lines.filter(|(name, _)| ["Gid", "Groups"].contains(name));
    let mut groups = groups.flat_map(|(_, groups)| groups.split_ascii_whitespace());
    groups.any(|own| own.parse() == Ok(group))
}

/// How `/proc` is mounted, where it hides processes.
#[derive(Debug, PartialEq, Eq)]
struct Hiding {
    /// The group that sees all the same.
    exempt: Option<u32>,
}

impl Hiding {
    /// From `/proc/self/mountinfo`: `36 27 0:31 / /proc rw … - proc proc
    /// rw,gid=30,hidepid=invisible`. The last mount on `/proc` is the one seen.
    fn parse(mounts: &str) -> Option<Hiding> {
        let of_proc = |line: &&str| line.split(' ').nth(4) == Some("/proc");
        let line = mounts.lines().rfind(of_proc)?;
        let options = line.rsplit(' ').next()?;
        let value = |name: &str| {
            let mut options = options.split(',').filter_map(|pair| pair.split_once('='));
            options
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        match value("hidepid")? {
            "0" | "off" => None,
            // No group is exempt.
            "4" | "ptraceable" => Some(Hiding { exempt: None }),
            // Without a gid it is that of root.
            _ => Some(Hiding {
                exempt: value("gid").map_or(Some(0), |gid| gid.parse().ok()),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hiding_is_an_option_of_the_last_mount() {
        let mount = |options: &str| format!("22 1 0:20 / /proc rw shared:5 - proc proc {options}");
        let hiding = |text: &str| Hiding::parse(text);
        assert_eq!(hiding(&mount("rw")), None);
        assert_eq!(hiding(&mount("rw,hidepid=off")), None);
        for (options, exempt) in [
            ("rw,hidepid=2", Some(0)),
            ("rw,gid=30,hidepid=invisible", Some(30)),
            ("rw,hidepid=noaccess", Some(0)),
            ("rw,gid=30,hidepid=ptraceable", None),
        ] {
            assert_eq!(
                hiding(&mount(options)),
                Some(Hiding { exempt }),
                "{options}"
            );
        }
        let over = format!("{}\n{}", mount("rw,hidepid=2"), mount("rw"));
        assert_eq!(hiding(&over), None);
        assert_eq!(hiding("22 1 0:20 / /mnt rw - proc proc rw,hidepid=2"), None);
        assert_eq!(hiding(""), None);
    }

    #[test]
    fn this_process_is_among_them() {
        let own = i32::try_from(std::process::id()).unwrap();
        let all = Processes::read().unwrap();
        assert!(all.stats.iter().any(|stat| stat.pid.raw() == own));
    }
}
