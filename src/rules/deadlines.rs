//! Deadlines of the rules: when to look at a zombie or a blocked wait, and what
//! to ask `/proc` then.
//!
//! Deadlines are queued in order of time; those whose process or wait is over
//! are dropped from the front. Nothing is looked up for a child that is reaped in
//! time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use rustc_hash::FxHashMap;

use super::thresholds::Thresholds;
use crate::event::{Event, EventKind, How, Moment, Question, WaitExit};
use crate::kernel::{Signal, Tgid, Tid, WaitOptions};
use crate::ledger::{Ledger, Outcome, Process, ProcessId};

/// How long after a SIGCHLD children are listed, in nanoseconds. Further signals
/// in this time are answered by the same list.
const LISTED_AFTER: u64 = 100_000_000;

/// How many leaders are looked at in one turn.
const MOST_LEADERS: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Deadlines {
    thresholds: Thresholds,
    /// What is asked is the record of another tracer, which knows of zombies alone.
    of_record: bool,
    /// Zombies, by their three probes: at the threshold, at twice that, and at
    /// the age of a warning.
    zombies: [VecDeque<(Moment, Tgid, ProcessId)>; 3],
    /// Blocked waits, for their first and second look.
    blocked: [VecDeque<(Moment, Tid, u64)>; 2],
    /// Processes with more than one thread, the last whose leader was looked at,
    /// and when to look at the next.
    threaded: BTreeSet<Tgid>,
    looked_at: Option<Tgid>,
    leaders_due: Option<Moment>,
    /// Attached processes that got a SIGCHLD, whose children are listed again:
    /// signals coalesce, and orphans come from outside the trace.
    listed: BTreeMap<Tgid, Moment>,
    /// Dead children whose descendants may hold pipes that the parent reads, for
    /// their first and second look.
    deaths: [VecDeque<(Moment, Tgid, ProcessId)>; 2],
    /// When to look for processes that outlive the command.
    survivors_due: Option<Moment>,
    /// Stopped children; and their parents that polled without result, with the
    /// time to ask whether these only wait for a signal.
    stopped: BTreeSet<Tgid>,
    pollers: BTreeMap<Tgid, Moment>,
    /// A rule waits for [`EventKind::QueueDrained`] to decide.
    unsettled: bool,
}

impl Deadlines {
    #[must_use]
    pub(super) fn new(thresholds: Thresholds) -> Deadlines {
        Deadlines {
            thresholds,
            of_record: false,
            zombies: Default::default(),
            blocked: Default::default(),
            threaded: BTreeSet::new(),
            looked_at: None,
            leaders_due: None,
            listed: BTreeMap::new(),
            deaths: Default::default(),
            survivors_due: None,
            stopped: BTreeSet::new(),
            pollers: BTreeMap::new(),
            unsettled: false,
        }
    }

    /// Ask what the record of another tracer can answer, and nothing else.
    pub(super) fn ask_record(&mut self) {
        self.of_record = true;
    }

    /// Apply an event, after the ledger has.
    pub(super) fn event(&mut self, event: &Event, ledger: &Ledger) {
        match &event.kind {
            EventKind::Ended { .. } if event.tgid.leader() == event.tid => {
                self.threaded.remove(&event.tgid);
                self.stopped.remove(&event.tgid);
                self.pollers.remove(&event.tgid);
                self.watch_zombie(event.at, event.tgid, ledger);
                for orphan in ledger.orphaned() {
                    self.watch_zombie(event.at, *orphan, ledger);
                }
                self.watch_descendants(event, ledger);
            }
            EventKind::UntracedChild(untraced) => {
                self.watch_zombie(event.at, untraced.child, ledger);
            }
            EventKind::Signalled {
                signal: Signal::CHLD,
                info,
                ..
            } => {
                if ledger.was_attached(event.tgid) && !self.of_record {
                    let due = event.at.after(LISTED_AFTER);
                    self.listed.entry(event.tgid).or_insert(due);
                }
                let Some(info) = info else {
                    return;
                };
                if let Some((pid, _)) = info.child()
                    && let Some(child) = ledger.recall(event.tgid, pid)
                    && !child.is_traced
                {
                    self.watch_zombie(event.at, child.tgid, ledger);
                }
            }
            EventKind::QueueDrained => self.unsettled = false,
            _ if self.of_record => {}
            EventKind::WaitEntered(entry) if !entry.options.contains(WaitOptions::NOHANG) => {
                self.watch_wait(event, ledger);
            }
            EventKind::WaitEnded(exit) => self.polled(exit, event, ledger),
            EventKind::GroupStopped { .. } => {
                self.stopped.insert(event.tgid);
                let child = ledger.process(event.tgid);
                let parent = child.and_then(|child| ledger.parent_of(child));
                if let Some(parent) = parent.filter(|parent| polled_in_vain(parent)) {
                    self.watch_poller(parent.tgid, event.at);
                }
            }
            EventKind::Resumed => {
                self.stopped.remove(&event.tgid);
            }
            EventKind::Created(created) if created.how == How::Thread => {
                self.threaded.insert(event.tgid);
                self.leaders_due
                    .get_or_insert(event.at.after(self.thresholds.zombie));
            }
            _ => {}
        }
    }

    fn watch_zombie(&mut self, at: Moment, tgid: Tgid, ledger: &Ledger) {
        let Some(child) = ledger.process(tgid).filter(|child| child.is_zombie()) else {
            return;
        };
        let Thresholds { zombie, live, .. } = self.thresholds;
        for (queue, delay) in self
            .zombies
            .iter_mut()
            .zip([zombie, zombie.saturating_mul(2), live])
        {
            while let Some((_, tgid, id)) = queue.front()
                && !still_zombie(*tgid, *id, ledger)
            {
                queue.pop_front();
            }
            queue.push_back((at.after(delay), tgid, child.id));
        }
    }

    fn watch_wait(&mut self, event: &Event, ledger: &Ledger) {
        let Thresholds { blocked, again, .. } = self.thresholds;
        for (queue, delay) in self
            .blocked
            .iter_mut()
            .zip([blocked, blocked.saturating_add(again)])
        {
            while let Some((_, tid, seq)) = queue.front()
                && still_waits(*tid, *seq, ledger).is_none()
            {
                queue.pop_front();
            }
            queue.push_back((event.at.after(delay), event.tid, event.seq));
        }
    }

    /// A process has ended, and processes live that may be its descendants.
    fn watch_descendants(&mut self, event: &Event, ledger: &Ledger) {
        let child = ledger.process(event.tgid);
        let may_have = !self.of_record && ledger.orphans().next().is_some();
        let Some(child) = child.filter(|_| may_have) else {
            return;
        };
        let Thresholds {
            zombie,
            blocked,
            again,
            ..
        } = self.thresholds;
        for (queue, delay) in self
            .deaths
            .iter_mut()
            .zip([blocked, blocked.saturating_add(again)])
        {
            queue.push_back((event.at.after(delay), child.tgid, child.id));
        }
        if ledger.root() == Some(child.as_parent()) {
            self.survivors_due = Some(event.at.after(zombie));
        }
    }

    /// A poll by a parent of stopped children found nothing.
    fn polled(&mut self, exit: &WaitExit, event: &Event, ledger: &Ledger) {
        if self.stopped.is_empty() || !exit.found_nothing() {
            return;
        }
        let is_stopped = |child: &Tgid| {
            let child = ledger.process(*child);
            child.and_then(Process::parent_pid) == Some(event.tgid)
        };
        let poller = ledger.process(event.tgid);
        if poller.is_some_and(polled_in_vain) && self.stopped.iter().any(is_stopped) {
            self.watch_poller(event.tgid, event.at);
        }
    }

    /// Ask once enough time has passed since its last poll and the last stop of a
    /// child.
    fn watch_poller(&mut self, poller: Tgid, at: Moment) {
        let due = at.after(self.thresholds.blocked);
        self.pollers.insert(poller, due);
    }

    /// Ask for a [`EventKind::QueueDrained`]: a rule decides when every stop that is
    /// ready has been taken.
    pub(super) fn settle(&mut self) {
        self.unsettled = true;
    }

    /// Whether a [`EventKind::QueueDrained`] is wanted.
    #[must_use]
    pub(super) fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// The next deadline.
    #[must_use]
    pub(super) fn next(&self) -> Option<Moment> {
        let listed = self.listed.values().copied();
        let pollers = self.pollers.values().copied();
        let leaders = self.leaders_due.into_iter();
        let deaths = self.deaths.iter().filter_map(|queue| queue.front());
        let deaths = deaths.map(|(due, ..)| *due);
        let zombies = self.zombies.iter().filter_map(|queue| queue.front());
        let blocked = self.blocked.iter().filter_map(|queue| queue.front());
        let zombies = zombies.map(|(due, ..)| *due);
        let blocked = blocked.map(|(due, ..)| *due);
        zombies
            .chain(blocked)
            .chain(leaders)
            .chain(listed)
            .chain(self.survivors_due)
            .chain(deaths)
            .chain(pollers)
            .min()
    }

    /// The questions whose deadline has passed.
    pub(super) fn due(&mut self, now: Moment, ledger: &Ledger) -> Vec<Question> {
        let mut questions = Vec::new();
        for queue in &mut self.zombies {
            while let Some((tgid, id)) = take_due(queue, now) {
                if !still_zombie(tgid, id, ledger) {
                    continue;
                }
                let child = ledger.process(tgid);
                let parent = child.and_then(Process::parent_pid);
                questions.push(Question::ZombieProbe {
                    child: tgid,
                    parent: parent.unwrap_or(tgid),
                });
            }
        }
        self.blocked_due(now, ledger, &mut questions);
        self.listed.retain(|parent, due| {
            let is_due = *due <= now;
            if is_due {
                questions.push(children_of(*parent, ledger));
            }
            !is_due
        });
        for queue in &mut self.deaths {
            while let Some((tgid, id)) = take_due(queue, now) {
                questions.extend(reader_of(tgid, id, ledger));
            }
        }
        if self.survivors_due.is_some_and(|due| due <= now) {
            self.survivors_due = None;
            questions.extend(survivors(ledger));
        }
        self.pollers.retain(|poller, due| {
            let is_due = *due <= now;
            if is_due {
                questions.push(Question::AwaitsSignal(*poller));
            }
            !is_due
        });
        if self.leaders_due.is_some_and(|due| due <= now) {
            self.threaded
                .retain(|tgid| ledger.process(*tgid).is_some_and(|p| p.ended.is_none()));
            questions.extend(self.next_leaders().map(Question::Leader));
            let any = !self.threaded.is_empty();
            self.leaders_due = any.then_some(now.after(self.thresholds.zombie));
        }
        questions
    }
}

impl Deadlines {
    /// What the children of waits are blocked in that have lasted for so long.
    fn blocked_due(&mut self, now: Moment, ledger: &Ledger, questions: &mut Vec<Question>) {
        let mut waits = Vec::new();
        for queue in &mut self.blocked {
            while let Some((tid, seq)) = take_due(queue, now) {
                waits.extend(still_waits(tid, seq, ledger).map(|tgid| (tid, tgid)));
            }
        }
        if waits.is_empty() {
            return;
        }
        let families = living_children(ledger);
        let question = |(tid, tgid)| Question::BlockedChildren {
            tid,
            tgid,
            children: families.get(&tgid).cloned().unwrap_or_default(),
        };
        questions.extend(waits.into_iter().map(question));
    }

    /// The next processes whose leader to look at, round-robin.
    fn next_leaders(&mut self) -> impl Iterator<Item = Tgid> + use<> {
        let after = match self.looked_at {
            Some(last) => (Bound::Excluded(last), Bound::Unbounded),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        let rest = self.threaded.range(after);
        let all = rest.chain(self.threaded.iter()).copied();
        let count = self.threaded.len().min(MOST_LEADERS);
        let next: Vec<Tgid> = all.take(count).collect();
        self.looked_at = next.last().copied();
        next.into_iter()
    }
}

/// The question for the children of an attached process.
fn children_of(parent: Tgid, ledger: &Ledger) -> Question {
    let (mut settled, mut alive) = (Vec::new(), Vec::new());
    for child in ledger.children(parent) {
        if child.is_traced || child.ended.is_some() {
            settled.push(child.tgid);
        } else {
            alive.push(child.tgid);
        }
    }
    Question::Children {
        parent,
        settled,
        alive,
    }
}

/// The question for the parent of a dead child that has living descendants.
fn reader_of(child: Tgid, id: ProcessId, ledger: &Ledger) -> Option<Question> {
    let child = ledger.process(child).filter(|child| child.id == id)?;
    let by_wait = child.reaped.filter(|reap| reap.way.is_wait());
    let parent = by_wait.map(|reap| reap.by_process).or(child.parent);
    let parent = ledger.parent(parent?).filter(|parent| parent.is_traced)?;
    let has_descendants = ledger
        .orphans()
        .any(|orphan| orphan.reaped.is_none() && ledger.descends_from(orphan, id));
    (has_descendants && parent.ended.is_none()).then_some(Question::Streams {
        parent: parent.tgid,
        child: child.tgid,
    })
}

/// The question for processes that outlive the command.
pub(super) fn survivors(ledger: &Ledger) -> Option<Question> {
    let command = ledger.parent(ledger.root()?)?;
    let members = super::survivors::living(command, ledger).map(|process| process.tgid);
    let members: Vec<Tgid> = members.collect();
    (!members.is_empty()).then_some(Question::Survivors {
        command: command.tgid,
        members,
    })
}

/// Whether the process's last wait was a poll that found no child, and would not
/// have reported a stopped one (no WUNTRACED).
pub(super) fn polled_in_vain(process: &Process) -> bool {
    let last = process.waits().last.as_ref();
    last.is_some_and(|last| {
        last.polls()
            && last.outcome == Outcome::Nothing
            && !last.options.contains(WaitOptions::STOPPED)
    })
}

/// Remove and return the front of a queue if it is due.
fn take_due<A, B>(queue: &mut VecDeque<(Moment, A, B)>, now: Moment) -> Option<(A, B)> {
    if queue.front()?.0 > now {
        return None;
    }
    let (_, a, b) = queue.pop_front()?;
    Some((a, b))
}

fn still_zombie(tgid: Tgid, id: ProcessId, ledger: &Ledger) -> bool {
    let process = ledger.process(tgid);
    process.is_some_and(|process| process.id == id && process.is_zombie())
}

/// The process of a thread that is still in the wait with this event number.
fn still_waits(tid: Tid, seq: u64, ledger: &Ledger) -> Option<Tgid> {
    let (tgid, waiting) = ledger.waiting(tid)?;
    (waiting.when.seq == seq).then_some(tgid)
}

/// The living children of every process, oldest first. One pass for all, as a
/// pass for each would be quadratic in the number of processes.
fn living_children(ledger: &Ledger) -> FxHashMap<Tgid, Vec<Tgid>> {
    let living = ledger.processes().filter(|child| child.ended.is_none());
    let mut living: Vec<_> = living
        .filter_map(|child| Some((child.id, child.parent_pid()?, child.tgid)))
        .collect();
    living.sort_unstable();
    let mut families: FxHashMap<Tgid, Vec<Tgid>> = FxHashMap::default();
    for (_, parent, child) in living {
        families.entry(parent).or_default().push(child);
    }
    families
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_with_threads_gets_its_turn() {
        let mut watch = Deadlines::new(Thresholds::default());
        watch.threaded = (1..=150).map(Tgid::new).collect();
        let mut seen = BTreeSet::new();
        for _ in 0..3 {
            let looked_at: Vec<Tgid> = watch.next_leaders().collect();
            assert_eq!(looked_at.len(), MOST_LEADERS);
            seen.extend(looked_at);
        }
        assert_eq!(seen.len(), 150);
        watch.threaded = [Tgid::new(7)].into();
        for _ in 0..2 {
            assert_eq!(watch.next_leaders().collect::<Vec<_>>(), [Tgid::new(7)]);
        }
    }
}
