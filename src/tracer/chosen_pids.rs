//! Calls whose child gets a pid that the scheduler has chosen: they are made in another
//! form, and must not be seen to.

use std::time::Duration;

use super::engine::Tracer;
use super::scheduler::{Account, Scheduler};
use super::stop::{Stop, StopKind};
use crate::event::{Event, HoldEnd, HoldPoint};
use crate::kernel::{Tgid, Tid};
use crate::proc;
use crate::sys::ptrace::{How, Stopped};
use crate::sys::syscall_info::{Phase, SyscallInfo};

impl<S: Scheduler> Tracer<S> {
    /// Have a call that creates a process use this pid. Returns the stop if that is not
    /// possible.
    pub(super) fn choose_pid(&mut self, stop: Stop, info: &SyscallInfo, pid: Tid) -> Option<Stop> {
        let tid = stop.tid();
        let chosen = match (self.tasks.by_tid.get(&tid), info.phase) {
            (Some(task), Phase::Seccomp { args, .. }) => {
                let room = stop.tracee.room_for_chosen_pid();
                let can_wait = |(at, length)| !proc::are_filled(task.tgid, at, length);
                let room = room.filter(|room| !can_wait(*room));
                room.and_then(|(at, _)| stop.tracee.choose_pid(args, at, pid))
            }
            _ => None,
        };
        let Some(call) = chosen else {
            return Some(stop);
        };
        self.chosen_pids.insert(tid, call);
        // If it fails there is no other stop.
        stop.tracee.resume(How::Syscall, None);
        None
    }

    /// At the stops that follow such a call everything becomes what it was before.
    pub(super) fn after_chosen_pid(
        &mut self,
        tracee: &Stopped,
        kind: StopKind,
        events: &mut Vec<Event>,
    ) {
        let tid = tracee.tid();
        let Some(call) = self.chosen_pids.remove(&tid) else {
            return;
        };
        match kind {
            StopKind::NewChild { child, .. } => {
                tracee.give_back_arguments(&call);
                let account = Account {
                    point: HoldPoint::Fork,
                    until: HoldEnd::Reused(Tgid::new(call.pid.raw())),
                    lasted: Duration::ZERO,
                };
                self.tell_of_hold(tid, account, events);
                self.chosen_pids.insert(child, call);
            }
            // The way out of a call that has failed: there was no child.
            StopKind::Syscall => tracee.make_as_before(&call),
            // The child's first.
            _ => tracee.give_back_arguments(&call),
        }
    }
}
