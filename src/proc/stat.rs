//! `/proc/PID/stat`, the fields that we use: all that is left of a zombie.

use crate::kernel::Tgid;

/// Part of `/proc/PID/stat` (`man 5 proc_pid_stat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// One letter: `R`, `S`, `T`, `Z`, …
    pub(crate) state: u8,
    pub(crate) parent: Tgid,
    pub(crate) group: i32,
    /// The raw wait status of a zombie.
    pub(crate) exit_code: i32,
}

impl Stat {
    /// `None` if the process is gone.
    pub(crate) fn read(tgid: Tgid) -> Option<Stat> {
        Stat::parse(&super::read(&format!("/proc/{tgid}/stat")).ok()?)
    }

    fn parse(text: &[u8]) -> Option<Stat> {
        // The name is in parentheses and may hold some itself.
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let rest = str::from_utf8(text.get(end + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.bytes().next()?;
        let parent = fields.next()?.parse().ok().map(Tgid::new)?;
        let group = fields.next()?.parse().ok()?;
        Some(Stat {
            state,
            parent,
            group,
            exit_code: fields.next_back()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_fields() {
        let text = b"7 (a) Z 1 2 (b) Z 3 4 5 0 -1 4227084 111 0 0 0 256\n";
        let stat = Stat::parse(text).unwrap();
        let expected = Stat {
            state: b'Z',
            parent: Tgid::new(3),
            group: 4,
            exit_code: 256,
        };
        assert_eq!(stat, expected);
        assert_eq!(Stat::parse(b"7 (a"), None);
    }
}
