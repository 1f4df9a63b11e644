//! Whether one file is named twice: what is written would be lost, or be lost
//! before it is read. Asked before anything is opened, since that truncates.
//!
//! Devices, terminals and pipes may be shared; who writes to them twice gets
//! both.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::{FileStat, SFlag, fstat};

use super::mode::{OutputOptions, OutputTo};
use crate::records;

/// How many links lead to a file at most.
const MOST_LINKS: usize = 40;

/// A file that a flag names.
struct Place {
    flag: &'static str,
    name: PathBuf,
    writes: bool,
    file: Which,
}

/// Which file that is.
#[derive(PartialEq, Eq)]
enum Which {
    /// A regular file that is there.
    There { dev: u64, ino: u64, path: PathBuf },
    /// One that is not there yet.
    Absent(PathBuf),
    /// This with a dot and a pid, for any pid.
    Each(PathBuf),
    /// No regular file.
    Shared,
}

/// Check the files that the flags name.
///
/// # Errors
/// A sentence on two that are one.
pub(super) fn check(record: Option<&Path>, options: &OutputOptions) -> Result<(), String> {
    let places = places(record, options);
    for (count, one) in places.iter().enumerate() {
        for other in places.iter().take(count) {
            if one.harms(other) {
                return Err(one.against(other));
            }
        }
    }
    Ok(())
}

fn places(record: Option<&Path>, options: &OutputOptions) -> Vec<Place> {
    let mut places = Vec::new();
    let mut note = |flag, path: &Path, writes| places.push(Place::new(flag, path, writes));
    if let Some(record) = record {
        for path in records::files(record) {
            note("--read", &path, false);
        }
    }
    match &options.output {
        OutputTo::File(path) => note("-o", path, true),
        OutputTo::PerTask(prefix) => note("-ff -o", prefix, true),
        OutputTo::Stderr | OutputTo::Command(_) => {}
    }
    if let Some(path) = &options.record {
        note("--record", path, true);
    }
    if let Some((_, path)) = &options.timeline {
        note("--timeline", path, true);
    }
    if let Some(snapshot) = &options.snapshot {
        note("--snapshot", &snapshot.path, snapshot.update);
    }
    if let Some(report) = &options.report {
        for path in &report.suppressions {
            note("--suppress", path, false);
        }
        if let Some(path) = &report.write_suppressions {
            note("--write-suppressions", path, true);
        }
        if let Some(path) = &report.file {
            note("--report-file", path, true);
        }
    }
    places
}

impl Place {
    fn new(flag: &'static str, name: &Path, writes: bool) -> Place {
        let file = match flag {
            "-ff -o" => Which::Each(absolute(name)),
            _ if name.as_os_str() == "-" && writes => of_stream(fstat(std::io::stdout())),
            _ if name.as_os_str() == "-" => of_stream(fstat(std::io::stdin())),
            _ => match fs::metadata(name) {
                Ok(file) => Which::there(&file, absolute(name)),
                Err(_) => Which::Absent(absolute(name)),
            },
        };
        Place {
            flag,
            name: name.to_owned(),
            writes,
            file,
        }
    }

    fn harms(&self, other: &Place) -> bool {
        // One stream, with one place in its file.
        let is_stream = |place: &Place| place.writes && place.name.as_os_str() == "-";
        (self.writes || other.writes)
            && !(is_stream(self) && is_stream(other))
            && self.file.is(&other.file)
    }

    /// How one of two that are the same harms the other.
    fn against(&self, other: &Place) -> String {
        let (writer, reader) = if self.writes {
            (self, other)
        } else {
            (other, self)
        };
        let name = reader.name.display();
        if reader.writes {
            let (one, two) = (other.flag, self.flag);
            return format!("{one} and {two} both write to {name}: name two files");
        }
        format!(
            "{} would write over {name}, which {} reads: name another file",
            writer.flag, reader.flag
        )
    }
}

impl Which {
    fn there(file: &Metadata, path: PathBuf) -> Which {
        if file.is_file() {
            let (dev, ino) = (file.dev(), file.ino());
            Which::There { dev, ino, path }
        } else {
            Which::Shared
        }
    }

    fn is(&self, other: &Which) -> bool {
        match (self, other) {
            (Which::Shared, _) | (_, Which::Shared) => false,
            (
                Which::There { dev, ino, .. },
                Which::There {
                    dev: other_dev,
                    ino: other_ino,
                    ..
                },
            ) => (dev, ino) == (other_dev, other_ino),
            (Which::Each(prefix), Which::There { path, .. } | Which::Absent(path))
            | (Which::There { path, .. } | Which::Absent(path), Which::Each(prefix)) => {
                is_one_of(prefix, path)
            }
            _ => self == other,
        }
    }
}

/// Whether a path is this prefix with a dot and a pid.
fn is_one_of(prefix: &Path, path: &Path) -> bool {
    let is_pid = |end: &str| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit());
    let end = path.extension().and_then(|end| end.to_str());
    end.is_some_and(is_pid) && path.with_extension("") == prefix
}

/// Where a stream of ours leads.
fn of_stream(stream: nix::Result<FileStat>) -> Which {
    let regular = stream
        .ok()
        .filter(|file| SFlag::from_bits_truncate(file.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG);
    regular.map_or(Which::Shared, |file| Which::There {
        dev: file.st_dev,
        ino: file.st_ino,
        path: PathBuf::new(),
    })
}

/// The one path of a file, which need not be there; where links lead to it,
/// that of their end.
fn absolute(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = fs::read_link(&path) else {
            break;
        };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path.file_name().unwrap_or_default();
    fs::canonicalize(parent).map_or_else(|_| path.clone(), |parent| parent.join(name))
}
