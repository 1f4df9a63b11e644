//! Opens the files that code is mapped from, and their separate debug files. An
//! access to any of them may block for ever: see `work_queue`.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::maps::Source;
use super::watch;
use crate::kernel::Tgid;

/// Where Debian, Fedora and others install separate debug files.
const DEBUG: &str = "/usr/lib/debug";

/// Identifies a file as long as it is not written: a rebuilt file is another, even
/// with the same path and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Identity {
    #[cfg(test)]
    pub(super) fn inode(&self) -> u64 {
        self.inode
    }

    fn of(meta: &Metadata) -> Identity {
        Identity {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.len(),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// How many files are held at once, for all processes: descriptors are scarce.
const MOST_HELD: usize = 128;

/// How many are held.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// The files that a process has mapped, held so that they can be opened when it is
/// gone. To hold one does not access the file itself: `O_PATH` on a link of
/// `/proc`.
#[derive(Default)]
pub(super) struct Handles {
    /// By mapping; this needs privilege, and also finds deleted files.
    mapped: Vec<(Range<u64>, HeldFile)>,
    /// The root directory of the process, in which other paths are resolved.
    root: Option<HeldFile>,
}

impl Handles {
    /// Holds what a process has mapped at these addresses.
    pub(super) fn hold<'a>(tgid: Tgid, places: impl Iterator<Item = &'a Range<u64>>) -> Handles {
        let mut handles = Handles {
            root: hold_root(tgid),
            mapped: Vec::new(),
        };
        for memory in places {
            let Range { start, end } = memory;
            let Some(file) = hold(&format!("/proc/{tgid}/map_files/{start:x}-{end:x}")) else {
                // The others would most likely fail too.
                break;
            };
            handles.mapped.push((memory.clone(), file));
        }
        handles
    }

    /// Opens the file that is mapped there: by its mapping, by its path as the process
    /// sees it, or as we do.
    pub(super) fn open(&self, memory: &Range<u64>, source: &Source) -> Option<(File, Identity)> {
        let mut mapped = self.mapped.iter();
        if let Some((_, file)) = mapped.find(|(range, _)| range == memory)
            && let Ok(opened) = open_regular(&file.link())
        {
            return Some(opened);
        }
        let path = Path::new(OsStr::from_bytes(&source.path));
        let below = path.strip_prefix("/").unwrap_or(path);
        let by_root = self.root.as_ref().map(|root| root.link().join(below));
        let paths = by_root.into_iter().chain([path.to_owned()]);
        let mut files = paths.filter_map(|path| open_regular(&path).ok());
        files.find(|(_, identity)| identity.inode == source.inode)
    }
}

/// A file held by an `O_PATH` descriptor.
pub(super) struct HeldFile(OwnedFd);

/// Holds the root directory of a process.
pub(super) fn hold_root(tgid: Tgid) -> Option<HeldFile> {
    hold(&format!("/proc/{tgid}/root"))
}

/// Holds the target of a link, unless too many are held.
pub(super) fn hold(link: &str) -> Option<HeldFile> {
    if HELD.fetch_add(1, Relaxed) < MOST_HELD {
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        if let Ok(file) = open(link, flags, Mode::empty()) {
            return Some(HeldFile(file));
        }
    }
    HELD.fetch_sub(1, Relaxed);
    None
}

impl HeldFile {
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// A path to the held file.
    fn link(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

impl Drop for HeldFile {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Relaxed);
    }
}

/// Opens a file again, to read it, that was opened by `O_PATH` and is a regular one.
pub(super) fn open_held(file: &File) -> io::Result<File> {
    let mut options = File::options();
    options
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    watch::during(|| options.open(link))
}

/// Opens the memory of a process.
pub(super) fn open_memory(tgid: Tgid) -> io::Result<File> {
    let path = format!("/proc/{tgid}/mem");
    watch::during(|| File::open(path))
}

/// Opens a file again by its path, if it is still the same.
pub(super) fn open_again(path: &[u8], identity: Identity) -> Option<File> {
    let (file, now) = open_regular(Path::new(OsStr::from_bytes(path))).ok()?;
    (now == identity).then_some(file)
}

/// Opens a file if it is a regular one: a FIFO that a tracee put in its place must
/// not block us.
pub(super) fn open_regular(path: &Path) -> io::Result<(File, Identity)> {
    // The open of some devices has side effects.
    if !watch::during(|| std::fs::metadata(path))?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let mut options = File::options();
    let options = options.read(true).custom_flags(flags);
    let file = watch::during(|| options.open(path))?;
    let meta = watch::during(|| file.metadata())?;
    if meta.is_file() {
        Ok((file, Identity::of(&meta)))
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

/// The separate debug file of a file with this build id.
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

/// The separate debug file that the file of this path names in its
/// `.gnu_debuglink`.
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
    // A file without debug information may name itself.
    let mut files = places.iter().filter(|place| *place != path);
    files.find_map(|place| Some(open_regular(place).ok()?.0))
}

/// The file with debug information that several share (`.gnu_debugaltlink`).
pub(super) fn open_common(path: &[u8], link: &[u8]) -> Option<File> {
    let folder = Path::new(OsStr::from_bytes(path)).parent()?;
    // An absolute link replaces the folder.
    let (file, _) = open_regular(&folder.join(OsStr::from_bytes(link))).ok()?;
    Some(file)
}
