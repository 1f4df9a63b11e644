//! The flags that say where output goes, and which of them go together.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::command::mode::{OutputTo, SnapshotFile};
use crate::output::Picture;

/// `-o`
#[derive(Debug, Default, Args)]
pub(super) struct OutputFlag {
    /// Write to a file, or to a command: -o '|command'
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FILE",
        help_heading = "How to show it"
    )]
    output: Option<OsString>,
}

/// `--timeline`
#[derive(Debug, Default, Args)]
pub(super) struct TimelineFlag {
    /// Draw the run: .html, .svg, or .json for Perfetto
    #[arg(long, value_name = "FILE", help_heading = "What to show")]
    timeline: Option<PathBuf>,
}

/// `--snapshot`
#[derive(Debug, Default, Args)]
pub(super) struct SnapshotFlags {
    /// Exit with 121 if the run is not as FILE has it
    #[arg(long, value_name = "FILE", help_heading = "What is wrong")]
    snapshot: Option<PathBuf>,
    /// Write the snapshot
    #[arg(
        long,
        requires = "snapshot",
        hide_short_help = true,
        help_heading = "What is wrong"
    )]
    update: bool,
}

impl OutputFlag {
    /// Where the lines go; `split` is a file for each task.
    pub(super) fn resolve(&self, split: bool) -> Result<OutputTo, String> {
        let Some(output) = &self.output else {
            return if split {
                Err("-ff writes a file for each task: name their prefix with -o FILE".into())
            } else {
                Ok(OutputTo::Stderr)
            };
        };
        match output.as_bytes() {
            [b'|' | b'!', ..] if split => {
                Err("-ff and a command in -o exclude each other: -ff writes files".into())
            }
            [b'|' | b'!', command @ ..] => {
                Ok(OutputTo::Command(OsString::from_vec(command.to_vec())))
            }
            _ if split => Ok(OutputTo::PerTask(PathBuf::from(output))),
            _ => Ok(OutputTo::File(PathBuf::from(output))),
        }
    }
}

impl TimelineFlag {
    /// Whether a picture is wanted.
    pub(super) fn is_given(&self) -> bool {
        self.timeline.is_some()
    }

    /// The picture, and its file.
    pub(super) fn resolve(self) -> Result<Option<(Picture, PathBuf)>, String> {
        self.timeline.map(picture).transpose()
    }
}

impl SnapshotFlags {
    /// Whether the run is compared with a snapshot.
    pub(super) fn is_given(&self) -> bool {
        self.snapshot.is_some()
    }

    /// The snapshot's file.
    pub(super) fn resolve(self) -> Option<SnapshotFile> {
        let update = self.update;
        self.snapshot.map(|path| SnapshotFile { path, update })
    }
}

/// The kind of picture that a file is to hold.
fn picture(path: PathBuf) -> Result<(Picture, PathBuf), String> {
    let picture = Picture::of(&path).ok_or_else(|| {
        format!(
            "--timeline {}: the name says what is drawn: FILE.html, FILE.svg, or FILE.json for \
             Perfetto",
            path.display()
        )
    })?;
    Ok((picture, path))
}

/// `--record` writes a file, and nothing else.
pub(super) fn check_record(path: Option<&Path>) -> Result<(), String> {
    let instead = match path.map(Path::as_os_str).map(OsStr::as_bytes) {
        Some([b'|' | b'!', ..]) => "a command gets the lines by --format json -o '|command'",
        Some(b"-") => {
            "standard output gets the lines by --format json -o -, or is named /dev/stdout"
        }
        _ => return Ok(()),
    };
    Err(format!("--record writes a file: {instead}"))
}
