//! Which file a process has mapped where, and where it may have stacks.

use std::ops::Range;
use std::sync::Arc;

use crate::proc::{self, mappings};

/// A mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// Its addresses.
    pub(super) memory: Range<u64>,
    /// The file, and the file offset of the first byte; `None` for anonymous memory.
    pub(super) file: Option<(Arc<Source>, u64)>,
    /// It is the kernel's own code: `[vdso]`.
    is_kernels: bool,
}

impl Mapping {
    fn of(mapped: proc::Mapping<'_>) -> Mapping {
        let proc::Mapping {
            memory,
            offset,
            inode,
            name,
            ..
        } = mapped;
        let file = (inode != 0).then(|| {
            let path = name.strip_suffix(b" (deleted)").unwrap_or(name);
            let path = unescaped(path).into();
            (Arc::new(Source { path, inode }), offset)
        });
        // A name in brackets that the process gave has a colon: `[anon:code]`.
        let is_kernels = [&b"[v"[..], b"[uprobes"]
            .iter()
            .any(|mark| name.starts_with(mark));
        Mapping {
            memory,
            file,
            is_kernels,
        }
    }

    /// A mapping of a file, from this offset on.
    #[cfg(test)]
    pub(super) fn of_file(memory: Range<u64>, source: Source) -> Mapping {
        Mapping {
            memory,
            file: Some((Arc::new(source), 0)),
            is_kernels: false,
        }
    }

    /// Whether the process can have made its code itself: it is anonymous memory, or
    /// a file that has no name.
    pub(super) fn is_made(&self) -> bool {
        const NAMELESS: [&[u8]; 4] = [b"/memfd:", b"/anon_hugepage", b"/dev/zero", b"/SYSV"];
        match &self.file {
            None => !self.is_kernels,
            Some((source, _)) => NAMELESS.iter().any(|name| source.path.starts_with(name)),
        }
    }
}

/// A file as `/proc/PID/maps` names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source {
    /// Its path in the process's own mount namespace.
    pub(super) path: Arc<[u8]>,
    /// Its inode. Its device is not included: on some file systems it differs from that
    /// of `stat`.
    pub(super) inode: u64,
}

/// The mappings of a process, sorted by address.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Maps {
    /// The executable mappings.
    pub(super) code: Vec<Mapping>,
    /// Writable memory, which may contain stacks.
    pub(super) data: Vec<Range<u64>>,
}

impl Maps {
    pub(super) fn parse(text: &[u8]) -> Maps {
        let mut maps = Maps::default();
        for mapped in mappings(text) {
            let [_, write, execute, _] = mapped.rights;
            if write == b'w' {
                maps.data.push(mapped.memory.clone());
            }
            if execute == b'x' {
                maps.code.push(Mapping::of(mapped));
            }
        }
        maps.code.sort_by_key(|mapping| mapping.memory.start);
        maps.data.sort_by_key(|memory| memory.start);
        maps
    }
}

/// Of all bytes the kernel only escapes a newline in a path, as `\012`.
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
    fn executable_and_writable_mappings_are_taken() {
        let text = b"\
55d8f3a00000-55d8f3a04000 r--p 00000000 fe:00 1234                       /usr/bin/da sh
55d8f3a04000-55d8f3a21000 r-xp 00004000 fe:00 1234                       /usr/bin/da sh
7f0000000000-7f0000001000 rwxp 00000000 00:00 0
7f0000002000-7f0000003000 r-xp 00000000 00:05 77                         /tmp/a\\012b (deleted)
7f0000004000-7f0000003000 rw-p 00000000 00:00 0
7f0000005000-7f0000006000 rw-p 00000000 00:00 0
7f0000006000-7f0000007000 ---p 00000000 00:00 0
7f0000008000-7f0000009000 r-xp 00000000 00:00 0                          [anon:v8]
7f000000a000-7f000000b000 r-xp 00000000 00:01 99                         /memfd:doublemapper (deleted)
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                          [vdso]
nonsense
";
        let maps = Maps::parse(text);
        let data = [
            0x7f00_0000_0000..0x7f00_0000_1000,
            0x7f00_0000_5000..0x7f00_0000_6000,
        ];
        assert_eq!(maps.data, data);
        let names: Vec<_> = maps
            .code
            .iter()
            .map(|mapping| {
                let file = mapping.file.as_ref();
                let file = file.map(|(source, offset)| {
                    let path = String::from_utf8_lossy(&source.path).into_owned();
                    (path, source.inode, *offset)
                });
                (mapping.memory.start, file, mapping.is_made())
            })
            .collect();
        assert_eq!(
            names,
            [
                (
                    0x55d8_f3a0_4000,
                    Some(("/usr/bin/da sh".to_owned(), 1234, 0x4000)),
                    false
                ),
                (0x7f00_0000_0000, None, true),
                (
                    0x7f00_0000_2000,
                    Some(("/tmp/a\nb".to_owned(), 77, 0)),
                    false
                ),
                (0x7f00_0000_8000, None, true),
                (
                    0x7f00_0000_a000,
                    Some(("/memfd:doublemapper".to_owned(), 99, 0)),
                    true
                ),
                (0x7ffd_0000_0000, None, false),
            ]
        );
    }
}
