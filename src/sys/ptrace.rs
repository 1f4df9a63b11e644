//! ptrace requests, as methods of a tracee that is known to be stopped.
//!
//! A [`Stopped`] can only come from a wait ([`super::wait`]), cannot leave the tracer's
//! thread, and is consumed by the request that resumes the tracee. A tracee may be
//! killed in its stop at any time: that is [`Fault::Gone`], an expected result, and a
//! later wait reports its death.
#![expect(unsafe_code, reason = "ptrace(2)")]

use std::marker::PhantomData;
use std::ptr;

use crate::kernel::{Errno, Signal, Tid};

/// Why a request had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The tracee was killed in its stop (ESRCH).
    Gone,
    /// The kernel refused.
    Refused(Errno),
}

impl From<Fault> for Errno {
    fn from(fault: Fault) -> Errno {
        match fault {
            Fault::Gone => Errno::SRCH,
            Fault::Refused(errno) => errno,
        }
    }
}

/// How to resume a tracee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// To the next event, signal or filtered call (`PTRACE_CONT`).
    Cont,
    /// To the next entry or exit of any system call.
    Syscall,
    /// For one instruction in user space; with a signal, the first of its handler.
    SingleStep,
}

/// Options of `PTRACE_SEIZE`, as bits.
pub(crate) mod options {
    pub(crate) const SYSGOOD: libc::c_int = libc::PTRACE_O_TRACESYSGOOD;
    pub(crate) const EXEC: libc::c_int = libc::PTRACE_O_TRACEEXEC;
    pub(crate) const EXIT: libc::c_int = libc::PTRACE_O_TRACEEXIT;
    pub(crate) const SECCOMP: libc::c_int = libc::PTRACE_O_TRACESECCOMP;
    pub(crate) const EXITKILL: libc::c_int = libc::PTRACE_O_EXITKILL;
    pub(crate) const FOLLOW: libc::c_int =
        libc::PTRACE_O_TRACEFORK | libc::PTRACE_O_TRACEVFORK | libc::PTRACE_O_TRACECLONE;
}

/// A tracee in a ptrace-stop, and the right to make requests on it.
///
/// Not `Send`: the kernel only accepts requests from the thread that attached.
#[must_use = "a stopped tracee waits for its tracer: resume, listen or detach it"]
#[derive(Debug)]
pub(crate) struct Stopped {
    tid: Tid,
    _this_thread: PhantomData<*const ()>,
}

/// The type of ptrace's first argument in libc.
#[cfg(target_env = "musl")]
pub(super) type Request = libc::c_int;
/// The type of ptrace's first argument in libc.
#[cfg(not(target_env = "musl"))]
pub(super) type Request = libc::c_uint;

/// One ptrace request.
///
/// # Safety
/// `data` must be what `request` expects: for the GET requests a pointer to
/// writable memory of the size that the request fills.
pub(super) unsafe fn request(
    request: Request,
    tid: Tid,
    addr: usize,
    data: *mut libc::c_void,
) -> Result<libc::c_long, Fault> {
    // SAFETY: passed on to the caller.
    let answer = unsafe {
        libc::ptrace(
            request,
            tid.raw(),
            ptr::without_provenance_mut::<libc::c_void>(addr),
            data,
        )
    };
    if answer >= 0 {
        return Ok(answer);
    }
    match super::last_errno() {
        Errno::SRCH => Err(Fault::Gone),
        errno => Err(Fault::Refused(errno)),
    }
}

/// `data` that is a number and not a pointer.
fn word(value: usize) -> *mut libc::c_void {
    ptr::without_provenance_mut(value)
}

/// Starts tracing `tid` without stopping it.
pub(crate) fn seize(tid: Tid, options: libc::c_int) -> Result<(), Errno> {
    let options = usize::try_from(options).unwrap_or(0);
    // SAFETY: SEIZE takes its options as a number.
    unsafe { request(libc::PTRACE_SEIZE, tid, 0, word(options)) }?;
    Ok(())
}

/// Asks a running tracee to stop; a wait reports the stop. Has no effect on a tracee
/// that is stopped or gone.
pub(crate) fn interrupt(tid: Tid) {
    // SAFETY: INTERRUPT takes no data.
    let _ = unsafe { request(libc::PTRACE_INTERRUPT, tid, 0, word(0)) };
}

/// Whether a zombie is a tracee of this thread. Another child of ours is not: for an
/// orphan that we adopted, it may be its second end, after that of the tracee that it
/// was.
pub(crate) fn is_dead_tracee(tid: Tid) -> bool {
    // SAFETY: INTERRUPT takes no data, and does nothing to the dead.
    unsafe { request(libc::PTRACE_INTERRUPT, tid, 0, word(0)) }.is_ok()
}

/// Sends `signal` to the process `pid`. Errors (it is gone) are ignored.
pub(crate) fn kill(pid: i32, signal: Signal) {
    // SAFETY: kill takes two numbers.
    unsafe {
        libc::kill(pid, signal.raw());
    }
}

impl Stopped {
    /// Only for waits, which know that the tracee is stopped.
    pub(super) fn new(tid: Tid) -> Stopped {
        Stopped {
            tid,
            _this_thread: PhantomData,
        }
    }

    /// The tracee's thread id.
    pub(crate) fn tid(&self) -> Tid {
        self.tid
    }

    /// Resumes the tracee, with `signal` if there is one.
    ///
    /// It has no effect on a tracee that was killed in its stop: a later wait reports its
    /// death. The same holds for the two requests below.
    pub(crate) fn resume(self, how: How, signal: Option<Signal>) {
        let how = match how {
            How::Cont => libc::PTRACE_CONT,
            How::Syscall => libc::PTRACE_SYSCALL,
            How::SingleStep => libc::PTRACE_SINGLESTEP,
        };
        // SAFETY: these requests take a signal number.
        let _ = unsafe { request(how, self.tid, 0, signal_word(signal)) };
    }

    /// Leaves a group-stopped tracee stopped, with an event when it is continued.
    pub(crate) fn listen(self) {
        // SAFETY: LISTEN takes no data.
        let _ = unsafe { request(libc::PTRACE_LISTEN, self.tid, 0, word(0)) };
    }

    /// Stops tracing, with `signal` if there is one. `false` if the tracee was killed in its
    /// stop: it is a tracee until a wait reaps it.
    pub(crate) fn detach(self, signal: Option<Signal>) -> bool {
        // SAFETY: DETACH takes a signal number.
        unsafe { request(libc::PTRACE_DETACH, self.tid, 0, signal_word(signal)) }.is_ok()
    }

    /// The message of an event-stop: the tid of a new child or, at an exec, of the thread
    /// that called it, both in the tracer's pid namespace; at an exit the status.
    pub(crate) fn event_message(&self) -> Result<i32, Fault> {
        let mut message: libc::c_ulong = 0;
        // SAFETY: GETEVENTMSG writes one unsigned long.
        unsafe {
            request(
                libc::PTRACE_GETEVENTMSG,
                self.tid,
                0,
                (&raw mut message).cast(),
            )
        }?;
        // All of these fit an int; the kernel passes an unsigned long.
        Ok(i32::try_from(message).unwrap_or(0))
    }

    /// The siginfo of a signal-delivery-stop, in the tracer's own layout.
    pub(crate) fn siginfo(&self) -> Result<[u8; 128], Fault> {
        let mut info = [0u8; 128];
        // SAFETY: GETSIGINFO writes a siginfo_t, which is 128 bytes everywhere.
        unsafe {
            request(
                libc::PTRACE_GETSIGINFO,
                self.tid,
                0,
                info.as_mut_ptr().cast(),
            )
        }?;
        Ok(info)
    }
}

impl Stopped {
    /// Replaces the siginfo of a signal-delivery-stop, in the tracer's own layout: what is
    /// resumed with a signal delivers it with this.
    pub(crate) fn set_siginfo(&self, info: &[u8; 128]) -> Result<(), Fault> {
        // SAFETY: SETSIGINFO reads a siginfo_t, which is 128 bytes everywhere.
        unsafe {
            request(
                libc::PTRACE_SETSIGINFO,
                self.tid,
                0,
                info.as_ptr().cast_mut().cast(),
            )
        }
        .map(drop)
    }
}

fn signal_word(signal: Option<Signal>) -> *mut libc::c_void {
    let number = signal.map_or(0, Signal::raw);
    word(usize::try_from(number).unwrap_or(0))
}
