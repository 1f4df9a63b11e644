//! What a log of strace's does not hold, and which rules that puts out of
//! reach. A rule whose evidence cannot be there is silent anyhow; one that
//! would take a thing for absent because it is not in the log must be silenced.

use super::kind::Kind;
use crate::rules::RuleId;
use crate::rules::RuleId as R;

/// What was seen in the log.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) times: bool,
    pub(super) ends: bool,
    pub(super) signals: bool,
    pub(super) attached: bool,
    /// Pids are of namespaces that the log does not translate.
    pub(super) namespaces: bool,
    /// Tasks of whom no creator is known.
    pub(super) strangers: u64,
    /// Waits that were cut short.
    pub(super) unknown_waits: u64,
    forks: bool,
    execs: bool,
    exits: bool,
    sigactions: bool,
    prctls: bool,
    kills: bool,
    sigreturns: bool,
    /// Calls that every program makes and no rule is about: memory, files,
    /// descriptors. Where all are there, the log is of all calls.
    others: [bool; 3],
}

/// Leaks, which are judged by the age of a zombie.
const LEAKS: &[RuleId] = &[
    R::ParentStopped,
    R::VforkStall,
    R::ExecInheritedChild,
    R::CloneChildInvisible,
    R::WnowaitOnly,
    R::StopMistakenForExit,
    R::SpawnFailedZombie,
    R::HandlerReplaced,
    R::CoalescedSigchld,
    R::ZombieLeak,
    R::LateReap,
];
/// Those that need to know whose child somebody is, and more than that.
const LOSSES: &[RuleId] = &[
    R::StolenChild,
    R::DoubleWait,
    R::NotMyChild,
    R::AutoreapEchild,
    R::InheritedSigchldIgnore,
    R::StatusDiscarded,
    R::SignalDeathHidden,
    R::RawStatusExit,
    R::WrongThreadWait,
    R::PdeathsigThread,
    R::KillAfterReap,
];

impl Seen {
    pub(super) fn note(&mut self, kind: Kind) {
        match kind {
            Kind::Wait(_) => {}
            Kind::Create | Kind::Vfork => self.forks = true,
            Kind::Exec => self.execs = true,
            Kind::Exit => self.exits = true,
            Kind::Sigaction => self.sigactions = true,
            Kind::Prctl => self.prctls = true,
            Kind::Kill => self.kills = true,
            Kind::Sigreturn => self.sigreturns = true,
        }
    }

    /// Note a call that no rule is about.
    pub(super) fn note_other(&mut self, name: &[u8]) {
        let [memory, files, descriptors] = &mut self.others;
        match name {
            b"mmap" | b"mmap2" | b"brk" => *memory = true,
            b"openat" | b"open" => *files = true,
            b"read" | b"close" => *descriptors = true,
            b"rt_sigaction" => self.sigactions = true,
            _ => {}
        }
    }

    /// Whether the log is of all calls.
    pub(super) fn everything(&self) -> bool {
        self.others == [true; 3]
    }

    /// Whether calls of a kind would be in the log: some are, or all calls.
    fn has(&self, some: bool) -> bool {
        some || self.everything()
    }

    /// Each gap in a clause, with its rules.
    pub(super) fn gaps(&self) -> Vec<(String, Vec<RuleId>)> {
        let mut gaps = Vec::new();
        let mut gap = |is_there: bool, what: String, rules: &[&[RuleId]]| {
            if is_there {
                gaps.push((what, rules.concat()));
            }
        };
        gap(
            true,
            "no looks at /proc".to_owned(),
            &[&[
                R::ReaperIdle,
                R::PgrpMiss,
                R::SigchldBlocked,
                R::PipeFullDeadlock,
                R::PipeEofDeadlock,
                R::StoppedChildHang,
                R::LeaderZombie,
                R::EfaultLostStatus,
                R::PidnsInitExit,
            ]],
        );
        gap(
            !self.has(self.sigreturns),
            "nothing on whether interrupted waits failed".to_owned(),
            &[&[R::EintrAbandoned]],
        );
        let spins: &[RuleId] = &[R::WnohangSpin, R::EchildSpin];
        gap(!self.times, "no times (-ttt)".to_owned(), &[LEAKS, spins]);
        let strangers = self.strangers > 0;
        gap(
            strangers && !self.has(self.forks),
            "no clone and fork calls (threads count as processes)".to_owned(),
            &[LEAKS, LOSSES],
        );
        gap(
            strangers && self.has(self.forks),
            many(
                self.strangers,
                "task without a creator",
                "tasks without a creator",
            ),
            &[LEAKS, LOSSES],
        );
        gap(!self.ends, "no ends (+++)".to_owned(), &[LEAKS, LOSSES]);
        gap(
            self.namespaces,
            "pids of several namespaces".to_owned(),
            &[LEAKS, LOSSES],
        );
        gap(
            self.unknown_waits > 0,
            many(
                self.unknown_waits,
                "wait that is cut short",
                "waits that are cut short",
            ),
            &[LEAKS, LOSSES, spins],
        );
        gap(
            !self.has(self.sigactions),
            "no rt_sigaction calls".to_owned(),
            &[
                LEAKS,
                &[R::AutoreapEchild, R::InheritedSigchldIgnore, R::DoubleWait],
            ],
        );
        gap(
            self.forks && !self.has(self.execs),
            "no execve calls".to_owned(),
            &[LEAKS],
        );
        gap(
            !self.signals,
            "no signals (---)".to_owned(),
            &[&[R::CoalescedSigchld, R::PdeathsigThread, R::ParentStopped]],
        );
        gap(
            !self.has(self.exits),
            "no exit calls".to_owned(),
            &[&[R::RawStatusExit]],
        );
        gap(
            !self.has(self.prctls),
            "no prctl calls".to_owned(),
            &[&[R::PdeathsigThread]],
        );
        gap(
            !self.has(self.kills),
            "no kill calls".to_owned(),
            &[&[R::KillAfterReap]],
        );
        gap(
            self.attached,
            "a beginning in the midst of a program".to_owned(),
            &[&[R::NotMyChild, R::DoubleWait, R::InheritedSigchldIgnore]],
        );
        gaps
    }

    /// Whether a zombie of the log is one for sure.
    pub(super) fn knows_zombies(&self) -> bool {
        self.gaps()
            .iter()
            .all(|(_, rules)| !rules.contains(&R::ZombieLeak))
    }
}

/// `1 line`, `2 lines`
pub(super) fn many(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// Lines that were not understood.
pub(super) fn passed_over(foreign: u64, overlong: u64) -> Vec<String> {
    let count = |count, one, more| (count > 0).then(|| many(count, one, more));
    let foreign = count(foreign, "line is not strace's", "lines are not strace's");
    let overlong = count(overlong, "line is too long", "lines are too long");
    foreign.into_iter().chain(overlong).collect()
}

/// All gaps in one clause, with the rules that they put out of reach.
pub(super) fn clause(gaps: &[(String, Vec<RuleId>)]) -> String {
    let what: Vec<&str> = gaps.iter().map(|(what, _)| what.as_str()).collect();
    let mut rules: Vec<RuleId> = gaps.iter().flat_map(|(_, rules)| rules.clone()).collect();
    rules.sort_unstable();
    rules.dedup();
    let names: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
    format!(
        "strace's log has {}; out of reach: {}",
        what.join(", "),
        names.join(", ")
    )
}
