//! `-p`: processes without children run at full speed.
//!
//! Only a process with children can make a wait that reaps. One without is
//! followed through forks, execs, signals and death, and stops at no call. When
//! it forks, it begins to stop at calls before its child can be waited for: its
//! other threads are interrupted, and the child is held in its first stop until
//! they have come over, or [`HELD_AT_MOST`]. A while after its last child was
//! reaped it runs free again, each of its threads from its next stop on; at an exec
//! at once.
//!
//! What such a process did before it forked is looked up, as far as `/proc`
//! tells: what happens at SIGCHLD, and whether its children live in another pid
//! namespace.

use std::time::{Duration, Instant};

use super::engine::Tracer;
use super::handler::HandlerFrame;
use super::scheduler::Scheduler;
use super::tasks::{Kind, Process};
use crate::event::{Event, EventKind, Moment, SigchldAction};
use crate::kernel::{Signal, Tgid, Tid};
use crate::proc;

/// How long a child waits for the other threads of its parent.
const HELD_AT_MOST: Duration = Duration::from_millis(20);
/// How long a process must have been without children before it runs free; twice
/// as long each time that this was too early.
const QUIET: Duration = Duration::from_secs(1);
const MOST_DOUBLINGS: u32 = 5;
/// Forking again within so many times that time means that it was too early.
const TOO_EARLY: u32 = 8;

/// What a tracer knows of all processes that may run at full speed.
#[derive(Debug, Default)]
pub(super) struct FullSpeed {
    /// Attached processes may run free.
    pub(super) is_allowed: bool,
    /// One has.
    was_used: bool,
    /// When it is looked next which processes have no children any more.
    next_look: Option<Instant>,
    /// Processes whose new children are held.
    holding: Vec<(Instant, Tgid)>,
}

impl FullSpeed {
    pub(super) fn new(is_allowed: bool) -> FullSpeed {
        FullSpeed {
            is_allowed,
            ..FullSpeed::default()
        }
    }
}

/// How a process runs.
#[derive(Debug, Default)]
pub(super) struct Speed {
    /// It may run free.
    is_allowed: bool,
    /// Its threads stop at no call.
    pub(super) is_free: bool,
    /// How many of its threads were interrupted and have not stopped yet.
    awaited: usize,
    /// Children that are held until they have.
    held: Vec<Tid>,
    /// When it had a child last, or ran free last.
    last_child: Option<Instant>,
    freed: Option<Instant>,
    /// How often it was set free too early.
    doublings: u32,
}

impl Speed {
    /// A child was born, or has died.
    pub(super) fn had_child(&mut self) {
        if self.is_allowed {
            self.last_child = Some(Instant::now());
        }
    }

    fn quiet(&self) -> Duration {
        QUIET * (1 << self.doublings.min(MOST_DOUBLINGS))
    }

    fn may_run_free(&self, now: Instant) -> bool {
        let quiet_since = |since: Instant| now.saturating_duration_since(since);
        self.is_allowed
            && !self.is_free
            && self
                .last_child
                .is_none_or(|last| quiet_since(last) >= self.quiet())
    }

    /// It has a child, so it stops at calls from now on.
    fn end_free(&mut self, now: Instant) {
        self.is_free = false;
        self.last_child = Some(now);
        let Some(freed) = self.freed.take() else {
            return;
        };
        if now.saturating_duration_since(freed) < self.quiet() * TOO_EARLY {
            self.doublings = (self.doublings + 1).min(MOST_DOUBLINGS);
        } else {
            self.doublings = 0;
        }
    }
}

impl<S: Scheduler> Tracer<S> {
    /// Whether a process has run free, so that calls of it were not seen.
    pub(crate) fn has_run_free(&self) -> bool {
        self.full_speed.was_used
    }

    /// A new process of this kind is under trace; it has no children yet.
    /// Whether it runs free.
    pub(super) fn begin_free(&mut self, tgid: Tgid, kind: Kind) -> bool {
        let is_free = self.full_speed.is_allowed && !kind.launched;
        if is_free && let Some(process) = self.tasks.processes.get_mut(&tgid) {
            process.speed.is_allowed = true;
            process.speed.is_free = true;
            self.full_speed.was_used = true;
        }
        is_free
    }

    /// A process has executed a program: what the one before did says nothing about
    /// it. Without children it runs free at once.
    pub(super) fn begin_anew(&mut self, tgid: Tgid) {
        let process = self.tasks.processes.get(&tgid);
        let may_be_free = process.is_some_and(|process| {
            process.speed.is_allowed && !process.speed.is_free && process.children == 0
        });
        if may_be_free && has_no_children(tgid) {
            self.run_free(tgid);
        }
    }

    /// All threads of a process are seized. They run on as they did if it has no
    /// children; else they are made to stop at calls.
    pub(super) fn choose_speed(&mut self, tgid: Tgid) {
        let Some(process) = self.tasks.processes.get_mut(&tgid) else {
            return;
        };
        process.speed.is_allowed = self.full_speed.is_allowed;
        process.speed.had_child();
        if process.children == 0 && has_no_children(tgid) {
            self.run_free(tgid);
            self.expect_late_children(tgid);
            return;
        }
        for tid in self.tasks.threads_of(tgid) {
            let is_asked = self
                .tasks
                .by_tid
                .get(&tid)
                .is_some_and(|task| task.asked_to_stop);
            if !is_asked {
                self.interrupt(tid);
            }
        }
        self.look_after(QUIET);
    }

    fn run_free(&mut self, tgid: Tgid) {
        if let Some(process) = self.tasks.processes.get_mut(&tgid) {
            process.speed.is_free = true;
        }
        self.full_speed.was_used = true;
        for tid in self.tasks.threads_of(tgid) {
            if let Some(task) = self.tasks.by_tid.get_mut(&tid) {
                task.is_free = true;
            }
        }
    }

    /// This process has a child, by the task `by`, which is stopped, or as `/proc`
    /// tells: its threads are made to stop at calls.
    pub(super) fn stop_at_calls(
        &mut self,
        tgid: Tgid,
        by: Option<Tid>,
        at: Moment,
        events: &mut Vec<Event>,
    ) {
        let process = self.tasks.processes.get_mut(&tgid);
        let Some(process) = process.filter(|process| process.speed.is_free) else {
            return;
        };
        let now = Instant::now();
        process.speed.end_free(now);
        let mut awaited = 0;
        for tid in self.tasks.threads_of(tgid) {
            let Some(task) = self.tasks.by_tid.get_mut(&tid) else {
                continue;
            };
            task.is_free = false;
            // One in a group-stop stops again when it goes on.
            if Some(tid) != by && task.group_stopped.is_none() {
                task.is_awaited = true;
                awaited += 1;
                self.interrupt(tid);
            }
        }
        if let Some(process) = self.tasks.processes.get_mut(&tgid) {
            process.speed.awaited = awaited;
        }
        if awaited > 0 {
            self.full_speed.holding.push((now + HELD_AT_MOST, tgid));
            self.waker.wake_after(HELD_AT_MOST);
        }
        self.look_after(QUIET);
        self.look_up_past(tgid, at, events);
    }

    /// What a process that ran free did unseen, as far as it can be known.
    fn look_up_past(&mut self, tgid: Tgid, at: Moment, events: &mut Vec<Event>) {
        let tid = tgid.leader();
        let Some(process) = self.tasks.processes.get_mut(&tgid) else {
            return;
        };
        if self.capture.namespaces && proc::children_are_elsewhere(tid) {
            process.moved = true;
        }
        let status = self.capture.rules.then(|| proc::status(tid)).flatten();
        let Some(status) = status else {
            return;
        };
        let now = status.sigchld().unwrap_or(SigchldAction::UNKNOWN_HANDLER);
        let is_news = match process.sigchld {
            // Of a handler that was there before no more is known.
            Some(SigchldAction::Handler { .. }) => !status.catches(Signal::CHLD),
            // To `/proc` both are the default.
            Some(SigchldAction::DefaultNoWait) => now != SigchldAction::Default,
            known => known != Some(now),
        };
        if is_news {
            process.handler_frame = HandlerFrame::by_proc(&status);
            process.sigchld = Some(now);
            events.push(self.event(at, tid, tgid, EventKind::SigchldSet(now)));
        }
    }

    /// A process that runs free has executed a program: what was set before, and
    /// lasts, is looked up, as it is not the new program's doing.
    pub(super) fn look_up_inherited(&mut self, tgid: Tgid, at: Moment, events: &mut Vec<Event>) {
        let tid = tgid.leader();
        let process = self.tasks.processes.get(&tgid);
        let is_wanted = process.is_some_and(|process| {
            let is_known = process.sigchld == Some(SigchldAction::Ignore);
            self.capture.rules && process.speed.is_free && !is_known
        });
        let status = is_wanted.then(|| proc::status(tid)).flatten();
        let action = status.and_then(|status| status.sigchld());
        if let Some(SigchldAction::Ignore) = action {
            let ignored = SigchldAction::Ignore;
            if let Some(process) = self.tasks.processes.get_mut(&tgid) {
                process.sigchld = Some(ignored);
            }
            events.push(self.event(at, tid, tgid, EventKind::SigchldSet(ignored)));
        }
    }

    /// A thread that was to come over has stopped, or is dead.
    pub(super) fn has_come_over(&mut self, tgid: Tgid) {
        let Some(process) = self.tasks.processes.get_mut(&tgid) else {
            return;
        };
        process.speed.awaited = process.speed.awaited.saturating_sub(1);
        if process.speed.awaited == 0 {
            self.release_children(tgid);
        }
    }

    /// Whether a new child must wait for threads of its parent; it is released
    /// when they have come over.
    pub(super) fn must_wait_for_parent(&mut self, child: Tid) -> bool {
        let process = self.tasks.processes.get(&Tgid::new(child.raw()));
        let parent = process.and_then(|process| process.parent);
        let parent = parent.and_then(|parent| self.tasks.processes.get_mut(&parent));
        let Some(parent) = parent.filter(|parent| parent.speed.awaited > 0) else {
            return false;
        };
        parent.speed.held.push(child);
        true
    }

    /// Wait for the threads of a process no longer.
    pub(super) fn release_children(&mut self, tgid: Tgid) {
        let Some(process) = self.tasks.processes.get_mut(&tgid) else {
            return;
        };
        process.speed.awaited = 0;
        for child in std::mem::take(&mut process.speed.held) {
            self.release(child);
        }
    }

    fn look_after(&mut self, after: Duration) {
        let at = Instant::now() + after;
        let next = self.full_speed.next_look;
        self.full_speed.next_look = Some(next.map_or(at, |next| next.min(at)));
        self.waker.wake_after(after);
    }

    /// What is due: children that were held for long enough, and processes that
    /// may have no children any more.
    pub(super) fn keep_speed(&mut self) {
        let now = Instant::now();
        let mut held = std::mem::take(&mut self.full_speed.holding);
        held.retain(|(until, tgid)| {
            let is_due = *until <= now;
            if is_due {
                self.release_children(*tgid);
            }
            !is_due
        });
        if let Some((until, _)) = held.first() {
            self.waker.wake_at(*until);
        }
        self.full_speed.holding = held;
        if let Some(next) = self.full_speed.next_look {
            if next <= now {
                self.full_speed.next_look = None;
                self.look_for_childless(now);
            } else {
                self.waker.wake_at(next);
            }
        }
    }

    fn look_for_childless(&mut self, now: Instant) {
        let stops = |process: &Process| process.speed.is_allowed && !process.speed.is_free;
        let all = self.tasks.processes.iter();
        let stopping = all.filter(|(_, process)| stops(process));
        let mut has_more = false;
        let mut candidates = Vec::new();
        for (tgid, process) in stopping {
            if process.children == 0 && process.speed.may_run_free(now) {
                candidates.push(*tgid);
            } else {
                has_more = true;
            }
        }
        for tgid in candidates {
            if has_no_children(tgid) {
                self.run_free(tgid);
                if let Some(process) = self.tasks.processes.get_mut(&tgid) {
                    process.speed.freed = Some(now);
                }
            } else if let Some(process) = self.tasks.processes.get_mut(&tgid) {
                // Zombies, or children from before the attach.
                process.speed.had_child();
                process.speed.doublings = (process.speed.doublings + 1).min(MOST_DOUBLINGS);
                has_more = true;
            }
        }
        if has_more {
            self.look_after(QUIET);
        }
    }
}

/// Whether it is certain that a process has no children, not even dead ones.
pub(super) fn has_no_children(tgid: Tgid) -> bool {
    let shows_none = || proc::children(tgid).is_some_and(|children| children.is_empty());
    // A thread that ends hands its children on, perhaps to one that was asked before.
    shows_none() && (proc::threads(tgid.leader()).len() == 1 || shows_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_forks_again_soon_is_set_free_later_each_time() {
        let start = Instant::now();
        let mut speed = Speed {
            is_allowed: true,
            ..Speed::default()
        };
        let mut now = start;
        for quiet in [1, 2, 4, 8, 16, 32, 32] {
            speed.end_free(now);
            let quiet = Duration::from_secs(quiet);
            assert!(!speed.may_run_free(now + quiet.mul_f32(0.99)));
            assert!(speed.may_run_free(now + quiet));
            now += quiet;
            speed.freed = Some(now);
        }
        now += Duration::from_secs(1000);
        speed.end_free(now);
        assert!(speed.may_run_free(now + QUIET));
    }

    #[test]
    fn a_process_that_may_not_never_runs_free() {
        let speed = Speed::default();
        assert!(!speed.may_run_free(Instant::now() + Duration::from_secs(1000)));
    }
}
