//! Entries to and exits from system calls: which of them matter, and those
//! beside the waits.

use super::engine::Tracer;
use super::failed_exec::OpenExec;
use super::scheduler::Scheduler;
use super::stop::Stop;
use super::tasks::Words;
use crate::event::{Event, EventKind};
use crate::kernel::{
    Abi, CLONE_NEWPID, CLONE_UNTRACED, CloneCall, Errno, LAST_PLAIN_SIGNAL, NsPid,
    PIDFD_SIGNAL_PROCESS_GROUP, PR_SET_PDEATHSIG, RuleCall, Signal, Tgid, WaitCall,
};
use crate::proc;
use crate::sys::ptrace::Stopped;
use crate::sys::seccomp::{NEW_LISTENER, OURS};
use crate::sys::syscall_info::{Phase, SyscallInfo};
use crate::sys::wait::has_result;

impl<S: Scheduler> Tracer<S> {
    /// Entry to or exit from a call.
    pub(super) fn syscall_stop(&mut self, stop: Stop, events: &mut Vec<Event>) {
        let Ok(info) = stop.tracee.syscall_info() else {
            // Most likely killed in its stop; its death follows.
            self.go_on(stop);
            return;
        };
        self.follow_eintr(stop.tid(), &info);
        match info.phase {
            Phase::Entry { nr, args } => {
                let words = words(&info, nr, args);
                if self.is_made_again(stop.tid(), &words) {
                    self.go_on(stop);
                } else {
                    self.entry(stop, info, nr, args, events);
                }
            }
            Phase::Exit { value, is_error } => {
                let result = if is_error { Err(value) } else { Ok(value) };
                self.exit(stop, result, events);
            }
            Phase::Seccomp { .. } | Phase::None => self.other_stop(stop),
        }
    }

    /// While its turn came, the tracee got into another stop: it was killed, or its
    /// process executed a program. The next wait returns that one.
    fn other_stop(&mut self, stop: Stop) {
        if !has_result(stop.tid()) {
            self.go_on(stop);
        }
    }

    /// A filter asks for us: ours, or one that the tracee installed itself.
    pub(super) fn seccomp_stop(&mut self, stop: Stop, events: &mut Vec<Event>) {
        let Ok(info) = stop.tracee.syscall_info() else {
            self.go_on(stop);
            return;
        };
        self.follow_eintr(stop.tid(), &info);
        match info.phase {
            Phase::Seccomp { nr, args, data }
                if data == u32::from(OURS) && self.is_of_our_filter(info.arch, nr, args) =>
            {
                if let Some(stop) = self.schedule_call(stop, &info, events) {
                    self.entry(stop, info, nr, args, events);
                }
            }
            // Untraced, its RET_TRACE would make the call fail with ENOSYS.
            Phase::Seccomp { .. } => {
                let _ = stop.tracee.fail_call(Errno::NOSYS);
                self.go_on(stop);
            }
            Phase::Entry { .. } | Phase::Exit { .. } | Phase::None => self.other_stop(stop),
        }
    }

    /// A call that our filter stopped and that was held goes on.
    pub(super) fn call_of_filter(&mut self, stop: Stop, events: &mut Vec<Event>) {
        match stop.tracee.syscall_info() {
            Ok(info) => match info.phase {
                Phase::Seccomp { nr, args, .. } => self.entry(stop, info, nr, args, events),
                _ => self.go_on(stop),
            },
            Err(_) => self.go_on(stop),
        }
    }

    /// Whether our filter stopped a call: the tracee's own may use our mark.
    fn is_of_our_filter(&self, arch: u32, nr: u64, args: [u64; 6]) -> bool {
        let filter = self.filter.as_ref();
        filter.is_some_and(|filter| filter.stops(arch, nr, args))
    }

    fn entry(
        &mut self,
        stop: Stop,
        info: SyscallInfo,
        nr: u64,
        args: [u64; 6],
        events: &mut Vec<Event>,
    ) {
        let abi = Abi::from_audit(info.arch, nr);
        let wait = abi.and_then(|abi| Some((abi, abi.wait_call(nr)?)));
        let is_wanted = |(_, call): &(Abi, WaitCall)| {
            self.wanted.has(*call) && (self.polls || !call.polls(args))
        };
        if let Some(wait) = wait.filter(is_wanted) {
            self.wait_entry(stop, wait, words(&info, nr, args), events);
        } else if let Some(abi) = abi {
            self.other_entry(stop, abi, nr, args, events);
        } else {
            self.go_on(stop);
        }
    }

    pub(super) fn exit(&mut self, stop: Stop, result: Result<i64, i64>, events: &mut Vec<Event>) {
        let mut task = self.tasks.by_tid.get_mut(&stop.tid());
        if let Some(deferred) = task.as_mut().and_then(|task| task.sigaction.take()) {
            self.sigaction_exit(stop, deferred, result.is_ok(), events);
        } else if let Some(exec) = task.as_mut().and_then(|task| task.exec.take()) {
            self.exec_exit(stop, exec, result, events);
        } else if let Some(call) = task.and_then(|task| task.call.take()) {
            self.wait_exit(stop, call, result, events);
        } else {
            self.doubt_eintr(stop.tid(), result);
            self.go_on(stop);
        }
    }

    /// A call that is no wait, or none that is wanted.
    fn other_entry(
        &mut self,
        stop: Stop,
        abi: Abi,
        nr: u64,
        args: [u64; 6],
        events: &mut Vec<Event>,
    ) {
        let (at, tid) = (stop.at, stop.tid());
        let Some(task) = self.tasks.by_tid.get(&tid) else {
            return;
        };
        let (tgid, is_filtered) = (task.tgid, task.kind.filtered);
        let rule_call = abi.rule_call(nr);
        if rule_call == Some(RuleCall::Sigaction) {
            self.sigaction_entry(stop, abi, args, events);
            return;
        }
        if let Some(exec) = rule_call.and_then(|call| OpenExec::new(abi, call, args)) {
            self.exec_entry(stop, exec);
            return;
        }
        self.note_or_change(&stop.tracee, abi, nr, args);
        let kind = rule_call.filter(|_| self.capture.rules);
        let kind = kind.and_then(|call| match call {
            RuleCall::PidfdKill => sent_by_pidfd(abi, tgid, args),
            _ => rule_event(abi, call, args),
        });
        let listens = is_filtered && wants_listener(abi, nr, args);
        let kind = kind.or(listens.then_some(EventKind::ListenerWanted));
        self.go_on(stop);
        events.extend(kind.map(|kind| self.event(at, tid, tgid, kind)));
    }

    /// Calls that we see for our own sake: those after which children may live
    /// in another pid namespace, and a clone that would escape us.
    fn note_or_change(&mut self, stopped: &Stopped, abi: Abi, nr: u64, args: [u64; 6]) {
        let [first, ..] = args;
        let is = |number: u32| nr == u64::from(number);
        let moves = (is(abi.unshare()) && first & u64::from(CLONE_NEWPID) != 0) || is(abi.setns());
        if moves {
            let task = self.tasks.by_tid.get(&stopped.tid());
            let process = task.and_then(|task| self.tasks.processes.get_mut(&task.tgid));
            if let Some(process) = process {
                process.moved = true;
            }
        } else if self.follow
            && abi.clone_call(nr) == Some(CloneCall::Clone)
            && first & u64::from(CLONE_UNTRACED) != 0
        {
            // The child would live under our filter without a tracer to answer it.
            let _ = stopped.clear_argument_bits(u64::from(CLONE_UNTRACED));
        }
    }
}

pub(super) fn words(info: &SyscallInfo, nr: u64, args: [u64; 6]) -> Words {
    Words {
        nr,
        args,
        instruction_pointer: info.instruction_pointer,
        stack_pointer: info.stack_pointer,
    }
}

/// What a rule needs to know of a call.
fn rule_event(abi: Abi, call: RuleCall, args: [u64; 6]) -> Option<EventKind> {
    let [first, second, third, ..] = args.map(|word| abi.argument(word));
    let int = |word: u64| (word & 0xffff_ffff) as u32;
    match call {
        // Their arguments lie in memory, and behind a descriptor.
        RuleCall::Sigaction | RuleCall::PidfdKill | RuleCall::Execve | RuleCall::Execveat => None,
        RuleCall::ExitGroup => {
            let code = int(first).cast_signed();
            (0x100..=0xffff)
                .contains(&code)
                .then_some(EventKind::ExitsWith(code))
        }
        RuleCall::Kill | RuleCall::Tkill | RuleCall::Tgkill => {
            let target = NsPid::new(int(first).cast_signed());
            let signal = if call == RuleCall::Tgkill {
                third
            } else {
                second
            };
            let signal = Signal::from_raw(int(signal).cast_signed());
            let last = if call == RuleCall::Kill {
                i32::MAX
            } else {
                LAST_PLAIN_SIGNAL
            };
            (1..=last)
                .contains(&signal.raw())
                .then_some(EventKind::Kills { target, signal })
        }
        RuleCall::Prctl => (int(first) == PR_SET_PDEATHSIG).then(|| {
            let signal = int(second).cast_signed();
            EventKind::DeathSignalSet((signal != 0).then(|| Signal::from_raw(signal)))
        }),
    }
}

/// A signal that is sent by a pidfd. What is behind that is read now: the descriptor may be
/// another's once the call is over.
fn sent_by_pidfd(abi: Abi, tgid: Tgid, args: [u64; 6]) -> Option<EventKind> {
    let [fd, signal, _, flags, ..] = args.map(|word| abi.argument(word));
    let int = |word: u64| ((word & 0xffff_ffff) as u32).cast_signed();
    let signal = Signal::from_raw(int(signal));
    if signal.raw() <= 0 {
        return None;
    }
    let target = proc::pidfd_target_of(tgid, int(fd))?;
    let target = if flags & PIDFD_SIGNAL_PROCESS_GROUP == 0 {
        target
    } else {
        NsPid::new(-target.raw())
    };
    Some(EventKind::Kills { target, signal })
}

/// Whether a call asks for a seccomp filter that hands calls to a supervisor.
fn wants_listener(abi: Abi, nr: u64, args: [u64; 6]) -> bool {
    let [_, flags, ..] = args;
    nr == u64::from(abi.seccomp()) && flags & u64::from(NEW_LISTENER) != 0
}
