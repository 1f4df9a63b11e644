//! A trace that goes on beside its caller.

use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::engine::{Begun, Plan, trace};
use super::error::Error;
use super::trace::Trace;

/// A trace that goes on while the caller does something else.
///
/// Dropped, it ends the trace: a command and all that it started are killed,
/// an attached process is detached from and goes on.
#[derive(Debug)]
#[must_use = "a trace ends when this is dropped: `wait` for its end or `stop` it"]
pub struct Tracing {
    thread: Option<JoinHandle<Result<Trace, Error>>>,
    begun: Begun,
}

impl Tracing {
    /// Begin, and return when the command has been executed or the process is
    /// attached to.
    pub(super) fn begin(plan: Plan) -> Result<Tracing, Error> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name("tracer".to_owned());
        let thread = thread.spawn(move || {
            let mut events = Vec::new();
            let begun = |begun| {
                // The receiver waits for it or for our end.
                let _ = sender.send(begun);
            };
            let trace = trace(plan, begun, &mut |event, _| events.push(event))?;
            Ok(Trace { events, ..trace })
        });
        let thread = thread.map_err(|error| Error::system("start a thread", &error))?;
        match receiver.recv() {
            Ok(begun) => Ok(Tracing {
                thread: Some(thread),
                begun,
            }),
            Err(_) => Err(joined(thread).err().unwrap_or(Error::Stolen)),
        }
    }

    /// The pid of the command or of the attached process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.begun.pid.unsigned_abs()
    }

    /// Wait until all that are traced have ended, or the time is up.
    ///
    /// # Errors
    /// Why there is no trace.
    pub fn wait(mut self) -> Result<Trace, Error> {
        self.join()
    }

    /// End the trace now: kill the command and all that it started, detach
    /// from an attached process. What is wrong is judged as of this moment.
    ///
    /// # Errors
    /// Why there is no trace.
    pub fn stop(mut self) -> Result<Trace, Error> {
        self.begun.wake.wake();
        self.join()
    }

    fn join(&mut self) -> Result<Trace, Error> {
        self.thread.take().map_or(Err(Error::Stolen), joined)
    }
}

/// A thread's result, or its panic here.
fn joined(thread: JoinHandle<Result<Trace, Error>>) -> Result<Trace, Error> {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

impl Drop for Tracing {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.begun.wake.wake();
            // Its panic was printed by the panic hook; a second one would abort.
            let _ = thread.join();
        }
    }
}
