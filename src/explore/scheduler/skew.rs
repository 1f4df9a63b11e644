//! A handler of SIGCHLD that runs some instructions after a call that failed.
//!
//! A child is held at its exit until its parent has made a call that failed. The
//! parent stands still at the exit of that call until the child is dead, so that
//! SIGCHLD is pending, and is delivered so many instructions later: the kernel
//! could have made it pending there. A call that the kernel would restart is not
//! one of them, as it would see the signal first; neither is one that is still to
//! come, as the signal would come before it.

use std::time::Instant;

use super::Explorer;
use super::holds::{Hold, Until};
use crate::event::{HoldEnd, HoldPoint};
use crate::explore::schedule::Point;
use crate::kernel::{Errno, Signal, Tgid, Tid};
use crate::sys::ptrace::How;
use crate::sys::syscall_info::Phase;
use crate::tracer::scheduler::{Account, Command, Decision};
use crate::tracer::{Stop, World};

/// The machine code of the instruction that makes a call: `syscall`, or `svc #0`.
const SYSCALL: &[u8] = if cfg!(target_arch = "aarch64") {
    &[0x01, 0x00, 0x00, 0xd4]
} else {
    &[0x0f, 0x05]
};

/// Where the one skew of a moment is.
#[derive(Debug, Default)]
pub(super) enum Skew {
    #[default]
    None,
    /// The child is held at its exit.
    AwaitsFailure { child: Tid, parent: Tgid },
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

impl Skew {
    fn parent(&self) -> Option<Tgid> {
        match self {
            Skew::AwaitsFailure { parent, .. } => Some(*parent),
            _ => None,
        }
    }
}

impl Explorer {
    /// Whether the next failure of a process's calls is awaited.
    pub(super) fn awaits_failure(&self, tgid: Tgid) -> bool {
        self.skew.parent() == Some(tgid)
    }

    /// A child is about to end; whether it is held until its parent has made a
    /// call that failed.
    pub(super) fn skews(&mut self, child: Tid, parent: Tgid, world: &World<'_>) -> bool {
        let is_free = matches!(self.skew, Skew::None) && self.may_hold();
        let is_wanted = self.schedule.has(Point::Skew) && is_free;
        // Of several threads another one may take the signal.
        let is_alone = world.threads_of(parent).len() == 1;
        let is_met = is_wanted && is_alone && super::deaths::catches_sigchld(parent);
        if is_met {
            self.skew = Skew::AwaitsFailure { child, parent };
        }
        is_met
    }

    /// A call has ended; the thread is held if it failed and a death is to follow.
    pub(super) fn after_call(&mut self, stop: &Stop, world: &World<'_>) -> Decision {
        let tid = stop.tid();
        let tgid = world.process_of(tid);
        let Skew::AwaitsFailure { child, parent } = self.skew else {
            return Decision::Resume;
        };
        if tgid != Some(parent) || !has_failed(stop) || !world.is_held(child) {
            return Decision::Resume;
        }
        let Some(index) = self.holds.iter().position(|hold| hold.tid == child) else {
            return Decision::Resume;
        };
        let Hold { point, since, .. } = self.holds.swap_remove(index);
        let account = Account {
            point,
            until: HoldEnd::Asleep(parent),
            lasted: since.elapsed(),
        };
        self.commands.push_back(Command::Release(child, account));
        self.skew = Skew::AwaitsDeath { child, thread: tid };
        self.hold(stop, world, HoldPoint::Delivery, Until::Group)
    }

    /// A task is dead.
    pub(super) fn skew_ended(&mut self, tid: Tid) {
        match self.skew {
            Skew::AwaitsDeath { child, thread } if child == tid => {
                self.skew = Skew::AwaitsSignal { thread };
                self.release_skewed(thread, HoldEnd::Ended(Tgid::new(child.raw())));
            }
            Skew::AwaitsFailure { child, .. } if child == tid => self.skew = Skew::None,
            Skew::AwaitsDeath { thread, .. }
            | Skew::AwaitsSignal { thread }
            | Skew::Steps { thread, .. }
                if thread == tid =>
            {
                self.skew = Skew::None;
            }
            _ => {}
        }
    }

    /// The child does not die in time: its parent goes on.
    pub(super) fn end_late_skew(&mut self, now: Instant) {
        if let Skew::AwaitsDeath { thread, .. } = self.skew {
            let held = self.holds.iter().find(|hold| hold.tid == thread);
            if held.is_none_or(|hold| now - hold.since >= super::holds::LIMIT) {
                self.skew = Skew::None;
                self.release_skewed(thread, HoldEnd::TooLong);
            }
        }
    }

    fn release_skewed(&mut self, thread: Tid, until: HoldEnd) {
        let Some(index) = self.holds.iter().position(|hold| hold.tid == thread) else {
            return;
        };
        let hold = self.holds.swap_remove(index);
        let account = Account {
            point: hold.point,
            until,
            lasted: hold.since.elapsed(),
        };
        self.commands.push_back(Command::Release(thread, account));
    }

    /// A signal is about to be delivered, or a step was made.
    pub(super) fn skewed(&mut self, stop: &Stop, signal: Signal) -> Decision {
        let tid = stop.tid();
        match std::mem::take(&mut self.skew) {
            Skew::AwaitsSignal { thread } if thread == tid && signal == Signal::CHLD => {
                let left = self.schedule.number(Point::Skew).unwrap_or(0);
                let Ok(info) = stop.tracee().siginfo() else {
                    return Decision::Resume;
                };
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
