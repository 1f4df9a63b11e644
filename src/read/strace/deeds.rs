//! Calls, from one line or two, and the events that they are.

use std::sync::Arc;

use memchr::memmem;

use super::call::{Call, Returned};
use super::execs::image;
use super::kind::Kind;
use super::prefix::Time;
use super::story::{Interrupted, Pending, Story};
use super::waits;
use super::words::{action, signal};
use crate::event::{EventKind, Moment, WaitExit};
use crate::kernel::{Errno, NsPid, Signal, Tid, WaitCall};
use crate::read::text::{arguments, signed};

impl Story {
    /// A line that begins with a call: whole, or its first part.
    pub(super) fn called(&mut self, tid: i32, kind: Kind, rest: &[u8]) {
        kind.note(&mut self.seen);
        let args = memchr::memchr(b'(', rest).and_then(|at| rest.get(at + 1..));
        let args = args.unwrap_or(&[]);
        let unfinished = memmem::rfind(args, b"<unfinished ...>");
        let Some(end) = unfinished else {
            if let Some(call) = Call::parse(args) {
                self.whole(tid, kind, call);
            }
            return;
        };
        let args = args.get(..end).unwrap_or(&[]).to_vec();
        let is_over = rest.ends_with(b"= ?");
        if kind == Kind::Exit || is_over {
            self.finish(tid, kind, &args, Returned::Never, self.at, None);
            return;
        }
        if kind == Kind::Kill {
            self.kill(tid, &args);
        }
        let Some(task) = self.tasks.get_mut(&tid) else {
            return;
        };
        task.pending = Some(Pending {
            kind,
            args,
            entered: self.at,
            former: None,
            told: None,
        });
        if matches!(kind, Kind::Create | Kind::Vfork) {
            self.creating.push(tid);
        }
    }

    /// A call on one line. Where a task's lines are its own, others may have
    /// come between its begin and its end: the line stands where it began, and
    /// the end of a wait is told apart.
    fn whole(&mut self, tid: i32, kind: Kind, call: Call<'_>) {
        let entered = self.at;
        match kind {
            Kind::Wait(wait) if self.is_split => {
                let exit = self.wait_begins(tid, wait, call.args, call.returned, entered);
                if let Some(task) = self.tasks.get_mut(&tid) {
                    task.wait = exit;
                }
                return;
            }
            _ => {}
        }
        if let Some(took) = call.took.filter(|_| !self.is_split) {
            self.at = self.clock.later(took);
        }
        self.finish(tid, kind, call.args, call.returned, entered, None);
    }

    /// `wait4 resumed>[{…}], 0, NULL) = 12`
    pub(super) fn resumed(&mut self, tid: i32, text: &[u8]) {
        let Some(at) = memmem::find(text, b" resumed>") else {
            return;
        };
        let Some(kind) = text.get(..at).and_then(Kind::of) else {
            return;
        };
        self.creating.retain(|creator| *creator != tid);
        let task = self.tasks.get_mut(&tid);
        let Some(pending) = task.and_then(|task| task.pending.take()) else {
            return;
        };
        let rest = text.get(at + b" resumed>".len()..).unwrap_or(&[]);
        let Some(call) = Call::parse(rest).filter(|_| pending.kind == kind) else {
            return;
        };
        let mut args = pending.args;
        args.extend_from_slice(call.args);
        match pending.former {
            _ if kind == Kind::Kill => {}
            Some(former) => self.executed(tid, &args, Some(former)),
            None => self.finish(
                tid,
                kind,
                &args,
                call.returned,
                pending.entered,
                pending.told,
            ),
        }
    }

    /// A call that is known whole.
    fn finish(
        &mut self,
        tid: i32,
        kind: Kind,
        args: &[u8],
        returned: Returned,
        entered: Moment,
        told: Option<i32>,
    ) {
        let is_done = returned == Returned::Number(0, None);
        match kind {
            Kind::Wait(call) => self.waited(tid, call, args, returned, entered),
            Kind::Create | Kind::Vfork => {
                if let Returned::Number(child, ours) = returned {
                    self.seen.namespaces |= ours.is_some();
                    let child = ours.or(i32::try_from(child).ok());
                    let child = child.filter(|child| *child > 0 && told != Some(*child));
                    if let Some(child) = child.filter(|child| !self.tasks.contains_key(child)) {
                        self.create(tid, child, kind, args);
                    }
                }
            }
            Kind::Exec if is_done => self.executed(tid, args, None),
            Kind::Exit => {
                let code = signed(args).and_then(|(code, _)| i32::try_from(code).ok());
                if let Some(code) = code.filter(|code| (0x100..=0xffff).contains(code)) {
                    self.push(tid, EventKind::ExitsWith(code));
                }
            }
            Kind::Sigaction if is_done => {
                let args = arguments(args);
                if let [name, new, ..] = args[..]
                    && signal(name) == Some(Signal::CHLD)
                    && let Some(action) = action(new)
                {
                    self.push(tid, EventKind::SigchldSet(action));
                }
            }
            Kind::Prctl if is_done => {
                if let Some(name) = args.strip_prefix(b"PR_SET_PDEATHSIG, ") {
                    let signal = signal(name).filter(|signal| signal.raw() != 0);
                    self.push(tid, EventKind::DeathSignalSet(signal));
                }
            }
            Kind::Kill => self.kill(tid, args),
            Kind::Sigreturn => self.returned_from_handler(tid, returned),
            Kind::Exec | Kind::Sigaction | Kind::Prctl => {}
        }
    }

    fn waited(
        &mut self,
        tid: i32,
        call: WaitCall,
        args: &[u8],
        returned: Returned,
        entered: Moment,
    ) {
        if let Some(exit) = self.wait_begins(tid, call, args, returned, entered) {
            self.wait_ends(tid, exit);
        }
    }

    /// What the wait will have given, if it returned.
    fn wait_begins(
        &mut self,
        tid: i32,
        call: WaitCall,
        args: &[u8],
        returned: Returned,
        entered: Moment,
    ) -> Option<WaitExit> {
        let Some((entry, exit)) = waits::parse(call, args, returned, entered) else {
            // Cut short: what it was given is not known.
            self.seen.unknown_waits += 1;
            return None;
        };
        self.push_at(entered, tid, EventKind::WaitEntered(entry));
        exit
    }

    fn wait_ends(&mut self, tid: i32, exit: WaitExit) {
        if let Some(task) = self.tasks.get_mut(&tid) {
            task.interrupted = if exit.is_interrupted() {
                Interrupted::Unknown
            } else {
                Interrupted::No
            };
        }
        self.push(tid, EventKind::WaitEnded(exit));
    }

    /// What the wait gives that a task is in, where that is told apart.
    pub(super) fn awaited(&self, tid: i32) -> Option<&WaitExit> {
        self.tasks.get(&tid)?.wait.as_ref()
    }

    /// The end of the wait that a task is in.
    pub(super) fn wait_is_over(&mut self, tid: i32, time: Option<Time>) {
        if let Some(time) = time {
            self.at = self.clock.moment(time);
        }
        let task = self.tasks.get_mut(&tid);
        if let Some(exit) = task.and_then(|task| task.wait.take()) {
            self.wait_ends(tid, exit);
        }
    }

    /// What `rt_sigreturn` returns is what the interrupted call will have
    /// returned: EINTR, or the number of the call that is made again.
    fn returned_from_handler(&mut self, tid: i32, returned: Returned) {
        let Some(task) = self.tasks.get_mut(&tid) else {
            return;
        };
        if let Interrupted::By(by) = std::mem::replace(&mut task.interrupted, Interrupted::No) {
            let eintr = returned == Returned::Error(Errno::INTR);
            self.push(tid, EventKind::WaitFate { by, eintr });
        }
    }

    fn executed(&mut self, tid: i32, args: &[u8], former: Option<i32>) {
        let kind = EventKind::Executed {
            image: Arc::new(image(args)),
            former: former.map(Tid::new),
        };
        self.push(tid, kind);
    }

    fn kill(&mut self, tid: i32, args: &[u8]) {
        let args = arguments(args);
        let target = args.first().and_then(|target| signed(target));
        let target = target.and_then(|(target, _)| i32::try_from(target).ok());
        // Signal 0 is a question.
        let signal = args.last().and_then(|name| signal(name));
        let signal = signal.filter(|signal| signal.raw() != 0);
        if let (Some(target), Some(signal)) = (target, signal) {
            let target = NsPid::new(target);
            self.push(tid, EventKind::Kills { target, signal });
        }
    }
}
