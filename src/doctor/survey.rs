//! One pass over `/proc`: who is there, whose child, and who is a zombie.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::event::Comm;
use crate::kernel::Tid;
use crate::proc;

/// What `/proc/PID/stat` tells of a process (`man 5 proc_pid_stat`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) pid: i32,
    pub(super) comm: Comm,
    /// One letter: `R`, `S`, `T`, `Z`, …
    pub(super) state: u8,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    /// Threads that are alive; of a zombie its own, which is dead, counts.
    pub(super) threads: u32,
    /// Clock ticks from the boot to its start.
    pub(super) started: u64,
    /// The CPU that it ran on last.
    pub(super) cpu: u32,
    /// The wait status of a zombie; 0 where we may not see it.
    pub(super) exit_code: i32,
}

impl Row {
    pub(super) fn parse(text: &[u8]) -> Option<Row> {
        // The name is in parentheses and may hold some itself.
        let open = text.iter().position(|byte| *byte == b'(')?;
        let close = text.iter().rposition(|byte| *byte == b')')?;
        let pid = std::str::from_utf8(text.get(..open)?).ok()?;
        let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // Numbered as in the manual, in which the state is the third.
        let field = |number: usize| fields.get(number - 3).copied();
        Some(Row {
            pid: pid.trim().parse().ok()?,
            comm: Comm::new(text.get(open + 1..close)?),
            state: field(3)?.bytes().next()?,
            parent: field(4)?.parse().ok()?,
            group: field(5)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            threads: field(20)?.parse().ok()?,
            started: field(22)?.parse().ok()?,
            cpu: field(39)?.parse().ok()?,
            exit_code: field(52)?.parse().ok()?,
        })
    }

    /// Whether all of it is dead. A process whose leader is dead looks like a
    /// zombie too, but lives on in its other threads.
    pub(super) fn is_zombie(&self) -> bool {
        self.state == b'Z' && self.threads <= 1
    }

    /// Whether its leader is dead and other threads live on.
    pub(super) fn is_headless(&self) -> bool {
        self.state == b'Z' && self.threads > 1
    }
}

/// Everybody, by pid.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) rows: FxHashMap<i32, Row>,
}

impl Survey {
    /// Look at all processes. Who comes or goes meanwhile may be missed.
    ///
    /// # Errors
    /// If there is no `/proc`.
    pub(super) fn take() -> std::io::Result<Survey> {
        let mut rows = FxHashMap::default();
        let mut path = String::from("/proc/");
        // A name of 15 bytes and 51 numbers take less.
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
            let Ok(mut file) = fs::File::open(&path) else {
                continue;
            };
            let Ok(length) = file.read(&mut buffer) else {
                continue;
            };
            if let Some(row) = buffer.get(..length).and_then(Row::parse) {
                rows.insert(row.pid, row);
            }
        }
        Ok(Survey { rows })
    }

    /// Zombies, and processes that look so, in the order of their parents.
    pub(super) fn dead(&self) -> Vec<Row> {
        let rows = self.rows.values().copied();
        let mut dead: Vec<Row> = rows.filter(|row| row.state == b'Z').collect();
        dead.sort_by_key(|row| (row.parent, row.pid));
        dead
    }

    /// A process and all below it.
    pub(super) fn tree(&self, root: i32) -> FxHashSet<i32> {
        let mut children: FxHashMap<i32, Vec<i32>> = FxHashMap::default();
        for row in self.rows.values() {
            children.entry(row.parent).or_default().push(row.pid);
        }
        let mut tree = FxHashSet::default();
        let mut rest = vec![root];
        while let Some(pid) = rest.pop() {
            if tree.insert(pid) {
                rest.extend(children.get(&pid).into_iter().flatten());
            }
        }
        tree
    }

    /// Those above a process, the nearest first.
    pub(super) fn ancestors(&self, pid: i32) -> Vec<Row> {
        let mut above = Vec::new();
        let mut next = self.rows.get(&pid).map(|row| row.parent);
        while let Some(row) = next.and_then(|pid| self.rows.get(&pid)) {
            // A pid that was used again meanwhile could make a circle.
            if above.len() == self.rows.len() || above.contains(row) {
                break;
            }
            above.push(*row);
            next = Some(row.parent);
        }
        above
    }
}

fn is_number(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The pid namespace of a process; `None` if we may not know.
pub(super) fn namespace(pid: i32) -> Option<u64> {
    let meta = fs::metadata(format!("/proc/{pid}/ns/pid")).ok()?;
    Some(meta.ino())
}

/// Whether we may see the wait status of this zombie. The kernel prints 0 where
/// not, and asks for the same right before it follows a link in `ns`.
pub(super) fn may_see(pid: i32) -> bool {
    let link = fs::read_link(format!("/proc/{pid}/ns/pid"));
    link.is_ok_and(|link| !link.as_os_str().is_empty())
}

/// Who traces a process, if somebody does, and whose it is.
pub(super) fn tracer_and_user(pid: i32) -> (Option<i32>, Vec<u32>) {
    let Some(status) = proc::status(Tid::new(pid)) else {
        return (None, Vec::new());
    };
    let tracer = status.tracer.map_or(0, Tid::raw);
    ((tracer != 0).then_some(tracer), status.uids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pid: i32, parent: i32) -> Row {
        Row {
            pid,
            parent,
            ..Row::default()
        }
    }

    fn survey(rows: &[Row]) -> Survey {
        Survey {
            rows: rows.iter().map(|row| (row.pid, *row)).collect(),
        }
    }

    #[test]
    fn a_row_is_read_whatever_the_name_is() {
        let text = b"42 (a) Z 1 (\n) Z 7 42 40 0 -1 4227148 217 0 0 0 0 0 0 0 20 0 1 0 6398899 0 \
            0 18446744073709551615 0 0 0 0 0 0 0 16781312 2 1 0 0 17 3 0 0 0 0 0 0 0 0 0 0 0 0 \
            1792\n";
        let row = Row::parse(text).unwrap();
        let expected = Row {
            pid: 42,
            comm: Comm::new(b"a) Z 1 (\n"),
            state: b'Z',
            parent: 7,
            group: 42,
            session: 40,
            threads: 1,
            started: 6_398_899,
            cpu: 3,
            exit_code: 1792,
        };
        assert_eq!(row, expected);
        assert!(row.is_zombie() && !row.is_headless());
        for end in 0..text.len() - 6 {
            assert_eq!(Row::parse(&text[..end]), None, "{end}");
        }
    }

    #[test]
    fn a_circle_of_parents_has_an_end() {
        let survey = survey(&[row(1, 0), row(2, 3), row(3, 2), row(4, 1), row(5, 4)]);
        assert_eq!(survey.ancestors(2).len(), 2);
        let above: Vec<i32> = survey.ancestors(5).iter().map(|row| row.pid).collect();
        assert_eq!(above, [4, 1]);
        assert_eq!(survey.tree(2).len(), 2);
        assert_eq!(survey.tree(1).len(), 3);
    }
}
