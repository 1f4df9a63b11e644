//! Where the lines go.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::geteuid;

use super::mode::OutputTo;
use crate::command::pipe::PipeCommand;
use crate::output::{Destination, Files, Sink, Target};
use crate::sys::waker::an_ending_signal_waits;

/// Open where the lines go, before anything is traced.
pub(super) fn target(to: &OutputTo, pipe: &mut Option<PipeCommand>) -> Result<Target, String> {
    Ok(match to {
        OutputTo::Stderr => {
            let destination = if io::stderr().is_terminal() {
                Destination::Terminal
            } else {
                Destination::File
            };
            Target::Stderr(Sink::stderr(destination))
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
            Target::Each(Files::new(Box::new(move |tid| {
                let mut name = prefix.clone().into_os_string();
                name.push(format!(".{tid}"));
                Box::new(|| create(name.into()))
            })))
        }
    })
}

/// Open a file to write it anew.
pub(super) fn file(path: PathBuf) -> io::Result<Sink> {
    let file = create(path)?;
    let destination = if file.is_terminal() {
        Destination::Terminal
    } else {
        Destination::File
    };
    Ok(Sink::file(file, destination))
}

/// Open a file to write it anew; of a pipe, when it has a reader.
fn create(path: PathBuf) -> io::Result<File> {
    if path.as_os_str().as_bytes().is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name is empty",
        ));
    }
    if geteuid().is_root() {
        return create_as_root(path);
    }
    let flags = CREATE | OFlag::O_TRUNC;
    Ok(unless_a_signal_waits(|| open(&path, flags, PERMISSIONS))?.into())
}

/// How a file is opened.
const CREATE: OFlag = OFlag::O_WRONLY
    .union(OFlag::O_CREAT)
    .union(OFlag::O_CLOEXEC);

/// Open something that may block, a pipe without a reader for example: a signal
/// that ends the trace ends that too.
fn unless_a_signal_waits(open: impl Fn() -> nix::Result<OwnedFd>) -> nix::Result<OwnedFd> {
    loop {
        match open() {
            Err(Errno::EINTR) if !an_ending_signal_waits() => {}
            opened => return opened,
        }
    }
}

/// How many links may lead to a file: as many as the kernel follows.
const MOST_LINKS: usize = 40;

/// Open a file as root, but nothing that another user has put where every user
/// may write: what `fs.protected_symlinks`, `protected_regular` and
/// `protected_fifos` do where they are on.
///
/// Each link is followed here, in directories that are held open, so that none
/// can be put in its place after it was looked at.
fn create_as_root(mut path: PathBuf) -> io::Result<File> {
    for _ in 0..MOST_LINKS {
        let Some((parent, name)) = split(&path) else {
            // A directory, which is refused as such.
            return OpenOptions::new().write(true).open(path);
        };
        let directory = open(parent, DIRECTORY, Mode::empty())?;
        let found = match fstatat(&directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) => Some(found),
            Err(Errno::ENOENT) => None,
            Err(errno) => return Err(errno.into()),
        };
        found.map_or(Ok(()), |found| check(&directory, &found))?;
        if found.is_none_or(|found| kind(&found) != libc::S_IFLNK) {
            let flags = CREATE | OFlag::O_NOFOLLOW;
            let file = unless_a_signal_waits(|| openat(&directory, name, flags, PERMISSIONS))?;
            // It may be another than the one that was found.
            check(&directory, &fstat(&file)?)?;
            return emptied(file.into());
        }
        if fstatfs(&directory)?.filesystem_type() == PROC_SUPER_MAGIC {
            // A link to a file that is open; its text is no path.
            let file = unless_a_signal_waits(|| openat(&directory, name, CREATE, PERMISSIONS))?;
            return emptied(file.into());
        }
        path = parent.join(readlinkat(&directory, name)?);
    }
    Err(Errno::ELOOP.into())
}

/// As `O_TRUNC` does it: pipes and devices have no length.
fn emptied(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(file)
}

/// A directory that is held open.
const DIRECTORY: OFlag = OFlag::O_PATH
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);

/// What a new file may, before the umask.
const PERMISSIONS: Mode = Mode::from_bits_truncate(0o666);

/// The directory of a path's last name, and the name, unless that is one of a
/// directory.
fn split(path: &Path) -> Option<(&Path, &OsStr)> {
    let bytes = path.as_os_str().as_bytes();
    let start = bytes.iter().rposition(|byte| *byte == b'/');
    let (parent, name) = bytes.split_at(start.map_or(0, |slash| slash + 1));
    let parent = if parent.is_empty() { b"." } else { parent };
    let is_directory = matches!(name, b"" | b"." | b"..");
    (!is_directory).then(|| {
        (
            Path::new(OsStr::from_bytes(parent)),
            OsStr::from_bytes(name),
        )
    })
}

/// Whether what lies at a path may be written over by us: as root, nothing that
/// another user has put where every user may write.
pub(super) fn check_place(path: &Path) -> io::Result<()> {
    let Some((parent, name)) = split(path).filter(|_| geteuid().is_root()) else {
        return Ok(());
    };
    let directory = open(parent, DIRECTORY, Mode::empty())?;
    match fstatat(&directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(found) => check(&directory, &found),
        Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn kind(found: &FileStat) -> libc::mode_t {
    found.st_mode & libc::S_IFMT
}

/// Whether root may use what was found in a directory: its own, that of the
/// directory's owner, and anything where not every user may write. Devices are
/// made by root alone.
fn check(directory: &OwnedFd, found: &FileStat) -> io::Result<()> {
    let directory = fstat(directory)?;
    let is_open_to_all = directory.st_mode & libc::S_IWOTH != 0;
    let owner = found.st_uid;
    if !is_open_to_all || owner == geteuid().as_raw() || owner == directory.st_uid {
        return Ok(());
    }
    let what = match kind(found) {
        libc::S_IFLNK => "symlink",
        libc::S_IFREG => "file",
        libc::S_IFIFO => "pipe",
        _ => return Ok(()),
    };
    Err(io::Error::other(format!(
        "a {what} of uid {owner} lies there, in a directory that everybody may write to, and we \
         are root; write to a directory of your own"
    )))
}
