//! String objects of CPython, as text.

use super::layout::Layout;
use super::reader::Reader;

/// Longer strings are not read, in characters: paths and names are shorter.
const MOST: u64 = 4096;

/// The size of a character in bytes, and whether all are in ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    size: u64,
    is_ascii: bool,
}

impl Kind {
    /// By the state of a string object: bit fields, of which the first tells whether the
    /// string is interned. It is at most 3, and has 2, 8 or 16 bits, depending on the
    /// version and build; the next one, the size, is never 0. Bits behind the fields are
    /// not set to anything. `None` for a string whose characters are elsewhere.
    fn of(state: u32) -> Option<Kind> {
        let fields = match state {
            _ if state & 0xffff <= 3 => state >> 16,
            _ if state & 0xff <= 3 => state >> 8,
            _ => state >> 2,
        };
        let size = fields & 7;
        let [is_compact, is_ascii] = [3, 4].map(|bit| fields >> bit & 1 != 0);
        let is_sound = is_compact && matches!(size, 1 | 2 | 4) && (!is_ascii || size == 1);
        is_sound.then_some(Kind {
            size: size.into(),
            is_ascii,
        })
    }
}

/// The text of the string object at an address, if it has this type.
pub(super) fn text(
    reader: &Reader<'_>,
    layout: &Layout,
    kind: u64,
    address: u64,
) -> Option<String> {
    let fields = &layout.text;
    let head = reader.block(address, usize::try_from(fields.compact).ok()?)?;
    if head.word(layout.object_type)? != kind {
        return None;
    }
    let length = head.word(fields.length).filter(|length| *length <= MOST)?;
    let Kind { size, is_ascii } = Kind::of(head.half(fields.state)?)?;
    let start = if is_ascii {
        fields.ascii
    } else {
        fields.compact
    };
    let bytes = usize::try_from(length * size).ok()?;
    let block = reader.block(address.checked_add(start)?, bytes)?;
    let character = |bytes: &[u8]| {
        let code = bytes
            .iter()
            .rev()
            .fold(0, |code, byte| code << 8 | u32::from(*byte));
        // A byte of a path that is not UTF-8 is a lone surrogate.
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
    };
    let characters = block.bytes().chunks_exact(usize::try_from(size).ok()?);
    Some(characters.map(character).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_string_is_read_in_each_form() {
        let ascii = Kind {
            size: 1,
            is_ascii: true,
        };
        let wide = Kind {
            size: 2,
            is_ascii: false,
        };
        // Interned in 2 bits (with `ready` above), in 8, in 16.
        for state in [0x64, 0x65, 0xe7, 0xabcd_ef65, 0x1900, 0x3903, 0x0019_0001] {
            assert_eq!(Kind::of(state), Some(ascii), "{state:#x}");
        }
        assert_eq!(Kind::of(0x28 | 1), Some(wide));
        let unsound = [
            0,
            3,
            0x44,
            0x0c,
            0x2c,
            0x68,
            0x0001_0001,
            0x0900_0000,
            u32::MAX,
        ];
        for state in unsound {
            assert_eq!(Kind::of(state), None, "{state:#x}");
        }
    }
}
