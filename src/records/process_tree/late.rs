//! Waits of a record that has them before or after the ends of their
//! children, as the buffers of the CPUs came.
//!
//! A wait that returned a child is handed on behind the child's end, as a whole.
//! It may have reported a stop instead, where its options ask for stops: an end
//! lies before whatever its thread did next, a stop before the child's end.

use std::collections::{BTreeMap, HashMap};

use super::ProcessTree;
use super::waits::{Child, reports_stops};
use crate::event::{EventKind, Moment, WaitExit};
use crate::kernel::{WaitCall, WaitOptions};

/// After so many events more the end of a child will not come.
const MOST_BEHIND: u64 = 10_000;

/// Waits that are not handed on yet, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct LateWaits {
    waits: BTreeMap<u64, Late>,
    /// Those that a child's end is awaited for.
    of_child: HashMap<Child, Vec<u64>>,
    /// A thread's last, if what the thread did next would show more.
    last_of: HashMap<i32, u64>,
    /// Events so far.
    events: u64,
}

/// A wait that is not handed on yet.
#[derive(Debug)]
struct Late {
    tid: i32,
    child: Child,
    exit: WaitExit,
    /// It may have reported a stop.
    is_ambiguous: bool,
    /// Its thread did something else then: it was over before.
    over_before: Option<Moment>,
}

impl ProcessTree {
    /// A whole wait of a thread, which began at `exit.entered`.
    pub(in crate::records) fn wait_in_any_order(&mut self, tid: i32, mut exit: WaitExit) {
        let Some(child) = self.child_of(tid, &exit) else {
            self.note_vague(tid, &exit);
            self.hand_on(tid, exit);
            return;
        };
        // A poll that named a living child gave nothing; only waitid hides that.
        let polls =
            exit.entry.call == WaitCall::Waitid && exit.entry.options.contains(WaitOptions::NOHANG);
        let is_waitid = exit.entry.call == WaitCall::Waitid;
        if is_waitid && !exit.entry.options.contains(WaitOptions::EXITED) {
            // It was not asked about ends.
            self.join_stop(child, &mut exit);
            exit.lives_on = !polls;
            self.hand_on(tid, exit);
            return;
        }
        let is_ambiguous = reports_stops(&exit);
        let ended = self.ended_at(child);
        // What began behind the end can have reported nothing else.
        if polls || ended.is_some_and(|ended| !is_ambiguous || ended <= exit.entered) {
            self.join_end(tid, child, &mut exit);
            self.hand_on(tid, exit);
            return;
        }
        let late = Late {
            tid,
            child,
            exit,
            is_ambiguous,
            over_before: None,
        };
        let number = self.late.events;
        self.late.waits.insert(number, late);
        self.late.of_child.entry(child).or_default().push(number);
        if is_ambiguous {
            self.late.last_of.insert(tid, number);
        }
    }

    /// A thread did something at a time; it may be a wait that returned this
    /// child.
    pub(in crate::records) fn goes_on(&mut self, tid: i32, at: Moment, exit: Option<&WaitExit>) {
        self.late.events += 1;
        let again = exit.and_then(|exit| self.child_of(tid, exit));
        if let Some(number) = self.late.last_of.remove(&tid)
            && let Some(late) = self.late.waits.get_mut(&number)
        {
            late.over_before = Some(at);
            let child = late.child;
            // Who is waited for again has not been reaped.
            let is_stop = again == Some(child);
            if is_stop || self.ended_at(child).is_some() {
                self.settle(number, is_stop);
            }
        }
        while let Some((number, _)) = self.late.waits.first_key_value()
            && number + MOST_BEHIND < self.late.events
        {
            let number = *number;
            self.give_up(number);
        }
    }

    /// A child has ended: waits that may have reported it are handed on.
    pub(super) fn settle_waits_for(&mut self, child: Child) {
        let numbers = self.late.of_child.get(&child).cloned();
        for number in numbers.unwrap_or_default() {
            let late = self.late.waits.get(&number);
            if late.is_some_and(|late| !late.is_ambiguous || late.over_before.is_some()) {
                self.settle(number, false);
            }
        }
    }

    /// Hand on a wait whose child's end is known, or which reported a stop.
    fn settle(&mut self, number: u64, is_stop: bool) {
        let Some(mut late) = self.take_late(number) else {
            return;
        };
        let ended = self.ended_at(late.child);
        let over_before = late.over_before.filter(|_| late.is_ambiguous);
        let lies_before = ended.is_some_and(|ended| over_before.is_none_or(|over| ended <= over));
        if is_stop || !lies_before {
            self.join_stop(late.child, &mut late.exit);
            late.exit.lives_on = late.exit.status.value().is_none();
        } else {
            self.join_end(late.tid, late.child, &mut late.exit);
        }
        self.hand_on(late.tid, late.exit);
    }

    /// Hand on a wait whose child's end does not come.
    fn give_up(&mut self, number: u64) {
        let Some(mut late) = self.take_late(number) else {
            return;
        };
        if !self.join_end(late.tid, late.child, &mut late.exit) {
            // Another wait reported its end; or that was lost, or comes later
            // than we wait.
            late.exit.lives_on = late.is_ambiguous && self.is_reaped(late.child);
            if !late.exit.lives_on {
                self.is_vague(late.tid);
            }
        }
        self.hand_on(late.tid, late.exit);
    }

    /// A thread has ended, and its waits before.
    pub(super) fn give_up_waits_of(&mut self, tid: i32) {
        let waits = self.late.waits.iter();
        let of_thread = waits.filter(|(_, late)| late.tid == tid);
        let numbers: Vec<u64> = of_thread.map(|(number, _)| *number).collect();
        for number in numbers {
            self.give_up(number);
        }
    }

    /// The record is over.
    pub(super) fn give_up_all(&mut self) {
        let numbers: Vec<u64> = self.late.waits.keys().copied().collect();
        for number in numbers {
            self.give_up(number);
        }
    }

    fn take_late(&mut self, number: u64) -> Option<Late> {
        let late = self.late.waits.remove(&number)?;
        if let Some(numbers) = self.late.of_child.get_mut(&late.child) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.late.of_child.remove(&late.child);
            }
        }
        if self.late.last_of.get(&late.tid) == Some(&number) {
            self.late.last_of.remove(&late.tid);
        }
        Some(late)
    }

    fn hand_on(&mut self, tid: i32, exit: WaitExit) {
        self.wait(tid, exit.entered, exit.entry.clone());
        self.push(tid, EventKind::WaitEnded(exit));
    }
}
