//! Line ends that are no line feeds: carriage returns of old systems, and NULs.

use std::io::{self, Read};

use super::choice::has_mark;

/// What a line may end in instead, and how that is told.
const ENDS: [(u8, &str); 2] = [
    (b'\r', "carriage returns between the lines"),
    (0, "NUL bytes between the lines"),
];

/// A byte that ends the lines of a text. One with line feeds too may have such bytes in
/// the names of its files.
pub(super) fn other_ends(sample: &[u8]) -> Option<(u8, &'static str)> {
    let is_told = |(byte, _): &(u8, &str)| {
        let is_end = |it: &u8| it == byte || *it == b'\n';
        let count =
            |lines: &mut dyn Iterator<Item = &[u8]>| lines.filter(|it| has_mark(it)).count();
        memchr::memchr(*byte, sample).is_some()
            && count(&mut sample.split(|it| *it == b'\n')) <= 1
            && count(&mut sample.split(is_end)) > 1
    };
    ENDS.into_iter().find(is_told)
}

/// A text in which a byte is a line feed; behind it another is none.
pub(super) struct LineEnds<R> {
    input: R,
    end: u8,
    /// The last byte that was read was such an end.
    is_behind: bool,
}

impl<R: Read> LineEnds<R> {
    pub(super) fn new(input: R, end: u8) -> LineEnds<R> {
        LineEnds {
            input,
            end,
            is_behind: false,
        }
    }
}

impl<R: Read> Read for LineEnds<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.input.read(to)?;
            let mut kept = 0;
            for at in 0..read {
                let Some(byte) = to.get(at).copied() else {
                    break;
                };
                let is_second = byte == b'\n' && self.is_behind;
                self.is_behind = byte == self.end;
                if let Some(place) = to.get_mut(kept).filter(|_| !is_second) {
                    *place = if self.is_behind { b'\n' } else { byte };
                    kept += 1;
                }
            }
            if kept > 0 || read == 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        let Some((end, _)) = other_ends(text.as_bytes()) else {
            return text.to_owned();
        };
        let mut plain = String::new();
        let _ = LineEnds::new(text.as_bytes(), end).read_to_string(&mut plain);
        plain
    }

    #[test]
    fn other_line_ends_are_line_feeds_where_they_end_lines_of_a_record() {
        let log = "fork() = 7\nwait4(7, NULL, 0, NULL) = 7\n";
        for end in ["\r", "\0"] {
            assert_eq!(plain(&log.replace('\n', end)), log);
        }
        let progress = log.replace("wait4", "50 %\r100 %\rwait4");
        assert_eq!(plain(&progress), progress);
        let both = log.replace('\n', "\r\n");
        assert_eq!(plain(&both), both);
        let named = "execve(\"a\r+++ killed\", [], 0) = 0\nwait4(7, NULL, 0, NULL) = 7\n";
        assert_eq!(plain(named), named);
    }
}
