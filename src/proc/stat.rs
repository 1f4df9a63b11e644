//! `/proc/PID/stat`: the fields that are used. Unlike most files it is complete
//! for a zombie.

use crate::event::Comm;
use crate::kernel::{Tgid, Tid};

/// Fields of `/proc/PID/stat` (`man 5 proc_pid_stat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// The process, or for the file of a thread its tid.
    pub(crate) pid: Tgid,
    pub(crate) comm: Comm,
    /// One letter: `R`, `S`, `T`, `Z`, …
    pub(crate) state: u8,
    pub(crate) parent: Tgid,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// Live threads, plus a dead leader.
    pub(crate) threads: u32,
    /// Clock ticks from boot to its start.
    pub(crate) started: u64,
    /// The CPU that it ran on last.
    pub(crate) cpu: u32,
    /// Begin and end address of its arguments; zeroes if they may not be read.
    pub(crate) arguments: (u64, u64),
    /// The raw wait status of a zombie; 0 if it may not be read.
    pub(crate) exit_code: i32,
}

impl Stat {
    /// `None` if the process is gone.
    pub(crate) fn read(tgid: Tgid) -> Option<Stat> {
        Stat::parse(&super::read(&format!("/proc/{tgid}/stat")).ok()?)
    }

    /// The `stat` file of one thread.
    pub(crate) fn of_thread(tgid: Tgid, tid: Tid) -> Option<Stat> {
        Stat::parse(&super::read(&format!("/proc/{tgid}/task/{tid}/stat")).ok()?)
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Stat> {
        // The name is in parentheses and may itself contain some.
        let open = text.iter().position(|byte| *byte == b'(')?;
        let close = text.iter().rposition(|byte| *byte == b')')?;
        let pid = str::from_utf8(text.get(..open)?).ok()?;
        let rest = str::from_utf8(text.get(close + 1..)?).ok()?;
        // Field numbers as in the manual; the state is the third field.
        let mut number = 3;
        let mut fields = rest.split_ascii_whitespace();
        let mut field = |wanted: usize| {
            let value = fields.nth(wanted - number);
            number = wanted + 1;
            value
        };
        Some(Stat {
            pid: pid.trim().parse().ok().map(Tgid::new)?,
            comm: Comm::new(text.get(open + 1..close)?),
            state: field(3)?.bytes().next()?,
            parent: field(4)?.parse().ok().map(Tgid::new)?,
            group: field(5)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            threads: field(20)?.parse().ok()?,
            started: field(22)?.parse().ok()?,
            cpu: field(39)?.parse().ok()?,
            arguments: (field(48)?.parse().ok()?, field(49)?.parse().ok()?),
            exit_code: field(52)?.parse().ok()?,
        })
    }

    /// Whether the whole process is dead. A process whose leader alone is dead shows
    /// state Z too.
    pub(crate) fn is_zombie(&self) -> bool {
        self.state == b'Z' && self.threads <= 1
    }

    /// Whether its leader is dead and other threads are alive.
    pub(crate) fn is_headless(&self) -> bool {
        self.state == b'Z' && self.threads > 1
    }
}

#[cfg(test)]
impl Stat {
    /// A process of which only the pids are known.
    pub(crate) fn of_pids(pid: i32, parent: i32) -> Stat {
        Stat {
            pid: Tgid::new(pid),
            comm: Comm::default(),
            state: b'S',
            parent: Tgid::new(parent),
            group: 0,
            session: 0,
            threads: 1,
            started: 0,
            cpu: 0,
            arguments: (0, 0),
            exit_code: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_fields() {
        let text = b"42 (a) Z 1 (\n) Z 7 42 40 0 -1 4227148 217 0 0 0 0 0 0 0 20 0 1 0 6398899 0 \
            0 18446744073709551615 0 0 0 0 0 0 0 16781312 2 1 0 0 17 3 0 0 0 0 0 0 0 0 4096 4112 0 0 \
            1792\n";
        let stat = Stat::parse(text).unwrap();
        let expected = Stat {
            pid: Tgid::new(42),
            comm: Comm::new(b"a) Z 1 (\n"),
            state: b'Z',
            parent: Tgid::new(7),
            group: 42,
            session: 40,
            threads: 1,
            started: 6_398_899,
            cpu: 3,
            arguments: (0x1000, 0x1010),
            exit_code: 1792,
        };
        assert_eq!(stat, expected);
        assert!(stat.is_zombie() && !stat.is_headless());
        for end in 0..text.len() - 6 {
            assert_eq!(Stat::parse(&text[..end]), None, "{end}");
        }
    }
}
