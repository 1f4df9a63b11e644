//! How the tasks of a log end, and what is forgotten of them.

use super::line::{Format, LogLine, What};
use super::open_waits::LastLine;
use super::translate::{Root, Translator};
use crate::event::EventKind;
use crate::kernel::{SigInfo, Signal, WaitStatus};
use crate::records::process_tree::TaskId;

impl<F: Format> Translator<F> {
    /// A thread does nothing more: handlers that it runs are not shown to return.
    pub(super) fn handlers_left(&mut self, tid: i32) {
        self.interrupted.remove(&tid);
        self.tree.coverage.unseen_returns += self.handlers.remove(&tid).unwrap_or(0);
    }

    pub(super) fn exited(&mut self, tgid: i32, code: i32) {
        self.tree.coverage.exits = true;
        self.tree.go_on(tgid);
        self.exits_with(tgid, code);
        self.over(tgid, WaitStatus::of(self.system, (code & 0xff) << 8));
    }

    /// The process has died of a signal.
    pub(super) fn die(&mut self) {
        if let Some((tgid, status)) = self.dying.take() {
            self.over(tgid, status);
        }
    }

    pub(super) fn over(&mut self, tgid: i32, status: WaitStatus) {
        self.dying = None;
        self.forget_calls(tgid);
        self.tree.ended(tgid, self.tree.at, status, true);
    }

    pub(super) fn thread_ended(&mut self, TaskId { tid, tgid }: TaskId, status: WaitStatus) {
        self.forget_calls(tid);
        // strace logs a leader's end behind those of all its threads; in files
        // of their own they may have the same time.
        let is_last = tid == tgid && !F::AT_RETURN && !self.is_split;
        self.tree.ended(tid, self.tree.at, status, is_last);
    }

    pub(super) fn forget_calls(&mut self, tid: i32) {
        self.pending.remove(&tid);
        self.waits.remove(&tid);
        self.handlers_left(tid);
        self.last_lines.remove(tid);
        self.creating.retain(|creator| *creator != tid);
    }

    pub(super) fn detached(&mut self, tid: i32) {
        if self.tree.knows(tid) {
            let code = self.last_lines.get(tid).and_then(LastLine::exit_code);
            if let Some(code) = code {
                // Up to strace 4.5 it is how an end is reported.
                let status = WaitStatus::of(self.system, (code & 0xff) << 8);
                let tgid = self.tree.process_of(tid).unwrap_or(tid);
                self.thread_ended(TaskId { tid, tgid }, status);
                return;
            }
            self.open_wait(tid);
            self.tree.push(tid, EventKind::Detached);
            self.forget_calls(tid);
            self.tree.forget(tid);
        }
    }

    /// SIGCHLD reports the end of a child. Had the log its own end, that came before.
    pub(super) fn child_died(&mut self, parent: i32, info: Option<&SigInfo>) {
        let died = info.and_then(SigInfo::child);
        let Some((pid, status)) = died.filter(|(_, status)| status.is_end()) else {
            return;
        };
        if let Some(child) = self.tree.unended_child(parent, pid.raw()) {
            self.forget_calls(child);
            self.tree.died(child, status);
        }
    }

    /// A wait that returned a child is handed on, with what this line says of its end.
    pub(super) fn settle(&mut self, line: Option<&LogLine<'_>>) {
        let Some((tid, exit)) = self.unsettled.take() else {
            return;
        };
        if let Some(line) = line
            && let What::Signalled { signal, info, .. } = &line.what
            && *signal == Some(Signal::CHLD)
        {
            let (by, tgid) = self.task_of(line);
            if by == tid {
                self.child_died(tgid, info.as_ref());
            }
        }
        self.tree.returned(tid, exit);
    }

    /// Another log begins in the same text, of another first task.
    pub(in crate::records) fn next_log(&mut self, root: Root) {
        self.settle(None);
        self.release_all();
        self.die();
        for tid in self.tree.living() {
            self.detached(tid);
        }
        self.unnamed.clear();
        self.root = root;
    }

    /// The leader is gone; the thread that called exec goes on in its place.
    pub(super) fn superseded(&mut self, leader: i32, former: i32) {
        if !self.tree.supersede(leader, former) {
            return;
        }
        self.forget_calls(leader);
        if let Some(mut pending) = self.pending.remove(&former) {
            pending.former = Some(former);
            self.pending.insert(leader, pending);
        }
    }
}
