//! `rt_sigaction` of SIGCHLD: what the program will do at a child's end.
//!
//! Its argument may lie on a page that a tracee has yet to fill, which waits
//! for us: to read it before the kernel has would wait for ever.

use super::engine::Tracer;
use super::handler::HandlerFrame;
use super::scheduler::Scheduler;
use super::stop::Stop;
use crate::event::{Event, EventKind, Moment, SigchldAction};
use crate::kernel::{Abi, Signal, Tgid, Tid};
use crate::proc;
use crate::sys::ptrace::{How, Stopped};

/// What is read of a `struct sigaction`, and all of it.
const HEAD: usize = 16;
const WHOLE: u64 = 32;
/// Bytes of the kernel's signal set. With another size the call fails; a new action that
/// can be read is set in any other case (`do_sigaction` in kernel/signal.c).
const SIGNAL_SET: u64 = 8;

/// A call whose argument is read at its exit, when the kernel has read it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deferred {
    abi: Abi,
    act: u64,
    /// The kernel writes the old action over the new one.
    is_overwritten: bool,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug)]
struct Action {
    sigchld: SigchldAction,
    frame: HandlerFrame,
}

impl<S: Scheduler> Tracer<S> {
    /// A call begins.
    pub(super) fn sigaction_entry(
        &mut self,
        stop: Stop,
        abi: Abi,
        args: [u64; 6],
        events: &mut Vec<Event>,
    ) {
        let (at, tid) = (stop.at, stop.tid());
        let [signal, act, old, size, ..] = args.map(|word| abi.argument(word));
        let is_sigchld = signal & 0xffff_ffff == u64::from(Signal::CHLD.raw().unsigned_abs());
        let task = self.tasks.by_tid.get_mut(&tid);
        let is_set = is_sigchld && act != 0 && size == SIGNAL_SET;
        let Some(task) = task.filter(|_| self.capture.rules && is_set) else {
            self.go_on(stop);
            return;
        };
        let tgid = task.tgid;
        if self.sees_proc() && proc::are_filled(tgid, act, HEAD as u64) {
            let action = read(&stop.tracee, abi, act);
            self.go_on(stop);
            self.sigchld_set(tid, tgid, action, at, events);
            return;
        }
        if let Some(task) = self.tasks.by_tid.get_mut(&tid) {
            task.sigaction = Some(Deferred {
                abi,
                act,
                is_overwritten: old != 0 && old.abs_diff(act) < WHOLE,
            });
        }
        self.resume(stop, How::Syscall, None);
    }

    /// A call that was deferred ends.
    pub(super) fn sigaction_exit(
        &mut self,
        stop: Stop,
        deferred: Deferred,
        has_succeeded: bool,
        events: &mut Vec<Event>,
    ) {
        let (at, tid) = (stop.at, stop.tid());
        let tgid = self.tasks.by_tid.get(&tid).map(|task| task.tgid);
        let action = match (has_succeeded, deferred.is_overwritten) {
            (false, _) => None,
            (true, false) => read(&stop.tracee, deferred.abi, deferred.act),
            (true, true) => tgid.and_then(by_proc),
        };
        self.go_on(stop);
        if let Some(tgid) = tgid {
            self.sigchld_set(tid, tgid, action, at, events);
        }
    }

    fn sigchld_set(
        &mut self,
        tid: Tid,
        tgid: Tgid,
        action: Option<Action>,
        at: Moment,
        events: &mut Vec<Event>,
    ) {
        if let Some(process) = self.tasks.processes.get_mut(&tgid) {
            process.handler_frame = action.map(|action| action.frame).unwrap_or_default();
            process.sigchld = action.map(|action| action.sigchld).or(process.sigchld);
        }
        let kind = action.map(|action| EventKind::SigchldSet(action.sigchld));
        events.extend(kind.map(|kind| self.event(at, tid, tgid, kind)));
    }
}

fn read(stopped: &Stopped, abi: Abi, act: u64) -> Option<Action> {
    let mut bytes = [0; HEAD];
    stopped.read(act, &mut bytes).ok()?;
    let head = abi.sigaction_head(bytes);
    let sigchld = SigchldAction::from(head);
    let is_handler = matches!(sigchld, SigchldAction::Handler { .. });
    Some(Action {
        sigchld,
        frame: if is_handler && head.is_plain {
            HandlerFrame::Here
        } else {
            HandlerFrame::None
        },
    })
}

/// As far as `/proc` tells: neither a handler's address nor its flags.
fn by_proc(tgid: Tgid) -> Option<Action> {
    let status = proc::status(tgid.leader())?;
    Some(Action {
        sigchld: status.sigchld().unwrap_or(SigchldAction::UNKNOWN_HANDLER),
        frame: HandlerFrame::by_proc(&status),
    })
}
