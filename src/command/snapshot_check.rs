//! `--snapshot FILE`: the normal form of this run beside the one that is kept.

use super::complain;
use super::mode::SnapshotFile;
use super::snapshot_file;
use crate::event::Event;
use crate::ledger::Ledger;
use crate::output::{Snapshot, Styles, diff};
use crate::rules::Finding;

/// A snapshot that is made, and the one that it should be.
pub(super) struct SnapshotCheck {
    file: SnapshotFile,
    /// What is in the file.
    kept: Option<String>,
    snapshot: Snapshot,
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
        let kept = match snapshot_file::read(&file.path) {
            Ok(text) => text,
            Err(error) => return Err(format!("cannot read {path} (--snapshot): {error}")),
        };
        let kept = match kept {
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
            kept => kept,
        };
        if let Some(text) = &kept {
            snapshot_file::check(text, file.update)
                .map_err(|why| format!("{path} (--snapshot): {why}"))?;
        }
        Ok(SnapshotCheck {
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
            snapshot_file::write(&self.file.path, &new)
                .map_err(|error| format!("cannot write {path} (--snapshot --update): {error}"))?;
        }
        Ok(String::new())
    }
}

/// Whether a CI runs us, by the variable that all of them set.
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}
