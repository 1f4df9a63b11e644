//! What is kept of wait calls, and what is not: polls that found nothing,
//! interruptions, and the order in which a wait for any child finds them.

use super::Snapshot;
use super::lane::{Among, End, Lane, Outcome, Told, Wait, Whom, Wildcard};
use crate::event::{Named, WaitEntry, WaitExit};
use crate::kernel::{Errno, IdType, NsPid, Tgid, WaitCall, WaitOptions, WaitTarget};
use crate::ledger::{Ledger, Process};

impl Snapshot {
    /// A wait has ended.
    pub(super) fn waited(&mut self, caller: Tgid, exit: &WaitExit, ledger: &Ledger) {
        // Whether a signal comes within a wait or between two is a race.
        if exit.is_interrupted() || exit.result == Err(Errno::INTR) {
            return;
        }
        match among(&exit.entry) {
            Some(among) => self.waited_for_any(caller, exit, among, ledger),
            None => self.waited_for_one(caller, exit, ledger),
        }
    }

    fn waited_for_one(&mut self, caller: Tgid, exit: &WaitExit, ledger: &Ledger) {
        let entry = &exit.entry;
        let target = ledger.target(caller, entry).map(|target| target.tgid);
        let whom = target.and_then(|target| self.lane_id(target, ledger));
        let whom = whom.map_or(Whom::Unknown, Whom::Process);
        let Some(outcome) = outcome(exit, ledger) else {
            if let Some(lane) = self.lane_of(caller, ledger) {
                *lane.polls.entry(whom).or_default() |= entry.options.raw();
            }
            return;
        };
        let wait = Wait {
            call: entry.call,
            kind: match entry.named {
                Named::Pid(_) | Named::Unknown => None,
                Named::Id(kind, _) => Some(kind),
            },
            whom,
            options: entry.options,
            outcome,
        };
        let Some(lane) = self.lane_of(caller, ledger) else {
            return;
        };
        if entry.options.contains(WaitOptions::NOHANG) {
            *lane.polls.entry(whom).or_default() |= entry.options.raw();
        }
        let mut before = lane.waits.iter().rev();
        let before = before.find(|before| before.whom == whom);
        if before.is_none_or(|before| !wait.repeats(before)) && self.has_room() {
            self.push_wait(caller, wait, ledger);
        }
    }

    fn push_wait(&mut self, caller: Tgid, wait: Wait, ledger: &Ledger) {
        if let Some(lane) = self.lane_of(caller, ledger) {
            lane.waits.push(wait);
        }
    }

    fn waited_for_any(
        &mut self,
        caller: Tgid,
        exit: &WaitExit,
        among: WaitTarget,
        ledger: &Ledger,
    ) {
        let entry = &exit.entry;
        if entry.options.contains(WaitOptions::NOHANG)
            && let Some(lane) = self.lane_of(caller, ledger)
        {
            lane.polls_any = true;
        }
        match outcome(exit, ledger) {
            Some(Outcome::Told(told)) => {
                // A look takes nobody, and whom it sees is a race.
                if entry.options.contains(WaitOptions::NOWAIT) {
                    return;
                }
                // A child that goes on may end at once, and only that is told.
                if told.0 == Some(End::Continued) {
                    return;
                }
                let is_stop = matches!(told.0, Some(End::Stopped(_)));
                let Some(child) = child(caller, exit, ledger).map(|child| child.tgid) else {
                    return;
                };
                let wildcard = Wildcard {
                    reaps: !is_stop,
                    call: entry.call.name(),
                    whom: self.among(caller, entry, among, ledger),
                };
                let child = self.lane_id(child, ledger);
                let lane = self.lane_of(caller, ledger);
                if let (Some(child), Some(lane)) = (child, lane) {
                    lane.told.entry(wildcard).or_default().insert((child, told));
                }
            }
            // That none is left ends most loops; whether one asks is a race.
            Some(Outcome::Failed(Errno::CHILD)) | None => {}
            Some(failed) => {
                let wait = Wait {
                    call: entry.call,
                    kind: None,
                    whom: Whom::Among(self.among(caller, entry, among, ledger)),
                    options: entry.options,
                    outcome: failed,
                };
                let lane = self.lane_of(caller, ledger);
                if lane.is_some_and(|lane| !lane.waits.contains(&wait)) && self.has_room() {
                    self.push_wait(caller, wait, ledger);
                }
            }
        }
    }

    fn among(
        &mut self,
        caller: Tgid,
        entry: &WaitEntry,
        among: WaitTarget,
        ledger: &Ledger,
    ) -> Among {
        let by_id = entry.call.names_by_id();
        match among {
            WaitTarget::OwnGroup if by_id => Among::OwnGroupById,
            WaitTarget::OwnGroup => Among::OwnGroup,
            WaitTarget::Group(group) => {
                let leader = ledger.recall(caller, NsPid::new(group));
                let leader = leader.map(|leader| leader.tgid);
                let leader = leader.and_then(|leader| self.lane_id(leader, ledger));
                if by_id {
                    Among::GroupById(leader)
                } else {
                    Among::Group(leader)
                }
            }
            _ if by_id => Among::All,
            _ => Among::Any,
        }
    }
}

/// Whom a wait may choose among; nothing where it names one process.
fn among(entry: &WaitEntry) -> Option<WaitTarget> {
    let target = match entry.named {
        Named::Pid(pid) => WaitTarget::of_pid(pid),
        Named::Id(kind, id) => WaitTarget::of_id(kind, id.cast_signed()),
        Named::Unknown => return None,
    };
    matches!(
        target,
        WaitTarget::Any | WaitTarget::Group(_) | WaitTarget::OwnGroup
    )
    .then_some(target)
}

/// What a wait gave; nothing where that is "not yet".
fn outcome(exit: &WaitExit, ledger: &Ledger) -> Option<Outcome> {
    if let Err(errno) = exit.result {
        return (errno != Errno::AGAIN).then_some(Outcome::Failed(errno));
    }
    if let Some((_, status)) = exit.reported() {
        return Some(Outcome::Told(Told(status.map(End::from))));
    }
    // waitid without a siginfo does not tell; the ledger may know it.
    let blocks = !exit.entry.options.contains(WaitOptions::NOHANG);
    let took = exit.entry.call == WaitCall::Waitid
        && (ledger.just_reaped().is_some() || (blocks && exit.entry.result_at == 0));
    took.then_some(Outcome::Told(Told(None)))
}

/// The child that a wait for any told of.
fn child<'a>(caller: Tgid, exit: &WaitExit, ledger: &'a Ledger) -> Option<&'a Process> {
    match exit.reported() {
        Some((pid, _)) => ledger.translate(caller, pid),
        None => ledger.just_reaped(),
    }
}

/// How a wait names one process: before its name.
pub(super) fn before_name(kind: Option<IdType>) -> String {
    kind.map(|kind| format!("{kind}, ")).unwrap_or_default()
}

/// Whether the order of a wait among others says something: not where threads
/// wait side by side, and not where polls take children as they die.
pub(super) fn is_ordered(lane: &Lane, whom: Whom) -> bool {
    !lane.has_threads && !lane.polls.contains_key(&whom)
}
