//! Names of code that was made at run time, from a perf map file (`perf-PID.map`), to
//! which a runtime appends a line for each function that it compiles.
//!
//! Lines are `START SIZE NAME`, both numbers in hexadecimal (Linux:
//! `tools/perf/Documentation/jit-interface.txt`).

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::budget::{NAMES, Reserved};
use super::watch;
use crate::event::Function;

/// Longer names are ignored, in bytes.
const MOST_OF_A_NAME: usize = 4096;
/// How much of a file is read, and how much at once, in bytes.
const MOST: u64 = 64 << 20;
const CHUNK: usize = 1 << 20;

/// The names in one file, as far as it was read.
pub(super) struct PerfMap {
    symbols: Vec<Symbol>,
    names: Vec<u8>,
    /// How many bytes of the file were read: whole lines.
    read: u64,
    reserved: Reserved,
}

struct Symbol {
    address: u64,
    size: u64,
    /// Where its name begins; it ends where the next one's begins.
    name: usize,
}

impl Default for PerfMap {
    fn default() -> PerfMap {
        PerfMap {
            symbols: Vec::new(),
            names: Vec::new(),
            read: 0,
            reserved: NAMES.nothing(),
        }
    }
}

impl PerfMap {
    /// Reads the lines that were appended to the file, which has this size now. A file
    /// that has become smaller is another one.
    pub(super) fn update(&mut self, file: &File, size: u64) {
        if size < self.read {
            *self = PerfMap::default();
        }
        let end = size.min(MOST);
        let mut bytes = vec![0; CHUNK];
        // What is left of a line whose end was not read yet.
        let mut held = 0;
        while self.read + (held as u64) < end && !self.reserved.was_refused() {
            let room = bytes.get_mut(held..).unwrap_or_default();
            let from = self.read + held as u64;
            let got = watch::during(|| file.read_at(room, from)).unwrap_or(0);
            if got == 0 {
                break;
            }
            let filled = bytes.get(..held + got).unwrap_or_default();
            let lines = filled.iter().rposition(|byte| *byte == b'\n');
            let Some(lines) = lines.map(|last| last + 1) else {
                held += got;
                if held == CHUNK {
                    // A line as long as that is none.
                    self.read += held as u64;
                    held = 0;
                }
                continue;
            };
            self.add(filled.get(..lines).unwrap_or_default());
            self.read += lines as u64;
            held = held + got - lines;
            bytes.copy_within(lines..lines + held, 0);
        }
    }

    /// Adds the symbols of these lines, as far as they fit the budget.
    fn add(&mut self, lines: &[u8]) {
        for line in lines.split(|byte| *byte == b'\n') {
            let Some((code, name)) = symbol(line) else {
                continue;
            };
            let bytes = name.len() + size_of::<Symbol>();
            // A vector that grows has up to twice the room.
            if self.reserved.add(2 * bytes as u64).is_none() {
                return;
            }
            self.symbols.push(Symbol {
                address: code.start,
                size: code.end - code.start,
                name: self.names.len(),
            });
            self.names.extend(name);
        }
    }

    /// The function at an address; `within` is inside of the call instruction. Of several
    /// the one that was written last: memory of code that is dropped is used again.
    pub(super) fn find(&self, within: u64, address: u64) -> Option<Function> {
        let contains = |symbol: &Symbol| within.wrapping_sub(symbol.address) < symbol.size;
        let index = self.symbols.iter().rposition(contains)?;
        let symbol = self.symbols.get(index)?;
        let end = self
            .symbols
            .get(index + 1)
            .map_or(self.names.len(), |next| next.name);
        let name = self.names.get(symbol.name..end)?;
        Some(Function {
            name: Some(String::from_utf8_lossy(name).into_owned()),
            offset: Some(address.wrapping_sub(symbol.address)),
            ..Function::default()
        })
    }

    /// Whether it has more names than fit the budget.
    pub(super) fn is_cut(&self) -> bool {
        self.reserved.was_refused()
    }
}

/// The addresses and the name of a line; `None` if it is malformed.
fn symbol(line: &[u8]) -> Option<(Range<u64>, &[u8])> {
    let mut fields = line.splitn(3, |byte| *byte == b' ');
    let mut number = || {
        let text = str::from_utf8(fields.next()?).ok()?;
        let digits = text.strip_prefix("0x").unwrap_or(text);
        // A sign would be parsed too.
        let is_number = digits.starts_with(|digit: char| digit.is_ascii_hexdigit());
        is_number
            .then(|| u64::from_str_radix(digits, 16).ok())
            .flatten()
    };
    let (start, size) = (number()?, number()?);
    let name = fields.next()?.trim_ascii();
    let is_sound = size > 0 && !name.is_empty() && name.len() <= MOST_OF_A_NAME;
    is_sound.then_some((start..start.checked_add(size)?, name))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn name(map: &PerfMap, address: u64) -> Option<String> {
        map.find(address, address)?.name
    }

    #[test]
    fn lines_are_read_and_malformed_ones_are_ignored() {
        let text = b"\
7f00 20 py::job:/srv/job.py
0x8000 0x10 with 0x\r
nonsense
9000 10
9000 10 \t
+9000 10 sign
9000 -10 sign
9000 0 nothing
ffffffffffffffff 2 too far
9000 zz size
 9000 10 blank
a000 10 not utf-8 \xff
";
        let mut map = PerfMap::default();
        map.add(text);
        assert_eq!(map.symbols.len(), 3);
        let function = map.find(0x7f0f, 0x7f10).unwrap();
        assert_eq!(function.name.as_deref(), Some("py::job:/srv/job.py"));
        assert_eq!(function.offset, Some(0x10));
        assert_eq!(name(&map, 0x800f).as_deref(), Some("with 0x"));
        assert_eq!(name(&map, 0xa000).as_deref(), Some("not utf-8 \u{fffd}"));
        for outside in [0, 0x7eff, 0x7f20, 0x8010, 0x9000, u64::MAX] {
            assert_eq!(name(&map, outside), None, "{outside:#x}");
        }
        map.add(format!("7f00 8 {}\n", "x".repeat(MOST_OF_A_NAME + 1)).as_bytes());
        assert_eq!(map.symbols.len(), 3);
    }

    #[test]
    fn the_last_line_for_an_address_counts() {
        let mut map = PerfMap::default();
        map.add(b"1000 100 old\n1040 10 new\n2000 10 other\n");
        let names = [0x1000, 0x1040, 0x1050].map(|address| name(&map, address));
        let names = names.map(Option::unwrap);
        assert_eq!(names, ["old", "new", "old"]);
    }

    #[test]
    fn appended_lines_are_read_when_they_are_whole() {
        let mut file = tempfile::tempfile().unwrap();
        let mut map = PerfMap::default();
        let mut append = |text: &str, map: &mut PerfMap| {
            file.write_all(text.as_bytes()).unwrap();
            let size = file.metadata().unwrap().len();
            map.update(&file, size);
        };
        append("1000 10 first\n2000 10 sec", &mut map);
        assert_eq!(name(&map, 0x1000).as_deref(), Some("first"));
        assert_eq!(name(&map, 0x2000), None);
        append("ond\n", &mut map);
        assert_eq!(name(&map, 0x2000).as_deref(), Some("second"));
        // More than is read at once, with a line that is too long.
        append(&"x".repeat(2 * CHUNK), &mut map);
        append("\n", &mut map);
        let many: Vec<String> = (0..60_000)
            .map(|index| format!("{:x} 10 function_{index}\n", 0x10_0000 + index * 16))
            .collect();
        append(&many.concat(), &mut map);
        assert_eq!(name(&map, 0x10_0000).as_deref(), Some("function_0"));
        let last = 0x10_0000 + 59_999 * 16;
        assert_eq!(name(&map, last).as_deref(), Some("function_59999"));
        assert_eq!(map.symbols.len(), 60_002);
        // It was written anew.
        let other = tempfile::tempfile().unwrap();
        other.write_all_at(b"3000 10 third\n", 0).unwrap();
        map.update(&other, 14);
        assert_eq!(map.symbols.len(), 1);
    }

    #[test]
    fn names_beyond_the_budget_are_left_out() {
        static SMALL: super::super::budget::Budget = super::super::budget::Budget::new(200);
        let mut map = PerfMap {
            reserved: SMALL.nothing(),
            ..PerfMap::default()
        };
        map.add(b"1000 10 first\n2000 10 second\n3000 10 third\n4000 10 fourth\n");
        assert!(map.is_cut());
        assert_eq!(name(&map, 0x1000).as_deref(), Some("first"));
        assert_eq!(name(&map, 0x4000), None);
    }
}
