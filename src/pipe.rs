//! `-o '|command'`: the lines go to a command's standard input.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

/// The command, and the thread whose child it is: the tracer's own wait takes
/// its thread's children, and must not take this one.
#[derive(Debug)]
pub(crate) struct PipeCommand {
    thread: JoinHandle<io::Result<()>>,
}

impl PipeCommand {
    /// Start `sh -c command`; returns its standard input.
    pub(crate) fn start(command: &OsStr) -> io::Result<(PipeCommand, ChildStdin)> {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command).stdin(Stdio::piped());
        // Its own group: ^C is for the traced program, and the end of the
        // lines is this command's end.
        shell.process_group(0);
        let (report, started) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("pipe".to_owned())
            .spawn(move || {
                let mut child = match shell.spawn() {
                    Ok(child) => child,
                    Err(error) => {
                        let _ = report.send(Err(error));
                        return Ok(());
                    }
                };
                let _ = report.send(child.stdin.take().ok_or_else(io::Error::last_os_error));
                match child.wait() {
                    // SIGCHLD is ignored, as it was when we were started: it
                    // has ended, and the kernel reaped it.
                    Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(()),
                    other => other.map(drop),
                }
            })?;
        let stdin = started
            .recv()
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))??;
        Ok((PipeCommand { thread }, stdin))
    }

    /// Wait for the command's end; its standard input must be closed by now.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::Other)))
    }
}
