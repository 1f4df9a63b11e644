//! What is finding of wait calls, and what is not: polls that found nothing,
//! interruptions, and the order in which a wait for any child finds them.

use super::Snapshot;
use super::lane::{Among, Awaited, End, Lane, Outcome, ReportedState, Wait, Wildcard};
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
        let awaited = target.and_then(|target| self.lane_id(target, ledger));
        let awaited = awaited.map_or(Awaited::Unknown, Awaited::Process);
        let Some(outcome) = outcome(exit, ledger) else {
            if let Some(lane) = self.lane_of(caller, ledger) {
                *lane.polls.entry(awaited).or_default() |= entry.options.raw();
            }
            return;
        };
        let wait = Wait {
            call: entry.call,
            kind: match entry.named {
                Named::Pid(_) | Named::Unknown => None,
                Named::Id(kind, _) => Some(kind),
            },
            awaited,
            options: entry.options,
            outcome,
        };
        let Some(lane) = self.lane_of(caller, ledger) else {
            return;
        };
        if entry.options.contains(WaitOptions::NOHANG) {
            *lane.polls.entry(awaited).or_default() |= entry.options.raw();
        }
        let mut before = lane.waits.iter().rev();
        let before = before.find(|before| before.awaited == awaited);
        if before.is_none_or(|before| !wait.repeats(before)) && self.lanes.has_room() {
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
            Some(Outcome::Reported(reported)) => {
                // WNOWAIT reaps nothing, and which child it finds is a race.
                if entry.options.contains(WaitOptions::NOWAIT) {
                    return;
                }
                // A continued child may end at once, and then only its end is reported.
                if reported.0 == Some(End::Continued) {
                    return;
                }
                let is_stop = matches!(reported.0, Some(End::Stopped(_)));
                let Some(child) = child(caller, exit, ledger).map(|child| child.tgid) else {
                    return;
                };
                let wildcard = Wildcard {
                    reaps: !is_stop,
                    call: entry.call.name(),
                    awaited: self.among(caller, entry, among, ledger),
                };
                let child = self.lane_id(child, ledger);
                let lane = self.lane_of(caller, ledger);
                if let (Some(child), Some(lane)) = (child, lane) {
                    lane.reported
                        .entry(wildcard)
                        .or_default()
                        .insert((child, reported));
                }
            }
            // That none is left ends most loops; whether one asks is a race.
            Some(Outcome::Failed(Errno::CHILD)) | None => {}
            Some(failed) => {
                let wait = Wait {
                    call: entry.call,
                    kind: None,
                    awaited: Awaited::Among(self.among(caller, entry, among, ledger)),
                    options: entry.options,
                    outcome: failed,
                };
                let lane = self.lane_of(caller, ledger);
                if lane.is_some_and(|lane| !lane.waits.contains(&wait)) && self.lanes.has_room() {
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

/// The children that a wait may choose from; nothing where it names one process.
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
        return Some(Outcome::Reported(ReportedState(status.map(End::from))));
    }
    // waitid without a siginfo reports no child; the ledger may know it.
    let blocks = !exit.entry.options.contains(WaitOptions::NOHANG);
    let took = exit.entry.call == WaitCall::Waitid
        && (ledger.just_reaped().is_some() || (blocks && exit.entry.result_at == 0));
    took.then_some(Outcome::Reported(ReportedState(None)))
}

/// The child that a wait for any child reported.
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
pub(super) fn is_ordered(lane: &Lane, awaited: Awaited) -> bool {
    !lane.has_threads && !lane.polls.contains_key(&awaited)
}
