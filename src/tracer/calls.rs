//! Wait calls: what is read at their entry, their exit, and at the signal that
//! interrupts them.

use std::sync::Arc;

use super::engine::{FdNames, Tracer};
use super::tasks::{Call, Words};
use crate::event::{
    Comm, Event, EventKind, Fetched, Moment, Named, Stack, TargetName, WaitEntry, WaitExit,
};
use crate::kernel::{
    Abi, CLONE_NEWPID, CLONE_UNTRACED, CloneCall, Errno, IdType, LAST_PLAIN_SIGNAL, NsPid,
    PR_SET_PDEATHSIG, RuleCall, Rusage, RusageLayout, SigInfo, SiginfoLayout, Signal, Tgid,
    WaitCall, WaitOptions, WaitStatus,
};
use crate::proc;
use crate::stack::RawStack;
use crate::sys::ptrace::{How, Stopped};
use crate::sys::seccomp::{NEW_LISTENER, OURS};
use crate::sys::syscall_info::{Phase, SyscallInfo};

/// The largest rusage of any ABI; a siginfo and a status are the same in all.
const MOST_RUSAGE: usize = RusageLayout::Bits64.size();
const SIGINFO: usize = SiginfoLayout::Bits64.size();
/// What waitid writes of it: up to the status (`waitid` in the kernel's
/// `kernel/exit.c`).
const WRITTEN: usize = 28;
const PAGE: u64 = 4096;
const STATUS: usize = 4;

impl Tracer {
    /// Entry to or exit from a call.
    pub(super) fn syscall_stop(&mut self, stopped: Stopped, at: Moment, events: &mut Vec<Event>) {
        let Ok(info) = stopped.syscall_info() else {
            // Most likely killed in its stop; its death follows.
            self.go_on(stopped);
            return;
        };
        match info.phase {
            Phase::Entry { nr, args } => self.entry(stopped, info, nr, args, at, events),
            Phase::Exit { value, is_error } => {
                let result = if is_error { Err(value) } else { Ok(value) };
                self.exit(stopped, result, at, events);
            }
            Phase::Seccomp { .. } | Phase::None => self.go_on(stopped),
        }
    }

    /// A filter asks for us: ours, or one that the tracee installed itself.
    pub(super) fn seccomp_stop(&mut self, stopped: Stopped, at: Moment, events: &mut Vec<Event>) {
        let Ok(info) = stopped.syscall_info() else {
            self.go_on(stopped);
            return;
        };
        match info.phase {
            Phase::Seccomp { nr, args, data }
                if data == u32::from(OURS) && self.is_of_our_filter(info.arch, nr, args) =>
            {
                self.entry(stopped, info, nr, args, at, events);
            }
            // Untraced, its RET_TRACE would make the call fail with ENOSYS.
            _ => {
                let _ = stopped.skip_call();
                self.go_on(stopped);
            }
        }
    }

    /// Whether our filter stopped a call: the tracee's own may use our mark.
    fn is_of_our_filter(&self, arch: u32, nr: u64, args: [u64; 6]) -> bool {
        let filter = self.filter.as_ref();
        filter.is_some_and(|filter| filter.stops(arch, nr, args))
    }

    /// Resume a task as its state wants it.
    pub(super) fn go_on(&self, stopped: Stopped) {
        let how = self
            .tasks
            .by_tid
            .get(&stopped.tid())
            .map(super::tasks::Task::how);
        // ESRCH: it was killed in its stop, its death follows.
        let _ = stopped.resume(how.unwrap_or(How::Cont), None);
    }

    fn entry(
        &mut self,
        stopped: Stopped,
        info: SyscallInfo,
        nr: u64,
        args: [u64; 6],
        at: Moment,
        events: &mut Vec<Event>,
    ) {
        let (tid, fates) = (stopped.tid(), self.capture.fates);
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        let (tgid, is_filtered) = (task.tgid, task.kind.filtered);
        let abi = Abi::from_audit(info.arch, nr);
        let wait = abi.and_then(|abi| Some((abi, abi.wait_call(nr)?)));
        let wanted = |(_, call): &(Abi, WaitCall)| {
            self.wanted.has(*call) && (self.polls || !call.polls(args))
        };
        let Some((abi, call)) = wait.filter(wanted) else {
            let rule_call = abi.and_then(|abi| Some((abi, abi.rule_call(nr)?)));
            if let Some((abi, RuleCall::Sigaction)) = rule_call {
                self.sigaction_entry(stopped, abi, args, at, events);
                return;
            }
            if let Some(abi) = abi {
                self.other_entry(&stopped, abi, nr, args);
            }
            let listens = is_filtered && abi.is_some_and(|abi| wants_listener(abi, nr, args));
            let kind = rule_call.and_then(|(abi, call)| self.rule_entry(abi, call, args));
            let kind = kind.or(listens.then_some(EventKind::ListenerWanted));
            self.go_on(stopped);
            events.extend(kind.map(|kind| self.event(at, tid, tgid, kind)));
            return;
        };
        let words = Words {
            nr,
            args,
            instruction_pointer: info.instruction_pointer,
            stack_pointer: info.stack_pointer,
        };
        let mut entry = WaitEntry::decode(call, abi, args);
        // Without their fate known, a retry of the program's own would pass for
        // the kernel's restart.
        entry.is_restart = task.is_restart(&words) && fates;
        entry.target = self.name_target(tgid, &entry);
        if let Named::Id(IdType::PIDFD, fd) = entry.named
            && self.capture.rules
        {
            // Once it is reaped the descriptor does not tell any more.
            entry.pidfd = proc::pidfd_target(tgid, fd.cast_signed());
        }
        let stack = self.take_stack(&stopped, tgid);
        let _ = stopped.resume(How::Syscall, None);

        entry.stack = stack.and_then(|stack| self.unwind(stack));
        if let Some(task) = self.tasks.by_tid.get_mut(&tid) {
            task.call = Some(Call {
                entry: entry.clone(),
                entered: at,
                words,
            });
        }
        events.push(self.event(at, tid, tgid, EventKind::WaitEntered(entry)));
    }

    /// Copy the call stack of a stopped task, if that is wanted.
    pub(super) fn take_stack(&mut self, stopped: &Stopped, tgid: Tgid) -> Option<RawStack> {
        self.stacks.as_mut()?.take(stopped, tgid)
    }

    /// Make a call stack of what was copied, once the task runs on.
    pub(super) fn unwind(&mut self, taken: RawStack) -> Option<Arc<Stack>> {
        Some(self.stacks.as_mut()?.unwind(taken))
    }

    /// Calls that we see for our own sake: those after which children may live
    /// in another pid namespace, and a clone that would escape us.
    fn other_entry(&mut self, stopped: &Stopped, abi: Abi, nr: u64, args: [u64; 6]) {
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
            // The child would live under our filter with nobody to answer it.
            let _ = stopped.clear_argument_bits(u64::from(CLONE_UNTRACED));
        }
    }

    /// A call that a rule needs to see.
    fn rule_entry(&self, abi: Abi, call: RuleCall, args: [u64; 6]) -> Option<EventKind> {
        if !self.capture.rules {
            return None;
        }
        let [first, second, third, ..] = args.map(|word| abi.argument(word));
        let int = |word: u64| (word & 0xffff_ffff) as u32;
        match call {
            // Its argument lies in memory.
            RuleCall::Sigaction => None,
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
        proc::comm(crate::kernel::Tid::new(pid.raw()))
    }

    fn exit(
        &mut self,
        stopped: Stopped,
        result: Result<i64, i64>,
        at: Moment,
        events: &mut Vec<Event>,
    ) {
        let tid = stopped.tid();
        let task = self.tasks.by_tid.get_mut(&tid);
        if let Some(deferred) = task.and_then(|task| task.sigaction.take()) {
            self.sigaction_exit(stopped, deferred, result.is_ok(), at, events);
            return;
        }
        let Some(call) = self.take_call(tid) else {
            self.go_on(stopped);
            return;
        };
        let Some(tgid) = self.tasks.by_tid.get(&tid).map(|task| task.tgid) else {
            return;
        };
        let result = result
            .map(|pid| NsPid::new(low_word(pid)))
            .map_err(|errno| Errno::from_raw(low_word(-errno)));
        let seen = self.sees_proc().then_some(tgid);
        let raw = RawResult::read(&stopped, &call.entry, result, seen);
        let faulted = result == Err(Errno::FAULT) && self.capture.kinship;
        let remaining = faulted.then(|| proc::children(tgid)).flatten();
        let child = self
            .capture
            .peers
            .then(|| raw.child(&call.entry, result))
            .flatten();
        let child = child.and_then(|pid| self.peer(tgid, pid));
        let in_handler = self.in_handler(&stopped, &call, result, tgid);
        let interrupted = matches!(result, Err(errno) if errno.is_restart());
        if interrupted && let Some(task) = self.tasks.by_tid.get_mut(&tid) {
            task.suspend(call.clone());
        }
        self.go_on(stopped);

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

    /// A task made its step into a handler: the frame holds what the wait that
    /// was interrupted will return there.
    pub(super) fn stepped(
        &mut self,
        stopped: Stopped,
        by: Signal,
        at: Moment,
        events: &mut Vec<Event>,
    ) {
        let tid = stopped.tid();
        let saved = stopped.saved_result();
        let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
            return;
        };
        let tgid = task.tgid;
        let eintr = match saved {
            Ok(Some(value)) => Some(value == -i64::from(Errno::INTR.raw())),
            Ok(None) | Err(_) => None,
        };
        if eintr != Some(false) {
            // It will not be restarted, or we cannot tell: a retry of the
            // program's own must not pass for the kernel's.
            task.suspended.pop();
        }
        self.go_on(stopped);
        if let Some(eintr) = eintr {
            events.push(self.event(at, tid, tgid, EventKind::WaitFate { by, eintr }));
        }
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

/// The bytes behind a wait's pointers, as they are at its exit; decoded after
/// the tracee runs on.
struct RawResult {
    /// A status word, or waitid's siginfo.
    result: Fetched<[u8; SIGINFO]>,
    rusage: Fetched<[u8; MOST_RUSAGE]>,
}

fn fetched<const N: usize>(addr: u64, got: Result<(), Errno>, value: [u8; N]) -> Fetched<[u8; N]> {
    match got {
        _ if addr == 0 => Fetched::Null,
        Ok(()) => Fetched::Value { addr, value },
        Err(errno) => Fetched::Unreadable { addr, errno },
    }
}

fn unread<T>(addr: u64) -> Fetched<T> {
    if addr == 0 {
        Fetched::Null
    } else {
        Fetched::Unread { addr }
    }
}

/// How much of a siginfo is read: what waitid has written, and what else lies on
/// the same page. Another page may be one that a tracee has yet to fill; it is
/// read if `/proc` shows that this process has it.
fn siginfo_size(at: u64, seen: Option<Tgid>) -> usize {
    let rest = usize::try_from(PAGE - at % PAGE).unwrap_or(0);
    let is_filled = |tgid| proc::are_filled(tgid, at, SIGINFO as u64);
    if rest < SIGINFO && seen.is_some_and(is_filled) {
        return SIGINFO;
    }
    rest.clamp(WRITTEN, SIGINFO)
}

impl RawResult {
    /// wait4 writes only when it reports a child; waitid whenever it succeeds.
    /// `seen` is the caller's process, if /proc shows it.
    fn read(
        stopped: &Stopped,
        entry: &WaitEntry,
        result: Result<NsPid, Errno>,
        seen: Option<Tgid>,
    ) -> RawResult {
        let is_waitid = entry.call == WaitCall::Waitid;
        let (result_at, rusage_at) = (entry.result_at, entry.rusage_at);
        if !result.is_ok_and(|pid| is_waitid || pid.raw() > 0) {
            return RawResult {
                result: unread(result_at),
                rusage: unread(rusage_at),
            };
        }
        let (mut result, mut rusage) = ([0; SIGINFO], [0; MOST_RUSAGE]);
        // Exact sizes: a byte more may lie on a page that is not there.
        let size = if is_waitid {
            siginfo_size(result_at, seen)
        } else {
            STATUS
        };
        let word = result.get_mut(..size).unwrap_or_default();
        let usage = rusage.get_mut(..entry.abi.rusage_layout().size());
        let usage = usage.unwrap_or_default();
        let (result_got, usage_got) = match (result_at, rusage_at) {
            (0, 0) => (Ok(()), Ok(())),
            (at, 0) => (stopped.read(at, word), Ok(())),
            // A poll may have had no child, and nothing says so.
            (0, at) if is_waitid && entry.options.contains(WaitOptions::NOHANG) => {
                return RawResult {
                    result: Fetched::Null,
                    rusage: unread(at),
                };
            }
            (0, at) => (Ok(()), stopped.read(at, usage)),
            // Of an rusage waitid writes nothing where it has no child to tell of,
            // and what is not written may have to be filled by a tracee.
            (one, two) if is_waitid => {
                let got = stopped.read(one, word);
                // si_signo; what lies behind may be the caller's.
                let has_child = got.is_ok() && word.iter().take(4).any(|byte| *byte != 0);
                if has_child {
                    (got, stopped.read(two, usage))
                } else {
                    return RawResult {
                        result: fetched(result_at, got, result),
                        rusage: unread(rusage_at),
                    };
                }
            }
            (one, two) => stopped.read_two((one, word), (two, usage)),
        };
        RawResult {
            result: fetched(result_at, result_got, result),
            rusage: fetched(rusage_at, usage_got, rusage),
        }
    }

    fn decode(
        &self,
        entry: &WaitEntry,
    ) -> (Fetched<WaitStatus>, Fetched<SigInfo>, Fetched<Rusage>) {
        let layout = entry.abi.rusage_layout();
        let rusage = map(&self.rusage, |bytes| {
            Rusage::from_bytes(layout, bytes.get(..layout.size())?)
        });
        if entry.call == WaitCall::Waitid {
            let layout = entry.abi.siginfo_layout();
            let info = map(&self.result, |bytes| SigInfo::from_bytes(layout, bytes));
            (Fetched::Null, info, rusage)
        } else {
            let status = map(&self.result, |bytes| {
                let word = i32::from_ne_bytes(*bytes.first_chunk()?);
                Some(WaitStatus::from_raw(word))
            });
            (status, Fetched::Null, rusage)
        }
    }

    /// The child that is reported, for its name.
    fn child(&self, entry: &WaitEntry, result: Result<NsPid, Errno>) -> Option<NsPid> {
        if entry.call != WaitCall::Waitid {
            return result.ok().filter(|pid| pid.raw() > 0);
        }
        let layout = entry.abi.siginfo_layout();
        SigInfo::from_bytes(layout, self.result.value()?)?.pid()
    }
}

fn map<T, U>(fetched: &Fetched<T>, decode: impl Fn(&T) -> Option<U>) -> Fetched<U> {
    match fetched {
        Fetched::Null => Fetched::Null,
        Fetched::Unread { addr } => Fetched::Unread { addr: *addr },
        Fetched::Unreadable { addr, errno } => Fetched::Unreadable {
            addr: *addr,
            errno: *errno,
        },
        Fetched::Value { addr, value } => match decode(value) {
            Some(value) => Fetched::Value { addr: *addr, value },
            None => Fetched::Unreadable {
                addr: *addr,
                errno: Errno::FAULT,
            },
        },
    }
}

/// Whether a call asks for a seccomp filter that hands calls to a supervisor.
fn wants_listener(abi: Abi, nr: u64, args: [u64; 6]) -> bool {
    let [_, flags, ..] = args;
    nr == u64::from(abi.seccomp()) && flags & u64::from(NEW_LISTENER) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_siginfo_is_read_no_further_than_its_page_but_for_what_is_written() {
        assert_eq!(siginfo_size(0x1000, None), SIGINFO);
        assert_eq!(siginfo_size(0x2000 - SIGINFO as u64, None), SIGINFO);
        assert_eq!(siginfo_size(0x2000 - 32, None), 32);
        assert_eq!(siginfo_size(0x2000 - 8, None), WRITTEN);
        // Both pages are there.
        let own = Tgid::new(i32::try_from(std::process::id()).unwrap());
        let pages = vec![1u8; 8192];
        let at = pages.as_ptr().expose_provenance() as u64;
        let end = at.next_multiple_of(PAGE);
        assert_eq!(siginfo_size(end + PAGE - 32, Some(own)), SIGINFO);
    }
}
