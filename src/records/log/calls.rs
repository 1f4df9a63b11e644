//! Calls, from one line or from two halves, and the events that they are.

use std::sync::Arc;

use super::clock::Time;
use super::line::{Action, Format, Kind, Program, Returned, Wait};
use super::translate::{Translator, kills};
use crate::event::{Comm, EventKind, FailedExec, Image, Moment, Named, WaitEntry, WaitExit};
use crate::kernel::{Errno, NsPid, Signal, Tid, WaitCall, WaitOptions};
use crate::records::text::signed;

/// A call whose end is on a later line.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) kind: Kind,
    pub(super) args: Vec<u8>,
    /// How much of them the first half has, where the second is there too.
    half: Option<usize>,
    pub(super) entered: Moment,
    /// Its beginning was an event already.
    pub(super) is_entered: bool,
    /// The thread that called exec, where that is not the leader.
    pub(super) former: Option<i32>,
    /// The child of it whose own lines came first.
    pub(super) child: Option<i32>,
    /// What other lines say that it executes.
    pub(super) program: Program,
}

/// By what a task's last wait was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupted {
    /// By a signal that comes on a later line.
    Unknown,
    /// By this one, whose handler may run.
    By(Signal),
}

impl<F: Format> Translator<F> {
    /// The first half of a call.
    pub(super) fn begins(&mut self, tid: i32, kind: Kind, args: &[u8]) {
        self.starts_call(tid, kind);
        let entered = self.tree.at;
        let mut is_entered = false;
        match kind {
            Kind::Kill => self.kill(tid, args),
            Kind::Create | Kind::Vfork => self.creating.push(tid),
            Kind::Wait(call) => {
                if let Some(wait) = self.format.wait(call, args) {
                    self.tree.wait(tid, entered, wait.entry);
                    is_entered = true;
                }
            }
            _ => {}
        }
        let pending = Pending {
            kind,
            args: args.to_vec(),
            half: None,
            entered,
            is_entered,
            former: None,
            child: None,
            program: Program::default(),
        };
        self.pending.insert(tid, pending);
    }

    /// The second half of a call.
    pub(super) fn ends(&mut self, tid: i32, kind: Kind, rest: &[u8], returned: Returned) {
        self.tree.go_on(tid);
        self.creating.retain(|creator| *creator != tid);
        let pending = self.pending.remove(&tid);
        let Some(mut pending) = pending.filter(|pending| pending.kind == kind) else {
            match kind {
                Kind::Wait(call) => self.rest_of_wait(tid, call, rest, returned),
                // The child's side of a fork has no call on the BSDs.
                Kind::Create | Kind::Vfork if !F::AT_RETURN => {
                    self.tree.coverage.lost_halves += 1;
                    self.whole(tid, kind, rest, returned, None);
                }
                _ => {}
            }
            return;
        };
        pending.half = Some(pending.args.len());
        pending.args.extend_from_slice(rest);
        if kind != Kind::Kill {
            self.finish(tid, pending, returned);
        }
    }

    /// The second half of a wait whose first is not in the log.
    fn rest_of_wait(&mut self, tid: i32, call: WaitCall, rest: &[u8], returned: Returned) {
        self.tree.coverage.lost_halves += 1;
        let wait = self.format.rest_of_wait(call, rest);
        let (Some(wait), Some(result)) = (wait, result(returned)) else {
            self.tree.coverage.unknown_waits += 1;
            return;
        };
        self.tree.coverage.unknown_waits += u64::from(wait.entry.is_half);
        self.tree.wait(tid, self.tree.at, wait.entry.clone());
        self.wait_ends(tid, wait.ended(Moment::default(), result));
    }

    /// A call on one line. Where a task's lines are its own, others may have
    /// come between its begin and its end: the line stands where it began, and
    /// the end of a wait comes apart.
    pub(super) fn whole(
        &mut self,
        tid: i32,
        kind: Kind,
        args: &[u8],
        returned: Returned,
        took: Option<u64>,
    ) {
        self.starts_call(tid, kind);
        let mut entered = self.tree.at;
        match took.filter(|_| !self.is_split) {
            Some(took) if F::AT_RETURN => entered = Moment(entered.0.saturating_sub(took)),
            Some(took) => self.tree.at = self.clock.later(took),
            None => {}
        }
        let call = Pending {
            kind,
            args: args.to_vec(),
            half: None,
            entered,
            is_entered: false,
            former: None,
            child: None,
            program: Program::default(),
        };
        match kind {
            Kind::Wait(wait) if self.is_split => {
                if let Some(exit) = self.wait_begins(tid, wait, &call, returned) {
                    self.waits.insert(tid, exit);
                }
            }
            _ => self.finish(tid, call, returned),
        }
    }

    /// A call or a half of one that lacks its end.
    pub(super) fn cut(&mut self, tid: i32, kind: Kind) {
        self.tree.go_on(tid);
        kind.note(&mut self.tree.coverage);
        self.pending.remove(&tid);
        self.creating.retain(|creator| *creator != tid);
        match kind {
            Kind::Wait(_) | Kind::Create | Kind::Vfork => self.tree.coverage.unknown_waits += 1,
            // It may have been about SIGCHLD.
            Kind::Sigaction => self.tree.set_action(tid, None),
            _ => {}
        }
    }

    fn starts_call(&mut self, tid: i32, kind: Kind) {
        self.tree.go_on(tid);
        kind.note(&mut self.tree.coverage);
        self.ends_unseen(tid);
    }

    /// A thread does something else: the call that it was in has ended, on a
    /// line that is not in the log.
    pub(super) fn ends_unseen(&mut self, tid: i32) {
        if let Some(pending) = self.pending.remove(&tid) {
            if pending.kind == Kind::Sigaction {
                self.tree.set_action(tid, None);
            }
            self.creating.retain(|creator| *creator != tid);
            self.tree.coverage.lost_halves += 1;
        }
    }

    /// A call that is known whole.
    fn finish(&mut self, tid: i32, call: Pending, returned: Returned) {
        let args = &call.args[..];
        let is_done = returned == Returned::Number(0, None);
        match call.kind {
            Kind::Wait(wait) => {
                if let Some(exit) = self.wait_begins(tid, wait, &call, returned) {
                    self.wait_ends(tid, exit);
                }
            }
            Kind::Create | Kind::Vfork => self.created(tid, &call, returned),
            Kind::Exec if is_done || returned == Returned::Replaced || call.former.is_some() => {
                self.executed(tid, call);
            }
            Kind::Exec => self.exec_failed(tid, args, returned),
            Kind::Exit => {
                if let Some(code) = signed(args).and_then(|(code, _)| i32::try_from(code).ok()) {
                    self.exits_with(tid, code);
                }
            }
            Kind::Sigaction if is_done => match self.format.action(args) {
                Action::Other => {}
                Action::Unknown => self.tree.set_action(tid, None),
                Action::Set(action) => self.tree.set_action(tid, Some(action)),
            },
            Kind::Prctl if is_done => {
                if let Some(signal) = self.format.death_signal(args) {
                    let signal = Some(signal).filter(|signal| signal.raw() != 0);
                    self.tree.push(tid, EventKind::DeathSignalSet(signal));
                }
            }
            Kind::Namespace if is_done && self.format.enters_pid_namespace(args) => {
                self.tree.enters_namespace(tid);
            }
            Kind::Kill => self.kill(tid, args),
            Kind::Sigreturn => self.returned_from_handler(tid, returned),
            Kind::Sigaction | Kind::Prctl | Kind::Namespace => {}
        }
    }

    /// What the wait will have given, if it returned.
    fn wait_begins(
        &mut self,
        tid: i32,
        call: WaitCall,
        pending: &Pending,
        returned: Returned,
    ) -> Option<WaitExit> {
        let result = result(returned);
        let is_unknown = result.is_none() && matches!(returned, Returned::Number(..));
        let halves = pending
            .half
            .and_then(|at| pending.args.split_at_checked(at));
        let wait = match halves {
            Some((first, rest)) => self.format.wait_of_halves(call, first, rest),
            None => self.format.wait(call, &pending.args),
        };
        let wait = wait.filter(|wait| F::AT_RETURN || !lacks_result(wait, result));
        let Some(wait) = wait.filter(|wait| !is_unknown && makes_sense(wait, result)) else {
            // Cut short: what it was given is not known.
            self.tree.coverage.unknown_waits += 1;
            return None;
        };
        self.tree.coverage.unknown_waits += u64::from(wait.entry.is_half);
        if !pending.is_entered {
            self.tree.wait(tid, pending.entered, wait.entry.clone());
        }
        Some(wait.ended(pending.entered, result?))
    }

    fn wait_ends(&mut self, tid: i32, exit: WaitExit) {
        if let Some(Interrupted::By(signal)) = self.interrupted.remove(&tid)
            && kills(signal)
        {
            // Its handler may have made this wait, and returns later.
            *self.handlers.entry(tid).or_default() += 1;
        }
        if exit.is_interrupted() {
            self.interrupted.insert(tid, Interrupted::Unknown);
        }
        self.tree.find_reaped(tid, &exit);
        let is_in_order = !self.is_split && !F::AT_RETURN;
        if is_in_order && self.tree.returns_unended(tid, &exit) {
            self.settle(None);
            self.unsettled = Some((tid, exit));
            return;
        }
        let gone = self.tree.reported_end(tid, &exit).filter(|_| is_in_order);
        self.tree.waited(tid, exit);
        if let Some((child, status)) = gone {
            self.forget_calls(child);
            self.tree.gone(child, status);
        }
    }

    /// What the wait gives that a task is in, where its end comes apart.
    pub(in crate::records) fn awaited(&self, tid: i32) -> Option<&WaitExit> {
        self.waits.get(&tid)
    }

    /// The end of the wait that a task is in.
    pub(in crate::records) fn wait_is_over(&mut self, tid: i32, time: Option<Time>) {
        if let Some(time) = time {
            self.now(time);
        }
        if let Some(exit) = self.waits.remove(&tid) {
            self.wait_ends(tid, exit);
        }
    }

    fn created(&mut self, tid: i32, call: &Pending, returned: Returned) {
        let Returned::Number(number, ours) = returned else {
            return;
        };
        self.tree.coverage.namespaces |= ours.is_some();
        let number = i32::try_from(number).ok();
        let Some(child) = ours.or(number).filter(|child| *child > 0) else {
            return;
        };
        if let Some(early) = call.child {
            if early != child {
                // Its creator lives in another pid namespace.
                self.tree.known_inside_as(tid, early, child);
            }
            return;
        }
        if self.tree.knows(child) {
            return;
        }
        let birth = self.format.birth(call.kind, &call.args);
        if ours.is_none() && self.tree.is_inside(tid) {
            self.unnamed.push_back((tid, child, birth));
        } else {
            self.create(tid, child, birth);
        }
    }

    fn executed(&mut self, tid: i32, call: Pending) {
        let shown = self.format.program(&call.args);
        let program = if shown == Program::default() {
            call.program
        } else {
            shown
        };
        let path = program.path.as_deref();
        let base = path.and_then(|path| path.rsplit(|byte| *byte == b'/').next());
        let image = Image {
            comm: Comm::new(base.unwrap_or_default()),
            path: program.path,
            argv: program.argv,
        };
        let former = call.former.map(Tid::new);
        self.tree.execute(tid, Arc::new(image), former);
    }

    fn exec_failed(&mut self, tid: i32, args: &[u8], returned: Returned) {
        if let Returned::Error(errno) = returned
            && !errno.is_restart()
        {
            let path = self.format.program(args).path;
            let failed = FailedExec { path, errno };
            self.tree.push(tid, EventKind::ExecFailed(failed));
        }
    }

    /// What `rt_sigreturn` returns is what the interrupted call will have
    /// returned: EINTR, or the number of the call that is made again.
    fn returned_from_handler(&mut self, tid: i32, returned: Returned) {
        match self.interrupted.remove(&tid) {
            Some(Interrupted::By(by)) => {
                let eintr = returned == Returned::Error(Errno::INTR);
                self.tree.push(tid, EventKind::RestartOutcome { by, eintr });
            }
            Some(Interrupted::Unknown) => self.tree.coverage.unseen_signals += 1,
            None => {
                if let Some(handlers) = self.handlers.get_mut(&tid) {
                    *handlers = handlers.saturating_sub(1);
                }
            }
        }
    }

    fn kill(&mut self, tid: i32, args: &[u8]) {
        // Signal 0 is a question.
        let kill = self.format.kill(args);
        if let Some((target, signal)) = kill.filter(|(_, signal)| signal.raw() != 0) {
            let target = NsPid::new(target);
            self.tree.push(tid, EventKind::Kills { target, signal });
        }
    }

    /// A code that does not fit into the status.
    pub(super) fn exits_with(&mut self, tid: i32, code: i32) {
        if (0x100..=0xffff).contains(&code) {
            self.tree.push(tid, EventKind::ExitsWith(code));
        }
    }
}

/// What a wait gave; `None` if it did not return, or what makes no sense.
fn result(returned: Returned) -> Option<Result<NsPid, Errno>> {
    match returned {
        Returned::Number(number, _) => Some(Ok(NsPid::new(i32::try_from(number).ok()?))),
        Returned::Error(errno) => Some(Err(errno)),
        Returned::Replaced | Returned::Never => None,
    }
}

/// A wait that blocks is not without a result: its line has another's end.
fn lacks_result(wait: &Wait, result: Option<Result<NsPid, Errno>>) -> bool {
    let WaitEntry { call, options, .. } = wait.entry;
    let blocks = !options.contains(WaitOptions::NOHANG) && !wait.entry.is_half;
    let is_nothing = result.is_some_and(|result| result.is_ok_and(|pid| pid.raw() == 0));
    blocks && is_nothing && call != WaitCall::Waitid
}

/// A wait for one process reports no other. If one does, its line was cut.
fn makes_sense(wait: &Wait, result: Option<Result<NsPid, Errno>>) -> bool {
    match (wait.entry.named, result) {
        (Named::Pid(named @ 1..), Some(Ok(pid))) => pid.raw() <= 0 || pid.raw() == named,
        _ => true,
    }
}
