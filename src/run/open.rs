//! Where the lines go.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::config::OutputTo;
use crate::output::{Destination, Sink, Target};
use crate::pipe::PipeCommand;

/// Open where the lines go, before anybody is traced.
pub(super) fn open(to: &OutputTo, pipe: &mut Option<PipeCommand>) -> Result<Target, String> {
    Ok(match to {
        OutputTo::Stderr => {
            let destination = if io::stderr().is_terminal() {
                Destination::Terminal
            } else {
                Destination::File
            };
            Target::Stderr(Sink::descriptor(io::stderr(), destination))
        }
        OutputTo::File(path) if path == "-" => {
            Target::File(Sink::descriptor(io::stdout(), Destination::File))
        }
        OutputTo::File(path) => Target::File(
            file(path.clone())
                .map_err(|error| format!("cannot write to {} (-o): {error}", path.display()))?,
        ),
        OutputTo::Command(command) => {
            let (started, writer) = PipeCommand::start(command).map_err(|error| {
                format!(
                    "cannot pipe to {:?} (-o): {error}",
                    command.to_string_lossy()
                )
            })?;
            *pipe = Some(started);
            Target::File(Sink::descriptor(writer, Destination::File))
        }
        OutputTo::PerTask(prefix) => {
            let prefix = prefix.clone();
            let directory = prefix.parent().filter(|path| !path.as_os_str().is_empty());
            if let Some(directory) = directory.filter(|path| !path.is_dir()) {
                return Err(format!(
                    "cannot write to {}.PID (-o): {} is no directory",
                    prefix.display(),
                    directory.display()
                ));
            }
            Target::Each(Box::new(move |tid| {
                let mut name = prefix.clone().into_os_string();
                name.push(format!(".{tid}"));
                file(name.into())
            }))
        }
    })
}

pub(super) fn file(path: PathBuf) -> io::Result<Sink> {
    if path.as_os_str().as_bytes().is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name is empty",
        ));
    }
    let mut options = OpenOptions::new();
    let file: File = options.write(true).create(true).truncate(true).open(path)?;
    let destination = if file.is_terminal() {
        Destination::Terminal
    } else {
        Destination::File
    };
    Ok(Sink::file(file, destination))
}
