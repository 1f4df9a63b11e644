//! The line of an instruction, by the location table of a code object
//! (`co_linetable`, CPython 3.11 and later; described in CPython's
//! `InternalDocs/code_objects.md`).

/// Kinds of entries.
const ONE_LINE: std::ops::RangeInclusive<u8> = 10..=12;
const NO_COLUMNS: u8 = 13;
const LONG: u8 = 14;
const NO_LOCATION: u8 = 15;

/// The line of the instruction at this index, in code units; `first` is the line that
/// the table counts from. `None` if the table gives it no line, or is malformed.
pub(super) fn line(table: &[u8], first: i32, unit: u64) -> Option<u32> {
    let mut line = i64::from(first);
    let mut end = 0;
    let mut rest = table;
    while let [head, behind @ ..] = rest {
        // The first byte of an entry alone has its high bit set.
        let kind = (head & 0x80 != 0).then_some(head >> 3 & 0xf)?;
        let payload = behind.iter().take_while(|byte| **byte & 0x80 == 0).count();
        let (payload, next) = behind.split_at_checked(payload)?;
        rest = next;
        end += u64::from(head & 7) + 1;
        line += match kind {
            NO_COLUMNS | LONG => signed(payload)?,
            kind if ONE_LINE.contains(&kind) => i64::from(kind - ONE_LINE.start()),
            _ => 0,
        };
        if unit < end {
            let line = (kind != NO_LOCATION).then_some(line)?;
            return u32::try_from(line).ok().filter(|line| *line > 0);
        }
    }
    None
}

/// The signed number that these bytes begin with: six bits a byte, the lowest first,
/// and the lowest bit of all is the sign.
fn signed(bytes: &[u8]) -> Option<i64> {
    const MORE: u8 = 0x40;
    let mut value: u32 = 0;
    for (index, byte) in (0..).zip(bytes) {
        let part = u32::from(byte & 0x3f);
        value |= part
            .checked_shl(6 * index)
            .filter(|all| all >> (6 * index) == part)?;
        if byte & MORE == 0 {
            let size = i64::from(value >> 1);
            return Some(if value & 1 == 0 { size } else { -size });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of an entry for so many code units.
    fn head(kind: u8, units: u8) -> u8 {
        0x80 | kind << 3 | (units - 1)
    }

    #[test]
    fn each_kind_of_entry_moves_the_line_as_it_says() {
        let table = [
            &[head(15, 1)][..],
            &[head(0, 2), 0x12],
            &[head(11, 1), 4, 9],
            &[head(12, 8), 4, 9],
            // 100 lines further: 200, in two bytes.
            &[head(13, 1), 0x40 | (200 % 64), 200 / 64],
            // Two lines back: 5; then an end line and columns.
            &[head(14, 1), 5, 0, 1, 2],
        ];
        let table = table.concat();
        let at = |unit| line(&table, 10, unit);
        assert_eq!(at(0), None, "it has no location");
        assert_eq!([at(1), at(2)], [Some(10); 2]);
        assert_eq!(at(3), Some(11));
        assert_eq!([at(4), at(11)], [Some(13); 2]);
        assert_eq!(at(12), Some(113));
        assert_eq!(at(13), Some(111));
        assert_eq!([at(14), at(u64::MAX)], [None; 2]);
    }

    #[test]
    fn a_malformed_table_gives_no_line() {
        assert_eq!(line(&[], 1, 0), None);
        assert_eq!(line(&[0x12], 1, 0), None);
        assert_eq!(line(&[head(13, 1)], 1, 0), None, "there is no number");
        assert_eq!(line(&[head(13, 1), 0x7f], 1, 0), None, "it has no end");
        let endless = [&[head(14, 1)][..], &[0x7f; 40]].concat();
        assert_eq!(line(&endless, 1, 0), None);
        assert_eq!(line(&[head(13, 1), 41], 10, 0), None, "a line below 1");
        assert_eq!(line(&[head(12, 1)], i32::MAX, 0), Some(1 << 31 | 1));
    }
}
