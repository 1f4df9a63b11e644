//! Waits, and the ends of the children that they report.

use super::{Inner, Process, ProcessTree};
use crate::event::{EventKind, Fetched, Found, Moment, WaitEntry, WaitExit};
use crate::kernel::{NsPid, SigInfo, WaitCall, WaitOptions, WaitStatus};
use crate::records::gaps::Record;

/// A stop, in the low byte of a status.
const STOP: i32 = 0x7f;

/// A child, as its parent calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Child {
    /// By its pid in the tracer's namespace.
    Here(i32),
    /// By one in another.
    There(Inner),
}

impl ProcessTree {
    /// A wait begins.
    pub(in crate::records) fn wait(&mut self, tid: i32, entered: Moment, entry: WaitEntry) {
        self.push_at(entered, tid, EventKind::WaitEntered(entry));
    }

    /// A wait ends. If it reports the end of a child, that came before.
    pub(in crate::records) fn waited(&mut self, tid: i32, mut exit: WaitExit) {
        match self.child_of(tid, &exit) {
            Some(child) if !self.join_end(tid, child, &mut exit) => {
                self.join_stop(child, &mut exit);
            }
            Some(_) => {}
            // strace shows all that the call gave.
            None if self.coverage.record == Record::Strace => {}
            None => self.note_vague(tid, &exit),
        }
        self.push(tid, EventKind::WaitEnded(exit));
    }

    /// A child that nothing in the record showed until a wait reported its end.
    pub(in crate::records) fn find_reaped(&mut self, tid: i32, exit: &WaitExit) {
        let looks = exit.entry.options.contains(WaitOptions::NOWAIT);
        let Some((pid, Some(status))) = exit.reported().filter(|_| !looks) else {
            return;
        };
        let Some(parent) = self.process_of(tid).filter(|_| status.is_end()) else {
            return;
        };
        let has_inner = self
            .processes
            .get(&parent)
            .is_none_or(|it| it.inner.is_some());
        let child = pid.raw();
        let is_known = self.tasks.contains_key(&child) || self.dead.contains_key(&child);
        if has_inner || is_known || self.coverage.namespaces {
            return;
        }
        self.coverage.strangers += 1;
        let found = Found {
            parent: None,
            image: None,
            ns: None,
            comm: None,
            sigchld: None,
        };
        self.push(child, EventKind::Found(found));
    }

    /// Whether a wait returned a child that had ended by all that is known, and neither
    /// it nor the record shows that.
    pub(in crate::records) fn returns_unended(&self, tid: i32, exit: &WaitExit) -> bool {
        let looks = exit.entry.options.contains(WaitOptions::NOWAIT);
        let asks =
            exit.entry.call != WaitCall::Waitid || exit.entry.options.contains(WaitOptions::EXITED);
        let shows = exit.reported().is_some_and(|(_, status)| status.is_some());
        if looks || !asks || shows || reports_stops(exit) || exit.entry.is_half {
            return false;
        }
        let child = self.child_of(tid, exit).and_then(|it| self.resolve(it));
        let child = child.and_then(|child| self.processes.get(&child));
        child.is_some_and(|child| child.parent == self.process_of(tid))
    }

    /// A wait has returned a child that may have ended.
    pub(in crate::records) fn returned(&mut self, tid: i32, exit: WaitExit) {
        let child = self.child_of(tid, &exit).and_then(|it| self.resolve(it));
        if let Some(child) = child.and_then(|child| self.processes.get_mut(&child)) {
            child.is_returned = true;
        }
        self.waited(tid, exit);
    }

    /// The child whose end a wait shows, if the record has not shown it.
    pub(in crate::records) fn reported_end(
        &self,
        tid: i32,
        exit: &WaitExit,
    ) -> Option<(i32, WaitStatus)> {
        let looks = exit.entry.options.contains(WaitOptions::NOWAIT);
        let (_, status) = exit.reported().filter(|_| !looks)?;
        let status = status.filter(|status| status.is_end())?;
        let child = self.child_of(tid, exit).and_then(|it| self.resolve(it))?;
        let is_ours = self.processes.get(&child)?.parent == self.process_of(tid);
        is_ours.then_some((child, status))
    }

    /// The child of a process that has this number there, if no end of it is known.
    pub(in crate::records) fn unended_child(&self, parent: i32, pid: i32) -> Option<i32> {
        let child = match self.processes.get(&parent)?.inner {
            None => pid,
            Some(Inner { namespace, .. }) => *self.inner.get(&Inner { namespace, pid })?,
        };
        let is_ours = |process: &&Process| process.parent == Some(parent) && !process.is_returned;
        self.processes.get(&child).filter(is_ours).map(|_| child)
    }

    /// The child whose change a wait reports.
    pub(super) fn child_of(&self, tid: i32, exit: &WaitExit) -> Option<Child> {
        let mut pid = exit.result.ok()?.raw();
        if exit.entry.call == WaitCall::Waitid {
            pid = exit.entry.named.process()?.raw();
        }
        if pid <= 0 {
            return None;
        }
        let tgid = self.tasks.get(&tid)?.tgid;
        Some(match self.processes.get(&tgid)?.inner {
            None => Child::Here(pid),
            Some(Inner { namespace, .. }) => Child::There(Inner { namespace, pid }),
        })
    }

    /// Who a child is.
    fn resolve(&self, child: Child) -> Option<i32> {
        match child {
            Child::Here(pid) => Some(pid),
            Child::There(inner) => self.inner.get(&inner).copied(),
        }
    }

    /// When a child ended that is not reaped yet, as far as is known.
    pub(super) fn ended_at(&self, child: Child) -> Option<Moment> {
        let dead = self.dead.get(&self.resolve(child)?)?;
        (!dead.is_reaped).then_some(dead.at)
    }

    /// Whether a wait reported a child's end.
    pub(super) fn is_reaped(&self, child: Child) -> bool {
        let dead = self.resolve(child).and_then(|tgid| self.dead.get(&tgid));
        dead.is_some_and(|dead| dead.is_reaped)
    }

    /// Give a wait the status of its child, if that is dead.
    pub(super) fn join_end(&mut self, tid: i32, child: Child, exit: &mut WaitExit) -> bool {
        let Some(tgid) = self.resolve(child) else {
            return false;
        };
        let looks = exit.entry.options.contains(WaitOptions::NOWAIT);
        let Some(dead) = self.dead.get_mut(&tgid).filter(|dead| !dead.is_reaped) else {
            return false;
        };
        dead.is_reaped = !looks;
        let status = dead.status;
        if let Some(process) = self.process_mut(tid).filter(|_| !looks) {
            process.habits.reaps = true;
        }
        join(exit, tgid, status);
        true
    }

    /// Give a wait the stop of its child, if that is stopped.
    pub(super) fn join_stop(&self, child: Child, exit: &mut WaitExit) {
        let tgid = self.resolve(child);
        let process = tgid.and_then(|tgid| self.processes.get(&tgid));
        let stopped = process.and_then(|process| process.stopped);
        let number = stopped.and_then(|signal| signal.number_in(self.system));
        if let (Some(number), Some(tgid)) = (number, tgid) {
            let status = WaitStatus::of(self.system, number << 8 | STOP);
            join(exit, tgid, status);
        }
    }

    /// waitid reports its child behind a pointer alone: if it named none, it may
    /// have been any of the zombies.
    pub(super) fn note_vague(&mut self, tid: i32, exit: &WaitExit) {
        let is_known = exit.entry.call != WaitCall::Waitid
            || exit.result.is_err()
            || exit.info.value().is_some()
            || exit.entry.options.contains(WaitOptions::NOWAIT);
        if is_known {
            return;
        }
        self.coverage.unknown_children += 1;
        self.is_vague(tid);
    }

    /// A process of which not all reaps are known.
    pub(super) fn is_vague(&mut self, tid: i32) {
        if let Some(process) = self.process_mut(tid) {
            process.habits.vague = true;
        }
    }
}

/// Whether a wait may have reported a stop or a continuation.
pub(super) fn reports_stops(exit: &WaitExit) -> bool {
    let options = exit.entry.options;
    options.contains(WaitOptions::STOPPED) || options.contains(WaitOptions::CONTINUED)
}

/// What a wait was given, if it had a place for it.
fn join(exit: &mut WaitExit, child: i32, status: WaitStatus) {
    let addr = match exit.status {
        Fetched::Unread { addr } => Some(addr),
        // truss reports stops, and not by which signal.
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
