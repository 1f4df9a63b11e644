//! What was at play where a point was forced: a handler of SIGCHLD, another signal, an
//! exec. Advice depends on it.

use super::Explorer;
use super::holds::{Hold, Until};
use crate::event::HoldEnd;
use crate::explore::advice::AtPlay;
use crate::explore::schedule::Point;
use crate::kernel::{Signal, Tgid};
use crate::proc::{self, Asleep};
use crate::tracer::scheduler::Account;

/// What was at play in a run, by point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances(Vec<(Point, Vec<AtPlay>)>);

impl Circumstances {
    /// What was at play where this point was forced.
    #[must_use]
    pub fn of(&self, point: Point) -> &[AtPlay] {
        let mut all = self.0.iter();
        let found = all.find(|(own, _)| *own == point);
        found.map_or(&[], |(_, at_play)| at_play)
    }

    /// Note it, once.
    pub(in crate::explore) fn note(&mut self, point: Point, what: AtPlay) {
        match self.0.iter_mut().find(|(own, _)| *own == point) {
            Some((_, at_play)) if at_play.contains(&what) => {}
            Some((_, at_play)) => at_play.push(what),
            None => self.0.push((point, vec![what])),
        }
    }
}

impl Explorer {
    /// A program was executed: of a child whose creator is held, that is of interest.
    pub(super) fn note_exec(&mut self, tgid: Tgid) {
        let is_first = |hold: &Hold| hold.until == Until::ChildEnded(tgid);
        if self.holds.iter().any(is_first) {
            self.at_play.note(Point::ChildFirst, AtPlay::Exec);
        }
    }

    /// A child goes on whose death is to interrupt its parent: in which call.
    pub(super) fn note_interrupted(&mut self, parent: Tgid) {
        if let Some(asleep) = Asleep::read(parent, parent.leader()) {
            let call = AtPlay::Interrupted(asleep.call);
            self.at_play.note(Point::Eintr, call);
        }
    }

    /// A creator that is held at its fork goes on.
    pub(super) fn note_release(&mut self, hold: &Hold, account: Account) {
        if let (Until::ParentInSleep(parent, _), HoldEnd::Asleep(_)) = (hold.until, account.until) {
            self.note_interrupted(parent);
        }
        let Until::ChildEnded(_) = hold.until else {
            return;
        };
        let Some(status) = proc::status(hold.tid) else {
            return;
        };
        let sigchld = Signal::CHLD.bit();
        let has_ended = matches!(account.until, HoldEnd::Ended(_));
        if has_ended && status.catches(Signal::CHLD) && status.blocked & sigchld == 0 {
            self.at_play.note(Point::ChildFirst, AtPlay::Handler);
        }
        let others = (status.pending | status.own_pending) & !status.blocked & !sigchld;
        if let Some(signal) = Signal::of_mask(others).next() {
            self.at_play.note(Point::ChildFirst, AtPlay::Signal(signal));
        }
    }
}
