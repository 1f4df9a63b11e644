//! Interrupting tracees, and undoing what that does to the calls they sleep in.
//!
//! A tracee that sleeps is woken by our interrupt, and by a signal that it
//! ignores, which untraced would not even be queued. The kernel restarts most
//! calls then; some fail with EINTR ([`Abi::fails_when_woken`]). At the stop
//! that follows, EINTR is replaced by ERESTARTNOHAND: the kernel then decides as
//! it does for `pause`. If a handler is about to run, the call fails with EINTR
//! after all, as it would untraced; if none is, the call is made again. No
//! window is left in which a signal could be lost, and it holds for a tracee
//! that is detached in that stop as well. A time-out of the call starts anew.
//!
//! aarch64 has decided before the stop. There the task is sent back to the instruction
//! of the call, and if a handler is to run before it is there, EINTR is put back
//! ([`super::last_eintr`]): only for a task that is detached in that stop is there a
//! window, in which a signal comes as if before the call.

use std::time::Duration;

use super::engine::Tracer;
use super::last_eintr::{CallSite, LastEintr};
use super::scheduler::Scheduler;
use super::syscalls::words;
use super::tasks::Words;
use crate::event::Moment;
use crate::kernel::{Abi, Errno, Signal, Tgid, Tid, TimeOut};
use crate::proc;
use crate::sys::left_call::LeftCall;
use crate::sys::ptrace::{self, Stopped};
use crate::sys::syscall_info::{Phase, SyscallInfo};

/// A call with a time-out that was woken and is made again.
#[derive(Clone, Debug)]
pub(super) struct MadeAgain {
    words: Words,
    /// When it was woken first.
    since: Moment,
}

impl<S: Scheduler> Tracer<S> {
    /// Make a running task stop. Its stop is an answer to us.
    pub(super) fn interrupt(&mut self, tid: Tid) {
        if let Some(task) = self.tasks.by_tid.get_mut(&tid) {
            task.asked_to_stop = true;
        }
        ptrace::interrupt(tid);
    }

    /// A signal is about to be delivered; if the task ignores it, let the call
    /// go on that it has woken. A continuation comes after a stop, which wakes
    /// untraced tasks as well.
    pub(super) fn undo_wake_up_by(&mut self, signal: Signal, tracee: &Stopped) {
        let ignores = || {
            let status = proc::status(tracee.tid());
            status.is_some_and(|status| status.disregards(signal))
        };
        if signal != Signal::CONT && self.sees_proc() && tracee.has_eintr() && ignores() {
            self.undo_wake_up(tracee);
        }
    }

    /// A signal is about to be delivered. If a handler runs, on aarch64, a call that was to
    /// be made again fails with EINTR, as untraced, and one that has failed is over.
    pub(super) fn keep_eintr_for(&mut self, signal: Signal, tracee: &Stopped) {
        let tid = tracee.tid();
        if !cfg!(target_arch = "aarch64") || !self.sees_proc() {
            return;
        }
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        let was_sent_back = matches!(task.last_eintr, LastEintr::SentBack { .. });
        if !was_sent_back && !tracee.has_eintr() {
            return;
        }
        let is_caught = proc::status(tid).is_some_and(|status| status.catches(signal));
        let Some(info) = tracee.syscall_info().ok().filter(|_| is_caught) else {
            return;
        };
        let site = task.last_eintr.sent_back_from(info.instruction_pointer);
        if let Some(site) = site {
            // Unless it was killed in its stop.
            let _ = tracee.fail_sent_back(site.end);
        }
        task.last_eintr = LastEintr::Handled(site.unwrap_or(here(&info)));
    }

    /// A task enters or leaves a call.
    pub(super) fn follow_eintr(&mut self, tid: Tid, info: &SyscallInfo) {
        if !cfg!(target_arch = "aarch64") {
            return;
        }
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        match info.phase {
            Phase::Entry { .. } | Phase::Seccomp { .. } => task.last_eintr.enters(here(info)),
            Phase::Exit { .. } => task.last_eintr.leaves(here(info)),
            Phase::None => {}
        }
    }
}

fn here(info: &SyscallInfo) -> CallSite {
    CallSite {
        end: info.instruction_pointer,
        stack_pointer: info.stack_pointer,
    }
}

/// How often in a row one call is made again: there may be other reasons for
/// its EINTR, a file system's or a filter's.
const MOST_REPEATS: u8 = 8;

impl<S: Scheduler> Tracer<S> {
    /// A call ends. With EINTR it may have been woken by a signal that the
    /// process ignores and that another of its threads takes: then no delivery
    /// follows here at which that could be undone. A stop of our own does.
    pub(super) fn doubt_eintr(&mut self, tid: Tid, result: Result<i64, i64>) {
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        if result != Err(-i64::from(Errno::INTR.raw())) {
            task.repeats = 0;
            task.made_again = None;
        } else if task.repeats < MOST_REPEATS && !task.asked_to_stop {
            task.repeats += 1;
            self.interrupt(tid);
        }
    }
}

impl<S: Scheduler> Tracer<S> {
    /// Let the call go on that the tracee was woken from, or end if it has slept
    /// for its time.
    pub(super) fn undo_wake_up(&mut self, tracee: &Stopped) {
        if !tracee.has_eintr() {
            return;
        }
        // If these fail it was killed in its stop.
        let (Ok(info), Ok(call)) = (tracee.syscall_info(), tracee.left_call()) else {
            return;
        };
        let nr = call.nr();
        let Some(abi) = Abi::from_audit(info.arch, nr).filter(|abi| abi.fails_when_woken(nr))
        else {
            return;
        };
        if !self.has_just_failed(&call, here(&info), tracee) {
            return;
        }
        let over = call
            .arguments()
            .and_then(|args| self.time_is_over(abi, words(&info, nr, args), tracee));
        if let Some(result) = over {
            let _ = tracee.leave_with(call, result);
            return;
        }
        let instruction = call.instruction();
        let is_made_again = tracee.restart_unless_handled(call) == Ok(true);
        if let Some(instruction) = instruction.filter(|_| is_made_again)
            && let Some(task) = self.tasks.by_tid.get_mut(&tracee.tid())
        {
            task.last_eintr = LastEintr::SentBack {
                site: here(&info),
                instruction: instruction.address,
            };
        }
    }

    /// Whether the tracee is on its way out of this call, where the registers alone do not
    /// tell (aarch64).
    fn has_just_failed(&self, call: &LeftCall, site: CallSite, tracee: &Stopped) -> bool {
        /// More than the length of an instruction, in bytes.
        const MOST: usize = 8;
        let Some(instruction) = call.instruction() else {
            return true;
        };
        let Some(task) = self.tasks.by_tid.get(&tracee.tid()) else {
            return false;
        };
        let (at, code) = (instruction.address, instruction.code);
        let mut bytes = [0; MOST];
        let Some(bytes) = bytes.get_mut(..code.len()) else {
            return false;
        };
        self.sees_proc()
            && instruction.end() == site.end
            && task.last_eintr.may_leave(site)
            && proc::are_filled(task.tgid, at, code.len() as u64)
            && tracee.read(at, bytes).is_ok()
            && bytes == code
    }

    /// The result of a call whose time is over, since it was woken first.
    fn time_is_over(
        &mut self,
        abi: Abi,
        words: Words,
        tracee: &Stopped,
    ) -> Option<Result<(), Errno>> {
        let (time_out, result) = abi.time_out(words.nr)?;
        let now = self.now();
        let sees_proc = self.sees_proc();
        let task = self.tasks.by_tid.get_mut(&tracee.tid())?;
        if let Some(before) = task.made_again.as_ref().filter(|call| call.words == words) {
            let seen = sees_proc.then_some(task.tgid);
            let time = length(time_out, words.args, tracee, seen)?;
            let is_over = u128::from(now.since(before.since)) >= time.as_nanos();
            if is_over {
                task.made_again = None;
            }
            return is_over.then_some(result);
        }
        task.made_again = Some(MadeAgain { words, since: now });
        None
    }

    /// A task is at the entry to a call: whether one is under way that is made again,
    /// so that this stop is not for anything else.
    pub(super) fn is_made_again(&mut self, tid: Tid, words: &Words) -> bool {
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return false;
        };
        let Some(call) = &task.made_again else {
            // It is followed, and our filter stops once more at what it is asked for.
            return task.kind.filtered;
        };
        if call.words != *words {
            // A handler ran, and the program saw EINTR.
            task.made_again = None;
        }
        // Our filter stops once more at what it is asked for.
        task.made_again.is_some() || task.kind.filtered
    }
}

/// How long a call sleeps at most; `None` for ever, or if that is not known.
fn length(
    time_out: TimeOut,
    args: [u64; 6],
    tracee: &Stopped,
    seen: Option<Tgid>,
) -> Option<Duration> {
    match time_out {
        TimeOut::Milliseconds(index) => {
            let word = args.get(index)? & 0xffff_ffff;
            let milliseconds = i32::try_from(word).ok()?;
            u64::try_from(milliseconds).ok().map(Duration::from_millis)
        }
        TimeOut::Timespec(index) => {
            let mut bytes = [0; 16];
            let at = *args.get(index)?;
            // The kernel has read it, but its page may be gone since, and to be
            // filled by a tracee.
            let is_there = at != 0 && seen.is_some_and(|tgid| proc::are_filled(tgid, at, 16));
            if !is_there {
                return None;
            }
            tracee.read(at, &mut bytes).ok()?;
            let (seconds, nanos) = (bytes.first_chunk()?, bytes.last_chunk()?);
            let seconds = u64::try_from(i64::from_ne_bytes(*seconds)).ok()?;
            let nanos = u64::try_from(i64::from_ne_bytes(*nanos)).ok()?;
            Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanos))
        }
    }
}
