//! `/proc/PID/maps`: what is mapped where (`man 5 proc_pid_maps`).

use std::ops::Range;

/// A mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping<'a> {
    /// Its addresses; there are some.
    pub(crate) memory: Range<u64>,
    /// `r`, `w` and `x`, each or `-`, and `p` or `s`.
    pub(crate) rights: [u8; 4],
    /// Of its first byte, in its file.
    pub(crate) offset: u64,
    /// The device of its file, as `00:01`.
    pub(crate) device: &'a [u8],
    /// The inode of its file; 0 without one.
    pub(crate) inode: u64,
    /// The path of its file or a name in brackets, as the kernel prints it: a newline is
    /// `\012`, and ` (deleted)` follows where that is so. Empty without one.
    pub(crate) name: &'a [u8],
}

/// The mappings of a process, in the order of the text. What cannot be read is left out.
pub(crate) fn mappings(text: &[u8]) -> impl Iterator<Item = Mapping<'_>> {
    text.split(|byte| *byte == b'\n').filter_map(mapping)
}

/// The mapping that has this address.
pub(super) fn mapping_at(text: &[u8], address: u64) -> Option<Mapping<'_>> {
    mappings(text).find(|mapping| mapping.memory.contains(&address))
}

/// `55d8f3a00000-55d8f3a21000 r-xp 00004000 fe:00 1234      /usr/bin/dash`
fn mapping(line: &[u8]) -> Option<Mapping<'_>> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let mut next = || fields.next().and_then(|field| str::from_utf8(field).ok());
    let (from, to) = next()?.split_once('-')?;
    let memory = u64::from_str_radix(from, 16).ok()?..u64::from_str_radix(to, 16).ok()?;
    let rights = *next()?.as_bytes().first_chunk()?;
    let offset = u64::from_str_radix(next()?, 16).ok()?;
    let (device, inode) = (next()?.as_bytes(), next()?.parse().ok()?);
    let name = fields.next().unwrap_or_default().trim_ascii_start();
    (!memory.is_empty()).then_some(Mapping {
        memory,
        rights,
        offset,
        device,
        inode,
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_found_by_an_address() {
        let maps = b"55d0a000-55d0b000 rw-p 00001000 fe:00 11                 /bin/x y\n\
            nonsense\n\
            7f2c4a000000-7f2c4a001000 rw-s 00000000 00:01 2052       /dev/zero (deleted)\n\
            7f2c4a002000-7f2c4a001000 rw-p 00000000 00:00 0\n\
            7f2c4a001000-7f2c4a002000 rw-p 00000000 00:00 0 \n";
        let own = mapping_at(maps, 0x55d0_a000).unwrap();
        assert_eq!((own.rights, own.offset), (*b"rw-p", 0x1000));
        assert_eq!(own.name, b"/bin/x y");
        let shared = mapping_at(maps, 0x7f2c_4a00_0fff).unwrap();
        assert_eq!((shared.device, shared.inode), (&b"00:01"[..], 2052));
        assert_eq!(shared.name, b"/dev/zero (deleted)");
        assert_eq!(mapping_at(maps, 0x7f2c_4a00_1000).unwrap().name, b"");
        assert_eq!(mapping_at(maps, 0x10), None);
        assert_eq!(mappings(maps).count(), 3);
    }
}
