//! `--snapshot FILE`: the normal form of this run, compared with the file's.

use super::complain;
use super::mode::SnapshotFile;
use super::snapshot_file;
use crate::output::{Styles, diff};

/// The file of a snapshot, and what is in it.
pub(super) struct SnapshotCheck {
    file: SnapshotFile,
    /// None if it is not there.
    text: Option<String>,
}

impl SnapshotCheck {
    /// Reads the file: better now than when the run is over.
    ///
    /// # Errors
    /// A sentence on why there is nothing to compare with.
    pub(super) fn open(file: &SnapshotFile) -> Result<SnapshotCheck, String> {
        let mut file = file.clone();
        let path = file.path.display().to_string();
        if file.update && is_ci() {
            complain(&format!(
                "CI is set, so --update does not write {path}; it is compared"
            ));
            file.update = false;
        }
        let text = match snapshot_file::read(&file.path) {
            Ok(text) => text,
            Err(error) => return Err(format!("cannot read {path} (--snapshot): {error}")),
        };
        let text = match text {
            None if !file.update => {
                return Err(format!(
                    "there is no {path} (--snapshot) yet; run again with --update to write it"
                ));
            }
            Some(text) if !file.update && text.trim().is_empty() => {
                return Err(format!(
                    "{path} (--snapshot) is empty; run again with --update to write it"
                ));
            }
            text => text,
        };
        if let Some(text) = &text {
            snapshot_file::check(text, file.update)
                .map_err(|why| format!("{path} (--snapshot): {why}"))?;
        }
        Ok(SnapshotCheck { file, text })
    }

    /// How the snapshot of the run differs from the file's, empty if it does
    /// not. With `--update` the file is written, and nothing differs.
    ///
    /// # Errors
    /// A sentence, if the file cannot be written.
    pub(super) fn finish(self, new: &str, styles: &Styles) -> Result<String, String> {
        let old = self.text.unwrap_or_default();
        let path = self.file.path.display().to_string();
        if !self.file.update {
            return Ok(diff(&old, new, &path, styles));
        }
        if old != new {
            snapshot_file::write(&self.file.path, new)
                .map_err(|error| format!("cannot write {path} (--snapshot --update): {error}"))?;
        }
        Ok(String::new())
    }
}

/// Whether a CI runs us, by the variable that all of them set.
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}
