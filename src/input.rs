//! Opens files that the user names to be read. Any file can have that name, and one
//! that is not regular may block the open, or never end.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// A regular file.
///
/// # Errors
/// If it cannot be opened or is no regular file.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    open(path, |kind| kind.is_file())
}

/// A regular file, or a device, as `/dev/null` is one.
///
/// # Errors
/// If it cannot be opened or is neither.
pub(crate) fn open_file_or_device(path: &Path) -> io::Result<File> {
    open(path, |kind| kind.is_file() || kind.is_char_device())
}

fn open(path: &Path, accepts: impl Fn(FileType) -> bool) -> io::Result<File> {
    // The open of a FIFO would block until there is a writer.
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let kind = file.metadata()?.file_type();
    if accepts(kind) {
        return Ok(file);
    }
    Err(invalid(if kind.is_dir() {
        "it is a directory and no regular file: name a file in it"
    } else {
        "it is no regular file: write what it gives to a file, and name that"
    }))
}

/// The whole of a text of at most so many MiB; `what` names what it should be.
///
/// # Errors
/// If it is longer, cannot be read or is not text.
pub(crate) fn read_text(file: File, mebibytes: u64, what: &str) -> io::Result<String> {
    let largest = mebibytes << 20;
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        return Err(invalid(&format!(
            "it is longer than {mebibytes} MiB, the most that is read"
        )));
    }
    String::from_utf8(bytes)
        .map_err(|_| invalid(&format!("it is no {what}: it is no text in UTF-8")))
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
