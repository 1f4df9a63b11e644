//! The scheduler's seam: what becomes of a stopped task once everything was
//! read from it, and before it runs on.
//!
//! The tracer asks a [`Scheduler`] at every stop. The default one,
//! [`Unscheduled`], resumes everything; it is compiled in, so asking it costs
//! nothing. One that searches for races holds tasks back instead, or has a call
//! made again or fail, and says at each step which of them go on
//! ([`Command`]).

use std::time::Duration;

use super::engine::Tracer;
use super::stop::Stop;
use super::world::World;
use crate::event::{self, Event, EventKind, HoldEnd, HoldPoint};
use crate::kernel::{Errno, Signal, Tgid, Tid};
use crate::sys::ptrace::How;
use crate::sys::syscall_info::SyscallInfo;

/// How often a scheduler that holds tasks is asked again.
const TICK: Duration = Duration::from_millis(1);

/// What becomes of a stopped task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It runs on.
    Resume,
    /// It stays stopped until it is released.
    Hold,
    /// Its registers are changed, and it runs on.
    Rewrite(Rewrite),
    /// The call that it is about to make gives its child this pid, if it can.
    ChoosePid(Tid),
    /// It runs on to its next stop of this kind, with or without the signal.
    ResumeAs(How, Option<Signal>),
    /// Its signal is dealt with as if it were this one.
    DeliverAs(Signal),
}

/// How the call is changed that a task is about to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rewrite {
    /// It is made again from its instruction, before which pending signals are
    /// delivered.
    Rewind,
    /// It is not made, and fails with this error.
    Fail(Errno),
}

/// What a scheduler wants to be done, between two stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// A held task goes on.
    Release(Tid, Account),
    /// A task that is held at a call makes it again from its instruction.
    Rewind(Tid, Account),
    /// A running task is made to stop.
    Interrupt(Tid),
}

/// What is reported of a hold that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) point: HoldPoint,
    pub(crate) until: HoldEnd,
    /// How long it was.
    pub(crate) lasted: Duration,
}

/// Decides when stopped tasks run on.
pub(crate) trait Scheduler {
    /// Whether it does anything: then tasks stop at their exit too, and it is
    /// asked at each step what goes on.
    const IS_ACTIVE: bool;

    /// Decide about a stop. Its events are made and its tables up to date; of
    /// the tracee nothing but its registers and memory may be read.
    fn decide(&mut self, stop: &Stop, world: &World<'_>) -> Decision;

    /// Decide about a call that our filter stopped, before anything is reported of
    /// it: a call that is held is dealt with when it is released.
    fn decide_call(&mut self, _: &Stop, _: &SyscallInfo, _: &World<'_>) -> Decision {
        Decision::Resume
    }

    /// Decide about a signal, before anything is reported of it.
    fn decide_signal(&mut self, _: &Stop, _: Signal, _: &World<'_>) -> Decision {
        Decision::Resume
    }

    /// A task is dead and was reaped by us, so that its parent is notified.
    fn ended(&mut self, _: Tid, _parent: Option<Tgid>, _: &World<'_>) {}

    /// What is to be done next, until there is nothing more.
    fn next(&mut self, _: &World<'_>) -> Option<Command> {
        None
    }

    /// Whether tasks are held, so that it is to be asked again soon.
    fn wants_tick(&self) -> bool {
        false
    }

    /// A dead task that is not to be reaped yet.
    fn unreaped(&self) -> Option<Tid> {
        None
    }
}

/// Resumes everything.
#[derive(Debug, Default)]
pub(crate) struct Unscheduled;

impl Scheduler for Unscheduled {
    const IS_ACTIVE: bool = false;

    #[inline]
    fn decide(&mut self, _: &Stop, _: &World<'_>) -> Decision {
        Decision::Resume
    }
}

/// A task that is held in its stop, and how it will go on.
#[derive(Debug)]
pub(super) struct Held {
    stop: Stop,
    then: Then,
}

/// What becomes of a held task when it is released.
#[derive(Debug)]
enum Then {
    /// It is resumed; its stop was dealt with.
    Resume(How, Option<Signal>),
    /// The call that it is stopped at is dealt with.
    Call,
}

impl<S: Scheduler> Tracer<S> {
    /// The one place where a task is resumed whose stop was dealt with.
    pub(super) fn resume(&mut self, stop: Stop, how: How, signal: Option<Signal>) {
        let world = World::new(&self.tasks, &self.held);
        match self.scheduler.decide(&stop, &world) {
            Decision::Resume | Decision::DeliverAs(_) | Decision::ChoosePid(_) => {
                stop.tracee.resume(how, signal);
            }
            Decision::ResumeAs(how, signal) => stop.tracee.resume(how, signal),
            Decision::Hold => self.hold(stop, how, signal),
            Decision::Rewrite(change) => {
                rewrite(&stop, change);
                stop.tracee.resume(how, signal);
            }
        }
    }

    /// Keep a task in its stop until it is released. It may be killed there:
    /// its entry goes with its death, before its tid can be used again.
    pub(super) fn hold(&mut self, stop: Stop, how: How, signal: Option<Signal>) {
        let then = Then::Resume(how, signal);
        self.held.insert(stop.tid(), Held { stop, then });
    }

    /// Ask the scheduler about a call that our filter stopped; `None` if it was
    /// answered, and the tracer has nothing to do with it now.
    pub(super) fn schedule_call(
        &mut self,
        stop: Stop,
        info: &SyscallInfo,
        events: &mut Vec<Event>,
    ) -> Option<Stop> {
        if !S::IS_ACTIVE {
            return Some(stop);
        }
        let world = World::new(&self.tasks, &self.held);
        match self.scheduler.decide_call(&stop, info, &world) {
            Decision::Resume | Decision::DeliverAs(_) => return Some(stop),
            Decision::ResumeAs(how, signal) => stop.tracee.resume(how, signal),
            Decision::Hold => {
                let then = Then::Call;
                self.held.insert(stop.tid(), Held { stop, then });
            }
            Decision::ChoosePid(pid) => return self.choose_pid(stop, info, pid),
            Decision::Rewrite(change) => {
                rewrite(&stop, change);
                let tid = stop.tid();
                stop.tracee.resume(How::Cont, None);
                if let Rewrite::Fail(errno) = change {
                    let account = Account {
                        point: HoldPoint::Call,
                        until: HoldEnd::Failed(errno),
                        lasted: Duration::ZERO,
                    };
                    self.tell_of_hold(tid, account, events);
                }
            }
        }
        None
    }

    /// Ask the scheduler about a signal; `None` if it was answered, and else which
    /// signal is to be dealt with.
    pub(super) fn schedule_signal(&mut self, stop: Stop, signal: Signal) -> Option<(Stop, Signal)> {
        if !S::IS_ACTIVE {
            return Some((stop, signal));
        }
        let world = World::new(&self.tasks, &self.held);
        match self.scheduler.decide_signal(&stop, signal, &world) {
            Decision::DeliverAs(other) => Some((stop, other)),
            Decision::ResumeAs(how, signal) => {
                stop.tracee.resume(how, signal);
                None
            }
            Decision::Resume | Decision::Hold | Decision::Rewrite(_) | Decision::ChoosePid(_) => {
                Some((stop, signal))
            }
        }
    }

    /// Let a held task run on whose stop was dealt with.
    pub(super) fn release(&mut self, tid: Tid) {
        match self.held.remove(&tid) {
            Some(Held {
                stop,
                then: Then::Resume(how, signal),
            }) => stop.tracee.resume(how, signal),
            Some(Held {
                stop,
                then: Then::Call,
            }) => self.go_on(stop),
            None => {}
        }
    }

    /// Do what the scheduler wants, and see that it is asked again.
    pub(super) fn serve_scheduler(&mut self, events: &mut Vec<Event>) {
        if !S::IS_ACTIVE {
            return;
        }
        loop {
            let world = World::new(&self.tasks, &self.held);
            match self.scheduler.next(&world) {
                Some(Command::Release(tid, account)) => {
                    self.tell_of_hold(tid, account, events);
                    self.release_scheduled(tid, events);
                }
                Some(Command::Rewind(tid, account)) => {
                    self.tell_of_hold(tid, account, events);
                    if let Some(held) = self.held.remove(&tid) {
                        rewrite(&held.stop, Rewrite::Rewind);
                        held.stop.tracee.resume(How::Cont, None);
                    }
                }
                Some(Command::Interrupt(tid)) => self.interrupt(tid),
                None => break,
            }
        }
        if self.scheduler.wants_tick() {
            self.waker.wake_after(TICK);
        }
    }

    fn release_scheduled(&mut self, tid: Tid, events: &mut Vec<Event>) {
        match self.held.remove(&tid) {
            Some(Held {
                stop,
                then: Then::Resume(how, signal),
            }) => stop.tracee.resume(how, signal),
            Some(Held {
                mut stop,
                then: Then::Call,
            }) => {
                stop.at = self.now();
                self.call_of_filter(stop, events);
            }
            None => {}
        }
    }

    pub(super) fn tell_of_hold(&mut self, tid: Tid, account: Account, events: &mut Vec<Event>) {
        let Some(tgid) = self.tasks.by_tid.get(&tid).map(|task| task.tgid) else {
            return;
        };
        let kind = EventKind::Held(event::Held {
            point: account.point,
            until: account.until,
            lasted: u64::try_from(account.lasted.as_nanos()).unwrap_or(u64::MAX),
        });
        let at = self.now();
        events.push(self.event(at, tid, tgid, kind));
    }
}

fn rewrite(stop: &Stop, change: Rewrite) {
    // Killed in its stop: its death follows.
    let _ = match change {
        Rewrite::Rewind => stop.tracee.rewind_call(),
        Rewrite::Fail(errno) => stop.tracee.fail_call(errno),
    };
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
        const IS_ACTIVE: bool = false;

        fn decide(&mut self, stop: &Stop, _: &World<'_>) -> Decision {
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
    fn with_first_chdir(change: Rewrite) -> (u8, u32) {
        use crate::kernel::native_number;
        use crate::sys::syscall_info::Phase;
        use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

        let chdir = native_number("chdir").map(u64::from);
        let calls = std::sync::Arc::new(AtomicU32::new(0));
        let counted = std::sync::Arc::clone(&calls);
        let script = "cd / || exit 9; exit 7";
        let decide = move |stop: &Stop| {
            let info = stop.tracee.syscall_info();
            let phase = info.map(|info| info.phase);
            let is_first = matches!(phase, Ok(Phase::Entry { nr, .. }) if Some(nr) == chdir)
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

    #[test]
    fn a_call_is_made_again_or_made_to_fail() {
        assert_eq!(with_first_chdir(Rewrite::Rewind), (7, 2));
        assert_eq!(with_first_chdir(Rewrite::Fail(Errno::PERM)), (9, 1));
    }
}
