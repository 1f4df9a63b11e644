//! What the record of another tracer does not hold, and which rules that puts
//! out of reach. A rule whose evidence cannot be there is silent anyhow; one that
//! would take a thing for absent because it is not in the log must be silenced.

use crate::rules::RuleId;
use crate::rules::RuleId as R;

/// Whose record it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Record {
    #[default]
    Strace,
    Tracee,
    Truss,
    Kdump,
}

impl Record {
    /// What the record is called in a sentence.
    fn name(self) -> &'static str {
        match self {
            Record::Strace => "strace's log",
            Record::Tracee => "Tracee's record",
            Record::Truss => "truss's log",
            Record::Kdump => "kdump's listing",
        }
    }

    /// The flag that adds times.
    fn time_flag(self) -> &'static str {
        match self {
            Record::Strace => " (-ttt)",
            Record::Tracee => "",
            Record::Truss => " (-d)",
            Record::Kdump => " (-T)",
        }
    }
}

/// What was seen in a record.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) record: Record,
    /// What happens at SIGCHLD was changed to what is not told.
    pub(super) untold_actions: bool,
    /// waits whose child is told nowhere.
    pub(super) untold_children: u64,
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
    pub(super) forks: bool,
    pub(super) execs: bool,
    pub(super) exits: bool,
    pub(super) sigactions: bool,
    pub(super) prctls: bool,
    pub(super) kills: bool,
    pub(super) sigreturns: bool,
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
    /// Nothing yet, of a record.
    pub(super) fn of(record: Record) -> Seen {
        Seen {
            record,
            ..Seen::default()
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
            self.record == Record::Strace && !self.has(self.sigreturns),
            "nothing on whether interrupted waits failed".to_owned(),
            &[&[R::EintrAbandoned]],
        );
        // The others tell EINTR, and not which handler ran.
        gap(
            self.record != Record::Strace,
            "no signal handlers".to_owned(),
            &[&[R::EintrAbandoned]],
        );
        let spins: &[RuleId] = &[R::WnohangSpin, R::EchildSpin];
        let no_times = format!("no times{}", self.record.time_flag());
        gap(!self.times, no_times, &[LEAKS, spins]);
        let strangers = self.strangers > 0;
        gap(
            strangers && !self.has(self.forks),
            match self.record {
                Record::Strace => "no clone and fork calls (threads count as processes)",
                Record::Tracee => "no sched_process_fork events",
                Record::Truss | Record::Kdump => "no fork calls",
            }
            .to_owned(),
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
        let no_ends = match self.record {
            Record::Strace => "no ends (+++)",
            Record::Tracee => "no sched_process_exit events",
            Record::Truss | Record::Kdump => "no ends of processes",
        };
        gap(!self.ends, no_ends.to_owned(), &[LEAKS, LOSSES]);
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
        let on_actions: &[RuleId] = &[R::AutoreapEchild, R::InheritedSigchldIgnore, R::DoubleWait];
        let from_strace = self.record == Record::Strace;
        gap(
            from_strace && !self.has(self.sigactions),
            "no rt_sigaction calls".to_owned(),
            &[LEAKS, on_actions],
        );
        // Elsewhere a zombie is told of a parent alone that reaps others.
        gap(
            !from_strace && (self.untold_actions || !self.has(self.sigactions)),
            "nothing on what happens at SIGCHLD".to_owned(),
            &[on_actions, &[R::HandlerReplaced]],
        );
        gap(
            self.untold_children > 0,
            many(
                self.untold_children,
                "wait that does not tell its child",
                "waits that do not tell their child",
            ),
            &[LOSSES],
        );
        gap(
            self.forks && !self.has(self.execs),
            "no execve calls".to_owned(),
            &[LEAKS],
        );
        gap(
            !self.signals,
            "no signals".to_owned(),
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

/// Lines that were not understood: those of others, and those that were too
/// long.
pub(super) fn passed_over(whose: &str, foreign: u64, overlong: u64) -> Vec<String> {
    let count = |count, one: &str, more: &str| (count > 0).then(|| many(count, one, more));
    let foreign = count(
        foreign,
        &format!("line is not {whose}"),
        &format!("lines are not {whose}"),
    );
    let overlong = count(overlong, "line is too long", "lines are too long");
    foreign.into_iter().chain(overlong).collect()
}

/// All gaps of a record in one clause, with the rules that they put out of
/// reach.
pub(super) fn clause(seen: &Seen) -> String {
    let gaps = seen.gaps();
    let what: Vec<&str> = gaps.iter().map(|(what, _)| what.as_str()).collect();
    let mut rules: Vec<RuleId> = gaps.iter().flat_map(|(_, rules)| rules.clone()).collect();
    rules.sort_unstable();
    rules.dedup();
    let names: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
    format!(
        "{} has {}; out of reach: {}",
        seen.record.name(),
        what.join(", "),
        names.join(", ")
    )
}
