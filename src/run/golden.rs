//! `--snapshot FILE`: the normal form of this run beside the one that is kept.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::complain;
use super::config::SnapshotFile;
use crate::event::Event;
use crate::ledger::Ledger;
use crate::output::{Snapshot, Styles, diff};
use crate::rules::Finding;

/// A snapshot that is made, and the one that it should be.
pub(super) struct Golden {
    file: SnapshotFile,
    /// What is in the file.
    kept: Option<String>,
    snapshot: Snapshot,
}

impl Golden {
    /// Reads the file: better now than when the run is over.
    ///
    /// # Errors
    /// A sentence on why there is nothing to compare with.
    pub(super) fn open(file: &SnapshotFile) -> Result<Golden, String> {
        let mut file = file.clone();
        let path = file.path.display().to_string();
        if file.update && is_ci() {
            complain(&format!(
                "CI is set, so --update does not write {path}; it is compared"
            ));
            file.update = false;
        }
        let kept = match fs::read_to_string(&file.path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound && file.update => None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!(
                    "there is no {path} (--snapshot) yet; run again with --update to write it"
                ));
            }
            Err(error) => return Err(format!("cannot read {path} (--snapshot): {error}")),
        };
        Ok(Golden {
            file,
            kept,
            snapshot: Snapshot::new(),
        })
    }

    /// Take an event in, after the ledger has.
    pub(super) fn event(&mut self, event: &Event, ledger: &Ledger) {
        self.snapshot.event(event, ledger);
    }

    /// The run is over: how it differs from what is kept, empty if it does
    /// not. With `--update` the file is written, and nothing differs.
    ///
    /// # Errors
    /// A sentence, if the file cannot be written.
    pub(super) fn finish(
        mut self,
        findings: &[Finding],
        styles: &Styles,
    ) -> Result<String, String> {
        let new = self.snapshot.text(findings);
        let kept = self.kept.unwrap_or_default();
        let path = self.file.path.display().to_string();
        if !self.file.update {
            return Ok(diff(&kept, &new, &path, styles));
        }
        if kept != new {
            write(&self.file.path, &new)
                .map_err(|error| format!("cannot write {path} (--snapshot --update): {error}"))?;
        }
        Ok(String::new())
    }
}

/// Write a file whole or not at all.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    // Nobody's link: a file that is new, or none.
    File::create_new(&beside)?.write_all(text.as_bytes())?;
    fs::rename(&beside, path).inspect_err(|_| {
        // It is worth nothing alone.
        let _ = fs::remove_file(&beside);
    })
}

/// Whether a CI runs us, by the variable that all of them set.
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_snapshot_is_not_written_through_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let read = |name| fs::read_to_string(path(name)).unwrap();
        fs::write(path("victim"), "old").unwrap();
        symlink("victim", path("a.snap")).unwrap();
        write(&path("a.snap"), "new").unwrap();
        assert_eq!(
            (read("victim"), read("a.snap")),
            ("old".into(), "new".into())
        );
        let beside = format!("b.snap.{}", std::process::id());
        symlink("victim", path(&beside)).unwrap();
        write(&path("b.snap"), "new").unwrap_err();
        assert_eq!(read("victim"), "old");
    }
}
