//! Wait calls: what is read at their entry and at their exit.

use std::sync::Arc;

use super::engine::Tracer;
use super::scheduler::Scheduler;
use super::settings::FdNames;
use super::stop::Stop;
use super::tasks::{Call, Words};
use super::wait_result::RawResult;
use crate::event::{Comm, Event, EventKind, Named, Stack, TargetName, WaitEntry, WaitExit};
use crate::kernel::{Abi, Errno, IdType, NsPid, Tgid, Tid, WaitCall, WaitOptions};
use crate::proc;
use crate::stack::RawStack;
use crate::sys::ptrace::{How, Stopped};

impl<S: Scheduler> Tracer<S> {
    /// A wait that is wanted begins.
    pub(super) fn wait_entry(
        &mut self,
        stop: Stop,
        (abi, call): (Abi, WaitCall),
        words: Words,
        events: &mut Vec<Event>,
    ) {
        let (at, tid, restart_outcomes) = (stop.at, stop.tid(), self.capture.restart_outcomes);
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        let tgid = task.tgid;
        let mut entry = WaitEntry::decode(call, abi, words.args);
        // Where outcomes of restarts are not observed, a retry of the program's own would pass for
        // the kernel's restart.
        entry.is_restart = task.is_restart(&words) && restart_outcomes;
        entry.target = self.name_target(tgid, &entry);
        if let Named::Id(IdType::PIDFD, fd) = entry.named
            && self.capture.rules
        {
            // Once it is reaped the descriptor does not tell any more.
            entry.pidfd = proc::pidfd_target(tgid, fd.cast_signed());
        }
        let stack = self.take_stack(&stop.tracee, tgid);
        self.resume(stop, How::Syscall, None);

        entry.stack = stack.and_then(|stack| self.unwind(stack, true));
        if let Some(task) = self.tasks.by_tid.get_mut(&tid) {
            task.call = Some(Call {
                entry: entry.clone(),
                entered: at,
                words,
            });
        }
        events.push(self.event(at, tid, tgid, EventKind::WaitEntered(entry)));
    }

    /// A wait ends, or is interrupted.
    pub(super) fn wait_exit(
        &mut self,
        stop: Stop,
        call: Call,
        result: Result<i64, i64>,
        events: &mut Vec<Event>,
    ) {
        let (at, tid) = (stop.at, stop.tid());
        let Some(tgid) = self.tasks.by_tid.get(&tid).map(|task| task.tgid) else {
            return;
        };
        let result = result
            .map(|pid| NsPid::new(low_word(pid)))
            .map_err(|errno| Errno::from_raw(low_word(-errno)));
        let seen = self.sees_proc().then_some(tgid);
        let raw = RawResult::read(&stop.tracee, &call.entry, result, seen);
        let faulted = result == Err(Errno::FAULT) && self.capture.kinship;
        let remaining = faulted.then(|| proc::children(tgid)).flatten();
        let wants_name = self.capture.peers;
        let child = wants_name.then(|| raw.child(&call.entry, result)).flatten();
        let child = child.and_then(|pid| self.peer(tgid, pid));
        let in_handler = self.in_handler(&stop.tracee, &call, result, tgid);
        let interrupted = matches!(result, Err(errno) if errno.is_restart());
        if interrupted && let Some(task) = self.tasks.by_tid.get_mut(&tid) {
            task.suspend(call.clone());
        }
        self.go_on(stop);

        let (status, info, rusage) = raw.decode(&call.entry);
        let exit = WaitExit {
            entry: call.entry,
            entered: call.entered,
            result,
            status,
            info,
            rusage,
            child,
            remaining,
            lives_on: false,
            in_handler,
        };
        events.push(self.event(at, tid, tgid, EventKind::WaitEnded(exit)));
    }

    /// Copy the call stack of a stopped task, if that is wanted.
    pub(super) fn take_stack(&mut self, stopped: &Stopped, tgid: Tgid) -> Option<RawStack> {
        self.stacks.as_mut()?.take(stopped, tgid)
    }

    /// Make a call stack of what was copied, once the task runs on. `stays` if it will
    /// be stopped before it returns from the call.
    pub(super) fn unwind(&mut self, taken: RawStack, stays: bool) -> Option<Arc<Stack>> {
        Some(self.stacks.as_mut()?.unwind(taken, stays))
    }

    fn name_target(&self, tgid: Tgid, entry: &WaitEntry) -> Option<TargetName> {
        match (entry.named, self.capture.fds) {
            (Named::Id(IdType::PIDFD, fd), FdNames::Link) => {
                proc::fd_link(tgid, fd.cast_signed()).map(TargetName::Link)
            }
            (Named::Id(IdType::PIDFD, fd), FdNames::Detail) => {
                match proc::pidfd_target(tgid, fd.cast_signed()) {
                    Some(pid) if pid > 0 => Some(TargetName::PidFd(pid)),
                    _ => proc::fd_link(tgid, fd.cast_signed()).map(TargetName::Link),
                }
            }
            (Named::Pid(pid), _) if self.capture.peers && pid > 0 => {
                self.peer(tgid, NsPid::new(pid)).map(TargetName::Comm)
            }
            (Named::Id(IdType::PID, pid), _) if self.capture.peers => self
                .peer(tgid, NsPid::new(pid.cast_signed()))
                .map(TargetName::Comm),
            _ => None,
        }
    }

    /// The name of the process that a task of `tgid` calls `pid`, now. Only
    /// where both live in our namespace; elsewhere the ledger translates.
    pub(super) fn peer(&self, tgid: Tgid, pid: NsPid) -> Option<Comm> {
        let process = self.tasks.processes.get(&tgid);
        if pid.raw() <= 0 || process.is_some_and(|process| process.ns.is_some()) {
            return None;
        }
        proc::comm(Tid::new(pid.raw()))
    }
}

/// The low 32 bits: pids and errnos are ints, whatever the register holds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is wanted"
)]
fn low_word(value: i64) -> i32 {
    value as i32
}

impl WaitEntry {
    /// Read the arguments of `call` from the registers of its ABI. Pid, idtype
    /// and options are ints: what lies above is garbage.
    pub(crate) fn decode(call: WaitCall, abi: Abi, args: [u64; 6]) -> WaitEntry {
        let [a, b, c, d, e, _] = args.map(|word| abi.argument(word));
        let int = |word: u64| (word & 0xffff_ffff) as u32;
        let (named, result_at, options, rusage_at) = match call {
            WaitCall::Wait4 => (Named::Pid(int(a).cast_signed()), b, c, d),
            WaitCall::Waitpid => (Named::Pid(int(a).cast_signed()), b, c, 0),
            // wait6 is no call of Linux's.
            WaitCall::Waitid | WaitCall::Wait6 => {
                let named = Named::Id(IdType::from_raw(int(a)), int(b));
                (named, c, d, e)
            }
        };
        WaitEntry {
            call,
            abi,
            named,
            options: WaitOptions::from_raw(int(options)),
            result_at,
            rusage_at,
            info_at: 0,
            is_restart: false,
            is_half: false,
            target: None,
            pidfd: None,
            stack: None,
        }
    }
}
