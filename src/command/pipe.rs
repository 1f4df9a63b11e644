//! `-o '|command'`: the lines go to a command's standard input.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::urgency::{self, Urgency};

/// How long the command may take to end where the user wants an end, and how
/// often that is asked.
const GRACE: Duration = Duration::from_secs(1);
const GLANCE: Duration = Duration::from_millis(10);

/// The command, and the thread whose child it is: a wait of the tracer takes
/// its thread's children, and must not take this one.
#[derive(Debug)]
pub(crate) struct PipeCommand {
    ended: Receiver<io::Result<()>>,
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
        let (end, ended) = mpsc::channel();
        thread::Builder::new()
            .name("pipe".to_owned())
            .spawn(move || {
                let mut child = match shell.spawn() {
                    Ok(child) => child,
                    Err(error) => {
                        let _ = report.send(Err(error));
                        return;
                    }
                };
                let _ = report.send(child.stdin.take().ok_or_else(io::Error::last_os_error));
                let _ = end.send(match child.wait() {
                    // SIGCHLD is ignored, as it was when we were started: it
                    // has ended, and the kernel reaped it.
                    Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(()),
                    other => other.map(drop),
                });
            })?;
        let stdin = started
            .recv()
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))??;
        Ok((PipeCommand { ended }, stdin))
    }

    /// Wait for the command's end, unless the user wants ours; its standard
    /// input must be closed by now.
    pub(crate) fn finish(self) -> io::Result<()> {
        let mut urgent_since = None;
        loop {
            match self.ended.recv_timeout(GLANCE) {
                Ok(ended) => return ended,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) if urgency::now() == Urgency::None => {}
                Err(RecvTimeoutError::Timeout) => {
                    let since = urgent_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= GRACE {
                        return Ok(());
                    }
                }
            }
        }
    }
}
