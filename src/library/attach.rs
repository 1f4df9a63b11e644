//! Attaching to a running process.

use std::time::Duration;

use super::engine::{self, Plan, Target};
use super::error::Error;
use super::rules::{Rules, rule_methods};
use super::trace::Trace;
use super::tracing::Tracing;
use crate::event::Event;
use crate::ledger::Ledger;

/// A running process to trace, with all of its threads and all that it starts
/// from now on.
///
/// When the trace ends the process goes on as before. Attaching
/// needs what ptrace needs: the same user, and Yama's permission where it is on.
///
/// A child of the caller may be attached to, and is the caller's to reap when it
/// ends, but **not before the trace is over**: the kernel does not tell
/// this process as its parent from this process as its tracer, and a wait for it, be it
/// [`Child::try_wait`](std::process::Child::try_wait), would take its stops from
/// the tracer. [`Launch`](crate::Launch) has no such limit.
///
/// ```
/// use std::process::Command;
/// use std::time::Duration;
///
/// let mut server = Command::new("sleep").arg("60").spawn()?;
/// let trace = wait4_strace::Attach::new(server.id()).record_for(Duration::from_millis(200))?;
/// assert!(trace.findings().is_empty(), "{}", trace.report());
///
/// server.kill()?; // it is still ours
/// server.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is traced until `record`, `record_for`, `for_each` or `start`"]
pub struct Attach {
    pid: u32,
    limit: Option<Duration>,
    rules: Rules,
}

impl Attach {
    /// The process, or the thread of one, that has this pid in our own pid
    /// namespace.
    pub fn new(pid: u32) -> Attach {
        Attach {
            pid,
            limit: None,
            rules: Rules::default(),
        }
    }

    /// Detach after this time at the latest.
    pub fn timeout(mut self, limit: Duration) -> Attach {
        self.limit = Some(limit);
        self
    }

    rule_methods!();

    /// Trace until all that are traced have ended, or the time is up.
    ///
    /// # Errors
    /// [`Error::Refused`] if the process cannot be attached to, with the reason
    /// and a remedy; else why the trace cannot begin.
    pub fn record(self) -> Result<Trace, Error> {
        let mut events = Vec::new();
        let plan = self.plan()?;
        let trace = engine::record(plan, &mut |event, _| events.push(event))?;
        Ok(Trace { events, ..trace })
    }

    /// Trace for this time, or until all that are traced have ended.
    ///
    /// # Errors
    /// As [`Attach::record`].
    pub fn record_for(self, time: Duration) -> Result<Trace, Error> {
        self.timeout(time).record()
    }

    /// Trace as [`Attach::record`] does, and see every event when it happens,
    /// with the ledger after it. See [`Launch::for_each`] for what a callback
    /// may do.
    ///
    /// [`Launch::for_each`]: crate::Launch::for_each
    ///
    /// # Errors
    /// As [`Attach::record`].
    ///
    /// # Panics
    /// With the callback's panic, once the process is detached from.
    pub fn for_each(
        self,
        mut callback: impl FnMut(&Event, &Ledger) + Send,
    ) -> Result<Trace, Error> {
        let plan = self.plan()?;
        engine::record(plan, &mut |event, ledger| callback(&event, ledger))
    }

    /// Trace beside the caller; returns when the process is attached to.
    ///
    /// # Errors
    /// As [`Attach::record`].
    pub fn start(self) -> Result<Tracing, Error> {
        Tracing::begin(self.plan()?)
    }

    fn plan(self) -> Result<Plan, Error> {
        let pid = i32::try_from(self.pid).ok().filter(|pid| *pid > 0);
        let pid = pid.ok_or_else(|| Error::Invalid(format!("{} is no pid", self.pid)))?;
        Ok(Plan {
            target: Target::Process(pid),
            rules: self.rules.resolve()?,
            limit: self.limit,
        })
    }
}
