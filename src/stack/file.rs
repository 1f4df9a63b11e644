//! The files that code is mapped from, and those that tell more of it.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use super::maps::Source;
use crate::kernel::Tgid;

/// Where Debian, Fedora and others keep what was stripped.
const DEBUG: &str = "/usr/lib/debug";

/// A file as long as nobody writes it: one that was built anew is another,
/// even by the same path and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Identity {
    fn of(meta: &Metadata) -> Identity {
        Identity {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.len(),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// Reads a file from a place of its own, whoever else reads it.
pub(super) struct Reader {
    file: Arc<File>,
    at: u64,
}

impl Reader {
    pub(super) fn new(file: Arc<File>) -> Reader {
        Reader { file, at: 0 }
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(offset) => (self.at, offset),
            SeekFrom::End(offset) => (self.file.metadata()?.len(), offset),
        };
        let at = base.checked_add_signed(offset);
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Open the file that a process has mapped: by its path as the process sees
/// it, or as we do if the process is gone; in the last place by the mapping
/// itself, which needs privilege but finds what was deleted.
pub(super) fn open_mapped(source: &Source, tgid: Tgid) -> Option<(File, Identity)> {
    let path = Path::new(OsStr::from_bytes(&source.path));
    let seen = Path::new("/proc").join(tgid.to_string()).join("root");
    let seen = seen.join(path.strip_prefix("/").unwrap_or(path));
    let by_path = [seen, path.to_owned()];
    let mut files = by_path.iter().filter_map(|path| open_regular(path).ok());
    files
        .find(|(_, identity)| identity.inode == source.inode)
        .or_else(|| open_by_mapping(source, tgid))
}

fn open_by_mapping(source: &Source, tgid: Tgid) -> Option<(File, Identity)> {
    let entries = std::fs::read_dir(format!("/proc/{tgid}/map_files")).ok()?;
    let mut files = entries.filter_map(|entry| open_regular(&entry.ok()?.path()).ok());
    files.find(|(_, identity)| identity.inode == source.inode)
}

/// Open a file if it is a regular one: a pipe that a tracee put in its place
/// must not hold us.
fn open_regular(path: &Path) -> io::Result<(File, Identity)> {
    // Even to open some devices does something to them.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() {
        Ok((file, Identity::of(&meta)))
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

/// The file that has what was stripped from a file with this build id.
pub(super) fn open_debug_by_id(id: &[u8]) -> Option<File> {
    let (first, rest) = id.split_first()?;
    let mut path = format!("{DEBUG}/.build-id/{first:02x}/");
    for byte in rest {
        // Writing to a String cannot fail.
        let _ = write!(path, "{byte:02x}");
    }
    path.push_str(".debug");
    open_regular(Path::new(&path)).ok().map(|(file, _)| file)
}

/// The file that has what was stripped from the file of this path, which
/// names it in a `.gnu_debuglink`.
pub(super) fn open_debug_by_link(path: &[u8], link: &[u8]) -> Option<File> {
    let path = Path::new(OsStr::from_bytes(path));
    let link = Path::new(OsStr::from_bytes(link)).file_name()?;
    let folder = path.parent()?;
    let under = Path::new(DEBUG).join(folder.strip_prefix("/").unwrap_or(folder));
    let places = [
        folder.join(link),
        folder.join(".debug").join(link),
        under.join(link),
    ];
    // Without debug information a file may name itself.
    let mut files = places.iter().filter(|place| *place != path);
    files.find_map(|place| Some(open_regular(place).ok()?.0))
}

/// The file with what several have in common (`.gnu_debugaltlink`).
pub(super) fn open_common(path: &[u8], link: &[u8]) -> Option<File> {
    let folder = Path::new(OsStr::from_bytes(path)).parent()?;
    // An absolute link takes the folder's place.
    let (file, _) = open_regular(&folder.join(OsStr::from_bytes(link))).ok()?;
    Some(file)
}
