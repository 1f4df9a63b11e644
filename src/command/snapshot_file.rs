//! The file of a snapshot: read with care, since the name may be that of
//! anything, and written whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use super::output_target::check_place;
use crate::input::{open_regular, read_text};
use crate::output::Snapshot;

/// MiB, more than any snapshot has: a run of a hundred thousand processes has less.
const LARGEST: u64 = 64;

/// What is in the file; `None` if there is none.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match open_regular(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    read_text(file, LARGEST, "snapshot").map(Some)
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
    // Follows no link: the file is new, or it is an error.
    let file = File::create_new(&beside)?;
    let written = fill(file, &path, text).and_then(|()| fs::rename(&beside, &path));
    written.inspect_err(|_| {
        // It is worth nothing alone.
        let _ = fs::remove_file(&beside);
    })
}

/// Write a file that takes the place of `old`, with the rights of that.
fn fill(mut file: File, old: &Path, text: &str) -> io::Result<()> {
    match fs::metadata(old) {
        Ok(old) => {
            // Root alone may give a file away; it stays ours then.
            let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
            file.set_permissions(Permissions::from_mode(old.mode() & 0o777))?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    file.write_all(text.as_bytes())
}
