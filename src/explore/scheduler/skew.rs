//! A handler of SIGCHLD that runs some instructions after a call that failed.
//!
//! Whichever comes first waits for the other: a child at its exit until its parent has
//! made a call that failed, or the parent after such a call until a child exits. The
//! parent stands still at the exit of the call until the child is dead, so that
//! SIGCHLD is pending, and is delivered so many instructions later: the kernel
//! could have made it pending there. A call that the kernel would restart is not
//! one of them, as it would see the signal first; neither is one that is still to
//! come, as the signal would come before it.
//!
//! The number of a skew is that of the instructions, and of hundreds: so many calls
//! that failed are passed before.

use std::time::Instant;

use super::Explorer;
use super::holds::Until;
use crate::event::{HoldEnd, HoldPoint};
use crate::explore::schedule::Point;
use crate::kernel::{Errno, Signal, Tgid, Tid};
use crate::proc;
use crate::sys::ptrace::How;
use crate::sys::syscall_info::Phase;
use crate::tracer::scheduler::Decision;
use crate::tracer::{Stop, World};

/// The machine code of the instruction that makes a call: `syscall`, or `svc #0`.
const SYSCALL: &[u8] = if cfg!(target_arch = "aarch64") {
    &[0x01, 0x00, 0x00, 0xd4]
} else {
    &[0x0f, 0x05]
};

/// How many calls are passed, and how many instructions the handler is put off by, by the
/// number of a skew.
const PASSED: u32 = 100;

/// How often a parent waits for a child that does not exit. A program may make many
/// calls that fail while its child is at work.
const MOST_FRUITLESS: u32 = 3;

/// Where the one skew of a moment is.
#[derive(Debug, Default)]
pub(super) enum Skew {
    #[default]
    None,
    /// The child is held at its exit.
    AwaitsFailure { child: Tid, parent: Tgid },
    /// The parent's thread is held after a call that failed, until a child exits.
    AwaitsExit { thread: Tid, parent: Tgid },
    /// The parent's thread is held after a call that failed, until the child is
    /// dead.
    AwaitsDeath { child: Tid, thread: Tid },
    /// SIGCHLD is pending for the thread.
    AwaitsSignal { thread: Tid },
    /// It is kept back for so many instructions more.
    Steps {
        thread: Tid,
        left: u32,
        info: Box<[u8; 128]>,
    },
}

impl Explorer {
    /// Whether it is of interest how a call of a task ends, once it was made.
    pub(super) fn awaits_failure(&self, tid: Tid, world: &World<'_>) -> bool {
        if !self.schedule.has(Point::Skew) || !self.may_hold() {
            return false;
        }
        let Some(tgid) = world.process_of(tid) else {
            return false;
        };
        match self.skew {
            Skew::None => world.has_children(tgid),
            Skew::AwaitsFailure { parent, .. } => parent == tgid,
            _ => false,
        }
    }

    /// A child is about to end; whether it is held until its parent has made a
    /// call that failed.
    pub(super) fn skews(&mut self, child: Tid, parent: Tgid, world: &World<'_>) -> bool {
        if !self.schedule.has(Point::Skew) || !self.may_hold() {
            return false;
        }
        match self.skew {
            // Its parent waits for that.
            Skew::AwaitsExit { thread, parent: of } if of == parent => {
                let mut holds = self.holds.iter_mut();
                if let Some(hold) = holds.find(|hold| hold.tid == thread) {
                    (hold.until, hold.since) = (Until::Group, Instant::now());
                    self.skew = Skew::AwaitsDeath { child, thread };
                }
                false
            }
            // Of several threads another one may take the signal.
            Skew::None
                if world.threads_of(parent).len() == 1
                    && super::deaths::catches_sigchld(parent) =>
            {
                self.skew = Skew::AwaitsFailure { child, parent };
                true
            }
            _ => false,
        }
    }

    /// A call has ended; the thread is held if it failed and a death is to follow.
    pub(super) fn after_call(&mut self, stop: &Stop, world: &World<'_>) -> Decision {
        let tid = stop.tid();
        let tgid = world.process_of(tid);
        let wanted = tgid.filter(|_| self.awaits_failure(tid, world) && has_failed(stop));
        let Some(tgid) = wanted.filter(|tgid| may_be_interrupted(*tgid, world)) else {
            return Decision::Resume;
        };
        let passed = self.schedule.number(Point::Skew).unwrap_or(0) / PASSED;
        if self.counts.next(Point::Skew) <= passed {
            return Decision::Resume;
        }
        match self.skew {
            Skew::AwaitsFailure { child, .. } if world.is_held(child) => {
                // As its parent has made a call.
                self.end_holds(|hold| hold.tid == child, HoldEnd::Asleep(tgid));
                self.skew = Skew::AwaitsDeath { child, thread: tid };
                self.hold(stop, world, HoldPoint::Delivery, Until::Group)
            }
            Skew::None
                if self
                    .fruitless
                    .get(&tgid)
                    .is_none_or(|n| *n < MOST_FRUITLESS) =>
            {
                self.skew = Skew::AwaitsExit {
                    thread: tid,
                    parent: tgid,
                };
                self.hold(stop, world, HoldPoint::Delivery, Until::ChildExits)
            }
            _ => Decision::Resume,
        }
    }

    /// A task is dead.
    pub(super) fn skew_ended(&mut self, tid: Tid) {
        match self.skew {
            Skew::AwaitsDeath { child, thread } if child == tid => {
                self.skew = Skew::AwaitsSignal { thread };
                let dead = Tgid::new(child.raw());
                self.end_holds(|hold| hold.tid == thread, HoldEnd::Ended(dead));
            }
            Skew::AwaitsFailure { child, .. } if child == tid => self.skew = Skew::None,
            Skew::AwaitsExit { thread, .. }
            | Skew::AwaitsDeath { thread, .. }
            | Skew::AwaitsSignal { thread }
            | Skew::Steps { thread, .. }
                if thread == tid =>
            {
                self.skew = Skew::None;
            }
            _ => {}
        }
    }

    /// The child does not exit or die in time: its parent goes on.
    pub(super) fn end_late_skew(&mut self, now: Instant) {
        if let Skew::AwaitsExit { thread, parent } = self.skew
            && !self.holds.iter().any(|hold| hold.tid == thread)
        {
            self.skew = Skew::None;
            *self.fruitless.entry(parent).or_insert(0) += 1;
        }
        if let Skew::AwaitsDeath { thread, .. } = self.skew {
            let held = self.holds.iter().find(|hold| hold.tid == thread);
            if held.is_none_or(|hold| now - hold.since >= super::holds::LIMIT) {
                self.skew = Skew::None;
                self.end_holds(|hold| hold.tid == thread, HoldEnd::TooLong);
            }
        }
    }

    /// A signal is about to be delivered, or a step was made.
    pub(super) fn skewed(&mut self, stop: &Stop, signal: Signal) -> Decision {
        let tid = stop.tid();
        match std::mem::take(&mut self.skew) {
            Skew::AwaitsSignal { thread } if thread == tid && signal == Signal::CHLD => {
                let left = self.schedule.number(Point::Skew).unwrap_or(0) % PASSED;
                let Ok(info) = stop.tracee().siginfo() else {
                    return Decision::Resume;
                };
                self.forced.next(Point::Skew);
                self.step(stop, left, Box::new(info))
            }
            Skew::Steps { thread, left, info } if thread == tid && signal == Signal::TRAP => {
                self.step(stop, left, info)
            }
            // Another signal comes first: after that one.
            Skew::Steps { thread, info, .. } if thread == tid => {
                self.skew = Skew::Steps {
                    thread,
                    left: 0,
                    info,
                };
                Decision::ResumeAs(How::SingleStep, Some(signal))
            }
            other => {
                self.skew = other;
                Decision::Resume
            }
        }
    }

    /// Make one more step, or deliver the signal now.
    fn step(&mut self, stop: &Stop, left: u32, info: Box<[u8; 128]>) -> Decision {
        if left == 0 || is_before_call(stop) {
            return if stop.tracee().set_siginfo(&info).is_ok() {
                Decision::DeliverAs(Signal::CHLD)
            } else {
                Decision::Resume
            };
        }
        self.skew = Skew::Steps {
            thread: stop.tid(),
            left: left - 1,
            info,
        };
        Decision::ResumeAs(How::SingleStep, None)
    }
}

/// Whether SIGCHLD would interrupt a process where it is now: it has one thread and living
/// children, and a handler.
fn may_be_interrupted(tgid: Tgid, world: &World<'_>) -> bool {
    if world.threads_of(tgid).len() != 1 || !world.has_children(tgid) {
        return false;
    }
    proc::status(tgid.leader()).is_some_and(|status| {
        let signal = Signal::CHLD.bit();
        let is_pending = (status.pending | status.own_pending) & signal != 0;
        status.catches(Signal::CHLD) && status.blocked & signal == 0 && !is_pending
    })
}

/// Whether a call has just failed with an error that the program sees.
fn has_failed(stop: &Stop) -> bool {
    let info = stop.tracee().syscall_info();
    match info.map(|info| info.phase) {
        Ok(Phase::Exit {
            value,
            is_error: true,
        }) => i32::try_from(-value).is_ok_and(|errno| {
            let errno = Errno::from_raw(errno);
            errno != Errno::INTR && !errno.is_restart()
        }),
        _ => false,
    }
}

/// Whether the next instruction makes a call, before which a signal comes.
fn is_before_call(stop: &Stop) -> bool {
    let mut code = [0; SYSCALL.len()];
    let at = stop.tracee().instruction_pointer();
    at.is_some_and(|at| stop.tracee().read(at, &mut code).is_ok() && code == SYSCALL)
}
