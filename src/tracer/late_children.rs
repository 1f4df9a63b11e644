//! Children of a fork that was under way at the attach.
//!
//! The kernel decides at the start of a fork whether it is reported (`kernel_clone` in
//! kernel/fork.c), and lists the child at its end: of such a child there is no event, and
//! a look at the attach does not find it. A process that runs free, as it seemed to have
//! no children, is looked at again.

use std::time::{Duration, Instant};

use super::engine::Tracer;
use super::full_speed::has_no_children;
use super::scheduler::Scheduler;
use crate::event::Event;
use crate::kernel::Tgid;
use crate::proc;

/// When after the attach: a large process takes its time to fork.
const LOOKS: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// Processes that may have been forking, and when they are looked at.
#[derive(Debug, Default)]
pub(super) struct LateChildren(Vec<(Instant, Tgid)>);

impl<S: Scheduler> Tracer<S> {
    /// A process runs free from its attach on.
    pub(super) fn expect_late_children(&mut self, tgid: Tgid) {
        let status = proc::status(tgid.leader());
        // A new child of a namespace's first process may be an orphan from outside. Others
        // adopt none: they have no descendants.
        let is_first = status.is_none_or(|status| status.is_init());
        for after in LOOKS.into_iter().filter(|_| !is_first) {
            let due = Instant::now() + after;
            self.late_children.0.push((due, tgid));
            self.waker.wake_at(due);
        }
    }

    /// Look at those that are due. What they have is not traced, but waited for.
    pub(super) fn look_for_late_children(&mut self, events: &mut Vec<Event>) {
        let now = Instant::now();
        let mut expected = std::mem::take(&mut self.late_children.0);
        expected.retain(|(due, tgid)| {
            if *due > now {
                self.waker.wake_at(*due);
                return true;
            }
            let process = self.tasks.processes.get(tgid);
            let is_free = process.is_some_and(|process| process.speed.is_free);
            if is_free && !has_no_children(*tgid) {
                let at = self.now();
                self.stop_at_calls(*tgid, None, at, events);
                if self.capture.rules {
                    self.list_preexisting_children(*tgid, at, events);
                }
            }
            false
        });
        self.late_children.0 = expected;
    }
}
