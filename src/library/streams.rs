//! The standard files of a launched command, and the thread that serves them.
//!
//! A pipe holds 64 KiB. A writer that fills it is blocked until it is read, and
//! the tracer sleeps in its wait: so a thread reads what the command writes,
//! and writes what the command is to read.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::pipe2;

use crate::sys::spawn::above_standard;
use crate::sys::wake_signal::keep_signals_out;

/// How many bytes a pipe holds.
const PIPE: usize = 64 << 10;

/// What a command reads from its standard input.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Input {
    /// Nothing: `/dev/null`.
    #[default]
    Null,
    /// What this process has as its own.
    Inherit,
    /// These bytes, then the end. What the command does not read is dropped.
    Bytes(Vec<u8>),
    /// This file.
    File(File),
}

/// Where a command's standard output or standard error goes.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Stream {
    /// Into memory: [`Trace::stdout`](super::Trace::stdout) and
    /// [`Trace::stderr`](super::Trace::stderr).
    #[default]
    Capture,
    /// Nowhere: `/dev/null`.
    Null,
    /// To what this process has as its own. `cargo test` does not capture it.
    Inherit,
    /// Into this file.
    File(File),
}

impl From<Vec<u8>> for Input {
    fn from(bytes: Vec<u8>) -> Input {
        Input::Bytes(bytes)
    }
}

impl From<&str> for Input {
    fn from(text: &str) -> Input {
        Input::Bytes(text.as_bytes().to_vec())
    }
}

impl From<String> for Input {
    fn from(text: String) -> Input {
        Input::Bytes(text.into_bytes())
    }
}

impl From<File> for Input {
    fn from(file: File) -> Input {
        Input::File(file)
    }
}

impl From<File> for Stream {
    fn from(file: File) -> Stream {
        Stream::File(file)
    }
}

/// Our ends of the pipes.
#[derive(Debug, Default)]
struct Ends {
    input: Option<(File, Vec<u8>)>,
    outputs: [Option<File>; 2],
}

/// What the command gets, and what serves it.
pub(crate) struct Streams {
    /// The command's ends, by the descriptors that they become.
    pub(crate) theirs: [Option<OwnedFd>; 3],
    ours: Ends,
}

impl Streams {
    /// Make the pipes and open the files.
    ///
    /// # Errors
    /// Those of the system calls.
    pub(crate) fn open(input: Input, stdout: Stream, stderr: Stream) -> io::Result<Streams> {
        let mut ours = Ends::default();
        let stdin = match input {
            Input::Inherit => None,
            Input::Null => Some(no_input()?),
            Input::File(file) => Some(file.into()),
            Input::Bytes(bytes) => {
                let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
                ours.input = Some((not_blocking(write)?, bytes));
                Some(read)
            }
        };
        let [first, second] = &mut ours.outputs;
        let theirs = [stdin, writer(stdout, first)?, writer(stderr, second)?];
        let [stdin, stdout, stderr] = theirs.map(|file| file.map(above_standard).transpose());
        Ok(Streams {
            theirs: [stdin?, stdout?, stderr?],
            ours,
        })
    }

    /// Start the thread that serves the pipes, if there are any, and keeps what is
    /// written.
    ///
    /// # Errors
    /// Those of making a thread.
    pub(crate) fn serve<K: Keep>(self) -> io::Result<Service<K>> {
        let Ends { input, outputs } = self.ours;
        let stop = Arc::new(EventFd::from_flags(
            EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK,
        )?);
        let served = input.is_some() || outputs.iter().any(Option::is_some);
        let server = Server {
            input: input.map(|(file, bytes)| (file, bytes, 0)),
            outputs: outputs.map(|file| (file, K::default())),
            stop: Arc::clone(&stop),
        };
        let start = || {
            let thread = thread::Builder::new().name("streams".to_owned());
            thread.spawn(move || server.run())
        };
        let thread = served.then(start).transpose()?;
        Ok(Service { thread, stop })
    }
}

/// Their end of an output; ours goes to `end`.
fn writer(stream: Stream, end: &mut Option<File>) -> io::Result<Option<OwnedFd>> {
    Ok(match stream {
        Stream::Inherit => None,
        Stream::Null => Some(no_output()?),
        Stream::File(file) => Some(file.into()),
        Stream::Capture => {
            let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
            *end = Some(not_blocking(read)?);
            Some(write)
        }
    })
}

/// `/dev/null`; where there is none, as in a root that has one file, a pipe that has
/// ended.
pub(crate) fn no_input() -> io::Result<OwnedFd> {
    match File::open("/dev/null") {
        Ok(null) => Ok(null.into()),
        Err(_) => Ok(pipe2(OFlag::O_CLOEXEC)?.0),
    }
}

fn no_output() -> io::Result<OwnedFd> {
    let null = File::options().write(true).open("/dev/null");
    match null {
        Ok(null) => Ok(null.into()),
        Err(error) => Err(io::Error::new(error.kind(), format!("/dev/null: {error}"))),
    }
}

/// Our end of a pipe; the other one goes on to block.
fn not_blocking(end: OwnedFd) -> io::Result<File> {
    fcntl(&end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(File::from(end))
}

/// What keeps an output of a command, or as much of it as is wanted.
pub(crate) trait Keep: Default + Send + 'static {
    /// More was written.
    fn keep(&mut self, bytes: &[u8]);
}

impl Keep for Vec<u8> {
    fn keep(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// The thread that serves the pipes; it ends with this.
pub(crate) struct Service<K = Vec<u8>> {
    thread: Option<JoinHandle<[K; 2]>>,
    stop: Arc<EventFd>,
}

impl<K: Default> Service<K> {
    /// What was written to standard output and standard error. The command and
    /// all that it started are dead, so what is in the pipes now is all; others
    /// may hold them open for long.
    pub(crate) fn finish(mut self) -> [K; 2] {
        self.stop().unwrap_or_default()
    }
}

impl<K> Service<K> {
    fn stop(&mut self) -> Option<[K; 2]> {
        let _ = self.stop.write(1);
        let thread = self.thread.take();
        thread.map(JoinHandle::join).and_then(Result::ok)
    }
}

impl<K> Drop for Service<K> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The thread's side.
struct Server<K> {
    /// Our end, what is to be read, and how much of it was written.
    input: Option<(File, Vec<u8>, usize)>,
    outputs: [(Option<File>, K); 2],
    stop: Arc<EventFd>,
}

impl<K: Keep> Server<K> {
    fn run(mut self) -> [K; 2] {
        keep_signals_out();
        loop {
            self.feed();
            // A writer that never pauses must not keep us from the input.
            self.drain(1);
            match self.sleep() {
                Ok(false) | Err(Errno::EINTR) => {}
                Ok(true) | Err(_) => break,
            }
        }
        self.drain(usize::MAX);
        self.outputs.map(|(_, kept)| kept)
    }

    /// Until something can be done. Returns whether all is over.
    fn sleep(&self) -> Result<bool, Errno> {
        let [(stdout, _), (stderr, _)] = &self.outputs;
        let input = self
            .input
            .iter()
            .map(|(file, ..)| (file.as_fd(), PollFlags::POLLOUT));
        let outputs = [stdout, stderr].into_iter().flatten();
        let outputs = outputs.map(|file| (file.as_fd(), PollFlags::POLLIN));
        let stop = [(self.stop.as_fd(), PollFlags::POLLIN)];
        let all: Vec<(BorrowedFd<'_>, PollFlags)> =
            stop.into_iter().chain(input).chain(outputs).collect();
        let mut fds: Vec<PollFd<'_>> = all
            .into_iter()
            .map(|(fd, what)| PollFd::new(fd, what))
            .collect();
        poll(&mut fds, PollTimeout::NONE)?;
        Ok(fds.first().and_then(PollFd::any).unwrap_or(false))
    }

    /// Write what there is room for.
    fn feed(&mut self) {
        while let Some((file, bytes, written)) = &mut self.input {
            match file.write(bytes.get(*written..).unwrap_or_default()) {
                Ok(count) if count > 0 => *written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // All is written, or there is no reader any more.
                _ => self.input = None,
            }
        }
    }

    /// Read all that there is, or what fits into a pipe so many times.
    fn drain(&mut self, most: usize) {
        let mut buffer = vec![0; PIPE];
        for (file, kept) in &mut self.outputs {
            for _ in 0..most {
                let Some(pipe) = file else { break };
                match pipe.read(&mut buffer) {
                    Ok(count) if count > 0 => kept.keep(buffer.get(..count).unwrap_or_default()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // The end; another error than these is one that a pipe does not
                    // have.
                    _ => *file = None,
                }
            }
        }
    }
}
