//! Writes that never hold up the tracer for good: a thread makes them, and the
//! tracer waits for it only as long as nothing is more urgent.
//!
//! A write may block for as long as a reader likes: a pipe that is full, a
//! terminal under ^S, a file system that does not answer. Non-blocking mode is
//! no way out, since the open file may be shared with the tracees, and regular
//! files have none.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustc_hash::FxHashMap;

use crate::sys::wake_signal::keep_signals_out;
use crate::urgency::{self, Urgency};

/// Bytes that wait for a reader before the tracer does too.
const FULL: usize = 64 * 1024;
/// Bytes that wait for a reader where the tracer must go on.
const HELD: usize = 1024 * 1024;
/// What a job counts, besides its bytes.
const JOB: usize = 256;

/// How often a wait for a reader looks for something more urgent.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// How long a reader is waited for in all where tracees wait too.
const BRIEF: Duration = Duration::from_millis(250);
/// How long a reader may stand still where only the user waits, and how long
/// one that moves is waited for in all.
const STILL: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5);

/// The stack of a thread that only writes.
const STACK: usize = 256 * 1024;

/// Something that is written to by its file descriptor.
pub(super) trait Descriptor: AsFd + Send {}

impl<T: AsFd + Send> Descriptor for T {}

/// Opens what is to be written to; may block.
pub(super) type Opening = Box<dyn FnOnce() -> io::Result<Writer> + Send>;

/// What an outbox writes to.
pub(super) enum Writer {
    Descriptor(Box<dyn Descriptor>),
    /// Can be cut back to its last whole line.
    File(File),
}

impl Writer {
    fn write(&self, bytes: &[u8]) -> nix::Result<usize> {
        match self {
            Writer::Descriptor(writer) => nix::unistd::write(writer, bytes),
            Writer::File(file) => nix::unistd::write(file, bytes),
        }
    }

    /// Sleep until there is room: a program that shares the descriptor has
    /// made it non-blocking.
    fn wait_for_room(&self) -> io::Result<()> {
        let fd = match self {
            Writer::Descriptor(writer) => writer.as_fd(),
            Writer::File(file) => file.as_fd(),
        };
        let mut fds = [PollFd::new(fd, PollFlags::POLLOUT)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Write all of `bytes`, whole lines if a file fails amid one. `written`
    /// counts.
    fn write_all(&mut self, bytes: &[u8], written: &AtomicU64) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    written.fetch_add(count as u64, Relaxed);
                    rest = rest.get(count..).unwrap_or(&[]);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => self.wait_for_room()?,
                Err(errno) => {
                    let written = bytes.len() - rest.len();
                    let half_line = bytes.iter().take(written).rev();
                    let half_line = half_line.take_while(|byte| **byte != b'\n').count();
                    self.cut_back(half_line);
                    return Err(errno.into());
                }
            }
        }
        Ok(())
    }

    fn cut_back(&mut self, count: usize) {
        if let Writer::File(file) = self
            && let Ok(end) = file.stream_position()
        {
            // What cannot be cut (a pipe, a device) stays as it is.
            let count = u64::try_from(count).unwrap_or(0);
            let _ = file.set_len(end.saturating_sub(count));
        }
    }
}

/// What is to be done, in order; for the sink of this number.
enum Job {
    Open(u64, Opening),
    Write(u64, Vec<u8>),
    Close(u64),
}

/// The writers of an outbox, by the number of their sink.
#[derive(Default)]
struct Writers(FxHashMap<u64, Writer>);

impl Writers {
    fn open(&mut self, number: u64, opening: Opening) -> io::Result<()> {
        self.0.insert(number, opening()?);
        Ok(())
    }

    fn write(&mut self, number: u64, bytes: &[u8], written: &AtomicU64) -> io::Result<()> {
        let writer = self.0.get_mut(&number);
        writer.map_or(Ok(()), |writer| writer.write_all(bytes, written))
    }

    fn close(&mut self, number: u64) {
        self.0.remove(&number);
    }
}

/// What the tracer and the writing thread share.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is a job.
    work: Condvar,
    /// A job is done.
    done: Condvar,
    /// Bytes that were written.
    written: AtomicU64,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// What the jobs count, that which is being done included.
    queued: usize,
    /// Where no thread writes.
    writers: Option<Writers>,
    /// Buffers to use again.
    spare: Vec<Vec<u8>>,
    /// No job will come any more.
    closed: bool,
    /// The first error; nothing is written after it.
    failed: Option<io::Error>,
}

impl State {
    fn fail(&mut self, error: io::Error) {
        self.jobs.clear();
        self.spare.clear();
        self.queued = 0;
        self.failed.get_or_insert(error);
    }

    /// The error, if there was one.
    fn outcome(&self) -> io::Result<()> {
        self.failed.as_ref().map_or(Ok(()), |error| {
            Err(match error.raw_os_error() {
                Some(errno) => io::Error::from_raw_os_error(errno),
                None => io::Error::new(error.kind(), error.to_string()),
            })
        })
    }

    fn add(&mut self, number: u64, bytes: &[u8]) {
        self.queued += bytes.len();
        if let Some(Job::Write(last, waiting)) = self.jobs.back_mut()
            && *last == number
        {
            waiting.extend_from_slice(bytes);
            return;
        }
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.extend_from_slice(bytes);
        self.queued += JOB;
        self.jobs.push_back(Job::Write(number, buffer));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // What it guards is whole whenever it is unlocked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writing thread.
    fn work(&self, mut writers: Writers) {
        keep_signals_out();
        let mut state = self.lock();
        loop {
            let Some(job) = state.jobs.pop_front() else {
                if state.closed {
                    return;
                }
                let waited = self.work.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let (result, bytes) = match job {
                Job::Open(number, opening) => (writers.open(number, opening), None),
                Job::Write(number, bytes) => {
                    let result = writers.write(number, &bytes, &self.written);
                    (result, Some(bytes))
                }
                Job::Close(number) => {
                    writers.close(number);
                    (Ok(()), None)
                }
            };
            state = self.lock();
            let size = JOB + bytes.as_ref().map_or(0, Vec::len);
            state.queued = state.queued.saturating_sub(size);
            if let Err(error) = result {
                state.fail(error);
            }
            if let Some(mut buffer) = bytes.filter(|_| state.spare.len() < 2) {
                buffer.clear();
                state.spare.push(buffer);
            }
            self.done.notify_all();
        }
    }
}

/// Where some sinks' bytes go, in one order.
pub(super) struct Outbox {
    shared: Arc<Shared>,
    /// The number of the next sink.
    next: Cell<u64>,
}

thread_local! {
    /// Standard error has many sinks, and one order.
    static STDERR: Rc<Outbox> = Rc::new(Outbox::new());
}

impl Outbox {
    pub(super) fn new() -> Outbox {
        let shared = Shared::default();
        shared.lock().writers = Some(Writers::default());
        Outbox {
            shared: Arc::new(shared),
            next: Cell::new(0),
        }
    }

    /// That of standard error.
    pub(super) fn stderr() -> Rc<Outbox> {
        STDERR.with(Rc::clone)
    }

    /// Enter a sink; returns its number.
    pub(super) fn open(&self, opening: Opening) -> u64 {
        let number = self.next.replace(self.next.get() + 1);
        let mut state = self.start();
        if state.failed.is_some() {
            return number;
        }
        if let Some(writers) = &mut state.writers {
            if let Err(error) = writers.open(number, opening) {
                state.fail(error);
            }
        } else {
            state.queued += JOB;
            state.jobs.push_back(Job::Open(number, opening));
            self.shared.work.notify_one();
        }
        number
    }

    /// Write `bytes` behind all that came before, sooner or later.
    ///
    /// # Errors
    /// The first error that any write met, or a timeout if there is no reader.
    pub(super) fn write(&self, number: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.start();
        state.outcome()?;
        if let Some(writers) = &mut state.writers {
            if let Err(error) = writers.write(number, bytes, &self.shared.written) {
                state.fail(error);
            }
            return state.outcome();
        }
        let mut timeout = ReaderTimeout::new();
        while state.queued >= FULL && state.failed.is_none() {
            if urgency::now() != Urgency::None && state.queued < HELD {
                break;
            }
            state = self.wait(state, &mut timeout)?;
        }
        state.outcome()?;
        state.add(number, bytes);
        self.shared.work.notify_one();
        Ok(())
    }

    /// A sink is done; what it has is still written.
    pub(super) fn close(&self, number: u64) {
        let mut state = self.shared.lock();
        if let Some(writers) = &mut state.writers {
            writers.close(number);
        } else if state.failed.is_none() {
            state.queued += JOB;
            state.jobs.push_back(Job::Close(number));
            self.shared.work.notify_one();
        }
    }

    /// Wait until all is written.
    ///
    /// # Errors
    /// The first error that any write met, or a timeout if there is no reader.
    pub(super) fn finish(&self) -> io::Result<()> {
        let mut state = self.shared.lock();
        let mut timeout = ReaderTimeout::new();
        while state.queued > 0 && state.failed.is_none() {
            state = self.wait(state, &mut timeout)?;
        }
        state.outcome()
    }

    /// Wait a moment for what is queued.
    pub(super) fn pause(&self) {
        let begun = Instant::now();
        let mut state = self.shared.lock();
        while state.queued > 0 && begun.elapsed() < BRIEF {
            let waited = self.shared.done.wait_timeout(state, POLL_INTERVAL);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Have a thread write, where signals do not end a write that blocks.
    fn start(&self) -> MutexGuard<'_, State> {
        let mut state = self.shared.lock();
        if state.writers.is_none() || !urgency::has_traced() {
            return state;
        }
        let shared = Arc::clone(&self.shared);
        let (give, take) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name("output".to_owned());
        let started = thread.stack_size(STACK).spawn(move || {
            if let Ok(writers) = take.recv() {
                shared.work(writers);
            }
        });
        // Without one the tracer writes itself.
        if started.is_ok()
            && let Some(writers) = state.writers.take()
        {
            let _ = give.send(writers);
        }
        state
    }

    /// Wait for the reader, for a moment.
    fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        timeout: &mut ReaderTimeout,
    ) -> io::Result<MutexGuard<'a, State>> {
        let begun = Instant::now();
        let waited = self.shared.done.wait_timeout(state, POLL_INTERVAL);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let written = self.shared.written.load(Relaxed);
        if !timeout.lasts(begun.elapsed(), written) {
            state.fail(io::Error::new(io::ErrorKind::TimedOut, "it is not read"));
            state.outcome()?;
        }
        Ok(state)
    }
}

impl Drop for Outbox {
    /// The thread does what is left, and ends.
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_one();
    }
}

/// How long a reader was waited for while something was urgent.
#[derive(Default)]
struct ReaderTimeout {
    in_all: Duration,
    still: Duration,
    written: u64,
}

impl ReaderTimeout {
    fn new() -> ReaderTimeout {
        ReaderTimeout::default()
    }

    /// Whether a reader that has taken `written` bytes is waited for, after
    /// such a wait.
    fn lasts(&mut self, waited: Duration, written: u64) -> bool {
        let urgency = urgency::now();
        if urgency == Urgency::None {
            *self = ReaderTimeout::new();
        } else {
            self.in_all += waited;
            self.still += waited;
        }
        if std::mem::replace(&mut self.written, written) != written {
            self.still = Duration::ZERO;
        }
        match urgency {
            Urgency::None => true,
            Urgency::Tracees => self.in_all < BRIEF,
            Urgency::User => self.still < STILL && self.in_all < LONGEST,
        }
    }
}
