//! The file of a snapshot: read with care, since the name may be that of
//! anything, and written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::open::check_place;
use crate::output::Snapshot;

/// More than any snapshot has: a run of a hundred thousand processes has less.
const LARGEST: u64 = 64 << 20;

/// What is in the file; `None` if there is none.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(invalid("it is larger than any snapshot, 64 MiB"));
    }
    let text = String::from_utf8(bytes);
    text.map(Some)
        .map_err(|_| invalid("it is no snapshot: it is no text in UTF-8"))
}

/// A regular file. What else there is may never end, or never begin.
fn open(path: &Path) -> io::Result<File> {
    // Of a pipe, the open itself would wait for a writer.
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(invalid("it is no regular file, which a snapshot is"))
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Whether a text is a snapshot that can be compared with, or written over: an
/// older one may be updated, and an empty file filled.
pub(super) fn check(text: &str, update: bool) -> Result<(), String> {
    let begin = text.lines().next().unwrap_or("").trim_end();
    if begin == Snapshot::HEAD || update && text.trim().is_empty() {
        return Ok(());
    }
    let kind = Snapshot::HEAD.trim_end_matches(|c: char| c.is_ascii_digit());
    match begin.strip_prefix(kind) {
        Some(_) if update => Ok(()),
        Some(_) => Err(format!(
            "it is another version's snapshot, {begin:?}; this program compares with {:?}, \
             and --update writes one",
            Snapshot::HEAD
        )),
        None => Err(format!(
            "it is no snapshot, and is left as it is: the first line of one is {:?}",
            Snapshot::HEAD
        )),
    }
}

/// Write a file whole or not at all; where a link leads to it, there.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    check_place(path)?;
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    // Nobody's link: a file that is new, or none.
    File::create_new(&beside)?.write_all(text.as_bytes())?;
    fs::rename(&beside, &path).inspect_err(|_| {
        // It is worth nothing alone.
        let _ = fs::remove_file(&beside);
    })
}
