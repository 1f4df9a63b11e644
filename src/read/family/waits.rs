//! Waits, and the ends of the children that they tell of.

use super::{Family, Inner};
use crate::event::{EventKind, Fetched, Moment, WaitEntry, WaitExit};
use crate::kernel::{NsPid, SigInfo, Status, WaitCall, WaitOptions, WaitStatus};

/// A stop, in the low byte of a status.
const STOP: i32 = 0x7f;

impl Family {
    /// A wait begins.
    pub(in crate::read) fn wait(&mut self, tid: i32, entered: Moment, entry: WaitEntry) {
        self.let_go(tid);
        self.push_at(entered, tid, EventKind::WaitEntered(entry));
    }

    /// A wait ends.
    pub(in crate::read) fn waited(&mut self, tid: i32, mut exit: WaitExit) {
        let Some(child) = self.child_of(tid, &exit) else {
            self.note_vague(tid, &exit);
            self.push(tid, EventKind::WaitEnded(exit));
            return;
        };
        // A poll that named a living child gave nothing; only waitid hides that.
        let polls =
            exit.entry.call == WaitCall::Waitid && exit.entry.options.contains(WaitOptions::NOHANG);
        if let Some(dead) = self.dead.get(&child) {
            join(&mut exit, child, dead.status);
            self.reaped(tid, &exit);
            self.push(tid, EventKind::WaitEnded(exit));
        } else if let Some(task) = self.tasks.get_mut(&tid) {
            let told = exit.status.value().map(|status| status.decode());
            let lives_on = match told {
                Some(Status::Stopped { .. } | Status::Continued) => true,
                Some(_) => false,
                None => tells_stops(&exit) && self.in_order,
            };
            task.held = Some(exit);
            if lives_on || polls {
                self.let_go(tid);
            } else {
                self.awaited.entry(child).or_default().push(tid);
            }
        }
    }

    /// The child whose change a wait tells of.
    fn child_of(&self, tid: i32, exit: &WaitExit) -> Option<i32> {
        let mut pid = exit.result.ok()?.raw();
        if exit.entry.call == WaitCall::Waitid {
            pid = exit.entry.named.process()?.raw();
        }
        if pid <= 0 {
            return None;
        }
        let tgid = self.tasks.get(&tid)?.tgid;
        match self.processes.get(&tgid)?.inner {
            None => Some(pid),
            Some(Inner { namespace, .. }) => self.inner.get(&Inner { namespace, pid }).copied(),
        }
    }

    fn reaped(&mut self, tid: i32, exit: &WaitExit) {
        let looks = exit.entry.options.contains(WaitOptions::NOWAIT);
        if let Some(process) = self.process_of(tid).filter(|_| !looks) {
            process.ways.reaps = true;
        }
    }

    /// waitid tells its child behind a pointer alone: if it named none, it may
    /// have been any of the zombies.
    fn note_vague(&mut self, tid: i32, exit: &WaitExit) {
        let tells = exit.entry.call != WaitCall::Waitid
            || exit.result.is_err()
            || exit.info.value().is_some()
            || exit.entry.options.contains(WaitOptions::NOWAIT);
        if tells {
            return;
        }
        self.seen.untold_children += 1;
        if let Some(process) = self.process_of(tid) {
            process.ways.vague = true;
        }
    }

    /// The end of a wait's child will not be told: it lives on, or its end is
    /// not in the record.
    pub(super) fn let_go(&mut self, tid: i32) {
        let Some(task) = self.tasks.get_mut(&tid) else {
            return;
        };
        let Some(mut exit) = task.held.take() else {
            return;
        };
        if let Some(child) = self.child_of(tid, &exit) {
            let waiters = self.awaited.get_mut(&child);
            if let Some(waiters) = waiters {
                waiters.retain(|waiter| *waiter != tid);
            }
            let stopped = self.processes.get(&child).and_then(|child| child.stopped);
            let number = stopped.and_then(|signal| signal.number_in(self.system));
            if let Some(number) = number {
                join(
                    &mut exit,
                    child,
                    WaitStatus::of(self.system, number << 8 | STOP),
                );
            }
        }
        self.push(tid, EventKind::WaitEnded(exit));
    }
}

/// Whether a wait may have told of a stop or a continuation.
fn tells_stops(exit: &WaitExit) -> bool {
    let options = exit.entry.options;
    options.contains(WaitOptions::STOPPED) || options.contains(WaitOptions::CONTINUED)
}

/// What a wait was given, if it had a place for it.
fn join(exit: &mut WaitExit, child: i32, status: WaitStatus) {
    let addr = match exit.status {
        Fetched::Unread { addr } => Some(addr),
        // truss tells of stops, and not by which signal.
        Fetched::Value { addr, value } if value.raw() == STOP => Some(addr),
        _ => None,
    };
    if let Some(addr) = addr {
        exit.status = Fetched::Value {
            addr,
            value: status,
        };
    }
    if let Fetched::Unread { addr } = exit.info {
        let pid = exit.entry.named.process().unwrap_or(NsPid::new(child));
        exit.info = Fetched::Value {
            addr,
            value: SigInfo::of_child(pid, status),
        };
    }
}
