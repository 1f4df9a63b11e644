//! `/proc/PID/maps`: what code is mapped where.

use std::ops::Range;
use std::sync::Arc;

/// Executable memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// Where it is.
    pub(super) memory: Range<u64>,
    /// The file, and where its first byte is in that; `None` for memory that
    /// is from no file.
    pub(super) file: Option<(Arc<Source>, u64)>,
}

/// A file as `/proc/PID/maps` names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source {
    /// Its path in the process's own mount namespace.
    pub(super) path: Arc<[u8]>,
    /// Its inode; its device is not told on every file system as `stat` tells
    /// it.
    pub(super) inode: u64,
}

/// The executable mappings, in the order of their addresses.
pub(super) fn parse(text: &[u8]) -> Vec<Mapping> {
    let lines = text.split(|byte| *byte == b'\n');
    let mut mappings: Vec<Mapping> = lines.filter_map(mapping).collect();
    mappings.sort_by_key(|mapping| mapping.memory.start);
    mappings
}

/// `55d8f3a00000-55d8f3a21000 r-xp 00004000 fe:00 1234      /usr/bin/dash`
fn mapping(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let mut next = || {
        fields
            .next()
            .and_then(|field| std::str::from_utf8(field).ok())
    };
    let (from, to) = next()?.split_once('-')?;
    let memory = u64::from_str_radix(from, 16).ok()?..u64::from_str_radix(to, 16).ok()?;
    if next()?.as_bytes().get(2) != Some(&b'x') || memory.is_empty() {
        return None;
    }
    let offset = u64::from_str_radix(next()?, 16).ok()?;
    let _device = next()?;
    let inode = next()?.parse().ok()?;
    let path = fields.next().unwrap_or_default().trim_ascii_start();
    let file = (inode != 0).then(|| {
        let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
        let path = unescaped(path).into();
        (Arc::new(Source { path, inode }), offset)
    });
    Some(Mapping { memory, file })
}

/// The kernel writes a newline in a path as `\012`, and nothing else so.
fn unescaped(path: &[u8]) -> Vec<u8> {
    let mut rest = path;
    let mut plain = Vec::with_capacity(path.len());
    while let Some((first, behind)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(br"\012") {
            plain.push(b'\n');
            rest = behind;
        } else {
            plain.push(*first);
            rest = behind;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executable_mappings_are_taken() {
        let text = b"\
55d8f3a00000-55d8f3a04000 r--p 00000000 fe:00 1234                       /usr/bin/da sh
55d8f3a04000-55d8f3a21000 r-xp 00004000 fe:00 1234                       /usr/bin/da sh
7f0000000000-7f0000001000 rwxp 00000000 00:00 0
7f0000002000-7f0000003000 r-xp 00000000 00:05 77                         /tmp/a\\012b (deleted)
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                          [vdso]
nonsense
";
        let mappings = parse(text);
        let told: Vec<_> = mappings
            .iter()
            .map(|mapping| {
                let file = mapping.file.as_ref();
                let file = file.map(|(source, offset)| {
                    let path = String::from_utf8_lossy(&source.path).into_owned();
                    (path, source.inode, *offset)
                });
                (mapping.memory.start, file)
            })
            .collect();
        assert_eq!(
            told,
            [
                (
                    0x55d8_f3a0_4000,
                    Some(("/usr/bin/da sh".to_owned(), 1234, 0x4000))
                ),
                (0x7f00_0000_0000, None),
                (0x7f00_0000_2000, Some(("/tmp/a\nb".to_owned(), 77, 0))),
                (0x7ffd_0000_0000, None),
            ]
        );
    }
}
