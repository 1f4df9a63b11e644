//! The scheduler's seam: what becomes of a stopped task once everything was
//! read from it, and before it runs on.
//!
//! The tracer asks a [`Scheduler`] at every stop. The default one,
//! [`Unscheduled`], resumes everything; it is compiled in, so asking it costs
//! nothing. One that searches for races holds tasks back instead, or has a call
//! made again or fail.

use super::engine::Tracer;
use super::stop::Stop;
use crate::kernel::{Errno, Signal, Tid};
use crate::sys::ptrace::{How, Stopped};

/// What becomes of a stopped task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the default scheduler resumes everything")
)]
pub(crate) enum Decision {
    /// It runs on.
    Resume,
    /// It stays stopped until [`Tracer::release`].
    Hold,
    /// Its registers are changed, and it runs on.
    Rewrite(Rewrite),
}

/// How the call is changed that a task is about to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the default scheduler changes nothing")
)]
pub(crate) enum Rewrite {
    /// It is made again from its instruction, before which pending signals are
    /// delivered.
    Rewind,
    /// It is not made, and fails with this error.
    Fail(Errno),
}

/// Decides when stopped tasks run on.
pub(crate) trait Scheduler {
    /// Decide about a stop. Its events are made and its tables up to date; of
    /// the tracee nothing but its registers and memory may be read.
    fn decide(&mut self, stop: &Stop) -> Decision;
}

/// Resumes everything.
#[derive(Debug, Default)]
pub(crate) struct Unscheduled;

impl Scheduler for Unscheduled {
    #[inline]
    fn decide(&mut self, _: &Stop) -> Decision {
        Decision::Resume
    }
}

/// A task that is held in its stop, and how it will go on.
#[derive(Debug)]
pub(super) struct Held {
    tracee: Stopped,
    how: How,
    signal: Option<Signal>,
}

impl<S: Scheduler> Tracer<S> {
    /// The one place where a task is resumed whose stop was dealt with.
    pub(super) fn resume(&mut self, stop: Stop, how: How, signal: Option<Signal>) {
        match self.scheduler.decide(&stop) {
            Decision::Resume => stop.tracee.resume(how, signal),
            Decision::Hold => self.hold(stop.tracee, how, signal),
            Decision::Rewrite(change) => {
                // Killed in its stop: its death follows.
                let _ = match change {
                    Rewrite::Rewind => stop.tracee.rewind_call(),
                    Rewrite::Fail(errno) => stop.tracee.fail_call(errno),
                };
                stop.tracee.resume(how, signal);
            }
        }
    }

    /// Keep a task in its stop until it is released. It may be killed there:
    /// its entry goes with its death, before its tid can be used again.
    pub(super) fn hold(&mut self, tracee: Stopped, how: How, signal: Option<Signal>) {
        let held = Held {
            tracee,
            how,
            signal,
        };
        self.held.insert(held.tracee.tid(), held);
    }

    /// Let a held task run on.
    pub(super) fn release(&mut self, tid: Tid) {
        if let Some(held) = self.held.remove(&tid) {
            held.tracee.resume(held.how, held.signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::thread;

    use super::*;
    use crate::event::{Event, EventKind};
    use crate::kernel::{Status, WaitCalls};
    use crate::sys::spawn::Program;
    use crate::sys::startup::Inherited;
    use crate::sys::wake_signal::{WakeSignal, keep_signals_out};
    use crate::sys::waker::Waker;
    use crate::tracer::stop::StopKind;
    use crate::tracer::{Capture, RootEnd, Settings, Step};

    /// Decides as `decide` says, of the root's stops.
    struct Decider<D>(D);

    impl<D: FnMut(&Stop) -> Decision> Scheduler for Decider<D> {
        fn decide(&mut self, stop: &Stop) -> Decision {
            (self.0)(stop)
        }
    }

    fn shell(script: &str) -> Program {
        let word = |text: &str| CString::new(text).unwrap();
        Program {
            candidates: vec![word("/bin/sh")],
            argv: ["sh", "-c", script].map(word).to_vec(),
            env: Vec::new(),
            identity: None,
            filter: None,
            start: Inherited::get(),
            files: [None, None, None],
            directory: None,
        }
    }

    /// Trace a shell script to its end on a thread of its own. What is held is
    /// released when `until` has been seen.
    fn traced<D>(script: &'static str, until: fn(&Event) -> bool, decide: D) -> Vec<Event>
    where
        D: FnMut(&Stop) -> Decision + Send + 'static,
    {
        let tracer = thread::spawn(move || {
            keep_signals_out();
            let waker = Waker::new(&[], WakeSignal::borrowed().unwrap()).unwrap();
            let settings = Settings {
                lets_leftovers_go: false,
                capture: Capture::default(),
                follow: true,
                wanted: WaitCalls::ALL,
                polls: true,
                kill_on_exit: false,
                full_speed: false,
                stops_as_job: false,
            };
            let mut tracer = Tracer::with_scheduler(settings, waker, Decider(decide));
            tracer.launch(&shell(script)).unwrap();
            let mut events = Vec::new();
            loop {
                let seen = events.len();
                let step = tracer.step(&mut events);
                if events.iter().skip(seen).any(until) {
                    let held: Vec<Tid> = tracer.held.keys().copied().collect();
                    for tid in held {
                        tracer.release(tid);
                    }
                }
                if step == Step::Over {
                    let ended = matches!(tracer.root_end(), Some(RootEnd::Ended(_)));
                    assert!(ended && tracer.held.is_empty());
                    return events;
                }
            }
        });
        tracer.join().unwrap()
    }

    fn exits_with(event: &Event, code: u8) -> bool {
        matches!(event.kind, EventKind::Ended { status } if status.decode() == Status::Exited(code))
    }

    #[test]
    fn a_creator_that_is_held_goes_on_when_its_child_has_ended() {
        let script = "(exit 3) & wait $!; exit 4";
        let events = traced(
            script,
            |event| exits_with(event, 3),
            |stop| match stop.kind {
                StopKind::NewChild { .. } => Decision::Hold,
                _ => Decision::Resume,
            },
        );
        let at = |found: fn(&Event) -> bool| events.iter().position(found).unwrap();
        let child_ends = at(|event| exits_with(event, 3));
        assert!(at(|event| matches!(event.kind, EventKind::Created(_))) < child_ends);
        assert!(child_ends < at(|event| matches!(event.kind, EventKind::WaitEntered(_))));
        assert!(events.iter().any(|event| exits_with(event, 4)));
    }

    /// How a script that changes to `/` ends, and how often it makes that call,
    /// if the first of them is changed so.
    #[cfg(target_arch = "x86_64")]
    fn with_first_chdir(change: Rewrite) -> (u8, u32) {
        use crate::sys::syscall_info::Phase;
        use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

        const CHDIR: u64 = 80;
        let calls = std::sync::Arc::new(AtomicU32::new(0));
        let counted = std::sync::Arc::clone(&calls);
        let script = "cd / || exit 9; exit 7";
        let decide = move |stop: &Stop| {
            let info = stop.tracee.syscall_info();
            let phase = info.map(|info| info.phase);
            let is_first = matches!(phase, Ok(Phase::Entry { nr: CHDIR, .. }))
                && counted.fetch_add(1, SeqCst) == 0;
            if is_first {
                Decision::Rewrite(change)
            } else {
                Decision::Resume
            }
        };
        let events = traced(script, |_| false, decide);
        let code = [7, 9]
            .into_iter()
            .find(|code| events.iter().any(|event| exits_with(event, *code)));
        (code.unwrap(), calls.load(SeqCst))
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_call_is_made_again_or_made_to_fail() {
        assert_eq!(with_first_chdir(Rewrite::Rewind), (7, 2));
        assert_eq!(with_first_chdir(Rewrite::Fail(Errno::PERM)), (9, 1));
    }
}
