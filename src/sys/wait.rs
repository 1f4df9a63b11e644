//! The tracer's own waits, which return every stop and every death.
#![expect(unsafe_code, reason = "wait4(2) and waitid(2), raw")]

use std::mem::MaybeUninit;
use std::ptr;

use super::ptrace::Stopped;
use crate::kernel::{Errno, Tid, Usage, WaitStatus};

/// What a wait of the tracer returned.
#[derive(Debug)]
pub(crate) enum Waited {
    /// A tracee (or a child of ours that is not traced) is stopped.
    Stopped(Stopped, WaitStatus),
    /// A thread or process is dead and was reaped.
    /// Its resource usage, if that was asked for.
    Ended(Tid, WaitStatus, Option<Usage>),
    /// Nothing is ready; only with [`Block::No`].
    Nothing,
    /// A signal handler ran, or the result is not to be reported.
    Interrupted,
    /// There is no child left to wait for.
    NoChildren,
}

/// Whether a wait may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// Until something happens.
    Yes,
    /// Return [`Waited::Nothing`] instead.
    No,
}

/// Waits for any tracee of this thread.
///
/// `__WALL` includes threads and clones with any exit signal; `__WNOTHREAD` excludes the
/// children of other threads of this process. Never `WCONTINUED`: that flag is shared
/// with the real parent, which would miss it. Raw, because nix's `waitpid` fails with
/// EINVAL for stops by real-time signals, and the status is lost then.
/// With `usage`, the resource usage of what has ended is wanted.
pub(crate) fn wait_any(block: Block, usage: bool) -> Waited {
    take(-1, block, usage)
}

/// Asks for one tracee alone, without sleeping.
pub(crate) fn wait_for(tid: Tid, usage: bool) -> Waited {
    take(tid.raw(), Block::No, usage)
}

/// The signal of a syscall-stop, with `PTRACE_O_TRACESYSGOOD`.
const SYSCALL_STOP: libc::c_int = libc::SIGTRAP | 0x80;

/// Decides what to do with a result before it is taken.
pub(crate) trait Handling {
    /// Whether this tracee is resumed, and a signal with it, before the next wait; it is
    /// at a system call, or about to get a signal.
    fn resumes_first(&self, tid: Tid, is_call: bool) -> bool;
    /// Whether the resource usage of what has ended is wanted.
    fn wants_usage(&self) -> bool;
    /// Whether this dead child is not a tracee, and its end not to be reported.
    fn passes_over(&self, dead: Tid) -> bool;
}

/// Like [`wait_any`], but each result is looked at before it is taken.
///
/// The kernel keeps the signal that is about to be delivered to a tracee in the word that
/// a wait takes: if we are killed between that wait and the resumption, the tracee
/// continues without its signal. So the stop is only looked at; it is over when the
/// tracee is resumed, which must happen next, as any wait would return it again. A
/// syscall-stop, the commonest by far, is not taken either: that saves a call.
pub(crate) fn wait_any_after_look(block: Block, handling: &impl Handling) -> Waited {
    let Some((pid, code, word)) = look(libc::P_ALL, 0, options(block)) else {
        return failed();
    };
    if pid == 0 {
        return Waited::Nothing;
    }
    let tid = Tid::new(pid);
    // No event-stop. A SIGTRAP may be caused by us, and is better lost than delivered.
    let is_call = word == SYSCALL_STOP;
    let is_plain = is_call || (word & !0x7f == 0 && word != libc::SIGTRAP);
    if code == libc::CLD_TRAPPED && is_plain && handling.resumes_first(tid, is_call) {
        return Waited::Stopped(Stopped::new(tid), WaitStatus::from_raw(word << 8 | 0x7f));
    }
    let is_reported = !(is_death(code) && handling.passes_over(tid));
    match take(pid, Block::No, handling.wants_usage()) {
        Waited::Ended(..) if !is_reported => Waited::Interrupted,
        // It was killed, or continued under another tid, meanwhile.
        Waited::Nothing | Waited::NoChildren => Waited::Interrupted,
        waited => waited,
    }
}

/// Whether a wait for `tid` would return something.
pub(crate) fn has_result(tid: Tid) -> bool {
    let pid = libc::id_t::try_from(tid.raw()).unwrap_or(0);
    let ready = look(libc::P_PID, pid, libc::__WALL | libc::WNOHANG);
    ready.is_some_and(|(pid, ..)| pid != 0)
}

/// How `tid` ended, if it is a tracee of any thread of ours and dead; this reaps it.
pub(crate) fn reap_dead(tid: Tid) -> Option<WaitStatus> {
    let pid = libc::id_t::try_from(tid.raw()).ok()?;
    let (_, code, _) = look(libc::P_PID, pid, libc::__WALL | libc::WNOHANG)?;
    if !is_death(code) {
        return None;
    }
    let mut status: libc::c_int = 0;
    let options = libc::__WALL | libc::WNOHANG;
    // SAFETY: `status` outlives the call; no rusage is asked for.
    let reaped = unsafe { libc::wait4(tid.raw(), &raw mut status, options, ptr::null_mut()) };
    (reaped == tid.raw()).then_some(WaitStatus::from_raw(status))
}

/// Whether a `si_code` means an end.
fn is_death(code: libc::c_int) -> bool {
    [libc::CLD_EXITED, libc::CLD_KILLED, libc::CLD_DUMPED].contains(&code)
}

/// The pid, code and status of a child that is ready, without taking it; the pid is 0 if
/// none is. `None` for an error.
fn look(
    idtype: libc::idtype_t,
    id: libc::id_t,
    options: libc::c_int,
) -> Option<(libc::pid_t, libc::c_int, libc::c_int)> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // Stops of tracees need no WSTOPPED, which would add stops of other children.
    let options = libc::WEXITED | libc::WNOWAIT | options;
    // SAFETY: `info` outlives the call.
    let answer = unsafe { libc::waitid(idtype, id, info.as_mut_ptr(), options) };
    // SAFETY: zeroes are a valid siginfo, and waitid fills in a child's.
    let (pid, code, word) = unsafe {
        let info = info.assume_init();
        (info.si_pid(), info.si_code, info.si_status())
    };
    (answer == 0).then_some((pid, code, word))
}

fn options(block: Block) -> libc::c_int {
    let sleep = match block {
        Block::Yes => 0,
        Block::No => libc::WNOHANG,
    };
    libc::__WALL | libc::__WNOTHREAD | sleep
}

/// Waits for `pid`, or with -1 for any tracee.
fn take(pid: libc::pid_t, block: Block, usage: bool) -> Waited {
    let mut status: libc::c_int = 0;
    let mut used = MaybeUninit::<libc::rusage>::zeroed();
    let used_at = if usage {
        used.as_mut_ptr()
    } else {
        ptr::null_mut()
    };
    // SAFETY: `status` and `used` outlive the call.
    let tid = unsafe { libc::wait4(pid, &raw mut status, options(block), used_at) };
    match tid {
        0 => Waited::Nothing,
        tid if tid > 0 => {
            let (tid, status) = (Tid::new(tid), WaitStatus::from_raw(status));
            if libc::WIFSTOPPED(status.raw()) {
                Waited::Stopped(Stopped::new(tid), status)
            } else {
                // SAFETY: zeroes are a valid rusage.
                let used = unsafe { used.assume_init() };
                Waited::Ended(tid, status, usage.then(|| summed(&used)))
            }
        }
        _ => failed(),
    }
}

/// What is reported of a rusage.
fn summed(usage: &libc::rusage) -> Usage {
    let micros = |time: libc::timeval| {
        let (seconds, micros) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_usec));
        seconds.unwrap_or(0).saturating_mul(1_000_000) + micros.unwrap_or(0)
    };
    Usage {
        user_us: micros(usage.ru_utime),
        system_us: micros(usage.ru_stime),
        peak_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
    }
}

fn failed() -> Waited {
    match super::last_errno() {
        Errno::INTR => Waited::Interrupted,
        _ => Waited::NoChildren,
    }
}
